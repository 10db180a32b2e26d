"""What a hand-over looks like."""

from __future__ import annotations

from typing import Any

from ninja import Schema
from pydantic import Field


class TransferShape(Schema):
    """One thing that goes from a leaver to a successor. The successor reads what was said to them; how the
    systems answered is for those who may read the departure's access."""

    id: str
    journey: str | None
    subject: str
    kind: str
    what: str
    system: str
    system_title: str
    login: str
    by_connector: bool = Field(description="Whether a system hands it over, or a person.")
    successor: str = Field(description="Empty while nobody was named.")
    successor_email: str
    last_day: str | None = Field(description="Of what is given for a time; null for what is given for good.")
    text: str
    state: str = Field(
        description="open, waiting, requested, queued, running, done, failed, unknown, attested, accepted, "
        "missing, ended, not_needed or withdrawn."
    )
    by: str = Field(description="connector or person; empty before.")
    reason: str
    note: str = Field(description="What the successor said.")
    proof: dict[str, Any] | None
    given_at: str | None
    answered_at: str | None
    ended_at: str | None
    settled_by: str
