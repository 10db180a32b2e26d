"""Events and departures to test the record with."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from typing import Any

from django.db import transaction

from partwell.departures.models import Departure
from partwell.departures.states import InitiatedBy, SubjectKind
from partwell.evidence.models import Event
from partwell.evidence.operations import departure_scope, record
from partwell.people.models import Person

NOW = datetime(2026, 11, 22, 9, 0, tzinfo=UTC)


def record_one(
    number: int = 0, *, scope: str = "register", kind: str = "person.changed", **fields: Any
) -> Event:
    """One event, committed; `number` sets it that many seconds after `NOW`."""
    with transaction.atomic():
        return record(
            kind,
            scope=scope,
            actor="Nora Lind <nora@example.org>",
            at=NOW + timedelta(seconds=number),
            fields=fields or {"number": number, "name": f"Person {number}"},
        )


def a_departure(**changes: Any) -> Departure:
    """Viktor's departure, active, as if it had been started."""
    person = Person.objects.create(email="viktor@example.org", name="Viktor Sandell")
    values: dict[str, Any] = {
        "subject_kind": SubjectKind.STAFF,
        "person": person,
        "subject_name": "Viktor Sandell",
        "scenario": "resignation",
        "reason": "salary",
        "initiated_by": InitiatedBy.LEAVER,
        "notice_date": date(2026, 11, 1),
        "last_working_date": date(2026, 11, 27),
        "access_end_at": datetime(2026, 11, 27, 16, 30, tzinfo=UTC),
        "timezone": "Europe/Berlin",
        "contract_end_date": date(2026, 11, 30),
        "created_at": NOW,
    }
    return Departure.objects.create(**(values | changes))


def events_of_a_departure(departure: Departure) -> list[Event]:
    """A short life: started with a reason, a step done inside, closed."""
    scope = departure_scope(departure.pk)
    return [
        record_one(1, scope=scope, kind="journey.started", reason="salary", last_working_date="2026-11-27"),
        record_one(
            2, scope=scope, kind="step.completed", step="inside-talk", note="<script>alert(1)</script>"
        ),
        record_one(3, scope=scope, kind="access.verified", system="Directory", account="vsandell"),
        record_one(4, scope=scope, kind="journey.closed", last_working_date="2026-11-27"),
    ]
