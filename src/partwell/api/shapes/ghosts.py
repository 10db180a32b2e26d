"""Ghost accounts, sweeps and lists of accounts, as the API answers."""

from __future__ import annotations

from typing import Any

from ninja import Schema
from pydantic import Field


class GhostShape(Schema):
    """An account that should not be as it is."""

    id: int
    kind: str = Field(description="came_back, still_used, never_known, suggested (a guess) or nobodys.")
    says: str
    system: str
    title: str
    account: str
    login: str
    display_name: str
    is_active: bool | None
    last_used_at: str | None
    matched_by: str = Field(description="The fact that matched, or that is almost the same.")
    departure_id: str | None
    subject: str
    access_end_at: str | None
    owner: str = Field(description="Empty: the queue of IT/Security.")
    state: str = Field(description="open, cutting, kept, dismissed or gone.")
    first_seen_at: str
    last_seen_at: str
    kept_as: str = Field(description="theirs or service, where somebody said so; else empty.")
    person: str = Field(description="Whose it is, or who answers for it.")
    review_date: str | None = Field(description="When a service account is looked at again.")
    cut_id: str | None
    reason: str
    settled_at: str | None
    settled_by: str


class GhostChange(Schema):
    """One thing that is done to an account of nobody."""

    verb: str
    reversibility: str
    state: str
    reason: str
    read: str = Field(description="What a fresh reading showed.")
    verified_at: str | None


class GhostPlan(Schema):
    """How the cut of an account of nobody stands, or putting it back."""

    id: int
    version: int
    restores: bool
    state: str = Field(
        description="asking, not seen, proposed, running, waiting, read back, in part, or changed."
    )
    reason: str
    checksum: str = Field(description="Of what was seen, and what would be done; empty until it was seen.")
    found: str
    note: str
    proposed_by: str
    proposed_at: str
    approved_by: str
    approved_at: str | None
    ended_at: str | None
    entitlements: list[str]
    open_sessions: int | None
    changes: list[GhostChange]
    can_be_restored: bool


class GhostViewShape(GhostShape):
    """One ghost account, with its cut where it is nobody's and somebody proposed that."""

    plan: GhostPlan | None


class CoverageShape(Schema):
    """How far a system was read when it was last looked through."""

    system: str
    title: str
    read: str | None = Field(description="read, broken off, unread, cannot list, waiting; null: never asked.")
    reason: str
    accounts: int
    left_out: int = Field(description="Accounts of nobody that were counted and not kept.")
    source: str
    read_to_the_end_at: str | None


class SweptSystem(Schema):
    system: str
    title: str
    read: str
    accounts: int
    left_out: int
    reason: str
    source: str


class SweepShape(Schema):
    """A look at all accounts of all systems, and the ghosts that are open."""

    id: int
    started_at: str
    started_by: str
    ended_at: str | None
    is_whole: bool
    not_wholly_read: list[str]
    systems: list[SweptSystem]
    ghosts: list[GhostShape]


class AccountFileShape(Schema):
    """What an uploaded list of accounts holds."""

    digest: str
    accounts: int
    active: int
    inactive: int
    unknown: int
    bad_lines: list[dict[str, Any]]
