"""What a dead or stopped worker was doing is done by another, and what it says late does not count."""

from __future__ import annotations

import os
import signal
from collections.abc import Callable
from pathlib import Path

import pytest
from dbos._schemas.system_database import SystemSchema
from django.db import connection, transaction

from partwell.engine import operations
from partwell.engine.borrowed import client_for
from partwell.engine.claims import claims
from partwell.engine.lifeline import START_AGAIN
from tests.proofs.engine_processes import CUT_OFF, FLAKY, WORK, Processes, ask, open_runs, processes
from tests.struck_installation import until

pytestmark = pytest.mark.django_db(transaction=True)

TASKS = 4


def ask_and_wait_until_begun(started: Processes) -> set[str]:
    tasks = {f"task-{n}" for n in range(TASKS)}
    for task in tasks:
        ask(task)
    until(lambda: started.ledger.tasks("begin") == tasks, seconds=20, what="all tasks have begun")
    return tasks


def begun_by(started: Processes, pid: int | None) -> set[str]:
    return {line.task for line in started.ledger.lines("begin") if line.pid == pid}


def done_by(started: Processes, pid: int | None) -> set[str]:
    return {line.task for line in started.ledger.lines("done") if line.pid == pid}


def test_a_killed_workers_work_is_taken_over_within_seconds(
    tmp_path: Path, figure: Callable[[str], None]
) -> None:
    with processes(tmp_path) as started:
        first = started.worker(task_seconds=60)
        tasks = ask_and_wait_until_begun(started)
        second = started.worker(task_seconds=0.01)
        started.wait_until_alive(second)
        first.kill()
        seconds = until(
            lambda: done_by(started, second.pid) >= tasks, seconds=20, what="the second worker has done all"
        )
        until(lambda: open_runs() == 0, seconds=5, what="no run is left open")
    figure(
        f"proof 4 ({connection.vendor}): SIGKILL, {TASKS} of {TASKS} tasks done elsewhere in {seconds:.1f} s"
    )
    assert seconds < 5


def test_a_stopped_workers_work_is_taken_over_and_its_late_result_does_not_count(
    tmp_path: Path, figure: Callable[[str], None]
) -> None:
    client = client_for(connection.vendor)

    def outcome() -> list[tuple[object, ...]]:
        return sorted(
            (run.workflow_id, run.status, run.executor_id, run.updated_at)
            for run in client.list_workflows(workflow_id_prefix=f"{WORK}:task-")
        )

    with processes(tmp_path) as started:
        first = started.worker(task_seconds=2)
        tasks = ask_and_wait_until_begun(started)
        assert first.pid is not None
        os.kill(first.pid, signal.SIGSTOP)
        second = started.worker(task_seconds=0.01)
        seconds = until(
            lambda: done_by(started, second.pid) >= tasks, seconds=30, what="the second worker has done all"
        )
        until(lambda: open_runs() == 0, seconds=5, what="no run is left open")
        before = outcome()
        os.kill(first.pid, signal.SIGCONT)
        first.join(timeout=10)
        after = outcome()
    figure(
        f"proof 4 ({connection.vendor}): SIGSTOP, {TASKS} of {TASKS} tasks done elsewhere in {seconds:.1f} s;"
        f" {sum(a != b for a, b in zip(after, before, strict=True))} late results counted"
    )
    assert first.exitcode == START_AGAIN
    assert after == before
    assert {status for _, status, _, _ in after} == {"SUCCESS"}


def test_a_lone_worker_that_is_killed_finishes_its_work_when_it_is_started_again(
    tmp_path: Path, figure: Callable[[str], None]
) -> None:
    with processes(tmp_path) as started:
        first = started.worker(task_seconds=60)
        tasks = ask_and_wait_until_begun(started)
        first.kill()
        first.join()
        again = started.worker(task_seconds=0.01)
        seconds = until(
            lambda: done_by(started, again.pid) >= tasks, seconds=20, what="the new worker has done all"
        )
        until(lambda: open_runs() == 0, seconds=5, what="no run is left open")
        assert begun_by(started, again.pid) == tasks
    figure(f"proof 4 ({connection.vendor}): restart, {TASKS} of {TASKS} tasks done {seconds:.1f} s after it")


def test_a_worker_that_is_told_to_stop_does_not_wait_for_its_work_and_another_does_it(
    tmp_path: Path, figure: Callable[[str], None]
) -> None:
    with processes(tmp_path) as started:
        first = started.worker(task_seconds=600)
        tasks = ask_and_wait_until_begun(started)
        first.terminate()
        seconds = until(lambda: not first.is_alive(), seconds=30, what="the worker has ended")
        assert first.exitcode == 0
        second = started.worker(task_seconds=0.01)
        until(lambda: done_by(started, second.pid) >= tasks, seconds=20, what="another has done all")
        until(lambda: open_runs() == 0, seconds=5, what="no run is left open")
    figure(f"proof 4 ({connection.vendor}): SIGTERM, ended with {TASKS} tasks at hand after {seconds:.1f} s")


def test_work_whose_database_connection_breaks_is_tried_again(tmp_path: Path) -> None:
    with processes(tmp_path) as started:
        worker = started.worker()
        ask(CUT_OFF)
        until(lambda: CUT_OFF in done_by(started, worker.pid), seconds=20, what="the second try has done it")
        until(lambda: open_runs() == 0, seconds=5, what="no run is left open")


def test_work_that_a_worker_has_claimed_without_knowing_is_done(tmp_path: Path) -> None:
    """The claim has committed, and the connection broke before the worker heard of it."""
    runs = SystemSchema.workflow_status
    with processes(tmp_path) as started:
        worker = started.worker(task_seconds=0.5)
        ask("heard")
        until(lambda: "heard" in started.ledger.tasks("begin"), seconds=20, what="the first task has begun")
        (executor,) = claims()
        with transaction.atomic(), client_for(connection.vendor)._sys_db.engine.connect() as borrowed:
            ask("unheard")
            borrowed.execute(
                runs.update()
                .where(runs.c.workflow_uuid == f"{WORK}:unheard")
                .values(status="PENDING", executor_id=executor)
            )
        until(lambda: "unheard" in done_by(started, worker.pid), seconds=20, what="the unheard task is done")
        until(lambda: open_runs() == 0, seconds=5, what="no run is left open")


def test_work_that_fails_is_tried_again_and_work_that_nobody_knows_stops_nothing(tmp_path: Path) -> None:
    with processes(tmp_path) as started:
        worker = started.worker()
        operations.enqueue("proof.unknown", "x", key="unknown")
        ask(FLAKY)
        until(lambda: FLAKY in done_by(started, worker.pid), seconds=20, what="the second try has done it")
        assert len(started.ledger.lines("begin")) == 2
        unknown = client_for(connection.vendor).list_workflows(workflow_id_prefix="proof.unknown:")
        assert len(unknown) >= 2  # the run that failed, and the next try that waits
