"""What a departure, its journey and its steps look like."""

from __future__ import annotations

from typing import Any

from ninja import Schema
from pydantic import ConfigDict, Field

from partwell.api.shapes.templates import TemplateFieldChange


class StepShape(Schema):
    key: str
    phase: int = Field(ge=1, le=10)
    title: str
    role: str
    owner: str | None
    due_at: str
    state: str
    blocked_by: list[str]
    kind: str
    evidence: str
    required: bool
    note: str
    skip_reason: str
    settled_at: str | None
    settled_by: str | None


class AttachmentShape(Schema):
    id: str
    name: str
    size: int
    sha256: str
    attached_by: str
    attached_at: str


class CommentShape(Schema):
    author: str
    text: str
    written_at: str


class StepDetail(StepShape):
    guidance: str
    due_rule: str
    needs: list[str]
    link: str
    files: list[AttachmentShape]
    comments: list[CommentShape]


class MyStepShape(StepShape):
    """A step in a list over several journeys."""

    journey: str
    subject: str


class JourneyRow(Schema):
    id: str
    subject: str
    template: str
    state: str
    last_working_day: str
    done: int
    total: int
    late: int


class SubjectShape(Schema):
    kind: str
    name: str
    email: str


class JourneyShape(Schema):
    """A journey; of a dry run `id` is null. `reason` and `rehire` are there for those who may read them."""

    model_config = ConfigDict(extra="allow")
    id: str | None
    subject: SubjectShape
    template: str
    state: str
    last_working_day: str
    access_end: str
    contract_end: str
    steps: list[StepShape]


class ParticipantShape(Schema):
    id: int
    name: str
    email: str
    part: str
    title: str
    since: str
    why: str
    added_by: str | None = Field(description="Who let them in; null where it followed from the plan.")
    pending_steps: int
    can_sign_in: bool


class GuestShape(Schema):
    """A guest's link, without what opens it."""

    id: str
    email: str
    name: str
    capacity: str
    steps: list[str]
    is_work_address: bool
    state: str
    invited_by: str
    invited_at: str
    opened_at: str | None
    ends_at: str


class WaitingNotice(Schema):
    """A notice, for those who settle it."""

    id: str
    subject: str
    person: str | None
    client: str | None
    template: str
    notice_date: str
    last_working_day: str
    reason: str
    given_by: str
    given_at: str
    state: str
    journey: str | None


class NoticeShape(Schema):
    """HR has the notice; the answer is the same whoever is leaving already."""

    notice: str


class DateChangeShape(Schema):
    field: str
    before: str
    after: str


class StepMove(Schema):
    key: str
    title: str
    due_before: str
    due_after: str
    state_before: str
    state_after: str


class MoveShape(Schema):
    """What a change of dates or facts changes."""

    id: str
    dates: list[DateChangeShape]
    steps: list[StepMove]
    warnings: list[str]


class StandingShape(Schema):
    state: str
    due_at: str
    owner: str


class StepVersionChange(Schema):
    """What becomes of one step. `before` is null where it is added, `after` where it falls away; `meant_for`
    is when an added step would have been due, where that has passed."""

    key: str
    phase: int
    title: str
    fate: str = Field(description="added, changed, falls_away, set_aside or stays.")
    fields: list[TemplateFieldChange]
    before: StandingShape | None
    after: StandingShape | None
    why: str
    meant_for: str | None


class VersionChangeShape(Schema):
    """What moving a journey to another version of its template changes; `digest` names exactly this."""

    id: str
    subject: str
    template: str
    old_version: int
    new_version: int
    is_reordered: bool
    steps: list[StepVersionChange]
    digest: str


class BehindShape(Schema):
    """A journey on an earlier version, and how many steps would have which fate. `message` says why it cannot
    be moved; then `digest` is empty."""

    id: str
    subject: str
    last_working_day: str
    version: int
    digest: str
    counts: dict[str, int]
    message: str


class VersionOutcome(Schema):
    """What came of one journey of several. `subject` is empty where the caller sees no such journey."""

    id: str
    subject: str
    moved: bool
    changed: int
    code: str
    message: str


class WithdrawalShape(Schema):
    id: str
    state: str
    done: list[str]
    restorable: list[dict[str, Any]]
    given: list[dict[str, Any]]


class ClosedShape(Schema):
    id: str
    state: str
    ended_at: str | None
    evidence: str


class OverrideShape(Schema):
    id: str
    state: str
    override: str
