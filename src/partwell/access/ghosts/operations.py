"""What people do about a ghost: have it cut, say that it is none, give it to somebody."""

from __future__ import annotations

from datetime import datetime

from django.db.models import Max

from partwell.access import wake
from partwell.access.alerts import resolve_alerts
from partwell.access.claims import LIVE
from partwell.access.firing import REVIEW, REVIEW_WITHIN, new_plan, record_fired
from partwell.access.ghosts.findings import SAYS, drop_proposals, ghost_event
from partwell.access.ghosts.matching import GhostKind
from partwell.access.models import AccountRecord, Cut, Ghost, Plan, SystemRun
from partwell.access.operations.plans import lock
from partwell.access.states import (
    AccessState,
    AlertKind,
    CutState,
    GhostState,
    Link,
    PlanState,
)
from partwell.departures.models import Departure
from partwell.departures.policies import authorise, is_own_account, visible_departures
from partwell.engine.operations import poke, set_timer
from partwell.evidence.operations import departure_scope, record, record_many
from partwell.people.actors import Actor, actor_for_user
from partwell.people.authorisation import check_office, load_matrix, operation
from partwell.people.models import User
from partwell.refusals import Conflict, Invalid

IT_SECURITY = "IT/Security"


@operation("access.cut_ghost")
def cut_ghost(*, ghost: Ghost, reason: str, actor: Actor, now: datetime) -> Ghost:
    """Have this account cut now, as the kill switch does: what can be undone, by one person's word, and
    another person reviews it. It is over once the system shows that the account is closed.

    The account is taken to be theirs from now on, as are those that were taken to be theirs before. Raises
    `Conflict` for an account of nobody, and while the departure is being cut in that system.
    """
    departure = _departure(ghost)
    authorise(actor, "access.cut_ghost", departure)
    lock(departure)
    ghost = live_ghost(ghost, GhostState.OPEN, GhostState.CUTTING, GhostState.DISMISSED)
    if SystemRun.objects.filter(plan__departure=departure, system=ghost.system, state__in=LIVE).exists():
        raise Conflict(
            "cut_in_progress", f"Access in {ghost.system.title} is being cut at this moment. Wait for it."
        )
    _take_as_theirs(ghost, departure, now)
    cut = _order(ghost, departure, reason.strip(), actor, now)
    plan = _plan(cut, departure, now)
    SystemRun.objects.create(plan=plan, system=ghost.system, started_at=now)
    ghost.state, ghost.cut, ghost.reason = GhostState.CUTTING, cut, cut.reason
    ghost.save(update_fields=["state", "cut", "reason"])
    record_fired(cut, [plan], actor, now)
    record_many([ghost_event("access.ghost_cut", ghost, actor, now, reason=cut.reason)])
    wake.start_cut(cut.pk, ghost.system_id, at=now)
    poke(departure.pk)
    return ghost


def _departure(ghost: Ghost) -> Departure:
    if ghost.departure is None:
        raise Conflict(
            "nobodys_account",
            "Nobody who has left is known by this account, so one person's word does not cut it. Propose "
            "that it is cut, and another person looks at it, too.",
        )
    return ghost.departure


def live_ghost(ghost: Ghost, *states: GhostState) -> Ghost:
    """The ghost as it is now, held until the transaction ends. Raises `Conflict` in any other state."""
    ghost = (
        Ghost.objects.select_for_update(of=("self",)).select_related("system", "departure").get(pk=ghost.pk)
    )
    if ghost.state not in states:
        raise Conflict("ghost_settled", f"This account is {ghost.state} by now; read the list afresh.")
    return ghost


def live_ghost_of_nobody(ghost: Ghost, *states: GhostState) -> Ghost:
    """As `live_ghost`; raises `Conflict` as well once somebody who has left is known by the account."""
    ghost = live_ghost(ghost, *states)
    if ghost.departure is not None:
        raise Conflict(
            "somebodys_account",
            "Somebody who has left is known by this account, or nearly so: decide about it as theirs.",
        )
    return ghost


def _take_as_theirs(ghost: Ghost, departure: Departure, now: datetime) -> None:
    mine = AccountRecord.objects.filter(departure=departure, system=ghost.system)
    mine.filter(link=Link.UNDECIDED).exclude(external_id="").exclude(state=AccessState.AMBIGUOUS).update(
        link=Link.OURS
    )
    AccountRecord.objects.update_or_create(
        departure=departure,
        system=ghost.system,
        external_id=ghost.external_id,
        defaults={"link": Link.OURS, "is_active": ghost.is_active, "last_read_at": ghost.last_seen_at},
        create_defaults={
            "link": Link.OURS,
            "login": ghost.login,
            "display_name": ghost.display_name,
            "matched_by": "the ghost sweep"[:60],
            "is_active": ghost.is_active,
            "last_read_at": ghost.last_seen_at,
        },
    )


def _order(ghost: Ghost, departure: Departure, reason: str, actor: Actor, now: datetime) -> Cut:
    found = f"{ghost} {SAYS[GhostKind(ghost.kind)]}."
    cut = Cut.objects.create(
        title=f"{departure.subject_name}: {ghost}"[:200],
        reason=f"{found} {reason}".strip(),
        state=CutState.FIRED,
        ordered_by=actor.label,
        ordered_by_id=actor.user_id,
        ordered_at=now,
        fired_at=now,
        review_due_at=now + REVIEW_WITHIN,
    )
    cut.departures.set([departure])
    set_timer(REVIEW, key=str(cut.pk), due_at=now + REVIEW_WITHIN)
    record(
        "access.cut_ordered",
        scope=departure_scope(departure.pk),
        actor=actor.label,
        at=now,
        fields={"cut": str(cut.pk), "title": cut.title, "reason": cut.reason, "people": 1},
    )
    return cut


def _plan(cut: Cut, departure: Departure, now: datetime) -> Plan:
    """A plan that learns in this one system what there is; runs elsewhere go on in theirs."""
    plans = departure.access_plans.all()
    plans.filter(state=PlanState.PROPOSED).update(state=PlanState.SUPERSEDED)
    version = (plans.aggregate(highest=Max("version"))["highest"] or 0) + 1
    plan = new_plan(cut, departure.pk, version=version, now=now)
    plan.save(force_insert=True)
    return plan


def dismiss_ghost(*, ghost: Ghost, reason: str, actor: Actor, now: datetime) -> Ghost:
    """Say, with the reason, that an account is no ghost. It holds until something else is found of it.

    Raises `Invalid` without a reason, `Conflict` for one that is settled or being cut.
    """
    if ghost.departure is not None:
        return _dismiss_theirs(ghost=ghost, reason=reason, actor=actor, now=now)
    return _dismiss_nobodys(ghost=ghost, reason=reason, actor=actor, now=now)


@operation("access.dismiss_ghost")
def _dismiss_theirs(*, ghost: Ghost, reason: str, actor: Actor, now: datetime) -> Ghost:
    departure = _departure(ghost)
    authorise(actor, "access.dismiss_ghost", departure)
    ghost = _dismiss(ghost, reason, actor, now)
    resolve_alerts(departure, kind=AlertKind.GHOST, key=str(ghost.pk), now=now)
    record_many([ghost_event("access.ghost_dismissed", ghost, actor, now, note=ghost.reason)])
    return ghost


@operation("ghosts.dismiss")
def _dismiss_nobodys(*, ghost: Ghost, reason: str, actor: Actor, now: datetime) -> Ghost:
    check_office(actor, "ghosts.dismiss")
    ghost = _dismiss(ghost, reason, actor, now)
    drop_proposals([ghost])
    record_many([ghost_event("system.ghost_dismissed", ghost, actor, now, note=ghost.reason)])
    return ghost


def _dismiss(ghost: Ghost, reason: str, actor: Actor, now: datetime) -> Ghost:
    if len(reason.strip()) < 10:
        raise Invalid(
            "reason_missing", "Say in a sentence how you know; it becomes evidence.", field="reason"
        )
    ghost = live_ghost(ghost, GhostState.OPEN)
    ghost.state, ghost.reason = GhostState.DISMISSED, reason.strip()
    ghost.settled_at, ghost.settled_by = now, actor.label
    ghost.save(update_fields=["state", "reason", "settled_at", "settled_by"])
    return ghost


def assign_ghost(*, ghost: Ghost, owner: User | None, actor: Actor, now: datetime) -> Ghost:
    """Give a ghost to somebody who may see it, or back to the queue of IT/Security.

    Raises `Invalid` for somebody who may not see it, and for the one who leaves.
    """
    if ghost.departure is not None:
        return _assign_theirs(ghost=ghost, owner=owner, actor=actor, now=now)
    return _assign_nobodys(ghost=ghost, owner=owner, actor=actor, now=now)


@operation("access.assign_ghost")
def _assign_theirs(*, ghost: Ghost, owner: User | None, actor: Actor, now: datetime) -> Ghost:
    authorise(actor, "access.assign_ghost", _departure(ghost))
    ghost = _assign(ghost, owner)
    record_many([ghost_event("access.ghost_assigned", ghost, actor, now, to=_name(owner))])
    return ghost


@operation("ghosts.assign")
def _assign_nobodys(*, ghost: Ghost, owner: User | None, actor: Actor, now: datetime) -> Ghost:
    check_office(actor, "ghosts.assign")
    ghost = _assign(ghost, owner)
    record_many([ghost_event("system.ghost_assigned", ghost, actor, now, to=_name(owner))])
    return ghost


def _assign(ghost: Ghost, owner: User | None) -> Ghost:
    ghost = live_ghost(ghost, GhostState.OPEN, GhostState.CUTTING)
    if owner is not None and not _may_have(owner, ghost):
        raise Invalid(
            "may_not_see",
            f"{owner.name or owner.email} may not see this account. Choose somebody who can.",
            field="owner",
        )
    ghost.owner = owner
    ghost.save(update_fields=["owner"])
    return ghost


def _may_have(owner: User, ghost: Ghost) -> bool:
    holder = actor_for_user(owner)
    if (
        not owner.is_active
        or not {g.role.value for g in holder.grants} & load_matrix().operations["ghosts.view"].allow
    ):
        return False
    if ghost.departure is None:
        return True
    if is_own_account(owner, ghost.departure):
        return False
    return visible_departures(holder, to="access.view").filter(pk=ghost.departure.pk).exists()


def _name(owner: User | None) -> str:
    return IT_SECURITY if owner is None else owner.name or owner.email
