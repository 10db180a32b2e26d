"""How long phases take: of journeys that closed in a period, and beside them of those that still run.

A phase is worked on from the first of its steps that is settled to the last, and it is finished when the last
is. Both are counted in days as the calendar goes on, weekends too, rounded down. Steps that were not needed
do not count.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import datetime
from itertools import accumulate
from typing import Any

from django.db.models import Count, F, Max, Min, Q, QuerySet

from partwell.departures.models import Departure
from partwell.departures.states import DepartureState
from partwell.insights.questions import Question
from partwell.journeys.models import Step
from partwell.journeys.states import PENDING
from partwell.journeys.template.model import PHASES
from partwell.moments import Seconds

DAY = 86_400


@dataclass
class Days:
    """Numbers of days, each with how many journeys took so many; told as how many they are, their middle,
    and what nine in ten stay within."""

    counts: Counter[int] = field(default_factory=Counter)

    @property
    def count(self) -> int:
        return self.counts.total()

    @property
    def median(self) -> float | None:
        """The middle one, or between the two in the middle; None of none."""
        if not self.counts:
            return None
        return (self.ranked((self.count + 1) // 2) + self.ranked(self.count // 2 + 1)) / 2

    @property
    def p90(self) -> int | None:
        """The nearest rank: the smallest number that nine in ten do not exceed; None of none."""
        return self.ranked(-(-self.count * 9 // 10)) if self.counts else None

    def ranked(self, rank: int) -> int:
        """The number at this place, from 1 on, in their order."""
        ordered = sorted(self.counts)
        places = accumulate(self.counts[days] for days in ordered)
        return next(days for days, place in zip(ordered, places, strict=True) if place >= rank)

    def as_dict(self, fewest: int = 0) -> dict[str, Any]:
        """As the API and the command line show it; without figures where there are too few to tell of."""
        if self.count < fewest:
            return {"journeys": None, "median_days": None, "p90_days": None}
        return {"journeys": self.count, "median_days": self.median, "p90_days": self.p90}


@dataclass
class PhaseTimes:
    """One phase: `worked` and `finished` of closed journeys; `running` since its first step was settled, of
    journeys that are in it now."""

    number: int
    worked: Days = field(default_factory=Days)
    finished: Days = field(default_factory=Days)
    running: Days = field(default_factory=Days)

    @property
    def title(self) -> str:
        return PHASES[self.number]

    def as_dict(self, fewest: int = 0) -> dict[str, Any]:
        """As the API and the command line show it."""
        return {
            "phase": self.number,
            "title": self.title,
            "worked_on": self.worked.as_dict(fewest),
            "finished_after_start": self.finished.as_dict(fewest),
            "running_now": self.running.as_dict(fewest),
        }


def read_phases(departures: QuerySet[Departure], question: Question, *, now: datetime) -> list[PhaseTimes]:
    """Each of the ten phases, in two queries."""
    found = {number: PhaseTimes(number) for number in PHASES}
    closed = departures.filter(state=DepartureState.CLOSED, **question.within("ended_at"))
    # What is done or skipped has its moment, and nothing else has. Asked by its state, a database that knows
    # nothing of its tables yet would take the index by state and due date, and read the table itself.
    settled = Step.objects.filter(journey__in=closed.values("pk"), settled_at__isnull=False)
    stretches = (
        settled.order_by()
        .values("journey_id", "phase")
        .annotate(
            worked=(Seconds(Max("settled_at")) - Seconds(Min("settled_at"))) / DAY,
            finished=(Seconds(Max("settled_at")) - Seconds(Min("journey__started_at"))) / DAY,
        )
        .values_list("phase", "worked", "finished")
    )
    # Counted as they come: there is one for each phase of each journey, and few different ones.
    for (phase, worked, finished), times in Counter(stretches.iterator(chunk_size=10_000)).items():
        found[phase].worked.counts[worked] += times
        found[phase].finished.counts[max(finished, 0)] += times
    running = departures.filter(state=DepartureState.ACTIVE)
    for phase, since in _running(running, now=now):
        found[phase].running.counts[since] += 1
    return list(found.values())


def _running(departures: QuerySet[Departure], *, now: datetime) -> Iterable[tuple[int, int]]:
    """Each phase of each of these departures that has begun and is not finished: its number, and for how many
    days something in it has been settled."""
    return (
        Step.objects.filter(journey__in=departures.values("pk"))
        .order_by()
        .values("journey_id", "phase")
        .annotate(begun=Min("settled_at"), pending=Count("phase", filter=Q(state__in=PENDING)))
        .filter(begun__isnull=False, pending__gt=0)
        .annotate(since=(int(now.timestamp()) - Seconds(F("begun"))) / DAY)
        .values_list("phase", "since")
    )
