"""`partwell up`: one command that serves and works, mends itself and leaves nothing behind."""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

PARTWELL = [sys.executable, "-m", "partwell.cli"]
MEGABYTE = 1_048_576
# Generous, because a start is all CPU and the machine may be busy; the figure that counts is printed.
START = 90.0


def until(is_so: Callable[[], bool], *, seconds: float, what: str) -> float:
    started = time.monotonic()
    while not is_so():
        assert time.monotonic() - started < seconds, f"after {seconds} s still not so: {what}"
        time.sleep(0.05)
    return time.monotonic() - started


class Installation:
    """A data folder of its own, on SQLite whatever the suite runs on."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.environment = {
            key: value for key, value in os.environ.items() if key != "PARTWELL_DATABASE_URL"
        } | {"PARTWELL_DATA_DIR": str(folder)}
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            self.port = int(free.getsockname()[1])
        self.up: subprocess.Popen[str] | None = None

    def run(self, *arguments: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [*PARTWELL, *arguments],
            env=self.environment,
            capture_output=True,
            text=True,
            check=False,
            timeout=60,
        )

    def start(self) -> float:
        self.up = subprocess.Popen(
            [*PARTWELL, "up", "--port", str(self.port)],
            env=self.environment,
            stderr=(self.folder / "stderr").open("w"),
            text=True,
        )
        return until(lambda: self.get("/healthz")[0] == 200, seconds=START, what="/healthz answers")

    def get(self, path: str) -> tuple[int, dict[str, str]]:
        try:
            with urllib.request.urlopen(f"http://127.0.0.1:{self.port}{path}", timeout=20) as answer:
                return answer.status, json.load(answer)
        except urllib.error.HTTPError as refused:
            return refused.code, json.load(refused)
        except OSError:
            return 0, {}

    def pids(self) -> dict[int, str]:
        """Every process of this installation, found by its data folder; the command line of each."""
        found = {}
        for process in Path("/proc").glob("[0-9]*"):
            try:
                if f"PARTWELL_DATA_DIR={self.folder}\0" in (process / "environ").read_text():
                    found[int(process.name)] = (process / "cmdline").read_text().replace("\0", " ")
            except (OSError, UnicodeDecodeError):
                continue
        return found

    def pid_of(self, word: str) -> int:
        found: list[int] = []

        def is_there() -> bool:
            found[:] = [pid for pid, command in self.pids().items() if word in command]
            return bool(found)

        # Between a death and the restart there is none for a moment.
        until(is_there, seconds=START, what=f"a process of {word} runs")
        return found[0]

    def said(self) -> str:
        return (self.folder / "stderr").read_text()


@pytest.fixture
def installation(tmp_path: Path) -> Iterator[Installation]:
    made = Installation(tmp_path)
    yield made
    for pid in made.pids():
        try:
            os.kill(pid, signal.SIGKILL)
        except ProcessLookupError:
            continue


def rss_of(pids: dict[int, str], *words: str) -> float:
    pages = sum(
        int(Path(f"/proc/{pid}/statm").read_text().split()[1])
        for pid, command in pids.items()
        if any(word in command for word in words)
    )
    return pages * os.sysconf("SC_PAGE_SIZE") / MEGABYTE


def test_up_answers_soon_fits_in_memory_mends_itself_and_stops_cleanly(
    installation: Installation, capsys: pytest.CaptureFixture[str]
) -> None:
    assert installation.run("init").returncode == 0
    seconds = installation.start()
    assert installation.get("/readyz") == (200, {"status": "ready"})
    until(lambda: "is ready" in installation.said(), seconds=START, what="the worker is ready")
    memory = rss_of(installation.pids(), "granian", "partwell.worker")
    with capsys.disabled():
        print(f"\n  up answered after {seconds:.1f} s; web and worker take {memory:.0f} MB")
    assert memory < 450

    worker = installation.pid_of("partwell.worker")
    os.kill(worker, signal.SIGKILL)
    until(lambda: installation.said().count("is ready") == 2, seconds=START, what="another worker is ready")
    # The serving process first, then the one that watches it: neither may leave the port held or unserved.
    for _ in range(2):
        os.kill(installation.pid_of("granian"), signal.SIGKILL)
        until(lambda: installation.get("/healthz")[0] == 200, seconds=START, what="/healthz answers again")

    assert installation.up is not None
    installation.up.terminate()
    assert installation.up.wait(timeout=30) == 0
    until(lambda: not installation.pids(), seconds=10, what="no process is left")
    assert "Ctrl-C stops it" in installation.said()
    assert installation.said().endswith("Stopped.\n")


def test_nothing_outlives_a_killed_supervisor(installation: Installation) -> None:
    installation.start()
    until(lambda: "is ready" in installation.said(), seconds=START, what="the worker is ready")
    assert installation.up is not None
    installation.up.kill()
    installation.up.wait()
    until(lambda: not installation.pids(), seconds=30, what="no process is left")


def test_init_can_be_repeated(installation: Installation) -> None:
    for _ in range(2):
        done = installation.run("init")
        assert done.returncode == 0
        assert done.stdout == ""
        assert "The database is ready.\n" in done.stderr


def test_an_installation_without_its_tables_is_alive_but_not_ready(
    installation: Installation,
) -> None:
    web = subprocess.Popen([*PARTWELL, "web", "--port", str(installation.port)], env=installation.environment)
    try:
        until(lambda: installation.get("/healthz")[0] == 200, seconds=START, what="/healthz answers")
        status, answer = installation.get("/readyz")
        assert (status, "partwell init" in answer["reason"]) == (503, True)
    finally:
        web.terminate()
        web.wait()
