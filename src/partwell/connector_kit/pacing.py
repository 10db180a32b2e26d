"""When to ask again, from what a target says of it in its headers; and where its next page is."""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta
from email.utils import parsedate_to_datetime

DEFAULT_PAUSE = timedelta(seconds=60)
LONGEST_PAUSE = timedelta(hours=24)
_LINK = re.compile(r"<([^<>]*)>\s*((?:;\s*[\w*-]+\s*=\s*(?:\"[^\"]*\"|[^\s\",;]+)\s*)*)")
_RELATION = re.compile(r";\s*rel\s*=\s*(?:\"([^\"]*)\"|([^\s\",;]+))", re.IGNORECASE)


def retry_at(header: str, *, now: datetime) -> datetime:
    """When to try again: `Retry-After` in seconds or as a date, within a day; else a minute."""
    text = header.strip()
    if (seconds := _number(text)) is not None:
        return now + _bounded(timedelta(seconds=seconds))
    moment = _date(text)
    return now + (DEFAULT_PAUSE if moment is None else _bounded(moment - now))


def resets_at(header: str, *, date: str, now: datetime) -> datetime:
    """When a rate limit starts afresh: seconds since 1970 by the target's clock, within a day; else a minute.

    `date` is the answer's `Date`: the pause is counted by the target's clock, as ours may go otherwise.
    """
    seconds = _number(header.strip())
    if seconds is None:
        return now + DEFAULT_PAUSE
    return now + _bounded(datetime.fromtimestamp(seconds, UTC) - (_date(date) or now))


def next_link(header: str) -> str:
    """The address behind `rel="next"` of a `Link` header (RFC 8288); empty without one."""
    for address, parameters in _LINK.findall(header):
        found = _RELATION.search(parameters)
        if found and "next" in (found.group(1) or found.group(2) or "").lower().split():
            return str(address)
    return ""


def _number(text: str) -> int | None:
    return int(text) if text.isascii() and text.isdecimal() and len(text) < 11 else None


def _date(text: str) -> datetime | None:
    try:
        moment = parsedate_to_datetime(text.strip())
    except (ValueError, TypeError, OverflowError):
        return None
    return moment if moment.tzinfo else moment.replace(tzinfo=UTC)


def _bounded(pause: timedelta) -> timedelta:
    return min(max(pause, timedelta(0)), LONGEST_PAUSE)
