"""Putting mail into the outbox, in the transaction of whatever it tells about."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime

from django.core.exceptions import ValidationError
from django.core.validators import validate_email
from django.db import transaction

from partwell.evidence.operations import record
from partwell.refusals import Conflict, Invalid, NotFound
from partwell.signals.models import Message
from partwell.signals.sealing import seal
from partwell.signals.states import MailState

KEYS_PER_QUERY = 500


@dataclass(frozen=True)
class Mail:
    """A mail as rooms above compose it.

    `kind` is what it is for (`step_assigned`), `scope` what it belongs to, as in evidence
    (`departure:<id>`, `installation`), and `dedupe_key` what it must not be sent twice about. With
    `not_before` it waits until then.
    """

    kind: str
    to: str
    subject: str
    text: str
    dedupe_key: str
    scope: str
    not_before: datetime | None = None


def queue_mail(
    *,
    kind: str,
    to: str,
    subject: str,
    text: str,
    dedupe_key: str,
    scope: str,
    now: datetime,
    not_before: datetime | None = None,
) -> None:
    """Put one mail into the outbox, unless one with its `dedupe_key` is there already.

    Raises `Invalid` for an address that is none.
    """
    queue_mails([Mail(kind, to, subject, text, dedupe_key, scope, not_before)], now=now)


def queue_mails(mails: Iterable[Mail], *, now: datetime) -> None:
    """Put several mails into the outbox with one insert. As `queue_mail`."""
    Message.objects.bulk_create([_message(mail, now) for mail in mails], ignore_conflicts=True)


def known_keys(keys: Iterable[str]) -> set[str]:
    """Those keys that a mail in the outbox has already, whatever became of it."""
    keys = list(keys)
    known: set[str] = set()
    for start in range(0, len(keys), KEYS_PER_QUERY):
        found = Message.objects.filter(dedupe_key__in=keys[start : start + KEYS_PER_QUERY])
        known.update(found.values_list("dedupe_key", flat=True))
    return known


def drop_mails(*, scope: str, kinds: Iterable[str] = (), keys: Iterable[str] = (), now: datetime) -> int:
    """Take waiting mails of a scope out again, those of some kinds or with some keys; return how many.

    One that a worker is sending at this moment may still go out.
    """
    waiting = Message.objects.filter(scope=scope, state=MailState.QUEUED)
    if kinds := list(kinds):
        waiting = waiting.filter(kind__in=kinds)
    if keys := list(keys):
        waiting = waiting.filter(dedupe_key__in=keys)
    return waiting.update(state=MailState.DROPPED, sealed_text="", settled_at=now)


def get_mail(message_id: str) -> Message:
    """One mail by its id. Raises `NotFound`."""
    try:
        return Message.objects.get(pk=message_id)
    except (Message.DoesNotExist, ValidationError) as error:
        raise NotFound("mail") from error


@transaction.atomic
def send_again(message_id: str, *, actor: str, now: datetime) -> Message:
    """Queue a mail that failed once more, with its attempts counted anew. The caller authorises.

    Raises `NotFound`, and `Conflict` for one that has not failed.
    """
    message = get_mail(message_id)
    again = Message.objects.filter(pk=message.pk, state=MailState.FAILED).update(
        state=MailState.QUEUED, attempts=0, next_attempt_at=now, settled_at=None
    )
    if not again:
        raise Conflict("mail_not_failed", f"This mail is {message.state}; only a failed one is sent again.")
    record(
        "mail.queued_again",
        scope=message.scope,
        actor=actor,
        at=now,
        fields={"purpose": message.kind, "to": message.to},
    )
    message.refresh_from_db()
    return message


def one_line(text: str) -> str:
    """Text fit for a mail header: no line ends or control characters, single blanks."""
    return " ".join("".join(c if c.isprintable() else " " for c in text).split())


def _message(mail: Mail, now: datetime) -> Message:
    to = mail.to.strip()
    try:
        validate_email(to)
    except ValidationError as error:
        raise Invalid(
            "email_invalid", f"“{to}” is no e-mail address; write it as name@example.com.", field="to"
        ) from error
    when = max(now, mail.not_before) if mail.not_before else now
    return Message(
        kind=mail.kind,
        to=to,
        subject=one_line(mail.subject)[:200],
        sealed_text=seal(mail.text),
        dedupe_key=mail.dedupe_key,
        scope=mail.scope,
        created_at=now,
        not_before_at=when,
        next_attempt_at=when,
    )
