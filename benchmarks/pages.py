"""Pages with 100 and with 10,000 journeys: queries, server time, and how much slower the many make them.

    scripts/bench pages

Whole requests through Django's own client, middleware and sign-in included, as an HR user who sees every
journey. The rows are made in bulk from one journey that was really started.

Machines differ, and one that others use too varies by the minute. So each page is compared with the sign-in
page, which no journey changes, asked for just before and after it: how many times that page it takes is the
same on any machine. Its milliseconds are said as a quiet machine reads them, one on which the sign-in page
takes 3 ms; what this machine took stands beside them (docs/decisions/0024-milliseconds.md).
"""

from __future__ import annotations

import sys
from copy import copy
from datetime import timedelta
from functools import partial
from typing import Any, NamedTuple
from uuid import UUID, uuid4

from benchmarks.measuring import Figure, beside, count_queries, own_installation, report

FEW, MANY, STEPS, TIMES = 100, 10_000, 60, 15
PAGES = {"departures list": (10, 20.0), "home": (15, 60.0), "journey of 60 steps": (15, 60.0)}
GROWTH = 1.2
# What the sign-in page takes on a quiet machine, in milliseconds; worked out in decision 24.
QUIET_MS = 3.0


def main() -> int:
    """Measure with few, add the many, measure again."""
    with own_installation():
        from benchmarks.firm import make_firm
        from benchmarks.starting import _start

        user, leavers = make_firm(MANY + 1, template_steps=STEPS)
        pattern = _start(user, leavers[0])
        _copy(pattern, leavers[1:FEW])
        few = _measure(user, pattern.pk)
        _copy(pattern, leavers[FEW:MANY])
        many = _measure(user, pattern.pk)
        figures = []
        for name, (queries, budget) in PAGES.items():
            figures += [
                Figure(f"{name}: queries with {MANY:,} journeys", many[name].queries, "", queries),
                Figure(
                    f"{name}: server time on a quiet machine", many[name].multiple * QUIET_MS, "ms", budget
                ),
                Figure(f"{name}: here, with {FEW}", few[name].ms, "ms"),
                Figure(f"{name}: here, with {MANY:,}", many[name].ms, "ms"),
                Figure(f"{name}: the sign-in page here", many[name].floor_ms, "ms"),
                Figure(f"{name}: slower by", many[name].multiple / few[name].multiple, "x", GROWTH),
            ]
        return report("pages", figures)


def _copy(pattern: Any, leavers: list[Any]) -> None:
    """As many journeys as leavers, each with all steps, participants and events of the pattern."""
    from django.db import connection

    from partwell.departures.models import Departure, Participant
    from partwell.evidence.models import Event
    from partwell.evidence.operations import departure_scope
    from partwell.journeys.models import Journey, Step

    departure = pattern.departure
    steps = list(pattern.steps.order_by("position"))
    parts = list(departure.participants.all())
    events = list(Event.objects.filter(scope=departure_scope(departure.pk)))
    for start in range(0, len(leavers), 200):
        made: dict[type, list[Any]] = {Departure: [], Journey: [], Step: [], Participant: [], Event: []}
        for number, leaver in enumerate(leavers[start : start + 200], start):
            twin = _twin(departure, uuid4(), person=leaver, subject_name=leaver.name)
            twin.last_working_date += timedelta(days=number % 90)
            made[Departure].append(twin)
            made[Journey].append(_twin(pattern, twin.pk, departure=twin))
            made[Step] += [
                _twin(step, uuid4() if _has_uuid(step) else None, journey_id=twin.pk) for step in steps
            ]
            made[Participant] += [_twin(part, None, departure=twin) for part in parts]
            made[Event] += [_twin(event, uuid4(), scope=departure_scope(twin.pk)) for event in events]
        for model, rows in made.items():
            model._base_manager.bulk_create(rows, batch_size=2000)
    with connection.cursor() as cursor:
        cursor.execute("analyze")


def _twin(row: Any, pk: UUID | None, **changes: Any) -> Any:
    twin = copy(row)
    twin._state = copy(row._state)
    twin._state.fields_cache = {}
    twin._state.adding, twin.pk = True, pk
    for name, value in changes.items():
        setattr(twin, name, value)
    return twin


def _has_uuid(row: Any) -> bool:
    return isinstance(row.pk, UUID)


class Looked(NamedTuple):
    """A page: its queries, its milliseconds, how many times the sign-in page that is, and the latter's."""

    queries: int
    ms: float
    multiple: float
    floor_ms: float


def _measure(user: Any, journey_id: UUID) -> dict[str, Looked]:
    from django.test import Client
    from django.urls import reverse

    browser, stranger = Client(SERVER_NAME="localhost"), Client(SERVER_NAME="localhost")
    browser.force_login(user)
    floor = partial(stranger.get, reverse("account_login"))
    found = {}
    for name, address in (
        ("departures list", "/departures/"),
        ("home", "/"),
        ("journey of 60 steps", f"/departures/{journey_id}/"),
    ):
        queries = count_queries(browser, name, address)
        found[name] = Looked(queries, *beside(partial(browser.get, address), floor, times=TIMES))
    return found


if __name__ == "__main__":
    sys.exit(main())
