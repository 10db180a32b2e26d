"""Shared credentials, who knows each, and their rotations. A secret's value has no field here, ever."""

from __future__ import annotations

import uuid
from datetime import date, datetime, timedelta

from django.db import models

from partwell.access.credentials.states import (
    SETTLED,
    CredentialKind,
    Direction,
    RotationBy,
    RotationState,
)
from partwell.access.models.systems import System
from partwell.departures.models import choices
from partwell.people.models import FoldedText


class Credential(models.Model):
    """One secret that more than one person knows. The id is random, because it is in addresses.

    With a `system` and its `external_id` there, a connector can change it. `login` is the name that goes
    with the secret, and no secret itself. The owner's and the client's names outlive their rows.
    """

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    name = models.CharField(max_length=200)
    kind = models.CharField(max_length=20, choices=choices(CredentialKind), default=CredentialKind.PASSWORD)
    used_at = models.CharField(max_length=200, blank=True)
    login = models.CharField(max_length=200, blank=True)
    owner = models.ForeignKey(
        "people.Person", null=True, blank=True, on_delete=models.SET_NULL, related_name="credentials_owned"
    )
    owner_name = models.CharField(max_length=200, blank=True)
    system = models.ForeignKey(
        System, null=True, blank=True, on_delete=models.PROTECT, related_name="credentials"
    )
    external_id = models.CharField(max_length=400, blank=True)
    client = models.ForeignKey(
        "people.Client", null=True, blank=True, on_delete=models.SET_NULL, related_name="credentials"
    )
    client_name = models.CharField(max_length=200, blank=True)
    direction = models.CharField(max_length=10, choices=choices(Direction), blank=True)
    rotated_on_date = models.DateField(null=True, blank=True)
    rotate_every_days = models.PositiveIntegerField(null=True, blank=True)
    created_at = models.DateTimeField()
    retired_at = models.DateTimeField(null=True, blank=True)
    name_folded = FoldedText(of=("name",))
    search_text = FoldedText(of=("name", "used_at", "login", "owner_name", "client_name"))

    class Meta:
        ordering = ["name_folded", "pk"]
        constraints = [
            models.UniqueConstraint(
                "name",
                "used_at",
                "login",
                condition=models.Q(retired_at__isnull=True),
                name="credential_once",
            )
        ]
        indexes = [models.Index(fields=["name_folded", "id"], name="credential_by_name")]

    def __str__(self) -> str:
        return self.name

    @property
    def due_date(self) -> date | None:
        """When it has to be changed by its own interval; None without one."""
        if self.rotate_every_days is None or self.retired_at is not None:
            return None
        return (self.rotated_on_date or self.created_at.date()) + timedelta(days=self.rotate_every_days)


class Holder(models.Model):
    """Somebody who knows a credential, from a day until they need not any more and it was changed.

    Name and address are kept as text, so that who knew it is on record when their row is gone.
    """

    credential = models.ForeignKey(Credential, on_delete=models.CASCADE, related_name="holders")
    person = models.ForeignKey(
        "people.Person", null=True, blank=True, on_delete=models.SET_NULL, related_name="credentials_held"
    )
    contact = models.ForeignKey(
        "people.Contact", null=True, blank=True, on_delete=models.SET_NULL, related_name="credentials_held"
    )
    name = models.CharField(max_length=200)
    email = models.EmailField(blank=True)
    since_date = models.DateField()
    until_date = models.DateField(null=True, blank=True)

    class Meta:
        ordering = ["name", "pk"]
        constraints = [
            models.UniqueConstraint(
                "credential",
                "person",
                condition=models.Q(until_date__isnull=True, person__isnull=False),
                name="holder_person_once",
            ),
            models.UniqueConstraint(
                "credential",
                "contact",
                condition=models.Q(until_date__isnull=True, contact__isnull=False),
                name="holder_contact_once",
            ),
        ]

    def __str__(self) -> str:
        return f"{self.name} knows {self.credential}"


class CredentialRotation(models.Model):
    """One secret to be changed because one departure's subject knows it. It is due when their access ends,
    whenever that is moved to. Without an owner it waits for IT/Security.

    `proof` says what showed that it was done: what a connector read and tried, or what a person said.
    """

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    credential = models.ForeignKey(Credential, on_delete=models.CASCADE, related_name="rotations")
    departure = models.ForeignKey(
        "departures.Departure", on_delete=models.CASCADE, related_name="credential_rotations"
    )
    owner = models.ForeignKey(
        "people.Person",
        null=True,
        blank=True,
        on_delete=models.SET_NULL,
        related_name="credential_rotations",
    )
    owner_name = models.CharField(max_length=200, blank=True)
    state = models.CharField(max_length=12, choices=choices(RotationState), default=RotationState.OPEN)
    by = models.CharField(max_length=10, choices=choices(RotationBy), blank=True)
    reason = models.TextField(blank=True)
    proof = models.JSONField(null=True, blank=True)
    opened_at = models.DateTimeField()
    asked_at = models.DateTimeField(null=True, blank=True)
    settled_at = models.DateTimeField(null=True, blank=True)
    settled_by = models.CharField(max_length=300, blank=True)
    told = models.PositiveIntegerField(default=0)

    class Meta:
        ordering = ["departure__access_end_at", "credential__name_folded", "pk"]
        constraints = [models.UniqueConstraint("credential", "departure", name="rotation_once_per_departure")]
        indexes = [models.Index(fields=["state", "departure"], name="rotation_by_state")]

    def __str__(self) -> str:
        return f"{self.credential} for {self.departure}"

    @property
    def is_settled(self) -> bool:
        """Whether nothing is left to do."""
        return self.state in SETTLED

    @property
    def due_at(self) -> datetime:
        """When the leaver's access ends: from then on they must not know it."""
        return self.departure.access_end_at
