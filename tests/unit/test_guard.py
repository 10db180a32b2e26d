"""The guard takes over from the dead and the stuck, and from nobody else."""

from __future__ import annotations

from collections.abc import Collection, Iterator
from pathlib import Path

import pytest

from partwell.engine.guard import ORPHANED_AFTER_SECONDS, STUCK_AFTER_SECONDS, Guard, new_executor_id
from partwell.engine.liveness import FileLiveness


class Workers:
    """Liveness of an imagined installation."""

    def __init__(self) -> None:
        self.places: dict[str, str] = {"me": "1"}
        self.ended: list[str] = []
        self.mine = True

    def enter(self) -> None: ...

    def leave(self) -> None: ...

    def beat(self) -> bool:
        return self.mine

    def beats(self) -> dict[str, str]:
        return dict(self.places)

    def place_of(self, executor: str) -> str:
        return executor

    def is_dead(self, executor: str) -> bool:
        return executor not in self.places

    def end(self, place: str) -> None:
        self.ended.append(place)
        del self.places[place]


class Watch:
    """A guard called `me`, the clock that it reads, and whose runs it gave back."""

    def __init__(self) -> None:
        self.workers = Workers()
        self.running = {"me": {"mine"}}
        self.begun = {"mine"}
        self.taken: list[tuple[str, set[str]]] = []
        self.seconds = 0.0
        self.guard = Guard(
            "me",
            self.workers,
            claims=lambda: self.running,
            begun_here=lambda: self.begun,
            give_back=self._give_back,
            monotonic=lambda: self.seconds,
        )

    def _give_back(self, executor: str, runs: Collection[str]) -> int:
        self.taken.append((executor, set(runs)))
        return len(runs)


@pytest.fixture
def watch() -> Watch:
    return Watch()


def test_the_work_of_a_worker_without_a_lock_is_taken_over(watch: Watch) -> None:
    watch.running["gone"] = {"a", "b"}
    assert watch.guard.sweep()
    assert watch.taken == [("gone", {"a", "b"})]


def test_the_work_of_the_living_and_ones_own_is_left_alone(watch: Watch) -> None:
    watch.workers.places["other"] = "1"
    watch.running["other"] = {"a"}
    assert watch.guard.sweep()
    assert watch.taken == []


@pytest.mark.parametrize("beat", ["", "7"])
def test_a_worker_that_stands_still_loses_its_place_and_its_work(watch: Watch, beat: str) -> None:
    watch.workers.places["stopped"] = beat
    watch.running["stopped"] = {"a"}
    watch.guard.sweep()
    watch.seconds += STUCK_AFTER_SECONDS - 0.1
    watch.guard.sweep()
    assert watch.taken == []
    watch.seconds += 0.1
    watch.guard.sweep()
    assert watch.workers.ended == ["stopped"]
    assert watch.taken == [("stopped", {"a"})]


def test_a_worker_that_moves_keeps_its_place_however_long(watch: Watch) -> None:
    for second in range(60):
        watch.seconds = second
        watch.workers.places["other"] = str(second // 5)
        watch.guard.sweep()
    assert watch.workers.ended == []


def test_a_worker_whose_place_was_taken_is_told_and_takes_nothing(watch: Watch) -> None:
    watch.running["gone"] = {"a"}
    watch.workers.mine = False
    assert not watch.guard.sweep()
    assert watch.taken == []


def test_a_run_that_was_claimed_here_and_never_begun_begins_again_once(watch: Watch) -> None:
    watch.running["me"] = {"mine", "orphan"}
    watch.guard.sweep()
    watch.seconds += ORPHANED_AFTER_SECONDS - 0.1
    watch.guard.sweep()
    assert watch.taken == []
    watch.seconds += 0.1
    watch.guard.sweep()
    assert watch.taken == [("me", {"orphan"})]
    watch.seconds += 0.1
    watch.guard.sweep()
    assert len(watch.taken) == 1


def test_a_run_that_begins_a_little_late_is_left_alone(watch: Watch) -> None:
    watch.running["me"] = {"late"}
    watch.guard.sweep()
    watch.begun = {"late"}
    watch.seconds += ORPHANED_AFTER_SECONDS
    watch.guard.sweep()
    watch.begun = set()
    watch.seconds += ORPHANED_AFTER_SECONDS / 2
    watch.guard.sweep()
    assert watch.taken == []


def test_the_oldest_worker_is_the_first_and_the_next_one_follows(watch: Watch) -> None:
    watch.workers.places = {"older": "1", "me": "1"}
    watch.guard.sweep()
    assert not watch.guard.is_first
    del watch.workers.places["older"]
    watch.guard.sweep()
    assert watch.guard.is_first


def test_no_executor_id_comes_twice() -> None:
    assert len({new_executor_id() for _ in range(1_000)}) == 1_000


@pytest.fixture
def two(tmp_path: Path) -> Iterator[tuple[FileLiveness, FileLiveness]]:
    first, second = FileLiveness(tmp_path, "1-first"), FileLiveness(tmp_path, "2-second")
    first.enter()
    second.enter()
    yield first, second
    second.leave()


def test_file_locks_show_who_lives_oldest_first(two: tuple[FileLiveness, FileLiveness]) -> None:
    first, second = two
    assert first.beat() and second.beat()
    before = second.beats()
    assert list(before) == ["1-first", "2-second"]
    assert first.beat()
    assert second.beats() != before
    assert not second.is_dead("1-first")
    assert not second.is_dead("2-second")
    first.leave()
    assert second.is_dead("1-first")
    assert list(second.beats()) == ["2-second"]


def test_a_file_lock_that_was_taken_away_is_noticed(two: tuple[FileLiveness, FileLiveness]) -> None:
    first, second = two
    second.end("1-first")
    assert second.is_dead("1-first")
    assert not first.beat()
    assert second.beat()
