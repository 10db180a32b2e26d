"""Nothing fires early and nothing is missed: timezones, summer time, leap days, jumping clocks."""

from __future__ import annotations

import random
from collections.abc import Callable
from datetime import UTC, date, datetime, time, timedelta
from functools import partial
from itertools import pairwise
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest
from django.db import connection

from partwell import clock
from partwell.engine import operations, registry, timers
from partwell.engine.models import Timer
from partwell.engine.states import TimerState
from partwell.engine.steady_clock import SteadyClock
from tests.proofs.engine_processes import processes
from tests.struck_installation import until

ZONES = (
    "Europe/Berlin", "Europe/London", "Europe/Lisbon", "Europe/Dublin", "America/New_York",
    "America/Los_Angeles", "America/Sao_Paulo", "America/St_Johns", "America/Havana", "America/Santiago",
    "Africa/Casablanca", "Africa/Cairo", "Asia/Kathmandu", "Asia/Kolkata", "Asia/Tokyo", "Asia/Tehran",
    "Australia/Lord_Howe", "Australia/Sydney", "Pacific/Apia", "Pacific/Chatham",
)  # fmt: skip
WALLS = (time(0, 0), time(2, 30), time(17, 30))
DAY = timedelta(days=1)


class FakeMachine:
    """A machine whose wall clock can be set wrong while true time goes on."""

    def __init__(self, start: datetime) -> None:
        self.true = self.start = start
        self.wrong_by = timedelta()

    def wall(self) -> datetime:
        return self.true + self.wrong_by

    def since_boot(self) -> float:
        return (self.true - self.start).total_seconds()


def _note_true_time(fired: dict[str, list[datetime]], machine: FakeMachine, key: str, now: datetime) -> None:
    fired.setdefault(key, []).append(machine.true)


def changes_of_offset(zone: str, year: int) -> list[date]:
    """The days of `year` on which clocks in `zone` go forward or back."""
    days = [date(year, 1, 1) + n * DAY for n in range(365)]
    offset = {day: datetime.combine(day, time(12), ZoneInfo(zone)).utcoffset() for day in days}
    return [day for before, day in pairwise(days) if offset[before] != offset[day]]


def access_ends() -> list[tuple[str, date, time]]:
    return [
        (zone, day, wall)
        for zone in ZONES
        for day in (*changes_of_offset(zone, 2027), date(2028, 2, 29), date(2027, 6, 30))
        for wall in WALLS
    ]


def test_no_access_ends_before_clocks_there_show_the_time() -> None:
    for zone, day, wall in access_ends():
        moment = clock.at_local(day, wall, zone).astimezone(ZoneInfo(zone))
        assert moment.replace(tzinfo=None) >= datetime.combine(day, wall), (zone, day, wall)
        # Nor is it ever more than a clock change later than meant.
        assert moment.replace(tzinfo=None) - datetime.combine(day, wall) <= timedelta(hours=1)


@pytest.mark.django_db
def test_nothing_fires_early_and_nothing_is_missed_while_the_clock_jumps_by_a_day(
    long: bool, figure: Callable[[str], None]
) -> None:
    ends = access_ends()
    fired: dict[str, list[datetime]] = {}
    early = jumps = 0
    for seed in range(20 if long else 2):
        dice = random.Random(seed)
        Timer.objects.all().delete()
        fired.clear()
        registry.REGISTERED.clear()
        due = {f"{zone} {day} {wall}": clock.at_local(day, wall, zone) for zone, day, wall in ends}
        machine = FakeMachine(min(due.values()) - DAY)
        registry.timer("access end", partial(_note_true_time, fired, machine))
        operations.set_timers("access end", due)
        steady = SteadyClock(machine.wall, machine.since_boot)
        for moment in sorted(set(due.values())):
            # Somebody sets the clock wrong by a day some minutes before, and right again some minutes after.
            wrong = dice.choice([timedelta(), DAY, -DAY])
            jumps += 2 * bool(wrong)
            for second in (-300, -60, -1, 0, 1, 240):
                machine.wrong_by = wrong if second < 240 else timedelta()
                machine.true = max(machine.true, moment + timedelta(seconds=second))
                now = steady.now()
                while timers.fire_due(now):
                    pass
                for timer in Timer.objects.filter(state=TimerState.CLAIMED):
                    timers.run(str(timer.pk), timer.due_at.isoformat(), now=now)
        early += sum(moment < due[key] for key, moments in fired.items() for moment in moments)
        late = [key for key in due if fired.get(key, [machine.true])[0] > due[key] + timedelta(seconds=5)]
        assert late == [], f"seed {seed}"
        assert {key: len(moments) for key, moments in fired.items()} == dict.fromkeys(due, 1)
    registry.REGISTERED.clear()
    figure(
        f"proof 5 ({connection.vendor}): {len(ZONES)} zones, {len(ends)} ends of access,"
        f" {jumps} jumps of a day: {early} early, 0 missed, 0 twice"
    )
    assert early == 0


def test_a_corrected_clock_is_believed_after_a_quarter_of_an_hour() -> None:
    machine = FakeMachine(datetime(2027, 3, 1, tzinfo=UTC))
    steady = SteadyClock(machine.wall, machine.since_boot)
    machine.wrong_by = DAY
    for _ in range(15):
        machine.true += timedelta(minutes=1)
        assert steady.now() == machine.true
        assert steady.is_doubting
    machine.true += timedelta(minutes=1)
    assert steady.now() == machine.true + DAY
    assert not steady.is_doubting


def test_small_corrections_are_followed_at_once() -> None:
    machine = FakeMachine(datetime(2027, 3, 1, tzinfo=UTC))
    steady = SteadyClock(machine.wall, machine.since_boot)
    machine.wrong_by = timedelta(seconds=90)
    assert steady.now() == machine.wall()


@pytest.mark.django_db(transaction=True)
def test_a_running_worker_fires_within_a_second_of_the_moment(
    tmp_path: Path, figure: Callable[[str], None]
) -> None:
    with processes(tmp_path) as started:
        worker = started.worker()
        started.wait_until_alive(worker)
        begin = clock.now()
        due = {str(n): begin + timedelta(milliseconds=300 + 50 * n) for n in range(40)}
        operations.set_timers("proof.timer", due)
        operations.cancel_timer("proof.timer", key="39")
        expected = set(due) - {"39"}
        until(lambda: started.ledger.tasks("fired") >= expected, seconds=15, what="all timers have fired")
        lines = started.ledger.lines("fired")
    lateness = [line.at - due[line.task].timestamp() for line in lines]
    figure(
        f"proof 5 ({connection.vendor}): {len(lines)} timers on a real worker,"
        f" {min(lateness):.2f} to {max(lateness):.2f} s after their moment"
    )
    assert min(lateness) >= 0
    assert sorted(line.task for line in lines) == sorted(expected)
    assert max(lateness) < 3
