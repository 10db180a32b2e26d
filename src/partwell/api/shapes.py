"""The shapes of requests and answers, as OpenAPI shows them. Requests are checked against theirs."""

from __future__ import annotations

from datetime import UTC, date, datetime
from typing import Annotated, Any, Generic, TypeVar

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


class PersonShape(Schema):
    id: int
    email: str
    name: str
    department: str
    title: str
    country: str
    timezone: str
    employment_type: str
    username: str
    employee_number: str
    start_date: str | None
    left_on: str | None
    manager_email: str | None


class PersonDetail(PersonShape):
    aliases: list[str]
    reports: list[str]


class ClientShape(Schema):
    id: int
    client_ref: str
    name: str
    tier: str
    country: str
    account_manager_email: str | None
    ended_on: str | None


class ContactShape(Schema):
    name: str
    email: str


class ContractShape(Schema):
    id: int
    client_id: int
    client_ref: str
    client: str
    title: str
    start_date: str | None
    end_date: str | None
    notice_days: int | None
    governing_law: str


class ClientDetail(ClientShape):
    contacts: list[ContactShape]
    contracts: list[ContractShape]


class FieldChangeShape(Schema):
    field: str
    old: str
    new: str


class RowChange(Schema):
    line: int
    what: str
    key: str
    fields: list[FieldChangeShape]


class BadLineShape(Schema):
    line: int
    field: str
    value: str
    reason: str
    way_out: str


class ImportShape(Schema):
    """Every change and every bad line; with a bad line nothing is applied."""

    kind: str
    digest: str
    dry_run: bool
    applied: bool
    rows: int
    created: int
    updated: int
    unchanged: int
    changes: list[RowChange]
    bad_lines: list[BadLineShape]


class TemplateRow(Schema):
    id: str
    version: int
    digest: str
    title: str
    audience: str
    steps: int
    journeys: int
    published_at: str


class TemplateDetail(Schema):
    model_config = ConfigDict(extra="allow")
    id: str
    version: int
    digest: str
    title: str
    summary: str
    audience: str
    journeys: int
    steps: list[dict[str, Any]]


class TemplateProblem(Schema):
    line: int
    field: str
    message: str


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


class WithdrawalShape(Schema):
    id: str
    state: str
    done: list[str]
    restorable: list[dict[str, Any]]


class ClosedShape(Schema):
    id: str
    state: str
    ended_at: str | None
    evidence: str


class OverrideShape(Schema):
    id: str
    state: str
    override: str


class CommentShape(Schema):
    author: str
    text: str
    written_at: str


class AttachmentShape(Schema):
    id: str
    name: str
    size: int
    sha256: str


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


class SystemShape(Schema):
    name: str
    title: str
    connector: str
    sla: str
    sla_minutes: int
    is_enabled: bool


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


class EventShape(Schema):
    id: str
    kind: str
    at: str
    sequence: int | None
    fields: dict[str, Any]
    erased: list[str]


class VerificationShape(Schema):
    model_config = ConfigDict(extra="allow")


class MeShape(Schema):
    """Whom the token acts as, and what it may do at most."""

    user: str
    name: str
    scopes: list[str]
    roles: list[str]
    token: str
    expires_at: str
