"""The journey template as a value: what a YAML file says, checked for shape.

`template.schema.json` is generated from these classes. Whether the steps hang together (cycles, roles,
conditions) is `check.py`'s business; here it is only that each value is of its kind.
"""

from __future__ import annotations

import re
from enum import StrEnum
from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field, field_validator

from partwell.departures.states import Confidentiality, InitiatedBy, SubjectKind
from partwell.people.roles import Role

PHASES: dict[int, str] = {
    1: "Notice",
    2: "Transition planning",
    3: "Initiation",
    4: "Knowledge transfer",
    5: "Asset returns",
    6: "Data security",
    7: "Final settlement",
    8: "Exit interview",
    9: "Farewell",
    10: "Future contacts",
}


class Anchor(StrEnum):
    """The four dates of a departure that due dates hang on."""

    NOTICE = "notice"
    LAST_WORKING_DAY = "last_working_day"
    ACCESS_END = "access_end"
    CONTRACT_END = "contract_end"


class Unit(StrEnum):
    """Working days follow the leaver's country; hours are counted from the anchor's very moment."""

    WORKING_DAYS = "working_days"
    DAYS = "days"
    HOURS = "hours"


class EvidenceKind(StrEnum):
    """What a step asks for before it counts as done."""

    NONE = "none"
    NOTE = "note"
    FILE = "file"
    LINK = "link"
    SIGN_OFF = "sign_off"


class StepKind(StrEnum):
    """`TASK` a person does, `APPROVAL` a second person gives; `ACCESS_APPROVAL` is settled by the approval
    of the access plan and `DEPROVISION` by its result, never by a tick."""

    TASK = "task"
    APPROVAL = "approval"
    ACCESS_APPROVAL = "access_approval"
    DEPROVISION = "deprovision"


class Visibility(StrEnum):
    """`EVERYBODY` is also shown to the one who leaves, on their own page; `INSIDE` never is."""

    INSIDE = "inside"
    EVERYBODY = "everybody"


_DUE = re.compile(
    r"^(?P<anchor>notice|last_working_day|access_end|contract_end)"
    r"(?: (?P<sign>[+-])(?P<count>\d{1,3}) (?P<unit>working_days?|days?|hours?))?$"
)
DUE_PATTERN = (
    r"^(notice|last_working_day|access_end|contract_end)( [+-]\d{1,3} (working_days?|days?|hours?))?$"
)
KEY_PATTERN = r"^[a-z][a-z0-9]*(-[a-z0-9]+)*$"


class Due(BaseModel):
    """When a step is due: an anchor, and how far from it."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    anchor: Anchor
    offset: int = 0
    unit: Unit = Unit.DAYS

    @classmethod
    def parse(cls, text: str) -> Due:
        """Read `last_working_day -5 working_days`; raises `ValueError` with an example otherwise."""
        found = _DUE.match(text.strip())
        if found is None:
            raise ValueError(
                f"{text!r} is no due date; write an anchor (notice, last_working_day, access_end, "
                "contract_end) and a distance, as in “last_working_day -5 working_days”"
            )
        if found["sign"] is None:
            return cls(anchor=Anchor(found["anchor"]))
        unit = Unit(found["unit"].rstrip("s") + "s")
        return cls(anchor=Anchor(found["anchor"]), offset=int(found["sign"] + found["count"]), unit=unit)

    def __str__(self) -> str:
        if not self.offset:
            return self.anchor.value
        unit = self.unit.value if abs(self.offset) != 1 else self.unit.value[:-1]
        return f"{self.anchor} {self.offset:+d} {unit}"


class TemplateStep(BaseModel):
    """One step of a template."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    key: Annotated[str, Field(pattern=KEY_PATTERN, max_length=60)]
    phase: Annotated[int, Field(ge=1, le=10)]
    title: Annotated[str, Field(min_length=3, max_length=140)]
    guidance: Annotated[str, Field(max_length=6000)] = ""
    role: Role
    due: Annotated[str, Field(pattern=DUE_PATTERN)]
    needs: tuple[str, ...] = ()
    when: Annotated[str, Field(max_length=500)] = ""
    evidence: EvidenceKind = EvidenceKind.NONE
    kind: StepKind = StepKind.TASK
    visibility: Visibility = Visibility.INSIDE
    required: bool = True
    guide: tuple[str, ...] = ()

    @field_validator("due")
    @classmethod
    def _due_reads(cls, value: str) -> str:
        Due.parse(value)
        return value

    @property
    def due_rule(self) -> Due:
        """The due date as a value."""
        return Due.parse(self.due)


class Template(BaseModel):
    """A whole template. `empty_phases` and `empty_roles` give the reason for what has no step."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    id: Annotated[str, Field(pattern=KEY_PATTERN, max_length=60)]
    title: Annotated[str, Field(min_length=3, max_length=140)]
    summary: Annotated[str, Field(min_length=20, max_length=2000)]
    audience: SubjectKind
    initiated_by: InitiatedBy
    confidentiality: Confidentiality = Confidentiality.NORMAL
    reasons: Annotated[tuple[str, ...], Field(min_length=1)]
    empty_phases: dict[int, str] = Field(default_factory=dict)
    empty_roles: dict[Role, str] = Field(default_factory=dict)
    steps: Annotated[tuple[TemplateStep, ...], Field(min_length=1, max_length=400)]

    def step(self, key: str) -> TemplateStep:
        """The step with this key; raises `KeyError`."""
        for step in self.steps:
            if step.key == key:
                return step
        raise KeyError(key)

    @property
    def numbers(self) -> dict[str, str]:
        """Each step's number by its key: its phase and its place in it, as in 6.3."""
        placed = dict.fromkeys(PHASES, 0)
        found = {}
        for step in self.steps:
            placed[step.phase] += 1
            found[step.key] = f"{step.phase}.{placed[step.phase]}"
        return found
