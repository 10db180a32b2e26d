"""Carrying out a plan in the systems: what the engine calls. At least once, at any time, by any worker.

Within a system: look afresh, stop at drift; then for each change commit the intent, ask the target, commit
its answer; then read back. A run that was cut short leaves an intent without an outcome: the next one reads
back before it asks again, and never asks twice for a deletion. Systems know nothing of each other.
"""

from __future__ import annotations

from collections.abc import Callable, Collection
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

from django.db import connections, transaction

from partwell import clock
from partwell.access import claims, wake
from partwell.access.alerts import raise_alert, resolve_alerts, review_accounts
from partwell.access.connections import Session, identities_of, target_of
from partwell.access.discovery import Answer, Found, Known, ask_with
from partwell.access.drift import find_drift, make_delta
from partwell.access.execution import Carrying, carry_out
from partwell.access.models import AccountRecord, Alert, Change, Plan, SystemRun
from partwell.access.operations.enforcement import enforce_access_end, escalate
from partwell.access.operations.plans import lock
from partwell.access.proposals import known_accounts, seal, store_answer
from partwell.access.states import AccessState, AlertKind, Authority, PlanKind, PlanState, RunState
from partwell.connector_kit.contract import ConnectorError
from partwell.engine.operations import poke
from partwell.people.actors import engine_actor

SIDE_BY_SIDE = 8
LONGEST_PAUSE = timedelta(minutes=15)


def pause(attempts: int) -> timedelta:
    """How long to wait before asking a system again that could not be asked `attempts` times."""
    return min(timedelta(seconds=2 ** min(attempts, 12)), LONGEST_PAUSE)


def run_system(plan_id: str, system_id: str) -> None:
    """Go on with one plan in one system, as far as it comes now. The workflow `access.run_system`."""
    run = (
        SystemRun.objects.select_related("plan__departure", "system")
        .filter(plan_id=int(plan_id), system_id=int(system_id), state__in=claims.LIVE)
        .first()
    )
    if run is None:
        return
    token = claims.take(run, now=clock.now())
    if not token:
        run.refresh_from_db()
        if run.state in claims.LIVE and run.claimed_until is not None:
            # Whoever holds it may be dead on another machine: look again when the claim has run out.
            wake.resume_at(run, run.claimed_until)
        return
    try:
        _go_on(run, token)
    except claims.ClaimLost:
        return
    finally:
        claims.let_go(run, token)


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


def _go_on(run: SystemRun, token: str) -> None:
    target = target_of(run.system)
    if "discover" not in target.capabilities:
        # A person's task, wholly: there is nothing to ask, and the plan may still have to say so.
        answer = Answer(
            target.system_id, Found.MANUAL, reason="Nobody but a person can look into this system."
        )
        _take_answer(run, answer, token)
        _settle(run, token)
        return
    try:
        session = Session(target)
    except ConnectorError as error:
        _wait_for_system(run, error.message, token)
        return
    with session:
        if run.plan.kind != PlanKind.RESTORE:
            identities = identities_of(run.plan.departure)
            known = known_accounts(run.plan.departure).get(run.system_id, Known())
            answer = session.run(lambda connector: ask_with(connector, target, identities, known))
            claims.renew(run, token, now=clock.now())
            if answer.found is Found.UNREACHABLE:
                _take_answer(run, answer, token)
                _wait_for_system(run, answer.reason, token)
                return
            if not _take_answer(run, answer, token):
                return
        carrying = Carrying(run, token, session, label(run.plan))
        carry_out(carrying)
    _settle(run, token, worse=carrying.failed)


def label(plan: Plan) -> str:
    """Who acts when this plan runs, as evidence names them."""
    if plan.kind == PlanKind.RESTORE:
        return engine_actor(f"restore asked for by {plan.approved_by}").label
    return engine_actor(
        "standing rule" if plan.approved_at is None else f"approved plan {plan.version}"
    ).label


def _take_answer(run: SystemRun, answer: Answer, token: str) -> bool:
    """Compare what the system says now with the plan; False when the run stops here, because it drifted."""
    now = clock.now()
    with transaction.atomic():
        departure = run.plan.departure
        lock(departure)
        claims.renew(run, token, now=now)
        run.plan.refresh_from_db()
        earlier = run.plan.answers.get(run.system.name, {}).get("found")
        if run.plan.kind == PlanKind.STANDING and earlier in (None, Found.UNREACHABLE):
            sealed = run.plan.checksum
            store_answer(run.plan, run.system, answer, now=now, standing=True)
            seal(run.plan)
            if run.plan.approved_at is not None and run.plan.checksum != sealed:
                # Somebody approved before this system had answered: what came to light is not approved.
                run.plan.state, run.plan.approved_at, run.plan.approved_by = PlanState.APPLYING, None, ""
                run.plan.save(update_fields=["state", "approved_at", "approved_by"])
            _alarm(run, answer, now)
            poke(departure.pk)
            return True
        if answer.found is Found.UNREACHABLE:
            _alarm(run, answer, now)
            return True
        resolve_alerts(departure, kind=AlertKind.UNREACHABLE, key=run.system.name, now=now)
        drift = find_drift(run, answer)
        if drift is None and earlier == Found.UNREACHABLE and not answer.matched and not answer.ambiguous:
            store_answer(run.plan, run.system, answer, now=now)
            run.plan.save(update_fields=["answers"])
    if drift is not None:
        make_delta(run, answer, drift=drift, now=now)
        _close_plan(run.plan, now)
        return False
    return True


def _alarm(run: SystemRun, answer: Answer, now: datetime) -> None:
    departure, actor = run.plan.departure, engine_actor("standing rule")
    if answer.found is Found.AMBIGUOUS:
        raise_alert(
            departure,
            kind=AlertKind.AMBIGUOUS,
            key=run.system.name,
            text=f"{run.system.title}: {answer.reason} Nothing is cut there until somebody has said so.",
            actor=actor,
            now=now,
        )
    if answer.found is Found.UNREACHABLE and now >= departure.access_end_at:
        raise_alert(
            departure,
            kind=AlertKind.UNREACHABLE,
            key=run.system.name,
            text=f"Access has ended, but {run.system.title} cannot be reached: {answer.reason}",
            actor=actor,
            now=now,
        )
    elif answer.found is not Found.UNREACHABLE:
        resolve_alerts(departure, kind=AlertKind.UNREACHABLE, key=run.system.name, now=now)


def _wait_for_system(run: SystemRun, reason: str, token: str) -> None:
    """The system could not be asked: say so on what is left to do, and come back later."""
    now = clock.now()
    with transaction.atomic():
        lock(run.plan.departure)
        claims.renew(run, token, now=now)
        left = AccountRecord.objects.filter(
            pk__in=Change.objects.filter(plan=run.plan, account__system=run.system, is_current=True)
            .exclude(authority=Authority.NONE)
            .exclude(state__in=(AccessState.VERIFIED, AccessState.ATTESTED, AccessState.IMPOSSIBLE))
            .values("account_id")
        )
        left.update(state=AccessState.UNREACHABLE, reason=reason)
        run.attempts += 1
        run.state, run.reason, run.next_at = RunState.WAITING, reason, now + pause(run.attempts)
        run.save(update_fields=["state", "reason", "next_at", "attempts"])
        wake.resume_at(run, run.next_at)
        poke(run.plan.departure_id)


def _settle(run: SystemRun, token: str, *, worse: Collection[int] = ()) -> None:
    """Let the run wait for the next moment at which something is due, or end; and tell of what failed.

    `worse` are the ids of the accounts of which something failed just now.
    """
    now = clock.now()
    with transaction.atomic():
        lock(run.plan.departure)
        claims.renew(run, token, now=now)
        pending = [
            moment or now
            for moment in Change.objects.filter(
                plan=run.plan,
                account__system=run.system,
                is_current=True,
                state__in=(AccessState.REQUESTED, AccessState.ACCEPTED, AccessState.UNREACHABLE),
            )
            .exclude(authority=Authority.NONE)
            .values_list("next_attempt_at", flat=True)
        ]
        if pending:
            run.state, run.next_at = RunState.WAITING, max(min(pending), now)
            run.save(update_fields=["state", "next_at"])
            wake.resume_at(run, run.next_at)
        else:
            run.state, run.next_at, run.ended_at, run.reason = RunState.ENDED, None, now, ""
            run.save(update_fields=["state", "next_at", "ended_at", "reason"])
            _close_plan(run.plan, now)
        if run.plan.kind != PlanKind.RESTORE:
            accounts = AccountRecord.objects.filter(changes__plan=run.plan, system=run.system).distinct()
            review_accounts(
                run.plan.departure_id,
                accounts.select_related("system"),
                by=label(run.plan),
                now=now,
                worse=worse,
            )
        poke(run.plan.departure_id)


def _close_plan(plan: Plan, now: datetime) -> None:
    if plan.runs.filter(state__in=claims.LIVE).exists():
        return
    has_drifted = plan.runs.filter(state=RunState.DRIFTED).exists()
    Plan.objects.filter(pk=plan.pk, state=PlanState.APPLYING).update(
        state=PlanState.DRIFTED if has_drifted else PlanState.APPLIED, ended_at=now
    )
    # Approved while the standing rule was at work: what it left waits for `apply`, its own runs are over.
    Plan.objects.filter(pk=plan.pk, state=PlanState.APPROVED).update(ended_at=now)


def resume(key: str, now: datetime | None = None) -> None:
    """A run's time has come: ask for it. The engine's timer `access.resume`; `key` is `plan:system`.

    It asks and does not do, because a stalled system must not hold up the other timers.
    """
    plan_id, _, system_id = key.partition(":")
    run = SystemRun.objects.filter(
        plan_id=int(plan_id), system_id=int(system_id), state__in=claims.LIVE
    ).first()
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
    with transaction.atomic():
        for run in SystemRun.objects.filter(state__in=claims.LIVE).select_related("plan", "system"):
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
    workflows={wake.RUN_SYSTEM: run_system, "access.apply": run_plan},
    timers={wake.RESUME: resume, wake.END: end_access, wake.ESCALATE: escalate_missing_approval},
)
