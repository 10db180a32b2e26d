"""What a role owns in all databases of a server, and giving it to somebody else.

Who owns what is in a catalogue that all databases share (`pg_shdepend`), so the count is whole wherever it is
asked. Names, and changes, need a connection to the database in question.
"""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass
from typing import LiteralString

from psycopg import sql

from partwell.connector_kit.contract import ConnectorError, ErrorKind, Holding, HoldingKind
from partwell.connectors.postgresql.roles import Role, names_of
from partwell.connectors.postgresql.session import Session

OpenDatabase = Callable[[str], AbstractAsyncContextManager[Session]]

# Deptype 'o' is ownership. What belongs to the server itself has database number 0.
_SHARES: LiteralString = """
    SELECT COALESCE(b.datname, '') AS database, count(*) AS count
    FROM pg_shdepend d LEFT JOIN pg_database b ON b.oid = d.dbid
    WHERE d.refclassid = 'pg_authid'::regclass AND d.refobjid = %s AND d.deptype = 'o'
    GROUP BY b.datname ORDER BY 1
"""
_NAMED: LiteralString = """
    SELECT d.classid::regclass::text AS catalogue, d.objid::bigint AS objid,
           pg_describe_object(d.classid, d.objid, 0) AS name
    FROM pg_shdepend d
    WHERE d.refclassid = 'pg_authid'::regclass AND d.refobjid = %s AND d.deptype = 'o'
      AND d.dbid = COALESCE((SELECT oid FROM pg_database WHERE datname = %s), 0)
    ORDER BY 3
"""


@dataclass(frozen=True)
class Share:
    """How much a role owns in one database. What belongs to the server itself (databases, tablespaces) has
    no database, and an empty name."""

    database: str
    count: int


async def shares(session: Session, oid: int) -> list[Share]:
    """What the role owns, by database, whether or not Partwell may connect there."""
    rows = await session.rows(_SHARES, [oid])
    return [Share(row["database"], row["count"]) for row in rows]


def total(found: list[Share]) -> int:
    """How many objects that is."""
    return sum(share.count for share in found)


def described(found: list[Share]) -> str:
    """In words, how much is where."""
    return names_of(
        [
            f"{share.count} in {share.database}" if share.database else f"{share.count} of the server itself"
            for share in found
        ]
    )


async def owned_things(session: Session, role: Role, open_database: OpenDatabase) -> list[Holding]:
    """Each object by its name; where Partwell may not connect, the number of them stands for the names."""
    found: list[Holding] = []
    for share in await shares(session, role.oid):
        if not share.database:
            found += await _named(session, role, "")
            continue
        try:
            async with open_database(share.database) as there:
                found += await _named(there, role, share.database)
        except ConnectorError as error:
            if error.kind not in (ErrorKind.DENIED, ErrorKind.NOT_FOUND):
                raise
            found.append(
                Holding(
                    HoldingKind.OWNED,
                    f"{share.database}:*",
                    f"{share.count} objects in {share.database}, whose names Partwell may not read",
                    details={"database": share.database, "count": str(share.count)},
                )
            )
    return found


async def _named(session: Session, role: Role, database: str) -> list[Holding]:
    rows = await session.rows(_NAMED, [role.oid, database])
    return [
        Holding(
            HoldingKind.OWNED,
            f"{database}:{row['catalogue']}:{row['objid']}",
            f"{row['name']} in {database}" if database else row["name"],
            details={"database": database} if database else {},
        )
        for row in rows
    ]


async def give_over(
    session: Session, role: Role, successor: Role, open_database: OpenDatabase, maintenance: str
) -> list[Share]:
    """Give everything that `role` owns to `successor`; returns what is left, read afresh.

    A database that refuses does not stop the others; then it raises, naming each.
    """
    before = await shares(session, role.oid)
    # What belongs to the server itself goes along with any database.
    databases = [share.database for share in before if share.database] or [maintenance]
    failures: list[tuple[str, ConnectorError]] = []
    for database in databases if before else ():
        try:
            async with open_database(database) as there:
                await _reassign(there, role, successor)
        except ConnectorError as error:
            failures.append((database, error))
    left = await shares(session, role.oid)
    if failures:
        why = " ".join(f"{database}: {error.message}" for database, error in failures)
        raise ConnectorError(
            failures[0][1].kind,
            f"{total(before) - total(left)} of {total(before)} objects were given to {successor.name}. {why}",
        )
    return left


async def _reassign(session: Session, role: Role, successor: Role) -> None:
    """Reassigning needs the rights of both roles; Partwell takes them for the length of the transaction."""
    async with session.transaction():
        borrowed = [each for each in (role, successor) if not await _has_rights_of(session, each)]
        for each in borrowed:
            await session.run(_grant(session, each))
        await session.run(
            sql.SQL("REASSIGN OWNED BY {} TO {}").format(
                sql.Identifier(role.name), sql.Identifier(successor.name)
            )
        )
        for each in borrowed:
            await session.run(sql.SQL("REVOKE {} FROM CURRENT_USER").format(sql.Identifier(each.name)))


async def _has_rights_of(session: Session, role: Role) -> bool:
    row = await session.row("SELECT pg_has_role(%s, 'USAGE') AS has", [role.oid])
    return bool(row and row["has"])


def _grant(session: Session, role: Role) -> sql.Composed:
    options = sql.SQL(" WITH INHERIT TRUE, SET TRUE" if session.version >= 16 else "")
    return sql.SQL("GRANT {} TO CURRENT_USER{}").format(sql.Identifier(role.name), options)
