"""The file behind practice systems: accounts, how each system misbehaves, and a ledger of every effect.

SQLite, so that web, worker and tests see the same world, and a killed process leaves it whole.
"""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

_TABLES = """
create table if not exists account (
    system text not null, id text not null, state text not null, primary key (system, id));
create table if not exists mode (system text primary key, mode text not null, options text not null);
create table if not exists counter (
    system text not null, name text not null, count integer not null, primary key (system, name));
create table if not exists effect (
    number integer primary key autoincrement, system text not null, account text not null,
    verb text not null, at text not null);
"""


@dataclass(frozen=True)
class Effect:
    """One change that really happened in a practice system."""

    number: int
    system: str
    account: str
    verb: str
    at: str


class FakeStore:
    """All practice systems of one file. Cheap to make; opens the file anew for each use."""

    def __init__(self, path: str | Path) -> None:
        self.path = str(path)
        with self._open() as db:
            db.execute("pragma journal_mode=wal")  # which the file keeps
            db.executescript(_TABLES)

    @contextmanager
    def _open(self) -> Iterator[sqlite3.Connection]:
        db = sqlite3.connect(self.path, timeout=20, isolation_level=None)
        try:
            db.execute("pragma synchronous=normal")
            yield db
        finally:
            db.close()

    def add_account(
        self,
        system: str,
        account_id: str,
        *,
        login: str,
        emails: list[str],
        name: str = "",
        is_active: bool = True,
        sessions: int = 0,
        groups: Mapping[str, str] | None = None,
        employee_number: str = "",
        is_protected: bool = False,
        last_used_at: datetime | None = None,
        nature: str = "person",
        holdings: Mapping[str, tuple[str, str]] | None = None,
    ) -> None:
        """Put an account into a system, replacing one of the same id. `holdings`: kind and name by id."""
        state = {
            "login": login,
            "emails": [email.lower() for email in emails],
            "name": name,
            "is_active": is_active,
            "is_blocked": False,
            "sessions": sessions,
            "groups": dict(groups or {}),
            "has_licence": True,
            "employee_number": employee_number,
            "is_protected": is_protected,
            "last_used_at": last_used_at.isoformat() if last_used_at else "",
            "nature": nature,
            "holdings": {key: list(held) for key, held in (holdings or {}).items()},
        }
        with self._open() as db:
            db.execute(
                "insert or replace into account values (?, ?, ?)", (system, account_id, json.dumps(state))
            )

    def account(self, system: str, account_id: str) -> dict[str, Any] | None:
        """The state of one account, or None."""
        with self._open() as db:
            row = db.execute(
                "select state from account where system = ? and id = ?", (system, account_id)
            ).fetchone()
        return None if row is None else json.loads(row[0])

    def accounts(self, system: str) -> dict[str, dict[str, Any]]:
        """All accounts of a system, by id."""
        with self._open() as db:
            rows = db.execute("select id, state from account where system = ? order by id", (system,))
            return {account_id: json.loads(state) for account_id, state in rows.fetchall()}

    def page(self, system: str, *, after: str, limit: int) -> dict[str, dict[str, Any]]:
        """The next `limit` accounts of a system behind the id `after`, by id."""
        with self._open() as db:
            rows = db.execute(
                "select id, state from account where system = ? and id > ? order by id limit ?",
                (system, after, limit),
            )
            return {account_id: json.loads(state) for account_id, state in rows.fetchall()}

    def edit(self, system: str, account_id: str, **fields: Any) -> None:
        """Change an account behind everybody's back, as an administrator of that system would."""

        def merge(state: dict[str, Any]) -> bool:
            state.update(fields)
            return True

        self._alter(system, account_id, merge)

    def apply(
        self,
        system: str,
        account_id: str,
        verb: str,
        change: Callable[[dict[str, Any]], bool],
        *,
        at: datetime,
    ) -> bool:
        """Make one change and its ledger entry together. False when it was so before: then no entry."""
        return self._alter(system, account_id, change, verb=verb, at=at)

    def delete(self, system: str, account_id: str, *, at: datetime) -> bool:
        """Delete an account, with its ledger entry. False when there was none."""
        with self._open() as db:
            db.execute("begin immediate")
            gone = db.execute(
                "delete from account where system = ? and id = ?", (system, account_id)
            ).rowcount
            if gone:
                self._enter(db, system, account_id, "delete", at)
            db.execute("commit")
        return bool(gone)

    def _alter(
        self,
        system: str,
        account_id: str,
        change: Callable[[dict[str, Any]], bool],
        *,
        verb: str = "",
        at: datetime | None = None,
    ) -> bool:
        with self._open() as db:
            db.execute("begin immediate")
            row = db.execute(
                "select state from account where system = ? and id = ?", (system, account_id)
            ).fetchone()
            state = None if row is None else json.loads(row[0])
            changed = state is not None and change(state)
            if changed:
                db.execute(
                    "update account set state = ? where system = ? and id = ?",
                    (json.dumps(state), system, account_id),
                )
                if at is not None:
                    self._enter(db, system, account_id, verb, at)
            db.execute("commit")
        return changed

    @staticmethod
    def _enter(db: sqlite3.Connection, system: str, account_id: str, verb: str, at: datetime) -> None:
        db.execute(
            "insert into effect (system, account, verb, at) values (?, ?, ?, ?)",
            (system, account_id, verb, at.isoformat()),
        )

    def ledger(self, system: str | None = None) -> list[Effect]:
        """Every effect, in the order in which it happened."""
        with self._open() as db:
            rows = db.execute(
                "select number, system, account, verb, at from effect order by number"
            ).fetchall()
        return [Effect(*row) for row in rows if system is None or row[1] == system]

    def set_mode(self, system: str, mode: str, **options: Any) -> None:
        """Make a system misbehave from now on (`ok` ends it); see the README for modes and options."""
        with self._open() as db:
            db.execute("insert or replace into mode values (?, ?, ?)", (system, mode, json.dumps(options)))
            db.execute("delete from counter where system = ?", (system,))

    def mode(self, system: str) -> tuple[str, dict[str, Any]] | None:
        """How a system misbehaves, or None when the store does not say."""
        with self._open() as db:
            row = db.execute("select mode, options from mode where system = ?", (system,)).fetchone()
        return None if row is None else (row[0], json.loads(row[1]))

    def count(self, system: str, name: str) -> int:
        """Count one more of something in a system, and return how many there are now."""
        with self._open() as db:
            row = db.execute(
                "insert into counter values (?, ?, 1) "
                "on conflict (system, name) do update set count = count + 1 returning count",
                (system, name),
            ).fetchone()
        return int(row[0])
