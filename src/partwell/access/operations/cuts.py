"""The kill switch: shutting people out now, by one person's word, or by two where it is many.

It does what can be undone, at once and without asking systems first. What cannot be undone waits for a second
person, as everywhere, unless the plan that is on record was approved before.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta
from uuid import UUID

from django.db.models import Max

from partwell.access import wake
from partwell.access.alerts import raise_alert, resolve_alerts
from partwell.access.claims import LIVE
from partwell.access.credentials import rotations
from partwell.access.models import Cut, Plan, System, SystemRun
from partwell.access.operations.plans import lock_all
from partwell.access.states import AlertKind, CutState, PlanKind, PlanState, RunState
from partwell.connector_kit.plan import checksum
from partwell.departures.models import Departure
from partwell.departures.policies import authorise
from partwell.engine.operations import cancel_timer, set_timer
from partwell.evidence.operations import build, departure_scope, record_many
from partwell.people.actors import Actor, engine_actor
from partwell.people.authorisation import operation
from partwell.people.models import User
from partwell.refusals import Conflict, Invalid, NotAllowed

# So many at once by one person's word; more need a second person first.
ALONE = 5
LARGEST = 1000
REVIEW_WITHIN = timedelta(hours=24)
FIRE, REVIEW = "access.fire_cut", "access.review_cut"


@operation("access.cut")
def order_cut(
    *,
    departures: Sequence[Departure],
    title: str,
    reason: str,
    actor: Actor,
    now: datetime,
    fire_at: datetime | None = None,
) -> Cut:
    """Order that these departures are shut out: at once, or at `fire_at`, where they are few; once a second
    person has approved, where they are many.

    Raises `Invalid` without a reason, for nobody, for too many and for a time that has passed; `NotAllowed`
    and `NotFound` as for any of the departures, and then nobody is shut out.
    """
    for departure in departures:
        authorise(actor, "access.cut", departure)
    if len(reason.strip()) < 10:
        raise Invalid("reason_missing", "Say in a sentence why this cannot wait.", field="reason")
    if not 1 <= len(departures) <= LARGEST:
        raise Invalid(
            "too_many", f"A cut is of 1 to {LARGEST} people; this is {len(departures)}.", field="who"
        )
    if fire_at is not None and fire_at.tzinfo is None:
        raise Invalid(
            "zone_missing", "Say the time with its zone, as 2026-11-27T14:00+01:00.", field="fire_at"
        )
    if fire_at is not None and fire_at <= now:
        raise Invalid("time_passed", "That time has passed. Cut now, or choose a later one.", field="fire_at")
    cut = Cut.objects.create(
        title=title,
        reason=reason.strip(),
        state=CutState.READY if len(departures) <= ALONE else CutState.WAITING,
        ordered_by=actor.label,
        ordered_by_id=actor.user_id,
        ordered_at=now,
        fire_at=fire_at,
    )
    cut.departures.set(departures)
    _record(cut, departures, "access.cut_ordered", actor, now, fields={"people": len(departures)})
    if cut.state == CutState.READY:
        _make_ready(cut, actor, now)
    return cut


@operation("access.approve_cut")
def approve_cut(*, cut: Cut, actor: Actor, now: datetime) -> Cut:
    """Approve a cut of many, as a second person; it fires at once, or at its time.

    Raises `NotAllowed` for the one who ordered it, for tokens and the console, `Conflict` when it does not
    wait for anybody.
    """
    cut, departures = _locked(cut)
    for departure in _still_open(departures):
        authorise(actor, "access.approve_cut", departure)
    _check_second_person(cut, actor)
    if cut.state != CutState.WAITING:
        raise Conflict("cut_not_waiting", f"This cut is {cut.state}; it does not wait for an approval.")
    cut.state, cut.approved_by, cut.approved_at = CutState.READY, actor.label, now
    cut.save(update_fields=["state", "approved_by", "approved_at"])
    _record(cut, departures, "access.cut_approved", actor, now)
    _make_ready(cut, actor, now)
    return cut


@operation("access.cancel_cut")
def cancel_cut(*, cut: Cut, actor: Actor, now: datetime) -> Cut:
    """Call a cut off before it is fired. Raises `Conflict` when it was."""
    cut, departures = _locked(cut)
    for departure in departures:
        authorise(actor, "access.cancel_cut", departure)
    if cut.state not in (CutState.WAITING, CutState.READY):
        raise Conflict(
            "cut_fired", f"This cut is {cut.state}. What was done can be restored, person by person."
        )
    cut.state, cut.ended_at = CutState.CANCELLED, now
    cut.save(update_fields=["state", "ended_at"])
    cancel_timer(FIRE, key=str(cut.pk))
    _record(cut, departures, "access.cut_cancelled", actor, now)
    return cut


@operation("access.stop_cut")
def stop_cut(*, cut: Cut, actor: Actor, now: datetime) -> Cut:
    """Stop a cut that is running: nothing more is asked for. What was asked stays done, and is on record."""
    cut, departures = _locked(cut)
    for departure in departures:
        authorise(actor, "access.stop_cut", departure)
    if cut.state != CutState.FIRED:
        raise Conflict("cut_not_running", f"This cut is {cut.state}; there is nothing to stop.")
    live = SystemRun.objects.filter(plan__cut=cut, state__in=LIVE)
    plans = list(Plan.objects.filter(cut=cut, runs__in=live).distinct())
    live.update(state=RunState.ENDED, ended_at=now, reason=f"Stopped by {actor.label}.")
    Plan.objects.filter(pk__in=[plan.pk for plan in plans], state=PlanState.APPLYING).update(
        state=PlanState.APPLIED, ended_at=now
    )
    cut.state, cut.ended_at = CutState.STOPPED, now
    cut.save(update_fields=["state", "ended_at"])
    _record(cut, departures, "access.cut_stopped", actor, now, fields={"plans": len(plans)})
    return cut


@operation("access.review_cut")
def review_cut(*, cut: Cut, note: str, actor: Actor, now: datetime) -> Cut:
    """Say, as another person than who ordered it, that the cut was looked at; `note` says with what result.

    Undoing it is `restore_plan`, person by person.
    """
    cut, departures = _locked(cut)
    for departure in departures:
        authorise(actor, "access.review_cut", departure)
    _check_second_person(cut, actor)
    if cut.fired_at is None or cut.reviewed_at is not None:
        raise Conflict("nothing_to_review", "This cut was reviewed already, or never fired.")
    if not note.strip():
        raise Invalid("note_missing", "Say what you looked at, and whether it was right.", field="note")
    cut.reviewed_by, cut.reviewed_at, cut.review_note = actor.label, now, note.strip()
    cut.save(update_fields=["reviewed_by", "reviewed_at", "review_note"])
    cancel_timer(REVIEW, key=str(cut.pk))
    for departure in departures:
        resolve_alerts(departure, kind=AlertKind.CUT_NOT_REVIEWED, key=str(cut.pk), now=now)
    _record(cut, departures, "access.cut_reviewed", actor, now, fields={"note": cut.review_note})
    return cut


def fire_due_cut(key: str, now: datetime) -> None:
    """A cut's time has come. The engine's timer `access.fire_cut`; `key` is its id."""
    cut = Cut.objects.filter(pk=UUID(key), state=CutState.READY).first()
    if cut is not None and cut.fire_at is not None and cut.fire_at <= now:
        _fire_on_time(cut, engine_actor(f"kill switch, by {cut.ordered_by}"), now)


@operation("access.fire_cut_on_time")
def _fire_on_time(cut: Cut, actor: Actor, now: datetime) -> None:
    cut, departures = _locked(cut)
    if cut.state == CutState.READY:
        for departure in departures:
            authorise(actor, "access.fire_cut_on_time", departure)
        _fire(cut, departures, actor, now)


@operation("access.fire_cut")
def fire_cut(*, cut: Cut, actor: Actor, now: datetime) -> Cut:
    """Shut them out now: what is on record as approved runs whole, for everybody else what can be undone.

    Their own sign-ins here end in the same moment. Raises `Conflict` when the cut is not ready.
    """
    cut, departures = _locked(cut)
    for departure in _still_open(departures):
        authorise(actor, "access.fire_cut", departure)
    if cut.state != CutState.READY:
        raise Conflict("cut_not_ready", f"This cut is {cut.state} and cannot be fired.")
    _fire(cut, departures, actor, now)
    return cut


def warn_about_missing_review(key: str, now: datetime) -> None:
    """Nobody has reviewed a cut in time. The engine's timer `access.review_cut`; `key` is the cut's id."""
    cut = Cut.objects.filter(pk=UUID(key), reviewed_at__isnull=True, fired_at__isnull=False).first()
    if cut is not None:
        _raise_missing_review(cut, now)


@operation("access.miss_review")
def _raise_missing_review(cut: Cut, now: datetime) -> None:
    actor = engine_actor("kill switch")
    for departure in cut.departures.all():
        raise_alert(
            departure,
            kind=AlertKind.CUT_NOT_REVIEWED,
            key=str(cut.pk),
            text=(
                f"{departure.subject_name} was shut out by {cut.ordered_by}, and nobody else has looked at "
                "it for a day. Look at what was cut, and say whether it was right."
            ),
            actor=actor,
            now=now,
        )


def _locked(cut: Cut) -> tuple[Cut, list[Departure]]:
    cut = Cut.objects.select_for_update().get(pk=cut.pk)
    departures = list(cut.departures.order_by("pk"))
    lock_all([departure.pk for departure in departures])
    return cut, departures


def _still_open(departures: Sequence[Departure]) -> Sequence[Departure]:
    """Those whom a cut can still be of; all of them where every one has ended, so that it is said so."""
    return [departure for departure in departures if departure.is_open] or departures


def _check_second_person(cut: Cut, actor: Actor) -> None:
    if not actor.can_be_second_person:
        raise NotAllowed(
            "second_person_needed",
            "This needs a person who is signed in on the web; a token or the console is not one.",
        )
    if actor.user_id == cut.ordered_by_id:
        raise NotAllowed("same_person", "You ordered this cut yourself. Another person has to look at it.")


def _make_ready(cut: Cut, actor: Actor, now: datetime) -> None:
    """Fire, or set the time at which it is fired."""
    if cut.fire_at is not None and cut.fire_at > now:
        set_timer(FIRE, key=str(cut.pk), due_at=cut.fire_at)
        return
    _, departures = _locked(cut)
    _fire(cut, departures, actor, now)


def _fire(cut: Cut, departures: Sequence[Departure], actor: Actor, now: datetime) -> None:
    departures = [departure for departure in departures if departure.is_open]
    cut.state, cut.fired_at, cut.review_due_at = CutState.FIRED, now, now + REVIEW_WITHIN
    cut.save(update_fields=["state", "fired_at", "review_due_at"])
    cancel_timer(FIRE, key=str(cut.pk))
    set_timer(REVIEW, key=str(cut.pk), due_at=cut.review_due_at)
    _end_access_now(departures, now)
    rotations.at_access_end(departures, actor=actor, now=now)
    plans = _plans_of(cut, departures, now)
    systems = _start_runs(plans, now)
    versions = {plan.departure_id: plan.version for plan in plans}
    record_many(
        build(
            "access.cut_fired",
            scope=departure_scope(departure.pk),
            actor=actor.label,
            at=now,
            fields={"cut": str(cut.pk), "plan": versions[departure.pk], "reason": cut.reason},
        )
        for departure in departures
    )
    for system_id in systems:
        wake.start_cut(cut.pk, system_id, at=now)


def _end_access_now(departures: Sequence[Departure], now: datetime) -> None:
    """Access ends now and not later, in Partwell too: an inactive user's sessions die at the next request."""
    later = [departure for departure in departures if departure.access_end_at > now]
    for departure in later:
        departure.access_end_at = now
    Departure.objects.filter(pk__in=[departure.pk for departure in later]).update(access_end_at=now)
    people = {departure.person_id for departure in departures if departure.person_id}
    User.objects.filter(person_id__in=people, is_active=True).update(is_active=False)
    wake.end_now([departure.pk for departure in later], now)


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
    nothing_yet = checksum(())
    made = Plan.objects.bulk_create(
        Plan(
            departure_id=pk,
            version=newest[pk].version + 1 if pk in newest else 1,
            kind=PlanKind.CUT,
            state=PlanState.APPLYING,
            cut=cut,
            checksum=nothing_yet,
            reason=cut.reason,
            made_at=now,
            applied_at=now,
            made_by=cut.ordered_by,
            requested_by_id=cut.ordered_by_id,
        )
        for pk in others
    )
    return [*approved, *made]


def _newest_plans(departures: Sequence[UUID]) -> dict[UUID, Plan]:
    highest = (
        Plan.objects.filter(departure_id__in=departures)
        .values("departure_id")
        .annotate(highest=Max("version"))
        .values_list("departure_id", "highest")
    )
    versions = dict(highest)
    plans = Plan.objects.filter(departure_id__in=departures)
    return {plan.departure_id: plan for plan in plans if plan.version == versions[plan.departure_id]}


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


def _record(
    cut: Cut,
    departures: Sequence[Departure],
    kind: str,
    actor: Actor,
    now: datetime,
    fields: dict[str, object] | None = None,
) -> None:
    """One event in each departure that the cut is of."""
    record_many(
        build(
            kind,
            scope=departure_scope(departure.pk),
            actor=actor.label,
            at=now,
            fields={"cut": str(cut.pk), "title": cut.title, "reason": cut.reason, **(fields or {})},
        )
        for departure in departures
    )
