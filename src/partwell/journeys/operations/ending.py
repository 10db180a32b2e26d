"""How a journey ends: closed when everything is proven, closed with an override, or withdrawn."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from partwell.access import days_after, summaries
from partwell.access.credentials import rotations
from partwell.access.operations import enforcement
from partwell.access.transfers import opening as handing_over
from partwell.departures.addresses import own_accounts
from partwell.departures.models import Departure
from partwell.departures.policies import authorise
from partwell.departures.states import DepartureState, SubjectKind
from partwell.evidence.operations import departure_scope, record
from partwell.journeys import messages
from partwell.journeys.models import Journey, Step
from partwell.journeys.operations.moving import lock_departure
from partwell.journeys.states import PENDING, JourneyState, StepState
from partwell.people.actors import Actor
from partwell.people.authorisation import load_matrix, operation
from partwell.people.models import User
from partwell.refusals import Conflict, Invalid, NotAllowed


@dataclass(frozen=True)
class Obstacle:
    """One thing that stands between a journey and its closure."""

    kind: str
    what: str
    where: str = ""


@dataclass(frozen=True)
class Withdrawal:
    """What a withdrawn notice leaves behind: what was done, what can be restored, and what successors were
    given."""

    journey: Journey
    done: tuple[Step, ...]
    restorable: tuple[dict[str, Any], ...]
    given: tuple[dict[str, Any], ...]


def obstacles(
    departure: Departure,
    *,
    steps: Iterable[Step] | None = None,
    access: summaries.Picture | None = None,
    held: frozenset[str] | None = None,
) -> list[Obstacle]:
    """All that keeps the journey from closing: required steps still pending, accounts still alive,
    shared secrets that the leaver knows, what no successor has accepted yet.

    A page that has read the steps or the access already gives them, so that they are not read twice. It also
    says what its reader is to the departure (`held`): whoever may not read the access plan is told how much
    of it is open, not whose account in which system.
    """
    if steps is None:
        steps = departure.journey.steps.all()
    pending = [step for step in steps if step.state in PENDING and step.is_required]
    found = [Obstacle("step", step.title, step.key) for step in pending]
    access = access or summaries.picture(departure)
    live = [*access.live, *access.secrets, *access.handovers]
    if live and held is not None and not held & load_matrix().operations["access.view"].allow:
        return [*found, Obstacle("access", f"Access: {len(live)} not settled yet")]
    found += [
        Obstacle(
            "account", f"{account['account']} in {account['system']}: {account['state']}", account["system"]
        )
        for account in access.live
    ]
    found += [
        Obstacle("credential", f"Shared secret “{secret['credential']}”: {secret['state']}", secret["id"])
        for secret in access.secrets
    ]
    found += [
        Obstacle("transfer", f"Handing over {each['what']}: {each['state']}", each["id"])
        for each in access.handovers
    ]
    return found


@operation("journeys.close")
def close(*, departure: Departure, actor: Actor, now: datetime) -> Journey:
    """Close a journey in which nothing required is open, no account is alive, no secret unchanged and nothing
    left to hand over.

    Raises `Conflict` that lists what stands in the way. `request_override` and a second person's
    `approve_override` are the way past it.
    """
    departure = lock_departure(departure)
    authorise(actor, "journeys.close", departure)
    if open_things := obstacles(departure):
        raise Conflict("cannot_close", f"{len(open_things)} things are open: {_listing(open_things)}")
    return _end(departure, JourneyState.CLOSED, actor, now, kind="journey.closed")


@operation("journeys.request_override")
def request_override(*, departure: Departure, reason: str, actor: Actor, now: datetime) -> Journey:
    """Ask a second person to let this close although things are open; the reason stays on the record."""
    departure = lock_departure(departure)
    authorise(actor, "journeys.request_override", departure)
    reason = reason.strip()
    if len(reason) < 15:
        raise Invalid("reason_missing", "Say in a sentence why this closes with things open.", field="reason")
    open_things = obstacles(departure)
    if not open_things:
        raise Conflict("nothing_open", "Nothing stands in the way. Close it.")
    journey = departure.journey
    journey.override_reason, journey.override_by = reason, actor.label
    journey.override_by_id = actor.user_id
    journey.save(update_fields=["override_reason", "override_by", "override_by_id"])
    record(
        "journey.override_requested",
        scope=departure_scope(departure.pk),
        actor=actor.label,
        at=now,
        fields={"override_reason": reason, "open": [vars(thing) for thing in open_things]},
    )
    return journey


@operation("journeys.approve_override")
def approve_override(*, departure: Departure, actor: Actor, now: datetime) -> Journey:
    """Approve, as a second person, that this closes although things are open, and close it."""
    departure = lock_departure(departure)
    authorise(actor, "journeys.approve_override", departure)
    journey = departure.journey
    if not journey.override_reason:
        raise Conflict("no_override_asked", "Nobody has asked for this. Ask for it with a reason first.")
    if not actor.can_be_second_person:
        raise NotAllowed("second_person_needed", "This is approved by a person who signed in to the web.")
    if actor.user_id == journey.override_by_id:
        raise NotAllowed("same_person", "You asked for this, so somebody else has to approve it.")
    journey.override_approved_by = actor.label
    journey.save(update_fields=["override_approved_by"])
    open_things = obstacles(departure)
    return _end(
        departure,
        JourneyState.CLOSED,
        actor,
        now,
        kind="journey.closed_with_override",
        override_reason=journey.override_reason,
        requested_by=journey.override_by,
        open=[vars(thing) for thing in open_things],
    )


@operation("journeys.withdraw")
def withdraw(*, departure: Departure, reason: str, actor: Actor, now: datetime) -> Withdrawal:
    """End the journey because the notice was taken back. What is done stays on the record.

    Pending steps end undone; access timers stop. What was cut is offered for restoring, not restored,
    and what successors were given for taking back.
    """
    departure = lock_departure(departure)
    authorise(actor, "journeys.withdraw", departure)
    reason = reason.strip()
    if len(reason) < 5:
        raise Invalid(
            "reason_missing", "Say why the notice is withdrawn; the record keeps it.", field="reason"
        )
    journey = departure.journey
    pending = journey.steps.filter(state__in=PENDING)
    undone = list(pending.values_list("key", flat=True))
    pending.update(state=StepState.WITHDRAWN, waits_for=[])
    done = tuple(journey.steps.filter(state=StepState.DONE))
    restorable = tuple(summaries.restorable(departure))
    rotations.withdraw_rotations(departure, actor=actor, now=now)
    handing_over.withdraw_transfers(departure, actor=actor, now=now)
    given = tuple(handing_over.given_rows(departure))
    reopened = _reopen_own_sign_in(departure)
    journey = _end(
        departure,
        JourneyState.WITHDRAWN,
        actor,
        now,
        kind="journey.withdrawn",
        withdrawal_reason=reason,
        done=[step.key for step in done],
        undone=undone,
        restorable=len(restorable),
        given=len(given),
        own_sign_in_reopened=reopened,
    )
    return Withdrawal(journey, done, restorable, given)


def _reopen_own_sign_in(departure: Departure) -> bool:
    """Whoever stays can sign in to Partwell again. Roles are granted anew by a person, never by this."""
    ended = own_accounts(departure).filter(is_active=False).values_list("pk", flat=True)
    return bool(User.objects.filter(pk__in=list(ended)).update(is_active=True))


def _end(
    departure: Departure, state: JourneyState, actor: Actor, now: datetime, *, kind: str, **fields: Any
) -> Journey:
    journey = departure.journey
    journey.state, journey.ended_at = state, now
    journey.end_reason = fields.get("withdrawal_reason") or fields.get("override_reason") or ""
    journey.save(update_fields=["state", "ended_at", "end_reason"])
    enforcement.unschedule(departure)
    if state is JourneyState.WITHDRAWN:
        days_after.unschedule(departure)
    departure.state, departure.ended_at = DepartureState(state.value), now
    departure.revision += 1
    departure.save(update_fields=["state", "ended_at", "revision"])
    if state is JourneyState.CLOSED:
        _mark_register(departure)
    record(kind, scope=departure_scope(departure.pk), actor=actor.label, at=now, fields=fields)
    messages.drop_waiting(departure, now=now)
    return journey


def _mark_register(departure: Departure) -> None:
    """Say in the register that they have left, so that no journey gives them a step."""
    if departure.subject_kind == SubjectKind.STAFF and departure.person is not None:
        departure.person.left_on_date = departure.last_working_date
        departure.person.save(update_fields=["left_on_date"])
    elif departure.client is not None:
        departure.client.ended_on_date = departure.contract_end_date
        departure.client.save(update_fields=["ended_on_date"])


def _listing(open_things: list[Obstacle]) -> str:
    shown = "; ".join(thing.what for thing in open_things[:8])
    more = len(open_things) - 8
    return f"{shown}{f' and {more} more' if more > 0 else ''}. Finish them, or ask for an override."
