"""PostgreSQL's programs as Debian has them, for a server that tests set up to their own taste."""

from __future__ import annotations

import os
import pwd
import shutil
import signal
import subprocess
import time
from pathlib import Path

from tests.postgres import PostgresMissing

READY_WITHIN_SECONDS = 30
# Losing a crash's last commits does no harm to a database that is thrown away.
FAST = ["-c", "fsync=off", "-c", "synchronous_commit=off", "-c", "full_page_writes=off"]


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
