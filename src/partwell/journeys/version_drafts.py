"""What moving running journeys to another version of their template would change: one journey, or several."""

from __future__ import annotations

import hashlib
import json
from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import Any
from uuid import UUID

from django.db.models import Count

from partwell.access import summaries
from partwell.departures.guests import link_state
from partwell.departures.models import Departure, GuestLink
from partwell.departures.policies import authorise
from partwell.departures.states import SubjectKind
from partwell.journeys.models import Journey, Step, TemplateVersion
from partwell.journeys.owners import Owners
from partwell.journeys.planning import calendar_of, needed_in, plan_steps
from partwell.journeys.states import PENDING
from partwell.journeys.template.model import Due
from partwell.journeys.template_queries import load_version, version_of
from partwell.journeys.version_change import Around, Fate, Merged, merge
from partwell.people.actors import Actor
from partwell.refusals import Conflict

LIVE_LINK = ("waiting", "open")


@dataclass(frozen=True)
class VersionChange:
    """All that moving one journey to another version would change. `gone` are rows that would not stay."""

    departure: Departure
    old: TemplateVersion
    new: TemplateVersion
    merged: Merged
    gone: tuple[Step, ...]
    owners: Owners

    @property
    def digest(self) -> str:
        """Names exactly this difference, so that what is confirmed is what was looked at."""
        shown = {key: value for key, value in self._shown().items() if key != "subject"}
        text = json.dumps([shown, self.old.digest, self.new.digest], sort_keys=True)
        return hashlib.sha256(text.encode()).hexdigest()[:16]

    @property
    def count(self) -> int:
        """How many steps change, come or go."""
        return len(self.merged.changes) - len(self.merged.of(Fate.STAYS))

    def _shown(self) -> dict[str, Any]:
        return {
            "id": str(self.departure.pk),
            "subject": self.departure.subject_name,
            "template": self.new.template_id,
            "old_version": self.old.version,
            "new_version": self.new.version,
            "is_reordered": self.merged.is_reordered,
            "steps": [change.as_dict() for change in self.merged.changes],
        }

    def as_dict(self) -> dict[str, Any]:
        """The difference as the API and the command line show it."""
        return {**self._shown(), "digest": self.digest}


def draft_version_change(
    *, departure: Departure, actor: Actor, now: datetime, version: int | None = None
) -> VersionChange:
    """What moving a journey to a version of its template, the latest unless one is named, would change.

    Stores nothing. Raises as `departures.policies.authorise`, `NotFound` for a version that there is not,
    `Conflict` for the version that the journey follows already (`same_version`), for one of another
    audience, and for one with the key of a step of this journey's own.
    """
    authorise(actor, "journeys.change_version", departure)
    target = version_of(departure.journey.template.template_id, version)
    steps = departure.journey.steps.select_related("owner")
    return draft_for(departure, target, Surroundings.of([departure], steps, now=now), actor=actor, now=now)


@dataclass
class Surroundings:
    """What drafts read of one journey or many: their steps, and what hangs on these. Four queries beside
    that for the steps, whatever the size."""

    steps: dict[UUID, list[Step]] = field(default_factory=lambda: defaultdict(list))
    hanging: dict[UUID, dict[str, str]] = field(default_factory=lambda: defaultdict(dict))
    planned: set[UUID] = field(default_factory=set)

    @classmethod
    def of(cls, departures: Sequence[Departure], steps: Iterable[Step], *, now: datetime) -> Surroundings:
        """The surroundings of these departures. `steps` are those of their journeys."""
        found = cls(planned=summaries.with_plan(departure.pk for departure in departures))
        for step in sorted(steps, key=lambda step: (step.position, step.phase, step.pk)):
            found.steps[step.journey_id].append(step)
        said = _said_of_steps(departures)
        invited = _invited(departures, now=now)
        for journey_id, mine in found.steps.items():
            for step in mine:
                words = [*_in_the_row(step), *said[step.pk], *invited[journey_id, step.key]]
                if words:
                    found.hanging[journey_id][step.key] = ", ".join(words)
        return found


def draft_for(
    departure: Departure,
    target: TemplateVersion,
    surroundings: Surroundings,
    *,
    actor: Actor,
    now: datetime,
    may_create: bool = False,
) -> VersionChange:
    """As `draft_version_change`, of a journey whose surroundings are read. Whoever calls this has asked
    whether it may be done; with `may_create`, whoever gets a step gets an account."""
    journey: Journey = departure.journey
    journey.departure = departure
    _check_target(departure, target)
    template = load_version(target)
    owners = Owners(departure, now=now, may_create=may_create, starter_id=actor.user_id)
    is_needed = needed_in(departure, template, target.digest)
    planned = plan_steps(template, journey, owners=owners, is_needed=is_needed, now=now)
    # What fell due before today was due all the same, from the day of the notice on.
    calendar = replace(calendar_of(departure, now=now), planned_on=departure.notice_date)
    steps = surroundings.steps[departure.pk]
    around = Around(
        hanging=surroundings.hanging[departure.pk],
        has_access_plan=departure.pk in surroundings.planned,
        owner_of=owners.of,
        meant_for=lambda rule: calendar.due_at(Due.parse(rule)),
        now=now,
    )
    merged = merge(steps, planned, around, version=target.version)
    gone = tuple(change.step for change in merged.of(Fate.FALLS_AWAY))
    return VersionChange(departure, journey.template, target, merged, gone, owners)


def _check_target(departure: Departure, target: TemplateVersion) -> None:
    if target.pk == departure.journey.template_id:
        raise Conflict(
            "same_version",
            f"This journey follows version {target.version} of its template already; nothing would change.",
            field="version",
        )
    if target.audience != departure.subject_kind:
        whom = "a client" if target.audience == SubjectKind.CLIENT else "a colleague"
        raise Conflict(
            "other_audience",
            f"Version {target.version} is for {whom}, and this journey is not. It keeps its version.",
            field="version",
        )


def _in_the_row(step: Step) -> list[str]:
    return [word for word, value in (("a note", step.note), ("a link", step.link)) if value]


def _said_of_steps(departures: Sequence[Departure]) -> dict[UUID, list[str]]:
    """By step: its comments and files, counted."""
    said: dict[UUID, list[str]] = defaultdict(list)
    for relation, noun in (("comments", "comment"), ("attachments", "file")):
        rows = Step.objects.filter(
            journey_id__in=[departure.pk for departure in departures], **{f"{relation}__isnull": False}
        )
        for pk, count in rows.order_by().values_list("pk").annotate(Count(relation)):
            said[pk].append(f"{count} {noun}{'' if count == 1 else 's'}")
    return said


def _invited(departures: Sequence[Departure], *, now: datetime) -> dict[tuple[UUID, str], list[str]]:
    """By departure and key: who was asked by a link that still works to do the step."""
    invited: dict[tuple[UUID, str], list[str]] = defaultdict(list)
    of = {departure.pk: departure for departure in departures}
    for link in GuestLink.objects.filter(departure_id__in=list(of), revoked_at__isnull=True):
        link.departure = of[link.departure_id]
        if link_state(link, now=now) in LIVE_LINK:
            for key in link.step_keys:
                invited[link.departure_id, key].append("a link that asks somebody to do it")
    return invited


def changed_hands(change: VersionChange) -> list[Step]:
    """The pending steps that somebody has now who had them not, or that are asked only now."""
    found = []
    for each in change.merged.changes:
        was, now = each.before, each.after
        if now is None or each.step.state not in PENDING:
            continue
        if was is None or was.owner != now.owner or was.state not in PENDING:
            found.append(each.step)
    return found
