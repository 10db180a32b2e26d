"""The rules that a template's steps obey together. Each function yields findings; `check.py` adds lines."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from difflib import get_close_matches
from functools import lru_cache

from partwell.departures.states import SubjectKind
from partwell.journeys.template.condition_types import Reading, can_hold, check_types
from partwell.journeys.template.conditions import Condition, ConditionError, compile_condition
from partwell.journeys.template.graph import find_cycles
from partwell.journeys.template.guide import GUIDE_ROWS
from partwell.journeys.template.model import (
    PHASES,
    Anchor,
    Due,
    StepKind,
    Template,
    TemplateStep,
    Unit,
    Visibility,
)
from partwell.people.authorisation import load_matrix
from partwell.people.roles import ROLE_LABELS, Role
from partwell.yaml_text import Path

# The administrator keeps Partwell running and owns no step of anybody's departure by office.
OWNER_ROLES = tuple(role for role in Role if role is not Role.ADMIN)


@dataclass(frozen=True)
class Finding:
    """What is wrong, and the path of the value that it is wrong with."""

    path: Path
    message: str


Rule = Callable[[Template], Iterator[Finding]]


def findings_in(template: Template) -> Iterator[Finding]:
    """All findings of all rules."""
    for rule in RULES:
        yield from rule(template)


def keys_once(template: Template) -> Iterator[Finding]:
    """A key names one step, because journeys and other steps refer to it."""
    first: dict[str, int] = {}
    for index, step in enumerate(template.steps):
        if step.key in first:
            yield Finding(
                ("steps", index, "key"),
                f"“{step.key}” is also the key of step {first[step.key] + 1}. Give one of them another key.",
            )
        first.setdefault(step.key, index)


def needs_exist(template: Template) -> Iterator[Finding]:
    """`needs` names other steps of this template, each once."""
    keys = {step.key for step in template.steps}
    for index, step in enumerate(template.steps):
        for key, times in Counter(step.needs).items():
            path = ("steps", index, "needs", step.needs.index(key))
            if key not in keys:
                close = get_close_matches(key, keys, n=1)
                hint = f"Did you mean “{close[0]}”?" if close else "Add that step, or take the need away."
                yield Finding(path, f"There is no step “{key}”. {hint}")
            elif times > 1:
                yield Finding(path, f"“{key}” is needed twice. Once is enough.")


def no_cycles(template: Template) -> Iterator[Finding]:
    """Steps that wait for each other in a ring never open, and neither does what waits for the ring."""
    index_of = {step.key: index for index, step in enumerate(template.steps)}
    edges = {step.key: [n for n in step.needs if n in index_of] for step in template.steps}
    cycles = find_cycles(edges)
    in_cycle = {key for cycle in cycles for key in cycle}
    for cycle in cycles:
        ring = " → ".join([*cycle, cycle[0]])
        yield Finding(
            ("steps", index_of[cycle[0]], "needs"),
            f"These steps wait for each other, so none can ever open: {ring}. Take one of the needs away.",
        )
    never = set(in_cycle)
    while grown := {k for k, needs in edges.items() if k not in never and never.intersection(needs)}:
        never |= grown
    for key in sorted(never - in_cycle):
        yield Finding(
            ("steps", index_of[key], "needs"),
            f"“{key}” can never open: it waits for steps that wait for each other. Mend that ring.",
        )


def conditions_hold_water(template: Template) -> Iterator[Finding]:
    """Conditions compile, read what is there, say yes or no, and can hold at all."""
    sound: dict[str, str] = {}
    for index, step in enumerate(template.steps):
        if not step.when.strip():
            continue
        try:
            _read_condition(step.when, template.audience)
        except ConditionError as error:
            yield Finding(("steps", index, "when"), str(error))
            continue
        if _can_hold((step.when,), template.audience, template.id):
            sound[step.key] = step.when
        else:
            yield Finding(
                ("steps", index, "when"),
                "No departure of this kind can meet this condition, so the step is unreachable. "
                "Mend the condition or take the step out.",
            )
    for index, step in enumerate(template.steps):
        for place, key in enumerate(step.needs):
            if step.key not in sound or key not in sound:
                continue
            if not _can_hold((sound[step.key], sound[key]), template.audience, template.id):
                yield Finding(
                    ("steps", index, "needs", place),
                    f"Whenever this step is there, “{key}” is not: their conditions exclude each other. "
                    "Take the need away or mend a condition.",
                )


@lru_cache(maxsize=1024)
def _read_condition(source: str, audience: SubjectKind) -> tuple[Condition, Reading]:
    condition = compile_condition(source)
    return condition, check_types(condition, audience)


# Trying the combinations of two conditions takes up to 150 ms, and a change of one step leaves most as
# they were.
@lru_cache(maxsize=4096)
def _can_hold(sources: tuple[str, ...], audience: SubjectKind, scenario: str) -> bool:
    return can_hold([_read_condition(source, audience) for source in sources], audience, scenario)


def due_dates_have_a_chance(template: Template) -> Iterator[Finding]:
    """Nothing is due before the notice, and no step before one that it waits for."""
    due_of = {step.key: step.due_rule for step in template.steps}
    for index, step in enumerate(template.steps):
        due = step.due_rule
        if due.anchor is Anchor.NOTICE and due.offset < 0:
            yield Finding(
                ("steps", index, "due"),
                f"“{due}” is before the notice, when nobody knows of the departure. Use notice or later.",
            )
        for key in step.needs:
            other = due_of.get(key)
            if other is not None and _surely_before(due, other):
                yield Finding(
                    ("steps", index, "due"),
                    f"“{due}” is before “{other}”, when “{key}” is due, which this step waits for. "
                    "Move one of the two.",
                )


def _surely_before(one: Due, other: Due) -> bool:
    return one.anchor is other.anchor and _span(one)[1] < _span(other)[0]


def _span(due: Due) -> tuple[float, float]:
    """The fewest and the most calendar days that an offset can be; working days depend on the calendar."""
    if due.unit is Unit.HOURS:
        return due.offset / 24, due.offset / 24
    if due.unit is Unit.DAYS:
        return due.offset, due.offset
    # Weekends at least 2 in 7; with holidays, twice the working days and a fortnight is never exceeded.
    far = 2 * due.offset + (14 if due.offset > 0 else -14 if due.offset < 0 else 0)
    return min(due.offset, far), max(due.offset, far)


def phases_and_roles_filled(template: Template) -> Iterator[Finding]:
    """Each phase and each owner role has a step, or says why not."""
    for phase, name in PHASES.items():
        has_steps = any(step.phase == phase for step in template.steps)
        reason = template.empty_phases.get(phase)
        if not has_steps and not (reason or "").strip():
            yield Finding(
                ("empty_phases", str(phase)),
                f"Phase {phase} ({name}) has no step. Add one, or say why under “empty_phases”.",
            )
        if has_steps and reason is not None:
            yield Finding(
                ("empty_phases", str(phase)),
                f"Phase {phase} ({name}) has steps, so it needs no reason for being empty. Take one away.",
            )
    for phase in template.empty_phases:
        if phase not in PHASES:
            yield Finding(("empty_phases", str(phase)), "Phases are numbered 1 to 10.")
    for role in OWNER_ROLES:
        has_steps = any(step.role is role for step in template.steps)
        reason = template.empty_roles.get(role)
        if not has_steps and not (reason or "").strip():
            yield Finding(
                ("empty_roles", role.value),
                f"{ROLE_LABELS[role]} ({role}) has no step. Add one, or say why under “empty_roles”.",
            )
        if has_steps and reason is not None:
            yield Finding(
                ("empty_roles", role.value),
                f"{ROLE_LABELS[role]} ({role}) has steps, so it needs no reason for being empty. "
                "Take one away.",
            )


def kinds_and_owners_fit(template: Template) -> Iterator[Finding]:
    """The departing side sees its own steps; access is cut by those who answer for it; known guide ids."""
    for index, step in enumerate(template.steps):
        yield from _owner_findings(index, step)
        for place, row in enumerate(step.guide):
            if row not in GUIDE_ROWS:
                yield Finding(
                    ("steps", index, "guide", place),
                    f"There is no guide row “{row}”. The reference of templates lists them.",
                )


def _owner_findings(index: int, step: TemplateStep) -> Iterator[Finding]:
    if step.role is Role.DEPARTING and step.visibility is not Visibility.EVERYBODY:
        yield Finding(
            ("steps", index, "visibility"),
            "The departing side owns this step but could not see it. Write “visibility: everybody”.",
        )
    if step.role is Role.DEPARTING and step.kind is not StepKind.TASK:
        yield Finding(
            ("steps", index, "kind"),
            f"The departing side cannot do a step of kind {step.kind}. Give it to another role.",
        )
    if step.role is Role.ADMIN:
        yield Finding(
            ("steps", index, "role"),
            "Administrators own no steps. Choose the role that answers for this.",
        )
    approvers = load_matrix().operations["access.approve"].allow
    if step.kind is StepKind.ACCESS_APPROVAL and step.role.value not in approvers:
        yield Finding(
            ("steps", index, "role"),
            f"{step.role} may not approve access plans. Choose {', '.join(sorted(approvers))}.",
        )
    if step.kind is StepKind.DEPROVISION and step.role is not Role.IT_SECURITY:
        yield Finding(
            ("steps", index, "role"),
            f"A deprovision step belongs to it_security, not to {step.role}. Change the role or the kind.",
        )


RULES: tuple[Rule, ...] = (
    keys_once,
    needs_exist,
    no_cycles,
    conditions_hold_water,
    due_dates_have_a_chance,
    phases_and_roles_filled,
    kinds_and_owners_fit,
)
