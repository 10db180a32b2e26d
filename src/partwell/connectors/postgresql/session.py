"""psycopg behind errors of our own: sign in, ask, write. The only file that knows psycopg's connections.

Each call opens a connection, uses it and closes it: what is read is read afresh, and no connection of ours
outlives its use. Nothing is taken from libpq's environment variables or files that could lead elsewhere.
"""

from __future__ import annotations

import asyncio
import ssl
from collections.abc import AsyncIterator, Callable, Iterator, Mapping, Sequence
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass, replace
from enum import StrEnum
from pathlib import Path
from typing import Any, LiteralString, cast

import psycopg
from psycopg import sql
from psycopg.rows import dict_row

from partwell.connector_kit.calls import Call
from partwell.connector_kit.contract import ConnectorError, ErrorKind
from partwell.connector_kit.transport import Pinned

Row = Mapping[str, Any]
Query = sql.Composed | LiteralString

# SQLSTATE, or its class, and what it means for another attempt.
_KINDS = {
    "42501": ErrorKind.DENIED,
    "0LP01": ErrorKind.DENIED,  # invalid_grant_operation
    "28000": ErrorKind.DENIED,
    "28P01": ErrorKind.DENIED,
    "2BP01": ErrorKind.CONFLICT,  # dependent_objects_still_exist
    "25006": ErrorKind.CONFLICT,  # read_only_sql_transaction: not the primary
    "42704": ErrorKind.NOT_FOUND,
    "3D000": ErrorKind.NOT_FOUND,
    "0A000": ErrorKind.UNSUPPORTED,
    "55006": ErrorKind.RETRYABLE,  # object_in_use
    "55P03": ErrorKind.RETRYABLE,  # lock_not_available
    "57014": ErrorKind.RETRYABLE,  # query_canceled, by our own time limit too
}
_RETRYABLE_CLASSES = ("08", "40", "53", "57", "58", "XX")
# A refused connection has no SQLSTATE in libpq; a server that speaks another language than English is
# taken as "try again", which does no harm.
_DENIED_PHRASES = (
    "password authentication failed",
    "no pg_hba.conf entry",
    "is not permitted to log in",
    "permission denied for database",
    "authentication method requirement",
)


class SignIn(StrEnum):
    """What came of a sign-in that was tried."""

    LET_IN = "let in"
    LET_IN_UNASKED = "let in without being asked for a password"
    REFUSED = "refused after being asked for the password"
    UNKNOWN = "unknown"


@dataclass(frozen=True)
class Door:
    """How to reach the server. `plain` comes only from settings that say so."""

    host: str
    port: int
    database: str
    plain: bool
    ca_file: str
    timeout: float

    @property
    def address(self) -> str:
        """Where that is, for people."""
        return f"postgresql://{self.host}:{self.port}/{self.database}"

    def parameters(self, pinned: Pinned, user: str, password: str) -> dict[str, Any]:
        """libpq's parameters: dial the addresses that were checked, name the host in TLS."""
        count = len(pinned.addresses)
        found: dict[str, Any] = {
            "host": ",".join([pinned.host] * count),
            "hostaddr": ",".join(pinned.addresses),
            "port": pinned.port,
            "dbname": self.database,
            "user": user,
            "password": password,
            "application_name": "partwell",
            "connect_timeout": max(2, round(self.timeout)),
            "client_encoding": "UTF8",
            "options": "",
            # Kerberos would ask elsewhere, and a client certificate in the home folder is not ours to use.
            "gssencmode": "disable",
            "sslcertmode": "disable",
            # A standby shows what was, and takes no writes.
            "target_session_attrs": "primary",
        }
        if self.plain:
            return found | {"sslmode": "disable", "require_auth": "!password,!gss,!sspi"}
        authority = self.ca_file or system_authorities()
        return found | {"sslmode": "verify-full", "sslrootcert": authority, "require_auth": "!gss,!sspi"}


class Session:
    """A signed-in connection to the database at `address`. `may_write` is asked before each change."""

    def __init__(
        self, connection: psycopg.AsyncConnection[Row], address: str, may_write: Callable[[Call], bool]
    ) -> None:
        self._connection = connection
        self._address = address
        self._may_write = may_write

    @property
    def version(self) -> int:
        """The server's major version."""
        return self._connection.info.server_version // 10000

    async def rows(self, query: Query, parameters: Sequence[Any] | Mapping[str, Any] = ()) -> list[Row]:
        """Ask, and read the answer whole."""
        with _failures():
            cursor = await self._connection.execute(query, parameters)
            return await cursor.fetchall()

    async def row(self, query: Query, parameters: Sequence[Any] | Mapping[str, Any] = ()) -> Row | None:
        """The first row, or None."""
        return next(iter(await self.rows(query, parameters)), None)

    async def run(self, statement: sql.Composed, *, shown: str = "") -> bool:
        """Carry out a statement that changes something. False in a dry run, which shows it in its place, or
        `shown` for one that holds a secret."""
        text = shown or statement.as_string(self._connection)
        if not self._may_write(Call("SQL", self._address, text)):
            return False
        with _failures():
            await self._connection.execute(statement)
        return True

    @asynccontextmanager
    async def transaction(self) -> AsyncIterator[None]:
        """All or nothing; what is raised within undoes it."""
        with _failures():
            async with self._connection.transaction():
                yield

    def verifier(self, password: str, role: str) -> str:
        """What the server keeps of a password (SCRAM-SHA-256), computed here: the password stays here."""
        found = self._connection.pgconn.encrypt_password(password.encode(), role.encode(), b"scram-sha-256")
        return found.decode()


@asynccontextmanager
async def signed_in(
    door: Door, pinned: Pinned, user: str, password: str, may_write: Callable[[Call], bool]
) -> AsyncIterator[Session]:
    """Sign in, and sign off again. Raises `ConnectorError` only, also for what is raised within."""
    with _failures(pinned):
        async with asyncio.timeout(door.timeout * 2):
            connection = await psycopg.AsyncConnection.connect(
                **door.parameters(pinned, user, password),
                autocommit=True,
                row_factory=cast("Any", dict_row),
                prepare_threshold=None,
            )
    try:
        session = Session(connection, door.address, may_write)
        # Whoever may create objects in some database could otherwise put functions of theirs in our way.
        await session.rows("SELECT set_config('search_path', '', false)")
        for name in ("statement_timeout", "lock_timeout"):
            await session.rows("SELECT set_config(%s, %s, false)", [name, f"{round(door.timeout * 1000)}ms"])
        yield session
    finally:
        await connection.close()


async def try_sign_in(door: Door, pinned: Pinned, user: str, password: str) -> SignIn:
    """Attempt a sign-in and say what the server answered."""
    try:
        async with asyncio.timeout(door.timeout * 2):
            connection = await psycopg.AsyncConnection.connect(**door.parameters(pinned, user, password))
    except psycopg.OperationalError as error:
        was_asked = error.pgconn is not None and error.pgconn.used_password
        return SignIn.REFUSED if was_asked else SignIn.UNKNOWN
    except (psycopg.Error, OSError, TimeoutError):
        return SignIn.UNKNOWN
    asked = connection.pgconn.used_password
    await connection.close()
    return SignIn.LET_IN if asked else SignIn.LET_IN_UNASKED


def in_database(door: Door, name: str) -> Door:
    """The same server, another database."""
    return replace(door, database=name)


def system_authorities() -> str:
    """The file with the system's certificate authorities: libpq's own copy knows none of this machine's."""
    paths = ssl.get_default_verify_paths()
    candidates = [paths.cafile, paths.openssl_cafile, f"{paths.openssl_capath}/ca-certificates.crt"]
    found = next((path for path in candidates if path and Path(path).is_file()), "")
    if not found:
        raise ConnectorError(
            ErrorKind.INVALID,
            "This machine has no file of certificate authorities. Name the server's authority in 'ca_file'.",
        )
    return found


@contextmanager
def _failures(pinned: Pinned | None = None) -> Iterator[None]:
    """What psycopg raises, as data. With `pinned`, the connection itself is what failed."""
    try:
        yield
    except psycopg.Error as error:
        raise _refused(error, pinned) if pinned and not error.sqlstate else failure(error) from None
    except TimeoutError:
        raise ConnectorError(ErrorKind.RETRYABLE, "The server did not answer in time.") from None
    except OSError as error:
        raise ConnectorError(
            ErrorKind.RETRYABLE, f"The server could not be reached ({type(error).__name__})."
        ) from None


def failure(error: psycopg.Error) -> ConnectorError:
    """What the server refused. Its own words are kept; the statement is not, it may hold a verifier."""
    state = error.sqlstate or ""
    if not state:
        return ConnectorError(ErrorKind.RETRYABLE, f"The connection broke ({type(error).__name__}).")
    kind = _KINDS.get(state)
    if kind is None:
        kind = ErrorKind.RETRYABLE if state.startswith(_RETRYABLE_CLASSES) else ErrorKind.INVALID
    words = [error.diag.message_primary or "", error.diag.message_detail or ""]
    said = "; ".join(" ".join(part.split()) for part in words if part)[:600]
    return ConnectorError(kind, f"PostgreSQL refused: {said} ({state}).")


def _refused(error: psycopg.Error, pinned: Pinned) -> ConnectorError:
    where, text = f"{pinned.host}:{pinned.port}", " ".join(str(error).split())
    if "certificate verify failed" in text or "server certificate for" in text:
        return ConnectorError(
            ErrorKind.DENIED, f"The TLS certificate of {where} could not be verified; nothing was sent."
        )
    if "does not support SSL" in text:
        return ConnectorError(
            ErrorKind.DENIED, f"{where} offers no TLS; turn it on there ('ssl = on'). Nothing was sent."
        )
    if "standby" in text:
        return ConnectorError(
            ErrorKind.RETRYABLE,
            f"{where} is a standby: it may be behind, and takes no writes. Connect to the primary.",
        )
    if any(phrase in text for phrase in _DENIED_PHRASES):
        return ConnectorError(
            ErrorKind.DENIED,
            f"{where} does not let Partwell in: {text.rpartition('FATAL:')[2].strip()[:200]}.",
        )
    return ConnectorError(ErrorKind.RETRYABLE, f"{where} could not be reached, or let nobody in just now.")
