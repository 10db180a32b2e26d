"""From rows to what pages show: a step's mark and words, a journey's phases, its timeline."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import datetime
from typing import Any

from django.urls import reverse
from django.utils import timezone

from partwell.departures.models import Departure
from partwell.journeys.models import Step
from partwell.journeys.operations.starting import Draft
from partwell.journeys.planning import is_set_aside
from partwell.journeys.queries import PhaseCount
from partwell.journeys.states import PENDING, StepState
from partwell.journeys.step_kinds import rule_of
from partwell.journeys.template.model import StepKind
from partwell.people.actors import Actor
from partwell.people.roles import ROLE_LABELS, Role
from partwell.web.navigation import may_follow

REASONS = {"not_stated": "Not stated"}


def words(code: str) -> str:
    """A code such as `need_to_know` as words."""
    return REASONS.get(code) or code.replace("_", " ").replace("-", " ").capitalize()


def step_mark(step: Step) -> tuple[str, str]:
    """The status of the vocabulary and its words. Green only where the product itself saw the proof."""
    match StepState(step.state):
        case StepState.DONE:
            if rule_of(step.kind).is_done is not None:
                said = "Done, two people" if step.kind == StepKind.ACCESS_APPROVAL else "Done, verified"
                return "verified", said
            return "attested", "Done, attested"
        case StepState.SKIPPED:
            return "cannot", "Skipped"
        case StepState.NOT_NEEDED:
            return "none", "Not needed"
        case StepState.WITHDRAWN:
            return "none", "Withdrawn"
        case StepState.BLOCKED:
            return "waits", "Blocked"
        case StepState.OPEN:
            return ("approval", "Needs two people") if rule_of(step.kind).second_person else ("todo", "To do")


def step_row(
    step: Step, *, titles: Mapping[str, str], viewer_id: int | None = None, about: str = ""
) -> dict[str, Any]:
    """One step for the `step_row` tag. `titles` names other steps of its journey by key; `about` says whose
    journey it is, where several are listed together."""
    state, says = step_mark(step)
    is_mine = viewer_id is not None and step.owner_id == viewer_id
    return {
        "state": state,
        "says": says,
        "title": step.title,
        # A step that is only planned has no page yet.
        "url": "" if step._state.adding else step_url(step),
        "role": ROLE_LABELS[Role(step.role)],
        "role_code": step.role,
        "who": "You" if is_mine else step.owner_name or "Nobody yet",
        "is_leaver": step.role == Role.DEPARTING,
        "due": step.due_at,
        "is_done": step.state not in PENDING,
        "is_off": step.state in (StepState.NOT_NEEDED, StepState.WITHDRAWN),
        "waits_for": " and ".join(titles.get(key, key) for key in step.waits_for),
        "truth": about or _truth(step),
        "key": step.key,
    }


def _truth(step: Step) -> str:
    """One line that says what is known beyond the state."""
    if is_set_aside(step):
        return step.skip_reason
    if step.state == StepState.NOT_NEEDED:
        return f"Condition not met: {step.condition}"
    if step.state == StepState.SKIPPED:
        return f"{name_of(step.settled_by)}: {step.skip_reason}"
    if step.state == StepState.DONE:
        note = step.note.splitlines()[0][:160] if step.note else ""
        by = f"by {name_of(step.settled_by)}"
        return f"{note} ({by})" if note else by
    parts = []
    if count := getattr(step, "file_count", 0):
        parts.append(f"{count} file{'s' if count > 1 else ''}")
    if count := getattr(step, "comment_count", 0):
        parts.append(f"{count} comment{'s' if count > 1 else ''}")
    return ", ".join(parts)


def step_url(step: Step) -> str:
    """Where a step is read and acted on."""
    return reverse("web:step", args=[step.journey_id, step.key])


def name_of(label: str) -> str:
    """The name in an actor's label: `Amara Osei <amara@…>` → Amara Osei."""
    return label.split(" <")[0]


def phase_stops(phases: Iterable[PhaseCount], *, here: int | None = None) -> list[dict[str, Any]]:
    """The ten stops of the phase line."""
    return [
        {
            "number": phase.number,
            "name": phase.title,
            "done": phase.done,
            "total": phase.total,
            "late": phase.late,
            "is_here": phase.number == here,
        }
        for phase in phases
    ]


def current_phase(phases: Iterable[PhaseCount]) -> PhaseCount | None:
    """The first phase with something left to do."""
    return next((phase for phase in phases if phase.total and phase.done < phase.total), None)


def strip_words(phases: list[PhaseCount]) -> str:
    """What a screen reader says of a phase strip, and what stands under it: “Asset returns, 33 of 39”."""
    done, total = sum(p.done for p in phases), sum(p.total for p in phases)
    at = current_phase(phases)
    return f"{at.title if at else 'All phases'}, {done} of {total}"


def groups_of(
    steps: Iterable[Step], phases: list[PhaseCount], *, viewer_id: int | None, role: str, now: datetime
) -> list[dict[str, Any]]:
    """The checklist by phase: each with its rows, its count and whether it begins unfolded."""
    steps = list(steps)
    titles = {step.key: step.title for step in steps}
    here = current_phase(phases)
    today = timezone.localdate(now)
    groups = []
    for phase in phases:
        mine = [s for s in steps if s.phase == phase.number and (not role or s.role == role)]
        groups.append(
            {
                "phase": phase,
                "rows": [step_row(s, titles=titles, viewer_id=viewer_id) for s in mine],
                "is_open": bool(role) or phase is here or bool(phase.late),
                "today": sum(
                    s.state in PENDING and now <= s.due_at and timezone.localdate(s.due_at) == today
                    for s in mine
                ),
            }
        )
    return groups


def subject_kind(departure: Departure) -> str:
    """Which face the subject has: a leaver's or a client's."""
    return "client" if departure.subject_kind == "client" else "leaver"


def vacancy_rows(plan: Draft, actor: Actor) -> list[dict[str, Any]]:
    """The roles of a plan that nobody holds: how many steps wait for that, why, and the way out."""
    return [
        {"role": ROLE_LABELS[role], "count": count, **_way_out(role, plan.departure.subject_name, actor)}
        for role, count in plan.vacancies.items()
    ]


def _way_out(role: Role, subject: str, actor: Actor) -> dict[str, str]:
    if role in (Role.LINE_MANAGER, Role.ACCOUNT_MANAGER):
        who = ROLE_LABELS[role].lower()
        why = f"The register names no {who} of {subject} who is still here."
        return {"why": why, "url": "", "way_out": "Import one"}
    if may_follow(actor, "roles.grant"):
        return {"why": "Nobody holds this role.", "url": reverse("web:settings"), "way_out": "Grant it"}
    return {"why": "Nobody holds this role.", "url": "", "way_out": "Ask an administrator to grant it"}
