"""What can be done to the register of shared credentials; each operation is one transaction, one event."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date, datetime
from typing import Any

from django.db import IntegrityError, transaction

from partwell import clock
from partwell.access.credentials import details, rotations
from partwell.access.credentials.policies import authorise
from partwell.access.credentials.states import UNSETTLED
from partwell.access.models import Credential, Holder
from partwell.evidence.operations import record
from partwell.people.actors import Actor
from partwell.people.authorisation import check_office, operation
from partwell.people.models import Contact, Person
from partwell.refusals import Conflict, Invalid


def scope_of(credential: Credential) -> str:
    """What everything that happens to one credential belongs to."""
    return f"credential:{credential.pk}"


@operation("credentials.add")
def add_credential(*, given: Mapping[str, Any], actor: Actor, now: datetime) -> Credential:
    """Put a credential on record: what it is, never its value. `given` is text by the names of `DETAILS`.

    Without an owner it is the actor's, where they are in the register. Raises `Invalid` naming the field,
    `Conflict` when one of this name, place and login is there.
    """
    check_office(actor, "credentials.add")
    if not str(given.get("name") or "").strip():
        raise Invalid("name_missing", "Say what people call it. Never the secret itself.", field="name")
    credential = Credential(created_at=now)
    details.put(credential, details.read(given), details.Register())
    if credential.owner is None and actor.person_id is not None:
        credential.owner = Person.objects.get(pk=actor.person_id)
        credential.owner_name = credential.owner.name
    save(credential)
    rotations.open_for_client(credential, actor=actor, now=now)
    record(
        "credential.added",
        scope=scope_of(credential),
        actor=actor.label,
        at=now,
        fields={
            "name": credential.name,
            "credential_kind": credential.kind,
            "used_at": credential.used_at,
            "owner": credential.owner_name,
            "client": credential.client_name,
        },
    )
    return credential


@operation("credentials.change")
def change_credential(
    *, credential: Credential, given: Mapping[str, Any], actor: Actor, now: datetime
) -> Credential:
    """Change what is on record; what `given` does not name stays. Refusals as `add_credential`."""
    credential = locked(credential)
    authorise(actor, "credentials.change", credential)
    check_in_use(credential)
    before = details.shown(credential)
    details.put(credential, details.read(given), details.Register())
    after = details.shown(credential)
    changed = {name: value for name, value in after.items() if value != before[name]}
    if not changed:
        return credential
    save(credential)
    rotations.open_for_client(credential, actor=actor, now=now)
    record(
        "credential.changed",
        scope=scope_of(credential),
        actor=actor.label,
        at=now,
        fields={
            "name": credential.name,
            "before": {name: details.as_text(before[name]) for name in changed},
            "after": {name: details.as_text(value) for name, value in changed.items()},
        },
    )
    return credential


@operation("credentials.retire")
def retire_credential(*, credential: Credential, reason: str, actor: Actor, now: datetime) -> Credential:
    """Take a credential off the register because it opens nothing any more. What happened stays on record.

    Raises `Conflict` while it has still to be changed for somebody who leaves.
    """
    credential = locked(credential)
    authorise(actor, "credentials.retire", credential)
    check_in_use(credential)
    if len(reason.strip()) < 5:
        raise Invalid("reason_missing", "Say why it opens nothing any more.", field="reason")
    if credential.rotations.filter(state__in=UNSETTLED).exists():
        raise Conflict(
            "rotation_open",
            "It has still to be changed. Say first that this was done, or why it is not needed.",
        )
    credential.retired_at = now
    credential.save(update_fields=["retired_at"])
    credential.holders.filter(until_date__isnull=True).update(until_date=clock.today_in("UTC", now=now))
    record(
        "credential.retired",
        scope=scope_of(credential),
        actor=actor.label,
        at=now,
        fields={"name": credential.name, "reason": reason.strip()},
    )
    return credential


@operation("credentials.add_holder")
def add_holder(
    *, credential: Credential, email: str, since: date | None = None, actor: Actor, now: datetime
) -> Holder:
    """Say that somebody knows a credential: a colleague, or a contact of the client that it is shared with.

    Raises `Invalid` for an address that nobody has and a day to come, `Conflict` for who knows it already.
    """
    credential = locked(credential)
    authorise(actor, "credentials.add_holder", credential)
    check_in_use(credential)
    today = clock.today_in("UTC", now=now)
    if since is not None and since > today:
        raise Invalid("since_to_come", "That day is still to come. Say it when they know it.", field="since")
    who = details.Register().holder(email.strip().lower(), credential.client)
    if holders_of(credential, who).exists():
        raise Conflict("holder_known", f"{who} is on record as knowing it already.", field="email")
    holder = new_holder(credential, who, since or today)
    holder.save()
    rotations.open_for_holders([holder], actor=actor, now=now)
    record(
        "credential.holder_added",
        scope=scope_of(credential),
        actor=actor.label,
        at=now,
        fields={"name": credential.name, "holder": _label(holder), "since": holder.since_date.isoformat()},
    )
    return holder


@operation("credentials.end_holder")
def end_holder(*, holder: Holder, reason: str, actor: Actor, now: datetime) -> Holder:
    """Say that somebody does not know a credential any more, and how that can be: it was changed and they
    were not told, or they never knew it."""
    credential = locked(holder.credential)
    authorise(actor, "credentials.end_holder", credential)
    holder.refresh_from_db()
    if holder.until_date is not None:
        raise Conflict("holder_ended", f"{holder.name} is not on record as knowing it any more.")
    if len(reason.strip()) < 5:
        raise Invalid(
            "reason_missing", "Say how they cannot know it any more: nobody forgets a secret.", field="reason"
        )
    holder.until_date = clock.today_in("UTC", now=now)
    holder.save(update_fields=["until_date"])
    record(
        "credential.holder_ended",
        scope=scope_of(credential),
        actor=actor.label,
        at=now,
        fields={"name": credential.name, "holder": _label(holder), "reason": reason.strip()},
    )
    return holder


def locked(credential: Credential) -> Credential:
    """The row as it is now, held until the transaction ends."""
    return (
        Credential.objects.select_for_update(of=("self",))
        .select_related("owner", "client", "system")
        .get(pk=credential.pk)
    )


def check_in_use(credential: Credential) -> None:
    """Raise `Conflict` for one that was taken off the register."""
    if credential.retired_at is not None:
        raise Conflict("credential_retired", "This was taken off the register. Add it anew if it is used.")


def save(credential: Credential) -> None:
    """Write the row. Raises `Conflict` when another has its name, place and login."""
    same = Credential.objects.filter(
        name=credential.name, used_at=credential.used_at, login=credential.login, retired_at__isnull=True
    ).exclude(pk=credential.pk)
    taken = Conflict(
        "credential_exists",
        "One with this name, place and login is on record already. Change that one, or tell them apart.",
        field="name",
    )
    if same.exists():
        raise taken
    try:
        with transaction.atomic():
            credential.save()
    except IntegrityError:
        raise taken from None


def holders_of(credential: Credential, who: Person | Contact) -> Any:
    """The open entries of one person or contact."""
    found = credential.holders.filter(until_date__isnull=True)
    return found.filter(person=who) if isinstance(who, Person) else found.filter(contact=who)


def new_holder(credential: Credential, who: Person | Contact, since: date) -> Holder:
    """An unsaved entry that somebody knows it."""
    return Holder(
        credential=credential,
        person=who if isinstance(who, Person) else None,
        contact=who if isinstance(who, Contact) else None,
        name=(who.name or who.email)[:200],
        email=who.email,
        since_date=since,
    )


def _label(holder: Holder) -> str:
    return f"{holder.name} <{holder.email}>" if holder.email else holder.name
