"""What rounds look like: many departures at once."""

from __future__ import annotations

from typing import Any

from ninja import Schema
from pydantic import Field

from partwell.api.shapes.office import BadLineShape


class RoundShape(Schema):
    id: str
    name: str
    template: str
    template_version: int
    state: str
    confidentiality: str
    notice_date: str | None
    starts_at: str | None = Field(description="When the first start; null for as soon as it is approved.")
    batch_size: int | None = Field(description="How many start on a working day; null for all at once.")
    digest: str = Field(description="Names exactly what was prepared.")
    prepared_by: str
    prepared_at: str
    approved_by: str | None
    approved_at: str | None
    recalled_by: str | None
    recalled_at: str | None
    recall_reason: str


class DroppedOut(Schema):
    name: str
    email: str
    reason: str


class DriftShape(Schema):
    """What changed since it was prepared; looked at while it waits for approval."""

    obstacles: list[str] = Field(description="What needs a new preparation.")
    leaving_out: list[DroppedOut] = Field(description="Whom an approval leaves out.")


class MemberShape(Schema):
    key: int = Field(description="By which a recall names them.")
    name: str
    email: str
    state: str
    starts_at: str | None
    last_working_day: str
    journey: str | None
    phase: str | None
    done: int
    total: int
    late: int
    next_due_at: str | None
    access: str | None
    note: str
    outcome: dict[str, Any] = Field(description="Of a recall: steps done, accounts that can be restored.")


class RoundView(RoundShape):
    sums: dict[str, int]
    overview: dict[str, Any] = Field(description="Owners' loads and dates that clash, as prepared.")
    drift: DriftShape | None
    people: list[MemberShape]
    next: str | None = Field(description="Cursor of the next people; null at the end.")


class PlannedShape(Schema):
    line: int
    name: str
    email: str
    starts_on: str
    notice_date: str
    last_working_day: str
    access_end: str
    steps: int


class LeftOutShape(Schema):
    name: str
    reason: str


class PreviewShape(Schema):
    """What a round would be. Nothing of it exists."""

    name: str
    template: str
    template_version: int
    confidentiality: str
    digest: str
    people: list[PlannedShape]
    bad_lines: list[BadLineShape] = Field(description="With one of these nothing can be prepared.")
    left_out: list[LeftOutShape]
    overview: dict[str, Any]
