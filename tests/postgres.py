"""A throw-away PostgreSQL from the system's own binaries.

In a test: `with running() as url: …`. Around a command, which finds the server in PARTWELL_DATABASE_URL:

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
from contextlib import contextmanager
from pathlib import Path

READY_WITHIN_SECONDS = 30
# Losing a crash's last commits does no harm to a database that is thrown away; proofs ask for the real thing.
FAST = ["-c", "fsync=off", "-c", "synchronous_commit=off", "-c", "full_page_writes=off"]


class PostgresMissing(RuntimeError):
    """There is no PostgreSQL server to start on this machine."""


@contextmanager
def running(*, durable: bool = False) -> Iterator[str]:
    """The URL of an empty database on a server of its own, which ends with the block."""
    programs = binaries()
    folder = Path(tempfile.mkdtemp(prefix="partwell-pg-"))
    user = as_postgres(folder)
    port = _free_port()
    subprocess.run(
        [*user, programs / "initdb", "-D", folder / "data", "-U", "partwell", "-A", "trust", "-N"],
        check=True,
        stdout=subprocess.DEVNULL,
    )
    log = (folder / "log").open("wb")
    server = subprocess.Popen(
        [
            *user,
            programs / "postgres",
            *("-D", folder / "data", "-p", str(port), "-k", folder, "-c", "listen_addresses=127.0.0.1"),
            *("-c", "max_connections=200"),
            *([] if durable else FAST),
        ],
        stdout=log,
        stderr=log,
        # A Ctrl-C in the terminal is for the tests; they end the server themselves when they are done.
        start_new_session=True,
    )
    try:
        wait_until_ready(server, programs, port, folder / "log")
        yield f"postgresql://partwell@127.0.0.1:{port}/postgres"
    finally:
        stop(server, folder)
        shutil.rmtree(folder, ignore_errors=True)


def binaries() -> Path:
    """Where the system's own PostgreSQL programs are."""
    found = sorted(Path("/usr/lib/postgresql").glob("*/bin/initdb"))
    if found:
        return found[-1].parent
    if initdb := shutil.which("initdb"):
        return Path(initdb).parent
    raise PostgresMissing("PostgreSQL's server is not installed: `apt-get install postgresql`")


def as_postgres(folder: Path) -> list[str]:
    """PostgreSQL refuses to run as root; then the folder and the server belong to the user `postgres`."""
    if os.geteuid() != 0:
        return []
    user = pwd.getpwnam("postgres")
    os.chown(folder, user.pw_uid, user.pw_gid)
    return ["runuser", "-u", "postgres", "--"]


def _free_port() -> int:
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        return int(listener.getsockname()[1])


def wait_until_ready(server: subprocess.Popen[bytes], programs: Path, port: int, log: Path) -> None:
    """Until it takes connections on 127.0.0.1. Raises `RuntimeError` with what it wrote when it does not."""
    deadline = time.monotonic() + READY_WITHIN_SECONDS
    ask = [programs / "pg_isready", "-q", "-h", "127.0.0.1", "-p", str(port)]
    while subprocess.run(ask, check=False).returncode != 0:
        if server.poll() is not None or time.monotonic() > deadline:
            raise RuntimeError(f"PostgreSQL did not start:\n{log.read_text()}")
        time.sleep(0.05)


def stop(server: subprocess.Popen[bytes], folder: Path) -> None:
    """End the server whose data is in `folder`, and the sessions with it."""
    pid_file = folder / "data" / "postmaster.pid"
    try:
        os.kill(int(pid_file.read_text().split()[0]), signal.SIGINT)  # "fast": it ends the sessions
        server.wait(timeout=10)
    except (FileNotFoundError, ProcessLookupError, subprocess.TimeoutExpired):
        server.kill()
        server.wait()


def main(arguments: list[str]) -> int:
    """Run a command with PARTWELL_DATABASE_URL set; its exit code is ours."""
    command = arguments[1:] if arguments[:1] == ["--"] else arguments
    if not command:
        print("usage: python -m tests.postgres -- COMMAND…", file=sys.stderr)
        return 2
    with running() as url:
        return subprocess.run(
            command, env=os.environ | {"PARTWELL_DATABASE_URL": url}, check=False
        ).returncode


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
