"""What proof 1 strikes: an installation with a database of its own, kept running as systemd keeps it.

The web server is the real one; workers are the real ones too, forked from a server that has imported
everything, so that a thousand kills take minutes. The console stands for commands: it asks in transactions.
"""

from __future__ import annotations

import os
import random
import signal
import socket
import subprocess
import sys
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Protocol

from django.conf import settings
from django.db import Error, connection, transaction

from partwell.engine import registry
from partwell.engine.operations import ADVANCE
from partwell.worker.register import register_all
from partwell.worker.run import run_worker
from tests.proofs.databases import Database, own_database, use_database
from tests.proofs.engine_processes import WORK, Ledger, ask, forks

LOOK_EVERY_SECONDS = 0.05
LONGEST_OUTAGE_SECONDS = 2.0
WORKERS = ("worker-1", "worker-2")


class Process(Protocol):
    """A process of the installation, with the processes that it started itself."""

    pid: int

    def strike(self, dice: random.Random) -> None:
        """SIGKILL it, or a part of it."""

    def kill(self) -> None:
        """SIGKILL all of it, and wait until it is gone."""

    def exit_code(self) -> int | None:
        """None as long as it runs."""


class Fork:
    """A process forked from the server that has imported everything."""

    def __init__(self, target: Callable[..., None], *args: object) -> None:
        self._process = forks.Process(target=target, args=args, daemon=True)
        self._process.start()
        assert self._process.pid is not None
        self.pid = self._process.pid

    def strike(self, dice: random.Random) -> None:
        self.kill()

    def kill(self) -> None:
        self._process.kill()
        self._process.join()

    def exit_code(self) -> int | None:
        return self._process.exitcode


class Web:
    """The real web server: granian, and the process that it serves from."""

    def __init__(self, port: int, environment: Mapping[str, str], log: Path) -> None:
        with log.open("ab") as output:
            self._process = subprocess.Popen(
                [sys.executable, "-m", "partwell.web", "--host", "127.0.0.1", "--port", str(port)],
                env=dict(environment),
                stdout=output,
                stderr=output,
            )
        self.pid = self._process.pid

    def strike(self, dice: random.Random) -> None:
        serving = self._serving()
        # What is left of it must not stay in the way of the next one.
        for pid in dice.choice([serving, [self.pid], [*serving, self.pid]]):
            os.kill(pid, signal.SIGKILL)

    def kill(self) -> None:
        for pid in (*self._serving(), self.pid):
            with suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
        self._process.wait()

    def _serving(self) -> list[int]:
        children = Path(f"/proc/{self.pid}/task/{self.pid}/children")
        return [int(pid) for pid in children.read_text().split()] if self.exit_code() is None else []

    def exit_code(self) -> int | None:
        return self._process.poll()


@dataclass
class Service:
    """One process that is started again whenever it has ended, at once, whatever it ended with."""

    start: Callable[[], Process]
    process: Process
    ended_with: Counter[int] = field(default_factory=Counter)


class Target:
    """Database, web, two workers and a console."""

    def __init__(self, folder: Path, database: Database, seed: int) -> None:
        self.folder = folder
        self.database = database
        self.ledger = Ledger(str(folder / "ledger"))
        self._django = dict(connection.settings_dict)
        self._environment = os.environ | {
            "PARTWELL_DATA_DIR": str(folder),
            "PARTWELL_DATABASE_URL": database.url,
        }
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            self.port = int(free.getsockname()[1])
        self._dice = random.Random(seed)
        self._lock = threading.Lock()
        self._stop = threading.Event()
        self._keeper = threading.Thread(target=self._keep_running, daemon=True)
        self.services: dict[str, Service] = {}

    def start(self) -> None:
        starts: dict[str, Callable[[], Process]] = {
            **dict.fromkeys(WORKERS, self._worker),
            "web": self._web,
            "console": self._console,
        }
        self.services = {name: Service(start, start()) for name, start in starts.items()}
        self._keeper.start()

    def strike(self, kind: str) -> None:
        """SIGKILL a process of that name, or the database, or a part of it, or everything at once."""
        if kind == "everything":
            with self._lock:
                self._kill_all()
                self.database.kill(self._dice)
                self.database.start()
        elif kind == "database":
            self.database.kill(self._dice)
            time.sleep(self._dice.uniform(0.0, LONGEST_OUTAGE_SECONDS))
            self.database.start()
        elif kind == "database process":
            self.database.kill_a_process()
        elif kind == "connections":
            self.database.break_connections(self._dice)
        else:
            name = self._dice.choice(self.workers_at_work() or WORKERS) if kind == "worker" else kind
            with self._lock:
                if self.services[name].process.exit_code() is None:
                    self.services[name].process.strike(self._dice)

    def end(self, name: str) -> None:
        """Kill it, and do not start it again."""
        with self._lock:
            self.services.pop(name).process.kill()

    def stop(self) -> None:
        """Kill what runs; it may be called again."""
        self._stop.set()
        if self._keeper.is_alive():
            self._keeper.join()
        self._kill_all()

    def workers_at_work(self) -> list[str]:
        """Those that have started all the way."""
        alive = {line.pid for line in self.ledger.lines("alive")}
        return [name for name in WORKERS if self.services[name].process.pid in alive]

    def workers_ended_with(self) -> set[int]:
        """The exit codes of workers that ended by themselves, not by us."""
        return {code for name in WORKERS for code in self.services[name].ended_with} - {-signal.SIGKILL}

    def _kill_all(self) -> None:
        for service in self.services.values():
            service.process.kill()

    def _keep_running(self) -> None:
        while not self._stop.wait(LOOK_EVERY_SECONDS):
            with self._lock:
                for service in self.services.values():
                    code = service.process.exit_code()
                    if code is not None:
                        service.ended_with[code] += 1
                        service.process = service.start()

    def _worker(self) -> Fork:
        return Fork(_work, self._django, self.folder, self.ledger)

    def _console(self) -> Fork:
        return Fork(_ask, self._django, self.folder, self.ledger, self._dice.randrange(1 << 30))

    def _web(self) -> Web:
        return Web(self.port, self._environment, self.folder / "web.log")


@contextmanager
def target(folder: Path, *, seed: int) -> Iterator[Target]:
    """What is struck, not yet started; nothing of it is left after the block."""
    with own_database(folder) as database:
        made = Target(folder, database, seed)
        try:
            yield made
        finally:
            made.stop()


def _enter(database: Mapping[str, Any], folder: Path, log: str) -> None:
    """Become a process of that installation."""
    file = os.open(folder / log, os.O_WRONLY | os.O_CREAT | os.O_APPEND)
    os.dup2(file, 2)
    settings.DATA_DIR = folder
    use_database(database)


def _work(database: Mapping[str, Any], folder: Path, ledger: Ledger) -> None:
    _enter(database, folder, "worker.log")
    dice = random.Random()

    def do(task: str) -> None:
        ledger.note("begin", task)
        time.sleep(dice.uniform(0.02, 0.2))
        ledger.note("done", task)

    def say_once() -> None:
        if not said:
            said.append(True)
            ledger.note("alive", "-")

    said: list[bool] = []

    def register() -> None:
        registry.REGISTERED.clear()
        register_all()
        advance = registry.REGISTERED.workflows[ADVANCE]

        def slowly(departure_id: str) -> None:
            ledger.note("begin", departure_id)
            time.sleep(dice.uniform(0, 0.15))
            advance(departure_id)
            time.sleep(dice.uniform(0, 0.05))
            ledger.note("done", departure_id)

        registry.REGISTERED.workflows[ADVANCE] = slowly
        registry.workflow(WORK, do)
        registry.periodic("proof.alive", 0.1, say_once, every_worker=True)

    run_worker(register)


def _ask(database: Mapping[str, Any], folder: Path, ledger: Ledger, seed: int) -> None:
    """Ask in transactions, some of which are refused half way; note only what was said to be committed."""
    _enter(database, folder, "console.log")
    dice = random.Random(seed)
    number = 0
    while True:
        number += 1
        task = f"{seed}-{number}"
        try:
            with transaction.atomic():
                ask(task)
                if dice.random() < 0.2:
                    raise LookupError
            ledger.note("asked", task)
        except LookupError:
            ledger.note("refused", task)
        except Error:
            connection.close()
        time.sleep(dice.uniform(0.05, 0.3))
