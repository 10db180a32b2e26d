"""A timer fires once for each moment that it is set to: not early, not twice, never missed."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta

import pytest
from django.db import connection, transaction

from partwell.engine import operations, registry, timers
from partwell.engine.borrowed import client_for
from partwell.engine.models import Timer
from partwell.engine.states import TimerState

pytestmark = pytest.mark.django_db(transaction=True)

DUE = datetime(2026, 11, 2, 9, 0, tzinfo=UTC)
MINUTE = timedelta(minutes=1)


@pytest.fixture
def fired() -> Iterator[list[tuple[str, datetime]]]:
    """What the handler of the timer `reminder` was called with."""
    calls: list[tuple[str, datetime]] = []
    registry.REGISTERED.clear()
    registry.timer("reminder", lambda key, now: calls.append((key, now)))
    yield calls
    registry.REGISTERED.clear()


def only() -> Timer:
    return Timer.objects.get(name="reminder")


def run_claimed(now: datetime) -> bool:
    timer = only()
    return timers.run(str(timer.pk), timer.due_at.isoformat(), now=now)


def test_a_timer_fires_when_it_is_due_and_not_again(fired: list[tuple[str, datetime]]) -> None:
    operations.set_timer("reminder", key="a", due_at=DUE)
    assert timers.fire_due(DUE - timedelta(microseconds=1)) == 0
    assert timers.fire_due(DUE) == 1
    assert timers.fire_due(DUE) == 0
    assert run_claimed(DUE)
    assert not run_claimed(DUE + MINUTE)
    assert timers.fire_due(DUE + timedelta(days=400)) == 0
    assert fired == [("a", DUE)]
    assert only().state == TimerState.FIRED


def test_a_moved_timer_fires_at_its_new_moment_alone(fired: list[tuple[str, datetime]]) -> None:
    operations.set_timer("reminder", key="a", due_at=DUE)
    operations.set_timer("reminder", key="a", due_at=DUE + MINUTE)
    assert timers.fire_due(DUE) == 0
    assert timers.fire_due(DUE + MINUTE) == 1
    assert run_claimed(DUE + MINUTE)
    assert fired == [("a", DUE + MINUTE)]


def test_a_wake_up_for_a_timer_that_was_moved_meanwhile_does_nothing(
    fired: list[tuple[str, datetime]],
) -> None:
    operations.set_timer("reminder", key="a", due_at=DUE)
    assert timers.fire_due(DUE) == 1
    operations.set_timer("reminder", key="a", due_at=DUE + MINUTE)
    assert not timers.run(str(only().pk), DUE.isoformat(), now=DUE)
    assert fired == []
    assert timers.fire_due(DUE + MINUTE) == 1


def test_the_old_wake_up_of_a_moved_timer_leaves_the_run_to_the_new_one(
    fired: list[tuple[str, datetime]],
) -> None:
    operations.set_timer("reminder", key="a", due_at=DUE)
    assert timers.fire_due(DUE) == 1
    operations.set_timer("reminder", key="a", due_at=DUE + MINUTE)
    assert timers.fire_due(DUE + MINUTE) == 1
    assert not timers.run(str(only().pk), DUE.isoformat(), now=DUE + MINUTE)
    assert run_claimed(DUE + MINUTE)
    assert fired == [("a", DUE + MINUTE)]


def test_a_cancelled_timer_does_not_fire_even_when_its_wake_up_is_on_its_way(
    fired: list[tuple[str, datetime]],
) -> None:
    operations.set_timer("reminder", key="a", due_at=DUE)
    assert timers.fire_due(DUE) == 1
    operations.cancel_timer("reminder", key="a")
    assert not run_claimed(DUE)
    assert timers.fire_due(DUE + timedelta(days=1)) == 0
    assert fired == []


def test_a_timer_that_has_fired_stays_fired_when_cancelled_or_set_to_the_same_moment(
    fired: list[tuple[str, datetime]],
) -> None:
    operations.set_timer("reminder", key="a", due_at=DUE)
    timers.fire_due(DUE)
    run_claimed(DUE)
    operations.cancel_timer("reminder", key="a")
    operations.set_timer("reminder", key="a", due_at=DUE)
    assert only().state == TimerState.FIRED
    operations.set_timer("reminder", key="a", due_at=DUE + MINUTE)
    assert only().state == TimerState.ARMED


def test_cancelling_and_setting_again_arms_the_timer(fired: list[tuple[str, datetime]]) -> None:
    operations.cancel_timer("reminder", key="never-was")
    operations.set_timer("reminder", key="a", due_at=DUE)
    operations.cancel_timer("reminder", key="a")
    operations.set_timer("reminder", key="a", due_at=DUE)
    assert timers.fire_due(DUE) == 1


def test_a_wake_up_that_was_lost_is_asked_for_again_when_its_lease_ends(
    fired: list[tuple[str, datetime]],
) -> None:
    operations.set_timer("reminder", key="a", due_at=DUE)
    assert timers.fire_due(DUE) == 1  # and its run never comes
    assert timers.fire_due(DUE + timers.LEASE - timedelta(seconds=1)) == 0
    assert timers.fire_due(DUE + timers.LEASE) == 1
    assert run_claimed(DUE + timers.LEASE)
    assert len(fired) == 1


def test_a_failed_handler_is_tried_again_later(fired: list[tuple[str, datetime]]) -> None:
    registry.REGISTERED.clear()
    failures = iter([True, True, False])

    def handler(key: str, now: datetime) -> None:
        if next(failures):
            raise RuntimeError("the directory is down")
        fired.append((key, now))

    registry.timer("reminder", handler)
    operations.set_timer("reminder", key="a", due_at=DUE)
    now = DUE
    for pause in (timedelta(seconds=1), timedelta(seconds=2)):
        assert timers.fire_due(now) == 1
        with pytest.raises(RuntimeError, match="directory"):
            run_claimed(now)
        assert timers.fire_due(now + pause - timedelta(milliseconds=1)) == 0
        now += pause
    assert timers.fire_due(now) == 1
    assert run_claimed(now)
    assert [key for key, _ in fired] == ["a"]


def test_a_timer_set_in_a_transaction_that_rolls_back_never_was() -> None:
    with pytest.raises(RuntimeError), transaction.atomic():
        operations.set_timer("reminder", key="a", due_at=DUE)
        raise RuntimeError
    assert not Timer.objects.exists()


def test_many_timers_are_set_with_two_queries(django_assert_num_queries: object) -> None:
    due = {f"step-{n}": DUE + n * MINUTE for n in range(60)}
    with transaction.atomic(), django_assert_num_queries(2):  # type: ignore[operator]
        operations.set_timers("reminder", due)
    assert Timer.objects.filter(state=TimerState.ARMED).count() == 60


def test_a_moment_without_a_timezone_is_refused() -> None:
    with pytest.raises(ValueError, match="needs a timezone"):
        operations.set_timer("reminder", key="a", due_at=datetime(2026, 11, 2, 9, 0))  # noqa: DTZ001


def test_a_start_asks_again_for_what_was_claimed_without_doubling_it(
    fired: list[tuple[str, datetime]],
) -> None:
    operations.set_timer("reminder", key="a", due_at=DUE)
    timers.fire_due(DUE)
    client = client_for(connection.vendor)
    prefix = f"{timers.FIRE}:{only().pk}:"
    assert timers.ask_again() == 1
    (run,) = client.list_workflows(workflow_id_prefix=prefix)
    client.delete_workflows([run.workflow_id])  # as when a backup without the engine's tables is restored
    assert timers.ask_again() == 1
    assert len(client.list_workflows(workflow_id_prefix=prefix)) == 1
