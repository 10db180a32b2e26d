"""Dates, distances and states in the words that the product uses everywhere."""

from __future__ import annotations

from datetime import date, datetime
from typing import Final

STATES: Final[dict[str, str]] = {
    "planned": "Planned",
    "todo": "To do",
    "doing": "In progress",
    "waits": "Blocked",
    "requested": "Asked",
    "accepted": "Accepted",
    "verified": "Verified",
    "attested": "Attested",
    "failed": "Failed",
    "unreachable": "Unreachable",
    "manual": "Manual task",
    "approval": "Needs two people",
    "back": "Came back",
    "cannot": "Not possible",
    "none": "Not needed",
    "running": "Running",
    "late": "Late",
}
"""The status vocabulary: what `data-state` may be, and what it says when nothing more exact is known."""

_DAYS = ("Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun")
_MONTHS = ("Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec")


def day_in_words(day: date, *, with_year: bool = True, with_weekday: bool = True) -> str:
    """“Fri 27 Nov 2026”; the same in every language of the browser, so that pages and letters agree."""
    words = f"{day.day} {_MONTHS[day.month - 1]}"
    if with_weekday:
        words = f"{_DAYS[day.weekday()]} {words}"
    return f"{words} {day.year}" if with_year else words


def moment_in_words(moment: datetime, *, with_zone: bool = True) -> str:
    """“Fri 27 Nov 2026, 17:30 CET”, in the timezone that `moment` carries."""
    words = f"{day_in_words(moment.date())}, {moment:%H:%M}"
    return f"{words} {zone_in_words(moment)}" if with_zone else words


def zone_in_words(moment: datetime) -> str:
    """“CET”, or “UTC+04” where a timezone has no letters of its own."""
    name = moment.tzname() or ""
    return name if name[:1].isalpha() else f"UTC{name}"


def distance_in_words(day: date, today: date, *, due: bool = False) -> str:
    """“in 3 days”, “today”, “2 days ago”; for something due, “2 days late”."""
    days = (day - today).days
    if days == 0:
        return "today"
    if days == 1:
        return "tomorrow"
    if days > 1:
        return f"in {days} days"
    count = f"{-days} day{'' if days == -1 else 's'}"
    if due:
        return f"{count} late"
    return "yesterday" if days == -1 else f"{count} ago"


def initials(name: str) -> str:
    """“ML” for “Marit Lindqvist”; the first two letters of a single word; “?” for nobody."""
    words = [word for word in name.replace("@", " ").replace(".", " ").split() if word[0].isalnum()]
    if not words:
        return "?"
    if len(words) == 1:
        return words[0][:2].upper()
    return (words[0][0] + words[-1][0]).upper()
