"""Reading the outbox: mails, receivers, and the signals that they were told."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime
from typing import Any
from uuid import UUID

from django.db.models import Count, Q

from partwell.people.actors import Actor
from partwell.people.authorisation import check_office, reading
from partwell.refusals import NotFound
from partwell.signals.models import Message, Receiver, SecurityEvent, SigningKey
from partwell.signals.states import MailState, SignalState


def list_mail(
    *, states: Iterable[str] = (), limit: int = 100, after: tuple[datetime, UUID] | None = None
) -> list[Message]:
    """The latest mails, without their texts; at most `limit`, those that come `after` one in that order."""
    found = Message.objects.defer("sealed_text")
    if states := list(states):
        found = found.filter(state__in=states)
    if after is not None:
        created_at, pk = after
        found = found.filter(Q(created_at__lt=created_at) | Q(created_at=created_at, pk__gt=pk))
    return list(found[:limit])


def count_mail(*, without: Iterable[str] = ()) -> dict[str, int]:
    """How many mails there are in each state, without those of some scopes."""
    mails = Message.objects.exclude(scope__in=list(without)).order_by()
    counted = dict(mails.values_list("state").annotate(Count("pk")))
    return {state.value: counted.get(state.value, 0) for state in MailState}


def mail_dict(message: Message) -> dict[str, Any]:
    """A mail as the faces show it: never its text, which carries links that open things."""
    return {
        "id": str(message.pk),
        "kind": message.kind,
        "to": message.to,
        "subject": message.subject,
        "state": message.state,
        "created_at": message.created_at.isoformat(),
        "next_attempt_at": message.next_attempt_at.isoformat() if message.state == MailState.QUEUED else None,
        "attempts": message.attempts,
        "settled_at": message.settled_at.isoformat() if message.settled_at else None,
        "last_error": message.last_error,
    }


@reading("receivers.view")
def list_receivers(*, actor: Actor) -> list[Receiver]:
    """All receivers, by name."""
    check_office(actor, "receivers.view")
    return list(Receiver.objects.all())


def get_receiver(name: str, *, actor: Actor) -> Receiver:
    """One receiver by its name. Raises `NotFound`, and `NotAllowed` for whoever may not read any."""
    check_office(actor, "receivers.view")
    receiver = Receiver.objects.filter(name=name).first()
    if receiver is None:
        raise NotFound("receiver")
    return receiver


def list_signals(
    receiver: Receiver,
    *,
    without: Iterable[str] = (),
    limit: int = 100,
    after: tuple[datetime, UUID] | None = None,
) -> list[SecurityEvent]:
    """The latest signals for a receiver, without those of some scopes: one row too many tells of somebody."""
    found = receiver.security_events.exclude(scope__in=list(without)).defer("sealed_claims")
    if after is not None:
        created_at, pk = after
        found = found.filter(Q(created_at__lt=created_at) | Q(created_at=created_at, pk__gt=pk))
    return list(found[:limit])


def get_signal(receiver: Receiver, event_id: UUID, *, without: Iterable[str] = ()) -> SecurityEvent:
    """One signal for a receiver by its id. Raises `NotFound`, also for one of these scopes."""
    found = receiver.security_events.exclude(scope__in=list(without)).filter(pk=event_id).first()
    if found is None:
        raise NotFound("signal")
    return found


def count_signals(*, without: Iterable[str] = ()) -> dict[int, dict[str, int]]:
    """How many signals of each receiver (by its key) are in each state, without those of some scopes."""
    events = SecurityEvent.objects.exclude(scope__in=list(without)).order_by()
    counted: dict[int, dict[str, int]] = {}
    for receiver_id, state, count in events.values_list("receiver_id", "state").annotate(Count("pk")):
        counted.setdefault(receiver_id, dict.fromkeys(map(str, SignalState), 0))[state] = count
    return counted


def signing_keys() -> list[SigningKey]:
    """The key in use and those before it, newest first."""
    return list(SigningKey.objects.defer("sealed_private"))


def receiver_dict(receiver: Receiver) -> dict[str, Any]:
    """A receiver as the faces show it; of its secret only where it is kept."""
    return {
        "name": receiver.name,
        "title": receiver.title,
        "endpoint": receiver.endpoint,
        "audience": receiver.audience,
        "authorization": receiver.authorization,
        "ca_file": receiver.ca_file,
        "signals": receiver.signals,
        "subject_format": receiver.subject_format,
        "subject_issuer": receiver.subject_issuer,
        "is_enabled": receiver.is_enabled,
    }


def signal_dict(event: SecurityEvent) -> dict[str, Any]:
    """A signal as the faces show it: never about whom, because readers may not know of every departure."""
    return {
        "id": str(event.pk),
        "signal": event.signal,
        "jti": event.jti,
        "state": event.state,
        "created_at": event.created_at.isoformat(),
        "next_attempt_at": event.next_attempt_at.isoformat() if event.state == SignalState.QUEUED else None,
        "attempts": event.attempts,
        "settled_at": event.settled_at.isoformat() if event.settled_at else None,
        "answer": event.answer,
    }


def key_dict(key: SigningKey) -> dict[str, Any]:
    """A signing key as the faces show it, without its private half."""
    return {
        "kid": key.kid,
        "is_in_use": key.is_in_use,
        "made_at": key.made_at.isoformat(),
        "retired_at": key.retired_at.isoformat() if key.retired_at else None,
    }
