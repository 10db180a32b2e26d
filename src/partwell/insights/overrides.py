"""What went past a rule in a period: journeys closed with things open, and the kill switch."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from django.db.models import Q, QuerySet

from partwell.access.cut_queries import visible_cuts
from partwell.access.models import Cut
from partwell.access.states import CutState
from partwell.departures.models import Departure
from partwell.insights.questions import Question
from partwell.journeys.models import Journey
from partwell.journeys.states import JourneyState
from partwell.people.actors import Actor

MOST = 200


@dataclass(frozen=True)
class Overrides:
    """`closed` ended with things open and a second person's approval; `asked` wait for one now; `cuts` are
    orders of the kill switch that were carried out. Newest first."""

    closed: list[Journey]
    asked: list[Journey]
    cuts: list[Cut]

    @property
    def unreviewed(self) -> list[Cut]:
        """Cuts that nobody has looked at since."""
        return [cut for cut in self.cuts if cut.reviewed_at is None]


def read_overrides(departures: QuerySet[Departure], question: Question, *, actor: Actor) -> Overrides:
    """In two queries. A cut is in it where the actor sees everybody it is about, and the question is about
    one of them."""
    with_reason = (
        Journey.objects.filter(departure__in=departures.values("pk"))
        .exclude(override_reason="")
        .filter(
            Q(state=JourneyState.CLOSED, **question.within("ended_at")) & ~Q(override_approved_by="")
            | Q(state=JourneyState.ACTIVE)
        )
        .select_related("departure", "template")
        .defer("template__source")
    )
    journeys = list(with_reason.order_by("-ended_at", "pk")[:MOST])
    cuts = (
        visible_cuts(actor)
        .filter(
            state__in=[CutState.FIRED, CutState.HELD, CutState.STOPPED],
            departures__in=departures.values("pk"),
            **question.within("fired_at"),
        )
        .distinct()
        .order_by("-fired_at", "pk")
    )
    return Overrides(
        closed=[each for each in journeys if each.state == JourneyState.CLOSED],
        asked=[each for each in journeys if each.state == JourneyState.ACTIVE],
        cuts=list(cuts[:MOST]),
    )


def override_dict(journey: Journey) -> dict[str, Any]:
    """One journey that closed, or would close, with things open; as the API and the command line show it."""
    return {
        "departure": str(journey.pk),
        "subject": journey.departure.subject_name,
        "template": journey.template.template_id,
        "reason": journey.override_reason,
        "asked_by": journey.override_by,
        "approved_by": journey.override_approved_by or None,
        "closed_at": journey.ended_at.isoformat() if journey.ended_at else None,
    }
