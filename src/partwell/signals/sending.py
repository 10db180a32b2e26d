"""Handing the outbox over to the mail server: claimed by one worker at a time, retried over days.

A mail counts as sent when the server has accepted it. Should a worker die between that moment and the
note of it, the mail goes out again with the same Message-ID, so that mailboxes can tell it is the same.
"""

from __future__ import annotations

import secrets
import smtplib
import time
from dataclasses import dataclass
from datetime import datetime, timedelta
from email.utils import parseaddr
from hashlib import sha256
from uuid import UUID

from django.conf import settings
from django.core.mail import EmailMessage
from django.core.mail.backends.smtp import EmailBackend
from django.db import transaction
from django.db.models import F, Q, QuerySet

from partwell.evidence.operations import record
from partwell.people.actors import engine_actor
from partwell.signals.models import Message
from partwell.signals.sealing import SealBroken
from partwell.signals.states import MailState

# How long to wait after the first, second, … attempt that failed; after the last, four days later, the
# mail is given up.
BACK_OFF = tuple(timedelta(minutes=minutes) for minutes in (1, 5, 15, 60, 180, 360, 720, 1440, 1440, 1440))
# Longer than any one hand-over can take, so that a lease runs out only when its worker has died.
LEASE = timedelta(minutes=10)
BATCH_SECONDS = 60.0


@dataclass(frozen=True)
class _Trouble:
    """What went wrong: with this mail for good, with this mail for now, or with the server itself."""

    words: str
    is_permanent: bool = False
    is_server: bool = False


def is_configured() -> bool:
    """Whether there is a mail server. Without one, mail stays in the outbox."""
    return settings.MAIL_SERVER is not None


def send_pending(*, now: datetime, limit: int = 100) -> int:
    """Send what is due, at most `limit` mails; return how many the server accepted.

    Any number of workers may call this at once. It stops early when the server itself is in trouble, or
    after a minute, and leaves the rest for the next call.
    """
    server = settings.MAIL_SERVER
    if server is None:
        return 0
    started, sent = time.monotonic(), 0
    due = _due(now).order_by("next_attempt_at", "pk").values_list("pk", flat=True)[:limit]
    connection = EmailBackend(**server)
    try:
        for pk in list(due):
            if time.monotonic() - started > BATCH_SECONDS:
                break
            message = _claim(pk, now)
            if message is None:
                continue
            trouble = _hand_over(message, connection)
            _settle(message, trouble, now)
            sent += trouble is None
            if trouble is not None:
                _hang_up(connection)
                if trouble.is_server:
                    break
    finally:
        _hang_up(connection)
    return sent


def message_id(dedupe_key: str) -> str:
    """The Message-ID of the mail about `dedupe_key`: always the same, and telling nothing of it."""
    domain = parseaddr(settings.DEFAULT_FROM_EMAIL)[1].rpartition("@")[2] or "localhost"
    return f"<{sha256(f'{settings.BASE_URL} {dedupe_key}'.encode()).hexdigest()[:40]}@{domain}>"


def _due(now: datetime) -> QuerySet[Message]:
    free = Q(leased_until__isnull=True) | Q(leased_until__lt=now)
    return Message.objects.filter(free, state=MailState.QUEUED, next_attempt_at__lte=now)


def _claim(pk: UUID, now: datetime) -> Message | None:
    """Mark the mail as ours, or None when another worker was first: one conditional update decides."""
    lease = secrets.token_hex(16)
    claimed = (
        _due(now).filter(pk=pk).update(lease=lease, leased_until=now + LEASE, attempts=F("attempts") + 1)
    )
    return Message.objects.get(pk=pk, lease=lease) if claimed else None


def _hand_over(message: Message, connection: EmailBackend) -> _Trouble | None:
    """None when the server has accepted the mail, else what was in the way."""
    try:
        mail = EmailMessage(
            subject=message.subject,
            body=message.text,
            from_email=settings.DEFAULT_FROM_EMAIL,
            to=[message.to],
            headers={
                "Message-ID": message_id(message.dedupe_key),
                # RFC 3834: out-of-office replies and mailing robots leave such mail alone.
                "Auto-Submitted": "auto-generated",
                "X-Auto-Response-Suppress": "All",
            },
        )
        connection.open()  # once for the whole batch; it stays open unless there is trouble
        connection.send_messages([mail])
    except SealBroken:
        return _Trouble("Its text cannot be read under this installation's secret key.", is_permanent=True)
    except smtplib.SMTPRecipientsRefused as error:
        return _answer(*next(iter(error.recipients.values())))
    except smtplib.SMTPDataError as error:
        return _answer(error.smtp_code, error.smtp_error)
    except (smtplib.SMTPNotSupportedError, ValueError) as error:
        return _Trouble(f"The mail cannot be sent: {error}", is_permanent=True)
    except smtplib.SMTPAuthenticationError as error:
        # Only the number: some servers quote what they were sent, and that was our password.
        words = f"The mail server refused our sign-in ({error.smtp_code}). Check PARTWELL_SMTP_URL."
        return _Trouble(words, is_server=True)
    except smtplib.SMTPResponseException as error:
        # A refused sign-in or sender says that we are set up wrongly, not that this mail is.
        return _Trouble(_answer(error.smtp_code, error.smtp_error).words, is_server=True)
    except (smtplib.SMTPException, OSError) as error:
        words = f"The mail server cannot be reached: {type(error).__name__} {error}"
        return _Trouble(words, is_server=True)
    return None


def _answer(code: int, words: bytes | str) -> _Trouble:
    """The server's refusal of one mail; 5xx is for good, 421 is about the server, the rest passes."""
    said = words.decode(errors="replace") if isinstance(words, bytes) else words
    return _Trouble(
        f"The mail server said: {code} {said}", is_permanent=500 <= code < 600, is_server=code == 421
    )


@transaction.atomic
def _settle(message: Message, trouble: _Trouble | None, now: datetime) -> None:
    """Note what came of an attempt. Does nothing when the lease was lost, because another worker has it."""
    changes: dict[str, object] = {"lease": "", "leased_until": None}
    if trouble is None:
        changes |= {"state": MailState.SENT, "settled_at": now, "sealed_text": "", "last_error": ""}
    elif trouble.is_permanent or message.attempts > len(BACK_OFF):
        changes |= {"state": MailState.FAILED, "settled_at": now, "last_error": trouble.words[:500]}
    else:
        pause = BACK_OFF[message.attempts - 1]
        changes |= {"next_attempt_at": now + pause, "last_error": trouble.words[:500]}
    mine = Message.objects.filter(pk=message.pk, lease=message.lease)
    # A mail that was dropped while it was under way stays dropped, unless it has gone out already.
    if trouble is not None:
        mine = mine.filter(state=MailState.QUEUED)
    if mine.update(**changes) and "state" in changes:
        record(
            f"mail.{changes['state']}",
            scope=message.scope,
            actor=engine_actor("mail").label,
            at=now,
            fields={"purpose": message.kind, "to": message.to, "answer": changes["last_error"]},
        )


def _hang_up(connection: EmailBackend) -> None:
    """Close the connection; after trouble, the next mail begins with a fresh one."""
    try:
        connection.close()
    except (smtplib.SMTPException, OSError):
        connection.connection = None
