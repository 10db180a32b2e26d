"""From a due moment to a run.

A sweep claims what is due and enqueues its run in the same transaction; the run looks at the row again,
because the timer may have been moved or cancelled since. A claim is a lease: if nothing came of it the next
sweep after its end claims again. So a lost wake-up, a lost worker or a lost engine table is never a missed
timer. (A delayed enqueue for each timer would look every second as well, and cost two rows for each.)
"""

from __future__ import annotations

import logging
from datetime import datetime, timedelta

from django.db import transaction
from django.db.models import QuerySet

from partwell.engine import registry
from partwell.engine.models import Timer
from partwell.engine.operations import submit
from partwell.engine.states import TimerState
from partwell.rows import write_rows

FIRE = "engine.timer"
# A handler that runs longer than this may be run a second time beside itself.
LEASE = timedelta(minutes=10)
BATCH = 200

log = logging.getLogger(__name__)


def fire_due(now: datetime) -> int:
    """Claim the timers that are due at `now` and ask for their runs. Returns how many."""
    due = Timer.objects.filter(state__in=[TimerState.ARMED, TimerState.CLAIMED], wake_at__lte=now)
    if not due.exists():  # outside the transaction: on SQLite an idle sweep must not take the write lock
        return 0
    with transaction.atomic():
        timers = list(due.select_for_update(skip_locked=True).order_by("wake_at")[:BATCH])
        for timer in timers:
            timer.state = TimerState.CLAIMED
            timer.attempts += 1
            timer.wake_at = now + LEASE
        write_rows(timers, ["state", "attempts", "wake_at"])
        for timer in timers:
            _ask_for_run(timer)
    return len(timers)


def run(timer_id: str, due_at: str, *, now: datetime) -> bool:
    """Run the handler of one claimed timer; whether it ran.

    A timer that was moved, cancelled or has fired since it was claimed is left alone. When the handler
    fails, the timer is armed again for a later try, and the error goes on to the caller.
    """
    timer = _claimed(timer_id, due_at)
    if timer is None:
        return False
    handler = registry.REGISTERED.timers.get(timer.name)
    if handler is None:
        log.error("timer %s is due, but no function is registered under that name", timer.name)
        arm_again(timer_id, due_at, now=now)
        return False
    try:
        handler(timer.key, now)
    except Exception:
        arm_again(timer_id, due_at, now=now)
        raise
    _as_claimed(timer).update(state=TimerState.FIRED, fired_at=now)
    return True


def arm_again(timer_id: str, due_at: str, *, now: datetime) -> None:
    """Have a claimed timer tried again after a pause that grows with every try; any other is left alone."""
    if timer := _claimed(timer_id, due_at):
        _as_claimed(timer).update(state=TimerState.ARMED, wake_at=now + pause_before(timer.attempts))


def ask_again() -> int:
    """Ask for the run of every claimed timer; those that the engine still knows are not doubled."""
    with transaction.atomic():
        timers = list(Timer.objects.filter(state=TimerState.CLAIMED))
        for timer in timers:
            _ask_for_run(timer)
    return len(timers)


def pause_before(attempt: int) -> timedelta:
    """How long to wait after `attempt` failed tries: 1 s, 2 s, 4 s … 5 min."""
    return timedelta(seconds=min(300, 2 ** min(attempt - 1, 9))) if attempt > 0 else timedelta(seconds=1)


def _claimed(timer_id: str, due_at: str) -> Timer | None:
    timer = Timer.objects.filter(pk=timer_id, state=TimerState.CLAIMED).first()
    return timer if timer is not None and timer.due_at.isoformat() == due_at else None


def _as_claimed(timer: Timer) -> QuerySet[Timer]:
    """The row, unless it was moved, cancelled or fired since it was read."""
    return Timer.objects.filter(pk=timer.pk, state=TimerState.CLAIMED, due_at=timer.due_at)


def _ask_for_run(timer: Timer) -> None:
    due_at = timer.due_at.isoformat()
    submit(FIRE, (str(timer.pk), due_at), key=f"{timer.pk}:{due_at}:{timer.attempts}", lane="actions")
