"""What connected systems, access and evidence look like."""

from __future__ import annotations

from typing import Any

from ninja import Schema
from pydantic import ConfigDict


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
