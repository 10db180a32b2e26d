"""Who is alive: each worker holds a lock for as long as its process lives, and shows that it is not stuck.

The lock tells the dead at once, because the system lets go of it with the process. A process that is
stopped or stuck keeps its lock; its beat stands still, and the others end its claim.
"""

from __future__ import annotations

import fcntl
import os
import zlib
from pathlib import Path
from typing import Any, Protocol

import psycopg

# The first of the two numbers of every advisory lock that Partwell takes.
NAMESPACE = 0x70617274


class Liveness(Protocol):
    """One worker's place among the workers of the installation."""

    def enter(self) -> None:
        """Take the lock of this worker."""

    def beat(self) -> bool:
        """Show that this worker is running. False when its place was taken from it."""

    def beats(self) -> dict[str, str]:
        """For every worker with a place, oldest first: a text that changes as long as it runs."""

    def place_of(self, executor: str) -> str:
        """The name under which `beats` lists this executor."""

    def is_dead(self, executor: str) -> bool:
        """Whether nobody holds the lock of this executor."""

    def end(self, place: str) -> None:
        """Take the place from a worker that is stuck. Should it wake up, its `beat` says so."""

    def leave(self) -> None:
        """Let go of the lock."""


class FileLiveness:
    """For SQLite, where all processes share a machine: a locked file for each worker."""

    def __init__(self, folder: Path, executor: str) -> None:
        self._folder = folder
        self._path = folder / f"{executor}.lock"
        self._file: int = -1
        self._count = 0

    def enter(self) -> None:
        self._folder.mkdir(parents=True, exist_ok=True)
        unlocked = self._path.with_suffix(".new")
        self._file = os.open(unlocked, os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
        fcntl.flock(self._file, fcntl.LOCK_EX)
        # It gets its real name when it is locked, so that nobody ever finds it unlocked and thinks us dead.
        unlocked.rename(self._path)

    def beat(self) -> bool:
        self._count += 1
        os.pwrite(self._file, b"%d" % self._count, 0)
        try:
            return self._path.stat().st_ino == os.fstat(self._file).st_ino
        except FileNotFoundError:
            return False

    def beats(self) -> dict[str, str]:
        found = {}
        for path in sorted(self._folder.glob("*.lock")):
            try:
                found[path.stem] = path.read_text()
            except FileNotFoundError:
                continue
            if self.is_dead(path.stem):
                found.pop(path.stem)
        return found

    def place_of(self, executor: str) -> str:
        return executor

    def is_dead(self, executor: str) -> bool:
        path = self._folder / f"{executor}.lock"
        if path == self._path:
            return False
        try:
            file = os.open(path, os.O_RDWR | os.O_CLOEXEC)
        except FileNotFoundError:
            return True
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            path.unlink(missing_ok=True)
        except BlockingIOError:
            return False
        finally:
            os.close(file)
        return True

    def end(self, place: str) -> None:
        (self._folder / f"{place}.lock").unlink(missing_ok=True)

    def leave(self) -> None:
        self._path.unlink(missing_ok=True)
        os.close(self._file)


class AdvisoryLiveness:
    """For PostgreSQL: an advisory lock for each worker, on a connection of its own.

    The connection must be direct: a pooler that hands out connections by transaction loses session locks.
    """

    def __init__(self, parameters: dict[str, Any], executor: str) -> None:
        self._parameters = parameters
        self._key = _lock_key(executor)
        self._connection: psycopg.Connection[Any] | None = None

    def enter(self) -> None:
        self._connection = psycopg.connect(**self._parameters, autocommit=True)
        self._ask("select pg_advisory_lock(%s, %s)", NAMESPACE, self._key)

    def beat(self) -> bool:
        try:
            self._ask("select 1")
        except psycopg.Error:
            return False
        return True

    def beats(self) -> dict[str, str]:
        # The start of a session's last query moves with every beat; it is read, never compared with a clock.
        rows = self._ask(
            "select l.objid::bigint, a.query_start::text from pg_locks l join pg_stat_activity a using (pid)"
            " where l.locktype = 'advisory' and l.classid::bigint = %s and l.objsubid = 2 and l.granted"
            " and a.datname = current_database() order by a.backend_start, l.objid",
            NAMESPACE,
        )
        return {str(key): str(beat) for key, beat in rows}

    def place_of(self, executor: str) -> str:
        return str(_lock_key(executor))

    def is_dead(self, executor: str) -> bool:
        key = _lock_key(executor)
        if key == self._key:
            return False
        if not self._ask("select pg_try_advisory_lock(%s, %s)", NAMESPACE, key)[0][0]:
            return False
        self._ask("select pg_advisory_unlock(%s, %s)", NAMESPACE, key)
        return True

    def end(self, place: str) -> None:
        self._ask(
            "select pg_terminate_backend(pid) from pg_locks where locktype = 'advisory'"
            " and classid::bigint = %s and objid::bigint = %s and objsubid = 2 and granted",
            NAMESPACE,
            int(place),
        )

    def leave(self) -> None:
        if self._connection is not None:
            self._connection.close()

    def _ask(self, query: str, *values: object) -> list[Any]:
        if self._connection is None:
            raise RuntimeError("enter() comes first")
        return self._connection.execute(query, values or None).fetchall()


def _lock_key(executor: str) -> int:
    return zlib.crc32(executor.encode()) & 0x7FFFFFFF
