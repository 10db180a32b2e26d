"""Writing evidence. Every operation records what it did, in its own transaction: no event, no action."""

from __future__ import annotations

import uuid
from collections.abc import Iterable, Mapping
from datetime import datetime
from typing import Any

from django.db import transaction

from partwell.evidence.leaf import digest_of, leaf_bytes, salt_fields
from partwell.evidence.models import Event
from partwell.refusals import Invalid
from partwell.rows import insert_values

ERASED = "evidence.erased"
# What every event says of itself. Only the actor is a person's and may be erased.
OWN_FIELDS = frozenset({"kind", "scope", "actor", "at"})
NEVER_ERASED = OWN_FIELDS - {"actor"}


def record(
    kind: str, *, scope: str, actor: str, at: datetime, fields: Mapping[str, Any] | None = None
) -> Event:
    """Record one change of state, in the caller's transaction.

    `kind` is a past event in dotted words (`step.completed`); `scope` is what the event belongs to
    (`departure:<id>`, `register`, `system:<name>`, `installation`); `actor` is who, as text; `fields` are
    JSON values (a float is kept as its decimal text). `kind`, `scope`, `actor` and `at` become fields of
    the leaf as well, so `fields` may not use those names.

    Raises `RuntimeError` outside a transaction: an event must commit with its action or not at all.
    """
    return record_many([build(kind, scope=scope, actor=actor, at=at, fields=fields)])[0]


def record_many(events: Iterable[Event]) -> list[Event]:
    """Record several built events with one insert, in the caller's transaction."""
    if not transaction.get_connection().in_atomic_block:
        raise RuntimeError("evidence is recorded in the transaction of the action that it is about")
    built = list(events)
    insert_values(
        Event,
        ("id", "scope", "kind", "occurred_at", "fields", "leaf"),
        ((e.pk, e.scope, e.kind, e.occurred_at, e.fields, e.leaf) for e in built),
    )
    for event in built:
        event._state.adding = False
    return built


def build(
    kind: str, *, scope: str, actor: str, at: datetime, fields: Mapping[str, Any] | None = None
) -> Event:
    """An event ready for `record_many`.

    Raises `ValueError` when `fields` uses a name that every event has of its own.
    """
    if fields and (taken := OWN_FIELDS & fields.keys()):
        raise ValueError(
            f"{', '.join(sorted(taken))}: every event has these fields of its own; choose others"
        )
    event_id = uuid.uuid4()
    salted = salt_fields(
        {**(fields or {}), "kind": kind, "scope": scope, "actor": actor, "at": at.isoformat()}
    )
    return Event(
        id=event_id,
        scope=scope,
        kind=kind,
        occurred_at=at,
        fields=salted,
        leaf=leaf_bytes(str(event_id), salted),
    )


def erase_fields(event_id: uuid.UUID, *names: str, actor: str, basis: str, now: datetime) -> Event:
    """Erase what an event says in these fields, in the caller's transaction; returns the record of it.

    Salt and value go, the digest stays, so every proof still verifies. A field that was erased before
    stays so. `basis` is why it may go (a request under Art. 17 GDPR, a retention schedule). Who may ask for
    this is decided in a room above.

    Raises `Invalid` for a field that the event does not have, or that must stay for it to be an event.
    """
    event = Event.objects.select_for_update().get(pk=event_id)
    for name in names:
        if name not in event.fields:
            raise Invalid("no_such_field", f"This event has no field “{name}”.", field=name)
        if name in NEVER_ERASED:
            raise Invalid("field_stays", f"“{name}” says what happened and when; it stays.", field=name)
    for name in names:
        event.fields[name] = {"digest": digest_of(event.fields[name])}
    event.save(update_fields=["fields"])
    # Recorded with the event's own scope: whoever reads of the gap reads of its reason.
    return record(
        ERASED,
        scope=event.scope,
        actor=actor,
        at=now,
        fields={"event": str(event_id), "erased": sorted(names), "basis": basis},
    )


def departure_scope(departure_id: uuid.UUID) -> str:
    """The scope of everything that happens in one departure."""
    return f"departure:{departure_id}"
