"""What connected systems, access and evidence look like."""

from __future__ import annotations

from typing import Any

from ninja import Schema
from pydantic import ConfigDict, Field


class SystemShape(Schema):
    name: str
    title: str
    connector: str
    sla: str
    sla_minutes: int
    most_accounts: int = Field(description="Of one person, cut without a second person.")
    most_percent: int = Field(description="Of all accounts, cut by one order of one person.")
    is_enabled: bool
    revision: str = Field(description="Of all that can be changed; send it along with changes.")


class SystemChanged(Schema):
    """One field, or one setting as `settings.NAME`."""

    field: str
    before: Any
    after: Any
    is_secret: bool = Field(description="Of a secret it is only said that its place changed.")


class ApprovalEnded(Schema):
    departure: str
    subject: str
    plan: int


class SystemChangeShape(Schema):
    name: str
    revision: str
    is_kept: bool = Field(description="False where it was only checked.")
    changed: list[SystemChanged]
    needs_test: bool = Field(description="Its last test says nothing about it any more.")
    needs_approval: list[ApprovalEnded] = Field(
        description="Approved plans, of departures that you may see, which need a new approval."
    )


class SystemTest(Schema):
    ok: bool
    summary: str
    problems: list[str]


class AccessChange(Schema):
    model_config = ConfigDict(extra="allow")
    system: str
    account: str
    login: str
    action: str
    state: str
    reason: str
    counted_as: str = Field(description="revoked (proven gone), said (a person's word) or open.")
    due_at: str | None = Field(description="By when the system's class wants it gone.")
    revoked_at: str | None = Field(description="When all of the account was proven gone.")
    seconds_to_revoke: int | None = Field(description="From access end until then, never below 0.")
    is_late: bool
    late_by_seconds: int


class ClassTime(Schema):
    """Accounts in systems of one class against the time after access end that it allows."""

    sla: str
    minutes: int
    due_at: str | None
    accounts: int
    revoked: int
    in_time: int
    late: int
    said: int = Field(description="Attested or impossible: a person's word, not counted as revoked.")
    open: int
    longest_seconds: int | None
    late_by_seconds: int
    says: str


class SystemTakes(Schema):
    system: str
    title: str
    accounts: int
    changes: int
    requests: int = Field(description="About how many, for people who hold as much as most.")
    seconds: int = Field(description="At the least, within the vendor's limits.")
    says: str


class Takes(Schema):
    """How long something will take; systems run side by side, so that the slowest decides."""

    seconds: int
    says: str = Field(description="In words; empty where nothing is ahead.")
    systems: list[SystemTakes]


class AccessShape(Schema):
    """The latest plan with everything that is current; `id` is null before the first plan."""

    model_config = ConfigDict(extra="allow")
    id: int | None
    version: int | None
    kind: str | None
    state: str | None
    checksum: str | None
    changes: list[AccessChange]
    counts: dict[str, int]
    is_settled: bool
    access_end_at: str
    time_to_revoke: list[ClassTime]
    takes: Takes


class DryRunCall(Schema):
    """One call that would change something, without secrets."""

    method: str = Field(description="The protocol's own word for it.")
    target: str = Field(description="The address, or the name of what is changed.")
    body: Any = Field(description="What is sent along; null for nothing.")


class DryRunVerb(Schema):
    account: str
    login: str
    verb: str
    calls: list[DryRunCall]
    left_out: int = Field(description="How many more calls there are than are shown.")
    said: str = Field(description="Words where there are no calls, or where not all of them are known.")


class DryRunSystem(Schema):
    system: str
    title: str
    connector: str
    can_show: bool = Field(description="False where the type of connection was not tried; `reason` says why.")
    reason: str
    calls: int
    verbs: list[DryRunVerb]


class DryRunShape(Schema):
    """What a plan would send, call by call. Nothing was sent."""

    plan: int
    checksum: str
    is_current: bool = Field(description="False once the plan says something else than what was tried.")
    made_at: str
    made_by: str
    calls: int
    systems: list[DryRunSystem]


class CutShape(Schema):
    """One order of the kill switch."""

    id: str
    title: str
    reason: str
    state: str = Field(description="waiting, ready, fired, held, stopped or cancelled.")
    ordered_by: str
    ordered_at: str
    approved_by: str | None
    fire_at: str | None
    fired_at: str | None
    stage_size: int | None = Field(description="How many people are shut out at a time; null for all.")
    hold_above_percent: int | None = Field(description="Held where more of a stage came to nothing.")
    held_at: str | None
    review_due_at: str | None
    reviewed_by: str | None
    review_note: str


class CutPerson(Schema):
    id: str = Field(description="The journey's id.")
    subject: str
    is_begun: bool = Field(description="False while they wait for their stage.")
    accounts: int
    verified: int
    settled: int
    failed: int
    unreachable: int


class CutView(CutShape):
    """A cut with what became of everybody's accounts."""

    people: list[CutPerson]
    counts: dict[str, int]


class GroupPerson(Schema):
    name: str
    email: str


class GroupClient(Schema):
    name: str
    client_ref: str


class GroupProblem(Schema):
    line: int
    value: str
    reason: str


class GroupLeftOut(Schema):
    name: str
    reason: str


class DueStep(Schema):
    key: str
    title: str
    due_before: str
    due_after: str


class DueDates(Schema):
    """A departure under way in which due dates would come forward, because access ends sooner."""

    id: str
    subject: str
    steps: list[DueStep]


class GroupShape(Schema):
    """Whom a list or a filter means."""

    people: list[GroupPerson]
    clients: list[GroupClient]
    problems: list[GroupProblem]
    left_out: list[GroupLeftOut]
    digest: str
    takes: Takes
    due_dates: list[DueDates]


class MapEntitlement(Schema):
    kind: str
    name: str
    power: str = Field("", description="What makes it dangerous, where the system tells it.")


class MapHolding(Schema):
    kind: str = Field(description="session, token, key, device or owned.")
    name: str
    last_used_at: str | None


class MapAccount(Schema):
    system: str
    title: str
    sla_class: str
    account: str
    login: str
    name: str
    matched_by: str
    is_active: bool | None
    is_protected: bool
    nature: str = Field(description="person, service or linked.")
    open_sessions: int | None
    last_used_at: str | None
    entitlements: list[MapEntitlement]
    holdings: list[MapHolding]
    more_holdings: int
    holdings_unknown: str = Field(description="Why it is not known what it holds; empty when it is.")
    risk: str = Field(description="high, raised, ordinary or closed.")
    reasons: list[str]


class MapNotAsked(Schema):
    system: str
    title: str
    found: str = Field(description="unreachable, or manual where only a person can look.")
    reason: str


class MapAmbiguous(Schema):
    system: str
    title: str
    account: str
    login: str
    name: str


class MapShape(Schema):
    """What somebody has everywhere, the most dangerous first. What is not asked is not nothing."""

    who: str
    taken_at: str
    taken_by: str
    accounts: list[MapAccount]
    counts: dict[str, int]
    not_asked: list[MapNotAsked]
    ambiguous: list[MapAmbiguous]
    none_in: list[str]
    connected_since: list[str]


class EventShape(Schema):
    id: str
    kind: str
    at: str
    sequence: int | None
    fields: dict[str, Any]
    erased: list[str]


class StatementShape(Schema):
    statement: str
    head: str | None


class VerificationShape(Schema):
    model_config = ConfigDict(extra="allow")
