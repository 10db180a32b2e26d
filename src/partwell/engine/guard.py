"""Taking over the work of workers that have died or stopped.

DBOS leaves a dead executor's work alone until something says that it is dead. The guard of every worker
says so, once a second. DBOS itself sees to it that a taken run is started by one worker only, and that what
a worker reports late, after its run was taken, is thrown away.

A worker's own runs can be orphaned too: its claim has committed, the connection breaks with the answer, and
nothing here knows that there is something to do. The guard gives those back as well.
"""

from __future__ import annotations

import logging
import os
import socket
import time
from collections.abc import Callable, Collection, Mapping
from uuid import uuid4

from django.db import connection

from partwell.engine.address import guard_folder, guard_parameters
from partwell.engine.liveness import AdvisoryLiveness, FileLiveness, Liveness

EVERY_SECONDS = 1.0
# A worker whose beat stands still for this long is taken to be stopped or stuck.
STUCK_AFTER_SECONDS = 8.0
# A run that this worker has claimed, and that nothing here is running for this long, was never begun.
ORPHANED_AFTER_SECONDS = 5.0

log = logging.getLogger(__name__)


def new_executor_id() -> str:
    """A name for this process that no other ever had or gets; older ones sort first."""
    return f"{time.time_ns() // 1_000_000:x}-{socket.gethostname()[:20]}-{os.getpid()}-{uuid4().hex[:8]}"


def liveness_for(executor: str) -> Liveness:
    """The kind of lock that fits the database."""
    if connection.vendor == "postgresql":
        return AdvisoryLiveness(guard_parameters(), executor)
    return FileLiveness(guard_folder(), executor)


class Guard:
    """One worker's watch over the others, and over its own claims.

    `claims` tells the runs that each executor is supposed to be running, `begun_here` those that run in this
    process; `give_back` puts runs of an executor back into their queues and returns how many.
    """

    def __init__(
        self,
        executor: str,
        liveness: Liveness,
        *,
        claims: Callable[[], Mapping[str, Collection[str]]],
        begun_here: Callable[[], Collection[str]],
        give_back: Callable[[str, Collection[str]], int],
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        self.executor = executor
        self.is_first = False
        self._liveness = liveness
        self._claims = claims
        self._begun_here = begun_here
        self._give_back = give_back
        self._monotonic = monotonic
        self._seen: dict[str, tuple[str, float]] = {}
        self._idle: dict[str, float] = {}

    def sweep(self) -> bool:
        """Look at every worker once and take over from the dead. False when this one has lost its place.

        A worker that lost its place must end: others have taken its work.
        """
        if not self._liveness.beat():
            return False
        beats = self._liveness.beats()
        me = self._liveness.place_of(self.executor)
        for place in self._stuck(beats, me):
            log.warning("a worker has not moved for %.0f s; its work is taken over", STUCK_AFTER_SECONDS)
            self._liveness.end(place)
            del beats[place]
        self.is_first = next(iter(beats), me) == me
        claims = dict(self._claims())
        if orphans := self._orphans(claims.pop(self.executor, ())):
            given = self._give_back(self.executor, orphans)
            if given:
                log.warning("%d runs were claimed here and never begun; they begin again", given)
        for other, runs in claims.items():
            if self._liveness.is_dead(other):
                taken = self._give_back(other, runs)
                if taken:
                    log.warning("worker %s is gone; %d of its runs begin again", other, taken)
        return True

    def _orphans(self, mine: Collection[str]) -> list[str]:
        now = self._monotonic()
        begun = set(self._begun_here()) if mine else set()
        self._idle = {run: self._idle.get(run, now) for run in mine if run not in begun}
        orphans = [run for run, since in self._idle.items() if now - since >= ORPHANED_AFTER_SECONDS]
        for run in orphans:
            del self._idle[run]
        return orphans

    def _stuck(self, beats: dict[str, str], me: str) -> list[str]:
        now = self._monotonic()
        unchanged = {
            place: since
            for place, (beat, since) in self._seen.items()
            if place in beats and beats[place] == beat
        }
        self._seen = {place: (beat, unchanged.get(place, now)) for place, beat in beats.items()}
        return [
            place
            for place, (_, since) in self._seen.items()
            if place != me and now - since >= STUCK_AFTER_SECONDS
        ]


def is_anybody_working() -> bool:
    """Whether a worker is alive on this database at this moment."""
    liveness = liveness_for("nobody")
    if isinstance(liveness, AdvisoryLiveness):
        liveness.enter()
        try:
            mine = liveness.place_of("nobody")
            return any(place != mine for place in liveness.beats())
        finally:
            liveness.leave()
    return bool(liveness.beats())
