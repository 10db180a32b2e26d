"""Giving several steps to somebody else at once: each by itself, and what came of each is said."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime

from partwell.journeys.models import Step
from partwell.journeys.operations.steps import reassign_step
from partwell.people.actors import Actor
from partwell.people.models import User
from partwell.refusals import Refusal


@dataclass(frozen=True)
class Reassigned:
    """What came of one step: `refusal` says why it stayed where it was, and is empty where it did not."""

    step: Step
    refusal: Refusal | None = None


def reassign_steps(*, steps: Iterable[Step], to: User, actor: Actor, now: datetime) -> list[Reassigned]:
    """Give each of these steps to somebody else, in a transaction of its own. One that is refused holds up no
    other."""
    found = []
    for step in steps:
        try:
            found.append(Reassigned(reassign_step(step=step, to=to, actor=actor, now=now)))
        except Refusal as refusal:
            found.append(Reassigned(step, refusal))
    return found
