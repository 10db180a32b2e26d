"""A clock that does not jump.

Somebody sets a server's clock a day ahead by mistake, or a virtual machine wakes with a wrong one: accesses
must not end a day early for it, and none may be missed when the clock falls back. So a jump of the wall
clock against the time since boot is believed only after it has stood for a while; until then time goes on
as it went before. Leap seconds, time zones and summer time do not matter here: everything is UTC.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from datetime import datetime, timedelta

from partwell import clock

# Less is drift, or NTP at work: followed at once.
JUMP = timedelta(minutes=2)
# Long enough for a mistake to be seen and mended, short enough that a true correction is soon followed.
BELIEVED_AFTER = timedelta(minutes=15)


def since_boot() -> float:
    """Seconds since the machine started, its sleep included where the system can tell (Linux)."""
    return time.clock_gettime(getattr(time, "CLOCK_BOOTTIME", time.CLOCK_MONOTONIC))


class SteadyClock:
    """Reads the wall clock and doubts its jumps. One for each worker; it is not shared between threads."""

    def __init__(
        self,
        wall: Callable[[], datetime] = clock.now,
        since_boot: Callable[[], float] = since_boot,
    ) -> None:
        self._wall = wall
        self._since_boot = since_boot
        self._offset = self._read_offset()
        self._doubted_since: float | None = None
        self._doubted_offset = self._offset

    def now(self) -> datetime:
        """The present moment in UTC, without jumps younger than `BELIEVED_AFTER`."""
        offset = self._read_offset()
        if abs(offset - self._offset) < JUMP:
            self._believe(offset)
        elif self._doubted_since is None or abs(offset - self._doubted_offset) >= JUMP:
            self._doubted_since, self._doubted_offset = self._since_boot(), offset
        elif self._since_boot() - self._doubted_since >= BELIEVED_AFTER.total_seconds():
            self._believe(offset)
        return clock.EPOCH + self._offset + timedelta(seconds=self._since_boot())

    @property
    def is_doubting(self) -> bool:
        """Whether the wall clock has jumped and is not yet believed."""
        return self._doubted_since is not None

    def _believe(self, offset: timedelta) -> None:
        self._offset, self._doubted_since = offset, None

    def _read_offset(self) -> timedelta:
        return self._wall() - clock.EPOCH - timedelta(seconds=self._since_boot())
