"""What moving a running journey to another version of its template does to its steps. Writes nothing.

The version is planned afresh for the departure, and the plan is laid over the steps that there are:

- What somebody did or left out stays as it is, also where the version asks otherwise or not at all.
- What is not done yet takes over what the version says. An owner whom people chose stays, and so does a date
  that has passed.
- What the version no longer asks for falls away. Where something hangs on it, it stays on record as not
  needed instead, with the reason.
- Ending access and approving that stay while there is an access plan and the version has no such step.
- Steps of one's own stay.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Any

from partwell.journeys.models import Step
from partwell.journeys.owners import Owner
from partwell.journeys.planning import is_set_aside, refresh_blocks
from partwell.journeys.states import PENDING, StepState
from partwell.journeys.template.difference import FieldChange
from partwell.journeys.template.model import StepKind
from partwell.people.roles import ROLE_LABELS, Role
from partwell.refusals import Conflict

# A step's columns by the names that templates have for them.
_FIELDS = {
    "phase": "phase",
    "title": "title",
    "guidance": "guidance",
    "role": "role",
    "due": "due_rule",
    "needs": "needs",
    "when": "condition",
    "evidence": "evidence",
    "kind": "kind",
    "visibility": "visibility",
    "required": "is_required",
}
# What people settled; a version changes nothing in it.
_BY_PEOPLE = frozenset({StepState.DONE, StepState.SKIPPED})
_OF_ACCESS = frozenset({StepKind.ACCESS_APPROVAL, StepKind.DEPROVISION})
WRITTEN = (
    *_FIELDS.values(),
    *("position", "owner", "owner_name", "queue", "due_at", "waits_for", "state", "skip_reason"),
)
"""The columns of a step that may change."""


class Fate(StrEnum):
    """What becomes of a step. `FALLS_AWAY` leaves no row, `SET_ASIDE` one that is not needed and says why;
    `STAYS` is a step that remains although the version has it otherwise, or not at all."""

    ADDED = "added"
    CHANGED = "changed"
    FALLS_AWAY = "falls_away"
    SET_ASIDE = "set_aside"
    STAYS = "stays"


@dataclass(frozen=True)
class Standing:
    """How a step stands: its state, when it is due, and whose it is."""

    state: str
    due_at: datetime
    owner: str

    @classmethod
    def of(cls, step: Step) -> Standing:
        """How it stands now."""
        return cls(step.state, step.due_at, step.owner_name)

    def as_dict(self) -> dict[str, str]:
        """As the API and the command line show it."""
        return {"state": self.state, "due_at": self.due_at.isoformat(), "owner": self.owner}


@dataclass(frozen=True)
class StepChange:
    """One step's fate, with what the version says otherwise of it.

    `before` is None where it is added, `after` where it falls away. `meant_for` is when an added step would
    have been due, where that has passed. `why` says why something stays, or what hangs on it.
    """

    step: Step
    fate: Fate
    fields: tuple[FieldChange, ...] = ()
    before: Standing | None = None
    after: Standing | None = None
    why: str = ""
    meant_for: datetime | None = None

    @property
    def is_handed_on(self) -> bool:
        """Whether it stays a step of this journey and becomes somebody else's."""
        return bool(self.before and self.after and self.before.owner != self.after.owner)

    def as_dict(self) -> dict[str, Any]:
        """As the API and the command line show it."""
        return {
            "key": self.step.key,
            "phase": self.step.phase,
            "title": self.step.title,
            "fate": self.fate.value,
            "fields": [field.as_dict() for field in self.fields],
            "before": self.before.as_dict() if self.before else None,
            "after": self.after.as_dict() if self.after else None,
            "why": self.why,
            "meant_for": self.meant_for.isoformat() if self.meant_for else None,
        }


@dataclass(frozen=True)
class Merged:
    """The steps as they will be, new ones unsaved, and what becomes of each that does not simply stay."""

    steps: tuple[Step, ...]
    changes: tuple[StepChange, ...]
    is_reordered: bool

    def of(self, *fates: Fate) -> list[StepChange]:
        """The changes of one kind, in the order of the journey."""
        return [change for change in self.changes if change.fate in fates]


@dataclass(frozen=True)
class Around:
    """What surrounds the steps of one journey, as far as its steps' fates depend on it.

    `hanging` says by key what hangs on a step, in words. `owner_of` and `meant_for` answer by the rules of
    planning: whose a role's steps are, and when a due rule falls, past or not.
    """

    hanging: Mapping[str, str]
    has_access_plan: bool
    owner_of: Callable[[Role], Owner]
    meant_for: Callable[[str], datetime]
    now: datetime


def merge(steps: Sequence[Step], planned: Sequence[Step], around: Around, *, version: int) -> Merged:
    """Lay a plan made afresh over a journey's steps, given in their order; those that stay are changed.

    `version` is the number that reasons name. Raises `Conflict` where the version has the key of a step of
    one's own.
    """
    return _Merging(steps, planned, around, version).merge()


class _Merging:
    def __init__(self, steps: Sequence[Step], planned: Sequence[Step], around: Around, version: int) -> None:
        self.steps = steps
        self.planned = {step.key: step for step in planned}
        self.around = around
        self.says = f"Version {version} of the template"
        self.asked_kinds = {step.kind for step in planned if step.state != StepState.NOT_NEEDED}

    def merge(self) -> Merged:
        known = {step.key for step in self.steps}
        self._check_keys()
        before = {step.key: Standing.of(step) for step in self.steps}
        order = _order(self.steps)
        phases = {step.key: step.phase for step in self.steps}
        fates: dict[str, StepChange] = {}
        for step in self.steps:
            if not step.is_own and (change := self._decide(step)):
                fates[step.key] = change
        gone = {key for key, change in fates.items() if change.fate is Fate.FALLS_AWAY}
        staying = [step for step in self.steps if step.key not in gone]
        added = [step for step in self.planned.values() if step.key not in known]
        self._place(gone, added)
        merged = sorted([*staying, *added], key=lambda step: (step.phase, step.position))
        refresh_blocks(merged)
        changes = [self._added(step) for step in added]
        for step in self.steps:
            change = fates.get(step.key)
            after = None if step.key in gone else Standing.of(step)
            if change or after not in (None, before[step.key]):
                change = change or StepChange(step, Fate.CHANGED)
                changes.append(
                    StepChange(step, change.fate, change.fields, before[step.key], after, change.why)
                )
        changes.sort(key=lambda change: (change.step.phase, change.step.position, change.step.key))
        still = {step.key for step in staying if step.key in self.planned and step.phase == phases[step.key]}
        is_reordered = [key for key in order if key in still] != [k for k in _order(merged) if k in still]
        return Merged(tuple(merged), tuple(changes), is_reordered)

    def _check_keys(self) -> None:
        for step in self.steps:
            if step.is_own and step.key in self.planned:
                raise Conflict(
                    "key_taken",
                    f"{self.says} has a step “{step.key}”, which is the name of “{step.title}”, a step of "
                    "this journey’s own. Give the template’s step another key.",
                )

    def _decide(self, step: Step) -> StepChange | None:
        """The fate of one step, which takes over what it takes over; None where nothing becomes of it."""
        rule = self.planned.get(step.key)
        fields = _fields(step, rule) if rule else ()
        if step.state in _BY_PEOPLE:
            if rule and not fields:
                return None
            word = "done" if step.state == StepState.DONE else "left out"
            otherwise = "asks otherwise" if rule else "does not ask for it"
            return StepChange(step, Fate.STAYS, fields, why=f"It is {word} already. {self.says} {otherwise}.")
        if step.state in PENDING and self._holds_access(step):
            return StepChange(
                step,
                Fate.STAYS,
                why=f"There is an access plan. {self.says} has no step for it here.",
            )
        if rule:
            return self._take_over(step, rule, fields)
        hanging = self.around.hanging.get(step.key)
        if hanging is None:
            return StepChange(step, Fate.FALLS_AWAY)
        if is_set_aside(step):
            return None
        step.state, step.skip_reason = StepState.NOT_NEEDED, f"{self.says} no longer asks for it."
        return StepChange(step, Fate.SET_ASIDE, why=hanging)

    def _holds_access(self, step: Step) -> bool:
        return self.around.has_access_plan and step.kind in _OF_ACCESS and step.kind not in self.asked_kinds

    def _take_over(self, step: Step, rule: Step, fields: tuple[FieldChange, ...]) -> StepChange | None:
        was_needed, is_needed = step.state in PENDING, rule.state != StepState.NOT_NEEDED
        why = self._take_over_owner(step, rule)
        if self._takes_date(step, rule, is_new=is_needed and not was_needed):
            step.due_at = rule.due_at
        for column in _FIELDS.values():
            setattr(step, column, getattr(rule, column))
        if was_needed != is_needed or not was_needed:
            step.state, step.skip_reason = rule.state, ""
        return StepChange(step, Fate.CHANGED, fields, why=why) if fields else None

    def _takes_date(self, step: Step, rule: Step, *, is_new: bool) -> bool:
        if is_new:
            return True
        now = self.around.now
        is_late_both_ways = step.due_at < now and self.around.meant_for(rule.due_rule) < now
        return step.due_rule != rule.due_rule and not is_late_both_ways

    def _take_over_owner(self, step: Step, rule: Step) -> str:
        """Give a step to whom the version's role gives it; why not, where people chose another."""
        if step.role == rule.role:
            return ""
        if step.owner_id is not None and rule.role != Role.DEPARTING:
            usual = self.around.owner_of(Role(step.role))
            if (step.owner_id, step.queue) != (usual.user.pk if usual.user else None, usual.queue):
                return (
                    f"Stays with {step.owner_name}, whose it became by somebody’s choice. "
                    f"{self.says} would give it to {ROLE_LABELS[Role(rule.role)]}."
                )
        step.owner, step.owner_name, step.queue = rule.owner, rule.owner_name, rule.queue
        return ""

    def _place(self, gone: set[str], added: Sequence[Step]) -> None:
        """Number the steps in the version's order; what it has not stands behind what it stood behind."""
        order = list(self.planned)
        before = ""
        template_steps = [step for step in self.steps if not step.is_own and step.key not in gone]
        for step in template_steps:
            if step.key not in self.planned:
                order.insert(order.index(before) + 1 if before else 0, step.key)
            before = step.key
        places = {key: place for place, key in enumerate(order, start=1)}
        for step in (*template_steps, *added):
            step.position = places[step.key]

    def _added(self, step: Step) -> StepChange:
        meant_for = self.around.meant_for(step.due_rule)
        is_past = step.state in PENDING and meant_for < self.around.now
        return StepChange(step, Fate.ADDED, after=Standing.of(step), meant_for=meant_for if is_past else None)


def _fields(step: Step, rule: Step) -> tuple[FieldChange, ...]:
    pairs = ((name, getattr(step, column), getattr(rule, column)) for name, column in _FIELDS.items())
    return tuple(FieldChange(name, _plain(old), _plain(new)) for name, old, new in pairs if old != new)


def _plain(value: Any) -> Any:
    return value.value if isinstance(value, StrEnum) else value


def _order(steps: Sequence[Step]) -> list[str]:
    """Keys as pages list them."""
    return [step.key for step in sorted(steps, key=lambda step: (step.phase, step.position))]
