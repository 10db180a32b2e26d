"""How long access outlived its end, and whether that was within the time that the system's class allows.

Counted is what was proven gone. A person's word is no proof, so what is attested or said to be impossible is
named and not counted; what is still open past its time is late.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Any

from django.db.models import Count, Max, Q

from partwell.access.models import AccountRecord
from partwell.access.states import SLA_MINUTES, AccessState, Link, SlaClass
from partwell.departures.models import Departure
from partwell.departures.policies import authorise, visible_departures
from partwell.departures.states import DepartureState
from partwell.people.actors import Actor

NOTHING = timedelta(0)
SAID = (AccessState.ATTESTED, AccessState.IMPOSSIBLE)


class Counted(StrEnum):
    """As what an account counts."""

    REVOKED = "revoked"  # all of it was proven gone
    SAID = "said"  # a person says so, and nothing was read back
    OPEN = "open"  # neither


@dataclass(frozen=True)
class Timing:
    """One account. `after` is from access end to its proof, never below zero; `late_by` is zero in time.

    `due_at` is empty where nothing is due: the notice was withdrawn.
    """

    sla: SlaClass
    counted: Counted
    due_at: datetime | None
    revoked_at: datetime | None = None
    after: timedelta | None = None
    late_by: timedelta = NOTHING

    @property
    def is_late(self) -> bool:
        return self.late_by > NOTHING

    def as_dict(self) -> dict[str, Any]:
        """As the API and the command line show it; durations in whole seconds."""
        return {
            "counted_as": self.counted.value,
            "due_at": self.due_at.isoformat() if self.due_at else None,
            "revoked_at": self.revoked_at.isoformat() if self.revoked_at else None,
            "seconds_to_revoke": None if self.after is None else round(self.after.total_seconds()),
            "is_late": self.is_late,
            "late_by_seconds": round(self.late_by.total_seconds()),
        }


@dataclass(frozen=True)
class ClassTiming:
    """All accounts in systems of one class. `late` counts those proven late and those open past their time;
    `longest` is the longest time to a proof, `late_by` the longest by which one is late."""

    sla: SlaClass
    due_at: datetime | None
    total: int
    revoked: int
    in_time: int
    late: int
    said: int
    open: int
    longest: timedelta | None
    late_by: timedelta

    @property
    def minutes(self) -> int:
        return SLA_MINUTES[self.sla]

    def as_dict(self) -> dict[str, Any]:
        """As the API and the command line show it; durations in whole seconds, and all of it in words."""
        return {
            "sla": self.sla.value,
            "minutes": self.minutes,
            "due_at": self.due_at.isoformat() if self.due_at else None,
            "accounts": self.total,
            "revoked": self.revoked,
            "in_time": self.in_time,
            "late": self.late,
            "said": self.said,
            "open": self.open,
            "longest_seconds": None if self.longest is None else round(self.longest.total_seconds()),
            "late_by_seconds": round(self.late_by.total_seconds()),
            "says": ", ".join(self.in_words()),
        }

    def in_words(self) -> list[str]:
        """What is proven, what is late, and what is not counted."""
        said = [f"{self.in_time} of {self.total} proven gone in time"]
        if self.longest is not None:
            last = "the last" if self.revoked > 1 else "it took"
            ended = self.longest > NOTHING
            said.append(f"{last} {duration(self.longest)}" if ended else "before access ended")
        if self.late:
            said.append(f"{self.late} late, by {'up to ' if self.late > 1 else ''}{duration(self.late_by)}")
        if self.said:
            said.append(f"{self.said} by a person’s word, not counted")
        if self.open:
            said.append(f"{self.open} not proven yet")
        return said


def duration(span: timedelta) -> str:
    """“3 min 40 s”, “4 h 10 min”, “2 days”."""
    seconds = max(0, round(span.total_seconds()))
    if seconds < 60:
        return f"{seconds} s"
    if seconds < 3600:
        return f"{seconds // 60} min" + (f" {seconds % 60} s" if seconds % 60 else "")
    if seconds < 172_800:
        minutes = seconds % 3600 // 60
        return f"{seconds // 3600} h" + (f" {minutes} min" if minutes else "")
    return f"{seconds // 86_400} days"


def timing_of(account: AccountRecord, departure: Departure, *, now: datetime) -> Timing:
    """How one account stands against its time; `account.system` is loaded."""
    sla = SlaClass(account.system.sla_class)
    ended = departure.access_end_at
    due = None if departure.state == DepartureState.WITHDRAWN else ended + timedelta(minutes=SLA_MINUTES[sla])
    if (gone := account.revoked_at) is not None:
        late_by = NOTHING if due is None else max(gone - due, NOTHING)
        return Timing(sla, Counted.REVOKED, due, gone, max(gone - ended, NOTHING), late_by)
    if account.state in SAID:
        return Timing(sla, Counted.SAID, due)
    return Timing(sla, Counted.OPEN, due, late_by=NOTHING if due is None else max(now - due, NOTHING))


def by_class(timings: Iterable[Timing]) -> list[ClassTiming]:
    """The classes that occur, most urgent first."""
    timings = list(timings)
    found = []
    for sla in SlaClass:
        mine = [timing for timing in timings if timing.sla == sla]
        if not mine:
            continue
        revoked = [timing for timing in mine if timing.counted == Counted.REVOKED]
        found.append(
            ClassTiming(
                sla=sla,
                due_at=mine[0].due_at,
                total=len(mine),
                revoked=len(revoked),
                in_time=sum(not timing.is_late for timing in revoked),
                late=sum(timing.is_late for timing in mine),
                said=sum(timing.counted == Counted.SAID for timing in mine),
                open=sum(timing.counted == Counted.OPEN for timing in mine),
                longest=max((t.after for t in revoked if t.after is not None), default=None),
                late_by=max(timing.late_by for timing in mine),
            )
        )
    return found


def time_to_revoke(departure: Departure, *, actor: Actor, now: datetime) -> list[ClassTiming]:
    """The departure's accounts by class, those left out of which it is unclear whose they are. One query."""
    authorise(actor, "access.view", departure)
    accounts = AccountRecord.objects.filter(departure=departure).exclude(link=Link.NOT_OURS)
    counted = accounts.exclude(state=AccessState.AMBIGUOUS).select_related("system")
    return by_class(timing_of(account, departure, now=now) for account in counted)


@dataclass(frozen=True)
class Recent:
    """The latest departures whose access has ended, by their critical systems.

    `times` are from access end until the last of a departure's critical accounts was proven gone, shortest
    first; `unproven` counts departures in which one is not.
    """

    times: tuple[timedelta, ...]
    unproven: int

    @property
    def median(self) -> timedelta | None:
        if not self.times:
            return None
        half = len(self.times) // 2
        if len(self.times) % 2:
            return self.times[half]
        return (self.times[half - 1] + self.times[half]) / 2

    @property
    def late(self) -> int:
        limit = timedelta(minutes=SLA_MINUTES[SlaClass.CRITICAL])
        return sum(time > limit for time in self.times)


def recent_times(actor: Actor, *, now: datetime, limit: int = 24) -> Recent:
    """The times of the `limit` departures whose access ended last, as far as the actor sees it. One query."""
    ended = visible_departures(actor, to="access.view").filter(
        state__in=(DepartureState.ACTIVE, DepartureState.CLOSED), access_end_at__lte=now
    )
    latest = ended.order_by("-access_end_at", "pk").values("pk")[:limit]
    rows = (
        AccountRecord.objects.filter(departure__in=latest, system__sla_class=SlaClass.CRITICAL)
        .exclude(link=Link.NOT_OURS)
        .values("departure__access_end_at", "departure_id")
        .annotate(
            last=Max("revoked_at"),
            unproven=Count("pk", filter=Q(revoked_at=None) & ~Q(state__in=SAID)),
        )
        .order_by()
    )
    times, unproven = [], 0
    for row in rows:
        if row["unproven"]:
            unproven += 1
        elif row["last"] is not None:
            times.append(max(row["last"] - row["departure__access_end_at"], NOTHING))
    return Recent(tuple(sorted(times)), unproven)
