"""The kill switch: shutting people out now, by one person's word, or by two where it is many.

It does what can be undone, at once and without asking systems first. What cannot be undone waits for a second
person, as everywhere, unless the plan that is on record was approved before.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from django.db.models import Max

from partwell.access.alerts import raise_alert, resolve_alerts
from partwell.access.claims import LIVE
from partwell.access.firing import FIRE, LOOK_AFTER, REVIEW, STAGE, begin_stage, fire, yet_to_begin
from partwell.access.models import AccountRecord, Cut, Plan, SystemRun
from partwell.access.operations.plans import lock_all
from partwell.access.states import AccessState, AlertKind, CutState, Link, PlanState, RunState
from partwell.departures.models import Departure
from partwell.departures.policies import authorise
from partwell.engine.operations import cancel_timer, set_timer
from partwell.evidence.operations import build, departure_scope, record_many
from partwell.people.actors import Actor, engine_actor
from partwell.people.authorisation import operation
from partwell.refusals import Conflict, Invalid, NotAllowed

# So many at once by one person's word; more need a second person first.
ALONE = 5
LARGEST = 1000


@dataclass(frozen=True)
class Stages:
    """How a cut goes: `size` people at a time, or all at once; held by itself where, of the accounts of a
    stage, more than `hold_above_percent` failed or gave no answer."""

    size: int | None = None
    hold_above_percent: int | None = None

    def check(self) -> None:
        """Raises `Invalid` for what is no stage and no share."""
        if self.size is not None and not 1 <= self.size <= LARGEST:
            raise Invalid("stage_size", f"A stage is of 1 to {LARGEST} people.", field="stage_size")
        if self.hold_above_percent is not None and not 0 <= self.hold_above_percent <= 100:
            raise Invalid(
                "hold_above_percent", "Say a share from 0 to 100 per cent.", field="hold_above_percent"
            )
        if self.hold_above_percent is not None and self.size is None:
            raise Invalid(
                "stage_size",
                "A cut is held between stages only. Say how many people a stage is of.",
                field="stage_size",
            )


@operation("access.cut")
def order_cut(
    *,
    departures: Sequence[Departure],
    title: str,
    reason: str,
    actor: Actor,
    now: datetime,
    fire_at: datetime | None = None,
    stages: Stages | None = None,
) -> Cut:
    """Order that these departures are shut out: at once, or at `fire_at`, where they are few; once a second
    person has approved, where they are many. With `stages`, some at a time.

    Raises `Invalid` without a reason, for nobody, for too many, for a time that has passed and for stages
    that are none; `NotAllowed` and `NotFound` as for any of the departures, and then nobody is shut out.
    """
    stages = stages or Stages()
    for departure in departures:
        authorise(actor, "access.cut", departure)
    if len(reason.strip()) < 10:
        raise Invalid("reason_missing", "Say in a sentence why this cannot wait.", field="reason")
    if not 1 <= len(departures) <= LARGEST:
        raise Invalid(
            "too_many", f"A cut is of 1 to {LARGEST} people; this is {len(departures)}.", field="who"
        )
    stages.check()
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
        stage_size=stages.size,
        hold_above_percent=stages.hold_above_percent,
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
    """Stop a cut that is running or held: nothing more is asked for, and nobody else is shut out. What was
    asked stays done, and is on record."""
    cut, departures = _locked(cut)
    for departure in departures:
        authorise(actor, "access.stop_cut", departure)
    if cut.state not in (CutState.FIRED, CutState.HELD):
        raise Conflict("cut_not_running", f"This cut is {cut.state}; there is nothing to stop.")
    live = SystemRun.objects.filter(plan__cut=cut, state__in=LIVE)
    plans = list(Plan.objects.filter(cut=cut, runs__in=live).distinct())
    live.update(state=RunState.ENDED, ended_at=now, reason=f"Stopped by {actor.label}.")
    Plan.objects.filter(pk__in=[plan.pk for plan in plans], state=PlanState.APPLYING).update(
        state=PlanState.APPLIED, ended_at=now
    )
    spared = len(yet_to_begin(cut, departures))
    cut.state, cut.ended_at = CutState.STOPPED, now
    cut.save(update_fields=["state", "ended_at"])
    cancel_timer(STAGE, key=str(cut.pk))
    _no_longer_held(cut, departures, now)
    _record(cut, departures, "access.cut_stopped", actor, now, fields={"plans": len(plans), "spared": spared})
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
        fire(cut, departures, actor, now)


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
    fire(cut, departures, actor, now)
    return cut


@operation("access.resume_cut")
def resume_cut(*, cut: Cut, actor: Actor, now: datetime) -> Cut:
    """Go on with a cut that was held: the next stage begins now. Raises `Conflict` when it is not held."""
    cut, departures = _locked(cut)
    for departure in _still_open(departures):
        authorise(actor, "access.resume_cut", departure)
    if cut.state != CutState.HELD:
        raise Conflict("cut_not_held", f"This cut is {cut.state}; there is nothing to go on with.")
    cut.state, cut.held_at = CutState.FIRED, None
    cut.save(update_fields=["state", "held_at"])
    _no_longer_held(cut, departures, now)
    _record(cut, departures, "access.cut_resumed", actor, now)
    begin_stage(cut, departures, actor, now)
    return cut


def look_at_stage(key: str, now: datetime) -> None:
    """A stage of a cut has begun a while ago. The engine's timer `access.next_stage`; `key` is the cut."""
    cut = Cut.objects.filter(pk=UUID(key), state=CutState.FIRED).first()
    if cut is not None:
        _go_on_by_stages(cut, engine_actor(f"kill switch, by {cut.ordered_by}"), now)


@operation("access.go_on_by_stages")
def _go_on_by_stages(cut: Cut, actor: Actor, now: datetime) -> None:
    """Begin the next stage, or hold the cut where too much of this one came to nothing; look again later
    while something is still being asked."""
    cut, departures = _locked(cut)
    for departure in departures:
        authorise(actor, "access.go_on_by_stages", departure)
    if cut.state != CutState.FIRED or not yet_to_begin(cut, departures):
        return
    if SystemRun.objects.filter(plan__cut=cut, state=RunState.RUNNING).exists():
        set_timer(STAGE, key=str(cut.pk), due_at=now + LOOK_AFTER)
        return
    without, accounts = _came_to_nothing(cut)
    if cut.hold_above_percent is None or 100 * without <= cut.hold_above_percent * accounts:
        begin_stage(cut, departures, actor, now)
        return
    cut.state, cut.held_at = CutState.HELD, now
    cut.save(update_fields=["state", "held_at"])
    said = f"{without} of {accounts} accounts of the last stage failed or gave no answer."
    _record(cut, departures, "access.cut_held", actor, now, fields={"because": said})
    raise_alert(
        departures[0],
        kind=AlertKind.CUT_HELD,
        key=str(cut.pk),
        text=f"The kill switch for {cut.title} is held: {said} Look at them, then go on or stop.",
        actor=actor,
        now=now,
    )


def _came_to_nothing(cut: Cut) -> tuple[int, int]:
    """Of the accounts of the stage that began last: how many failed or gave no answer, and how many they
    are."""
    begun_at = Plan.objects.filter(cut=cut).aggregate(last=Max("applied_at"))["last"]
    members = Plan.objects.filter(cut=cut, applied_at=begun_at).values("departure_id")
    accounts = AccountRecord.objects.filter(departure_id__in=members).exclude(link=Link.NOT_OURS)
    silent = accounts.filter(state__in=(AccessState.FAILED, AccessState.UNREACHABLE))
    return silent.count(), accounts.count()


def _no_longer_held(cut: Cut, departures: Sequence[Departure], now: datetime) -> None:
    for departure in departures[:1]:
        resolve_alerts(departure, kind=AlertKind.CUT_HELD, key=str(cut.pk), now=now)


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
    fire(cut, departures, actor, now)


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
