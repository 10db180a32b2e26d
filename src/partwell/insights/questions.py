"""What is asked of the process: a period, and of which departures."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, datetime, time, timedelta
from functools import cached_property
from typing import Any

from django.db.models import Q, QuerySet

from partwell import clock
from partwell.departures.models import Departure
from partwell.departures.policies import visibility
from partwell.departures.states import SubjectKind
from partwell.people.actors import Actor
from partwell.refusals import Invalid

# Below this number nothing is said of a department: it would be said of the few who left.
FEWEST = 5
USUAL = timedelta(days=365)
LONGEST = timedelta(days=3660)
AUDIENCES = tuple(kind.value for kind in SubjectKind)


@dataclass(frozen=True)
class Question:
    """A period from `since` to `until`, both days included, in the days of `timezone`; and of which
    departures: those on one template, of one audience, of one department, or all."""

    since: date
    until: date
    timezone: str
    template: str = ""
    audience: str = ""
    department: str = ""

    @cached_property
    def begins_at(self) -> datetime:
        return clock.at_local(self.since, time.min, self.timezone)

    @cached_property
    def ends_at(self) -> datetime:
        """The first moment that is not in the period any more."""
        return clock.at_local(self.until + timedelta(days=1), time.min, self.timezone)

    def within(self, name: str) -> dict[str, datetime]:
        """The filter that a moment of this name lies in the period."""
        return {f"{name}__gte": self.begins_at, f"{name}__lt": self.ends_at}

    def as_dict(self) -> dict[str, Any]:
        """As the API and the command line show it."""
        return {
            "since": self.since.isoformat(),
            "until": self.until.isoformat(),
            "timezone": self.timezone,
            "template": self.template or None,
            "audience": self.audience or None,
            "department": self.department or None,
        }


def usual_period(timezone: str, *, now: datetime) -> tuple[date, date]:
    """The last twelve months, up to today."""
    today = clock.today_in(timezone, now=now)
    return today - USUAL + timedelta(days=1), today


def check_question(question: Question, *, now: datetime) -> None:
    """Raise `Invalid` for a period, a timezone or an audience that cannot be."""
    if not clock.is_timezone(question.timezone):
        raise Invalid("timezone_unknown", f"“{question.timezone}” is no timezone.", field="timezone")
    if question.since > question.until:
        raise Invalid("period_backwards", "The period ends before it begins.", field="until")
    if question.until > clock.today_in(question.timezone, now=now):
        raise Invalid("period_to_come", "The period ends in the future. End it today.", field="until")
    if question.until - question.since > LONGEST:
        raise Invalid("period_too_long", "A period is ten years at most.", field="since")
    if question.audience and question.audience not in AUDIENCES:
        raise Invalid("audience_unknown", f"An audience is one of {', '.join(AUDIENCES)}.", field="audience")


def departures_asked(question: Question, actor: Actor) -> QuerySet[Departure]:
    """The departures that are asked about, as far as the actor sees them."""
    found = Departure.objects.order_by().filter(visibility(actor))
    if question.template:
        found = found.filter(journey__template__template_id=question.template)
    if question.audience:
        found = found.filter(subject_kind=question.audience)
    if question.department:
        found = found.filter(subject_department=question.department)
    return found


def under_way(question: Question) -> Q:
    """The rule for departures whose journey ran at some moment of the period."""
    return Q(journey__started_at__lt=question.ends_at) & (
        Q(journey__ended_at__isnull=True) | Q(journey__ended_at__gte=question.begins_at)
    )
