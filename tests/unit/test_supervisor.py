"""The supervisor starts a crashed child again: at once first, then with growing pauses."""

from __future__ import annotations

from itertools import pairwise

import pytest

from partwell.cli.supervisor import (
    LONGEST_PAUSE_SECONDS,
    START_AGAIN_PAUSE_SECONDS,
    STEADY_AFTER_SECONDS,
    Child,
    Supervisor,
)
from partwell.engine.lifeline import START_AGAIN


class Ended:
    def __init__(self, returncode: int = 1) -> None:
        self.returncode = returncode

    def poll(self) -> int:
        return self.returncode


@pytest.fixture
def starts(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    """When the child was started; every start ends at once."""
    times: list[float] = []

    def start(child: Child, now: float) -> None:
        times.append(now)
        child.started, child.process = now, Ended()  # type: ignore[assignment]

    monkeypatch.setattr(Child, "start", start)
    return times


def test_pauses_grow_to_half_a_minute(starts: list[float], monkeypatch: pytest.MonkeyPatch) -> None:
    said: list[str] = []
    child = Child("worker", ())
    supervisor = Supervisor([child], said.append)
    child.start(0.0)
    for tenth in range(1_200):
        monkeypatch.setattr("partwell.cli.supervisor.time.monotonic", lambda tenth=tenth: tenth / 10)
        supervisor.look()
    pauses = [round(later - earlier) for earlier, later in pairwise(starts)]
    assert pauses[:6] == [0, 1, 2, 4, 8, 16]
    assert max(pauses) <= LONGEST_PAUSE_SECONDS
    assert said[1] == "worker ended unexpectedly (exit 1); it starts again in 1 s."


def test_a_child_that_ran_for_a_while_starts_again_at_once() -> None:
    child = Child("web", (), crashes=5, started=100.0)
    assert child.plan_restart(100.0 + STEADY_AFTER_SECONDS) == 0.0
    assert child.crashes == 1


def test_a_child_that_wants_to_start_anew_is_not_made_to_wait_longer_each_time() -> None:
    """A worker ends so whenever its database does; it must be back soon after the tenth time as well."""
    child = Child("worker", ())
    for second in range(10):
        child.process = Ended(START_AGAIN)  # type: ignore[assignment]
        assert child.plan_restart(float(second)) == START_AGAIN_PAUSE_SECONDS
        assert child.start_after == second + START_AGAIN_PAUSE_SECONDS
    assert child.crashes == 0
