"""The shapes of requests and answers, as OpenAPI shows them. Requests are checked against theirs.

Here is what all calls share; the answers of each part of the API stand in the modules beside this one.
"""

from __future__ import annotations

from datetime import UTC, date, datetime
from typing import Annotated, Generic, TypeVar

from ninja import Query, Schema
from pydantic import AfterValidator, ConfigDict, Field

T = TypeVar("T")
EARLIEST, LATEST = date(1970, 1, 1), date(2200, 1, 1)


def _in_range(moment: datetime) -> datetime:
    if not EARLIEST <= moment.replace(tzinfo=UTC).date() <= LATEST:
        raise ValueError(f"lies outside of {EARLIEST} to {LATEST}")
    return moment


# Far-off dates overflow when they are carried from one timezone to another.
Day = Annotated[date, Field(ge=EARLIEST, le=LATEST, examples=["2026-11-27"])]
Moment = Annotated[datetime, AfterValidator(_in_range), Field(examples=["2026-11-27T17:30:00+01:00"])]
Line = Annotated[str, Field(max_length=320)]
Text = Annotated[str, Field(max_length=5000)]
Reason = Annotated[str, Field(max_length=2000)]
Limit = Annotated[int, Query(ge=1, le=200, description="How many, at most.")]
Cursor = Annotated[
    str | None, Query(max_length=1000, description="`next` of the page before; without it, the first page.")
]


class Body(Schema):
    """What a caller sends; a field that we do not know is a mistake, and said to be one."""

    model_config = ConfigDict(extra="forbid")


class Why(Body):
    """A reason that stays on the record."""

    reason: Reason


class Attested(Body):
    """What was done, and where one can see it. Never a secret itself."""

    note: Reason
    link: Annotated[str, Field(max_length=1000)] = ""


class Listing(Schema, Generic[T]):
    """A page of a list."""

    items: list[T]
    next: str | None = Field(description="Cursor of the next page; null at the end.")


class Problem(Schema):
    """A refusal, after RFC 9457."""

    type: str
    title: str
    status: int
    detail: str = Field(description="What was refused, why, and the way out; for people.")
    code: str = Field(description="Stable; for programs.")
    field: str = Field(description="The input that it is about; empty when none.")
