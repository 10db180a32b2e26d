"""Queueing signals for receivers, in the transaction of what they tell about.

A signal says that sessions ended, or that an account was disabled or enabled, and about which identifier;
nothing else.
The words are the same whoever acted and for whatever reason, so that nobody can read out of them whether
somebody was shut out, gave notice, or why.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta
from hashlib import sha256
from typing import Any
from uuid import uuid4

from django.conf import settings

from partwell.engine.operations import enqueue
from partwell.signals.models import Receiver, SecurityEvent
from partwell.signals.sealing import seal
from partwell.signals.states import OPPOSITE, Signal, SubjectFormat

DELIVER = "signals.deliver"
# After this a signal is given up, and people are told.
GIVE_UP_AFTER = timedelta(days=3)
EVENT_TYPES = {
    Signal.SESSION_REVOKED: "https://schemas.openid.net/secevent/caep/event-type/session-revoked",
    Signal.ACCOUNT_DISABLED: "https://schemas.openid.net/secevent/risc/event-type/account-disabled",
    Signal.ACCOUNT_ENABLED: "https://schemas.openid.net/secevent/risc/event-type/account-enabled",
    Signal.VERIFICATION: "https://schemas.openid.net/secevent/ssf/event-type/verification",
}
ROWS_AT_ONCE = 200


@dataclass(frozen=True)
class Subject:
    """By what one person may be known to a receiver."""

    emails: tuple[str, ...] = ()
    username: str = ""


@dataclass(frozen=True)
class Announcement:
    """A signal as rooms above compose it.

    `about` names the action, so that telling of it twice tells once; `scope` is what it belongs to, as in
    evidence.
    """

    signal: Signal
    subjects: tuple[Subject, ...]
    about: str
    scope: str


def wanted(signal: Signal) -> list[Receiver]:
    """The receivers that want to be told this."""
    return [receiver for receiver in Receiver.objects.filter(is_enabled=True) if signal in receiver.signals]


def announce(announcements: Iterable[Announcement], *, receivers: Iterable[Receiver], now: datetime) -> None:
    """Queue each announcement for each of these receivers that wants it, in the caller's transaction.

    A receiver that knows people by something that is not on record here still gets its row: it fails, and
    says so.
    """
    receivers = list(receivers)
    rows = [
        row
        for announcement in announcements
        for receiver in receivers
        if announcement.signal in receiver.signals
        for row in _rows(announcement, receiver, now)
    ]
    SecurityEvent.objects.bulk_create(rows, ignore_conflicts=True, batch_size=ROWS_AT_ONCE)
    for receiver_id in dict.fromkeys(row.receiver_id for row in rows):
        ask_for_delivery(receiver_id)


def queue_verification(receiver: Receiver, *, now: datetime) -> SecurityEvent:
    """Queue the signal by which a receiver is tried (SSF 1.0, section 8.1.4), in the caller's transaction."""
    claims = _claims(receiver, now, txn=uuid4().hex)
    claims["sub_id"] = {"format": "opaque", "id": receiver.name}
    claims["events"] = {EVENT_TYPES[Signal.VERIFICATION]: {"state": uuid4().hex}}
    event = _row(receiver, Signal.VERIFICATION, claims, key=claims["jti"], scope=scope_of(receiver), now=now)
    event.save(force_insert=True)
    return event


def scope_of(receiver: Receiver) -> str:
    """The scope in evidence of what happens to a receiver itself."""
    return f"receiver:{receiver.name}"


def ask_for_delivery(receiver_id: int, *, key: str = "") -> None:
    """Ask the engine to send what is due for this receiver; once for each `key`, always without one."""
    enqueue(
        DELIVER,
        str(receiver_id),
        key=f"{receiver_id}:{key or uuid4().hex}",
        lane="connectors",
        partition=f"receiver:{receiver_id}",
    )


def _rows(announcement: Announcement, receiver: Receiver, now: datetime) -> Iterator[SecurityEvent]:
    # One transaction of ours, however many identifiers and tokens it takes (RFC 8417, section 2.2).
    txn = sha256(f"{settings.SECRET_KEY} {announcement.about}".encode()).hexdigest()[:32]
    for subject in announcement.subjects:
        known: list[dict[str, str] | None] = [*identifiers(subject, receiver)]
        for sub_id in known or [None]:
            claims = _claims(receiver, now, txn=txn)
            claims["events"] = {EVENT_TYPES[announcement.signal]: _payload(announcement.signal, now)}
            if sub_id is not None:
                claims["sub_id"] = sub_id
            named = json.dumps(sub_id or [subject.username, *subject.emails])
            key = f"{announcement.signal} {announcement.about} {receiver.pk} {named}"
            yield _row(receiver, announcement.signal, claims, key=key, scope=announcement.scope, now=now)


def identifiers(subject: Subject, receiver: Receiver) -> Iterator[dict[str, str]]:
    """What RFC 9493 calls the person, in the format that the receiver understands."""
    if receiver.subject_format == SubjectFormat.ISS_SUB:
        if subject.username:
            yield {"format": "iss_sub", "iss": receiver.subject_issuer, "sub": subject.username}
        return
    for email in subject.emails:
        if receiver.subject_format == SubjectFormat.ACCOUNT:
            yield {"format": "account", "uri": f"acct:{email}"}
        else:
            yield {"format": "email", "email": email}


def _claims(receiver: Receiver, now: datetime, *, txn: str) -> dict[str, Any]:
    return {
        "iss": settings.BASE_URL,
        "aud": receiver.audience,
        "iat": int(now.timestamp()),
        "jti": uuid4().hex,
        "txn": txn,
    }


def _payload(signal: Signal, now: datetime) -> dict[str, Any]:
    if signal in OPPOSITE:
        # The reasons that RISC knows for disabling are hijacking and bulk accounts; people who leave are
        # neither. For enabling it has none.
        return {}
    return {
        "event_timestamp": int(now.timestamp()),
        "initiating_entity": "policy",
        "reason_admin": {"en": "Access has ended."},
        "reason_user": {"en": "Your access has ended."},
    }


def _row(
    receiver: Receiver, signal: Signal, claims: dict[str, Any], *, key: str, scope: str, now: datetime
) -> SecurityEvent:
    return SecurityEvent(
        receiver=receiver,
        signal=signal,
        jti=claims["jti"],
        sealed_claims=seal(json.dumps(claims)),
        # A digest, because what it is about names people.
        dedupe_key=sha256(f"{settings.SECRET_KEY} {key}".encode()).hexdigest(),
        scope=scope,
        created_at=now,
        give_up_at=now + GIVE_UP_AFTER,
        next_attempt_at=now,
    )
