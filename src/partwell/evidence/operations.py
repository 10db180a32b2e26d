"""Writing evidence. Every operation records what it did, in its own transaction: no event, no action."""

from __future__ import annotations

import uuid
from collections.abc import Iterable, Mapping
from datetime import datetime
from typing import Any

from django.db import transaction

from partwell.evidence.leaf import leaf_bytes, salt_fields
from partwell.evidence.models import Event


def record(
    kind: str, *, scope: str, actor: str, at: datetime, fields: Mapping[str, Any] | None = None
) -> Event:
    """Record one change of state, in the caller's transaction.

    `kind` is a past event in dotted words (`step.completed`); `scope` is what the event belongs to
    (`departure:<id>`, `register`, `system:<name>`, `installation`); `actor` is who, as text; `fields` are
    JSON values. `kind`, `scope`, `actor` and `at` become fields of the leaf as well.

    Raises `RuntimeError` outside a transaction: an event must commit with its action or not at all.
    """
    return record_many([build(kind, scope=scope, actor=actor, at=at, fields=fields)])[0]


def record_many(events: Iterable[Event]) -> list[Event]:
    """Record several built events with one insert, in the caller's transaction."""
    if not transaction.get_connection().in_atomic_block:
        raise RuntimeError("evidence is recorded in the transaction of the action that it is about")
    return Event.objects.bulk_create(list(events))


def build(
    kind: str, *, scope: str, actor: str, at: datetime, fields: Mapping[str, Any] | None = None
) -> Event:
    """An event ready for `record_many`."""
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


def departure_scope(departure_id: uuid.UUID) -> str:
    """The scope of everything that happens in one departure."""
    return f"departure:{departure_id}"
