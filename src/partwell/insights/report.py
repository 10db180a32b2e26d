"""How the process goes, over a period: the whole view of who answers for it.

Everything is of the departures that the reader may read. A need-to-know departure is counted for those alone
who take part in it, so that nobody learns from a figure that there is one.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Any

from django.db.models import Count, Q, QuerySet

from partwell.access.cut_queries import cut_dict
from partwell.departures.models import Departure
from partwell.departures.policies import visible_departures
from partwell.departures.states import DepartureState
from partwell.insights.lateness import OWN, Lateness, by_role, by_step, read_lateness
from partwell.insights.loads import Loads, read_loads
from partwell.insights.overrides import Overrides, override_dict, read_overrides
from partwell.insights.phases import PhaseTimes, read_phases
from partwell.insights.questions import FEWEST, Question, check_question, departures_asked, under_way
from partwell.insights.skips import Skips, read_skips, skip_dict
from partwell.journeys.template_queries import latest_versions, load_version
from partwell.journeys.upkeep_queries import Upkeep, list_upkeep
from partwell.people.actors import Actor
from partwell.people.authorisation import check_office, reading

ABOUT = (
    "Everything here is of the departures that you may read. A need-to-know departure is counted for those "
    "alone who take part in it. Of a department, nothing is told that fewer than five journeys or steps show."
)
OWN_STEPS = "Steps that people added themselves"


@dataclass(frozen=True)
class Counts:
    """Journeys: under way at some moment of the period; of these closed, withdrawn and begun in it; and those
    that run now."""

    under_way: int
    begun: int
    closed: int
    withdrawn: int
    running: int


@dataclass(frozen=True)
class Past:
    """What the period shows."""

    roles: list[Lateness]
    steps: list[Lateness]
    skips: Skips
    overrides: Overrides
    phases: list[PhaseTimes]

    @property
    def due(self) -> int:
        return sum(line.total for line in self.roles)

    @property
    def in_time(self) -> int:
        return sum(line.in_time for line in self.roles)


@dataclass(frozen=True)
class Report:
    """The whole view. `past` is empty where so few left in the department that it would be about them."""

    question: Question
    counts: Counts
    past: Past | None
    loads: Loads
    templates: list[Upkeep]
    now: datetime

    @property
    def fewest(self) -> int:
        """Below this number a line is not told."""
        return FEWEST if self.question.department else 0

    @property
    def lacking(self) -> list[Upkeep]:
        """Templates without an owner, or that nobody has read for a year."""
        return [each for each in self.templates if each.lacks(self.now)]


@reading("process.view")
def view_process(question: Question, *, actor: Actor, now: datetime) -> Report:
    """The process as far as the actor sees it. Raises `NotAllowed`, and `Invalid` for a period, a timezone or
    an audience that cannot be."""
    check_office(actor, "process.view")
    check_question(question, now=now)
    departures = departures_asked(question, actor)
    counts = _count(departures, question)
    is_told = not question.department or counts.under_way >= FEWEST
    return Report(
        question=question,
        counts=counts,
        past=_past(departures, question, actor, now) if is_told else None,
        loads=read_loads(departures, timezone=question.timezone, now=now),
        templates=[each for each in list_upkeep(actor=actor) if _is_asked(each, question)],
        now=now,
    )


def departments(actor: Actor) -> list[str]:
    """The departments of departures that the actor sees, to choose from. Raises `NotAllowed`."""
    check_office(actor, "process.view")
    found = visible_departures(actor).exclude(subject_department="").order_by("subject_department")
    return list(found.values_list("subject_department", flat=True).distinct())


def _past(departures: QuerySet[Departure], question: Question, actor: Actor, now: datetime) -> Past:
    counted = read_lateness(departures, question, now=now)
    return Past(
        roles=by_role(counted),
        steps=by_step(counted, step_titles(question.template)),
        skips=read_skips(departures, question),
        overrides=read_overrides(departures, question, actor=actor),
        phases=read_phases(departures, question, now=now),
    )


def step_titles(template: str = "") -> dict[str, str]:
    """What the steps of the published templates are called, by key: as this template calls them, and the
    others where it has none of that key."""
    titles: dict[str, str] = {OWN: OWN_STEPS}
    for version in latest_versions():
        for step in load_version(version).steps:
            if version.template_id == template:
                titles[step.key] = step.title
            else:
                titles.setdefault(step.key, step.title)
    return titles


def _count(departures: QuerySet[Departure], question: Question) -> Counts:
    ended = question.within("journey__ended_at")
    found = departures.aggregate(
        under_way=Count("pk", filter=under_way(question)),
        begun=Count("pk", filter=Q(**question.within("journey__started_at"))),
        closed=Count("pk", filter=Q(state=DepartureState.CLOSED, **ended)),
        withdrawn=Count("pk", filter=Q(state=DepartureState.WITHDRAWN, **ended)),
        running=Count("pk", filter=Q(state=DepartureState.ACTIVE)),
    )
    return Counts(**found)


def _is_asked(upkeep: Upkeep, question: Question) -> bool:
    version = upkeep.version
    return question.template in ("", version.template_id) and question.audience in ("", version.audience)


def report_dict(report: Report) -> dict[str, Any]:
    """The view as the API and the command line show it. Lines that would be about too few have no figures."""
    past, fewest = report.past, report.fewest
    return {
        **report.question.as_dict(),
        "about": ABOUT,
        "journeys": vars(report.counts),
        "too_few": past is None,
        "late_by_role": [] if past is None else [_line(each, fewest) for each in past.roles],
        "late_by_step": [] if past is None else [_line(each, fewest) for each in past.steps],
        "skipped_steps": [] if past is None else [each.as_dict() for each in past.skips.steps],
        "skipped_newest": [] if past is None else [skip_dict(step) for step in past.skips.newest],
        "closed_with_override": [] if past is None else [override_dict(j) for j in past.overrides.closed],
        "override_asked": [] if past is None else [override_dict(j) for j in past.overrides.asked],
        "cuts": [] if past is None else [cut_dict(cut) for cut in past.overrides.cuts],
        "phases": [] if past is None else [each.as_dict(fewest) for each in past.phases],
        "soon_until": report.loads.until.isoformat(),
        "people": [load.as_dict() for load in report.loads.people],
        "queues": [load.as_dict() for load in report.loads.queues],
        "templates": [upkeep.as_dict(report.now) for upkeep in report.templates],
    }


def _line(line: Lateness, fewest: int) -> dict[str, Any]:
    found = line.as_dict()
    if line.total < fewest:
        return {name: found[name] for name in ("step", "title", "role") if name in found} | {"too_few": True}
    return found | {"too_few": False}
