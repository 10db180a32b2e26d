"""What proof 1 strikes: an installation with a database of its own, kept running as systemd keeps it.

The web server is the real one; workers are the real ones too, forked from a server that has imported
everything, so that a thousand kills take minutes. The console stands for commands: it asks in transactions.
"""

from __future__ import annotations

import os
import random
import signal
import socket
import sqlite3
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

import psycopg
from django.conf import settings
from django.db import Error, connection, transaction

from partwell.config.database import database_settings
from partwell.engine import registry
from partwell.engine.operations import ADVANCE
from partwell.worker.register import register_all
from partwell.worker.run import run_worker
from tests.postgres import Server, server
from tests.proofs.engine_processes import WORK, Ledger, ask, forks, use_database

LOOK_EVERY_SECONDS = 0.05


class Process(Protocol):
    """A process of the installation, with the processes that it started itself."""

    def strike(self, dice: random.Random) -> None:
        """SIGKILL it, or a part of it."""

    def kill(self) -> None:
        """SIGKILL all of it, and wait until it is gone."""

    def exit_code(self) -> int | None:
        """None as long as it runs."""


class Database(Protocol):
    """The installation's database, and how it is struck."""

    url: str

    def strike(self, dice: random.Random) -> None:
        """Kill it while others use it; return when it answers again."""

    def end_sessions(self, dice: random.Random) -> None:
        """Break connections that processes hold."""

    def check(self) -> None:
        """Fail when the database itself says that it is damaged."""


class SqliteFile:
    """A file has nothing to kill: it is struck with all the processes that have it open."""

    def __init__(self, folder: Path) -> None:
        self._path = folder / "partwell.sqlite3"
        self.url = f"sqlite:///{self._path}".replace("////", "///")

    def strike(self, dice: random.Random) -> None:
        self.check()

    def end_sessions(self, dice: random.Random) -> None:
        raise NotImplementedError("a file has no sessions")

    def check(self) -> None:
        file = sqlite3.connect(self._path)
        try:
            assert file.execute("PRAGMA integrity_check").fetchall() == [("ok",)]
            assert file.execute("PRAGMA foreign_key_check").fetchall() == []
        finally:
            file.close()


class PostgresServer:
    """A durable server; how long it stays away, and how it dies, is part of the experiment."""

    LONGEST_OUTAGE_SECONDS = 3.0

    def __init__(self, server: Server) -> None:
        self._server = server
        self.url = server.url

    def strike(self, dice: random.Random) -> None:
        if dice.random() < 0.3:
            self._server.kill_a_session()
        else:
            dice.choice([self._server.kill, self._server.stop_at_once])()
            time.sleep(dice.uniform(0, self.LONGEST_OUTAGE_SECONDS))
            self._server.start()
        self._until_it_answers()

    def end_sessions(self, dice: random.Random) -> None:
        share = dice.choice([0.2, 0.5, 1.0])
        with psycopg.connect(self.url, autocommit=True) as asking:
            asking.execute("select setseed(%s)", [dice.random()])
            asking.execute(
                "select pg_terminate_backend(pid) from pg_stat_activity"
                " where backend_type = 'client backend' and pid <> pg_backend_pid() and random() <= %s",
                [share],
            )

    def check(self) -> None:
        self._until_it_answers()

    def _until_it_answers(self) -> None:
        deadline = time.monotonic() + 30
        while True:
            try:
                psycopg.connect(self.url).close()
                return
            except psycopg.OperationalError:
                assert time.monotonic() < deadline, "PostgreSQL does not recover"
                time.sleep(LOOK_EVERY_SECONDS)


class Fork:
    """A process forked from the server that has imported everything."""

    def __init__(self, target: Callable[..., None], *args: object) -> None:
        self._process = forks.Process(target=target, args=args, daemon=True)
        self._process.start()

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

    def strike(self, dice: random.Random) -> None:
        granian, serving = self._process.pid, self._serving()
        # What is left of it must not stay in the way of the next one.
        for pid in dice.choice([serving, [granian], [*serving, granian]]):
            os.kill(pid, signal.SIGKILL)

    def kill(self) -> None:
        for pid in (*self._serving(), self._process.pid):
            with suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
        self._process.wait()

    def _serving(self) -> list[int]:
        children = Path(f"/proc/{self._process.pid}/task/{self._process.pid}/children")
        return [int(pid) for pid in children.read_text().split()] if self.exit_code() is None else []

    def exit_code(self) -> int | None:
        return self._process.poll()


@dataclass
class Service:
    """One process that is started again whenever it has ended, at once, whatever it ended with."""

    start: Callable[[], Process]
    process: Process
    ended_with: Counter[int] = field(default_factory=Counter)


class Installation:
    """Database, web, two workers and a console."""

    def __init__(self, folder: Path, database: Database, seed: int) -> None:
        self.folder = folder
        self.database = database
        self.ledger = Ledger(str(folder / "ledger"))
        self.django = database_settings(database.url, folder)
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
        starts = {"worker-1": self._worker, "worker-2": self._worker, "web": self._web}
        starts["console"] = self._console
        self.services = {name: Service(start, start()) for name, start in starts.items()}
        self._keeper.start()

    def strike(self, name: str) -> None:
        with self._lock:
            if self.services[name].process.exit_code() is None:
                self.services[name].process.strike(self._dice)

    def end(self, name: str) -> None:
        """Kill it, and do not start it again."""
        with self._lock:
            self.services.pop(name).process.kill()

    def strike_database(self) -> None:
        self.database.strike(self._dice)

    def end_sessions(self) -> None:
        self.database.end_sessions(self._dice)

    def strike_everything(self) -> None:
        """A power cut: no process is left when the database comes back."""
        with self._lock:
            self._kill_all()
            self.database.strike(self._dice)

    def stop(self) -> None:
        self._stop.set()
        self._keeper.join()
        self._kill_all()

    def exits(self, *names: str) -> set[int]:
        """With what these processes have ended by themselves, not by us."""
        return {code for name in names for code in self.services[name].ended_with} - {-signal.SIGKILL}

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
        return Fork(_work, self.django, self.folder, self.ledger)

    def _console(self) -> Fork:
        return Fork(_ask, self.django, self.folder, self.ledger, self._dice.randrange(1 << 30))

    def _web(self) -> Web:
        return Web(self.port, self._environment, self.folder / "web.log")


@contextmanager
def installation(folder: Path, *, seed: int) -> Iterator[Installation]:
    """An installation whose database is empty, and to which Django in this process leads as well."""
    with _database(folder) as database:
        made = Installation(folder, database, seed)
        before = dict(connection.settings_dict)
        use_database(made.django)
        try:
            yield made
        finally:
            if made._keeper.is_alive():
                made.stop()
            use_database(before)


@contextmanager
def _database(folder: Path) -> Iterator[Database]:
    if connection.vendor == "sqlite":
        yield SqliteFile(folder)
        return
    with server(durable=True) as started:
        yield PostgresServer(started)


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

    sys.exit(run_worker(register))


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
