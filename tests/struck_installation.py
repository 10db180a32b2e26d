"""A real installation, started with `partwell up`, for tests that strike its processes."""

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
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

PARTWELL = [sys.executable, "-m", "partwell.cli"]
# Generous, because a start is all CPU and the machine may be busy; the figure that counts is printed.
START = 90.0


def until(is_so: Callable[[], bool], *, seconds: float, what: str) -> float:
    started = time.monotonic()
    while not is_so():
        assert time.monotonic() - started < seconds, f"after {seconds} s still not so: {what}"
        time.sleep(0.05)
    return time.monotonic() - started


class Installation:
    """A data folder of its own, on SQLite in it whatever the suite runs on, unless told otherwise."""

    def __init__(self, folder: Path, *, database_url: str = "") -> None:
        self.folder = folder
        self.environment = os.environ | {
            "PARTWELL_DATA_DIR": str(folder),
            "PARTWELL_DATABASE_URL": database_url,
        }
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

    def launch(self) -> subprocess.Popen[str]:
        """`partwell up`; it may take a while until it answers."""
        self.up = subprocess.Popen(
            [*PARTWELL, "up", "--port", str(self.port)],
            env=self.environment,
            stderr=(self.folder / "stderr").open("a"),
            text=True,
        )
        return self.up

    def start(self) -> float:
        """`partwell up`; the seconds until it answers."""
        self.launch()
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

    def kill(self) -> None:
        """SIGKILL every process of it at once."""
        for pid in self.pids():
            with suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
