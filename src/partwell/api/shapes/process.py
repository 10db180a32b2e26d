"""What the view of the process looks like, and the upkeep of templates."""

from __future__ import annotations

from ninja import Schema
from pydantic import Field

from partwell.api.shapes import Body, Line, Text
from partwell.api.shapes.access import CutShape
from partwell.api.shapes.journeys import StepShape


class OwnerBody(Body):
    owner: Line | None = Field(description="The e-mail address of whoever answers for it; null for nobody.")


class ReviewBody(Body):
    version: int = Field(ge=1, le=2**31 - 1, description="The version that was read.")
    note: Text


class UpkeepShape(Schema):
    id: str
    title: str
    version: int
    owner: str | None
    last_read_at: str | None = Field(description="Said to hold, or published here.")
    last_read_by: str | None
    review_note: str
    lacks: list[str] = Field(description="no_owner, owner_gone, never_read, unread; empty where all is well.")


class JourneyCounts(Schema):
    under_way: int = Field(description="Ran at some moment of the period.")
    begun: int
    closed: int
    withdrawn: int
    running: int = Field(description="Run now.")


class LatenessShape(Schema):
    """Steps that were due in the period; without figures where they are too few to tell of."""

    step: str | None = None
    title: str | None = None
    role: str
    too_few: bool
    due: int | None = None
    in_time: int | None = None
    late: int | None = Field(None, description="Settled after they were due.")
    open_late: int | None = None
    missed_percent: int | None = None
    median_days_late: float | None = None


class SkippedStepShape(Schema):
    template: str
    step: str
    title: str
    role: str
    skipped: int


class SkipShape(Schema):
    departure: str
    subject: str
    template: str
    step: str
    title: str
    reason: str
    settled_at: str | None
    settled_by: str


class ProcessOverride(Schema):
    departure: str
    subject: str
    template: str
    reason: str
    asked_by: str
    approved_by: str | None
    closed_at: str | None


class DaysShape(Schema):
    """Calendar days, rounded down; null where they are too few to tell of."""

    journeys: int | None
    median_days: float | None
    p90_days: int | None


class PhaseShape(Schema):
    phase: int
    title: str
    worked_on: DaysShape = Field(description="From the first settled step to the last, of closed journeys.")
    finished_after_start: DaysShape
    running_now: DaysShape = Field(description="Since the first settled step, of journeys that run.")


class LoadShape(Schema):
    owner: int | None
    queue: str | None
    name: str
    open: int
    late: int
    due_soon: int
    blocked: int
    oldest_due_at: str | None
    overloaded: bool


class ProcessShape(Schema):
    since: str
    until: str
    timezone: str
    template: str | None
    audience: str | None
    department: str | None
    about: str
    journeys: JourneyCounts
    too_few: bool = Field(description="Fewer than five journeys of this department: nothing past is told.")
    late_by_role: list[LatenessShape]
    late_by_step: list[LatenessShape]
    skipped_steps: list[SkippedStepShape]
    skipped_newest: list[SkipShape]
    closed_with_override: list[ProcessOverride]
    override_asked: list[ProcessOverride]
    cuts: list[CutShape]
    phases: list[PhaseShape]
    soon_until: str
    people: list[LoadShape]
    queues: list[LoadShape]
    templates: list[UpkeepShape]


class ListedStepShape(StepShape):
    departure: str
    subject: str
    template: str
