"""PyMySQL behind a thread and errors of our own: sign in, ask, write. The only file that knows PyMySQL.

Each call opens a connection, uses it and closes it: what is read is read afresh, and no connection of ours
outlives its use. No option files are read, and the server is never sent a local file.
"""

from __future__ import annotations

import ssl
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from enum import StrEnum
from typing import Any, LiteralString, TypeVar

import pymysql
from pymysql.constants import CLIENT
from pymysql.cursors import DictCursor

from partwell.connector_kit.calls import Call
from partwell.connector_kit.contract import ConnectorError, ErrorKind
from partwell.connector_kit.transport import Pinned
from partwell.connectors.mysql.statements import Sql

T = TypeVar("T")
Row = Mapping[str, Any]

ACCESS_DENIED = 1045
UNKNOWN_THREAD = 1094
_CANNOT_CONNECT, _TLS_MISSING = 2003, 2026
_KINDS = {
    **dict.fromkeys((1044, ACCESS_DENIED, 1095, 1129, 1130, 1131, 1142, 1143), ErrorKind.DENIED),
    **dict.fromkeys((1227, 1370, 1419, 1698, 1820, 3118, 4151, _TLS_MISSING), ErrorKind.DENIED),
    **dict.fromkeys((1141, 1269, 1396), ErrorKind.NOT_FOUND),
    # A replica that takes no writes; passwords that a plug-in wants to see in the clear.
    **dict.fromkeys((1290, 1819, 1836, 4006), ErrorKind.CONFLICT),
    **dict.fromkeys((1064, 1147, 1149, 1210, 1470), ErrorKind.INVALID),
    **dict.fromkeys((1235, 1524, 1273), ErrorKind.UNSUPPORTED),
}


class SignIn(StrEnum):
    """What came of a sign-in that was tried."""

    LET_IN = "let in"
    REFUSED = "refused"
    UNKNOWN = "unknown"


@dataclass(frozen=True)
class Door:
    """How to reach the server. `plain` comes only from settings that say so."""

    host: str
    port: int
    plain: bool
    ca_file: str
    timeout: float

    @property
    def address(self) -> str:
        """Where that is, for people."""
        return f"mysql://{self.host}:{self.port}"


class NamedTls(ssl.SSLContext):
    """TLS that checks the certificate against the name, whatever address is dialled. PyMySQL would check
    it against the address, since it is given that in the name's place."""

    host: str = ""

    def wrap_socket(self, *arguments: Any, **options: Any) -> ssl.SSLSocket:
        """As ever, for the name of the server."""
        return super().wrap_socket(*arguments, **options | {"server_hostname": self.host})


def tls_for(host: str, ca_file: str) -> NamedTls:
    """Verification on; `ca_file` names a private authority, in place of the system's."""
    context = NamedTls(ssl.PROTOCOL_TLS_CLIENT)  # which asks for a certificate, and for the right name
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    context.host = host
    try:
        if ca_file:
            context.load_verify_locations(cafile=ca_file)
        else:
            context.load_default_certs()
    except (OSError, ssl.SSLError):
        raise ConnectorError(ErrorKind.INVALID, f"The CA file {ca_file!r} cannot be read.") from None
    return context


class Session:
    """A signed-in connection to the server at `address`, used within one thread. `may_write` is asked before
    each change."""

    def __init__(self, connection: Any, address: str, may_write: Callable[[Call], bool]) -> None:
        self._connection = connection
        self._address = address
        self._may_write = may_write

    def rows(self, query: LiteralString, parameters: Sequence[Any] = ()) -> list[Row]:
        """Ask, and read the answer whole."""
        return self._execute(query, parameters)

    def show(self, statement: Sql) -> list[str]:
        """The first column of what a SHOW statement answers."""
        return [str(next(iter(row.values()))) for row in self._execute(statement, None)]

    def run(self, statement: Sql, *, shown: str = "") -> bool:
        """Carry out a statement that changes something. False in a dry run, which shows it in its place, or
        `shown` for one that holds a secret."""
        if not self._may_write(Call("SQL", self._address, shown or statement)):
            return False
        self._execute(statement, None)
        return True

    def literal(self, value: str) -> Sql:
        """A value as the driver quotes it."""
        with self._connection.cursor() as cursor:
            return Sql(cursor.mogrify("%s", (value,)))

    def _execute(self, text: str, parameters: Sequence[Any] | None) -> list[Row]:
        try:
            with self._connection.cursor() as cursor:
                cursor.execute(text, parameters)
                return list(cursor.fetchall())
        except (pymysql.MySQLError, OSError) as error:
            raise failure(error) from None


def run_signed_in(
    pinned: Pinned,
    door: Door,
    user: str,
    password: str,
    work: Callable[[Session], T],
    may_write: Callable[[Call], bool],
) -> T:
    """Sign in, run `work`, sign off. Blocking. Raises `ConnectorError` only."""
    try:
        connection = _open(pinned, door, user, password)
    except (pymysql.MySQLError, OSError) as error:
        raise _refused(error, pinned) from None
    try:
        return work(Session(connection, door.address, may_write))
    finally:
        _close(connection)


def try_sign_in(pinned: Pinned, door: Door, user: str, password: str) -> SignIn:
    """Attempt a sign-in and say what the server answered. Blocking."""
    try:
        connection = _open(pinned, door, user, password)
    except (pymysql.MySQLError, OSError) as error:
        return SignIn.REFUSED if _code(error) == ACCESS_DENIED else SignIn.UNKNOWN
    _close(connection)
    return SignIn.LET_IN


def failure(error: Exception) -> ConnectorError:
    """What the server refused. Its own words are kept, and the statement is not in them, save for a part of
    one that it cannot read: those words are left out."""
    code = _code(error)
    kind = _KINDS.get(code, ErrorKind.RETRYABLE)
    if not code or 2000 <= code < 3000:
        return ConnectorError(kind, f"The connection broke ({code or type(error).__name__}).")
    if kind is ErrorKind.INVALID:
        return ConnectorError(kind, f"The server could not read our request ({code}).")
    said = " ".join(str(error.args[1]).split())[:300] if len(error.args) > 1 else ""
    return ConnectorError(kind, f"The server refused: {said} ({code}).")


def _open(pinned: Pinned, door: Door, user: str, password: str) -> Any:
    refused: Exception | None = None
    for address in pinned.addresses:
        try:
            return pymysql.connect(
                host=address,
                port=pinned.port,
                user=user,
                password=password,
                charset="utf8mb4",
                connect_timeout=max(1, round(door.timeout)),
                read_timeout=door.timeout,
                write_timeout=door.timeout,
                # Without TLS nothing is sent, whatever the server offers, unless the settings say so.
                ssl=None if door.plain else tls_for(pinned.host, door.ca_file),
                ssl_disabled=door.plain,
                autocommit=True,
                sql_mode="",  # the one in which the driver's quoting of values is right
                client_flag=CLIENT.MULTI_RESULTS,  # one statement at a time
                program_name="partwell",
                cursorclass=DictCursor,
            )
        except (pymysql.MySQLError, OSError) as error:
            refused = error
            if _code(error) != _CANNOT_CONNECT:
                break
    raise refused or pymysql.OperationalError(_CANNOT_CONNECT, "no address")


def _close(connection: Any) -> None:
    with suppress(pymysql.MySQLError, OSError):  # it is closed either way
        connection.close()


def _code(error: Exception) -> int:
    first = error.args[0] if error.args else 0
    return first if isinstance(first, int) else 0


def _refused(error: Exception, pinned: Pinned) -> ConnectorError:
    where, code = f"{pinned.host}:{pinned.port}", _code(error)
    if "certificate verify failed" in str(error).lower():
        return ConnectorError(
            ErrorKind.DENIED, f"The TLS certificate of {where} could not be verified; nothing was sent."
        )
    if code == _TLS_MISSING:
        return ConnectorError(
            ErrorKind.DENIED,
            f"{where} offers no TLS; turn it on there (ssl_cert, ssl_key). Nothing was sent.",
        )
    kind = _KINDS.get(code, ErrorKind.RETRYABLE)
    if kind is ErrorKind.DENIED:
        return ConnectorError(kind, f"{where} does not let Partwell in ({code}).")
    return ConnectorError(
        ErrorKind.RETRYABLE, f"{where} could not be reached, or let nobody in just now ({code})."
    )
