"""When to ask again, from what a target says in its headers; its next page; many requests side by side."""

from __future__ import annotations

import asyncio
import re
from collections.abc import Awaitable, Callable, Iterable
from datetime import UTC, datetime, timedelta
from email.utils import parsedate_to_datetime
from typing import TypeVar

T = TypeVar("T")
R = TypeVar("R")

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


async def side_by_side(call: Callable[[T], Awaitable[R]], of: Iterable[T], *, at_once: int) -> list[R]:
    """`call` for each, at most `at_once` at the same time; the results in order.

    The first failure is raised, and stops what has not begun.
    """
    gate = asyncio.Semaphore(at_once)

    async def one(each: T) -> R:
        async with gate:
            return await call(each)

    try:
        async with asyncio.TaskGroup() as group:
            tasks = [group.create_task(one(each)) for each in of]
    except BaseExceptionGroup as failures:
        raise failures.exceptions[0] from None
    return [task.result() for task in tasks]


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
