"""Two templates of different endings side by side: what they share, and what only one of them has.

Three rules decide, and none reads wording. Steps with the same key are **one step**. Of the others two are
**counterparts** when they stand in the same phase, are of the same kind and name exactly the same rows of
good practice, and no third step does. Everything else belongs to one template only. The rows that both serve,
by whatever steps, are counted apart.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

from partwell.journeys.template.difference import FieldChange, step_changes, step_head
from partwell.journeys.template.guide import GUIDE_ROWS
from partwell.journeys.template.model import PHASES, StepKind, Template, TemplateStep
from partwell.people.roles import Role


class Likeness(StrEnum):
    """What two templates have in a step."""

    SAME_KEY = "same_key"
    COUNTERPARTS = "counterparts"
    ONLY_LEFT = "only_left"
    ONLY_RIGHT = "only_right"


@dataclass(frozen=True)
class Pair:
    """What stands side by side. `changes` are the fields in which a step of both differs."""

    likeness: Likeness
    left: TemplateStep | None
    right: TemplateStep | None
    changes: tuple[FieldChange, ...] = ()

    @property
    def steps(self) -> tuple[TemplateStep, ...]:
        """The one step, or both."""
        return tuple(step for step in (self.left, self.right) if step is not None)

    @property
    def phase(self) -> int:
        """The phase under which it is shown; the earlier one where the two stand in different phases."""
        return min(step.phase for step in self.steps)

    @property
    def roles(self) -> frozenset[Role]:
        """Who owns it, on either side."""
        return frozenset(step.role for step in self.steps)

    def as_dict(self) -> dict[str, Any]:
        """The pair as the API and the command line show it."""
        return {
            "likeness": self.likeness.value,
            "left": step_head(self.left) if self.left else None,
            "right": step_head(self.right) if self.right else None,
            "fields": [change.as_dict() for change in self.changes],
        }


@dataclass(frozen=True)
class Counts:
    """How many steps of one phase or role there are, by what the two templates have in them."""

    same_key: int
    counterparts: int
    only_left: int
    only_right: int

    @classmethod
    def of(cls, pairs: Iterable[Pair]) -> Counts:
        """The counts of some pairs."""
        found = [pair.likeness for pair in pairs]
        return cls(*(found.count(likeness) for likeness in Likeness))

    @property
    def total(self) -> int:
        """How many pairs and single steps there are."""
        return self.same_key + self.counterparts + self.only_left + self.only_right

    def as_dict(self) -> dict[str, int]:
        """The counts as the API and the command line show them."""
        return {
            "same_key": self.same_key,
            "counterparts": self.counterparts,
            "only_left": self.only_left,
            "only_right": self.only_right,
        }


@dataclass(frozen=True)
class Practice:
    """Rows of good practice, in the guide's order, by which of the two templates serves them."""

    both: tuple[str, ...]
    only_left: tuple[str, ...]
    only_right: tuple[str, ...]

    def as_dict(self) -> dict[str, list[str]]:
        """The rows as the API and the command line show them."""
        return {"both": [*self.both], "only_left": [*self.only_left], "only_right": [*self.only_right]}


@dataclass(frozen=True)
class Comparison:
    """Two templates side by side; `pairs` in the order of `Likeness`, then in that of their templates."""

    pairs: tuple[Pair, ...]
    practice: Practice

    def of_phase(self, phase: int) -> list[Pair]:
        """What is shown under a phase."""
        return [pair for pair in self.pairs if pair.phase == phase]

    def of_role(self, role: Role) -> list[Pair]:
        """What a role owns on either side."""
        return [pair for pair in self.pairs if role in pair.roles]

    def as_dict(self) -> dict[str, Any]:
        """The comparison as the API and the command line show it."""
        roles = {role: Counts.of(self.of_role(role)) for role in Role}
        return {
            "counts": Counts.of(self.pairs).as_dict(),
            "roles": {role.value: counts.as_dict() for role, counts in roles.items() if counts.total},
            "guide": self.practice.as_dict(),
            "phases": [
                {
                    "phase": phase,
                    "title": title,
                    "counts": Counts.of(self.of_phase(phase)).as_dict(),
                    "steps": [pair.as_dict() for pair in self.of_phase(phase)],
                }
                for phase, title in PHASES.items()
            ],
        }


def compare(left: Template, right: Template) -> Comparison:
    """Both side by side; with the sides exchanged it says the same the other way round."""
    lefts = {step.key: step for step in left.steps}
    rights = {step.key: step for step in right.steps}
    same = [
        Pair(Likeness.SAME_KEY, step, rights[key], step_changes(step, rights[key]))
        for key, step in lefts.items()
        if key in rights
    ]
    left_over = [step for key, step in lefts.items() if key not in rights]
    right_over = [step for key, step in rights.items() if key not in lefts]
    counterparts = _counterparts(left_over, right_over)
    paired = {step.key for pair in counterparts for step in pair.steps}
    only_left = [Pair(Likeness.ONLY_LEFT, step, None) for step in left_over if step.key not in paired]
    only_right = [Pair(Likeness.ONLY_RIGHT, None, step) for step in right_over if step.key not in paired]
    return Comparison((*same, *counterparts, *only_left, *only_right), _practice(left, right))


def _counterparts(left: list[TemplateStep], right: list[TemplateStep]) -> list[Pair]:
    lefts, rights = _by_purpose(left), _by_purpose(right)
    return [
        Pair(Likeness.COUNTERPARTS, steps[0], rights[purpose][0], step_changes(steps[0], rights[purpose][0]))
        for purpose, steps in lefts.items()
        if len(steps) == 1 and len(rights.get(purpose, ())) == 1
    ]


Purpose = tuple[int, StepKind, frozenset[str]]


def _by_purpose(steps: list[TemplateStep]) -> dict[Purpose, list[TemplateStep]]:
    """Steps that name rows of good practice, by phase, kind and these rows."""
    found: dict[Purpose, list[TemplateStep]] = defaultdict(list)
    for step in steps:
        if step.guide:
            found[step.phase, step.kind, frozenset(step.guide)].append(step)
    return dict(found)


def _practice(left: Template, right: Template) -> Practice:
    lefts = {row for step in left.steps for row in step.guide}
    rights = {row for step in right.steps for row in step.guide}
    return Practice(
        both=tuple(row for row in GUIDE_ROWS if row in lefts & rights),
        only_left=tuple(row for row in GUIDE_ROWS if row in lefts - rights),
        only_right=tuple(row for row in GUIDE_ROWS if row in rights - lefts),
    )
