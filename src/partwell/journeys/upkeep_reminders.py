"""Reminding owners of templates to read them, once for each time that it is due.

As with steps, nothing here remembers what was sent: a mail's key says which template, whose, and since when.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime, time, timedelta

from partwell import clock
from partwell.journeys import messages
from partwell.journeys.reminders import queue_new
from partwell.journeys.upkeep_queries import READ_EVERY, Upkeep, read_upkeep
from partwell.people.models import User
from partwell.people.queries import usual_place
from partwell.signals.outbox import Mail

# Whoever was given a template that nobody here has ever read gets so long before they are reminded.
FIRST_READING = timedelta(days=30)
MORNING = time(8)


def remind_owners(*, now: datetime) -> None:
    """Queue every reminder whose time has come and that was not queued before."""
    candidates: dict[str, Callable[[], Mail]] = {}
    for upkeep in read_upkeep():
        owner = upkeep.row.owner if upkeep.row else None
        if owner is None or not owner.is_active or not _is_time(owner, due := due_at(upkeep), now):
            continue
        key = f"{messages.UNREAD}:{upkeep.version.template_id}:{owner.pk}:{due:%Y-%m-%d}"
        candidates[key] = _composer(upkeep, owner, key, now)
    queue_new(candidates, now=now)


def due_at(upkeep: Upkeep) -> datetime:
    """When its owner should have read it: a year after somebody did, or a month after they were given one
    that nobody has read; with an owner always."""
    read = upkeep.last_read
    if read is not None:
        return read[0] + READ_EVERY
    given_at = upkeep.row.owned_since if upkeep.row else None
    return (given_at or upkeep.version.published_at) + FIRST_READING


def _is_time(owner: User, due: datetime, now: datetime) -> bool:
    """Whether it is due, and the morning of a day has come where the owner is."""
    zone = owner.timezone if clock.is_timezone(owner.timezone) else usual_place().timezone
    return max(due, clock.at_local(clock.today_in(zone, now=now), MORNING, zone)) <= now


def _composer(upkeep: Upkeep, owner: User, key: str, now: datetime) -> Callable[[], Mail]:
    version = upkeep.version
    return lambda: messages.template_unread(owner, version.title, version.template_id, key=key, now=now)
