"""What periods, samples and controls look like."""

from __future__ import annotations

from ninja import Schema
from pydantic import Field

from partwell.api.shapes import Body, Day
from partwell.closure.audits.samples import MOST, USUAL


class SampleBody(Body):
    since: Day
    until: Day
    size: int = Field(USUAL, ge=1, le=MOST)
    seed: str = Field("", max_length=64, description="Made where none is given.")


class LeaverShape(Schema):
    ref: str
    name: str
    department: str
    left_on: str
    departure: str | None = Field(description="Null where there is none that you may read.")
    doubts: list[str] = Field(description="Where register and departure do not say the same.")


class TimeClass(Schema):
    up_to_minutes: int | None = Field(description="After access end; null for longer than all others.")
    accounts: int


class TimesShape(Schema):
    sla: str
    minutes: int
    accounts: int
    revoked: int = Field(description="Proven gone.")
    in_time: int
    late: int = Field(description="Proven gone, after their time.")
    said: int = Field(description="By a person's word, which is no proof.")
    overdue: int = Field(description="Open, and past their time.")
    open: int
    times: list[TimeClass]


class SampleShape(Schema):
    id: str
    drawn_at: str
    drawn_by: str
    since: str
    until: str
    seed: str
    seed_given: bool = Field(description="False where Partwell made it.")
    size: int = Field(description="How many were asked for.")
    population: str = Field(description="SHA-256 of who was drawn from.")
    count: int = Field(description="How many those were.")
    drawn: list[str] = Field(description="The references drawn, in the order of the draw.")
    number: int = Field(description="Which draw of its period it is.")
    of: int = Field(description="How many draws of its period there are.")


class AuditShape(Schema):
    since: str
    until: str
    count: int
    population: str
    without_journey: int
    doubtful: int
    leavers: list[LeaverShape]
    time_to_revoke: list[TimesShape]
    samples: list[SampleShape]


class ControlShape(Schema):
    id: str
    standard: str
    title: str
    expects: str
    limit: str
    source: str
    certainty: str = Field(description="A: the text itself was read; B: a secondary source; C: from memory.")


class FindingShape(Schema):
    id: str
    standard: str
    standing: str = Field(description="gap, unknown, late, attested, proof or not_applicable.")
    words: str
    says: str
    reason: str


class DrawnShape(Schema):
    ref: str
    name: str
    in_population: bool = Field(description="False where the population has them no more.")
    departure: str | None
    doubts: list[str]
    controls: list[FindingShape]


class SampleViewShape(SampleShape):
    population_is_the_same: bool
    controls: list[ControlShape]
    people: list[DrawnShape]
