"""Start a process, wait until it answers, stop it with everything it started."""

from __future__ import annotations

import os
import signal
import socket
import ssl
import subprocess
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path

# For servers without TLS: httpx would read the system's authorities for every request to them.
PLAIN = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)


def free_port(host: str = "127.0.0.1") -> int:
    """A TCP port that nobody listens on at the moment."""
    with socket.socket() as probe:
        probe.bind((host, 0))
        return int(probe.getsockname()[1])


def answers(host: str, port: int) -> bool:
    """Whether something accepts connections there."""
    try:
        with socket.create_connection((host, port), timeout=1):
            return True
    except OSError:
        return False


def wait_until(is_true: Callable[[], bool], *, seconds: float, what: str) -> None:
    """Poll until `is_true`. Raises `TimeoutError` that names what was waited for."""
    deadline = time.monotonic() + seconds
    while not is_true():
        if time.monotonic() > deadline:
            raise TimeoutError(f"{what} did not happen within {seconds:g} s")
        time.sleep(0.05)


@contextmanager
def running(
    command: list[str],
    *,
    ready: Callable[[], bool],
    log: Path,
    seconds: float = 30,
    env: Mapping[str, str] | None = None,
) -> Iterator[subprocess.Popen[bytes]]:
    """The process, ready to answer; on leaving, its whole process group is stopped."""
    with log.open("wb") as output:
        process = subprocess.Popen(
            command,
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT,
            start_new_session=True,
            env={**os.environ, **(env or {})},
        )
    try:

        def is_ready() -> bool:
            if process.poll() is not None:
                raise RuntimeError(
                    f"{command[0]} ended with {process.returncode}:\n{log.read_text()[-2000:]}"
                )
            return ready()

        wait_until(is_ready, seconds=seconds, what=f"{Path(command[0]).name} answering")
        yield process
    finally:
        _stop(process)


def _stop(process: subprocess.Popen[bytes]) -> None:
    for name in (signal.SIGTERM, signal.SIGKILL):
        with suppress(ProcessLookupError):
            os.killpg(process.pid, name)
        try:
            process.wait(timeout=5)
        except subprocess.TimeoutExpired:
            continue
        return
