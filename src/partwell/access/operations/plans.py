"""Proposing, approving, applying and undoing access plans."""

from __future__ import annotations

from collections.abc import Collection, Iterable
from datetime import datetime
from typing import Any
from uuid import UUID

from django.db.models import Max

from partwell.access import wake
from partwell.access.alerts import drift_key, forget_accounts, resolve_alerts
from partwell.access.announcing import announce_ended_sessions
from partwell.access.bindings import bind, check_connections, hold_connections
from partwell.access.connections import Target, identities_of, run_together, target_of
from partwell.access.discovery import Answer, Found, Known, ask
from partwell.access.extras import Extras
from partwell.access.models import AccountRecord, Change, Plan, System, SystemRun
from partwell.access.proposals import (
    STANDING_RULE,
    checksum_of,
    known_accounts,
    seal,
    store_answer,
)
from partwell.access.queries import effects_to_restore
from partwell.access.states import AccessState, AlertKind, Authority, PlanKind, PlanState, RunState
from partwell.connector_kit.contract import Reversibility, Verb
from partwell.connector_kit.plan import position
from partwell.departures.models import Departure
from partwell.departures.policies import authorise
from partwell.engine.operations import poke
from partwell.evidence.operations import departure_scope, record
from partwell.people.actors import Actor, engine_actor
from partwell.people.authorisation import operation
from partwell.refusals import Conflict, NotAllowed

IN_FLIGHT = (AccessState.REQUESTED, AccessState.ACCEPTED)


def make_plan(
    *,
    departure: Departure,
    actor: Actor,
    now: datetime,
    delete_in: Collection[str] = (),
    release_in: Collection[str] = (),
) -> Plan:
    """Ask every enabled system for the leaver's accounts, and propose what to do about each.

    Systems are asked side by side; one that fails is on the plan as unreachable. Accounts in the systems
    named by `delete_in` are also to be deleted, and in those of `release_in` what is paid for by the seat is
    given back: last of all, and never without a second person. When nothing differs from the latest proposal,
    that one is returned, its approval with it.

    Raises `Invalid` for a system that cannot do what is asked of it by name.
    """
    authorise(actor, "access.plan", departure)
    _check_nothing_in_flight(departure)
    systems = list(System.objects.filter(is_enabled=True))
    targets = [target_of(system) for system in systems]
    extras = Extras(release_in=tuple(release_in), delete_in=tuple(delete_in))
    extras.check(targets)
    known = known_accounts(departure)
    identities = identities_of(departure)
    answers = run_together([ask(t, identities, known.get(t.system_id, Known())) for t in targets])
    return _store_plan(
        departure=departure,
        systems=systems,
        asked=list(zip(targets, answers, strict=True)),
        extras=extras,
        actor=actor,
        now=now,
    )


@operation("access.plan")
def _store_plan(
    *,
    departure: Departure,
    systems: list[System],
    asked: list[tuple[Target, Answer]],
    extras: Extras,
    actor: Actor,
    now: datetime,
) -> Plan:
    lock(departure)
    authorise(actor, "access.plan", departure)
    _check_nothing_in_flight(departure)
    latest = departure.access_plans.order_by("-version").first()
    if latest is not None and _says_the_same(latest, asked, checksum_of(asked, extras)):
        return latest
    plan = new_plan(departure, kind=PlanKind.FULL, actor=actor, now=now)
    is_past_end = departure.is_open and now >= departure.access_end_at
    for system, (target, answer) in zip(systems, asked, strict=True):
        rule = STANDING_RULE if is_past_end else None
        store_answer(plan, system, answer, now=now, rule=rule, asked_for=extras.verbs(target))
    seal(plan)
    record_plan(plan, actor, now)
    if is_past_end:
        # A fresh plan takes the place of runs under the standing rule, so the rule has to hold for it too.
        start_runs(plan, actor=engine_actor("standing rule"), now=now)
    poke(departure.pk)
    return plan


def _says_the_same(latest: Plan, asked: list[tuple[Target, Answer]], checksum: str) -> bool:
    return (
        latest.kind == PlanKind.FULL
        and latest.state in (PlanState.PROPOSED, PlanState.APPROVED)
        and latest.checksum == checksum
        and latest.answers == {target.name: answer.as_dict() for target, answer in asked}
    )


def _check_nothing_in_flight(departure: Departure) -> None:
    if Change.objects.filter(account__departure=departure, is_current=True, state__in=IN_FLIGHT).exists():
        raise Conflict(
            "cut_in_progress",
            "Access is being cut at this moment. Wait until it is read back, then plan again.",
        )


def lock(departure: Departure) -> None:
    """Hold the departure until the transaction ends, so that plans get their versions one after another."""
    Departure.objects.select_for_update().get(pk=departure.pk)


def lock_all(departures: Iterable[UUID | None]) -> None:
    """`lock` for many, in an order that all who do this keep; nothing for plans that are of no departure."""
    list(
        Departure.objects.select_for_update()
        .filter(pk__in=[pk for pk in departures if pk is not None])
        .order_by("pk")
        .values_list("pk", flat=True)
    )


def new_plan(
    departure: Departure, *, kind: PlanKind, actor: Actor, now: datetime, parent: Plan | None = None
) -> Plan:
    """The next version. Earlier plans that were not applied yet are superseded, and so is their approval;
    runs of theirs that wait for a system end, because this version carries on for them."""
    highest = departure.access_plans.aggregate(highest=Max("version"))["highest"] or 0
    plan = Plan.objects.create(
        departure=departure,
        version=highest + 1,
        kind=kind,
        parent=parent,
        made_at=now,
        made_by=actor.label,
        # What follows from a plan was asked for by whoever asked for that plan: they cannot approve it.
        requested_by_id=actor.user_id if parent is None else parent.requested_by_id,
    )
    if kind is not PlanKind.DELTA:
        earlier = departure.access_plans.exclude(pk=plan.pk)
        earlier.filter(state__in=(PlanState.PROPOSED, PlanState.APPROVED)).update(state=PlanState.SUPERSEDED)
        SystemRun.objects.filter(
            plan__departure=departure, state__in=(RunState.RUNNING, RunState.WAITING)
        ).exclude(plan=plan).update(
            state=RunState.ENDED, ended_at=now, reason=f"Plan {plan.version} carries on."
        )
        earlier.filter(state=PlanState.APPLYING).update(state=PlanState.APPLIED, ended_at=now)
    return plan


def record_plan(plan: Plan, actor: Actor, now: datetime) -> None:
    """The evidence of a proposal."""
    record(
        "access.planned",
        scope=plan.scope,
        actor=actor.label,
        at=now,
        fields={
            "plan": plan.version,
            "plan_kind": plan.kind,
            "checksum": plan.checksum,
            "systems": plan.answers,
            "changes": plan.changes.count(),
        },
    )


def check_approver(plan: Plan, actor: Actor, *, same: str) -> None:
    """Raise `NotAllowed` for who cannot be a second person, and, in the words `same`, who asked for it."""
    if not actor.can_be_second_person:
        raise NotAllowed(
            "second_person_needed",
            "An approval needs a person who is signed in on the web; a token or the console is not one.",
        )
    if actor.user_id == plan.requested_by_id:
        raise NotAllowed("same_person", same)


@operation("access.approve")
def approve_plan(*, plan: Plan, checksum: str, actor: Actor, now: datetime) -> Plan:
    """Approve exactly what `checksum` seals, as a second person.

    Raises `NotAllowed` for the one who asked for the plan, for API tokens and for the console; `Conflict`
    when the plan is not the one that was looked at, has been approved or replaced meanwhile, or a connection
    that it is about was changed.
    """
    departure = plan.its_departure
    authorise(actor, "access.approve", departure)
    check_approver(plan, actor, same="You asked for this plan yourself. Another person has to approve it.")
    hold_connections(plan)
    lock(departure)
    plan.refresh_from_db()
    if plan.state == PlanState.SUPERSEDED:
        raise Conflict("plan_superseded", f"Plan {plan.version} has been replaced. Look at the latest one.")
    if plan.approved_at is not None:
        raise Conflict(
            "already_approved",
            f"Plan {plan.version} needs no approval any more; it was approved by {plan.approved_by}.",
        )
    if plan.kind == PlanKind.CUT and plan.ended_at is None:
        raise Conflict("cut_in_progress", "Systems are still being asked. Approve when they have answered.")
    if checksum != plan.checksum:
        raise Conflict(
            "checksum_differs",
            "What you looked at is not what the plan says now. Read it again.",
            field="checksum",
        )
    check_connections(plan)
    plan.state, plan.approved_at, plan.approved_by = PlanState.APPROVED, now, actor.label
    plan.save(update_fields=["state", "approved_at", "approved_by"])
    plan.changes.filter(is_current=True, authority=Authority.NONE, state=AccessState.PLANNED).update(
        authority=Authority.APPROVAL, reason=""
    )
    record(
        "access.approved",
        scope=departure_scope(departure.pk),
        actor=actor.label,
        at=now,
        fields={"plan": plan.version, "checksum": checksum},
    )
    resolve_alerts(departure, kind=AlertKind.NO_APPROVED_PLAN, now=now)
    resolve_alerts(departure, kind=AlertKind.MANY_ACCOUNTS, now=now)
    if plan.kind == PlanKind.DELTA:
        for name in plan.answers:
            resolve_alerts(departure, kind=AlertKind.DRIFTED, key=drift_key(plan, name), now=now)
    else:
        resolve_alerts(departure, kind=AlertKind.DRIFTED, now=now)
    poke(departure.pk)
    return plan


@operation("access.apply")
def apply_plan(*, plan: Plan, actor: Actor, now: datetime) -> Plan:
    """Start cutting what was approved, one run per system, side by side.

    Asked again while it runs, nothing more happens; asked again afterwards, what failed is tried once more.
    Raises `Conflict` when the plan is not approved.
    """
    authorise(actor, "access.apply", plan.its_departure)
    lock(plan.its_departure)
    plan.refresh_from_db()
    if plan.state == PlanState.APPLYING:
        return plan
    if plan.approved_at is None or plan.state not in (PlanState.APPROVED, PlanState.APPLIED):
        raise Conflict(
            "not_approved",
            f"Plan {plan.version} is {plan.state}. A second person has to approve the latest plan first.",
        )
    if plan.kind == PlanKind.RESTORE:
        bind(plan)
    start_runs(plan, actor=actor, now=now)
    return plan


def start_runs(plan: Plan, *, actor: Actor, now: datetime, systems: Iterable[System] | None = None) -> None:
    """Ask the engine for a run of the plan in each system, in the caller's transaction."""
    plan.state, plan.applied_at = PlanState.APPLYING, now
    plan.save(update_fields=["state", "applied_at"])
    if systems is None:
        systems = (
            System.objects.filter(pk__in=plan.changes.values("account__system_id"))
            if plan.kind in (PlanKind.DELTA, PlanKind.RESTORE)
            else System.objects.filter(name__in=plan.answers)
        )
    plan.runs.exclude(state=RunState.DRIFTED).update(
        state=RunState.RUNNING, reason="", attempts=0, next_at=None, ended_at=None, started_at=now
    )
    have = set(plan.runs.values_list("system_id", flat=True))
    SystemRun.objects.bulk_create(
        SystemRun(plan=plan, system=system, started_at=now) for system in systems if system.pk not in have
    )
    plan.changes.filter(is_current=True).exclude(authority=Authority.NONE).filter(
        state__in=(AccessState.FAILED, AccessState.UNREACHABLE)
    ).update(attempts=0, next_attempt_at=None)
    for run in plan.runs.filter(state=RunState.RUNNING).select_related("system"):
        wake.start(run, at=now)
    if not plan.runs.filter(state=RunState.RUNNING).exists():
        plan.state, plan.ended_at = PlanState.APPLIED, now
        plan.save(update_fields=["state", "ended_at"])
    announce_ended_sessions([plan], [plan.its_departure], now=now)
    record(
        "access.apply_started",
        scope=plan.scope,
        actor=actor.label,
        at=now,
        fields={"plan": plan.version, "plan_kind": plan.kind, "checksum": plan.checksum},
    )
    poke(plan.its_departure_id)


@operation("access.restore")
def restore_plan(*, departure: Departure, actor: Actor, now: datetime) -> Plan:
    """Put back, from the snapshots, what was done to the accounts; each effect is read back too.

    Every effect says how far it can be undone. Raises `Conflict` when there is nothing to restore.
    """
    authorise(actor, "access.restore", departure)
    lock(departure)
    _check_nothing_in_flight(departure)
    done = effects_to_restore(departure)
    if not done:
        raise Conflict("nothing_to_restore", "Nothing that Partwell changed here can be put back.")
    plan = new_plan(departure, kind=PlanKind.RESTORE, actor=actor, now=now)
    plan.approved_at, plan.approved_by = now, actor.label
    forget_accounts(departure.pk, {c.account for c in done}, now=now)
    plan_to_put_back(plan, done)
    start_runs(plan, actor=actor, now=now)
    return plan


def plan_to_put_back(plan: Plan, done: Collection[Change]) -> None:
    """Put into this plan, in the caller's transaction, that these effects are undone, the last one first."""
    Change.objects.filter(account__in={c.account_id for c in done}).update(is_current=False)
    AccountRecord.objects.filter(pk__in={c.account_id for c in done}).update(revoked_at=None)
    Change.objects.bulk_create(_restoring(plan, change) for change in done)
    bind(plan)
    plan.answers = {
        name: {"found": Found.FOUND.value, "reason": ""}
        for name in sorted({c.account.system.name for c in done})
    }
    seal(plan)
    plan.save()


def _restoring(plan: Plan, cut: Change) -> Change:
    fields: dict[str, Any] = {}
    if cut.reversibility == Reversibility.NONE or cut.verb == Verb.DELETE:
        fields = {
            "state": AccessState.IMPOSSIBLE,
            "reason": "This cannot be undone: the target keeps no way back.",
        }
    return Change(
        plan=plan,
        account=cut.account,
        verb=cut.verb,
        # What was done last is put back first.
        position=position("") - cut.position,
        reversibility=cut.reversibility,
        authority=Authority.RESTORE,
        **fields,
    )
