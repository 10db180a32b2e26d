"""What one signed-in session sees of logins, and which of them are never touched."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from functools import cached_property

from partwell.connector_kit.contract import (
    Account,
    ConnectorError,
    Entitlement,
    ErrorKind,
    Holding,
    HoldingKind,
    Identity,
    Nature,
)
from partwell.connector_kit.logins import LoginRules
from partwell.connectors.mysql.flavours import Flavour, HostAccount, Login
from partwell.connectors.mysql.grants import Grant, Kind, read_grants
from partwell.connectors.mysql.powers import power_of
from partwell.connectors.mysql.session import Row, Session
from partwell.connectors.mysql.statements import Sql, is_name, sql

PAGE_SIZE = 500
LONGEST_NAME = 255
_OWN_OF_SERVERS = frozenset({"mariadb.sys", "mysql.sys", "mysql.session", "mysql.infoschema", "public"})


@dataclass(frozen=True)
class Rules:
    """Whose logins are whose, and which are left alone. Names are in lower case."""

    logins: LoginRules
    protected: frozenset[str]
    admin_groups: frozenset[str]
    service_accounts: frozenset[str]


@dataclass(frozen=True)
class OpenSession:
    """Somebody signed in now."""

    number: int
    user: str
    host: str
    database: str
    command: str
    idle: timedelta


class View:
    """A session, the server that it is of, and the rules of the connection."""

    def __init__(self, session: Session, flavour: Flavour, rules: Rules, now: datetime) -> None:
        self.session = session
        self.flavour = flavour
        self.rules = rules
        self.now = now

    # -- logins -------------------------------------------------------------------------------------------

    def find(self, external_id: str) -> Login | None:
        """The login, or None when the server has none and shows us its others."""
        found = self.flavour.logins(self.session, [checked_name(external_id)])
        return next((login for login in found if login.name == external_id), None)

    def must_find(self, external_id: str) -> Login:
        """The login. Raises NOT_FOUND."""
        login = self.find(external_id)
        if login is None:
            raise ConnectorError(ErrorKind.NOT_FOUND, "There is no such account any more.")
        return login

    def of_identity(self, identity: Identity) -> list[tuple[Login, str]]:
        """All logins of a person, each with the reason."""
        rules = self.rules.logins
        names = self.flavour.names(self.session, list(rules.logins(identity)), rules.addresses(identity))
        found = [
            (login, rules.matched_by(login.name, login.comment, identity))
            for login in self.flavour.logins(self.session, names)
        ]
        return [(login, reason) for login, reason in found if reason]

    def page(self, after: str) -> tuple[list[Login], str]:
        """The next logins, and the name after which to go on; empty when that was the last."""
        names = self.flavour.page(self.session, after, PAGE_SIZE)
        return self.flavour.logins(self.session, names), names[-1] if names else ""

    # -- what they hold -----------------------------------------------------------------------------------

    def grants(self, login: Login, host: HostAccount) -> list[Grant]:
        """What one account of a login holds."""
        return read_grants(self.session.show(sql("SHOW GRANTS FOR {}", login.account(host))))

    def entitlements(self, login: Login) -> tuple[Entitlement, ...]:
        """Rights and roles of all accounts of a login."""
        return tuple(self._held(login))

    def _held(self, login: Login) -> dict[Entitlement, Grant]:
        several = len(login.hosts) > 1
        found = {}
        for host in login.hosts:
            for grant in self.grants(login, host):
                if grant.kind is Kind.RESTRICTION:
                    continue
                said = f"{grant.said} (from {host.host})" if several else grant.said
                held = Entitlement(grant.kind.value, f"{host.host}|{grant.what}|{grant.on}", said)
                found[held.external_id] = held, grant
        return dict(found[key] for key in sorted(found))

    def _grants_of_role(self, role: str) -> list[Grant]:
        """What a role holds; `role` is written as SHOW GRANTS does, and was checked when it was read."""
        return read_grants(self.session.show(sql("SHOW GRANTS FOR {}", Sql(role))))

    def sessions(self, names: Sequence[str]) -> list[OpenSession]:
        """Who is signed in by these names. One that was told to end can do nothing any more. Raises DENIED
        where the server would show Partwell its own sessions alone, and everybody seemed gone."""
        if not self.sees_sessions:
            raise ConnectorError(ErrorKind.DENIED, "Sessions are not visible: Partwell needs PROCESS ON *.*.")
        rows = self.session.rows(
            """SELECT ID AS number, USER AS user, HOST AS host, DB AS place, COMMAND AS command, TIME AS idle
               FROM information_schema.PROCESSLIST
               WHERE USER IN %s AND ID <> CONNECTION_ID() AND COMMAND <> 'Killed' ORDER BY ID""",
            [list(names)],
        )
        return [_session(row) for row in rows if row["user"] in names]

    def definers(self, login: Login) -> list[Holding]:
        """Routines, events, views and triggers that run with the rights of this login. Raises DENIED where
        Partwell would not see them all."""
        if missing := self.missing_rights():
            raise ConnectorError(
                ErrorKind.DENIED,
                f"Who defined views, triggers and routines is not wholly visible: Partwell needs "
                f"{', '.join(missing)} ON *.*.",
            )
        rows = self.flavour.routines_and_events(self.session)
        rows += self.session.rows(
            """SELECT 'view' AS kind, TABLE_SCHEMA AS place, TABLE_NAME AS name, DEFINER AS definer
               FROM information_schema.VIEWS
               UNION ALL SELECT 'trigger', TRIGGER_SCHEMA, TRIGGER_NAME, DEFINER
               FROM information_schema.TRIGGERS"""
        )
        found = {}
        for row in rows:
            if str(row["definer"]).rpartition("@")[0] == login.name:
                key = f"{row['kind']}:{row['place']}.{row['name']}"
                found[key] = Holding(
                    HoldingKind.OWNED,
                    key,
                    f"{row['kind']} {row['place']}.{row['name']}, which runs with this account's rights",
                    details={"database": row["place"], "definer": str(row["definer"])},
                )
        return [found[key] for key in sorted(found)]

    # -- rights -------------------------------------------------------------------------------------------

    @cached_property
    def own_account(self) -> tuple[str, str]:
        """User name and host that Partwell signs in by, as the server took them."""
        user, _, host = str(self.session.rows("SELECT CURRENT_USER() AS me")[0]["me"]).rpartition("@")
        return user, host

    @property
    def takes_no_writes(self) -> bool:
        """Whether this is a replica, or another server that is not to be changed by itself."""
        row = self.session.rows("SELECT @@GLOBAL.read_only AS is_read_only")[0]
        return str(row["is_read_only"]).upper() not in ("0", "OFF")

    @property
    def sees_sessions(self) -> bool:
        """Whether the server shows Partwell the sessions of others."""
        return "PROCESS" in self._own_rights

    def missing_rights(self) -> list[str]:
        """Which of the global rights that Partwell needs it does not hold."""
        # Before they had rights of their own, SUPER stood for these.
        covered = (
            {"CONNECTION ADMIN", "CONNECTION_ADMIN", "ROLE_ADMIN"} if "SUPER" in self._own_rights else set()
        )
        return [right for right in self.flavour.needs if right not in self._own_rights | covered]

    @cached_property
    def _own_rights(self) -> set[str]:
        user, host = self.own_account
        rows = self.session.rows(
            "SELECT PRIVILEGE_TYPE AS held FROM information_schema.USER_PRIVILEGES WHERE GRANTEE = %s",
            [f"'{user}'@'{host}'"],
        )
        return {row["held"] for row in rows}

    # -- accounts -----------------------------------------------------------------------------------------

    def account(self, login: Login, matched_by: str = "") -> Account:
        """The login as an account, with what it holds and whether it is protected."""
        entitlements = tuple(
            replace(held, power=power_of(grant, self._grants_of_role))
            for held, grant in self._held(login).items()
        )
        return self._account(login, self.count(login), matched_by=matched_by, entitlements=entitlements)

    def summaries(self, logins: list[Login]) -> list[Account]:
        """Logins as accounts, without what they hold."""
        if not self.sees_sessions:
            return [self._account(login, None) for login in logins]
        sessions = self.sessions([login.name for login in logins]) if logins else []
        found = []
        for login in logins:
            own = [each for each in sessions if each.user == login.name]
            last = max((self.now - each.idle for each in own), default=None)
            found.append(self._account(login, len(own), last_used_at=last))
        return found

    def count(self, login: Login) -> int | None:
        """How many sessions are open, or None where they are not visible."""
        return len(self.sessions([login.name])) if self.sees_sessions else None

    def _account(
        self,
        login: Login,
        open_sessions: int | None,
        *,
        matched_by: str = "",
        entitlements: tuple[Entitlement, ...] = (),
        last_used_at: datetime | None = None,
    ) -> Account:
        is_service = login.name.lower() in self.rules.service_accounts
        return Account(
            external_id=login.name,
            login=login.name,
            display_name=login.comment[:120],
            is_active=login.is_active,
            matched_by=matched_by,
            entitlements=entitlements,
            open_sessions=open_sessions,
            is_protected=bool(self.why_protected(login)),
            details={"hosts": login.said},
            emails=self.rules.logins.emails(login.name, login.comment),
            last_used_at=last_used_at,
            nature=Nature.SERVICE if is_service or self.is_replica(login) else Nature.PERSON,
        )

    # -- left alone ---------------------------------------------------------------------------------------

    def refuse_protected(self, login: Login) -> None:
        """Raise CONFLICT for a login that is never touched."""
        if reason := self.why_protected(login):
            raise ConnectorError(
                ErrorKind.CONFLICT, f"{login.name} is protected: {reason}. Nothing was changed."
            )

    def why_protected(self, login: Login) -> str:
        """Why a login is never touched, in words; empty when it may be."""
        lowered = login.name.lower()
        if login.name == self.own_account[0]:
            return "Partwell signs in to this server with it"
        if lowered in self.rules.protected:
            return "it is on this connection's list of protected accounts"
        if lowered in _OWN_OF_SERVERS:
            return "it is one of the server's own accounts"
        if self.is_replica(login):
            return "a replica signs in with it"
        if login.name in self._administrators and not self._has_other_active(self._administrators, login):
            return "it is the last active administrator"
        for role in sorted(self.rules.admin_groups):
            holders = self.flavour.role_holders(self.session, role)
            if login.name in holders and not self._has_other_active(holders, login):
                return f"it is the last active account with the role {role}"
        return ""

    def is_replica(self, login: Login) -> bool:
        """Whether it may read the server's changes and administers nothing: what replicas sign in with."""
        return login.name in self._holders("REPLICATION SLAVE") - self._holders("CREATE USER")

    @cached_property
    def _administrators(self) -> set[str]:
        """Who may make accounts and pass on rights on everything."""
        return {
            user for user, right, can_pass_on in self._global_rights if right == "CREATE USER" and can_pass_on
        }

    def _holders(self, right: str) -> set[str]:
        return {user for user, held, _ in self._global_rights if held == right}

    @cached_property
    def _global_rights(self) -> list[tuple[str, str, bool]]:
        rows = self.session.rows(
            """SELECT GRANTEE AS grantee, PRIVILEGE_TYPE AS held, IS_GRANTABLE = 'YES' AS may_pass_on
               FROM information_schema.USER_PRIVILEGES
               WHERE PRIVILEGE_TYPE IN ('CREATE USER', 'REPLICATION SLAVE')"""
        )
        # 'ana'@'%': quotes within a name stand there as they are, so it ends at the last of these three.
        return [
            (str(row["grantee"]).rpartition("'@'")[0][1:], row["held"], bool(row["may_pass_on"]))
            for row in rows
        ]

    def _has_other_active(self, names: set[str], login: Login) -> bool:
        others = self.flavour.logins(self.session, sorted(names - {login.name, self.own_account[0]}))
        return any(other.is_active for other in others)


def checked_name(external_id: str) -> str:
    """The user name. Raises INVALID for what no account is called; an account without a name is nobody's."""
    if not is_name(external_id) or len(external_id) > LONGEST_NAME:
        raise ConnectorError(ErrorKind.INVALID, "This is not the name of an account.")
    return external_id


def as_holding(session: OpenSession, now: datetime) -> Holding:
    """The session as something that an account holds."""
    return Holding(
        HoldingKind.SESSION,
        str(session.number),
        f"session from {session.host or 'the server itself'}, in {session.database or 'no database'}",
        last_used_at=now - session.idle,
        details={"client_address": session.host, "database": session.database, "state": session.command},
    )


def _session(row: Row) -> OpenSession:
    return OpenSession(
        number=int(row["number"]),
        user=row["user"],
        host=str(row["host"] or ""),
        database=str(row["place"] or ""),
        command=str(row["command"] or ""),
        idle=timedelta(seconds=max(0, int(row["idle"] or 0))),
    )
