"""How MariaDB and MySQL say the same things: where accounts are, and how a password is changed in two steps.

What is the same in both (locking, revoking, sessions, most of what has a definer) is in `view.py`.
"""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, LiteralString

from partwell.connector_kit.contract import ConnectorError, ErrorKind
from partwell.connectors.mysql.session import Row, Session
from partwell.connectors.mysql.statements import Sql, account, is_name, sql

NATIVE = "mysql_native_password"
# Hosts that need no looking up: addresses, patterns and networks of addresses, and the machine itself.
_ADDRESSES = re.compile(r"localhost|[0-9a-f:]*:[0-9a-f:.]*|[0-9%_./]*", re.IGNORECASE)
_PASSWORD_PLUGINS = {NATIVE, "caching_sha2_password", "sha256_password"}


@dataclass(frozen=True)
class HostAccount:
    """One row of a login: the account that holds for sign-ins from `host`."""

    host: str
    is_locked: bool
    plugin: str
    # How it may be proven who one is, as (plug-in, verifier); several are alternatives. MariaDB only.
    verifiers: tuple[tuple[str, str], ...] = ()


@dataclass(frozen=True)
class Login:
    """All accounts of one user name. People sign in by the name; which row holds depends on from where.

    `ignored` are hosts for which there is an account that the server takes no notice of and does not change:
    those that are names, where it does not look names up (`skip_name_resolve`).
    """

    name: str
    hosts: tuple[HostAccount, ...]
    comment: str = ""
    ignored: tuple[str, ...] = ()

    @property
    def is_active(self) -> bool:
        return any(not each.is_locked for each in self.hosts)

    @property
    def said(self) -> str:
        """From where one may sign in by it."""
        rows = [f"{each.host} {'locked' if each.is_locked else 'open'}" for each in self.hosts]
        return ", ".join([*rows, *(f"{host} ignored by the server" for host in self.ignored)])

    def account(self, host: HostAccount) -> Sql:
        """The account as statements name it."""
        return account(self.name, host.host)


@dataclass(frozen=True)
class MariaDb:
    """MariaDB 10.4 and newer."""

    name = "MariaDB"
    # Whether the new password works already when it is put away.
    lets_both_in = True
    roles_go_with_rights = True  # by REVOKE ALL PRIVILEGES
    needs = {
        "CREATE USER": "lock accounts",
        "PROCESS": "see sessions",
        "CONNECTION ADMIN": "end sessions",
        "SHOW VIEW": "see who defined views",
        "TRIGGER": "see who defined triggers",
    }

    def names(self, session: Session, lowered: Sequence[str], comments: Sequence[str]) -> list[str]:
        """User names that equal one of these, in lower case; MariaDB keeps no comments."""
        possible = [each for each in lowered if is_name(each)]
        if not possible:
            return []
        rows = session.rows("SELECT DISTINCT User FROM mysql.global_priv WHERE LOWER(User) IN %s", [possible])
        return [row["User"] for row in rows]

    def page(self, session: Session, after: str, size: int) -> list[str]:
        """The next user names in order."""
        query: LiteralString = """
            SELECT DISTINCT User FROM mysql.global_priv WHERE User > %s ORDER BY User LIMIT %s"""
        return [row["User"] for row in session.rows(query, [after, size])]

    def logins(self, session: Session, names: Sequence[str]) -> list[Login]:
        """The logins with these names; roles are none."""
        if not names:
            return []
        query: LiteralString = """
            SELECT User, Host, Priv FROM mysql.global_priv WHERE User IN %s ORDER BY User, Host"""
        rows = session.rows(query, [names])
        return _grouped(session, [(row["User"], _mariadb_account(row), "") for row in rows])

    def role_holders(self, session: Session, role: str) -> set[str]:
        """User names that may use a role."""
        rows = session.rows("SELECT User FROM mysql.roles_mapping WHERE LOWER(Role) = %s", [role])
        return {row["User"] for row in rows}

    def routines_and_events(self, session: Session) -> list[Row]:
        """What is defined by whom; `mysql.*` shows it whatever else Partwell may do."""
        return session.rows(
            """SELECT LOWER(type) AS kind, db AS place, name, definer FROM mysql.proc
               UNION ALL SELECT 'event', db, name, definer FROM mysql.event"""
        )

    def begin_rotation(self, session: Session, login: Login, new: str) -> list[Sql]:
        """Let the new password in beside the old one."""
        beside = [(NATIVE, native_verifier(new))]
        return [_identified(session, login, each, [*each.verifiers, *beside]) for each in login.hosts]

    def undo_rotation(self, session: Session, login: Login) -> list[Sql]:
        """As it was."""
        return [_identified(session, login, each, each.verifiers) for each in login.hosts]

    def finish_rotation(self, session: Session, login: Login, new: str) -> list[Sql]:
        """The new password alone."""
        only = [(NATIVE, native_verifier(new))]
        return [_identified(session, login, each, only) for each in login.hosts]

    def why_not_rotated(self, login: Login) -> str:
        """Why Partwell cannot give this login a new password; empty when it can."""
        other = sorted({p for each in login.hosts for p, _ in each.verifiers if p != NATIVE})
        if other:
            # Any other verifier would have to be made by the server, which would log the password.
            return f"it is known by {', '.join(other)}, and only {NATIVE} can be changed without showing it"
        return ""


@dataclass(frozen=True)
class MySql:
    """MySQL 8.0 and newer, by its documentation."""

    name = "MySQL"
    lets_both_in = False
    roles_go_with_rights = False
    needs = {
        "CREATE USER": "lock accounts",
        "PROCESS": "see sessions",
        "CONNECTION_ADMIN": "end sessions",
        "ROLE_ADMIN": "take roles away",
        "SHOW VIEW": "see who defined views",
        "TRIGGER": "see who defined triggers",
        "EVENT": "see who defined events",
        "SHOW_ROUTINE": "see who defined routines",
    }

    def names(self, session: Session, lowered: Sequence[str], comments: Sequence[str]) -> list[str]:
        """User names that equal one of these, or whose comment holds one of those, all in lower case."""
        found = session.rows(
            """SELECT DISTINCT User, LOWER(COALESCE(JSON_UNQUOTE(JSON_EXTRACT(User_attributes,
                      '$.metadata.comment')), '')) AS comment, LOWER(User) AS lowered FROM mysql.user"""
        )
        return [
            row["User"]
            for row in found
            if row["lowered"] in lowered or any(each in row["comment"] for each in comments)
        ]

    def page(self, session: Session, after: str, size: int) -> list[str]:
        """The next user names in order."""
        query: LiteralString = "SELECT DISTINCT User FROM mysql.user WHERE User > %s ORDER BY User LIMIT %s"
        return [row["User"] for row in session.rows(query, [after, size])]

    def logins(self, session: Session, names: Sequence[str]) -> list[Login]:
        """The logins with these names. A role is an account too: locked, expired, without a verifier."""
        if not names:
            return []
        query: LiteralString = """
            SELECT User, Host, account_locked, plugin,
                   account_locked = 'Y' AND password_expired = 'Y'
                       AND COALESCE(authentication_string, '') = '' AS looks_like_a_role,
                   COALESCE(JSON_UNQUOTE(JSON_EXTRACT(User_attributes, '$.metadata.comment')), '') AS comment
            FROM mysql.user WHERE User IN %s ORDER BY User, Host"""
        return _grouped(
            session,
            [
                (
                    row["User"],
                    HostAccount(row["Host"], row["account_locked"] == "Y", row["plugin"] or ""),
                    row["comment"],
                )
                for row in session.rows(query, [names])
                if not row["looks_like_a_role"]
            ],
        )

    def role_holders(self, session: Session, role: str) -> set[str]:
        """User names that may use a role."""
        rows = session.rows("SELECT TO_USER FROM mysql.role_edges WHERE LOWER(FROM_USER) = %s", [role])
        return {row["TO_USER"] for row in rows}

    def routines_and_events(self, session: Session) -> list[Row]:
        """What is defined by whom."""
        return session.rows(
            """SELECT LOWER(ROUTINE_TYPE) AS kind, ROUTINE_SCHEMA AS place, ROUTINE_NAME AS name,
                      DEFINER AS definer FROM information_schema.ROUTINES
               UNION ALL SELECT 'event', EVENT_SCHEMA, EVENT_NAME, DEFINER FROM information_schema.EVENTS"""
        )

    def begin_rotation(self, session: Session, login: Login, new: str) -> list[Sql]:
        """Changes nothing; refused where the change would be."""
        return [sql("ALTER USER {}", login.account(each)) for each in login.hosts]

    def undo_rotation(self, session: Session, login: Login) -> list[Sql]:
        """Nothing was changed."""
        return []

    def finish_rotation(self, session: Session, login: Login, new: str) -> list[Sql]:
        """The new password in the old one's place. MySQL keeps it out of its logs."""
        return [
            sql("ALTER USER {} IDENTIFIED BY {}", login.account(each), session.literal(new))
            for each in login.hosts
        ]

    def why_not_rotated(self, login: Login) -> str:
        """Why Partwell cannot give this login a new password; empty when it can."""
        other = sorted({each.plugin for each in login.hosts} - _PASSWORD_PLUGINS)
        return f"it is known by {', '.join(other)}, not by a password that the server keeps" if other else ""


Flavour = MariaDb | MySql
FLAVOURS: Mapping[str, Flavour] = {"mariadb": MariaDb(), "mysql": MySql()}


def detect(session: Session) -> Flavour:
    """Which server it is, by its version. Raises UNSUPPORTED for one that is too old."""
    text = str(session.rows("SELECT VERSION() AS version")[0]["version"])
    flavour = FLAVOURS["mariadb" if "mariadb" in text.lower() else "mysql"]
    # MariaDB has long put a false version before its own, for old clients.
    found = re.match(r"(?:5\.5\.5-)?(\d+)\.(\d+)", text)
    version = (int(found[1]), int(found[2])) if found else (0, 0)
    oldest = (10, 4) if isinstance(flavour, MariaDb) else (8, 0)
    if version < oldest:
        raise ConnectorError(
            ErrorKind.UNSUPPORTED,
            f"This is {flavour.name} {version[0]}.{version[1]}; Partwell needs {oldest[0]}.{oldest[1]} or "
            "newer.",
        )
    return flavour


def native_verifier(password: str) -> str:
    """What `mysql_native_password` keeps. Made here, so that the server's log never sees the password; safe
    because the password is long and random."""
    once = hashlib.sha1(password.encode()).digest()  # noqa: S324 - the server's own scheme
    return "*" + hashlib.sha1(once).hexdigest().upper()  # noqa: S324


def _identified(
    session: Session, login: Login, host: HostAccount, verifiers: Sequence[tuple[str, str]]
) -> Sql:
    ways = [sql("{} USING {}", Sql(NATIVE), session.literal(verifier)) for _, verifier in verifiers]
    return sql("ALTER USER {} IDENTIFIED VIA {}", login.account(host), Sql(" OR ".join(ways)))


def _mariadb_account(row: Row) -> HostAccount | None:
    facts = json.loads(row["Priv"])
    if facts.get("is_role"):
        return None
    ways = [{**facts, **way} for way in facts.get("auth_or", [])] or [facts]
    return HostAccount(
        host=row["Host"],
        is_locked=bool(facts.get("account_locked")),
        plugin=str(facts.get("plugin", NATIVE)),
        verifiers=tuple(_verifier(way) for way in ways),
    )


def _verifier(facts: Mapping[str, Any]) -> tuple[str, str]:
    return str(facts.get("plugin") or NATIVE), str(facts.get("authentication_string") or "")


def _grouped(session: Session, rows: Sequence[tuple[str, HostAccount | None, str]]) -> list[Login]:
    looks_up_names = not session.rows("SELECT @@skip_name_resolve AS skips")[0]["skips"]
    found: dict[str, Login] = {}
    for user, host, comment in rows:
        if host is None or not user:
            continue
        login = found.get(user, Login(user, ()))
        if looks_up_names or _ADDRESSES.fullmatch(host.host):
            login = replace(login, hosts=(*login.hosts, host))
        else:
            login = replace(login, ignored=(*login.ignored, host.host))
        found[user] = replace(login, comment=login.comment or comment)
    return list(found.values())
