"""The standing rule at access end, and telling people before it comes to that."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime, timedelta
from uuid import UUID

from partwell.access import days_after, wake
from partwell.access.alerts import raise_alert, resolve_alerts, review_accounts
from partwell.access.credentials import rotations
from partwell.access.models import Alert, Plan, System
from partwell.access.operations.plans import lock, new_plan, record_plan, start_runs
from partwell.access.proposals import seal
from partwell.access.states import AccessState, AlertKind, PlanKind, PlanState
from partwell.access.transfers import opening
from partwell.departures.models import Departure
from partwell.departures.policies import authorise
from partwell.engine.operations import poke
from partwell.people.actors import Actor, engine_actor
from partwell.people.authorisation import operation

ESCALATE_HOURS = (24, 1)
RULE = "standing rule"


def schedule(departure: Departure, *, now: datetime) -> None:
    """Set, or move, the timers of this departure's access end. To be called whenever its dates change, in
    the same transaction. An escalation whose time is past already is not set again."""
    schedule_all([departure], now=now)


def schedule_all(departures: Iterable[Departure], *, now: datetime) -> None:
    """`schedule` for departures that begin together, with the queries of one."""
    escalations: dict[tuple[UUID, int], datetime] = {}
    ends = {departure.pk: departure.access_end_at for departure in departures}
    for pk, end in ends.items():
        for hours in ESCALATE_HOURS:
            if (before := end - timedelta(hours=hours)) > now:
                escalations[pk, hours] = before
    wake.end_at(ends, escalate_at=escalations)


def unschedule(departure: Departure) -> None:
    """Take the timers back: the notice was withdrawn, or the departure is closed."""
    wake.forget(departure.pk, ESCALATE_HOURS)


@operation("access.enforce")
def enforce_access_end(*, departure_id: UUID, now: datetime, actor: Actor | None = None) -> Plan | None:
    """Access ends now, with a signature or without.

    An approved plan is applied whole. Otherwise every system gets a run under the standing rule, which looks
    for the accounts itself, blocks and suspends them and ends their sessions; what cannot be undone waits
    for an approval. Returns None when there is nothing to do: the departure has ended or moved, or a run
    under the rule is on its way.
    """
    departure = Departure.objects.get(pk=departure_id)
    actor = actor or engine_actor(RULE)
    authorise(actor, "access.enforce", departure)
    if not departure.is_open or now < departure.access_end_at:
        return None
    lock(departure)
    days_after.schedule(departure)
    rotations.open_all([departure], actor=actor, now=now)
    opening.at_access_end([departure], now=now)
    plans = departure.access_plans.exclude(kind=PlanKind.RESTORE).select_related("cut")
    latest = plans.order_by("-version").first()
    if latest is not None and latest.state == PlanState.APPLYING and _covers_everything(latest):
        # Nothing asks again for what has failed under it already, and now access has ended.
        failed = list(departure.access_accounts.filter(state=AccessState.FAILED).select_related("system"))
        review_accounts(departure.pk, failed, by=actor.label, now=now)
        return None
    if latest is not None and latest.cut is not None and latest.cut.fired_at == departure.access_end_at:
        return None  # the kill switch has done all that this rule would do, at this very access end
    if latest is not None and latest.state == PlanState.APPROVED:
        start_runs(latest, actor=engine_actor(f"approved plan {latest.version}"), now=now)
        return latest
    plan = new_plan(departure, kind=PlanKind.STANDING, actor=actor, now=now)
    plan.reason = (
        "Access has ended; nobody had approved a plan."
        if latest is None or latest.approved_at is None
        else ("Access has ended; what was cut before is read again, what was not is cut.")
    )
    systems = list(System.objects.filter(is_enabled=True))
    seal(plan)
    record_plan(plan, actor, now)
    start_runs(plan, actor=actor, now=now, systems=systems)
    poke(departure.pk)
    return plan


def _covers_everything(plan: Plan) -> bool:
    """Whether the running plan has a run in every enabled system; a delta has only its own."""
    return not System.objects.filter(is_enabled=True).exclude(runs__plan=plan).exists()


@operation("access.escalate")
def escalate(*, departure_id: UUID, now: datetime, actor: Actor | None = None) -> Alert | None:
    """Raise that access ends soon and no plan is approved; None when there is no need to."""
    departure = Departure.objects.get(pk=departure_id)
    actor = actor or engine_actor("access end is near")
    authorise(actor, "access.escalate", departure)
    if not departure.is_open or now >= departure.access_end_at:
        return None
    latest = departure.access_plans.exclude(kind=PlanKind.RESTORE).order_by("-version").first()
    if latest is not None and latest.approved_at is not None:
        resolve_alerts(departure, kind=AlertKind.NO_APPROVED_PLAN, now=now)
        return None
    minutes = max(0, round((departure.access_end_at - now).total_seconds() / 60))
    left = f"{round(minutes / 60)} hours" if minutes >= 90 else f"{minutes} minutes"
    return raise_alert(
        departure,
        kind=AlertKind.NO_APPROVED_PLAN,
        key=departure.access_end_at.isoformat() + (":24" if minutes > 90 else ":1"),
        text=(
            f"Access of {departure.subject_name} ends in {left}, and no plan is approved. At that time "
            "sign-in is blocked and sessions are ended all the same; the rest waits for an approval."
        ),
        actor=actor,
        now=now,
    )
