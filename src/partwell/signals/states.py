"""What a mail in the outbox can be, and how it may change."""

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
