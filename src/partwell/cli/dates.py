"""Reading dates and times that people type."""

from __future__ import annotations

from datetime import date, datetime

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
