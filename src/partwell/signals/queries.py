"""Reading the outbox."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime
from typing import Any
from uuid import UUID

from django.db.models import Count, Q

from partwell.signals.models import Message
from partwell.signals.states import MailState


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
