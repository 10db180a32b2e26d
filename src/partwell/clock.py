"""The only module that reads the wall clock, and the only one that counts working days.

Everything else is told `now`. Datetimes are aware, and stored in UTC; dates are calendar dates in the
timezone of the person or client that they are about.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from datetime import UTC, date, datetime, time, timedelta
from functools import lru_cache
from itertools import count
from typing import TYPE_CHECKING
from zoneinfo import ZoneInfo, available_timezones

if TYPE_CHECKING:
    from holidays import HolidayBase

DEFAULT_WORKDAY_END = time(17, 30)
EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


BETWEEN_LOOKS = timedelta(milliseconds=200)
_standing_at: ContextVar[Iterator[datetime] | None] = ContextVar("standing_at", default=None)


def now() -> datetime:
    """The present moment, aware, in UTC."""
    told = _standing_at.get()
    return datetime.now(UTC) if told is None else next(told)


@contextmanager
def standing_at(moment: datetime) -> Iterator[None]:
    """Let `now` answer `moment` inside, for this thread alone, and a little later at each further look.

    The demo firm gets its past with it: cutting access asks the clock at each call. Nothing else may use
    it, and a test of the layers sees to that.
    """
    start = moment.astimezone(UTC)
    token = _standing_at.set(start + look * BETWEEN_LOOKS for look in count())
    try:
        yield
    finally:
        _standing_at.reset(token)


def is_timezone(name: str) -> bool:
    """Whether `name` is an IANA timezone that this installation knows."""
    return name in _timezones()


@lru_cache(maxsize=1)
def _timezones() -> frozenset[str]:
    """Read once: it takes tens of milliseconds to look through the machine's timezone files."""
    return frozenset(available_timezones())


def today_in(timezone: str, *, now: datetime) -> date:
    """The calendar date that people in `timezone` read on the wall at `now`."""
    return now.astimezone(ZoneInfo(timezone)).date()


def at_local(day: date, wall: time, timezone: str) -> datetime:
    """The UTC moment at which clocks in `timezone` show `wall` on `day`, never earlier than meant.

    Where the clocks go back and `wall` comes twice, the later one counts; where they go forward and it
    never comes, the moment just as far after the gap counts. So an access that ends then never ends early.
    """
    local = datetime.combine(day, wall, tzinfo=ZoneInfo(timezone))
    return max(local.astimezone(UTC), local.replace(fold=1).astimezone(UTC))


@lru_cache(maxsize=512)
def _calendar(country: str, year: int) -> HolidayBase:
    # Here, as importing it is a tenth of what every command takes to start, and few count working days.
    import holidays

    return holidays.country_holidays(country, years=year, language="en_US")


@lru_cache(maxsize=512)
def is_known_country(country: str) -> bool:
    """Whether the public holidays of this ISO 3166 alpha-2 `country` are known."""
    import holidays

    return country in holidays.list_supported_countries(include_aliases=False)


def next_holidays(country: str, *, after: date, count: int) -> list[tuple[date, str]]:
    """The next `count` public holidays in `country` later than `after`, each with its name in English where
    it has one.

    Empty where the country has no known calendar; fewer where the coming two years hold no more.
    """
    if not is_known_country(country):
        return []
    coming = [
        (day, name)
        for year in (after.year, after.year + 1)
        for day, name in sorted(_calendar(country, year).items())
        if day > after
    ]
    return coming[:count]


def is_working_day(day: date, country: str) -> bool:
    """Whether people in `country` work on `day`: no weekend there, no public holiday.

    A country without a known calendar counts Monday to Friday.
    """
    if not is_known_country(country):
        return day.weekday() < 5
    return bool(_calendar(country, day.year).is_working_day(day))


def add_working_days(day: date, count: int, country: str) -> date:
    """The date `count` working days after (or, negative, before) `day`; zero gives `day` itself."""
    step = timedelta(days=1 if count > 0 else -1)
    left = abs(count)
    while left:
        day += step
        if is_working_day(day, country):
            left -= 1
    return day


def working_days_between(start: date, end: date, country: str) -> int:
    """How many working days lie after `start` up to and including `end`; 0 when `end` is not later."""
    days = (end - start).days
    return sum(is_working_day(start + timedelta(days=n), country) for n in range(1, days + 1))
