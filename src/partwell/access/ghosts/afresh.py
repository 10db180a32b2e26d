"""Looking at an account of nobody once more, in the moment before it is cut: what was approved is cut, or
nothing."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from django.db import transaction

from partwell import clock
from partwell.access import claims
from partwell.access.bindings import CHANGED, is_elsewhere
from partwell.access.connections import Session
from partwell.access.endings import close_plans, wait_for_system
from partwell.access.ghosts.findings import ghost_event
from partwell.access.models import Change, Ghost, SystemRun
from partwell.access.states import GhostState, RunState
from partwell.connector_kit.contract import Account, ConnectorError
from partwell.connector_kit.plan import drift_between
from partwell.evidence.operations import record_many
from partwell.people.actors import engine_actor


def still_as_approved(runs: Sequence[SystemRun], session: Session, token: str) -> list[SystemRun]:
    """Those of these runs whose account is as it was approved, or was begun with already, and whose
    connection is the same. The others stop, or wait where the system says nothing."""
    elsewhere = [run for run in runs if _leads_elsewhere(run, session)]
    for run in elsewhere:
        _stop(run, CHANGED, token)
    going = [run for run in runs if run not in elsewhere and _is_begun(run)]
    fresh = [run for run in runs if run not in elsewhere and run not in going]
    answers: list[Account | ConnectorError | None] = session.call_all(
        [_read_call(run.plan.changes.select_related("account")[0]) for run in fresh]
    )
    for run, answer in zip(fresh, answers, strict=True):
        if isinstance(answer, ConnectorError):
            wait_for_system([run], answer.message, token=token, now=clock.now())
        elif drift := drift_between(run.plan.changes.all()[0].expects, answer):
            _stop(run, f"{drift} since plan {run.plan.version} was approved", token)
        else:
            going.append(run)
    return going


def _leads_elsewhere(run: SystemRun, session: Session) -> bool:
    return any(is_elsewhere(change, session.target.digest) for change in run.plan.changes.all())


def _is_begun(run: SystemRun) -> bool:
    return run.plan.changes.filter(requested_at__isnull=False).exists()


def _read_call(change: Change) -> Any:
    return lambda connector: connector.read(change.account.external_id)


def _stop(run: SystemRun, drift: str, token: str) -> None:
    """It is not what was approved: nothing is cut, and it is for people to look again."""
    now = clock.now()
    with transaction.atomic():
        if not claims.renew([run], token, seconds=0, now=now):
            return
        why = f"Stopped: {drift}. Propose it afresh."
        run.state, run.reason, run.ended_at = RunState.DRIFTED, why, now
        run.save(update_fields=["state", "reason", "ended_at"])
        close_plans([run.plan], now)
        ghost = Ghost.objects.select_related("system").get(plans=run.plan)
        Ghost.objects.filter(pk=ghost.pk, state=GhostState.CUTTING).update(state=GhostState.OPEN, reason=why)
        actor = engine_actor(f"approved plan {run.plan.version}")
        record_many(
            [ghost_event("system.ghost_cut_drifted", ghost, actor, now, plan=run.plan.version, what=drift)]
        )
