"""What each kind of step asks of the rooms below: whether the product itself can tell that it is done.

Other rooms add kinds here; they never call upwards. `advance` asks `is_done` of every open step of a kind
that answers.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from partwell.access import summaries
from partwell.departures.models import Departure
from partwell.journeys.template.model import StepKind


@dataclass(frozen=True)
class KindRule:
    """How a kind is settled. `is_done` returns a sentence that says what was proven, or None.

    `by_hand` says whether a person may complete or skip it; `second_person` that the one who completes it
    must be another human being than those who completed the steps it needs.
    """

    by_hand: bool = True
    second_person: bool = False
    is_done: Callable[[Departure], str | None] | None = None
    way: str = ""


def _access_is_settled(departure: Departure) -> str | None:
    return summaries.settled_summary(departure)


def _plan_is_approved(departure: Departure) -> str | None:
    return summaries.approval_summary(departure)


KINDS: dict[StepKind, KindRule] = {
    StepKind.TASK: KindRule(),
    StepKind.APPROVAL: KindRule(second_person=True),
    StepKind.ACCESS_APPROVAL: KindRule(
        by_hand=False, is_done=_plan_is_approved, way="Approve the access plan as a second person."
    ),
    StepKind.DEPROVISION: KindRule(
        by_hand=False,
        is_done=_access_is_settled,
        way="Apply the access plan; the step is done when every account is proven closed, attested, or "
        "impossible with a reason.",
    ),
}


def rule_of(kind: str) -> KindRule:
    """The rule of a step's kind."""
    return KINDS[StepKind(kind)]
