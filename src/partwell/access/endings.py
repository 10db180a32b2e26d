"""Where runs of a system come to rest: at an end, or at a time at which they go on."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from datetime import datetime, timedelta
from uuid import UUID

from django.db import transaction
from django.db.models import Exists, OuterRef, Q

from partwell import clock
from partwell.access import claims, wake
from partwell.access.alerts import review_many
from partwell.access.announcing import announce_enabled_accounts
from partwell.access.ghosts.findings import settle_proven
from partwell.access.models import AccountRecord, Change, Plan, SystemRun
from partwell.access.operations.plans import lock_all
from partwell.access.proposals import seal_all
from partwell.access.states import AccessState, Authority, PlanKind, PlanState, RunState
from partwell.engine.operations import poke
from partwell.rows import write_rows

LONGEST_PAUSE = timedelta(minutes=15)
OVER = (AccessState.VERIFIED, AccessState.ATTESTED, AccessState.IMPOSSIBLE)
ON_THE_WAY = (AccessState.REQUESTED, AccessState.ACCEPTED, AccessState.UNREACHABLE)


def pause(attempts: int) -> timedelta:
    """How long to wait before asking a system again that could not be asked `attempts` times."""
    return min(timedelta(seconds=2 ** min(attempts, 12)), LONGEST_PAUSE)


def wait_for_system(runs: Sequence[SystemRun], reason: str, *, now: datetime, token: str = "") -> None:
    """The system could not be asked: say so on what is left to do, and come back later.

    With a `token`, only for runs that it still holds.
    """
    if not runs:
        return
    with transaction.atomic():
        lock_all([run.plan.departure_id for run in runs])
        if not token:
            free = SystemRun.objects.filter(pk__in=[run.pk for run in runs], claimed_by="")
            runs = list(free.select_related("plan", "system"))
        else:
            held = claims.renew(runs, token, seconds=0, now=now)
            runs = [run for run in runs if run.pk in held]
        open_changes = Change.objects.filter(
            plan__in=[run.plan_id for run in runs], account__system=runs[0].system if runs else None
        )
        left = open_changes.filter(is_current=True).exclude(authority=Authority.NONE).exclude(state__in=OVER)
        AccountRecord.objects.filter(pk__in=left.values("account_id")).update(
            state=AccessState.UNREACHABLE, reason=reason
        )
        for run in runs:
            run.attempts += 1
            run.state, run.reason, run.next_at = RunState.WAITING, reason, now + pause(run.attempts)
        write_rows(list(runs), ["state", "reason", "next_at", "attempts"])
        _come_back(runs)


def settle(
    runs: Sequence[SystemRun],
    token: str,
    *,
    by: Mapping[UUID, str] | None = None,
    worse: Collection[int] = (),
) -> None:
    """Let runs of one system wait for the next moment at which something is due, or end; and tell of what
    failed.

    `by` says who acts in each departure, `worse` of which accounts something failed just now.
    """
    if not runs:
        return
    now = clock.now()
    with transaction.atomic():
        lock_all([run.plan.departure_id for run in runs])
        held = claims.renew(runs, token, seconds=0, now=now)
        runs = [run for run in runs if run.pk in held]
        pending: dict[int, datetime] = {}
        waiting = (
            Change.objects.filter(
                plan__in=[run.plan_id for run in runs],
                account__system=runs[0].system if runs else None,
                is_current=True,
            )
            .filter(Q(state__in=ON_THE_WAY) | Q(attempts=0, next_attempt_at__isnull=False))
            .exclude(state__in=OVER)
            .exclude(authority=Authority.NONE)
            .values_list("plan_id", "next_attempt_at")
        )
        for plan_id, moment in waiting:
            pending[plan_id] = min(moment or now, pending.get(plan_id, moment or now))
        for run in runs:
            if run.plan_id in pending:
                run.state, run.next_at = RunState.WAITING, max(pending[run.plan_id], now)
            else:
                run.state, run.next_at, run.ended_at, run.reason = RunState.ENDED, None, now, ""
        write_rows(list(runs), ["state", "next_at", "ended_at", "reason"])
        close_plans([run.plan for run in runs if run.state == RunState.ENDED], now)
        _come_back([run for run in runs if run.state == RunState.WAITING])
        cutting = {run.plan_id: run.plan for run in runs if run.plan.kind != PlanKind.RESTORE}
        of = {plan.departure_id: plan for plan in cutting.values()}
        accounts = AccountRecord.objects.filter(
            changes__plan__in=cutting, system=runs[0].system if runs else None
        )
        by = by or {}
        if any(plan.cut_id is not None or plan.ghost_id is not None for plan in cutting.values()):
            settle_proven(accounts.distinct(), now=now)
        review_many(
            accounts.select_related("system").distinct(),
            by={pk: by.get(pk, plan.made_by) for pk, plan in of.items() if pk is not None},
            now=now,
            worse=worse,
        )
        for run in runs:
            # Of a group, each journey looks at itself once, when its plan is over.
            if run.plan.cut_id is None:
                _poke(run.plan)


def _poke(plan: Plan) -> None:
    if plan.departure_id is not None:
        poke(plan.departure_id)


def _come_back(runs: Sequence[SystemRun]) -> None:
    """Ask for these again at their time; those of one cut together."""
    soonest: dict[object, SystemRun] = {}
    for run in runs:
        name = run.plan.cut_id or run.plan_id
        if name not in soonest or (run.next_at or clock.now()) < (soonest[name].next_at or clock.now()):
            soonest[name] = run
        if run.plan.cut_id is None:
            _poke(run.plan)
    for run in soonest.values():
        if run.next_at is not None:
            wake.resume_at(run, run.next_at)


def close_plans(plans: Sequence[Plan], now: datetime) -> None:
    """Close the plans that have no live run any more."""
    if not plans:
        return
    live = SystemRun.objects.filter(plan=OuterRef("pk"), state__in=claims.LIVE)
    drifted = SystemRun.objects.filter(plan=OuterRef("pk"), state=RunState.DRIFTED)
    over = list(
        Plan.objects.filter(~Exists(live), pk__in=[plan.pk for plan in plans]).annotate(
            has_drifted=Exists(drifted)
        )
    )
    keys = {name: [p.pk for p in over if p.has_drifted is name] for name in (True, False)}
    for has_drifted, state in ((True, PlanState.DRIFTED), (False, PlanState.APPLIED)):
        Plan.objects.filter(pk__in=keys[has_drifted], state=PlanState.APPLYING).update(
            state=state, ended_at=now
        )
    # Approved while the standing rule was at work: what it left waits for `apply`, its own runs are over.
    Plan.objects.filter(pk__in=[p.pk for p in over], state=PlanState.APPROVED).update(ended_at=now)
    seal_all([plan for plan in over if plan.kind == PlanKind.CUT])
    announce_enabled_accounts(over, now=now)
    for plan in over:
        if plan.cut_id is not None:
            _poke(plan)
