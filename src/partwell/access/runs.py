"""Carrying out plans in the systems: what the engine calls. At least once, at any time, by any worker.

Within a system: look afresh, stop at drift; then for each change commit the intent, ask the target, commit
its answer; then read back. A run that was cut short leaves an intent without an outcome: the next one reads
back before it asks again, and never asks twice for a deletion. Systems know nothing of each other.

Runs of one system go together where there are many, as when a whole group is cut at once.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from django.db import connections, transaction

from partwell import clock
from partwell.access import claims, wake
from partwell.access.answers import take_answers
from partwell.access.asking import Carrying
from partwell.access.connections import Session, Target, identities_of_all, target_of
from partwell.access.discovery import Answer, Found, Known, ask_with
from partwell.access.endings import settle, wait_for_system
from partwell.access.execution import carry_out, carry_out_first, stop_what_is_elsewhere
from partwell.access.ghosts.afresh import still_as_approved
from partwell.access.models import Alert, Plan, SystemRun
from partwell.access.operations.enforcement import enforce_access_end, escalate
from partwell.access.proposals import known_accounts_of
from partwell.access.states import PlanKind
from partwell.connector_kit.contract import ConnectorError
from partwell.people.actors import engine_actor

SIDE_BY_SIDE = 8
# How many departures of a group are looked after at once in one system.
GROUP = 50
SILENT = "It answered nobody of this cut."
# How often a system of which nobody is heard is asked for some, before it is said of all the others that they
# cannot be reached there: writing that down takes time, which is better given to systems that answer.
TRIES = 2
# What these are about is on record, account by account: nobody's accounts are looked for.
NOT_SEARCHED = (PlanKind.RESTORE, PlanKind.GHOST)
BY_HAND = "Nobody but a person can look into this system."


def run_system(plan_id: str, system_id: str) -> None:
    """Go on with one plan in one system, as far as it comes now. The workflow `access.run_system`."""
    work_on(list(_live_runs().filter(plan_id=int(plan_id), system_id=int(system_id))))


def run_cut(cut_id: str, system_id: str) -> None:
    """Go on with everybody of a cut in one system. The workflow `access.run_cut`.

    Each system begins with somebody else, and everybody's first change comes before anybody's second, so
    that all are shut out somewhere soon.
    """
    runs = list(_live_runs().filter(plan__cut_id=UUID(cut_id), system_id=int(system_id)).order_by("pk"))
    first = (int(system_id) * GROUP) % len(runs) if runs else 0
    work_on(runs[first:] + runs[:first])


def _live_runs() -> Any:
    return SystemRun.objects.select_related(
        "plan__departure__person", "plan__departure__client", "system"
    ).filter(state__in=claims.LIVE)


def run_plan(plan_id: str) -> None:
    """Go on with all systems of a plan, side by side, in this process; returns when each has come as far as
    it can now. What has to wait stays on record as waiting."""
    runs = SystemRun.objects.filter(plan_id=int(plan_id), state__in=claims.LIVE)
    system_ids = list(runs.values_list("system_id", flat=True))

    def in_thread(system_id: int) -> None:
        try:
            run_system(plan_id, str(system_id))
        finally:
            connections.close_all()

    with ThreadPoolExecutor(SIDE_BY_SIDE) as pool:
        for done in [pool.submit(in_thread, system_id) for system_id in system_ids]:
            done.result()


def work_on(runs: Sequence[SystemRun]) -> None:
    """Go on with runs of one system that nobody else holds."""
    if not runs:
        return
    target = target_of(runs[0].system)
    groups = math.ceil(len(runs) / GROUP)
    token, ours = claims.take(runs, seconds=target.time_limit_seconds * 2 * groups, now=clock.now())
    _look_again_after(set(runs) - set(ours))
    if not ours:
        return
    try:
        _go_on(ours, target, token)
    finally:
        claims.let_go(ours, token)


def _look_again_after(held_by_others: set[SystemRun]) -> None:
    """Whoever holds them may be dead on another machine: look again when their claim has run out."""
    for run in SystemRun.objects.filter(
        pk__in=[run.pk for run in held_by_others], state__in=claims.LIVE, claimed_until__isnull=False
    ).select_related("plan"):
        if run.claimed_until is not None:
            wake.resume_at(run, run.claimed_until)


def _go_on(runs: list[SystemRun], target: Target, token: str) -> None:
    if "discover" not in target.capabilities and any(run.plan.ghost_id for run in runs):
        # It could be asked when this was approved: its connection is gone since.
        wait_for_system([run for run in runs if run.plan.ghost_id], BY_HAND, token=token, now=clock.now())
        runs = [run for run in runs if not run.plan.ghost_id]
    if "discover" not in target.capabilities:
        # A person's task, wholly: there is nothing to ask, and the plan may still have to say so.
        answer = Answer(target.system_id, Found.MANUAL, reason=BY_HAND)
        settle(take_answers([(run, answer) for run in runs], token), token)
        return
    try:
        session = Session(target)
    except ConnectorError as error:
        wait_for_system(runs, error.message, token=token, now=clock.now())
        return
    with session:
        begun = []
        for start in range(0, len(runs), GROUP):
            group = runs[start : start + GROUP]
            work, is_heard = _begin(group, session, token)
            if not is_heard:
                if max(run.attempts for run in group) > TRIES:
                    _leave_unheard(runs[start + GROUP :], token)
                break
            carry_out_first(work)
            begun.append(work)
        for work in begun:
            going = list(work.runs.values())
            carry_out(work)
            settle(
                going,
                token,
                by={
                    run.plan.departure_id: work.actors[run.plan_id]
                    for run in going
                    if run.plan.departure_id is not None
                },
                worse=work.failed,
            )


def _leave_unheard(runs: Sequence[SystemRun], token: str) -> None:
    """The system answers nobody: these are not even asked of it, and are as unreachable as those who were."""
    answer = Answer(runs[0].system_id if runs else 0, Found.UNREACHABLE, reason=SILENT)
    for start in range(0, len(runs), GROUP):
        group = runs[start : start + GROUP]
        take_answers([(run, answer) for run in group if run.plan.kind not in NOT_SEARCHED], token)
        wait_for_system(group, SILENT, token=token, now=clock.now())


def _begin(runs: list[SystemRun], session: Session, token: str) -> tuple[Carrying, bool]:
    """Ask the system of each departure, and put off those of whom it says nothing; the others go on. Also
    whether it said anything of anybody."""
    going = [run for run in runs if run.plan.kind == PlanKind.RESTORE]
    going += still_as_approved([run for run in runs if run.plan.kind == PlanKind.GHOST], session, token)
    answers = _ask(session, [run for run in runs if run.plan.kind not in NOT_SEARCHED])
    silent = [(run, answer) for run, answer in answers if answer.found is Found.UNREACHABLE]
    going += take_answers(answers, token)
    for reason in {answer.reason for _, answer in silent}:
        waiting = [run for run, answer in silent if answer.reason == reason]
        wait_for_system(waiting, reason, token=token, now=clock.now())
    unheard = {run.pk for run, _ in silent}
    going = [run for run in going if run.pk not in unheard]
    actors = {run.plan_id: label(run.plan) for run in going}
    work = Carrying({run.plan_id: run for run in going}, token, session, actors)
    stop_what_is_elsewhere(work)
    return work, len(unheard) < len(runs)


def _ask(session: Session, runs: Sequence[SystemRun]) -> list[tuple[SystemRun, Answer]]:
    """What the system has of each departure, asked side by side."""
    departures = [run.plan.its_departure for run in runs]
    identities = identities_of_all(departures)
    target = session.target
    known = known_accounts_of([d.pk for d in departures], system_id=target.system_id)

    def question(run: SystemRun) -> Callable[[Any], Any]:
        pk = run.plan.its_departure_id
        found = known.get((pk, target.system_id), Known())
        return lambda connector: ask_with(connector, target, identities[pk], found)

    answers = session.call_all([question(run) for run in runs])
    return [
        (
            run,
            Answer(target.system_id, Found.UNREACHABLE, reason=answer.message)
            if isinstance(answer, ConnectorError)
            else answer,
        )
        for run, answer in zip(runs, answers, strict=True)
    ]


def label(plan: Plan) -> str:
    """Who acts when this plan runs, as evidence names them."""
    if plan.kind == PlanKind.RESTORE:
        return engine_actor(f"restore asked for by {plan.approved_by}").label
    if plan.kind == PlanKind.CUT and plan.approved_at is None:
        return engine_actor(f"kill switch, by {plan.made_by}").label
    return engine_actor(
        "standing rule" if plan.approved_at is None else f"approved plan {plan.version}"
    ).label


def resume(key: str, now: datetime | None = None) -> None:
    """A run's time has come: ask for it. The engine's timer `access.resume`; `key` is `plan:system`, or
    `cut:system` for everybody of a cut.

    It asks and does not do, because a stalled system must not hold up the other timers.
    """
    what, _, system_id = key.partition(":")
    runs = SystemRun.objects.filter(system_id=int(system_id), state__in=claims.LIVE)
    runs = runs.filter(plan_id=int(what)) if what.isdigit() else runs.filter(plan__cut_id=UUID(what))
    run = runs.select_related("plan").first()
    if run is not None:
        with transaction.atomic():
            wake.start(run, at=now or clock.now())


def end_access(key: str, now: datetime | None = None) -> None:
    """A departure's access end has come. The engine's timer `access.end`; `key` is the departure's id."""
    enforce_access_end(departure_id=UUID(key), now=now or clock.now())


def escalate_missing_approval(key: str, now: datetime | None = None) -> Alert | None:
    """Access end is near. The engine's timer `access.escalate`; `key` is `departure:hours`."""
    return escalate(departure_id=UUID(key.partition(":")[0]), now=now or clock.now())


def reconcile() -> None:
    """Ask again for every run that is not over: after a restore of the engine's own tables, or their loss."""
    now = clock.now()
    live = SystemRun.objects.filter(state__in=claims.LIVE).select_related("plan", "system")
    # Of a cut, one run stands for all in the same system.
    apart = {(run.plan.cut_id or run.plan_id, run.system_id): run for run in live.order_by("-next_at", "pk")}
    with transaction.atomic():
        for run in apart.values():
            if run.next_at is not None and run.next_at > now:
                wake.resume_at(run, run.next_at)
            else:
                wake.start(run, at=now)


@dataclass(frozen=True)
class Wiring:
    """What the worker room registers with the engine for this room."""

    workflows: dict[str, Callable[..., Any]]
    timers: dict[str, Callable[..., Any]]


WIRING = Wiring(
    workflows={wake.RUN_SYSTEM: run_system, wake.RUN_CUT: run_cut, "access.apply": run_plan},
    timers={wake.RESUME: resume, wake.END: end_access, wake.ESCALATE: escalate_missing_approval},
)
