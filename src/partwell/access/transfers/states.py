"""What can be handed over, and how handing one thing over may move on."""

from __future__ import annotations

from enum import StrEnum

from partwell.connector_kit.contract import TransferKind
from partwell.refusals import Conflict


class HandedKind(StrEnum):
    """What goes to a successor: what connectors can give, and what only people can."""

    MAILBOX = "mailbox"
    AUTO_REPLY = "auto_reply"
    FILES = "files"
    CALENDAR = "calendar"
    REPOSITORIES = "repositories"
    GROUPS = "groups"
    OBJECTS = "objects"
    TICKETS = "tickets"
    OTHER = "other"


BY_CONNECTOR = frozenset(HandedKind(kind.value) for kind in TransferKind)
# Given only until a day: mail goes on arriving for somebody who is not here.
FOR_A_TIME = frozenset({HandedKind.MAILBOX, HandedKind.AUTO_REPLY})


class TransferState(StrEnum):
    """Where handing over one thing stands. Only the successor's own word makes it `ACCEPTED`."""

    OPEN = "open"  # nobody has said who gets it
    WAITING = "waiting"  # the successor is named; its moment has not come
    REQUESTED = "requested"  # the system is being asked, or was and its answer is not on record
    QUEUED = "queued"  # the system took it, and has not begun
    RUNNING = "running"  # the system is at it
    DONE = "done"  # read back from the system: it is the successor's
    FAILED = "failed"  # the system refused, or it can be done no more
    UNKNOWN = "unknown"  # what came of it cannot be told
    ATTESTED = "attested"  # a person says that it is handed over; nothing was read back
    ACCEPTED = "accepted"  # the successor says that they have it
    MISSING = "missing"  # the successor says what is missing
    ENDED = "ended"  # given for a time, and taken away again
    NOT_NEEDED = "not_needed"  # a person says, with the reason, that nobody needs it
    WITHDRAWN = "withdrawn"  # the notice was taken back before anything was given


_S = TransferState
_BY_A_PERSON = frozenset({_S.WAITING, _S.ATTESTED, _S.NOT_NEEDED})
_ANSWERED = frozenset({_S.QUEUED, _S.RUNNING, _S.DONE, _S.FAILED, _S.UNKNOWN})
TRANSITIONS: dict[TransferState, frozenset[TransferState]] = {
    _S.OPEN: _BY_A_PERSON | {_S.WITHDRAWN},
    _S.WAITING: _BY_A_PERSON | {_S.REQUESTED, _S.FAILED, _S.ENDED, _S.WITHDRAWN},
    _S.REQUESTED: _ANSWERED | {_S.REQUESTED},
    _S.QUEUED: _ANSWERED,
    _S.RUNNING: _ANSWERED,
    _S.UNKNOWN: _ANSWERED | _BY_A_PERSON | {_S.ENDED},
    _S.FAILED: _BY_A_PERSON | {_S.ENDED, _S.WITHDRAWN},
    _S.DONE: frozenset({_S.ACCEPTED, _S.MISSING, _S.ENDED}),
    _S.ATTESTED: frozenset({_S.ACCEPTED, _S.MISSING, _S.ENDED}),
    _S.ACCEPTED: frozenset({_S.MISSING, _S.ENDED}),
    _S.MISSING: _BY_A_PERSON | {_S.ACCEPTED, _S.ENDED, _S.WITHDRAWN},
    _S.ENDED: frozenset(),
    _S.NOT_NEEDED: frozenset({_S.WAITING, _S.ATTESTED}),
    _S.WITHDRAWN: frozenset(),
}
# Nothing is left to do before a departure closes, or before its account may go for good.
SETTLED = frozenset({_S.ACCEPTED, _S.ENDED, _S.NOT_NEEDED, _S.WITHDRAWN})
UNSETTLED = frozenset(_S) - SETTLED
# The system has it in hand, and is asked how far it has come.
IN_HAND = frozenset({_S.REQUESTED, _S.QUEUED, _S.RUNNING})
# The successor has it, as far as anybody knows, and can say of it what they find.
GIVEN = frozenset({_S.DONE, _S.ATTESTED, _S.ACCEPTED, _S.MISSING})
# They may have something of it still: also where handing it over anew waits, failed or is unknown.
MAY_HAVE = GIVEN | {_S.WAITING, _S.FAILED, _S.UNKNOWN}


class TransferBy(StrEnum):
    """Who handed it over."""

    NONE = ""
    CONNECTOR = "connector"
    PERSON = "person"


_SAID = {
    _S.OPEN: "Nobody has said who gets this. Name a successor first.",
    _S.WAITING: "This waits for its moment; nothing was handed over yet.",
    _S.REQUESTED: "The system is at it. Look again in a few minutes.",
    _S.QUEUED: "The system is at it. Look again in a few minutes.",
    _S.RUNNING: "The system is at it. Look again in a few minutes.",
    _S.DONE: "This was handed over already. The successor says whether they have it.",
    _S.ATTESTED: "This was handed over already. The successor says whether they have it.",
    _S.ACCEPTED: "The successor has said that they have it.",
}


def check_move(before: str, after: str) -> None:
    """Raise `Conflict` unless handing over may go from `before` to `after`."""
    if TransferState(after) in TRANSITIONS[TransferState(before)]:
        return
    words = f"This is {before.replace('_', ' ')}; there is nothing left to do about it."
    raise Conflict("transfer_settled", _SAID.get(TransferState(before), words))
