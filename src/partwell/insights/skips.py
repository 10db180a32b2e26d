"""Which steps were left out in a period, and why."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Any, NamedTuple

from django.db.models import Count, QuerySet

from partwell.departures.models import Departure
from partwell.insights.lateness import OWN
from partwell.insights.questions import Question
from partwell.journeys.models import Step
from partwell.journeys.states import StepState

NEWEST = 100


class SkippedStep(NamedTuple):
    """How often one step of one template was left out."""

    template: str
    key: str
    title: str
    role: str
    times: int

    def as_dict(self) -> dict[str, Any]:
        """As the API and the command line show it."""
        return {
            "template": self.template,
            "step": self.key,
            "title": self.title,
            "role": self.role,
            "skipped": self.times,
        }


@dataclass(frozen=True)
class Skips:
    """All that was left out: by step, most often first; and the newest with their reasons."""

    steps: list[SkippedStep]
    newest: list[Step]

    @property
    def total(self) -> int:
        return sum(each.times for each in self.steps)


def read_skips(departures: QuerySet[Departure], question: Question) -> Skips:
    """In two queries. Steps that people added themselves are told by their titles, as no template holds
    them."""
    found = steps_skipped(departures, question)
    rows = (
        found.order_by()
        .values_list("journey__template__template_id", "key", "is_own", "title", "role")
        .annotate(count=Count("pk"))
    )
    # A version may have changed a title; the words that were there most often stand for the step.
    merged: dict[tuple[str, str, str, str], list[tuple[int, str]]] = {}
    for template, key, is_own, title, role, count in rows:
        which = (template, OWN, role, title) if is_own else (template, key, role, "")
        merged.setdefault(which, []).append((count, title))
    steps = [
        SkippedStep(template, key, max(titles)[1], role, sum(count for count, _ in titles))
        for (template, key, role, _), titles in merged.items()
    ]
    newest = found.select_related("journey__departure", "journey__template").defer(
        "guidance", "note", "journey__template__source"
    )
    return Skips(
        steps=sorted(steps, key=lambda each: (-each.times, each.template, each.key)),
        newest=list(newest.order_by("-settled_at", "pk")[:NEWEST]),
    )


def steps_skipped(departures: QuerySet[Departure], question: Question) -> QuerySet[Step]:
    """The steps of these departures that were left out in the period."""
    return Step.objects.filter(
        journey__in=departures.values("pk"), state=StepState.SKIPPED, **question.within("settled_at")
    )


def skip_dict(step: Step) -> dict[str, Any]:
    """One step that was left out, as the API and the command line show it."""
    settled_at: datetime | None = step.settled_at
    return {
        "departure": str(step.journey_id),
        "subject": step.journey.departure.subject_name,
        "template": step.journey.template.template_id,
        "step": step.key,
        "title": step.title,
        "reason": step.skip_reason,
        "settled_at": settled_at.isoformat() if settled_at else None,
        "settled_by": step.settled_by,
    }
