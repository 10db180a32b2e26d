"""The call that moves a journey to another version of its template, for the matrix of who may do what."""

from __future__ import annotations

from partwell.departures.models import Departure
from partwell.journeys.models import TemplateVersion
from partwell.journeys.operations.changing_version import change_version
from partwell.journeys.version_drafts import Surroundings, VersionChange, draft_for
from partwell.people.actors import Actor
from tests.factories import NOW, publish
from tests.moved_templates import second_version


def move_to_another_version(departure: Departure, actor: Actor) -> VersionChange:
    """Move it, with the digest of what this very actor would be shown, whether they may see it or not."""
    new = TemplateVersion.objects.filter(template_id="small", version=2).first() or publish(second_version())
    steps = departure.journey.steps.select_related("owner")
    shown = draft_for(departure, new, Surroundings.of([departure], steps, now=NOW), actor=actor, now=NOW)
    return change_version(departure=departure, seen=shown.digest, actor=actor, now=NOW)
