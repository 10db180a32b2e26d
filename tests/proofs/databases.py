"""Databases that a proof may kill: of its own, durable, and Django's in this process as long as it lasts."""

from __future__ import annotations

import random
import sqlite3
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any, Protocol

import psycopg
from django.db import connection

from partwell.config.database import database_settings
from tests.postgres import Server, server

RECOVERS_WITHIN_SECONDS = 60


class Database(Protocol):
    """What is struck; on SQLite, together with every process that has the file open."""

    url: str

    def kill(self, dice: random.Random) -> None:
        """Kill it; on SQLite there is nothing left to do once all processes have been killed."""

    def start(self) -> None:
        """Start it again, and return when it answers and is undamaged, as far as it can tell itself."""

    def kill_a_process(self) -> None:
        """Kill one process of it that serves a connection; return when it has recovered and answers again."""

    def break_connections(self, dice: random.Random) -> None:
        """Break some of the connections that there are."""


class SqliteFile:
    """A file has no process of its own: who opens it next does what recovery there is."""

    def __init__(self, folder: Path) -> None:
        self._path = folder.resolve() / "partwell.sqlite3"
        self.url = f"sqlite://{self._path}"

    def kill(self, dice: random.Random) -> None:
        pass

    def start(self) -> None:
        file = sqlite3.connect(self._path)
        try:
            assert file.execute("PRAGMA integrity_check").fetchall() == [("ok",)]
            assert file.execute("PRAGMA foreign_key_check").fetchall() == []
        finally:
            file.close()

    def kill_a_process(self) -> None:
        raise NotImplementedError("a file has no process")

    def break_connections(self, dice: random.Random) -> None:
        raise NotImplementedError("a file has no connections")


class PostgresServer:
    """A server that writes to disk what it acknowledges."""

    def __init__(self, started: Server) -> None:
        self._server = started
        self.url = started.url

    def kill(self, dice: random.Random) -> None:
        dice.choice([self._server.kill, self._server.stop_at_once])()

    def start(self) -> None:
        self._server.start()
        self._wait_until_it_answers()

    def kill_a_process(self) -> None:
        # For a moment the server goes on answering, as it has not noticed yet. Then it ends every session.
        with suppress(psycopg.OperationalError), psycopg.connect(self.url, autocommit=True) as watching:
            self._server.kill_a_session()
            deadline = time.monotonic() + RECOVERS_WITHIN_SECONDS
            while time.monotonic() < deadline:
                watching.execute("select 1")
                time.sleep(0.05)
            raise AssertionError("PostgreSQL does not notice that a process of it was killed")
        self._wait_until_it_answers()

    def break_connections(self, dice: random.Random) -> None:
        with psycopg.connect(self.url, autocommit=True) as asking:
            asking.execute("select setseed(%s)", [dice.random()])
            asking.execute(
                "select pg_terminate_backend(pid) from pg_stat_activity"
                " where backend_type = 'client backend' and pid <> pg_backend_pid() and random() <= %s",
                [dice.choice([0.2, 0.5, 1.0])],
            )

    def _wait_until_it_answers(self) -> None:
        deadline = time.monotonic() + RECOVERS_WITHIN_SECONDS
        while True:
            try:
                psycopg.connect(self.url).close()
                return
            except psycopg.OperationalError:
                assert time.monotonic() < deadline, "PostgreSQL does not recover"
                time.sleep(0.05)


@contextmanager
def own_database(folder: Path) -> Iterator[Database]:
    """An empty database of the kind that the tests run on, and Django's in this process meanwhile."""
    before = dict(connection.settings_dict)
    try:
        if connection.vendor == "sqlite":
            file = SqliteFile(folder)
            use_database(database_settings(file.url, folder))
            yield file
        else:
            with server(durable=True) as started:
                use_database(database_settings(started.url, folder))
                yield PostgresServer(started)
    finally:
        use_database(before)


def use_database(settings: Mapping[str, Any]) -> None:
    """Have Django's connections of this process, from the next one on, lead there."""
    connection.close()
    connection.settings_dict.update(settings)
