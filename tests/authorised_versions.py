"""The call that moves a journey to another version of its template, for the matrix of who may do what."""

from __future__ import annotations

from partwell.departures.models import Departure
from partwell.journeys.operations.changing_version import change_version
from partwell.journeys.version_drafts import Surroundings, VersionChange, draft_for
from partwell.people.actors import Actor
from tests.factories import NOW, publish


def move_to_another_version(departure: Departure, actor: Actor) -> VersionChange:
    """Move it, with the digest of what this very actor would be shown, whether they may see it or not."""
    source = departure.journey.template.source
    new = publish(source.replace("title: ", "title: Now ", 1))
    steps = departure.journey.steps.select_related("owner")
    shown = draft_for(departure, new, Surroundings.of([departure], steps, now=NOW), actor=actor, now=NOW)
    return change_version(departure=departure, seen=shown.digest, actor=actor, now=NOW)
