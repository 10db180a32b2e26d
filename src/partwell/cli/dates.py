"""Reading dates and times that people type, and saying them as they are read where the departure is."""

from __future__ import annotations

from datetime import date, datetime
from zoneinfo import ZoneInfo

from partwell.clock import today_in
from partwell.refusals import Invalid


def read_date(text: str, field: str) -> date:
    """An ISO date. Raises `Invalid` with an example."""
    try:
        return date.fromisoformat(text.strip())
    except ValueError as error:
        raise Invalid(
            "date_unreadable", f"“{text}” is no date; write it as 2026-11-27.", field=field
        ) from error


def read_moment(text: str, field: str) -> datetime:
    """An ISO date and time; without a timezone it is meant in the leaver's own. Raises `Invalid`."""
    try:
        return datetime.fromisoformat(text.strip())
    except ValueError as error:
        raise Invalid(
            "time_unreadable",
            f"“{text}” is no time; write it as 2026-11-27T17:30 or with +01:00.",
            field=field,
        ) from error


def day_there(moment: datetime | str, timezone: str) -> str:
    """The calendar date of a moment, or of one in ISO form, in `timezone`: UTC is a day ahead of an evening
    in California."""
    return today_in(timezone, now=_as_moment(moment)).isoformat()


def time_there(moment: datetime | str, timezone: str) -> str:
    """A moment, or one in ISO form, on the clocks of `timezone`, with the way from UTC."""
    return _as_moment(moment).astimezone(ZoneInfo(timezone)).isoformat(" ", "minutes")


def _as_moment(moment: datetime | str) -> datetime:
    return datetime.fromisoformat(moment) if isinstance(moment, str) else moment
