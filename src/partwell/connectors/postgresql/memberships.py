"""Taking memberships away, and giving them back with the options that they had."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from psycopg import sql

from partwell.connector_kit.contract import ConnectorError, ErrorKind, Outcome, Receipt, Snapshot
from partwell.connectors.postgresql.roles import Membership, Role, View


def as_snapshot(membership: Membership) -> dict[str, Any]:
    """What giving it back needs."""
    return {
        "role_oid": membership.role_oid,
        "role": membership.role,
        "admin": membership.admin,
        "inherit": membership.inherit,
        "set": membership.set,
        "grantor": membership.grantor,
    }


async def take_away(view: View, role: Role) -> Receipt:
    """REVOKE each, as whoever granted it. One that is refused does not stop the others."""
    before = await view.memberships(role.oid)
    refused: list[str] = []
    kind = ErrorKind.DENIED
    for each in before:
        try:
            await view.session.run(_revoke(view, role, each))
        except ConnectorError as error:
            refused.append(
                f"{each.role} (granted by {each.grantor or 'nobody who is left'}): {error.message}"
            )
            kind = error.kind
    after = await view.memberships(role.oid)
    gone = len(before) - len(after)
    if refused:
        raise ConnectorError(
            kind,
            f"{gone} of {len(before)} memberships were taken away. Still there: {'; '.join(refused)} Whoever "
            "granted it, or a superuser, can take it away; from PostgreSQL 16 on nobody else can.",
        )
    return Receipt(
        Outcome.DONE,
        f"{gone} memberships were taken away.",
        request={"revoked": sorted({each.role for each in before})},
    )


async def give_back(view: View, role: Role, snapshot: Snapshot) -> Receipt:
    """GRANT what is in the snapshot and not there now."""
    now = {(each.role_oid, each.admin) for each in await view.memberships(role.oid)}
    wanted = {each["role_oid"]: each for each in _by_admin(snapshot.state.get("memberships", []))}
    given: list[str] = []
    missing: list[str] = []
    kind = ErrorKind.NOT_FOUND
    for each in wanted.values():
        if (each["role_oid"], bool(each["admin"])) in now:
            continue
        row = await view.session.row("SELECT rolname FROM pg_roles WHERE oid = %s", [each["role_oid"]])
        if row is None:
            missing.append(f"{each['role']} (it no longer exists)")
            continue
        try:
            await view.session.run(_grant(view, row["rolname"], role.name, each))
            given.append(row["rolname"])
        except ConnectorError as error:
            missing.append(f"{row['rolname']} ({error.message})")
            kind = error.kind
    if missing:
        raise ConnectorError(
            kind, f"{len(given)} memberships were given back. Still missing: {'; '.join(missing)}."
        )
    if not given:
        return Receipt(Outcome.ALREADY_DONE, "It belongs to all that it belonged to.")
    return Receipt(
        Outcome.DONE,
        f"{len(given)} memberships were given back; Partwell is who granted them now.",
        request={"granted": given},
    )


def _by_admin(memberships: list[Mapping[str, Any]]) -> list[Mapping[str, Any]]:
    """Those with the admin option last: of several grants of one role, the widest is given back."""
    return sorted(memberships, key=lambda each: bool(each["admin"]))


def _revoke(view: View, role: Role, membership: Membership) -> sql.Composed:
    # Before 16 there is one membership, whoever granted it; since then one for each, named by who granted it.
    by: sql.Composable = sql.SQL("")
    if view.session.version >= 16 and membership.grantor:
        by = sql.SQL(" GRANTED BY {}").format(sql.Identifier(membership.grantor))
    return sql.SQL("REVOKE {} FROM {}{}").format(
        sql.Identifier(membership.role), sql.Identifier(role.name), by
    )


def _grant(view: View, group: str, member: str, options: Mapping[str, Any]) -> sql.Composed:
    statement = sql.SQL("GRANT {} TO {}").format(sql.Identifier(group), sql.Identifier(member))
    if view.session.version < 16:
        return statement + sql.SQL(" WITH ADMIN OPTION" if options["admin"] else "")
    return statement + sql.SQL(" WITH ADMIN {}, INHERIT {}, SET {}").format(
        *(sql.SQL("FALSE" if options[name] is False else "TRUE") for name in ("admin", "inherit", "set"))
    )
