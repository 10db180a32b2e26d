"""What a mail and a signal in the outbox can be, and how they may change."""

from __future__ import annotations

from enum import StrEnum


class MailState(StrEnum):
    """`QUEUED` waits for its time and the mail server; the server has accepted a `SENT` one (whether it was
    delivered, SMTP does not tell); `FAILED` was refused for good or given up; `DROPPED` lost its point
    before it was sent, and is `SENT` after all when a worker had it under way already."""

    QUEUED = "queued"
    SENT = "sent"
    FAILED = "failed"
    DROPPED = "dropped"


TRANSITIONS: dict[MailState, frozenset[MailState]] = {
    MailState.QUEUED: frozenset({MailState.SENT, MailState.FAILED, MailState.DROPPED}),
    MailState.SENT: frozenset(),
    MailState.FAILED: frozenset({MailState.QUEUED}),
    MailState.DROPPED: frozenset({MailState.SENT}),
}


class Signal(StrEnum):
    """What a receiver is told. `VERIFICATION` is the one that an administrator sends to try a receiver."""

    SESSION_REVOKED = "session-revoked"
    ACCOUNT_DISABLED = "account-disabled"
    ACCOUNT_ENABLED = "account-enabled"
    VERIFICATION = "verification"


# Which of them say the contrary: whatever is told last has to arrive last.
OPPOSITE = {
    Signal.ACCOUNT_DISABLED: Signal.ACCOUNT_ENABLED,
    Signal.ACCOUNT_ENABLED: Signal.ACCOUNT_DISABLED,
}


class SubjectFormat(StrEnum):
    """By what a receiver knows people (RFC 9493)."""

    EMAIL = "email"
    ACCOUNT = "account"
    ISS_SUB = "iss_sub"


class SignalState(StrEnum):
    """`QUEUED` waits for its time and the receiver; `ACCEPTED` was taken by the receiver (202; what it does
    about it, nobody tells); `FAILED` was refused for good or given up, and may be sent again. One that was
    under way when its receiver was switched off is `ACCEPTED` after all when it has arrived."""

    QUEUED = "queued"
    ACCEPTED = "accepted"
    FAILED = "failed"


SIGNAL_TRANSITIONS: dict[SignalState, frozenset[SignalState]] = {
    SignalState.QUEUED: frozenset({SignalState.ACCEPTED, SignalState.FAILED}),
    SignalState.ACCEPTED: frozenset(),
    SignalState.FAILED: frozenset({SignalState.QUEUED, SignalState.ACCEPTED}),
}
