"""The journeys that follow an earlier version of a template, each with what moving it would change."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, datetime
from typing import Any
from uuid import UUID

from django.db.models import Q, QuerySet

from partwell.departures.models import Departure
from partwell.departures.policies import visible_departures
from partwell.departures.states import DepartureState
from partwell.journeys.models import Step, TemplateVersion
from partwell.journeys.template_queries import version_of
from partwell.journeys.version_change import Fate
from partwell.journeys.version_drafts import Surroundings, VersionChange, draft_for
from partwell.people.actors import Actor
from partwell.people.authorisation import check_office
from partwell.refusals import Conflict

PAGE = 25


@dataclass(frozen=True)
class Behind:
    """A journey on an earlier version: what moving it would change, or why it cannot be moved."""

    departure: Departure
    change: VersionChange | None
    refusal: Conflict | None

    def as_dict(self) -> dict[str, Any]:
        """The journey as the API and the command line show it; without the words of its steps."""
        merged = self.change.merged if self.change else None
        return {
            "id": str(self.departure.pk),
            "subject": self.departure.subject_name,
            "last_working_day": self.departure.last_working_date.isoformat(),
            "version": self.departure.journey.template.version,
            "digest": self.change.digest if self.change else "",
            "counts": {fate.value: len(merged.of(fate)) if merged else 0 for fate in Fate},
            "message": self.refusal.message if self.refusal else "",
        }


def count_behind(*, version: TemplateVersion, actor: Actor) -> int:
    """How many running journeys that the actor may move follow a version before this one."""
    return _behind(version, actor).count()


def list_behind(
    *,
    template_id: str,
    actor: Actor,
    now: datetime,
    version: int | None = None,
    after: tuple[date, UUID] | None = None,
    limit: int = PAGE,
) -> tuple[TemplateVersion, list[Behind], tuple[date, UUID] | None]:
    """A page of the running journeys that the actor may move and that follow an earlier version than this
    one, or than the latest: nearest last day first, with the version and the key of the next page or None.

    Of others nothing is told, not even that they exist. Raises `NotFound`.
    """
    check_office(actor, "templates.view")
    target = version_of(template_id, version)
    found = _behind(target, actor)
    if after is not None:
        day, pk = after
        found = found.filter(
            Q(last_working_date__gt=day) | Q(last_working_date=day, pk__gt=pk), last_working_date__gte=day
        )
    rows = list(found.order_by("last_working_date", "pk")[: limit + 1])
    page, more = rows[:limit], len(rows) > limit
    steps = Step.objects.filter(journey_id__in=[row.pk for row in page]).select_related("owner")
    surroundings = Surroundings.of(page, steps, now=now)
    behind = [_draft(departure, target, surroundings, actor, now) for departure in page]
    return target, behind, (page[-1].last_working_date, page[-1].pk) if more else None


def _behind(target: TemplateVersion, actor: Actor) -> QuerySet[Departure]:
    running = visible_departures(actor, to="journeys.change_version").filter(state=DepartureState.ACTIVE)
    return running.filter(
        journey__template__template_id=target.template_id, journey__template__version__lt=target.version
    ).select_related("journey__template", "person", "client")


def _draft(
    departure: Departure,
    target: TemplateVersion,
    surroundings: Surroundings,
    actor: Actor,
    now: datetime,
) -> Behind:
    try:
        return Behind(departure, draft_for(departure, target, surroundings, actor=actor, now=now), None)
    except Conflict as refusal:
        return Behind(departure, None, refusal)
