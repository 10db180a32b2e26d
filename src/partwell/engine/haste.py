"""What somebody pressed a button for goes first: while it is under way in this process, what can wait waits.

Python lets one thread compute at a time, so that keeping books beside a kill switch makes the switch slower.
"""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager

# A system that does not answer may keep a run under way for minutes; nothing waits longer than this for it.
LONGEST_SECONDS = 30.0

_lock = threading.Lock()
_running = 0


@contextmanager
def under_way() -> Iterator[None]:
    """Say that somebody waits for what is done within."""
    global _running
    with _lock:
        _running += 1
    try:
        yield
    finally:
        with _lock:
            _running -= 1


class GivingWay:
    """Whose turn it is, for work that is done again and again and can wait. Moments are in seconds of a clock
    that only goes forward."""

    def __init__(self, since: float) -> None:
        self._last = since

    def is_turn(self, now: float) -> bool:
        """Whether to work now: nothing is in haste, or it has waited long enough."""
        if _running and now - self._last < LONGEST_SECONDS:
            return False
        self._last = now
        return True
