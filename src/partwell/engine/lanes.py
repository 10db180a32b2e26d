"""The queues, one for each kind of limit.

Few on purpose, and polled no faster than people notice: an idle queue that is polled ten times a second
costs three per cent of a core, and one queue per connector burned more than half. What needs a limit of its
own inside a lane is a partition of it.
"""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Lane:
    """One queue. `at_once` runs in one worker process, `per_partition` in the whole installation.

    A lane with `per_partition` needs a partition for everything that enters it.
    """

    name: str
    at_once: int
    poll_seconds: float
    per_partition: int | None = None


URGENT = "urgent"
LANES = {
    lane.name: lane
    for lane in (
        # One look at a journey at a time, or two workers would plan the same step twice.
        Lane("journeys", at_once=4, per_partition=1, poll_seconds=0.4),
        Lane("actions", at_once=8, poll_seconds=0.4),
        # Keyed by connection: a slow directory holds up itself alone.
        Lane("connectors", at_once=8, per_partition=4, poll_seconds=0.4),
        # What somebody pressed a button for: nothing scheduled is ever ahead of it.
        Lane(URGENT, at_once=12, poll_seconds=0.2),
        Lane("mail", at_once=2, poll_seconds=2.0),
    )
}

# Enough threads for every lane to be full at once, and no more: each may hold a database connection.
THREADS = sum(lane.at_once for lane in LANES.values()) + 2
