"""The days after access end on which everything that was settled is read again without anybody asking.

A row for each day is the truth; the engine's timer wakes it.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta

from partwell.access.models import Reverification
from partwell.departures.models import Departure
from partwell.engine.operations import cancel_timer, set_mixed_timers

DAYS = (1, 7, 30, 45)
DUE = "access.reverify"


def schedule(departure: Departure) -> None:
    """Set, or move, the days on which this departure is read again, in the caller's transaction. Days that
    were read stay as they were."""
    due = {day: departure.access_end_at + timedelta(days=day) for day in DAYS}
    Reverification.objects.bulk_create(
        (Reverification(departure=departure, day=day, due_at=moment) for day, moment in due.items()),
        ignore_conflicts=True,
    )
    waiting = Reverification.objects.filter(departure=departure, done_at=None)
    for row in waiting:
        if row.due_at != due.get(row.day, row.due_at):
            waiting.filter(pk=row.pk).update(due_at=due[row.day])
    set_mixed_timers({(DUE, f"{departure.pk}:{row.day}"): due[row.day] for row in waiting if row.day in due})


def unschedule(departure: Departure) -> None:
    """Read it no more: the notice was withdrawn, and they stay."""
    Reverification.objects.filter(departure=departure, done_at=None).delete()
    for day in DAYS:
        cancel_timer(DUE, key=f"{departure.pk}:{day}")


@dataclass(frozen=True)
class Proven:
    """When a departure's access was last read again by itself, with what came of it, and when it is next."""

    last: Reverification | None
    next_due_at: datetime | None


def reverified(departure: Departure) -> Proven:
    """What the days after access end have shown so far. One query."""
    rows = list(Reverification.objects.filter(departure=departure))
    done = [row for row in rows if row.done_at is not None]
    due = [row.due_at for row in rows if row.done_at is None]
    return Proven(done[-1] if done else None, min(due, default=None))
