"""Cutting an account of nobody: one person proposes it, another approves exactly what was seen.

There is no departure that could say why and from when, so no rule and no single person cuts it. The system is
asked what the account is; that is what is approved, and the same runs as everywhere carry it out and read it
back. Only what can be undone is done. See docs/decisions/0017-accounts-of-nobody.md.
"""

from __future__ import annotations

from dataclasses import asdict
from datetime import datetime

from django.db import transaction
from django.db.models import Max, QuerySet

from partwell import clock
from partwell.access import wake
from partwell.access.account_states import refresh_states
from partwell.access.bindings import check_connections, expectation, hold_connections
from partwell.access.blast_guard import check_of_nobody
from partwell.access.claims import LIVE
from partwell.access.connections import Session, Target, target_of
from partwell.access.discovery import Found
from partwell.access.ghosts.findings import drop_proposals, ghost_event
from partwell.access.ghosts.operations import live_ghost, live_ghost_of_nobody
from partwell.access.ghosts.queries import records_of
from partwell.access.models import AccountRecord, Change, Ghost, Plan, SystemRun
from partwell.access.operations.plans import check_approver, plan_to_put_back
from partwell.access.proposals import seal
from partwell.access.queries import effects_on
from partwell.access.states import Authority, GhostState, PlanKind, PlanState
from partwell.connector_kit import plan as rules
from partwell.connector_kit.contract import Account, ConnectorError, Verb
from partwell.engine.operations import enqueue
from partwell.evidence.operations import record_many
from partwell.people.actors import Actor, engine_actor
from partwell.people.authorisation import check_office, operation
from partwell.refusals import Conflict, Invalid

LOOK = "access.look_at_ghost"
LASTING = "This connection cannot end open sessions: what is open lasts until it runs out."
UNDECIDED = (GhostState.OPEN, GhostState.KEPT, GhostState.DISMISSED, GhostState.CUTTING)


@operation("ghosts.propose_cut")
def propose_cut(*, ghost: Ghost, reason: str, actor: Actor, now: datetime, here: bool = False) -> Plan:
    """Propose that an account of nobody is cut. Its system is asked by the engine what it is now; or, with
    `here`, the caller runs `look_at_ghost` once this has committed.

    An earlier proposal gives way. Raises `Invalid` without a reason; `Conflict` for an account that is
    settled, being cut or of somebody who has left, and where its system cannot suspend.
    """
    check_office(actor, "ghosts.propose_cut")
    if len(reason.strip()) < 10:
        raise Invalid(
            "reason_missing", "Say in a sentence why nobody needs it; it becomes evidence.", field="reason"
        )
    ghost = live_ghost_of_nobody(ghost, *UNDECIDED)
    _check_nothing_runs(ghost)
    _check_can_suspend(ghost)
    drop_proposals([ghost])
    plan = Plan.objects.create(
        ghost=ghost,
        version=_next_version(ghost),
        kind=PlanKind.GHOST,
        checksum="",
        reason=reason.strip(),
        made_at=now,
        made_by=actor.label,
        requested_by_id=actor.user_id,
    )
    record_many(
        [ghost_event("system.ghost_cut_proposed", ghost, actor, now, plan=plan.version, reason=plan.reason)]
    )
    if not here:
        _ask_to_look(plan, now)
    return plan


def look_at_ghost(plan_id: str) -> None:
    """Ask the system what the account of a proposal is. The workflow `access.look_at_ghost`; run twice, it
    looks again, which changes nothing in the system."""
    plan = _unseen().filter(pk=int(plan_id)).first()
    if plan is None or plan.ghost is None:
        return
    ghost = plan.ghost
    seen: Account | ConnectorError | None
    try:
        with Session(target_of(ghost.system)) as session:
            seen = session.call(lambda connector: connector.read(ghost.external_id))
    except ConnectorError as error:
        seen = error
    _take_look(plan=plan, seen=seen, actor=engine_actor("proposed cut"), now=clock.now())


@operation("ghosts.look")
def _take_look(*, plan: Plan, seen: Account | ConnectorError | None, actor: Actor, now: datetime) -> None:
    check_office(actor, "ghosts.look")
    plan = Plan.objects.select_for_update(of=("self",)).select_related("ghost__system").get(pk=plan.pk)
    if plan.ghost is None or plan.state != PlanState.PROPOSED or plan.checksum:
        return
    ghost, target = plan.ghost, target_of(plan.ghost.system)
    found, why = _judge(seen, target)
    if isinstance(seen, Account) and not why:
        _plan_for(plan, ghost, seen, target, now)
        seal(plan)
        if Verb.REVOKE_SESSIONS not in target.capabilities:
            why = LASTING
    plan.answers = {target.name: {"found": found.value, "reason": why}}
    plan.save(update_fields=["answers", "checksum"])
    record_many(
        [
            ghost_event(
                "system.ghost_looked_at",
                ghost,
                actor,
                now,
                plan=plan.version,
                found=found.value,
                reason=why,
                checksum=plan.checksum,
                verbs=list(plan.changes.order_by("position").values_list("verb", flat=True)),
            )
        ]
    )


def _judge(seen: Account | ConnectorError | None, target: Target) -> tuple[Found, str]:
    """What the system said, and why nothing can be cut; the reason is empty where it can."""
    if isinstance(seen, ConnectorError):
        return Found.UNREACHABLE, seen.message
    if seen is None:
        return Found.NONE, "There is no such account any more, so there is nothing to cut."
    if seen.is_protected:
        return Found.FOUND, "It is a protected account (operator, break-glass or last administrator)."
    if seen.is_active is False:
        return Found.FOUND, "It is switched off already, so there is nothing to cut."
    if not _can_suspend(target):
        return Found.MANUAL, "This connection cannot suspend by now: do it by hand in the system."
    return Found.FOUND, ""


def _plan_for(plan: Plan, ghost: Ghost, seen: Account, target: Target, now: datetime) -> None:
    record, _ = AccountRecord.objects.update_or_create(
        departure=None,
        system=ghost.system,
        external_id=ghost.external_id,
        defaults={
            "login": seen.login[:320],
            "display_name": seen.display_name[:320],
            "is_active": seen.is_active,
            "is_protected": seen.is_protected,
            "open_sessions": seen.open_sessions,
            "entitlements": [asdict(held) for held in seen.entitlements],
            "last_read_at": now,
            "reason": "",
        },
    )
    record.changes.filter(is_current=True).update(is_current=False)
    Change.objects.bulk_create(
        Change(
            plan=plan,
            account=record,
            verb=action.verb,
            position=rules.position(action.verb),
            reversibility=action.reversibility,
            expects=expectation(seen, target),
        )
        for action in rules.actions_for(seen, target.capabilities)
        if not action.manual_reason and rules.is_under_standing_rule(action.verb, action.reversibility)
    )
    refresh_states([record])


@operation("ghosts.approve_cut")
def approve_cut(*, plan: Plan, checksum: str, actor: Actor, now: datetime) -> Plan:
    """Approve, as another person than who proposed it, exactly what `checksum` seals; it is cut at once.

    Raises `NotAllowed` for the one who proposed it, for tokens and the console; `Conflict` where it is not
    what was looked at, was not seen yet or is replaced, where its connection was changed since, and where too
    many were approved within a day.
    """
    check_office(actor, "ghosts.approve_cut")
    check_approver(plan, actor, same="You proposed this yourself. Another person has to approve it.")
    hold_connections(plan)
    ghost = live_ghost_of_nobody(_ghost_of(plan), *UNDECIDED)
    _check_nothing_runs(ghost)
    plan.refresh_from_db()
    if plan.state != PlanState.PROPOSED:
        raise Conflict("not_proposed", f"This proposal is {plan.state} by now. Look at the latest one.")
    if not plan.checksum:
        raise Conflict(
            "not_seen", "The system has not shown the account yet, so there is nothing to approve."
        )
    if checksum != plan.checksum:
        raise Conflict(
            "checksum_differs", "What you looked at is not what it says now. Read it again.", field="checksum"
        )
    check_connections(plan)
    check_of_nobody(ghost.system, now=now)
    plan.state, plan.approved_at, plan.approved_by = PlanState.APPLYING, now, actor.label
    plan.applied_at = now
    plan.save(update_fields=["state", "approved_at", "approved_by", "applied_at"])
    plan.changes.update(authority=Authority.APPROVAL)
    ghost.state, ghost.reason = GhostState.CUTTING, plan.reason
    ghost.save(update_fields=["state", "reason"])
    _run(plan, ghost, now)
    record_many(
        [
            ghost_event(
                "system.ghost_cut_approved", ghost, actor, now, plan=plan.version, checksum=plan.checksum
            )
        ]
    )
    return plan


@operation("ghosts.call_off_cut")
def call_off_cut(*, ghost: Ghost, actor: Actor, now: datetime) -> Ghost:
    """Take a proposal back before anybody has approved it. Raises `Conflict` where there is none."""
    check_office(actor, "ghosts.call_off_cut")
    ghost = live_ghost(ghost, *UNDECIDED)
    plan = ghost.plans.filter(kind=PlanKind.GHOST, state=PlanState.PROPOSED).first()
    if plan is None:
        raise Conflict("not_proposed", "Nobody proposes any more that this account is cut.")
    drop_proposals([ghost])
    record_many([ghost_event("system.ghost_cut_called_off", ghost, actor, now, plan=plan.version)])
    return ghost


@operation("ghosts.restore")
def restore_ghost(*, ghost: Ghost, actor: Actor, now: datetime) -> Plan:
    """Put back, from the snapshot, what was done to an account of nobody; each effect is read back too.

    It is on the list again, because nobody is known by it still. Raises `Conflict` where nothing can be put
    back.
    """
    check_office(actor, "ghosts.restore")
    ghost = live_ghost(ghost, *GhostState)
    _check_nothing_runs(ghost)
    done = effects_on(records_of(ghost))
    if not done:
        raise Conflict("nothing_to_restore", "Nothing that Partwell changed here can be put back.")
    drop_proposals([ghost])
    plan = Plan.objects.create(
        ghost=ghost,
        version=_next_version(ghost),
        kind=PlanKind.RESTORE,
        state=PlanState.APPLYING,
        checksum="",
        made_at=now,
        made_by=actor.label,
        requested_by_id=actor.user_id,
        approved_at=now,
        approved_by=actor.label,
        applied_at=now,
    )
    plan_to_put_back(plan, done)
    _list_again(ghost, actor)
    _run(plan, ghost, now)
    record_many([ghost_event("system.ghost_restored", ghost, actor, now, plan=plan.version)])
    return plan


def _list_again(ghost: Ghost, actor: Actor) -> None:
    """It needs a decision anew, unless a later sweep has found the account already."""
    same = Ghost.objects.filter(system=ghost.system, external_id=ghost.external_id).exclude(pk=ghost.pk)
    if same.exclude(state=GhostState.GONE).exists():
        return
    ghost.state, ghost.reason = GhostState.OPEN, f"{actor.label} ordered that it is put back."
    ghost.settled_by, ghost.settled_at = "", None
    ghost.save(update_fields=["state", "reason", "settled_by", "settled_at"])


def _run(plan: Plan, ghost: Ghost, now: datetime) -> None:
    run = SystemRun.objects.create(plan=plan, system=ghost.system, started_at=now)
    wake.start(run, at=now)


def _ghost_of(plan: Plan) -> Ghost:
    if plan.ghost is None:
        raise LookupError(f"{plan} is of no account of nobody")
    return plan.ghost


def _next_version(ghost: Ghost) -> int:
    return int(ghost.plans.aggregate(highest=Max("version"))["highest"] or 0) + 1


def _check_nothing_runs(ghost: Ghost) -> None:
    of_account = {"plan__ghost__system": ghost.system, "plan__ghost__external_id": ghost.external_id}
    if SystemRun.objects.filter(state__in=LIVE, **of_account).exists():
        raise Conflict("cut_in_progress", "Partwell is at work on this account at this moment. Wait for it.")


def _can_suspend(target: Target) -> bool:
    held = target.capabilities.get(Verb.SUSPEND)
    return held is not None and rules.is_under_standing_rule(Verb.SUSPEND, held)


def _check_can_suspend(ghost: Ghost) -> None:
    if not ghost.system.is_enabled or not _can_suspend(target_of(ghost.system)):
        raise Conflict(
            "cannot_suspend",
            f"Partwell cannot suspend accounts in {ghost.system.title}. Do it by hand there; the next "
            "reading of all accounts lets it go.",
        )


def _unseen() -> QuerySet[Plan]:
    """Proposals whose system has not shown the account."""
    proposed = Plan.objects.filter(kind=PlanKind.GHOST, state=PlanState.PROPOSED, checksum="")
    return proposed.select_related("ghost__system")


def _ask_to_look(plan: Plan, now: datetime) -> None:
    enqueue(LOOK, str(plan.pk), key=f"{plan.pk}:{now.isoformat()}")


def reconcile() -> None:
    """Ask again for every proposal without an answer, when a worker starts."""
    now = clock.now()
    with transaction.atomic():
        for plan in _unseen():
            if not plan.answers:
                _ask_to_look(plan, now)
