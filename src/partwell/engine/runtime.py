"""The engine at work: what happens inside `partwell worker`."""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, nullcontext
from datetime import datetime

from dbos import DBOS
from django.db import Error, close_old_connections, transaction
from sqlalchemy.exc import SQLAlchemyError

from partwell.engine import claims, guard, haste, operations, registry, retention, schema, timers
from partwell.engine.address import APPLICATION, APPLICATION_VERSION, engine_url
from partwell.engine.lanes import LANES, THREADS, URGENT
from partwell.engine.reachable import is_loss
from partwell.engine.steady_clock import SteadyClock

# About forty minutes of tries; after that the rooms' reconcilers ask again at the next start of a worker.
MAX_ATTEMPTS = 16
SWEEP_SECONDS = 0.5
RETENTION_SECONDS = 3600.0
DATABASE_AGAIN_SECONDS = 0.5

log = logging.getLogger(__name__)
_steady = SteadyClock()
_steady_lock = threading.Lock()


def steady_now() -> datetime:
    """The present moment as the engine believes it: without jumps of the wall clock."""
    with _steady_lock:
        return _steady.now()


@DBOS.workflow(name=operations.RUN, max_recovery_attempts=None)
def _run(name: str, key: str, lane: str, partition: str, attempt: int, args: list[str]) -> None:
    """Every run is this one workflow, so that a name that nobody registered is a logged failure, not a
    run that no worker can ever pick up."""
    with _database_connections(), haste.under_way() if lane == URGENT else nullcontext():
        try:
            if name == timers.FIRE:
                timers.run(args[0], args[1], now=steady_now())
            else:
                _function(name)(*args)
        except Exception:
            log.exception("%s %s failed (try %d)", name, key, attempt)
            if name == timers.FIRE:
                _insist(lambda: timers.arm_again(args[0], args[1], now=steady_now()))
            elif attempt < MAX_ATTEMPTS:
                _insist(lambda: _try_later(name, key, lane, partition, attempt, args))
            else:
                log.error("%s %s failed %d times; it is asked for again at a start", name, key, attempt)


def _function(name: str) -> registry.Workflow:
    try:
        return registry.REGISTERED.workflows[name]
    except KeyError:
        raise LookupError(f"no function is registered as {name!r} in this release") from None


def _try_later(name: str, key: str, lane: str, partition: str, attempt: int, args: list[str]) -> None:
    with transaction.atomic():
        operations.submit(
            name,
            tuple(args),
            key=key,
            lane=lane,
            partition=partition,
            attempt=attempt + 1,
            delay_seconds=timers.pause_before(attempt).total_seconds(),
        )


def _insist(note_next_try: Callable[[], object]) -> None:
    """Return when the database has taken it, however long that lasts.

    What made a run fail may be that the database is gone. If the run ended now, DBOS would note that it is
    over as soon as it has a connection again, and nobody would try a second time. As long as it does not
    end, it is taken over from this worker when that dies.
    """
    while True:
        close_old_connections()
        try:
            note_next_try()
            return
        except (Error, SQLAlchemyError) as error:
            log.warning("the next try could not be noted yet: %s", error)
            time.sleep(DATABASE_AGAIN_SECONDS)


class Engine:
    """The running engine of one worker process.

    `on_loss` is called in a thread of the engine when the process has to end at once: its place was taken,
    or its database is gone.
    """

    def __init__(self, *, on_loss: Callable[[], object]) -> None:
        self.executor = guard.new_executor_id()
        self._on_loss = on_loss
        self._stopping = threading.Event()
        self._threads: list[threading.Thread] = []
        self._liveness = guard.liveness_for(self.executor)
        self._guard = guard.Guard(
            self.executor,
            self._liveness,
            claims=claims.claims,
            begun_here=claims.begun_here,
            give_back=claims.give_back,
        )

    def start(self) -> None:
        """Take a place among the workers, start DBOS, and ask again for what the rows say is not done."""
        schema.ensure()
        self._liveness.enter()
        # From here on, so that a database that goes away while DBOS starts does not leave us waiting in it.
        self._go("guard", guard.EVERY_SECONDS, self._watch)
        DBOS(
            config={
                "name": APPLICATION,
                "application_version": APPLICATION_VERSION,
                "executor_id": self.executor,
                "system_database_url": engine_url(),
                "sys_db_pool_size": 8,
                "max_executor_threads": THREADS,
                "run_migrations": False,
                "enable_otlp": False,
                "log_level": "WARNING",
                # Partwell uses neither DBOS's notifications nor its schedules: let it look for them rarely.
                "notification_listener_polling_interval_sec": 1.0,
                "scheduler_polling_interval_sec": 600.0,
            }
        )
        schema.silence()
        DBOS.launch()
        for lane in LANES.values():
            DBOS.register_queue(
                lane.name,
                worker_concurrency=lane.at_once,
                partition_concurrency=lane.per_partition,
                polling_interval_sec=lane.poll_seconds,
                on_conflict="always_update",
            )
        reconcile()
        self._go("timers", SWEEP_SECONDS, lambda: timers.fire_due(steady_now()))
        self._go("retention", RETENTION_SECONDS, lambda: retention.forget_finished(steady_now()), alone=True)
        for periodic in registry.REGISTERED.periodics.values():
            self._go(
                periodic.name,
                periodic.every_seconds,
                periodic.function,
                alone=not periodic.every_worker,
                gives_way=periodic.gives_way,
            )

    def stop(self, *, seconds: int = 5) -> None:
        """Take no new work, give the running work `seconds`, let go of the place."""
        self._stopping.set()
        DBOS.destroy(workflow_completion_timeout_sec=seconds)
        for thread in self._threads:
            thread.join(timeout=seconds)
        self._liveness.leave()

    def _watch(self) -> None:
        if not self._guard.sweep():
            log.error("this worker's place was taken from it, or its database is gone: it ends")
            self._stopping.set()
            self._on_loss()

    def _go(
        self,
        name: str,
        every: float,
        function: registry.PeriodicHandler,
        *,
        alone: bool = False,
        gives_way: bool = False,
    ) -> None:
        turns = haste.GivingWay(since=time.monotonic())

        def loop() -> None:
            while not self._stopping.wait(every):
                if alone and not self._guard.is_first:
                    continue
                if gives_way and not turns.is_turn(time.monotonic()):
                    continue
                with _database_connections():
                    try:
                        function()
                    except Exception:
                        log.exception("%s failed; it runs again in %.1f s", name, every)

        thread = threading.Thread(target=loop, name=f"engine-{name}", daemon=True)
        thread.start()
        self._threads.append(thread)


def reconcile() -> None:
    """Ask again for everything that the domain's rows say is not done. The engine doubles nothing by it."""
    with _database_connections():
        timers.ask_again()
        for name, function in registry.REGISTERED.reconcilers.items():
            try:
                function()
            except Exception as error:
                if is_loss(error):
                    raise  # the next start is now
                log.exception("reconciling %s failed; it is tried again at the next start", name)


@contextmanager
def _database_connections() -> Iterator[None]:
    """Django closes stale connections around a request; around a run of the engine, we do."""
    close_old_connections()
    try:
        yield
    finally:
        close_old_connections()
