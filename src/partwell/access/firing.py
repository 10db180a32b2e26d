"""Setting a cut off: whose access ends now, by which plans, in which systems; by stages where it has any."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta
from uuid import UUID

from django.db.models import Max

from partwell.access import wake
from partwell.access.announcing import announce_ended_sessions
from partwell.access.claims import LIVE
from partwell.access.credentials import rotations
from partwell.access.models import Cut, Plan, System, SystemRun
from partwell.access.states import CutState, PlanKind, PlanState, RunState
from partwell.access.transfers import opening
from partwell.connector_kit.plan import checksum
from partwell.departures.models import Departure
from partwell.engine.operations import cancel_timer, set_timer
from partwell.evidence.operations import build, record_many
from partwell.people.actors import Actor
from partwell.people.models import User

FIRE, REVIEW, STAGE = "access.fire_cut", "access.review_cut", "access.next_stage"
REVIEW_WITHIN = timedelta(hours=24)
# How long after a stage has begun it is looked at, again and again, until it is over.
LOOK_AFTER = timedelta(seconds=5)


def fire(cut: Cut, departures: Sequence[Departure], actor: Actor, now: datetime) -> None:
    """Begin with the first stage, which is everybody unless the cut goes by stages; in the caller's
    transaction, with the departures locked."""
    cut.state, cut.fired_at, cut.review_due_at = CutState.FIRED, now, now + REVIEW_WITHIN
    cut.save(update_fields=["state", "fired_at", "review_due_at"])
    cancel_timer(FIRE, key=str(cut.pk))
    set_timer(REVIEW, key=str(cut.pk), due_at=cut.review_due_at)
    begin_stage(cut, departures, actor, now)


def begin_stage(cut: Cut, departures: Sequence[Departure], actor: Actor, now: datetime) -> int:
    """Shut out the next of these departures, as many as a stage takes; how many that were."""
    left = yet_to_begin(cut, departures)
    stage = left[: cut.stage_size or None]
    _end_access_now(stage, now)
    rotations.open_all(stage, actor=actor, now=now)
    opening.at_access_end(stage, now=now)
    plans = _plans_of(cut, stage, now)
    systems = _start_runs(plans, now)
    announce_ended_sessions(plans, stage, now=now, shuts_out=True)
    record_fired(cut, plans, actor, now)
    for system_id in systems:
        wake.start_cut(cut.pk, system_id, at=now)
    if len(left) > len(stage):
        set_timer(STAGE, key=str(cut.pk), due_at=now + LOOK_AFTER)
    return len(stage)


def record_fired(cut: Cut, plans: Sequence[Plan], actor: Actor, now: datetime) -> None:
    """Put on record, in each departure, by which plan it is cut."""
    record_many(
        build(
            "access.cut_fired",
            scope=plan.scope,
            actor=actor.label,
            at=now,
            fields={"cut": str(cut.pk), "plan": plan.version, "reason": cut.reason},
        )
        for plan in plans
    )


def yet_to_begin(cut: Cut, departures: Sequence[Departure]) -> list[Departure]:
    """Those of them whom no stage has come to, and whose departure is still open."""
    begun = set(Plan.objects.filter(cut=cut).values_list("departure_id", flat=True))
    return [departure for departure in departures if departure.is_open and departure.pk not in begun]


def _end_access_now(departures: Sequence[Departure], now: datetime) -> None:
    """Access ends now and not later, in Partwell too: an inactive user's sessions die at the next request."""
    later = [departure for departure in departures if departure.access_end_at > now]
    for departure in later:
        departure.access_end_at = now
    Departure.objects.filter(pk__in=[departure.pk for departure in later]).update(access_end_at=now)
    people = {departure.person_id for departure in departures if departure.person_id}
    User.objects.filter(person_id__in=people, is_active=True).update(is_active=False)
    wake.end_after_cut([departure.pk for departure in later], now)


def _plans_of(cut: Cut, departures: Sequence[Departure], now: datetime) -> list[Plan]:
    """The plan that each departure is cut by: the approved one on record, or one that learns as it goes."""
    keys = [departure.pk for departure in departures]
    newest = _newest_plans(keys)
    approved = [plan for plan in newest.values() if plan.state == PlanState.APPROVED]
    others = [pk for pk in keys if pk not in {plan.departure_id for plan in approved}]
    _supersede(others, now)
    Plan.objects.filter(pk__in=[plan.pk for plan in approved]).update(
        cut=cut, state=PlanState.APPLYING, applied_at=now
    )
    made = Plan.objects.bulk_create(
        new_plan(cut, pk, version=newest[pk].version + 1 if pk in newest else 1, now=now) for pk in others
    )
    return [*approved, *made]


def new_plan(cut: Cut, departure_id: UUID, *, version: int, now: datetime) -> Plan:
    """A plan, not stored yet, that runs at once and learns from each system what there is to cut."""
    return Plan(
        departure_id=departure_id,
        version=version,
        kind=PlanKind.CUT,
        state=PlanState.APPLYING,
        cut=cut,
        checksum=checksum(()),
        reason=cut.reason,
        made_at=now,
        applied_at=now,
        made_by=cut.ordered_by,
        requested_by_id=cut.ordered_by_id,
    )


def _newest_plans(departures: Sequence[UUID]) -> dict[UUID, Plan]:
    highest = (
        Plan.objects.filter(departure_id__in=departures)
        .values("departure_id")
        .annotate(highest=Max("version"))
        .values_list("departure_id", "highest")
    )
    versions = dict(highest)
    plans = Plan.objects.filter(departure_id__in=departures)
    return {plan.its_departure_id: plan for plan in plans if plan.version == versions[plan.its_departure_id]}


def _supersede(departures: Sequence[UUID], now: datetime) -> None:
    """What was proposed, or is under way, gives way; runs that wait for a system go on in the new plans."""
    earlier = Plan.objects.filter(departure_id__in=departures)
    earlier.filter(state__in=(PlanState.PROPOSED, PlanState.APPROVED)).update(state=PlanState.SUPERSEDED)
    SystemRun.objects.filter(plan__departure_id__in=departures, state__in=LIVE).update(
        state=RunState.ENDED, ended_at=now, reason="The kill switch carries on."
    )
    earlier.filter(state=PlanState.APPLYING).update(state=PlanState.APPLIED, ended_at=now)


def _start_runs(plans: Sequence[Plan], now: datetime) -> list[int]:
    """A run of each plan in each enabled system; the systems in which there is one."""
    systems = list(System.objects.filter(is_enabled=True).values_list("pk", flat=True))
    SystemRun.objects.bulk_create(
        (
            SystemRun(plan=plan, system_id=system_id, started_at=now)
            for system_id in systems
            for plan in plans
        ),
        batch_size=500,
        ignore_conflicts=True,
    )
    return systems if plans else []
