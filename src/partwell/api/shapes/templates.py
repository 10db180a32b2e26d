"""Journey templates beside each other, and what waits for what in one."""

from __future__ import annotations

from typing import Any

from ninja import Schema


class StepHead(Schema):
    key: str
    phase: int
    role: str
    title: str


class TemplateFieldChange(Schema):
    """A field by its name in the file. Reasons for emptiness are one field each, null for none."""

    field: str
    old: Any
    new: Any


class ChangedStep(StepHead):
    fields: list[TemplateFieldChange]


class MovedStep(StepHead):
    """Places among the steps of the phase, from 1."""

    old_place: int
    new_place: int


class TemplateDifference(Schema):
    """What one version changed of another. `is_mixed_anew`: phases are mixed otherwise in the file."""

    id: str
    old_version: int
    new_version: int
    count: int
    fields: list[TemplateFieldChange]
    added: list[StepHead]
    removed: list[StepHead]
    changed: list[ChangedStep]
    moved: list[MovedStep]
    is_mixed_anew: bool


class ComparedTemplate(Schema):
    id: str
    version: int
    title: str
    audience: str


class LikenessCounts(Schema):
    same_key: int
    counterparts: int
    only_left: int
    only_right: int


class ComparedPair(Schema):
    likeness: str
    left: StepHead | None
    right: StepHead | None
    fields: list[TemplateFieldChange]


class ComparedPhase(Schema):
    phase: int
    title: str
    counts: LikenessCounts
    steps: list[ComparedPair]


class ServedRows(Schema):
    """Rows of good practice by which of both templates serves them."""

    both: list[str]
    only_left: list[str]
    only_right: list[str]


class TemplateComparison(Schema):
    """Two templates side by side. A step that has two owners counts for both roles."""

    left: ComparedTemplate
    right: ComparedTemplate
    counts: LikenessCounts
    roles: dict[str, LikenessCounts]
    guide: ServedRows
    phases: list[ComparedPhase]


class StepLinks(Schema):
    """Keys: its neighbours (`needs`, `opens`), all that comes `before` it, and all that waits `after` it."""

    key: str
    needs: list[str]
    opens: list[str]
    before: list[str]
    after: list[str]


class HoldingStep(Schema):
    key: str
    steps: int


class _Dependencies(Schema):
    id: str
    steps: list[StepLinks]
    longest: list[str]
    holding_up: list[HoldingStep]
    rings: list[list[str]]


class TemplateDependencies(_Dependencies):
    """What waits for what, the longest chain, and the steps that hold up most."""

    version: int


class DraftDependencies(_Dependencies):
    """What waits for what in a draft, with the steps that wait for each other in a ring."""

    revision: int
