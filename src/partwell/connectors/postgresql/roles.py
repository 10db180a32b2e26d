"""What the server's catalogues say of roles: who they are, what they belong to, who is signed in as them.

All of it is in catalogues that every database of a server shares, and that anybody may read.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any, LiteralString

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
from partwell.connectors.postgresql.powers import own_powers, powers_of
from partwell.connectors.postgresql.session import Row, Session

PAGE_SIZE = 500
_LARGEST_OID = 2**32 - 1

_ROLES: LiteralString = """
    SELECT r.oid, r.rolname, r.rolcanlogin, r.rolconnlimit, r.rolsuper, r.rolreplication, r.rolcreaterole,
           r.rolcreatedb, r.rolbypassrls, r.rolvaliduntil::text AS valid_until,
           COALESCE(shobj_description(r.oid, 'pg_authid'), '') AS comment,
           r.rolname IN (current_user, session_user) AS is_own,
           (SELECT string_agg(m.rolname, ', ' ORDER BY m.rolname) FROM pg_auth_members a
              JOIN pg_roles m ON m.oid = a.member
              WHERE a.roleid = r.oid AND NOT (to_jsonb(a) @> '{"inherit_option": false, "set_option": false}')
           ) AS members,
           open.sessions, open.last_used_at
    FROM pg_roles r CROSS JOIN LATERAL (
        SELECT count(*) AS sessions, max(COALESCE(s.state_change, s.backend_start)) AS last_used_at
        FROM pg_stat_activity s
        WHERE s.usesysid = r.oid AND s.pid <> pg_backend_pid()
          AND s.backend_type IS DISTINCT FROM 'parallel worker') AS open
"""
# A group is a role too. One that may not sign in is taken for a suspended account unless it has members; who
# only administers it (PostgreSQL 16 and later) is none.
_IS_ACCOUNT: LiteralString = """
    r.rolname !~ '^pg_'
    AND (r.rolcanlogin OR NOT EXISTS (
        SELECT FROM pg_auth_members a
        WHERE a.roleid = r.oid AND NOT (to_jsonb(a) @> '{"inherit_option": false, "set_option": false}')))
"""
# Every role above one, with the role below it by which it comes. Attributes such as SUPERUSER are had by SET
# ROLE, what predefined roles may do is inherited; who only administers a membership can give it to itself.
_ABOVE: LiteralString = """
    WITH RECURSIVE above(below, oid) AS (
        SELECT m.member, m.roleid FROM pg_auth_members m WHERE m.member = %s
        UNION SELECT m.member, m.roleid FROM pg_auth_members m JOIN above a ON m.member = a.oid)
    SELECT a.below::bigint AS below, r.oid::bigint AS oid, r.rolname, r.rolsuper, r.rolcreaterole,
           r.rolbypassrls, r.rolreplication
    FROM above a JOIN pg_roles r ON r.oid = a.oid ORDER BY r.rolname, a.below
"""
# Somebody else, and not Partwell, who may sign in and belongs to the group, directly or through another role.
_OTHERS_IN: LiteralString = """
    WITH RECURSIVE inside(oid) AS (
        SELECT m.member FROM pg_auth_members m WHERE m.roleid = %(group)s
        UNION SELECT m.member FROM pg_auth_members m JOIN inside i ON m.roleid = i.oid)
    SELECT 1 FROM inside i JOIN pg_roles r ON r.oid = i.oid
    WHERE r.rolcanlogin AND r.rolconnlimit <> 0 AND r.oid <> %(role)s AND r.rolname <> current_user LIMIT 1
"""


@dataclass(frozen=True)
class Rules:
    """Whose roles are whose, and which are left alone. Names are in lower case."""

    logins: LoginRules
    protected: frozenset[str]
    admin_groups: frozenset[str]
    service_accounts: frozenset[str]


@dataclass(frozen=True)
class Role:
    """One role as just read."""

    oid: int
    name: str
    can_log_in: bool
    connection_limit: int
    is_superuser: bool
    is_replication: bool
    is_own: bool
    comment: str
    members: str
    attributes: tuple[str, ...]
    powers: tuple[str, ...]
    valid_until: str
    sessions: int
    last_used_at: datetime | None

    @property
    def said(self) -> str:
        """What decides whether it can sign in, in the server's own words."""
        limit = f", CONNECTION LIMIT {self.connection_limit}" if self.connection_limit >= 0 else ""
        return f"{'LOGIN' if self.can_log_in else 'NOLOGIN'}{limit}"


@dataclass(frozen=True)
class Membership:
    """That a role belongs to another, and as what. The last two are None before PostgreSQL 16."""

    role_oid: int
    role: str
    admin: bool
    inherit: bool | None
    set: bool | None
    grantor: str

    @property
    def kind(self) -> str:
        return "role with admin option" if self.admin else "role"


class View:
    """What one signed-in session sees, within the rules of the connection."""

    def __init__(self, session: Session, rules: Rules, cluster: str) -> None:
        self.session = session
        self.rules = rules
        self.cluster = cluster

    # -- identifiers --------------------------------------------------------------------------------------

    def external_id(self, oid: int) -> str:
        """The server's own number and the role's: neither changes when the role is renamed."""
        return f"{self.cluster}/{oid}"

    def oid(self, external_id: str) -> int:
        """The role's number. Raises CONFLICT for a role of another server: there, "not found" says nothing
        about this one (a server that was made anew from a dump numbers its roles anew)."""
        cluster, _, number = external_id.partition("/")
        if not (cluster.isascii() and cluster.isdigit() and number.isascii() and number.isdigit()):
            raise ConnectorError(ErrorKind.INVALID, "This is not an identifier of a role.")
        if int(number) > _LARGEST_OID:
            raise ConnectorError(ErrorKind.INVALID, "This is not an identifier of a role.")
        if cluster != self.cluster:
            raise ConnectorError(
                ErrorKind.CONFLICT,
                "Another server answers at this address than the one where the role was found (it was made "
                "anew, or the address leads elsewhere now). Nothing is concluded from that; plan again.",
            )
        return int(number)

    # -- roles --------------------------------------------------------------------------------------------

    async def find(self, external_id: str) -> Role | None:
        """The role, whether or not it may sign in, or None when the server has none."""
        row = await self.session.row(_ROLES + "WHERE r.oid = %s", [self.oid(external_id)])
        return _role(row) if row else None

    async def must_find(self, external_id: str) -> Role:
        """The role. Raises NOT_FOUND."""
        role = await self.find(external_id)
        if role is None:
            raise ConnectorError(ErrorKind.NOT_FOUND, "There is no such role any more.")
        return role

    async def of_identity(self, identity: Identity) -> list[tuple[Role, str]]:
        """All roles of a person, each with the reason."""
        logins = self.rules.logins
        rows = await self.session.rows(
            _ROLES
            + "WHERE "
            + _IS_ACCOUNT
            + """AND (lower(r.rolname) = ANY(%(names)s) OR EXISTS (
                SELECT FROM unnest(%(mails)s::text[]) AS mail
                WHERE strpos(lower(shobj_description(r.oid, 'pg_authid')), mail) > 0))
            ORDER BY r.oid""",
            {"names": list(logins.logins(identity)), "mails": logins.addresses(identity)},
        )
        roles = [_role(row) for row in rows]
        reasons = [logins.matched_by(role.name, role.comment, identity) for role in roles]
        return [(role, reason) for role, reason in zip(roles, reasons, strict=True) if reason]

    async def page(self, after: int) -> list[Role]:
        """The next roles by number that are accounts; empty after the last."""
        rows = await self.session.rows(
            _ROLES + "WHERE " + _IS_ACCOUNT + "AND r.oid > %s ORDER BY r.oid LIMIT %s", [after, PAGE_SIZE]
        )
        return [_role(row) for row in rows]

    async def memberships(self, oid: int) -> list[Membership]:
        """What the role belongs to directly. In PostgreSQL 16 and later, once for each who granted it."""
        rows = await self.session.rows(
            """SELECT m.roleid::bigint AS role_oid, r.rolname AS role, m.admin_option,
                      to_jsonb(m) ->> 'inherit_option' AS inherit, to_jsonb(m) ->> 'set_option' AS may_set,
                      COALESCE(g.rolname, '') AS grantor
               FROM pg_auth_members m JOIN pg_roles r ON r.oid = m.roleid
               LEFT JOIN pg_roles g ON g.oid = m.grantor
               WHERE m.member = %s ORDER BY r.rolname, g.rolname""",
            [oid],
        )
        return [
            Membership(
                role_oid=row["role_oid"],
                role=row["role"],
                admin=row["admin_option"],
                inherit=None if row["inherit"] is None else row["inherit"] == "true",
                set=None if row["may_set"] is None else row["may_set"] == "true",
                grantor=row["grantor"],
            )
            for row in rows
        ]

    async def entitlements(self, oid: int) -> tuple[Entitlement, ...]:
        """Direct memberships, and those that come through them."""
        direct: dict[int, Entitlement] = {}
        for each in await self.memberships(oid):
            held = Entitlement(each.kind, str(each.role_oid), each.role)
            if each.role_oid not in direct or each.admin:
                direct[each.role_oid] = held
        rows = await self.session.rows(_ABOVE, [oid])
        powers = powers_of(rows)
        nested = {row["oid"]: row["rolname"] for row in rows if row["oid"] not in direct}
        return (
            *(replace(held, power=powers.get(number, "")) for number, held in direct.items()),
            *(
                Entitlement("nested role", str(number), name, powers.get(number, ""))
                for number, name in nested.items()
            ),
        )

    async def direct_grants(self, oid: int) -> int:
        """How many objects, in all databases, name the role in their access lists."""
        row = await self.session.row(
            """SELECT count(*) AS objects FROM (
                   SELECT DISTINCT dbid, classid, objid FROM pg_shdepend
                   WHERE refclassid = 'pg_authid'::regclass AND refobjid = %s AND deptype = 'a'
                     AND classid <> 'pg_auth_members'::regclass) AS named""",
            [oid],
        )
        return int(row["objects"]) if row else 0

    async def sessions(self, oid: int) -> list[Holding]:
        """Who is signed in as this role now, and from where."""
        rows = await self.session.rows(
            """SELECT s.pid, s.backend_start, s.state_change, s.state, s.datname, s.application_name,
                      host(s.client_addr) AS address FROM pg_stat_activity s
               WHERE s.usesysid = %s AND s.pid <> pg_backend_pid()
                 AND s.backend_type IS DISTINCT FROM 'parallel worker' ORDER BY s.pid""",
            [oid],
        )
        return [_session(row) for row in rows]

    # -- accounts -----------------------------------------------------------------------------------------

    async def account(self, role: Role, matched_by: str = "") -> Account:
        """The role as an account, with what it belongs to."""
        grants = await self.direct_grants(role.oid)
        details = {
            "state": role.said,
            "attributes": ", ".join(role.attributes),
            "password_valid_until": role.valid_until,
            "members": role.members,
            "named_in_access_lists_of": f"{grants} objects" if grants else "",
        }
        return self.summary(
            role,
            matched_by=matched_by,
            entitlements=await self.entitlements(role.oid),
            is_protected=bool(await self.why_protected(role)),
            details={name: value for name, value in details.items() if value},
            powers=role.powers,
        )

    def summary(self, role: Role, **more: Any) -> Account:
        """The role as an account, without asking further."""
        is_service = role.name.lower() in self.rules.service_accounts
        more.setdefault("is_protected", bool(self._why_protected_by_itself(role)))
        return Account(
            external_id=self.external_id(role.oid),
            login=role.name,
            display_name=role.comment[:120],
            is_active=role.can_log_in,
            open_sessions=role.sessions,
            emails=self.rules.logins.emails(role.name, role.comment),
            last_used_at=role.last_used_at,
            nature=Nature.SERVICE if is_service or role.is_replication else Nature.PERSON,
            **more,
        )

    async def refuse_protected(self, role: Role) -> None:
        """Raise CONFLICT for a role that is never touched."""
        if reason := await self.why_protected(role):
            raise ConnectorError(
                ErrorKind.CONFLICT, f"{role.name} is protected: {reason}. Nothing was changed."
            )

    async def why_protected(self, role: Role) -> str:
        """Why a role is never touched, in words; empty when it may be."""
        reason = self._why_protected_by_itself(role)
        if reason or not self.rules.admin_groups or not role.can_log_in:
            return reason
        groups = await self.session.rows(
            """SELECT r.oid::bigint AS oid, r.rolname FROM pg_roles r
               WHERE lower(r.rolname) = ANY(%s) AND pg_has_role(%s, r.oid, 'MEMBER') ORDER BY r.rolname""",
            [list(self.rules.admin_groups), role.oid],
        )
        for group in groups:
            others = await self.session.row(_OTHERS_IN, {"group": group["oid"], "role": role.oid})
            if others is None:
                return f"it is the last active member of {group['rolname']}"
        return ""

    def _why_protected_by_itself(self, role: Role) -> str:
        if role.is_own:
            return "Partwell signs in to this server with it"
        if role.name.lower() in self.rules.protected:
            return "it is on this connection's list of protected roles"
        if role.is_superuser:
            return "it is a superuser; another superuser has to take that away first (NOSUPERUSER)"
        if role.is_replication:
            return "it is a replication role; a standby or a backup may sign in with it"
        if role.name.startswith("pg_"):
            return "it is one of PostgreSQL's own roles"
        return ""


def _role(row: Row) -> Role:
    words = {"rolcreaterole": "CREATEROLE", "rolcreatedb": "CREATEDB", "rolbypassrls": "BYPASSRLS"}
    return Role(
        oid=int(row["oid"]),
        name=row["rolname"],
        can_log_in=row["rolcanlogin"],
        connection_limit=row["rolconnlimit"],
        is_superuser=row["rolsuper"],
        is_replication=row["rolreplication"],
        is_own=row["is_own"],
        comment=row["comment"],
        members=row["members"] or "",
        attributes=tuple(word for name, word in words.items() if row[name]),
        powers=tuple(f"has {power}" for power in own_powers(row)),
        valid_until=row["valid_until"] or "",
        sessions=row["sessions"],
        last_used_at=row["last_used_at"],
    )


def _session(row: Row) -> Holding:
    since = row["backend_start"]
    details = {
        "client_address": row["address"] or "",
        "database": row["datname"] or "",
        "application": row["application_name"] or "",
        "state": row["state"] or "",
        "started_at": since.isoformat() if since else "",
    }
    where = f"from {row['address']}" if row["address"] else "from the server itself, or an address not shown"
    return Holding(
        kind=HoldingKind.SESSION,
        # A process number is used again; with its start it is not.
        external_id=f"{row['pid']}@{details['started_at']}",
        name=f"{details['application'] or 'session'} {where}, in {details['database'] or 'no database'}",
        last_used_at=row["state_change"] or since,
        details={name: value for name, value in details.items() if value},
    )


def names_of(found: Sequence[str], *, most: int = 10) -> str:
    """A list for people, cut where it gets long."""
    more = f" and {len(found) - most} more" if len(found) > most else ""
    return ", ".join(found[:most]) + more
