"""Planning: from a template and a departure to the steps of a journey. Writes nothing."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from datetime import datetime

from partwell import clock
from partwell.departures.models import Departure
from partwell.journeys.due import Calendar
from partwell.journeys.facts import facts_of
from partwell.journeys.models import Journey, Step
from partwell.journeys.owners import Owners
from partwell.journeys.states import PENDING, SETTLED, StepState
from partwell.journeys.template.conditions import compile_conditions, evaluate, ready
from partwell.journeys.template.model import Due, Template, TemplateStep


def calendar_of(departure: Departure, *, now: datetime) -> Calendar:
    """The dates that the due rules of this departure's steps hang on."""
    return Calendar(
        notice_date=departure.notice_date,
        last_working_date=departure.last_working_date,
        access_end_at=departure.access_end_at,
        contract_end_date=departure.contract_end_date,
        timezone=departure.timezone,
        country=departure.jurisdiction[:2],
        planned_on=max(departure.notice_date, clock.today_in(departure.timezone, now=now)),
    )


def needed_in(departure: Departure, template: Template, digest: str) -> Callable[[TemplateStep], bool]:
    """Whether this departure needs a step of the template that has this digest: its condition, if it has
    one."""
    compiled = compile_conditions(digest, template)
    facts = ready(facts_of(departure))
    answers: dict[str, bool] = {"": True}

    def is_needed(step: TemplateStep) -> bool:
        if step.when not in answers:  # steps often share a condition
            answers[step.when] = evaluate(compiled[step.key], facts)
        return answers[step.when]

    return is_needed


def plan_steps(
    template: Template,
    journey: Journey,
    *,
    owners: Owners,
    is_needed: Callable[[TemplateStep], bool],
    now: datetime,
) -> list[Step]:
    """The steps of a new journey, unsaved: dated, owned, and blocked where they wait for others."""
    calendar = calendar_of(journey.departure, now=now)
    due_dates: dict[str, datetime] = {}
    steps = []
    for position, rule in enumerate(template.steps, start=1):
        if rule.due not in due_dates:
            due_dates[rule.due] = calendar.due_at(rule.due_rule)
        owner = owners.of(rule.role)
        steps.append(
            Step(
                journey=journey,
                key=rule.key,
                position=position,
                phase=rule.phase,
                title=rule.title,
                guidance=rule.guidance,
                role=rule.role,
                owner=owner.user,
                owner_name=owner.name,
                queue=owner.queue,
                due_rule=rule.due,
                due_at=due_dates[rule.due],
                needs=list(rule.needs),
                condition=rule.when,
                evidence=rule.evidence,
                kind=rule.kind,
                visibility=rule.visibility,
                is_required=rule.required,
                state=StepState.OPEN if is_needed(rule) else StepState.NOT_NEEDED,
            )
        )
    refresh_blocks(steps)
    return steps


def refresh_blocks(steps: Iterable[Step]) -> list[Step]:
    """Set `waits_for` and `state` of pending steps from the states of those they need.

    Returns the steps that changed, unsaved. Settled and withdrawn steps keep their state.
    """
    steps = list(steps)
    settled = {step.key for step in steps if step.state in SETTLED}
    known = {step.key for step in steps}
    changed = []
    for step in steps:
        if step.state not in PENDING:
            waits_for, state = [], StepState(step.state)
        else:
            waits_for = [key for key in step.needs if key in known and key not in settled]
            state = StepState.BLOCKED if waits_for else StepState.OPEN
        if (step.waits_for, step.state) != (waits_for, state):
            step.waits_for, step.state = waits_for, state
            changed.append(step)
    return changed


def is_set_aside(step: Step) -> bool:
    """Whether the step is not needed because a version of the template asks for it no longer, rather than
    by its condition; why is its `skip_reason`."""
    return step.state == StepState.NOT_NEEDED and bool(step.skip_reason)


def redate(steps: Iterable[Step], calendar: Calendar) -> list[tuple[Step, datetime, datetime]]:
    """New due dates for pending steps: `(step, old, new)` for each that moves. Changes nothing.

    A step of one's own has no rule, and keeps its date.
    """
    moved = []
    for step in steps:
        if step.state not in PENDING or not step.due_rule:
            continue
        due_at = calendar.due_at(Due.parse(step.due_rule))
        if due_at != step.due_at:
            moved.append((step, step.due_at, due_at))
    return moved
