"""How soon `partwell up` answers on an empty folder, and how much memory it holds once it runs.

scripts/bench running
"""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
import tempfile
import time
import urllib.error
import urllib.request
from pathlib import Path

from benchmarks.measuring import Figure, report

SECONDS, MEGABYTES, GIVE_UP_AFTER, SETTLE = 5.0, 450.0, 60.0, 5.0


def main() -> int:
    """Start it twice: the first start also makes the database."""
    with tempfile.TemporaryDirectory(prefix="partwell-bench-") as folder:
        os.environ["PARTWELL_DATABASE_URL"], os.environ["PARTWELL_DATA_DIR"] = "", folder
        first, _ = _up()
        again, memory = _up()
    figures = [
        Figure("first answer on an empty folder, database made", first, "s"),
        Figure("first answer", again, "s", SECONDS),
        Figure("memory of supervisor, web and worker, pages shared once", memory, "MB", MEGABYTES),
    ]
    return report("running", figures)


def _up() -> tuple[float, float]:
    """Seconds to the first answer, and megabytes a few seconds later."""
    port = _free_port()
    began = time.perf_counter()
    process = subprocess.Popen(
        [Path(sys.executable).with_name("partwell"), "up", "--port", str(port)],
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        start_new_session=True,
    )
    try:
        while not _answers(port):
            if process.poll() is not None or time.perf_counter() - began > GIVE_UP_AFTER:
                raise SystemExit("`partwell up` did not answer")
            time.sleep(0.02)
        seconds = time.perf_counter() - began
        time.sleep(SETTLE)
        return seconds, sum(_megabytes(pid) for pid in _family(process.pid))
    finally:
        os.killpg(process.pid, signal.SIGTERM)
        process.wait(timeout=30)


def _answers(port: int) -> bool:
    try:
        with urllib.request.urlopen(f"http://localhost:{port}/healthz", timeout=1) as answer:
            return bool(answer.status == 200)
    except (urllib.error.URLError, OSError):
        return False


def _family(pid: int) -> list[int]:
    children = Path(f"/proc/{pid}/task/{pid}/children").read_text().split()
    return [pid, *(each for child in children for each in _family(int(child)))]


def _megabytes(pid: int) -> float:
    """The proportional share: a page that three processes share counts a third in each."""
    for line in Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines():
        if line.startswith("Pss:"):
            return int(line.split()[1]) / 1024
    raise LookupError(f"no Pss of {pid}")


def _free_port() -> int:
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        return int(listener.getsockname()[1])


if __name__ == "__main__":
    sys.exit(main())
