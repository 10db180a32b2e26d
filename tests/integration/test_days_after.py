"""On day 1, 7, 30 and 45 after access end everything that was settled is read again, and said honestly."""

from __future__ import annotations

from datetime import timedelta

import pytest

from partwell import clock
from partwell.access import days_after, reverification
from partwell.access.models import Alert, Reverification
from partwell.departures.models import Departure
from partwell.departures.states import DepartureState
from partwell.engine.models import Timer
from partwell.evidence.models import Event
from tests.access_world import World

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("no_pauses")]


@pytest.fixture
def left(world: World) -> World:
    """Ada's access was cut, and has ended."""
    world.add_system("mail")
    world.cut()
    world.end_access()
    world.enforce()
    world.run()
    assert world.is_settled
    return world


def read_on(day: int) -> Reverification:
    row = Reverification.objects.get(day=day)
    reverification.read_again(str(row.pk))
    row.refresh_from_db()
    return row


def test_access_end_sets_the_days_and_moving_it_moves_them(left: World) -> None:
    end = left.departure.access_end_at
    assert [row.due_at - end for row in Reverification.objects.all()] == [
        timedelta(days=day) for day in (1, 7, 30, 45)
    ]
    assert Timer.objects.filter(name=days_after.DUE, state="armed").count() == 4
    read_on(1)
    left.departure.access_end_at = end - timedelta(hours=5)
    days_after.schedule(left.departure)
    moved = {row.day: row.due_at for row in Reverification.objects.all()}
    assert moved[1] == end + timedelta(days=1) and moved[7] == end + timedelta(days=7, hours=-5)


def test_what_is_still_gone_is_proven_again_also_when_the_departure_is_closed(left: World) -> None:
    Departure.objects.update(state=DepartureState.CLOSED)
    row = read_on(7)
    assert (row.proven, row.came_back, row.unread) == (3, 0, 0)
    shown = days_after.reverified(left.departure)
    assert shown.last == row and shown.next_due_at == left.departure.access_end_at + timedelta(days=1)
    assert Event.objects.get(kind="access.reverified").fields["day"]["value"] == 7
    read_on(7)
    assert Event.objects.filter(kind="access.reverified").count() == 1


def test_what_came_back_is_an_alert(left: World) -> None:
    left.store.edit("mail", "mail-0", is_active=True)
    row = read_on(1)
    assert (row.proven, row.came_back, row.unread) == (2, 1, 0)
    assert Alert.objects.filter(kind="access_back", resolved_at=None).exists()


def test_what_could_not_be_read_is_unknown_and_not_still_gone(left: World) -> None:
    left.store.set_mode("mail", "down")
    row = read_on(1)
    assert (row.proven, row.came_back, row.unread) == (0, 0, 3)


def test_a_day_wakes_at_its_time_and_not_before_and_not_for_who_stays(left: World) -> None:
    key = f"{left.departure.pk}:1"
    asked: list[str] = []
    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(reverification, "enqueue", lambda name, pk, **options: asked.append(pk))
        reverification.wake(key, clock.now())
        assert asked == []
        reverification.wake(key, left.departure.access_end_at + timedelta(days=1))
        assert len(asked) == 1
    days_after.unschedule(left.departure)
    assert not Reverification.objects.filter(done_at=None).exists()
    assert not Timer.objects.filter(name=days_after.DUE, state="armed").exists()
