"""Asking the engine for work, in the caller's own transaction.

Domain rows are the only truth; the engine can be rebuilt from them. What is asked here commits or rolls
back with the rows that it is about.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import TYPE_CHECKING
from uuid import UUID, uuid4

from django.db import transaction

from partwell.engine.borrowed import borrowed_connection, client_for
from partwell.engine.lanes import LANES
from partwell.engine.models import Timer
from partwell.engine.states import TimerState

if TYPE_CHECKING:
    from dbos import EnqueueOptions

ADVANCE = "advance"
RUN = "partwell.run"


def poke(departure_id: UUID) -> None:
    """Ask that the journey of this departure looks at itself once this transaction has committed.

    Asked several times in one transaction, it looks once.
    """
    if _is_poked_already(departure_id):
        return
    transaction.on_commit(_Poked(departure_id))
    enqueue(ADVANCE, str(departure_id), key=uuid4().hex, lane="journeys", partition=str(departure_id))


def enqueue(workflow: str, *args: str, key: str, lane: str = "actions", partition: str = "") -> None:
    """Ask for one run of a registered workflow with string arguments, once per `key`, after commit.

    It runs at least once: a run that a crash cut short begins again, so it must read before it acts. A key
    is remembered for as long as finished runs are kept (`retention.KEPT_FOR`). `partition` names what a
    limited lane shares its limit by: the connection, the journey; empty, all of the same workflow share.

    Raises `ValueError` for a lane that does not exist.
    """
    submit(workflow, args, key=key, lane=lane, partition=partition)


def set_timer(name: str, *, key: str, due_at: datetime) -> None:
    """Ask that `name` fires for `key` at `due_at`, once; asking again moves it.

    Asked again for the same moment, nothing changes, even when it has fired.
    Raises `ValueError` for a moment without a timezone.
    """
    set_mixed_timers({(name, key): due_at})


def set_timers(name: str, due_at: Mapping[str, datetime]) -> None:
    """`set_timer` for many keys with two queries, and one more for each that moves."""
    set_mixed_timers({(name, key): moment for key, moment in due_at.items()})


def set_mixed_timers(due_at: Mapping[tuple[str, str], datetime]) -> None:
    """`set_timers` for timers of several names: `{(name, key): due_at}`, with the same two queries."""
    if not due_at:
        return
    for (name, key), moment in due_at.items():
        if moment.tzinfo is None:
            raise ValueError(f"timer {name} for {key}: a moment needs a timezone, {moment} has none")
    # Insert first, look afterwards: so two transactions that set the same new key cannot miss each other.
    Timer.objects.bulk_create(
        (Timer(name=name, key=key, due_at=moment, wake_at=moment) for (name, key), moment in due_at.items()),
        ignore_conflicts=True,
        batch_size=200,
    )
    names, keys = {name for name, _ in due_at}, {key for _, key in due_at}
    for timer in Timer.objects.filter(name__in=names, key__in=keys):
        if (timer.name, timer.key) not in due_at:
            continue
        moment = due_at[timer.name, timer.key]
        if timer.due_at != moment or timer.state == TimerState.CANCELLED:
            Timer.objects.filter(pk=timer.pk).update(
                state=TimerState.ARMED, due_at=moment, wake_at=moment, attempts=0, fired_at=None
            )


def cancel_timer(name: str, *, key: str) -> None:
    """Ask that the timer does not fire. One that has fired, or never was, is left as it is."""
    Timer.objects.filter(name=name, key=key, state__in=[TimerState.ARMED, TimerState.CLAIMED]).update(
        state=TimerState.CANCELLED
    )


def warm_up() -> None:
    """Import what asking needs now, instead of with the first `poke` (a second). For long-lived processes."""
    client_for(transaction.get_connection().vendor)


def submit(
    workflow: str,
    args: tuple[str, ...],
    *,
    key: str,
    lane: str,
    partition: str = "",
    attempt: int = 1,
    delay_seconds: float = 0.0,
) -> None:
    """What `enqueue` does, and what the engine itself uses to try again later."""
    if lane not in LANES:
        raise ValueError(f"there is no lane {lane!r}; there are {', '.join(LANES)}")
    options: EnqueueOptions = {
        "workflow_name": RUN,
        "queue_name": lane,
        "workflow_id": f"{workflow}:{key}" + (f"~{attempt}" if attempt > 1 else ""),
    }
    if LANES[lane].per_partition:
        options["queue_partition_key"] = partition or workflow
    if delay_seconds:
        options["delay_seconds"] = delay_seconds
    with borrowed_connection() as (client, borrowed):
        client.enqueue_in_transaction(
            borrowed,
            options,
            workflow,
            key,
            lane,
            partition,
            attempt,
            list(args),
        )


class _Poked:
    """A mark on the running transaction: this departure's wake-up is already in it.

    It hangs where Django keeps what runs on commit, because Django takes it from there when a savepoint
    rolls back, together with the wake-up that it stands for.
    """

    def __init__(self, departure_id: UUID) -> None:
        self.departure_id = departure_id

    def __call__(self) -> None:
        """Nothing is left to do on commit: the wake-up has committed."""


def _is_poked_already(departure_id: UUID) -> bool:
    return any(
        isinstance(function, _Poked) and function.departure_id == departure_id
        for _, function, _ in transaction.get_connection().run_on_commit
    )
