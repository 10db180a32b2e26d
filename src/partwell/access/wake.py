"""Asking the engine to go on with a run: at once, or at a time. The worker room registers the names."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import datetime, timedelta
from uuid import UUID

from partwell.access.models import SystemRun
from partwell.engine.lanes import URGENT
from partwell.engine.operations import cancel_timer, enqueue, set_mixed_timers, set_timer

RUN_SYSTEM = "access.run_system"
RUN_CUT = "access.run_cut"
RESUME = "access.resume"
END = "access.end"
ESCALATE = "access.escalate"
# The kill switch has done by then what it can.
AFTER_A_CUT = timedelta(minutes=2)


def start(run: SystemRun, *, at: datetime) -> None:
    """Ask for this run now, with all others of its cut; `at` tells one request from the next."""
    if run.plan.cut_id is not None:
        start_cut(run.plan.cut_id, run.system_id, at=at)
        return
    enqueue(
        RUN_SYSTEM,
        str(run.plan_id),
        str(run.system_id),
        key=f"{RUN_SYSTEM}:{run.pk}:{at.isoformat()}",
        lane="connectors",
        partition=str(run.system_id),
    )


def start_cut(cut_id: UUID, system_id: int, *, at: datetime) -> None:
    """Ask for everybody of a cut in one system, ahead of all that was planned for a time."""
    enqueue(
        RUN_CUT,
        str(cut_id),
        str(system_id),
        key=f"{RUN_CUT}:{cut_id}:{system_id}:{at.isoformat()}",
        lane=URGENT,
    )


def resume_at(run: SystemRun, moment: datetime) -> None:
    """Ask that this run, or its cut in that system, goes on at `moment`."""
    set_timer(RESUME, key=f"{run.plan.cut_id or run.plan_id}:{run.system_id}", due_at=moment)


def end_at(ends: Mapping[UUID, datetime], *, escalate_at: Mapping[tuple[UUID, int], datetime]) -> None:
    """Ask that the access of these departures ends at these moments, and that a missing approval is raised
    before: `escalate_at` says when, by departure and how many hours before access end that is."""
    set_mixed_timers(
        {
            **{(END, str(pk)): moment for pk, moment in ends.items()},
            **{(ESCALATE, f"{pk}:{hours}"): before for (pk, hours), before in escalate_at.items()},
        }
    )


def end_after_cut(departures: Iterable[UUID], moment: datetime) -> None:
    """Ask that what else comes with access end comes soon for these departures, which were cut at `moment`:
    not at once, so that it is not in the way of the cut."""
    set_mixed_timers({(END, str(pk)): moment + AFTER_A_CUT for pk in departures})


def forget(departure_id: UUID, hours: tuple[int, ...]) -> None:
    """Ask for none of this any more."""
    cancel_timer(END, key=str(departure_id))
    for before in hours:
        cancel_timer(ESCALATE, key=f"{departure_id}:{before}")
