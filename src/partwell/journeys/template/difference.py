"""What differs between two templates that grew from one: two versions, or a template and its copy.

A step is the same step where its key is the same, because a key never changes. Nothing is matched by wording:
a step that was given another key counts as removed and added.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from pydantic import BaseModel

from partwell.journeys.template.model import PHASES, Template, TemplateStep


@dataclass(frozen=True)
class FieldChange:
    """A field by its name in the file, and its values as JSON has them.

    Reasons for emptiness are one field each, as in `empty_phases.5`; there None means that there is none.
    """

    field: str
    old: Any
    new: Any

    def as_dict(self) -> dict[str, Any]:
        """The change as the API and the command line show it."""
        return {"field": self.field, "old": self.old, "new": self.new}


@dataclass(frozen=True)
class StepChange:
    """A step of both whose fields differ; never empty."""

    old: TemplateStep
    new: TemplateStep
    fields: tuple[FieldChange, ...]


@dataclass(frozen=True)
class Move:
    """A step that stands elsewhere among the steps of its phase. Places count from 1.

    As few steps as possible are said to have moved; a step that others made room for has not.
    """

    step: TemplateStep
    old_place: int
    new_place: int


@dataclass(frozen=True)
class Difference:
    """All that differs. `fields` are the template's own; steps come in the order of their template.

    `is_mixed_anew` says that steps of different phases stand in another order in the file; no page shows it.
    """

    fields: tuple[FieldChange, ...]
    added: tuple[TemplateStep, ...]
    removed: tuple[TemplateStep, ...]
    changed: tuple[StepChange, ...]
    moved: tuple[Move, ...]
    old_order: tuple[str, ...]
    new_order: tuple[str, ...]
    is_mixed_anew: bool

    @property
    def count(self) -> int:
        """How many things differ: own fields, and steps in each way in which they do."""
        parts = (self.fields, self.added, self.removed, self.changed, self.moved)
        return sum(map(len, parts)) + self.is_mixed_anew

    def as_dict(self) -> dict[str, Any]:
        """The difference as the API and the command line show it."""
        return {
            "fields": [change.as_dict() for change in self.fields],
            "added": [step_head(step) for step in self.added],
            "removed": [step_head(step) for step in self.removed],
            "changed": [
                {**step_head(each.new), "fields": [change.as_dict() for change in each.fields]}
                for each in self.changed
            ],
            "moved": [
                {**step_head(each.step), "old_place": each.old_place, "new_place": each.new_place}
                for each in self.moved
            ],
            "is_mixed_anew": self.is_mixed_anew,
        }


def difference(old: Template, new: Template) -> Difference:
    """What differs from `old` to `new`; with the sides exchanged it is the same the other way round."""
    before = {step.key: step for step in old.steps}
    after = {step.key: step for step in new.steps}
    both = [step for step in new.steps if step.key in before]
    moved = tuple(_moves(before, after))
    changed = (StepChange(before[step.key], step, step_changes(before[step.key], step)) for step in both)
    kept_order = [key for key in before if key in after] == [step.key for step in both]
    is_still = not moved and all(before[step.key].phase == step.phase for step in both)
    return Difference(
        fields=tuple(_changes(old, new, leave_out={"steps"})),
        added=tuple(step for step in new.steps if step.key not in before),
        removed=tuple(step for step in old.steps if step.key not in after),
        changed=tuple(each for each in changed if each.fields),
        moved=moved,
        old_order=tuple(before),
        new_order=tuple(after),
        is_mixed_anew=is_still and not kept_order,
    )


def step_changes(old: TemplateStep, new: TemplateStep) -> tuple[FieldChange, ...]:
    """The fields in which two steps differ, their keys left out."""
    return tuple(_changes(old, new, leave_out={"key"}))


def step_head(step: TemplateStep) -> dict[str, Any]:
    """What names a step to people and programs."""
    return {"key": step.key, "phase": step.phase, "role": step.role.value, "title": step.title}


def _changes(old: BaseModel, new: BaseModel, *, leave_out: set[str]) -> Iterator[FieldChange]:
    before = old.model_dump(mode="json", exclude=leave_out)
    after = new.model_dump(mode="json", exclude=leave_out)
    for name, value in before.items():
        if isinstance(value, dict):
            for key in sorted({*value, *after[name]}, key=lambda each: (len(str(each)), each)):
                if value.get(key) != after[name].get(key):
                    yield FieldChange(f"{name}.{key}", value.get(key), after[name].get(key))
        elif value != after[name]:
            yield FieldChange(name, value, after[name])


def _moves(before: dict[str, TemplateStep], after: dict[str, TemplateStep]) -> Iterator[Move]:
    for phase in PHASES:
        was = [key for key, step in before.items() if step.phase == phase]
        now = [key for key, step in after.items() if step.phase == phase]
        both = set(was) & set(now)
        staying = _staying([key for key in was if key in both], [key for key in now if key in both])
        for key in now:
            if key in both and key not in staying:
                yield Move(after[key], was.index(key) + 1, now.index(key) + 1)


def _staying(old: Sequence[str], new: Sequence[str]) -> set[str]:
    """Of two orders of the same keys the most keys that keep their order; of several such sets always the
    same one, whichever order is the old one."""
    if old == new:
        return set(old)
    was = {key: place for place, key in enumerate(old)}
    now = {key: place for place, key in enumerate(new)}

    def follows(key: str, other: str) -> bool:
        return was[key] > was[other] and now[key] > now[other]

    longest: dict[str, int] = {}
    for key in reversed(old):
        longest[key] = 1 + max((longest[k] for k in longest if follows(k, key)), default=0)
    kept: list[str] = []
    for wanted in range(max(longest.values()), 0, -1):
        kept.append(min(k for k in old if longest[k] == wanted and (not kept or follows(k, kept[-1]))))
    return set(kept)
