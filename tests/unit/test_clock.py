"""Working days and wall clocks."""

from __future__ import annotations

from datetime import UTC, date, datetime, time, timedelta

from hypothesis import given
from hypothesis import strategies as st

from partwell import clock

ZONES = ["Europe/Berlin", "America/New_York", "Australia/Lord_Howe", "Asia/Kathmandu", "Pacific/Apia"]


def test_an_hour_that_comes_twice_means_the_later_one() -> None:
    assert clock.at_local(date(2026, 10, 25), time(2, 30), "Europe/Berlin") == datetime(
        2026, 10, 25, 1, 30, tzinfo=UTC
    )


def test_an_hour_that_never_comes_is_never_early() -> None:
    moment = clock.at_local(date(2026, 3, 29), time(2, 30), "Europe/Berlin")
    assert moment == datetime(2026, 3, 29, 1, 30, tzinfo=UTC)


def test_public_holidays_of_the_country_are_no_working_days() -> None:
    assert not clock.is_working_day(date(2026, 12, 25), "DE")
    assert clock.add_working_days(date(2026, 12, 23), 1, "DE") == date(2026, 12, 24)
    assert clock.add_working_days(date(2026, 12, 24), 1, "DE") == date(2026, 12, 28)


def test_the_weekend_is_the_countrys_own() -> None:
    sunday = date(2026, 11, 22)
    assert clock.is_working_day(sunday, "IL")
    assert not clock.is_working_day(sunday, "DE")


@given(day=st.dates(date(2020, 1, 1), date(2035, 12, 31)), count=st.integers(1, 60))
def test_going_forward_counts_as_many_working_days_as_asked(day: date, count: int) -> None:
    there = clock.add_working_days(day, count, "DE")
    assert clock.working_days_between(day, there, "DE") == count
    assert clock.is_working_day(there, "DE")


@given(day=st.dates(date(2020, 1, 1), date(2035, 12, 31)), wall=st.times(), zone=st.sampled_from(ZONES))
def test_a_wall_time_is_never_reached_early(day: date, wall: time, zone: str) -> None:
    from zoneinfo import ZoneInfo

    shown = clock.at_local(day, wall, zone).astimezone(ZoneInfo(zone)).replace(tzinfo=None)
    assert shown >= datetime.combine(day, wall)


def test_a_told_moment_holds_inside_and_goes_on_slowly() -> None:
    told = datetime(2026, 3, 4, 17, 30, tzinfo=UTC)
    with clock.standing_at(told):
        first, second = clock.now(), clock.now()
    assert first == told
    assert told < second < told + timedelta(seconds=1)
    assert clock.now() > told + timedelta(days=1)
