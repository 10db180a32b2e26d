"""Row 11: when evidence cannot be written, nothing else is either.

The database is made to refuse what would be evidence, and to fail on it half way. Each operation in
`ATTEMPTS` is then tried for real, and every row of every other table must be what it was before.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import pytest
from django.apps import apps
from django.core import serializers
from django.db import OperationalError, connection

from partwell.closure.audiences import Audience
from partwell.closure.operations import erase_field, export_pack
from partwell.departures.models import Departure
from partwell.evidence.models import Event
from partwell.evidence.sequencer import sequence_pending
from partwell.people.actors import console_actor
from tests.evidence_record import NOW, a_departure, events_of_a_departure

pytestmark = pytest.mark.django_db(transaction=True)


def erase(departure: Departure) -> None:
    event = Event.objects.get(kind="step.completed")
    erase_field(
        departure=departure,
        event_id=event.pk,
        names=["note"],
        basis="Art. 17 GDPR",
        actor=console_actor(),
        now=NOW,
    )


def export(departure: Departure) -> None:
    export_pack(departure=departure, audience=Audience.INTERNAL, actor=console_actor(), now=NOW)


def first_signature(departure: Departure) -> None:
    """The first head of an installation announces its key; without that record nothing is signed."""
    sequence_pending(now=NOW)


# One row per operation that changes something: add yours with the least that it needs to run.
ATTEMPTS: dict[str, Callable[[Departure], None]] = {
    "evidence.erase": erase,
    "evidence.export": export,
    "evidence.key_made": first_signature,
}


@contextmanager
def failing_evidence(*, after_insert: bool) -> Iterator[list[str]]:
    """Refuse inserts of events, before they reach the table or just after, as a full disk would."""
    refused: list[str] = []
    table = connection.ops.quote_name(Event._meta.db_table)

    def guard(execute: Callable[..., Any], sql: str, params: Any, many: bool, context: Any) -> Any:
        if not sql.startswith(f"INSERT INTO {table}"):
            return execute(sql, params, many, context)
        if after_insert:
            execute(sql, params, many, context)
        refused.append(sql)
        raise OperationalError("attempt to write a readonly database")

    with connection.execute_wrapper(guard):
        yield refused


def everything() -> str:
    """A digest of every row of every table."""
    rows = hashlib.sha256()
    for model in sorted(apps.get_models(), key=lambda each: each._meta.label):
        rows.update(serializers.serialize("json", model._default_manager.order_by("pk")).encode())
    return rows.hexdigest()


@pytest.mark.parametrize("after_insert", [False, True], ids=["refused", "failed half way"])
@pytest.mark.parametrize("name", sorted(ATTEMPTS))
def test_without_evidence_nothing_changes(
    name: str, after_insert: bool, figure: Callable[[str], None]
) -> None:
    departure = a_departure()
    events_of_a_departure(departure)
    if name != "evidence.key_made":
        sequence_pending(now=NOW)
    before = everything()
    with (
        failing_evidence(after_insert=after_insert) as refused,
        pytest.raises(OperationalError, match="readonly"),
    ):
        ATTEMPTS[name](departure)
    assert refused, f"{name} recorded nothing, so this proves nothing"
    assert everything() == before
    ATTEMPTS[name](departure)
    assert everything() != before, f"{name} changes nothing even when it may"
    figure(f"proof 11, {name}: 0 changes without evidence")
