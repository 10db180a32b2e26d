"""How long access outlived its end over a whole population, counted in the database by class and by time.

It counts as `access.timing` does for one departure: proven gone, a person's word, or open; an account of
which it is unclear whose it is counts nowhere. Two queries, whatever the number of accounts.
"""

from __future__ import annotations

from bisect import bisect_left
from collections import defaultdict
from dataclasses import dataclass, field
from datetime import date, datetime, timedelta
from typing import Any

from django.db.models import Case, Count, F, IntegerField, Value, When
from django.db.models.functions import Greatest, Least
from django.db.models.lookups import GreaterThan

from partwell.access.models import AccountRecord, System
from partwell.access.states import SLA_MINUTES, AccessState, Link, SlaClass
from partwell.access.timing import SAID, duration
from partwell.departures.policies import visibility
from partwell.departures.states import DepartureState, SubjectKind
from partwell.moments import Seconds
from partwell.people.actors import Actor

# Upper ends of the classes of time, in minutes; the time that each class of system allows is one of them.
EDGES = (0, 5, 15, 60, 240, 1440, 4320, 10080)
PROMISED, OVERDUE, OPEN = -1, -2, -3


@dataclass
class ClassTimes:
    """All accounts in systems of one class. `counts` are those proven gone, by class of time, the last one
    for longer than all edges; `late` were proven late, `overdue` are open past their time."""

    sla: SlaClass
    counts: list[int] = field(default_factory=lambda: [0] * (len(EDGES) + 1))
    said: int = 0
    overdue: int = 0
    open: int = 0

    @property
    def minutes(self) -> int:
        return SLA_MINUTES[self.sla]

    @property
    def revoked(self) -> int:
        return sum(self.counts)

    @property
    def total(self) -> int:
        return self.revoked + self.said + self.overdue + self.open

    @property
    def late(self) -> int:
        return sum(self.counts[EDGES.index(self.minutes) + 1 :])

    @property
    def in_time(self) -> int:
        return self.revoked - self.late

    def as_dict(self) -> dict[str, Any]:
        """As the API and the command line show it."""
        return {
            "sla": self.sla.value,
            "minutes": self.minutes,
            "accounts": self.total,
            "revoked": self.revoked,
            "in_time": self.in_time,
            "late": self.late,
            "said": self.said,
            "overdue": self.overdue,
            "open": self.open,
            "times": [
                {"up_to_minutes": edge, "accounts": count}
                for edge, count in zip((*EDGES, None), self.counts, strict=True)
            ],
        }


def bucket_words() -> list[str]:
    """What each class of time is called."""
    names = [duration(timedelta(minutes=edge)) for edge in EDGES[1:]]
    return ["by access end", *(f"up to {name}" for name in names), "longer"]


def times_to_revoke(since: date, until: date, *, actor: Actor, now: datetime) -> list[ClassTimes]:
    """The accounts of everybody of the staff who left from `since` to `until`, as far as the actor sees them,
    most urgent class first."""
    ended = Seconds(F("departure__access_end_at"))
    # Whole minutes are enough to tell the classes apart, and make few groups; a database works each out once.
    minutes = (Seconds(F("revoked_at")) - ended + 59) / 60
    classes = {key: SlaClass(sla) for key, sla in System.objects.order_by().values_list("pk", "sla_class")}
    allowed = Case(
        *(
            When(system__in=[key for key, each in classes.items() if each == sla], then=Value(limit * 60))
            for sla, limit in SLA_MINUTES.items()
        ),
        output_field=IntegerField(),
    )
    counted = Case(
        When(revoked_at__isnull=False, then=Least(Greatest(minutes, 0), EDGES[-1] + 1)),
        When(state__in=SAID, then=Value(PROMISED)),
        When(GreaterThan(int(now.timestamp()) - ended, allowed), then=Value(OVERDUE)),
        default=Value(OPEN),
        output_field=IntegerField(),
    )
    rows = (
        AccountRecord.objects.filter(
            visibility(actor, prefix="departure__", to="access.view"),
            departure__subject_kind=SubjectKind.STAFF,
            departure__last_working_date__range=(since, until),
        )
        .exclude(departure__state=DepartureState.WITHDRAWN)
        .exclude(link=Link.NOT_OURS)
        .exclude(state=AccessState.AMBIGUOUS)
        .annotate(counted=counted)
        .order_by()
        .values_list("system_id", "counted")
        .annotate(count=Count("pk"))
    )
    grouped: dict[SlaClass, dict[int, int]] = defaultdict(lambda: defaultdict(int))
    for system, number, count in rows:
        grouped[classes[system]][number if number < 0 else bisect_left(EDGES, number)] += count
    return [_class_times(each, grouped[each]) for each in SlaClass if each in grouped]


def _class_times(sla: SlaClass, counts: dict[int, int]) -> ClassTimes:
    times = ClassTimes(
        sla, said=counts.get(PROMISED, 0), overdue=counts.get(OVERDUE, 0), open=counts.get(OPEN, 0)
    )
    times.counts = [counts.get(number, 0) for number in range(len(EDGES) + 1)]
    return times
