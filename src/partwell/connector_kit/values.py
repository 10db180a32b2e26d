"""The frozen values that pass between Partwell and its connectors; `contract.py` says what for."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from typing import Any, Protocol


class Verb(StrEnum):
    """What can be done to an account, in the order in which a plan runs them (see `plan.ORDER`)."""

    BLOCK_SIGN_IN = "block_sign_in"
    REVOKE_SESSIONS = "revoke_sessions"
    REVOKE_TOKENS = "revoke_tokens"  # tokens, app passwords, API and SSH keys: what opens the door unattended
    SUSPEND = "suspend"
    REMOVE_ENTITLEMENTS = "remove_entitlements"
    RELEASE_LICENCE = "release_licence"
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
    """A group, role or licence that an account holds.

    `power` says what makes it dangerous, as the target tells it and to be read after "it": "is in Domain
    Admins", "inherits CREATEROLE from dba". Empty where it is not, and where the connector cannot tell.
    """

    kind: str
    external_id: str
    name: str
    power: str = ""


class Nature(StrEnum):
    """Whose account it is. Only a person's own is cut by itself; the others are asked about."""

    PERSON = "person"
    SERVICE = "service"  # runs unattended, and may outlive whoever made it
    LINKED = "linked"  # a second account of the same person: guest, outside collaborator, administrator


@dataclass(frozen=True)
class Account:
    """An account in a target, as just read. `external_id` never changes; `login` may.

    `emails` and `employee_number` are what the target itself holds, for matching everybody at once. `powers`
    are those that it has by itself, beside those of its `entitlements`, in the same words.
    """

    external_id: str
    login: str
    display_name: str = ""
    is_active: bool | None = None
    matched_by: str = ""
    entitlements: tuple[Entitlement, ...] = ()
    open_sessions: int | None = None
    is_protected: bool = False  # break-glass, operator or last administrator: never touched
    details: Mapping[str, str] = field(default_factory=dict)
    emails: tuple[str, ...] = ()
    employee_number: str = ""
    last_used_at: datetime | None = None
    nature: Nature = Nature.PERSON
    powers: tuple[str, ...] = ()


class HoldingKind(StrEnum):
    """What an account may hold beside groups and roles."""

    SESSION = "session"
    TOKEN = "token"  # noqa: S105 - a kind, not a secret
    KEY = "key"
    DEVICE = "device"
    OWNED = "owned"  # something that needs a new owner: a repository, a group, a schedule, a schema


@dataclass(frozen=True)
class Holding:
    """One thing that an account holds. `name` is for people and never the secret itself."""

    kind: HoldingKind
    external_id: str
    name: str
    last_used_at: datetime | None = None
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


class TransferKind(StrEnum):
    """What of an account can be given to a successor."""

    MAILBOX = "mailbox"  # the successor reads the mailbox, until `ends_at`
    AUTO_REPLY = "auto_reply"  # who writes is told whom to turn to, until `ends_at`
    FILES = "files"
    CALENDAR = "calendar"
    REPOSITORIES = "repositories"
    GROUPS = "groups"
    OBJECTS = "objects"  # tables, schedules, rooms: whatever else the target lets people own


@dataclass(frozen=True)
class TransferRequest:
    """What goes to whom. `successor` is the successor's e-mail address or login in the same target."""

    kind: TransferKind
    successor: str
    ends_at: datetime | None = None
    text: str = ""


class JobState(StrEnum):
    """Where something that a target does in its own time has come. `UNKNOWN` is neither done nor failed."""

    QUEUED = "queued"
    RUNNING = "running"
    DONE = "done"
    FAILED = "failed"
    UNKNOWN = "unknown"


@dataclass(frozen=True)
class Job:
    """Something asked of a target that takes its time. `handle` finds it again, also after a restart.

    `DONE` means that the target was read afresh and shows it, not that it said so.
    """

    handle: str
    state: JobState
    summary: str
    request_id: str = ""
    details: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class Rotation:
    """What came of giving a shared credential a new secret, and whether the old one is refused now."""

    receipt: Receipt
    proof: Proof


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
