"""Turns for the writers of one process.

SQLite lets one write at a time, and whoever finds it busy sleeps and tries again: with a dozen threads some
never find it free, and fail after `timeout` seconds though nothing is stuck. So the threads of a process wait
for each other here, where the next one is woken, and only processes meet at SQLite itself.
"""

from __future__ import annotations

import threading
from collections import defaultdict
from typing import Any

from django.db import OperationalError
from django.db.backends.sqlite3 import base

_TURNS: defaultdict[str, threading.Lock] = defaultdict(threading.Lock)


class DatabaseWrapper(base.DatabaseWrapper):
    """A connection that waits for its turn before it begins a transaction, and gives it on after."""

    _has_turn = False

    def _start_transaction_under_autocommit(self) -> None:
        if not self._has_turn:
            seconds = float(self.settings_dict["OPTIONS"].get("timeout", 5.0))
            if not self._turn().acquire(timeout=seconds):
                raise OperationalError(f"database is locked: no turn to write within {seconds:g} seconds")
            self._has_turn = True
        try:
            super()._start_transaction_under_autocommit()  # type: ignore[misc]
        except BaseException:
            self._give_turn_on()
            raise

    def _commit(self) -> Any:
        try:
            return super()._commit()  # type: ignore[misc]
        finally:
            self._give_turn_on_if_over()

    def _rollback(self) -> Any:
        try:
            return super()._rollback()  # type: ignore[misc]
        finally:
            self._give_turn_on_if_over()

    def _close(self) -> None:
        try:
            super()._close()  # type: ignore[misc]
        finally:
            self._give_turn_on()

    def _turn(self) -> threading.Lock:
        return _TURNS[str(self.settings_dict["NAME"])]

    def _give_turn_on_if_over(self) -> None:
        # A commit that failed leaves its transaction open, to be rolled back.
        if self.connection is None or not self.connection.in_transaction:
            self._give_turn_on()

    def _give_turn_on(self) -> None:
        if self._has_turn:
            self._has_turn = False
            self._turn().release()
