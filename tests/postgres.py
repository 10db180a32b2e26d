"""A throw-away PostgreSQL from the system's own binaries.

In a test: `with running() as url: …`, or `with server() as …` to stop, kill and start it again. Around a
command, which finds the server in PARTWELL_DATABASE_URL:

    python -m tests.postgres -- pytest tests/integration
"""

from __future__ import annotations

import os
import pwd
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

READY_WITHIN_SECONDS = 30
# Losing a crash's last commits does no harm to a database that is thrown away; proofs ask for the real thing.
FAST = ["-c", "fsync=off", "-c", "synchronous_commit=off", "-c", "full_page_writes=off"]


class PostgresMissing(RuntimeError):
    """There is no PostgreSQL server to start on this machine."""


class Server:
    """One server, with a folder and a port of its own, which it keeps when it is started again."""

    def __init__(self, folder: Path, *, durable: bool) -> None:
        self._folder = folder
        self._options = [] if durable else FAST
        self._binaries = _binaries()
        self._as_postgres = _as_postgres(folder)
        self._port = _free_port()
        self._process: subprocess.Popen[bytes] | None = None
        subprocess.run(
            [self._binaries / "initdb", "-D", folder / "data", "-U", "partwell", "-A", "trust", "-N"],
            check=True,
            stdout=subprocess.DEVNULL,
            **self._as_postgres,
        )

    @property
    def url(self) -> str:
        """Where its one, empty database is."""
        return f"postgresql://partwell@127.0.0.1:{self._port}/postgres"

    def start(self) -> None:
        """Start it, and wait until it answers; after a crash that includes its recovery."""
        deadline = time.monotonic() + READY_WITHIN_SECONDS
        while not self._answers():
            if time.monotonic() > deadline:
                raise RuntimeError(f"PostgreSQL did not start:\n{(self._folder / 'log').read_text()[-4000:]}")
            if self._has_ended():
                # Again, when somebody's outgoing connection had its port for a moment while it was down.
                self._run()
            time.sleep(0.05)

    def stop(self) -> None:
        """End it in order: it ends the sessions and writes everything out."""
        if self._process is None or self._has_ended():
            return
        try:
            os.kill(self._pid(), signal.SIGINT)
            self._process.wait(timeout=10)
        except (FileNotFoundError, ProcessLookupError, subprocess.TimeoutExpired):
            self._process.kill()
            self._process.wait()

    def stop_at_once(self) -> None:
        """What `pg_ctl stop -m immediate` does: it writes nothing out."""
        self._end(signal.SIGQUIT)

    def kill(self) -> None:
        """SIGKILL the server and every process of it."""
        server = self._pid()
        os.kill(server, signal.SIGSTOP)  # so that it starts no more of them meanwhile
        for child in self._children():
            _kill(child)
        self._end(signal.SIGKILL)

    def kill_a_session(self) -> None:
        """SIGKILL one process that serves a connection, as the system does that is out of memory.

        The server then ends all sessions, and recovers by itself as from a crash.
        """
        serving = [child for child in self._children() if "partwell" in _command(child)]
        if serving:
            _kill(serving[0])

    def _run(self) -> None:
        with (self._folder / "log").open("ab") as log:
            self._process = subprocess.Popen(
                [
                    *(self._binaries / "postgres", "-D", self._folder / "data", "-p", str(self._port)),
                    *("-k", self._folder, "-c", "listen_addresses=127.0.0.1", "-c", "max_connections=200"),
                    *self._options,
                ],
                stdout=log,
                stderr=log,
                # A Ctrl-C in the terminal is for the tests; they end the server when they are done.
                start_new_session=True,
                **self._as_postgres,
            )

    def _end(self, signum: signal.Signals) -> None:
        assert self._process is not None
        children = self._children()
        os.kill(self._pid(), signum)
        self._process.wait()
        # What is left of it holds the shared memory; a new server would refuse to start beside it.
        for child in children:
            while _is_running(child):
                time.sleep(0.01)

    def _pid(self) -> int:
        return int((self._folder / "data" / "postmaster.pid").read_text().split()[0])

    def _children(self) -> list[int]:
        server = self._pid()
        return [int(pid) for pid in Path(f"/proc/{server}/task/{server}/children").read_text().split()]

    def _has_ended(self) -> bool:
        return self._process is None or self._process.poll() is not None

    def _answers(self) -> bool:
        ask = [self._binaries / "pg_isready", "-q", "-h", "127.0.0.1", "-p", str(self._port)]
        return not self._has_ended() and subprocess.run(ask, check=False).returncode == 0


@contextmanager
def server(*, durable: bool = False) -> Iterator[Server]:
    """A server with an empty database, which ends with the block."""
    folder = Path(tempfile.mkdtemp(prefix="partwell-pg-"))
    try:
        started = Server(folder, durable=durable)
        started.start()
        try:
            yield started
        finally:
            started.stop()
    finally:
        shutil.rmtree(folder, ignore_errors=True)


@contextmanager
def running(*, durable: bool = False) -> Iterator[str]:
    """The URL of an empty database on a server of its own, which ends with the block."""
    with server(durable=durable) as started:
        yield started.url


def _binaries() -> Path:
    found = sorted(Path("/usr/lib/postgresql").glob("*/bin/initdb"))
    if found:
        return found[-1].parent
    if initdb := shutil.which("initdb"):
        return Path(initdb).parent
    raise PostgresMissing("PostgreSQL's server is not installed: `apt-get install postgresql`")


def _as_postgres(folder: Path) -> dict[str, Any]:
    """PostgreSQL refuses to run as root; then the folder and the server belong to the user `postgres`."""
    if os.geteuid() != 0:
        return {}
    user = pwd.getpwnam("postgres")
    os.chown(folder, user.pw_uid, user.pw_gid)
    return {"user": user.pw_uid, "group": user.pw_gid, "extra_groups": [], "cwd": folder}


def _free_port() -> int:
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        return int(listener.getsockname()[1])


def _kill(pid: int) -> None:
    with suppress(ProcessLookupError):
        os.kill(pid, signal.SIGKILL)


def _command(pid: int) -> str:
    try:
        return Path(f"/proc/{pid}/cmdline").read_text()
    except (FileNotFoundError, ProcessLookupError):
        return ""


def _is_running(pid: int) -> bool:
    """Whether it is there and not merely waiting for its parent to take note of its end."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] not in "ZX"
    except (FileNotFoundError, ProcessLookupError):
        return False


def main(arguments: list[str]) -> int:
    """Run a command with PARTWELL_DATABASE_URL set; its exit code is ours."""
    command = arguments[1:] if arguments[:1] == ["--"] else arguments
    if not command:
        print("usage: python -m tests.postgres -- COMMAND…", file=sys.stderr)
        return 2
    # Told to stop, it must not leave its server behind.
    signal.signal(signal.SIGTERM, lambda signum, frame: sys.exit(128 + signum))
    with running() as url:
        return subprocess.run(
            command, env=os.environ | {"PARTWELL_DATABASE_URL": url}, check=False
        ).returncode


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
