"""How often a target may be asked, as its manifest says: one bucket for each class of endpoints.

A connection has one limiter in a process, shared by everything that asks there, so that many accounts cut
at once stay within what the vendor allows. What goes first when many wait is decided by whoever starts the
work; here, first come is first served.
"""

from __future__ import annotations

import asyncio
import threading
import time
from collections.abc import Callable, Mapping
from typing import Any

DEFAULT_CLASS = "default"


class Limiter:
    """Buckets by class of endpoints. `per_minute` maps a class to its rate; a class it does not name, and
    everything where it is empty, is not held back. Safe to share between threads and event loops."""

    def __init__(
        self,
        per_minute: Mapping[str, float] | None = None,
        *,
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        self._seconds_each = {name: 60 / rate for name, rate in (per_minute or {}).items()}
        self._monotonic = monotonic
        self._free_at: dict[str, float] = {}
        self._lock = threading.Lock()

    def reserve(self, name: str = DEFAULT_CLASS) -> float:
        """Take the next place in the queue of a class; how many seconds from now it is.

        Up to a second's worth may go at once, as vendors count by the window and not by the moment.
        """
        each = self._seconds_each.get(name)
        if each is None:
            return 0.0
        with self._lock:
            now = self._monotonic()
            earliest = now - max(1.0 - each, 0.0)
            at = max(self._free_at.get(name, earliest), earliest)
            self._free_at[name] = at + each
            return max(at - now, 0.0)

    async def wait(self, name: str = DEFAULT_CLASS) -> None:
        """Wait for one's place."""
        if seconds := self.reserve(name):
            await asyncio.sleep(seconds)

    def seconds_for(self, count: int, name: str = DEFAULT_CLASS) -> float:
        """How long `count` requests of one class take at the least."""
        each = self._seconds_each.get(name)
        if each is None or count < 1:
            return 0.0
        return max((count - 1) * each - max(1.0 - each, 0.0), 0.0)


def rates_of(limits: Mapping[str, Any]) -> dict[str, float]:
    """Requests per minute by class, from a manifest's `limits`: `requests_per_minute` for all that names no
    class, and `classes: {NAME: {requests_per_minute: N}}`."""
    rates = {
        name: float(given["requests_per_minute"]) for name, given in (limits.get("classes") or {}).items()
    }
    if "requests_per_minute" in limits:
        rates.setdefault(DEFAULT_CLASS, float(limits["requests_per_minute"]))
    return rates
