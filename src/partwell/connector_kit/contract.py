"""What a connector promises: capabilities as small Protocols, and the frozen values that pass through them.

A connector talks to one kind of target (SCIM, LDAP, …) and knows no Django. It is built from a
`Connection` and offers only those capabilities that its manifest declares; what it does not declare
becomes a manual task, never a silent skip. All methods are async; a blocking library runs in a thread.

Rules that every connector keeps (a shared test suite runs them against each):
read before write; "not found" and "already so" are `Outcome.ALREADY_DONE` and are verified all the same;
suspend, revoke sessions and remove entitlements are separate verbs, separately verified; `verify` is a
fresh read plus, where the target allows one, a negative probe; nothing raises but `ConnectorError`.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from typing import Any, Protocol, runtime_checkable


class Verb(StrEnum):
    """What can be done to an account, in the order in which a plan runs them (see `plan.ORDER`)."""

    BLOCK_SIGN_IN = "block_sign_in"
    REVOKE_SESSIONS = "revoke_sessions"
    SUSPEND = "suspend"
    REMOVE_ENTITLEMENTS = "remove_entitlements"
    DELETE = "delete"


class Reversibility(StrEnum):
    """Whether `restore` can undo a verb: wholly, in part, or not at all."""

    REVERSIBLE = "reversible"
    PARTIAL = "partial"
    NONE = "none"


class Outcome(StrEnum):
    """What the target said to a write. None of these is proof."""

    DONE = "done"  # it answered that the change is made
    ACCEPTED = "accepted"  # it took the request; the change comes later (a 202)
    ALREADY_DONE = "already_done"  # it was so before, or the account does not exist


class Verdict(StrEnum):
    """What reading back showed."""

    CONFIRMED = "confirmed"  # read afresh, and the probe (where there is one) was refused
    PENDING = "pending"  # not yet; ask again until the stated time
    FAILED = "failed"  # read afresh, and it is not so
    UNVERIFIABLE = "unverifiable"  # the target cannot be asked this


class ErrorKind(StrEnum):
    """Retry policy is data: what a failure means for the next attempt."""

    RETRYABLE = "retryable"  # network, 5xx, timeout: try again with back-off
    THROTTLED = "throttled"  # try again at `retry_at`
    DENIED = "denied"  # our credentials or scopes are not enough
    NOT_FOUND = "not_found"
    CONFLICT = "conflict"
    INVALID = "invalid"  # the target says that our request is wrong
    UNSUPPORTED = "unsupported"


class ConnectorError(Exception):
    """Anything that stopped a connector. `message` is for people, and carries no secret."""

    def __init__(
        self,
        kind: ErrorKind,
        message: str,
        *,
        retry_at: datetime | None = None,
        request_id: str = "",
    ) -> None:
        super().__init__(message)
        self.kind = kind
        self.message = message
        self.retry_at = retry_at
        self.request_id = request_id

    @property
    def is_permanent(self) -> bool:
        """Whether trying again unchanged is pointless."""
        return self.kind not in (ErrorKind.RETRYABLE, ErrorKind.THROTTLED)


@dataclass(frozen=True)
class Identity:
    """By what a person may be known in a target. Exact matches only; nothing here is guessed."""

    emails: tuple[str, ...]
    usernames: tuple[str, ...] = ()
    employee_number: str = ""
    display_name: str = ""


@dataclass(frozen=True)
class Entitlement:
    """A group, role or licence that an account holds."""

    kind: str
    external_id: str
    name: str


@dataclass(frozen=True)
class Account:
    """An account in a target, as just read. `external_id` never changes; `login` may."""

    external_id: str
    login: str
    display_name: str = ""
    is_active: bool | None = None
    matched_by: str = ""
    entitlements: tuple[Entitlement, ...] = ()
    open_sessions: int | None = None
    is_protected: bool = False  # break-glass, operator or last administrator: never touched
    details: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class Snapshot:
    """The state before any write; the only source for `restore`. JSON-serialisable."""

    taken_at: datetime
    state: Mapping[str, Any]


@dataclass(frozen=True)
class Receipt:
    """The answer to a write, redacted, with the target's own id for the request where it gives one."""

    outcome: Outcome
    summary: str
    request_id: str = ""
    request: Mapping[str, Any] = field(default_factory=dict)
    response: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class Proof:
    """What a fresh read and a negative probe showed.

    `read` and `probe` are sentences for people ("locked since 2026-11-27T16:30Z", "a new bind was
    refused"). `still_open` counts sessions seen alive: suspension does not end them, and we say so.
    `retry_until` comes with `PENDING`.
    """

    verdict: Verdict
    read: str
    probe: str = ""
    still_open: int | None = None
    retry_until: datetime | None = None


@dataclass(frozen=True)
class TestReport:
    """Whether credentials and scopes suffice for each declared capability."""

    ok: bool
    summary: str
    problems: tuple[str, ...] = ()


class Secrets(Protocol):
    """Resolves references (`env:NAME`, `file:PATH`) at the moment of use; never stored, never logged."""

    def resolve(self, reference: str) -> str: ...


@dataclass(frozen=True)
class Connection:
    """One configured target: a name, the connector's settings, and the means to reach it.

    `transport` is the one guarded way out (see `connector_kit.transport`); `now` is the clock, passed in.
    """

    name: str
    settings: Mapping[str, Any]
    secrets: Secrets
    transport: Any
    now: Any


class Connector(Protocol):
    """What every connector has."""

    connection: Connection

    async def test(self) -> TestReport:
        """Check credentials and scopes without changing anything."""
        ...

    async def close(self) -> None:
        """Let go of connections. Called once, also after errors."""
        ...


@runtime_checkable
class CanDiscover(Protocol):
    async def discover(self, identity: Identity) -> list[Account]:
        """All accounts of this identity. More than one is for a person to decide. A failure raises;
        an empty list means that the target was asked and has none."""
        ...

    async def read(self, external_id: str) -> Account | None:
        """One account afresh, or None when the target says that there is none."""
        ...


@runtime_checkable
class CanSnapshot(Protocol):
    async def snapshot(self, external_id: str) -> Snapshot: ...


@runtime_checkable
class CanBlockSignIn(Protocol):
    async def block_sign_in(self, external_id: str) -> Receipt:
        """Keep the account alive, but let nobody in. Reversible."""
        ...


@runtime_checkable
class CanSuspend(Protocol):
    async def suspend(self, external_id: str) -> Receipt: ...


@runtime_checkable
class CanRevokeSessions(Protocol):
    async def revoke_sessions(self, external_id: str) -> Receipt: ...


@runtime_checkable
class CanRemoveEntitlements(Protocol):
    async def remove_entitlements(self, external_id: str) -> Receipt: ...


@runtime_checkable
class CanDelete(Protocol):
    async def delete(self, external_id: str) -> Receipt:
        """Irreversible, and never part of a plan by default."""
        ...


@runtime_checkable
class CanVerify(Protocol):
    async def verify(self, external_id: str, verb: Verb) -> Proof: ...


@runtime_checkable
class CanRestore(Protocol):
    async def restore(self, external_id: str, verb: Verb, snapshot: Snapshot) -> Receipt: ...


PROTOCOLS: dict[str, type] = {
    "discover": CanDiscover,
    "snapshot": CanSnapshot,
    Verb.BLOCK_SIGN_IN: CanBlockSignIn,
    Verb.REVOKE_SESSIONS: CanRevokeSessions,
    Verb.SUSPEND: CanSuspend,
    Verb.REMOVE_ENTITLEMENTS: CanRemoveEntitlements,
    Verb.DELETE: CanDelete,
    "verify": CanVerify,
    "restore": CanRestore,
}
