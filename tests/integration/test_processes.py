"""`partwell up`: one command that serves and works, mends itself and leaves nothing behind."""

from __future__ import annotations

import os
import signal
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.struck_installation import PARTWELL, START, Installation, until

pytestmark = pytest.mark.waits
MEGABYTE = 1_048_576


@pytest.fixture
def installation(tmp_path: Path) -> Iterator[Installation]:
    made = Installation(tmp_path)
    yield made
    made.kill()


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


def test_a_web_process_ends_with_granian_also_while_it_starts(installation: Installation) -> None:
    """Else it would go on holding the port, and never answer."""
    granian = subprocess.Popen(
        [*PARTWELL, "web", "--port", str(installation.port)], env=installation.environment
    )
    children = Path(f"/proc/{granian.pid}/task/{granian.pid}/children")

    def is_loading() -> bool:
        return any(
            "_sqlite3" in Path(f"/proc/{pid}/maps").read_text() for pid in children.read_text().split()
        )

    until(is_loading, seconds=START, what="the application is being loaded")
    granian.kill()
    granian.wait()
    until(lambda: not installation.pids(), seconds=START, what="no process is left")


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
