"""Delivering queued signals: at least once, the same token id each time, backing off, giving up in the end.

A signal is claimed by one worker at a time. A worker that dies between sending and noting leaves it claimed;
once the lease is over it is sent again with the same `jti`, by which a receiver knows it.
"""

from __future__ import annotations

import secrets
import time
from collections.abc import Callable
from datetime import datetime, timedelta

from django.db import transaction
from django.db.models import F, Min, QuerySet

from partwell import clock
from partwell.evidence.operations import record
from partwell.people.actors import engine_actor
from partwell.signals.models import Receiver, SecurityEvent
from partwell.signals.pushing import Push, Trouble
from partwell.signals.security_events import ask_for_delivery
from partwell.signals.states import Signal, SignalState

# How long to wait after the first, second, … attempt that failed; the last one holds until it is given up.
BACK_OFF = tuple(timedelta(seconds=s) for s in (5, 30, 120, 600, 1800, 3600, 10800))
# Longer than any one sending can take, so that a lease runs out only when its worker has died.
LEASE = timedelta(seconds=45)
BATCH_SECONDS = 60.0

# Told of every signal that is settled, in the transaction that settles it: rooms above raise and resolve
# what people must know.
Settled = Callable[[SecurityEvent, datetime], None]


def ask_for_due(*, now: datetime) -> int:
    """Ask the engine for every receiver for which something is due; returns how many. For a periodic."""
    due = (
        SecurityEvent.objects.filter(
            state=SignalState.QUEUED, receiver__is_enabled=True, next_attempt_at__lte=now
        )
        .order_by()
        .values("receiver_id")
        .annotate(earliest=Min("next_attempt_at"))
    )
    waiting = list(due)
    if not waiting:  # outside a transaction: an idle look must not take SQLite's one place of the writer
        return 0
    with transaction.atomic():
        for row in waiting:
            ask_for_delivery(row["receiver_id"], key=row["earliest"].isoformat())
    return len(waiting)


def deliver(receiver_id: str, *, settled: Settled) -> int:
    """Send what is due for one receiver; returns how many it took. The workflow `signals.deliver`.

    It stops at the first trouble with the receiver itself and leaves the rest for later; any number of
    workers may call this at once.
    """
    receiver = Receiver.objects.filter(pk=int(receiver_id), is_enabled=True).first()
    if receiver is None:
        return 0
    started, taken = time.monotonic(), 0
    with Push(receiver) as push:
        while time.monotonic() - started < BATCH_SECONDS:
            event = _claim_next(receiver, clock.now())
            if event is None:
                break
            trouble = push.send(event, now=clock.now())
            _settle(event, trouble, now=clock.now(), settled=settled)
            taken += trouble is None
            if trouble is not None and not trouble.is_permanent and event.signal != Signal.VERIFICATION:
                _put_off_the_rest(event, trouble, now=clock.now(), settled=settled)
                break
    return taken


def deliver_now(event: SecurityEvent) -> SecurityEvent:
    """Send this one at once, unless a worker has it, and return it with what came of it."""
    found = _claim(event, clock.now())
    if found is not None:
        with Push(found.receiver) as push:
            _settle(found, push.send(found, now=clock.now()), now=clock.now(), settled=lambda e, now: None)
    return SecurityEvent.objects.select_related("receiver").get(pk=event.pk)


@transaction.atomic
def drop_waiting(receiver: Receiver, *, now: datetime) -> int:
    """Give up what waits for a receiver that is switched off; returns how many."""
    waiting = list(receiver.security_events.filter(state=SignalState.QUEUED))
    for event in waiting:
        give_up(event, "The receiver was switched off before it was told.", now=now)
    return len(waiting)


def _claim_next(receiver: Receiver, now: datetime) -> SecurityEvent | None:
    """The next one that is due, marked as ours."""
    while (event := _due(receiver, now).order_by("next_attempt_at", "created_at", "pk").first()) is not None:
        if (claimed := _claim(event, now)) is not None:
            return claimed
    return None


def _due(receiver: Receiver, now: datetime) -> QuerySet[SecurityEvent]:
    return receiver.security_events.filter(state=SignalState.QUEUED, next_attempt_at__lte=now)


def _claim(event: SecurityEvent, now: datetime) -> SecurityEvent | None:
    """Mark it as ours, or None when another worker was first: one conditional update decides.

    It is due again when the lease is over, so that a worker that dies is followed by another.
    """
    lease = secrets.token_hex(16)
    claimed = SecurityEvent.objects.filter(
        pk=event.pk, state=SignalState.QUEUED, next_attempt_at=event.next_attempt_at, lease=event.lease
    ).update(lease=lease, next_attempt_at=now + LEASE, attempts=F("attempts") + 1)
    if not claimed:
        return None
    return SecurityEvent.objects.select_related("receiver").get(pk=event.pk)


@transaction.atomic
def _settle(event: SecurityEvent, trouble: Trouble | None, *, now: datetime, settled: Settled) -> None:
    """Note what came of an attempt. Does nothing when the lease was lost, because another worker has it."""
    mine = SecurityEvent.objects.select_for_update(of=("self",)).filter(pk=event.pk, lease=event.lease)
    found = mine.select_related("receiver").first()
    # Switched off while it was under way: it stays given up, unless it has arrived already.
    if found is None or (trouble is not None and found.state != SignalState.QUEUED):
        return
    if trouble is None:
        found.state, found.settled_at, found.sealed_claims = SignalState.ACCEPTED, now, ""
        found.answer, found.lease = "", ""
        found.save(update_fields=["state", "settled_at", "sealed_claims", "answer", "lease"])
        record(
            "signal.accepted",
            scope=found.scope,
            actor=engine_actor("signals").label,
            at=now,
            fields=_said(found),
        )
    elif trouble.is_permanent or found.signal == Signal.VERIFICATION or now >= found.give_up_at:
        give_up(found, trouble.words, now=now)
    else:
        found.answer, found.lease, found.next_attempt_at = trouble.words[:500], "", _next(found, trouble, now)
        found.save(update_fields=["answer", "lease", "next_attempt_at"])
        return
    settled(found, now)


def _next(event: SecurityEvent, trouble: Trouble, now: datetime) -> datetime:
    """When it is tried again: after its pause or the receiver's wish, and once more at the very end."""
    pause = BACK_OFF[min(event.attempts, len(BACK_OFF)) - 1]
    return min(now + max(pause, trouble.retry_after or pause), max(event.give_up_at, now + BACK_OFF[0]))


@transaction.atomic
def _put_off_the_rest(tried: SecurityEvent, trouble: Trouble, *, now: datetime, settled: Settled) -> None:
    """The receiver itself is in trouble: what else is due waits with the one that was tried, or is given up
    where its time is over."""
    due = _due(tried.receiver, now)
    for event in due.filter(give_up_at__lte=now).select_related("receiver"):
        give_up(event, trouble.words, now=now)
        settled(event, now)
    due.update(next_attempt_at=_next(tried, trouble, now))


def give_up(event: SecurityEvent, words: str, *, now: datetime) -> None:
    """The receiver is not told this any more, for the reason in `words`; in the caller's transaction."""
    event.state, event.settled_at, event.answer = SignalState.FAILED, now, words[:500]
    event.save(update_fields=["state", "settled_at", "answer"])
    record(
        "signal.given_up",
        scope=event.scope,
        actor=engine_actor("signals").label,
        at=now,
        fields={**_said(event), "reason": event.answer},
    )


def _said(event: SecurityEvent) -> dict[str, object]:
    return {
        "receiver": event.receiver.name,
        "signal": event.signal,
        "jti": event.jti,
        "attempts": event.attempts,
    }
