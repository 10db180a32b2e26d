"""Changing who this installation belongs to, who can sign in and which roles they hold."""

from __future__ import annotations

from collections.abc import Collection
from datetime import datetime

from django.contrib.auth.password_validation import validate_password
from django.core.exceptions import ValidationError
from django.core.validators import validate_email
from django.db import IntegrityError, transaction
from django.db.models.functions import Lower

from partwell.clock import is_known_country, is_timezone
from partwell.evidence.operations import record
from partwell.people.actors import Actor, engine_actor
from partwell.people.authorisation import check_office, operation
from partwell.people.imports import plan_import
from partwell.people.imports.reading import Progress, no_progress
from partwell.people.imports.report import ImportReport
from partwell.people.imports.writing import as_ranges
from partwell.people.models import Installation, Person, PersonAlias, RoleGrant, User
from partwell.people.queries import people_by_address
from partwell.people.roles import GRANTABLE, ROLE_LABELS, Role
from partwell.refusals import Conflict, Invalid

REGISTER = "register"
INSTALLATION = "installation"


@operation("installation.initialise")
def initialise(
    *,
    company: str,
    practice: bool,
    admin_email: str = "",
    admin_name: str = "",
    admin_password: str | None = None,
    country: str = "",
    timezone: str = "",
    actor: Actor,
    now: datetime,
) -> User | None:
    """Set this installation up, once; return its first administrator when an address was given.

    Anybody may do it, because nobody exists yet; afterwards nobody can. Without a password the
    administrator sets one by invitation. Raises `Conflict` when it was done already.
    """
    check_office(actor, "installation.initialise")
    company = company.strip()
    if not company:
        raise Invalid("company_missing", "Say the name of the company.", field="company")
    country = country.strip().upper()
    _check_place(country, timezone)
    try:
        with transaction.atomic():
            Installation.objects.create(
                pk=Installation.ONLY,
                company_name=company[:200],
                is_practice=practice,
                country=country,
                timezone=timezone,
                initialised_at=now,
            )
    except IntegrityError:
        raise Conflict(
            "already_initialised",
            "This installation is set up already. Sign in as an administrator to change its settings.",
        ) from None
    record(
        "installation.initialised",
        scope=INSTALLATION,
        actor=actor.label,
        at=now,
        fields={"company": company, "is_practice": practice},
    )
    if not admin_email:
        return None
    admin = ensure_user_for_email(admin_email, name=admin_name, now=now)
    if admin_password is not None:
        _set_first_password(admin, admin_password)
    _grant(admin, Role.ADMIN, "", actor=actor, now=now)
    return admin


@operation("roles.grant")
def grant_role(
    *, email: str, role: Role | str, department: str = "", actor: Actor, now: datetime
) -> RoleGrant:
    """Give the user with this address a role, for one department or (empty) the whole firm.

    An address without an account gets one; whoever holds the role already keeps it, and nothing changes.
    Raises `Invalid` for a role that is not granted but follows from the register, `Conflict` where the
    account is closed.
    """
    check_office(actor, "roles.grant")
    wanted = _grantable(role)
    department = department.strip()
    if wanted is Role.ADMIN and department:
        raise Invalid(
            "admin_is_firm_wide",
            "Administrators look after the whole installation, "
            f"so “{department}” cannot have one of its own. Leave the department out.",
            field="department",
        )
    user = ensure_user_for_email(email, now=now)
    if not user.is_active:
        raise Conflict(
            "account_closed",
            f"The account of {user.email} is closed. Choose a colleague whose account is open.",
            field="email",
        )
    return _grant(user, wanted, department, actor=actor, now=now)


@operation("roles.revoke")
def revoke_role(*, email: str, role: Role | str, department: str = "", actor: Actor, now: datetime) -> None:
    """Take a role back. Raises `Conflict` when it is not held, or when nobody would administer any more."""
    check_office(actor, "roles.revoke")
    wanted = _grantable(role)
    department = department.strip()
    # Locked, so that the last two administrators cannot take each other's role at the same moment.
    held = list(
        RoleGrant.objects.select_for_update(of=("self",))
        .filter(role=wanted.value)
        .select_related("user")
        .order_by("pk")
    )
    address = email.strip().lower()
    mine = [g for g in held if g.user.email.lower() == address and g.department == department]
    if not mine:
        where = f" for {department}" if department else " for the whole firm"
        raise Conflict(
            "role_not_held",
            f"{address} does not hold {ROLE_LABELS[wanted]}{where}. "
            "`partwell roles list` shows who holds what.",
            field="role",
        )
    others = [g for g in held if g.user_id != mine[0].user_id and g.user.is_active]
    if wanted is Role.ADMIN and not others:
        raise Conflict(
            "last_admin",
            f"{address} is the last administrator. Grant somebody else the role first.",
            field="email",
        )
    mine[0].delete()
    record(
        "role.revoked",
        scope=REGISTER,
        actor=actor.label,
        at=now,
        fields={"user": address, "role": wanted.value, "department": department},
    )


@operation("people.import")
def import_people(
    *,
    data: bytes,
    actor: Actor,
    now: datetime,
    dry_run: bool = False,
    on_progress: Progress = no_progress,
) -> ImportReport:
    """Bring the staff register up to date from a CSV file: all of it, or with one bad line nothing."""
    return _import("people", data, actor=actor, now=now, dry_run=dry_run, on_progress=on_progress)


@operation("clients.import")
def import_clients(
    *,
    data: bytes,
    actor: Actor,
    now: datetime,
    dry_run: bool = False,
    on_progress: Progress = no_progress,
) -> ImportReport:
    """Bring clients and their contacts up to date from a CSV file, all or nothing."""
    return _import("clients", data, actor=actor, now=now, dry_run=dry_run, on_progress=on_progress)


@operation("contracts.import")
def import_contracts(
    *,
    data: bytes,
    actor: Actor,
    now: datetime,
    dry_run: bool = False,
    on_progress: Progress = no_progress,
) -> ImportReport:
    """Bring contracts up to date from a CSV file, all or nothing."""
    return _import("contracts", data, actor=actor, now=now, dry_run=dry_run, on_progress=on_progress)


IMPORTS = {"people": import_people, "clients": import_clients, "contracts": import_contracts}


def _import(
    kind: str, data: bytes, *, actor: Actor, now: datetime, dry_run: bool, on_progress: Progress
) -> ImportReport:
    check_office(actor, f"{kind}.import")
    report, plan = plan_import(kind, data, now=now, is_dry_run=dry_run, on_progress=on_progress)
    if dry_run or plan is None:
        return report
    try:
        with transaction.atomic():
            created, updated = plan.apply(on_progress=on_progress)
    except IntegrityError:
        raise Conflict(
            "register_changed",
            "Somebody else changed the register while this file was being imported. Import it again.",
        ) from None
    record(
        f"{kind}.imported",
        scope=REGISTER,
        actor=actor.label,
        at=now,
        fields={
            "file_sha256": report.digest,
            "rows": report.rows,
            "created": report.created,
            "updated": report.updated,
            "unchanged": report.unchanged,
            "created_ids": as_ranges(created),
            "updated_ids": as_ranges(updated),
        },
    )
    report.is_applied = True
    return report


def ensure_user(person: Person, now: datetime) -> User:
    """The sign-in account of a register entry, made without a password when there is none yet.

    Raises `Conflict` when another entry's account has this address.
    """
    with transaction.atomic():
        if user := tie_account(person):
            return user
        if _user_by_address(person.email) is not None:
            raise Conflict(
                "address_taken",
                f"{person.email} is the account of another colleague in the register. "
                "Correct the address of one of them.",
                field="email",
            )
        return _create_user(person.email, name=person.name, person=person, now=now)


def tie_account(person: Person) -> User | None:
    """The sign-in account of a register entry, None without one. An account that was made for one of their
    addresses before the entry was there becomes theirs."""
    if user := User.objects.filter(person=person).first():
        return user
    addresses = [person.email, *person.aliases.values_list("email", flat=True)]
    user = next((found for each in addresses if (found := _loose_account(each))), None)
    if user is not None:
        user.person = person
        user.name = user.name or person.name
        user.save(update_fields=["person", "name"])
    return user


def tie_accounts(people: Collection[Person]) -> None:
    """`tie_account` for many, with two queries where none of them has a loose account."""
    addresses = [person.email.lower() for person in people]
    aliases = PersonAlias.objects.filter(person__in=people).values_list("email", flat=True)
    addresses += [email.lower() for email in aliases]
    loose = User.objects.annotate(address=Lower("email")).filter(person=None, address__in=addresses)
    if loose.exists():
        for person in people:
            tie_account(person)


def ensure_user_for_email(email: str, *, name: str = "", now: datetime) -> User:
    """The account with this address, or of the person known by it; made without a password when absent.

    Raises `Invalid` for something that is no e-mail address.
    """
    address = email.strip().lower()
    try:
        validate_email(address)
    except ValidationError:
        raise Invalid(
            "email_invalid", f"“{email}” is no e-mail address; write it as name@example.com.", field="email"
        ) from None
    with transaction.atomic():
        user = _user_by_address(address)
        person = people_by_address(address).first()
        if person is None and user is None:
            alias = PersonAlias.objects.annotate(own=Lower("email")).filter(own=address).first()
            person = alias.person if alias else None
        if person is not None and (user is None or user.person_id is None):
            return ensure_user(person, now)
        return user or _create_user(address, name=name, person=None, now=now)


def _loose_account(email: str) -> User | None:
    user = _user_by_address(email)
    return user if user is not None and user.person_id is None else None


def _user_by_address(email: str) -> User | None:
    return User.objects.annotate(address=Lower("email")).filter(address=email.lower()).first()


def _create_user(email: str, *, name: str, person: Person | None, now: datetime) -> User:
    user = User.objects.create_user(email, name=name.strip(), person=person)
    record(
        "user.created",
        scope=REGISTER,
        actor=engine_actor("sign-in accounts").label,
        at=now,
        fields={"user": user.email, "person_id": person.pk if person else None},
    )
    return user


def _set_first_password(user: User, password: str) -> None:
    try:
        validate_password(password, user)
    except ValidationError as error:
        raise Invalid("password_weak", " ".join(error.messages), field="admin_password") from None
    user.set_password(password)
    user.save(update_fields=["password"])


def _grantable(role: Role | str) -> Role:
    try:
        wanted = Role(role)
    except ValueError:
        wanted = None
    if wanted is None or wanted not in GRANTABLE:
        names = ", ".join(sorted(GRANTABLE))
        raise Invalid("role_unknown", f"“{role}” cannot be granted. Choose one of: {names}.", field="role")
    return wanted


def _check_place(country: str, timezone: str) -> None:
    if country and not is_known_country(country):
        raise Invalid("unknown_country", f"“{country}” is no country; write one like DE.", field="country")
    if timezone and not is_timezone(timezone):
        raise Invalid(
            "unknown_timezone",
            f"“{timezone}” is no timezone; write one like Europe/Berlin.",
            field="timezone",
        )


def _grant(user: User, role: Role, department: str, *, actor: Actor, now: datetime) -> RoleGrant:
    grant, is_new = RoleGrant.objects.get_or_create(
        user=user,
        role=role.value,
        department=department,
        defaults={"granted_at": now, "granted_by": actor.label[:300]},
    )
    if is_new:
        record(
            "role.granted",
            scope=REGISTER,
            actor=actor.label,
            at=now,
            fields={"user": user.email, "role": role.value, "department": department},
        )
    return grant


@operation("settings.change")
def change_settings(
    *, company: str, country: str, timezone: str, actor: Actor, now: datetime
) -> Installation:
    """Change whose installation this is and where. Whether it is for practice never changes."""
    check_office(actor, "settings.change")
    installation = Installation.objects.select_for_update().filter(pk=Installation.ONLY).first()
    if installation is None:
        raise Conflict("not_initialised", "This installation is not set up yet. Set it up first.")
    company, country = company.strip(), country.strip().upper()
    if not company:
        raise Invalid("company_missing", "Say the name of the company.", field="company")
    _check_place(country, timezone)
    installation.company_name, installation.country, installation.timezone = company[:200], country, timezone
    installation.save(update_fields=["company_name", "country", "timezone"])
    record(
        "installation.changed",
        scope=INSTALLATION,
        actor=actor.label,
        at=now,
        fields={"company": company, "country": country, "timezone": timezone},
    )
    return installation
