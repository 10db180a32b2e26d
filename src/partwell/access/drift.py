"""What to do when a system is not as it was when the plan was approved."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from django.db import transaction

from partwell.access.alerts import drift_key, raise_alert
from partwell.access.bindings import CHANGED, is_elsewhere
from partwell.access.discovery import Answer, Found, new_accounts
from partwell.access.models import AccountRecord, Change, Plan, SystemRun
from partwell.access.operations.plans import lock, new_plan, record_plan, start_runs
from partwell.access.proposals import STANDING_RULE, seal, store_answer
from partwell.access.states import AlertKind, Link, PlanKind, PlanState, RunState
from partwell.connector_kit.plan import drift_between
from partwell.engine.operations import poke
from partwell.evidence.operations import departure_scope, record
from partwell.people.actors import engine_actor


@dataclass(frozen=True)
class Drift:
    """How a system differs from what its plan expects: in words, and the ids of the accounts meant."""

    what: str
    accounts: tuple[str, ...]


def find_drift(run: SystemRun, answer: Answer) -> Drift | None:
    """How the system differs from what the plan expects; None when it does not.

    Accounts are compared only before the plan's first write there: afterwards the differences are our own.
    """
    changes = list(
        Change.objects.filter(plan=run.plan, account__system=run.system, is_current=True).select_related(
            "account"
        )
    )
    digest = run.system.connection_digest
    if any(is_elsewhere(change, digest) for change in changes):
        return Drift(CHANGED, ())
    if any(change.requested_at is not None for change in changes):
        return None
    expected = {change.account.external_id for change in changes}
    on_record = AccountRecord.objects.filter(departure=run.plan.its_departure_id, system=run.system)
    unclear = set(on_record.filter(state="ambiguous").values_list("external_id", flat=True))
    unclear |= set(on_record.filter(link=Link.NOT_OURS).values_list("external_id", flat=True))
    if unknown := new_accounts(answer, expected | unclear):
        names = ", ".join(account.login or account.external_id for account in unknown)
        return Drift(
            f"an account that the plan does not know: {names}",
            tuple(account.external_id for account in unknown),
        )
    fresh = {account.external_id: account for account in answer.matched}
    for change in changes:
        if not change.account.external_id:
            continue
        if found := drift_between(change.expects, fresh.get(change.account.external_id)):
            name = change.account.login or change.account.external_id
            return Drift(f"{name}: {found}", (change.account.external_id,))
    return None


def make_delta(run: SystemRun, answer: Answer, *, drift: Drift, now: datetime) -> Plan:
    """Stop this system's run and propose afresh, for this system alone. The others go on.

    After access end the standing rule lets the new proposal block and suspend at once.
    """
    with transaction.atomic():
        departure = run.plan.its_departure
        lock(departure)
        actor = engine_actor(f"approved plan {run.plan.version}")
        is_past_end = departure.is_open and now >= departure.access_end_at
        delta = Plan.objects.filter(parent=run.plan, kind=PlanKind.DELTA, approved_at__isnull=True).exclude(
            state=PlanState.SUPERSEDED
        ).first() or new_plan(departure, kind=PlanKind.DELTA, actor=actor, now=now, parent=run.plan)
        store_answer(delta, run.system, answer, now=now, rule=STANDING_RULE if is_past_end else None)
        delta.reason = f"Drift in {run.system.title}: {drift.what}."
        seal(delta)
        run.state, run.reason, run.ended_at = RunState.DRIFTED, delta.reason, now
        run.save(update_fields=["state", "reason", "ended_at"])
        record(
            "access.drifted",
            scope=departure_scope(departure.pk),
            actor=actor.label,
            at=now,
            fields={
                "plan": run.plan.version,
                "delta": delta.version,
                "system": run.system.name,
                "system_title": run.system.title,
                "accounts": list(drift.accounts),
                "what": drift.what,
            },
        )
        record_plan(delta, actor, now)
        raise_alert(
            departure,
            kind=AlertKind.DRIFTED,
            key=drift_key(delta, run.system.name),
            text=delta.reason,
            actor=actor,
            now=now,
        )
        if is_past_end and answer.found is not Found.NONE:
            start_runs(delta, actor=engine_actor("standing rule"), now=now, systems=[run.system])
        poke(departure.pk)
    return delta
