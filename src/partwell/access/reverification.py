"""Reading everything that was settled again, when one of the days after access end has come.

`days_after.py` says which days those are. What could not be read is unknown, and the event
says so: it is neither "still gone" nor "back".
"""

from __future__ import annotations

from datetime import datetime
from uuid import UUID

from django.db import transaction

from partwell import clock
from partwell.access.models import Change, Reverification
from partwell.access.operations.verification import verify_plan
from partwell.access.states import AccessState
from partwell.departures.states import DepartureState
from partwell.engine.operations import enqueue
from partwell.evidence.operations import departure_scope, record
from partwell.people.actors import engine_actor

READ_AGAIN = "access.read_again"


def wake(key: str, now: datetime) -> None:
    """A day has come. The engine's timer `access.reverify`; `key` is `departure:day`.

    It asks and does not read, because a stalled system must not hold up the other timers.
    """
    departure_id, _, day = key.partition(":")
    row = Reverification.objects.filter(departure_id=UUID(departure_id), day=int(day), done_at=None).first()
    if row is not None and row.due_at <= now:
        with transaction.atomic():
            enqueue(READ_AGAIN, str(row.pk), key=f"{row.pk}:{now.isoformat()}")


def read_again(reverification_id: str) -> None:
    """Read everything that was settled back and say what was found. The workflow `access.read_again`.

    Run twice, it reads again, which changes nothing in the systems, and says it once.
    """
    rows = Reverification.objects.select_related("departure")
    row = rows.filter(pk=int(reverification_id), done_at=None).first()
    if row is None or row.departure.state == DepartureState.WITHDRAWN:
        return
    actor, now = engine_actor(f"re-verification, day {row.day}"), clock.now()
    read = verify_plan(departure=row.departure, actor=actor, now=now)
    states = dict(Change.objects.filter(pk__in=[r.change_id for r in read]).values_list("pk", "state"))
    came_back = set(
        Change.objects.filter(pk__in=states, came_back_at__isnull=False).values_list("pk", flat=True)
    )
    proven = sum(r.proof is not None and states.get(r.change_id) == AccessState.VERIFIED for r in read)
    with transaction.atomic():
        row = Reverification.objects.select_for_update().select_related("departure").get(pk=row.pk)
        if row.done_at is not None:
            return
        row.done_at, row.proven, row.came_back = now, proven, len(came_back)
        row.unread = sum(r.proof is None for r in read)
        row.save(update_fields=["done_at", "proven", "came_back", "unread"])
        record(
            "access.reverified",
            scope=departure_scope(row.departure_id),
            actor=actor.label,
            at=now,
            fields={
                "day": row.day,
                "proven": row.proven,
                "came_back": row.came_back,
                "unread": row.unread,
            },
        )


def reconcile() -> None:
    """Ask again for every day that has come and was not read, when a worker starts."""
    now = clock.now()
    with transaction.atomic():
        for row in Reverification.objects.filter(done_at=None, due_at__lte=now):
            enqueue(READ_AGAIN, str(row.pk), key=f"{row.pk}:{now.isoformat()}")
