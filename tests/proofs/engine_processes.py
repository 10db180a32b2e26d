"""Real worker processes for the engine's proofs, on the test's own database.

They are forked from a server that has imported everything, so that hundreds of kills take minutes, not
hours. What they did stands in a ledger: one line appended for each thing, which no kill can take back.
"""

from __future__ import annotations

import multiprocessing
import os
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from multiprocessing.process import BaseProcess
from pathlib import Path
from typing import Any

import django
from django.apps import apps

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "partwell.config.settings")
if not apps.ready:  # in the server that the processes are forked from
    django.setup()

from django.db import connection, transaction

from partwell import clock
from partwell.engine import operations, registry
from partwell.engine.borrowed import client_for
from partwell.engine.models import Timer
from partwell.engine.states import TimerState
from partwell.worker.run import run_worker
from tests.proofs.databases import use_database
from tests.struck_installation import until

WORK = "proof.work"
ASKED = "proof.asked"
# The one task that fails when it is first tried, and the one whose connection breaks under it.
FLAKY = "flaky"
CUT_OFF = "cut-off"
OPEN = ["ENQUEUED", "PENDING", "DELAYED"]

forks = multiprocessing.get_context("forkserver")
forks.set_forkserver_preload([__name__])


@dataclass(frozen=True)
class Line:
    """One thing that a process did."""

    at: float
    pid: int
    what: str
    task: str


@dataclass(frozen=True)
class Ledger:
    """A file that many processes append to."""

    path: str

    def note(self, what: str, task: str) -> None:
        line = f"{time.time()} {os.getpid()} {what} {task}\n".encode()
        file = os.open(self.path, os.O_WRONLY | os.O_CREAT | os.O_APPEND)
        os.write(file, line)
        os.close(file)

    def lines(self, what: str) -> list[Line]:
        if not Path(self.path).exists():
            return []
        found = []
        for text in Path(self.path).read_text().splitlines():
            at, pid, name, task = text.split(" ", 3)
            if name == what:
                found.append(Line(float(at), int(pid), name, task))
        return found

    def tasks(self, what: str) -> set[str]:
        return {line.task for line in self.lines(what)}


class Processes:
    """Starts processes, and ends what is left of them with the test."""

    def __init__(self, ledger: Ledger) -> None:
        self.ledger = ledger
        self.all: list[BaseProcess] = []
        self._database = dict(connection.settings_dict)

    def worker(self, *, task_seconds: float = 0.03) -> BaseProcess:
        return self._start(_work, self._database, self.ledger, task_seconds)

    def wait_until_alive(self, process: BaseProcess) -> None:
        until(
            lambda: process.pid in {line.pid for line in self.ledger.lines("alive")},
            seconds=20,
            what="the worker has started",
        )

    def _start(self, target: Callable[..., None], *args: object) -> BaseProcess:
        process = forks.Process(target=target, args=args, daemon=True)
        process.start()
        self.all.append(process)
        return process


@contextmanager
def processes(folder: Path) -> Iterator[Processes]:
    """Processes on the test's database, whose engine tables are empty at first."""
    client = client_for(connection.vendor)
    client.delete_workflows([run.workflow_id for run in client.list_workflows(load_input=False)])
    started = Processes(Ledger(str(folder / "ledger")))
    try:
        yield started
    finally:
        for process in started.all:
            process.kill()
            process.join()


def ask(task: str) -> None:
    """Commit one row together with the work that it stands for."""
    with transaction.atomic():
        now = clock.now()
        Timer.objects.create(name=ASKED, key=task, state=TimerState.FIRED, due_at=now, wake_at=now)
        operations.enqueue(WORK, task, key=task)


def committed() -> set[str]:
    """The tasks whose row has committed."""
    return set(Timer.objects.filter(name=ASKED).values_list("key", flat=True))


def open_runs() -> int:
    """Runs that wait, or that somebody is supposed to be doing."""
    return len(client_for(connection.vendor).list_workflows(status=OPEN, load_input=False))


def _work(database: Mapping[str, Any], ledger: Ledger, task_seconds: float) -> None:
    use_database(database)

    def do(task: str) -> None:
        ledger.note("begin", task)
        if task == FLAKY and len(ledger.lines("begin")) == 1:
            raise ConnectionError("the directory is down")
        if task == CUT_OFF and len(ledger.lines("begin")) == 1:
            connection.ensure_connection()
            connection.connection.close()
            Timer.objects.count()
        time.sleep(task_seconds)
        ledger.note("done", task)

    def register() -> None:
        registry.REGISTERED.clear()
        registry.workflow(WORK, do)
        registry.timer("proof.timer", lambda key, now: ledger.note("fired", key))
        registry.periodic("proof.alive", 0.2, lambda: ledger.note("alive", "-"), every_worker=True)

    run_worker(register)
