"""ldap3 behind a thread and a time limit of our own: sign in, search, modify. The only file that knows ldap3.

Each call opens a connection, uses it and closes it: what is read is read afresh, and no connection of ours
outlives its use. Referrals are never followed, because they would lead past the guarded transport.
"""

from __future__ import annotations

import ssl
from collections.abc import Callable, Generator, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from typing import Any, Literal, TypeVar

import ldap3
from ldap3.core.exceptions import LDAPException, LDAPResponseTimeoutError, LDAPSocketReceiveError

from partwell.connector_kit.calls import Call
from partwell.connector_kit.contract import ConnectorError, ErrorKind
from partwell.connector_kit.transport import Pinned, tls_context

T = TypeVar("T")
Changes = Mapping[str, Sequence[tuple[str, Sequence[str]]]]

ADD, DELETE, REPLACE = ldap3.MODIFY_ADD, ldap3.MODIFY_DELETE, ldap3.MODIFY_REPLACE

PASSWORD_POLICY_CONTROL = "1.3.6.1.4.1.42.2.27.8.5.1"  # noqa: S105 - an object identifier
PAGE_SIZE = 500

_SIZE_LIMIT_EXCEEDED = 4
_SUCCESS, _NO_SUCH_ATTRIBUTE, _VALUE_EXISTS, _INVALID_CREDENTIALS = 0, 16, 20, 49
_KINDS = {
    3: ErrorKind.RETRYABLE,  # timeLimitExceeded
    7: ErrorKind.DENIED,  # authMethodNotSupported
    8: ErrorKind.DENIED,  # strongerAuthRequired
    11: ErrorKind.RETRYABLE,  # adminLimitExceeded
    13: ErrorKind.DENIED,  # confidentialityRequired
    19: ErrorKind.CONFLICT,  # constraintViolation
    32: ErrorKind.NOT_FOUND,
    49: ErrorKind.DENIED,
    50: ErrorKind.DENIED,
    51: ErrorKind.RETRYABLE,  # busy
    52: ErrorKind.RETRYABLE,  # unavailable
    53: ErrorKind.CONFLICT,  # unwillingToPerform
    65: ErrorKind.CONFLICT,  # objectClassViolation: a group may not be left empty
    68: ErrorKind.CONFLICT,
}


@dataclass(frozen=True)
class Entry:
    """One entry as read: attribute names in lower case, values as bytes."""

    dn: str
    values: Mapping[str, tuple[bytes, ...]]

    def all(self, name: str) -> tuple[str, ...]:
        """The attribute's values as text."""
        return tuple(value.decode("utf-8", "replace") for value in self.values.get(name.lower(), ()))

    def first(self, name: str) -> str:
        """The attribute's first value as text, or an empty one."""
        return next(iter(self.all(name)), "")

    def raw(self, name: str) -> bytes:
        """The attribute's first value as bytes, or none."""
        return next(iter(self.values.get(name.lower(), ())), b"")


@dataclass(frozen=True)
class Door:
    """How to reach the directory. Security `plain` comes only from settings that say so."""

    security: Literal["ldaps", "starttls", "plain"]
    ca_file: str
    timeout: float


@dataclass(frozen=True)
class BindAnswer:
    """What the directory said to a sign-in. `policy_error` is ppolicy's, None when it said nothing."""

    accepted: bool
    message: str
    policy_error: int | None


class VerifiedTls(ldap3.Tls):
    """TLS that checks the certificate against the name. ldap3's own also takes one for the bare address,
    and a name that was pinned to an address is exactly where that would be wrong."""

    def __init__(self, host: str, ca_file: str) -> None:
        super().__init__(validate=ssl.CERT_REQUIRED)
        self._host = host
        self._context = tls_context(ca_file)

    def wrap_socket(self, connection: ldap3.Connection, do_handshake: bool = False) -> None:
        connection.socket = self._context.wrap_socket(connection.socket, server_hostname=self._host)


class Session:
    """A signed-in connection, used within one thread. `may_write` is asked before each change."""

    def __init__(self, connection: ldap3.Connection, may_write: Callable[[Call], bool]) -> None:
        self._connection = connection
        self._may_write = may_write

    def search(
        self,
        base: str,
        filter_text: str,
        attributes: Sequence[str],
        *,
        scope: Literal["BASE", "SUBTREE"] = ldap3.SUBTREE,
        limit: int = 0,
    ) -> list[Entry]:
        """All entries that match (or `limit` of them), over as many pages as it takes.

        Raises NOT_FOUND for a base that is not there, or that we may not see.
        """
        return [
            entry
            for page in self.pages(base, filter_text, attributes, scope=scope, limit=limit)
            for entry in page
        ]

    def pages(
        self,
        base: str,
        filter_text: str,
        attributes: Sequence[str],
        *,
        scope: Literal["BASE", "SUBTREE"] = ldap3.SUBTREE,
        limit: int = 0,
    ) -> Iterator[list[Entry]]:
        """As `search`, page by page; a page is let go before the next is asked for."""
        cookie: Any = None
        while True:
            self._connection.search(
                base,
                filter_text,
                scope,
                attributes=list(attributes),
                size_limit=limit,
                paged_size=PAGE_SIZE if scope == ldap3.SUBTREE and not limit else None,
                paged_cookie=cookie,
            )
            result = self._connection.result
            if not (limit and result["result"] == _SIZE_LIMIT_EXCEEDED):
                _check(result, "read")
            yield [
                _entry(item) for item in self._connection.response or () if item["type"] == "searchResEntry"
            ]
            page = result.get("controls", {}).get("1.2.840.113556.1.4.319")
            cookie = page["value"]["cookie"] if page else None
            if not cookie:
                return

    def read(self, dn: str, attributes: Sequence[str]) -> Entry | None:
        """One entry by its name, or None."""
        try:
            return next(iter(self.search(dn, "(objectClass=*)", attributes, scope=ldap3.BASE)), None)
        except ConnectorError as error:
            if error.kind is ErrorKind.NOT_FOUND:
                return None
            raise

    def modify(self, dn: str, changes: Changes) -> bool:
        """Change an entry. False when the directory says that it was so already. A dry run does nothing."""
        shown = {name: [list(part) for part in parts] for name, parts in changes.items()}
        if not self._may_write(Call("modify", dn, shown)):
            return True
        self._connection.modify(dn, {name: list(parts) for name, parts in changes.items()})
        result = self._connection.result
        if result["result"] in (_NO_SUCH_ATTRIBUTE, _VALUE_EXISTS):
            return False
        _check(result, "change")
        return True


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
        try:
            connection.bind()
            _check(connection.result, "sign in as the service account to")
            return work(Session(connection, may_write))
        finally:
            _unbind(connection)
    except (LDAPException, OSError) as error:
        raise _failure(error, pinned) from None


def iterate_signed_in(
    pinned: Pinned,
    door: Door,
    user: str,
    password: str,
    work: Callable[[Session], Iterator[T]],
    may_write: Callable[[Call], bool],
) -> Generator[T, None, None]:
    """Sign in, go through what `work` yields, sign off. Each step blocks, and may be in another thread than
    the one before. Raises `ConnectorError` only."""
    try:
        connection = _open(pinned, door, user, password)
        try:
            connection.bind()
            _check(connection.result, "sign in as the service account to")
            yield from work(Session(connection, may_write))
        finally:
            _unbind(connection)
    except (LDAPException, OSError) as error:
        raise _failure(error, pinned) from None


def try_bind(pinned: Pinned, door: Door, user: str, password: str) -> BindAnswer:
    """Attempt a sign-in and say what the directory answered. Blocking. Raises `ConnectorError` only."""
    try:
        connection = _open(pinned, door, user, password)
        try:
            accepted = connection.bind(controls=[(PASSWORD_POLICY_CONTROL, False, None)])
            result = connection.result
            if result["result"] not in (_SUCCESS, _INVALID_CREDENTIALS):
                _check(result, "try a sign-in at")
            control = (result.get("controls") or {}).get(PASSWORD_POLICY_CONTROL)
            return BindAnswer(bool(accepted), result["message"], _policy_error(control))
        finally:
            _unbind(connection)
    except (LDAPException, OSError) as error:
        raise _failure(error, pinned) from None


def _open(pinned: Pinned, door: Door, user: str, password: str) -> ldap3.Connection:
    refused: Exception | None = None
    for address in pinned.addresses:
        server = ldap3.Server(
            address,
            pinned.port,
            use_ssl=door.security == "ldaps",
            tls=None if door.security == "plain" else VerifiedTls(pinned.host, door.ca_file),
            get_info=ldap3.NONE,
            connect_timeout=door.timeout,
            allowed_referral_hosts=[],
        )
        connection = ldap3.Connection(
            server,
            user,
            password,
            authentication=ldap3.SIMPLE,
            auto_referrals=False,
            check_names=False,
            receive_timeout=max(1, round(door.timeout)),  # it goes into a C struct as whole seconds
        )
        try:
            connection.open(read_server_info=False)
            if door.security == "starttls" and not connection.start_tls(read_server_info=False):
                raise ConnectorError(
                    ErrorKind.DENIED,
                    f"{pinned.host} does not offer StartTLS; use 'ldaps://' or mend the server.",
                )
            return connection
        except (LDAPException, OSError) as error:
            _unbind(connection)
            refused = error
    raise refused or LDAPException("no address")


def _unbind(connection: ldap3.Connection) -> None:
    with suppress(LDAPException, OSError):  # it is closed either way
        connection.unbind()


def _entry(item: Mapping[str, Any]) -> Entry:
    values = {name.lower(): tuple(raw) for name, raw in item["raw_attributes"].items()}
    return Entry(item["dn"], values)


def _check(result: Mapping[str, Any], doing: str) -> None:
    code = result["result"]
    if code == _SUCCESS:
        return
    kind = _KINDS.get(code, ErrorKind.INVALID)
    detail = " ".join(str(result.get("message") or "").split())[:200]
    raise ConnectorError(
        kind,
        f"The directory refused to let us {doing} it: {result['description']} ({code})"
        + (f", '{detail}'." if detail else "."),
    )


def _failure(error: Exception, pinned: Pinned) -> ConnectorError:
    where = f"{pinned.host}:{pinned.port}"
    if "CERTIFICATE_VERIFY_FAILED" in str(error) or "certificate" in str(error).lower():
        return ConnectorError(
            ErrorKind.DENIED, f"The TLS certificate of {where} could not be verified; nothing was sent."
        )
    if isinstance(error, LDAPResponseTimeoutError | LDAPSocketReceiveError):
        return ConnectorError(ErrorKind.RETRYABLE, f"{where} did not answer in time.")
    return ConnectorError(ErrorKind.RETRYABLE, f"{where} could not be reached ({type(error).__name__}).")


def _policy_error(control: Mapping[str, Any] | None) -> int | None:
    """The error in ppolicy's answer: SEQUENCE { warning [0] OPTIONAL, error [1] ENUMERATED OPTIONAL }."""
    value = control.get("value") if control else None
    if not isinstance(value, bytes) or len(value) < 2:
        return None
    rest = value[2 : 2 + value[1]]
    while len(rest) >= 2:
        tag, size = rest[0], rest[1]
        if tag == 0x81 and size == 1 and len(rest) >= 3:
            return rest[2]
        rest = rest[2 + size :]
    return None
