"""The steps behind a figure of the process."""

from __future__ import annotations

from datetime import datetime
from enum import StrEnum
from typing import Any

from django.db.models import F, Q, QuerySet

from partwell.departures.models import Departure
from partwell.insights.lateness import OWN, steps_due
from partwell.insights.loads import pending_steps
from partwell.insights.questions import FEWEST, Question, check_question, departures_asked, under_way
from partwell.insights.skips import steps_skipped
from partwell.journeys.models import Step
from partwell.journeys.queries import StepPlace, step_dict
from partwell.journeys.states import PENDING
from partwell.people.actors import Actor
from partwell.people.authorisation import check_office
from partwell.refusals import Invalid

PAGE = 100


class Standing(StrEnum):
    """Which steps of a period: all that were due, those in time, settled late, late and open, or left out."""

    DUE = "due"
    IN_TIME = "in_time"
    LATE = "late"
    OPEN_LATE = "open_late"
    SKIPPED = "skipped"


def list_steps(
    question: Question,
    *,
    standing: str,
    actor: Actor,
    now: datetime,
    role: str = "",
    key: str = "",
    after: StepPlace | None = None,
    limit: int = PAGE,
) -> tuple[list[Step], StepPlace | None]:
    """A page of the steps behind a figure, soonest due first, and the place of the next page or None.

    None at all where the department had too few journeys. Raises `NotAllowed`, and `Invalid` for a question
    or a standing that cannot be.
    """
    check_office(actor, "process.view")
    check_question(question, now=now)
    if standing not in list(Standing):
        raise Invalid("standing_unknown", f"Steps stand {', '.join(Standing)}.", field="standing")
    departures = departures_asked(question, actor)
    if question.department and departures.filter(under_way(question)).count() < FEWEST:
        return [], None
    found = _standing(Standing(standing), departures, question, now)
    if role:
        found = found.filter(role=role)
    if key:
        found = found.filter(is_own=True) if key == OWN else found.filter(key=key, is_own=False)
    return _page(found, after, limit)


def list_load(
    *, owner_id: int | None, queue: str, question: Question, actor: Actor, after: StepPlace | None = None
) -> tuple[list[Step], StepPlace | None]:
    """A page of the pending steps of one owner, or of one queue that nobody has claimed from, as far as the
    actor sees them. Raises `NotAllowed`."""
    check_office(actor, "process.view")
    found = pending_steps(departures_asked(question, actor))
    if owner_id is not None:
        found = found.filter(owner_id=owner_id)
    else:
        found = found.filter(Q(queue=queue) | Q(queue="", role=queue), owner__isnull=True)
    return _page(found, after, PAGE)


def listed_dict(step: Step) -> dict[str, Any]:
    """One step with whose journey it is of, as the API and the command line show it."""
    departure = step.journey.departure
    return {
        "departure": str(departure.pk),
        "subject": departure.subject_name,
        "template": step.journey.template.template_id,
        **step_dict(step),
    }


def _standing(
    standing: Standing, departures: QuerySet[Departure], question: Question, now: datetime
) -> QuerySet[Step]:
    if standing is Standing.SKIPPED:
        return steps_skipped(departures, question)
    due = steps_due(departures, question, now=now)
    match standing:
        case Standing.OPEN_LATE:
            return due.filter(state__in=PENDING)
        case Standing.LATE:
            return due.exclude(state__in=PENDING).filter(settled_at__gt=F("due_at"))
        case Standing.IN_TIME:
            return due.exclude(state__in=PENDING).exclude(settled_at__gt=F("due_at"))
    return due


def _page(found: QuerySet[Step], after: StepPlace | None, limit: int) -> tuple[list[Step], StepPlace | None]:
    if after is not None:
        due_at, pk = after
        found = found.filter(Q(due_at__gt=due_at) | Q(due_at=due_at, pk__gt=pk), due_at__gte=due_at)
    steps = list(
        found.select_related("journey__departure", "journey__template", "owner")
        .defer("guidance", "journey__template__source")
        .order_by("due_at", "pk")[: limit + 1]
    )
    page = steps[:limit]
    return page, (page[-1].due_at, page[-1].pk) if len(steps) > limit else None
