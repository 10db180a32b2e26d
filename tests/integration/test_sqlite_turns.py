"""On SQLite, many threads that write at once each get their turn."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest
from django.db.utils import ConnectionHandler, OperationalError

from partwell.config.database import database_settings

THREADS, EACH = 16, 40


@pytest.fixture(autouse=True)
def own_databases(django_db_blocker: Any) -> Iterator[None]:
    """These tests use databases of their own."""
    with django_db_blocker.unblock():
        yield


def writers(tmp_path: Path, engine: str = "") -> ConnectionHandler:
    settings = database_settings("", tmp_path)
    settings["OPTIONS"] = {**settings["OPTIONS"], "timeout": 10}
    if engine:
        settings["ENGINE"] = engine
    return ConnectionHandler({"default": settings})


def run(handler: ConnectionHandler, thread: int, start: threading.Barrier) -> int:
    connection = handler["default"]
    done = 0
    start.wait()
    try:
        for number in range(EACH):
            connection.set_autocommit(False, force_begin_transaction_with_broken_autocommit=True)
            with connection.cursor() as cursor:
                cursor.execute("insert into written values (%s, %s)", [thread, number])
            connection.commit()
            connection.set_autocommit(True)
            done += 1
    finally:
        connection.close()
    return done


def test_every_writer_gets_its_turn(tmp_path: Path) -> None:
    handler = writers(tmp_path)
    with handler["default"].cursor() as cursor:
        cursor.execute("create table written (thread int, number int)")
    start = threading.Barrier(THREADS)
    with ThreadPoolExecutor(THREADS) as pool:
        done = list(pool.map(lambda thread: run(handler, thread, start), range(THREADS)))
    assert done == [EACH] * THREADS
    with handler["default"].cursor() as cursor:
        cursor.execute("select count(*) from written")
        assert cursor.fetchone() == (THREADS * EACH,)
    handler["default"].close()


def test_a_turn_ends_with_its_transaction_however_that_ends(tmp_path: Path) -> None:
    handler = writers(tmp_path)
    connection = handler["default"]
    for end in (connection.commit, connection.rollback, connection.close):
        connection.set_autocommit(False, force_begin_transaction_with_broken_autocommit=True)
        assert connection._has_turn
        end()
        assert not connection._has_turn


def test_who_waits_too_long_is_told_so(tmp_path: Path) -> None:
    handler = writers(tmp_path)
    handler.settings["default"]["OPTIONS"]["timeout"] = 0.05
    connection = handler["default"]
    connection.set_autocommit(False, force_begin_transaction_with_broken_autocommit=True)
    failed: list[str] = []

    def wait() -> None:
        other = handler["default"]
        try:
            other.set_autocommit(False, force_begin_transaction_with_broken_autocommit=True)
        except OperationalError as error:
            failed.append(str(error))
        finally:
            other.close()

    thread = threading.Thread(target=wait)
    thread.start()
    thread.join()
    connection.close()
    assert failed and "no turn to write" in failed[0]
