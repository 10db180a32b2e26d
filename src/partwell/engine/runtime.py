"""The engine at work: what happens inside `partwell worker`."""

from __future__ import annotations

import logging
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime

from dbos import DBOS
from django.db import close_old_connections, transaction

from partwell.engine import guard, operations, registry, retention, schema, timers
from partwell.engine.address import APPLICATION, APPLICATION_VERSION, engine_url
from partwell.engine.lanes import LANES, THREADS
from partwell.engine.steady_clock import SteadyClock

# About forty minutes of tries; after that the rooms' reconcilers ask again at the next start of a worker.
MAX_ATTEMPTS = 16
SWEEP_SECONDS = 0.5
RETENTION_SECONDS = 3600.0

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
    with _database_connections():
        try:
            if name == timers.FIRE:
                timers.run(args[0], args[1], now=steady_now())
            else:
                _function(name)(*args)
        except Exception:
            log.exception("%s %s failed (try %d)", name, key, attempt)
            if name != timers.FIRE:  # a timer's row is already armed for its next try
                _try_later(name, key, lane, partition, attempt, args)


def _function(name: str) -> registry.Workflow:
    try:
        return registry.REGISTERED.workflows[name]
    except KeyError:
        raise LookupError(f"no function is registered as {name!r} in this release") from None


def _try_later(name: str, key: str, lane: str, partition: str, attempt: int, args: list[str]) -> None:
    if attempt >= MAX_ATTEMPTS:
        log.error("%s %s failed %d times; it is asked for again when a worker starts", name, key, attempt)
        return
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


class Engine:
    """The running engine of one worker process. `lost` is set when the process has to end."""

    def __init__(self) -> None:
        self.executor = guard.new_executor_id()
        self.lost = threading.Event()
        self._stopping = threading.Event()
        self._threads: list[threading.Thread] = []
        self._liveness = guard.liveness_for(self.executor)
        self._guard = guard.Guard(
            self.executor, self._liveness, running_executors=_running_executors, take_over=_take_over
        )

    def start(self) -> None:
        """Take a place among the workers, start DBOS, and ask again for what the rows say is not done."""
        schema.ensure()
        self._liveness.enter()
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
        self._go("guard", guard.EVERY_SECONDS, self._watch)
        reconcile()
        self._go("timers", SWEEP_SECONDS, lambda: timers.fire_due(steady_now()))
        self._go("retention", RETENTION_SECONDS, lambda: retention.forget_finished(steady_now()), alone=True)
        for periodic in registry.REGISTERED.periodics.values():
            self._go(
                periodic.name, periodic.every_seconds, periodic.function, alone=not periodic.every_worker
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
            self.lost.set()
            self._stopping.set()

    def _go(
        self, name: str, every: float, function: registry.PeriodicHandler, *, alone: bool = False
    ) -> None:
        def loop() -> None:
            while not self._stopping.wait(every):
                if alone and not self._guard.is_first:
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
            except Exception:
                log.exception("reconciling %s failed; it is tried again at the next start", name)


@contextmanager
def _database_connections() -> Iterator[None]:
    """Django closes stale connections around a request; around a run of the engine, we do."""
    close_old_connections()
    try:
        yield
    finally:
        close_old_connections()


def _running_executors() -> set[str]:
    running = DBOS.list_workflows(status="PENDING", load_input=False, load_output=False)
    return {run.executor_id for run in running if run.executor_id}


def _take_over(executor: str) -> int:
    return len(DBOS._recover_pending_workflows([executor]))
