"""Until when something may be given for a time, as days in the leaver's own timezone. Pure functions.

A mailbox goes on receiving mail for somebody who is not here, so reading it has an end: a month after access
end unless somebody says otherwise, and never more than three.
"""

from __future__ import annotations

from calendar import monthrange
from datetime import date, datetime, time, timedelta

from partwell import clock
from partwell.departures.models import Departure
from partwell.refusals import Invalid

# What data protection authorities have let firms keep a leaver's mailbox and automatic reply for: about one
# month, three where there is a reason (Belgian authority, 64/2020 and after). Elsewhere a firm's own rule.
USUAL_MONTHS, MOST_MONTHS = 1, 3


def add_months(day: date, months: int) -> date:
    """The same day so many calendar months later, or that month's last one."""
    years, month = divmod(day.month - 1 + months, 12)
    year, month = day.year + years, month + 1
    return date(year, month, min(day.day, monthrange(year, month)[1]))


def end_day(departure: Departure) -> date:
    """The day on which the leaver's access ends, where they are."""
    return clock.today_in(departure.timezone, now=departure.access_end_at)


def usual_last_day(departure: Departure) -> date:
    """The last day on which a successor has what is given for a time, unless somebody says otherwise."""
    return add_months(end_day(departure), USUAL_MONTHS)


def latest_last_day(departure: Departure) -> date:
    """The latest last day that there can be."""
    return add_months(end_day(departure), MOST_MONTHS)


def check_last_day(day: date, departure: Departure) -> None:
    """Raise `Invalid` for a last day before access ends, or too long after it."""
    if day < end_day(departure):
        raise Invalid(
            "ends_too_early",
            f"Their access ends on {end_day(departure):%d %b %Y}; say a day from then on.",
            field="ends_on",
        )
    if day > (latest := latest_last_day(departure)):
        raise Invalid(
            "ends_too_late",
            "Mail goes on arriving for somebody who is not here, and it is theirs too: a mailbox and an "
            f"automatic reply stay for {MOST_MONTHS} months after access ends at most, here until "
            f"{latest:%d %b %Y}. Tell those who still write whom to turn to by then.",
            field="ends_on",
        )


def end_of(day: date, departure: Departure) -> datetime:
    """The moment at which this day is over where the leaver is."""
    return clock.at_local(day + timedelta(days=1), time(0), departure.timezone)
