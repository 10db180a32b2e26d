"""What waits for a receiver and is true no more: its opposite is told now, and must not arrive before it."""

from __future__ import annotations

import json
from collections import defaultdict
from collections.abc import Iterable, Sequence
from datetime import datetime
from typing import Any

from partwell.signals.delivery import give_up
from partwell.signals.models import Receiver, SecurityEvent
from partwell.signals.sealing import SealBroken, unseal
from partwell.signals.security_events import Announcement, identifiers
from partwell.signals.states import OPPOSITE, SignalState

OVERTAKEN = "It was overtaken: the opposite was queued before the receiver took this."


def give_up_overtaken(
    announcements: Iterable[Announcement], *, receivers: Sequence[Receiver], now: datetime
) -> None:
    """Give up what these receivers were still to be told of the same people and is overtaken by this, in the
    caller's transaction. One query where there is nothing of the kind.

    One that is under way counts as taken after all when it has arrived.
    """
    by_scope: dict[str, list[Announcement]] = defaultdict(list)
    for announcement in announcements:
        by_scope[announcement.scope].append(announcement)
    waiting = SecurityEvent.objects.filter(
        receiver__in=receivers, scope__in=list(by_scope), signal__in=list(OPPOSITE), state=SignalState.QUEUED
    )
    for event in waiting.select_related("receiver"):
        contrary = [a for a in by_scope[event.scope] if OPPOSITE.get(a.signal) == event.signal]
        named = [i for a in contrary for s in a.subjects for i in identifiers(s, event.receiver)]
        if named and _subject_of(event) in named:
            give_up(event, OVERTAKEN, now=now)


def _subject_of(event: SecurityEvent) -> Any:
    try:
        return json.loads(unseal(event.sealed_claims)).get("sub_id")
    except SealBroken:
        return None
