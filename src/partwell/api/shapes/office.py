"""What the office reads: the registers, imports, templates, and whom a token acts as."""

from __future__ import annotations

from typing import Any

from ninja import Schema
from pydantic import ConfigDict, Field


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


class MeShape(Schema):
    """Whom the token acts as, and what it may do at most."""

    user: str
    name: str
    scopes: list[str]
    roles: list[str]
    token: str
    expires_at: str


class TokenShape(Schema):
    """A token, without its secret."""

    id: int
    name: str
    hint: str
    user: str
    scopes: list[str]
    state: str
    created_at: str
    expires_at: str
    last_used_at: str | None


class PublishedTemplate(Schema):
    id: str
    version: int
    digest: str


class SettingsShape(Schema):
    company: str
    country: str
    timezone: str
    is_practice: bool


class SetUpPart(Schema):
    """`state`: to_do, begun, done or put_aside; `said`: what is there, in words."""

    part: str
    title: str
    why: str
    minutes: int
    state: str
    said: str
    is_next: bool


class SetUpShape(Schema):
    done: int
    total: int
    is_finished: bool
    minutes_left: int
    parts: list[SetUpPart]


class GrantShape(Schema):
    email: str
    name: str
    role: str
    department: str
    granted_at: str
    granted_by: str


class ReceiverShape(Schema):
    """A receiver of signals; of its secret only where it is kept."""

    name: str
    title: str
    endpoint: str
    audience: str
    authorization: str
    ca_file: str
    signals: list[str]
    subject_format: str
    subject_issuer: str
    is_enabled: bool


class SignalShape(Schema):
    """One signal for a receiver. Accepted: the receiver took it; what it does about it, nobody tells."""

    id: str
    signal: str
    jti: str
    state: str
    created_at: str
    next_attempt_at: str | None
    attempts: int
    settled_at: str | None
    answer: str


class SigningKeyShape(Schema):
    kid: str
    is_in_use: bool
    made_at: str
    retired_at: str | None


class DraftRow(Schema):
    id: str
    title: str
    steps: int
    revision: int
    begun_from: str = Field(description="The version, such as `staff-resignation v2`; empty for none.")
    edited_by: str
    edited_at: str
    problems: int


class DraftProblem(Schema):
    field: str
    message: str


class DraftDetail(Schema):
    id: str
    title: str
    steps: int
    revision: int
    begun_from: str
    edited_by: str
    edited_at: str
    latest_version: int = Field(description="The version that publishing would replace; 0 for none.")
    problems: list[DraftProblem]
    template: dict[str, Any]
    source: str = Field(description="The draft in YAML.")


class DiscardedDraft(Schema):
    id: str
    revision: int


class DraftDifference(Schema):
    path: str
    before: Any = None
    after: Any = None


class DraftChangeShape(Schema):
    revision: int
    changed_by: str
    changed_at: str
    differences: list[DraftDifference]


class LeftOutStep(Schema):
    key: str
    title: str
    when: str
    facts: dict[str, Any] = Field(
        description="What the fields in the condition are for this person or client."
    )


class VacantRole(Schema):
    role: str
    steps: int = Field(description="How many steps wait until somebody holds the role.")


class TrialShape(Schema):
    model_config = ConfigDict(extra="allow")
    template: str
    last_working_day: str
    access_end: str
    contract_end: str
    steps: list[dict[str, Any]]
    vacant_roles: list[VacantRole]
    left_out: list[LeftOutStep]
