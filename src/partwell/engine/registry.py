"""Names for the functions that the engine may run. The worker room fills it, once, at start.

Work is asked for by name, so that a lower room can ask for what a higher room does. Functions are plain
and synchronous; they run in a thread, with a database connection of their own, at least once.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import datetime

from partwell.engine.operations import ADVANCE

Workflow = Callable[..., object]
TimerHandler = Callable[[str, datetime], object]
PeriodicHandler = Callable[[], object]


@dataclass(frozen=True)
class Periodic:
    """A function that one worker of the installation runs again and again, `every_seconds` apart."""

    name: str
    every_seconds: float
    function: PeriodicHandler
    every_worker: bool = False
    gives_way: bool = False


@dataclass
class Registry:
    """What this process can run."""

    workflows: dict[str, Workflow] = field(default_factory=dict)
    timers: dict[str, TimerHandler] = field(default_factory=dict)
    periodics: dict[str, Periodic] = field(default_factory=dict)
    reconcilers: dict[str, PeriodicHandler] = field(default_factory=dict)

    def clear(self) -> None:
        """Forget everything; for tests that put a worker together by hand."""
        for names in (self.workflows, self.timers, self.periodics, self.reconcilers):
            names.clear()


REGISTERED = Registry()


def workflow(name: str, function: Workflow) -> None:
    """`operations.enqueue(name, *args, …)` calls `function(*args)`; every argument is a string."""
    _claim_name(REGISTERED.workflows, name)
    REGISTERED.workflows[name] = function


def advance(function: Callable[[str], object]) -> None:
    """`operations.poke(departure_id)` calls `function(departure_id)`, one at a time for each departure."""
    workflow(ADVANCE, function)


def timer(name: str, function: TimerHandler) -> None:
    """A timer set under `name` calls `function(key, now)` when it is due."""
    _claim_name(REGISTERED.timers, name)
    REGISTERED.timers[name] = function


def periodic(
    name: str,
    every_seconds: float,
    function: PeriodicHandler,
    *,
    every_worker: bool = False,
    gives_way: bool = False,
) -> None:
    """Call `function()` again and again, on one worker of the installation unless `every_worker`.

    What `gives_way` waits, half a minute at most, while something that somebody pressed a button for is
    under way in this process. When a stalled worker wakes up, two may overlap for a second; `function` must
    bear that.
    """
    _claim_name(REGISTERED.periodics, name)
    REGISTERED.periodics[name] = Periodic(name, every_seconds, function, every_worker, gives_way)


def reconciler(name: str, function: PeriodicHandler) -> None:
    """Call `function()` when a worker starts: it asks again for all work that its rows say is not done."""
    _claim_name(REGISTERED.reconcilers, name)
    REGISTERED.reconcilers[name] = function


def _claim_name(taken: Mapping[str, object], name: str) -> None:
    if name in taken:
        raise ValueError(f"the engine already has something registered as {name!r}")
