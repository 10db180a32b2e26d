"""How late steps are: of those that were due in a period, by role and by step.

The database counts; here it is added up. A day late is a day that has begun after the due moment, as the
calendar goes on, weekends too.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import datetime
from statistics import median
from typing import Any, NamedTuple

from django.db.models import Case, Count, F, IntegerField, QuerySet, Value, When
from django.db.models.functions import Greatest

from partwell.departures.models import Departure
from partwell.insights.questions import Question
from partwell.journeys.models import Step
from partwell.journeys.states import PENDING, StepState
from partwell.moments import Seconds

DAY = 86_400
# The one key under which all steps are counted that people added themselves.
OWN = "own"
IN_TIME, OPEN_LATE, NEVER_DUE = 0, -1, -2
NOT_COUNTED = (StepState.NOT_NEEDED, StepState.WITHDRAWN)
COUNTED = (StepState.DONE, StepState.SKIPPED, *sorted(PENDING))


class Counted(NamedTuple):
    """How many steps of one kind stand so. `standing` is the days late of settled ones, 0 for those
    in time, -1 for those late and still open."""

    key: str
    role: str
    standing: int
    steps: int


@dataclass
class Lateness:
    """Steps that were due in the period, of one role or of one step in every journey."""

    key: str = ""
    role: str = ""
    title: str = ""
    in_time: int = 0
    late: int = 0
    open_late: int = 0
    days: list[tuple[int, int]] = field(default_factory=list)

    def add(self, each: Counted) -> None:
        """Count these steps too."""
        match each.standing:
            case 0:
                self.in_time += each.steps
            case -1:
                self.open_late += each.steps
            case days:
                self.late += each.steps
                self.days.append((days, each.steps))

    @property
    def total(self) -> int:
        return self.in_time + self.late + self.open_late

    @property
    def missed(self) -> int:
        """Settled late, or late and still open."""
        return self.late + self.open_late

    @property
    def share(self) -> int:
        """Missed of all, in whole percent."""
        return round(100 * self.missed / self.total) if self.total else 0

    @property
    def median_days(self) -> float | None:
        """The middle of the days that settled ones were late; None where none was."""
        values = [days for days, count in sorted(self.days) for _ in range(count)]
        return float(median(values)) if values else None

    def as_dict(self) -> dict[str, Any]:
        """As the API and the command line show it."""
        named = {"step": self.key, "title": self.title, "role": self.role}
        return {name: value for name, value in named.items() if value} | {
            "due": self.total,
            "in_time": self.in_time,
            "late": self.late,
            "open_late": self.open_late,
            "missed_percent": self.share,
            "median_days_late": self.median_days,
        }


def read_lateness(departures: QuerySet[Departure], question: Question, *, now: datetime) -> list[Counted]:
    """The steps of these departures that were due in the period and up to now, counted in one query. Steps
    that were not needed or ended with a withdrawn notice were never due; each step of one's own counts as
    the one kind `own`."""
    return [
        Counted(OWN if is_own else key, role, standing, count)
        for key, is_own, role, standing, count in _in_period(departures, question, now)
        .annotate(standing=standing())
        .order_by()
        .values_list("key", "is_own", "role", "standing")
        .annotate(steps=Count("*"))
        if standing != NEVER_DUE
    ]


def steps_due(departures: QuerySet[Departure], question: Question, *, now: datetime) -> QuerySet[Step]:
    """The steps that `read_lateness` counts."""
    return _in_period(departures, question, now).filter(state__in=COUNTED)


def _in_period(departures: QuerySet[Departure], question: Question, now: datetime) -> QuerySet[Step]:
    """Steps in any state. Without one in the condition, a database that knows nothing of its tables yet takes
    the index by journey, which holds all that is counted here, and not the one by state and due date."""
    return Step.objects.filter(
        journey__in=departures.values("pk"),
        due_at__gte=question.begins_at,
        due_at__lt=min(question.ends_at, now),
    )


def standing() -> Case:
    """How a step that was due stands, as in `Counted`; computed by the database."""
    late_by = Greatest((Seconds(F("settled_at")) - Seconds(F("due_at")) + DAY - 1) / DAY, 1)
    return Case(
        When(state__in=PENDING, then=Value(OPEN_LATE)),
        When(state__in=NOT_COUNTED, then=Value(NEVER_DUE)),
        When(settled_at__gt=F("due_at"), then=late_by),
        default=Value(IN_TIME),
        output_field=IntegerField(),
    )


def by_role(counted: Iterable[Counted]) -> list[Lateness]:
    """One line for each role, the largest share first."""
    found: dict[str, Lateness] = defaultdict(Lateness)
    for each in counted:
        found[each.role].role = each.role
        found[each.role].add(each)
    return _worst_first(found.values())


def by_step(counted: Iterable[Counted], titles: dict[str, str]) -> list[Lateness]:
    """One line for each step and role, the most missed first; `titles` names them by key."""
    found: dict[tuple[str, str], Lateness] = defaultdict(Lateness)
    for each in counted:
        line = found[each.key, each.role]
        line.key, line.role, line.title = each.key, each.role, titles.get(each.key, each.key)
        line.add(each)
    return sorted(found.values(), key=lambda line: (-line.missed, -line.share, line.key, line.role))


def _worst_first(lines: Iterable[Lateness]) -> list[Lateness]:
    return sorted(lines, key=lambda line: (-line.share, -line.missed, line.role))
