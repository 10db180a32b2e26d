"""A list of all accounts of a system that Partwell cannot ask, as a CSV file: read, shown, then swept."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, time
from typing import Any

from partwell.access.connections import target_of
from partwell.access.ghosts.sweeping import PassOver
from partwell.access.models import Sweep, System, SystemSweep
from partwell.connector_kit.contract import Account
from partwell.evidence.operations import record
from partwell.people.actors import Actor
from partwell.people.authorisation import check_office, operation
from partwell.people.imports import values
from partwell.people.imports.columns import Column
from partwell.people.imports.reading import Row, read_rows
from partwell.people.imports.report import BadLine
from partwell.refusals import Conflict, Invalid

PAGE = 500
YES = frozenset({"yes", "true", "1", "active", "enabled"})
NO = frozenset({"no", "false", "0", "inactive", "disabled", "suspended", "locked"})
EARLIEST, LATEST = date(1990, 1, 1), date(2200, 1, 1)


def _active(text: str) -> bool:
    word = text.lower()
    if word not in YES | NO:
        raise values.BadValue("it says neither yes nor no", "Write yes or no, or leave it blank if unknown.")
    return word in YES


def _moment(text: str) -> datetime:
    """A day counts from its beginning: later on that day may be before access ended or after it."""
    try:
        moment = datetime.fromisoformat(text)
    except ValueError:
        raise values.BadValue(
            "it is no date of the form year-month-day", "Write 2026-03-31 or 2026-03-31T14:00Z."
        ) from None
    if not EARLIEST <= moment.date() <= LATEST:
        raise values.BadValue("the year cannot be right", f"Use a date from {EARLIEST} to {LATEST}.")
    if len(text) > len("2026-03-31") and moment.tzinfo is None:
        raise values.BadValue("a time needs its zone", "Write 2026-03-31T14:00Z.")
    return moment if moment.tzinfo else datetime.combine(moment.date(), time(), tzinfo=UTC)


COLUMNS = (
    Column("login", "How people sign in there.", longest=320, is_required=True),
    Column("emails", "Addresses that the system has, separated by `;`.", values.emails, empty=()),
    Column("name", "The name that it shows.", longest=320),
    Column("active", "yes or no; blank where the system does not say.", _active, empty=None),
    Column("last_used", "When it was last used, if the system says.", _moment, empty=None),
    Column("employee_number", "The number that the system has.", longest=60),
    Column("id", "What identifies the account there; the login where there is no such column.", longest=400),
)


@dataclass
class AccountFile:
    """What a file holds. With a single bad line nothing of it is taken."""

    digest: str
    accounts: list[Account] = field(default_factory=list)
    bad_lines: list[BadLine] = field(default_factory=list)

    @property
    def is_ok(self) -> bool:
        return not self.bad_lines

    def count(self, is_active: bool | None) -> int:
        """How many are active, inactive, or neither is known."""
        return sum(account.is_active is is_active for account in self.accounts)

    def as_dict(self) -> dict[str, Any]:
        """For JSON."""
        return {
            "digest": self.digest,
            "accounts": len(self.accounts),
            "active": self.count(True),
            "inactive": self.count(False),
            "unknown": self.count(None),
            "bad_lines": [bad.as_dict() for bad in self.bad_lines],
        }


def read_account_file(data: bytes) -> AccountFile:
    """Every account of the file, or every line that cannot be taken. Changes nothing."""
    rows, _, bad = read_rows(data, COLUMNS)
    found = AccountFile(hashlib.sha256(data).hexdigest(), bad_lines=bad)
    lines: dict[str, int] = {}
    for row in rows:
        account = _account(row)
        first = lines.setdefault(account.external_id, row.line)
        if first != row.line:
            reason = f"line {first} is about the same account"
            way_out = "Keep one line for each account, or add the column id."
            found.bad_lines.append(BadLine(row.line, "login", account.login, reason, way_out))
        found.accounts.append(account)
    found.bad_lines.sort(key=lambda problem: problem.line)
    return found


def _account(row: Row) -> Account:
    given = row.values
    return Account(
        external_id=given.get("id") or given["login"],
        login=given["login"],
        display_name=given.get("name", ""),
        is_active=given.get("active"),
        emails=given.get("emails", ()),
        employee_number=given.get("employee_number", ""),
        last_used_at=given.get("last_used"),
    )


@operation("ghosts.upload")
def upload_accounts(*, system: System, data: bytes, source: str, actor: Actor, now: datetime) -> Sweep:
    """Sweep the accounts of this file, as all that this system has.

    Raises `Invalid` for a file with a bad line, `Conflict` for a system that lists its accounts itself.
    """
    check_office(actor, "ghosts.upload")
    check_needs_file(system)
    found = read_account_file(data)
    if not found.is_ok:
        raise Invalid("bad_lines", f"Nothing was taken: {found.bad_lines[0]}", field="file")
    sweep = Sweep.objects.create(started_at=now, started_by=actor.label)
    row = SystemSweep.objects.create(sweep=sweep, system=system, source=source[:200])
    record(
        "system.accounts_uploaded",
        scope=f"system:{system.name}",
        actor=actor.label,
        at=now,
        fields={
            "name": system.name,
            "source": row.source,
            "sha256": found.digest,
            "accounts": len(found.accounts),
        },
    )
    passing = PassOver(row)
    for page in _pages(found.accounts):
        passing.take(page, now=now)
    passing.end(now=now)
    return sweep


def check_needs_file(system: System) -> None:
    """Raise `Conflict` for a system that lists its accounts itself: a file would be older than it."""
    if "list_accounts" in target_of(system).capabilities:
        raise Conflict(
            "lists_itself",
            f"{system.title} lists its accounts itself. Start a sweep instead.",
            field="system",
        )


def systems_by_file() -> list[System]:
    """The enabled systems whose accounts only a file can show."""
    return [
        system
        for system in System.objects.filter(is_enabled=True)
        if "list_accounts" not in target_of(system).capabilities
    ]


def _pages(accounts: list[Account]) -> Iterator[list[Account]]:
    for start in range(0, len(accounts), PAGE):
        yield accounts[start : start + PAGE]
