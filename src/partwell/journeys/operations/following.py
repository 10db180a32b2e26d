"""What follows in a journey when access ends sooner than planned: due dates that hang on it come forward.

Only forward: whoever was late with a step is not given time by it, and what hangs on other dates stays.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any
from uuid import UUID

from partwell.departures.models import Departure
from partwell.departures.policies import authorise, visible_departures
from partwell.departures.states import DepartureState
from partwell.evidence.operations import departure_scope, record
from partwell.journeys.models import Step
from partwell.journeys.operations.moving import StepChange, lock_departure
from partwell.journeys.planning import calendar_of, redate
from partwell.journeys.states import PENDING
from partwell.journeys.template.model import Anchor, Due
from partwell.people.actors import Actor, engine_actor
from partwell.people.authorisation import operation
from partwell.people.models import Client, Person
from partwell.rows import write_rows


def brought_forward(
    departure: Departure, steps: Iterable[Step], *, access_end_at: datetime, now: datetime
) -> list[StepChange]:
    """The pending steps that are due sooner if access ends then, in the order of the journey. Changes
    nothing."""
    calendar = replace(calendar_of(departure, now=now), access_end_at=access_end_at)
    hanging = [step for step in steps if step.due_rule and _hangs_on_access_end(step)]
    return [
        StepChange(step, before, after, step.state, step.state)
        for step, before, after in redate(hanging, calendar)
        if after < before
    ]


def _hangs_on_access_end(step: Step) -> bool:
    return Due.parse(step.due_rule).anchor is Anchor.ACCESS_END


@operation("journeys.follow_access_end")
def follow_access_end(*, departure_id: UUID, now: datetime) -> list[StepChange]:
    """Bring the due dates of what hangs on access end forward, where access has ended sooner than planned.

    Comes with access end, any number of times; where it ended when it was planned to, nothing moves.
    """
    found = Departure.objects.filter(
        pk=departure_id, state=DepartureState.ACTIVE, journey__isnull=False
    ).first()
    if found is None or found.access_end_at > now:
        return []
    departure = lock_departure(found)
    actor = engine_actor("end of access")
    authorise(actor, "journeys.follow_access_end", departure)
    steps = departure.journey.steps.order_by("position")
    moved = brought_forward(departure, steps, access_end_at=departure.access_end_at, now=now)
    if not moved:
        return []
    for change in moved:
        change.step.due_at = change.due_after
    write_rows([change.step for change in moved], ["due_at"])
    departure.revision += 1
    departure.save(update_fields=["revision"])
    record(
        "journey.brought_forward",
        scope=departure_scope(departure.pk),
        actor=actor.label,
        at=now,
        fields={
            "access_end": departure.access_end_at.isoformat(),
            "steps": [
                {
                    "step": change.step.key,
                    "title": change.step.title,
                    "due_before": change.due_before.isoformat(),
                    "due_after": change.due_after.isoformat(),
                }
                for change in moved
            ],
        },
    )
    return moved


@dataclass(frozen=True)
class Ahead:
    """What firing the kill switch now would bring forward in one departure under way."""

    departure: Departure
    steps: tuple[StepChange, ...]

    def as_dict(self) -> dict[str, Any]:
        """As the API and the command line show it."""
        return {
            "id": str(self.departure.pk),
            "subject": self.departure.subject_name,
            "steps": [
                {
                    "key": change.step.key,
                    "title": change.step.title,
                    "due_before": change.due_before.isoformat(),
                    "due_after": change.due_after.isoformat(),
                }
                for change in self.steps
            ],
        }


def ahead_of_a_cut(
    *, people: Sequence[Person] = (), clients: Sequence[Client] = (), actor: Actor, now: datetime
) -> list[Ahead]:
    """The due dates that would come forward if these were shut out now, in departures that the actor may
    read. Of others nothing is told, not even that they exist. Three queries, whatever the size."""
    visible = visible_departures(actor, to="journeys.view").filter(state=DepartureState.ACTIVE)
    running = visible.filter(access_end_at__gt=now, journey__isnull=False)
    found = [
        *running.filter(person_id__in=[person.pk for person in people]),
        *running.filter(client_id__in=[client.pk for client in clients]),
    ]
    steps: dict[UUID, list[Step]] = {}
    pending = Step.objects.filter(journey_id__in=[departure.pk for departure in found], state__in=PENDING)
    for step in pending.order_by("position"):
        steps.setdefault(step.journey_id, []).append(step)
    ahead = [
        Ahead(
            departure,
            tuple(brought_forward(departure, steps.get(departure.pk, ()), access_end_at=now, now=now)),
        )
        for departure in found
    ]
    return [each for each in ahead if each.steps]
