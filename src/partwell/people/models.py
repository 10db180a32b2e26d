"""The installation, users who sign in, the staff register, clients, contacts, contracts, role holders."""

from __future__ import annotations

import unicodedata
from typing import Any, ClassVar

from django.contrib.auth.models import AbstractBaseUser, BaseUserManager
from django.db import models
from django.db.models.functions import Lower

from partwell.people.roles import GRANTABLE, ROLE_LABELS


class FoldedText(models.TextField):
    """Other fields of the row, joined and folded, for finding and sorting whatever the case.

    Databases disagree about the case of letters beyond ASCII, so Python folds. The value is made whenever
    the whole row is saved, in bulk too; an update of single fields must name this one as well.
    """

    def __init__(self, *, of: tuple[str, ...] = (), **options: Any) -> None:
        self.of = of
        options.setdefault("editable", False)
        options.setdefault("default", "")
        super().__init__(**options)

    def pre_save(self, model_instance: models.Model, add: bool) -> str:
        folded = fold(" ".join(filter(None, (getattr(model_instance, name) for name in self.of))))
        setattr(model_instance, self.attname, folded)
        return folded

    def deconstruct(self) -> Any:
        name, path, args, options = super().deconstruct()
        return name, path, args, {**options, "of": self.of}


def fold(text: str) -> str:
    """`text` without its differences of case, of Unicode form and of spacing."""
    return " ".join(unicodedata.normalize("NFKC", text).casefold().split())


class Installation(models.Model):
    """This installation itself: whose it is and where. There is one row, or none before the first run."""

    ONLY = 1

    id = models.PositiveSmallIntegerField(primary_key=True, default=ONLY, editable=False)
    company_name = models.CharField(max_length=200)
    is_practice = models.BooleanField(default=False)
    country = models.CharField(max_length=2, blank=True)
    timezone = models.CharField(max_length=64, blank=True)
    initialised_at = models.DateTimeField()

    class Meta:
        constraints = [models.CheckConstraint(condition=models.Q(id=1), name="installation_only_once")]

    def __str__(self) -> str:
        return self.company_name


class UserAccounts(BaseUserManager["User"]):
    """Creates sign-in accounts; the e-mail address is the name."""

    def create_user(self, email: str, password: str | None = None, **fields: Any) -> User:
        """A new account; without a password nobody can sign in to it until they set one by invitation."""
        user = self.model(email=email.strip().lower(), **fields)
        user.set_password(password)
        user.save(using=self._db)
        return user

    def get_by_natural_key(self, username: str | None) -> User:
        return self.get(email__iexact=username)


class User(AbstractBaseUser):
    """Somebody who can sign in. What they may do follows from role grants and participation, never from
    Django's own permissions."""

    email = models.EmailField(unique=True)
    name = models.CharField(max_length=200, blank=True)
    person = models.OneToOneField(
        "people.Person", null=True, blank=True, on_delete=models.SET_NULL, related_name="user"
    )
    is_active = models.BooleanField(default=True)
    timezone = models.CharField(max_length=64, blank=True)
    created_at = models.DateTimeField(auto_now_add=True)

    objects: ClassVar[UserAccounts] = UserAccounts()

    USERNAME_FIELD = "email"
    EMAIL_FIELD = "email"
    REQUIRED_FIELDS: ClassVar[list[str]] = []

    class Meta:
        constraints = [models.UniqueConstraint(Lower("email"), name="user_email_once")]

    def __str__(self) -> str:
        return self.name or self.email

    @property
    def is_staff(self) -> bool:
        """No Django admin site is installed, so nobody is its staff."""
        return False


class Person(models.Model):
    """One entry of the staff register."""

    email = models.EmailField()
    name = models.CharField(max_length=200)
    manager = models.ForeignKey(
        "self", null=True, blank=True, on_delete=models.SET_NULL, related_name="reports"
    )
    department = models.CharField(max_length=120, blank=True)
    title = models.CharField(max_length=160, blank=True)
    start_date = models.DateField(null=True, blank=True)
    country = models.CharField(max_length=2, blank=True)
    timezone = models.CharField(max_length=64, blank=True)
    employment_type = models.CharField(max_length=40, blank=True)
    username = models.CharField(max_length=150, blank=True)
    employee_number = models.CharField(max_length=60, blank=True)
    left_on_date = models.DateField(null=True, blank=True)
    name_folded = FoldedText(of=("name",))
    search_text = FoldedText(of=("name", "email", "department", "title", "username", "employee_number"))
    created_at = models.DateTimeField(auto_now_add=True)
    updated_at = models.DateTimeField(auto_now=True)

    class Meta:
        ordering = ["name", "pk"]
        constraints = [
            models.UniqueConstraint(Lower("email"), name="person_email_once"),
            models.UniqueConstraint(
                "employee_number", condition=~models.Q(employee_number=""), name="person_number_once"
            ),
        ]
        indexes = [
            models.Index(fields=["department"], name="person_department"),
            models.Index(fields=["name_folded", "id"], name="person_by_name"),
        ]

    def __str__(self) -> str:
        return self.name


class PersonAlias(models.Model):
    """A further address by which systems may know a person."""

    person = models.ForeignKey(Person, on_delete=models.CASCADE, related_name="aliases")
    email = models.EmailField()

    class Meta:
        ordering = ["pk"]
        constraints = [models.UniqueConstraint(Lower("email"), name="alias_email_once")]

    def __str__(self) -> str:
        return self.email


class Client(models.Model):
    """A firm or person that buys from us."""

    client_ref = models.CharField(max_length=60, blank=True)
    name = models.CharField(max_length=200)
    account_manager = models.ForeignKey(
        Person, null=True, blank=True, on_delete=models.SET_NULL, related_name="clients"
    )
    tier = models.CharField(max_length=40, blank=True)
    country = models.CharField(max_length=2, blank=True)
    ended_on_date = models.DateField(null=True, blank=True)
    name_folded = FoldedText(of=("name",))
    search_text = FoldedText(of=("name", "client_ref"))
    created_at = models.DateTimeField(auto_now_add=True)
    updated_at = models.DateTimeField(auto_now=True)

    class Meta:
        ordering = ["name", "pk"]
        constraints = [
            models.UniqueConstraint("client_ref", condition=~models.Q(client_ref=""), name="client_ref_once"),
        ]
        indexes = [models.Index(fields=["name_folded", "id"], name="client_by_name")]

    def __str__(self) -> str:
        return self.name


class Contact(models.Model):
    """Somebody at a client. Their accounts with us are the client's accounts."""

    client = models.ForeignKey(Client, on_delete=models.CASCADE, related_name="contacts")
    name = models.CharField(max_length=200, blank=True)
    email = models.EmailField()

    class Meta:
        ordering = ["pk"]
        constraints = [
            models.UniqueConstraint("client", Lower("email"), name="contact_email_once_per_client")
        ]

    def __str__(self) -> str:
        return self.name or self.email


class Contract(models.Model):
    """An agreement with a client; its end is what a client departure is planned around."""

    client = models.ForeignKey(Client, on_delete=models.CASCADE, related_name="contracts")
    title = models.CharField(max_length=200)
    start_date = models.DateField(null=True, blank=True)
    end_date = models.DateField(null=True, blank=True)
    notice_days = models.PositiveIntegerField(null=True, blank=True)
    governing_law = models.CharField(max_length=60, blank=True)

    class Meta:
        ordering = ["pk"]
        constraints = [models.UniqueConstraint("client", "title", name="contract_title_once_per_client")]

    def __str__(self) -> str:
        return self.title


class RoleGrant(models.Model):
    """A role that a user holds, for one department or (empty) for the whole firm."""

    user = models.ForeignKey(User, on_delete=models.CASCADE, related_name="grants")
    role = models.CharField(max_length=20, choices=[(r.value, ROLE_LABELS[r]) for r in sorted(GRANTABLE)])
    department = models.CharField(max_length=120, blank=True)
    granted_at = models.DateTimeField()
    granted_by = models.CharField(max_length=300)

    class Meta:
        ordering = ["pk"]
        constraints = [models.UniqueConstraint("user", "role", "department", name="grant_once")]

    def __str__(self) -> str:
        return f"{self.user}: {self.role}{' in ' + self.department if self.department else ''}"


class ApiToken(models.Model):
    """A key with which a program acts as a user, within scopes and until it expires.

    Only the digest of the secret is kept: whoever reads the database cannot use the token.
    """

    user = models.ForeignKey(User, on_delete=models.CASCADE, related_name="api_tokens")
    name = models.CharField(max_length=60)
    hint = models.CharField(max_length=12)
    secret_sha256 = models.CharField(max_length=64, unique=True)
    scopes = models.JSONField()
    created_at = models.DateTimeField()
    created_by = models.CharField(max_length=300)
    expires_at = models.DateTimeField()
    last_used_at = models.DateTimeField(null=True, blank=True)
    revoked_at = models.DateTimeField(null=True, blank=True)

    class Meta:
        ordering = ["-created_at", "-pk"]

    def __str__(self) -> str:
        return self.name
