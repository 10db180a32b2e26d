"""Slowing down whoever tries tokens until one fits.

A token has 256 bits, so nobody will hit one; this keeps the tries from costing us anything, and makes them
visible. Counted in the database, so that all processes count together.
"""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from django.db import transaction
from django.db.models import F

from partwell.departures.models import GuestGuess
from partwell.refusals import Refusal

WINDOW = timedelta(minutes=10)
WRONG_PER_SOURCE = 20
WRONG_IN_ALL = 1000
EVERYBODY = "*"


class TooManyTries(Refusal):
    """Too many links from there led nowhere; nothing is looked up until the window has passed."""

    status = 429

    def __init__(self) -> None:
        super().__init__(
            "too_many_tries",
            "Too many links that lead nowhere were tried from your network. Wait a quarter of an hour, then "
            "open the link in your mail again.",
        )


def check_may_try(source: str, *, now: datetime) -> None:
    """Raise `TooManyTries` when `source` (a network address, or its digest) has tried too often.

    While the whole world tries too often, one wrong try is all that a source has: so a flood from many
    addresses does not keep a guest out who comes with a good link.
    """
    counts = {EVERYBODY: 0, source: 0}
    recent = GuestGuess.objects.filter(source__in=counts, window_at__gt=now - 2 * WINDOW)
    for name, count in recent.values_list("source", "count"):
        counts[name] += count
    allowed = WRONG_PER_SOURCE if counts[EVERYBODY] < WRONG_IN_ALL else 1
    if counts[source] >= allowed:
        raise TooManyTries


def note_wrong_try(source: str, *, now: datetime) -> None:
    """Count one try that led nowhere."""
    seconds = WINDOW.total_seconds()
    window_at = datetime.fromtimestamp(now.timestamp() // seconds * seconds, UTC)
    with transaction.atomic():
        for name in (EVERYBODY, source):
            if _count_one(name, window_at):
                continue
            GuestGuess.objects.filter(window_at__lt=now - timedelta(days=1)).delete()
            GuestGuess.objects.bulk_create(
                [GuestGuess(source=name, window_at=window_at)], ignore_conflicts=True
            )
            _count_one(name, window_at)


def _count_one(source: str, window_at: datetime) -> int:
    return GuestGuess.objects.filter(source=source, window_at=window_at).update(count=F("count") + 1)
