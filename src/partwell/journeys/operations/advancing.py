"""What the product does by itself in a journey: settle the steps it can prove, and end access on time."""

from __future__ import annotations

from datetime import datetime
from uuid import UUID

from partwell.access.operations import enforcement
from partwell.departures.addresses import own_accounts
from partwell.departures.models import Departure, Participant
from partwell.departures.policies import authorise
from partwell.departures.states import DepartureState
from partwell.evidence.operations import departure_scope, record
from partwell.journeys.models import Step
from partwell.journeys.operations.following import follow_access_end
from partwell.journeys.operations.moving import lock_departure
from partwell.journeys.operations.steps import settle
from partwell.journeys.owners import Owners
from partwell.journeys.states import PENDING, StepState
from partwell.journeys.step_kinds import KINDS, rule_of
from partwell.people.actors import Actor, engine_actor
from partwell.people.authorisation import operation
from partwell.people.models import RoleGrant, User
from partwell.people.roles import Role

SELF_SETTLING = [kind.value for kind, rule in KINDS.items() if rule.is_done is not None]


@operation("journeys.advance")
def advance(*, departure_id: UUID, now: datetime) -> list[str]:
    """Settle every open step whose kind can tell that it is done; return their keys.

    Runs after each poke, any number of times: it reads the present state and is finished when nothing
    is left to settle.
    """
    running = Departure.objects.filter(pk=departure_id, state=DepartureState.ACTIVE)
    departure = running.filter(journey__isnull=False).first()
    if departure is None:
        return []
    departure = lock_departure(departure)
    actor = engine_actor("journey")
    authorise(actor, "journeys.advance", departure)
    settled = []
    for step in departure.journey.steps.filter(kind__in=SELF_SETTLING).select_related("journey__departure"):
        ask = rule_of(step.kind).is_done
        proof = ask(departure) if ask else None
        if proof and step.state in PENDING:
            step.note, step.state = proof, StepState.OPEN
            settle(step, StepState.DONE, actor=actor, now=now, kind="step.settled", note=proof)
            settled.append(step.key)
        elif proof is None and step.state == StepState.DONE:
            settle(step, StepState.OPEN, actor=actor, now=now, kind="step.reopened", was="done")
    return settled


def end_access(*, departure_id: UUID, now: datetime) -> None:
    """The minute has come: cut what the standing rule cuts, end the leaver's own part in Partwell, and bring
    forward what hangs on access end where it comes sooner than planned.

    Fired by the engine's timer; does nothing when the departure has ended or its access end has moved.
    """
    departure = Departure.objects.filter(pk=departure_id, state=DepartureState.ACTIVE).first()
    if departure is None or departure.access_end_at > now:
        return
    end_own_sign_in(departure_id=departure_id, now=now)
    enforcement.enforce_access_end(departure_id=departure_id, now=now)
    follow_access_end(departure_id=departure_id, now=now)


@operation("access.end_own_sign_in")
def end_own_sign_in(*, departure_id: UUID, now: datetime) -> bool:
    """End the leaver's own Partwell accounts: no sign-in, no session, no role, and no duty in other journeys.

    An inactive user's sessions and tokens die at the next request. Returns whether there was anything to
    end.
    """
    departure = lock_departure(Departure.objects.get(pk=departure_id))
    actor = engine_actor("end of access")
    authorise(actor, "access.end_own_sign_in", departure)
    accounts = list(own_accounts(departure).filter(is_active=True).select_for_update())
    for user in accounts:
        _end_account(user, departure, actor, now)
    return bool(accounts)


def _end_account(user: User, departure: Departure, actor: Actor, now: datetime) -> None:
    user.is_active = False
    user.save(update_fields=["is_active"])
    grants = [str(grant.role) for grant in RoleGrant.objects.filter(user=user)]
    RoleGrant.objects.filter(user=user).delete()
    duties = _hand_on_duties(user, now)
    Participant.objects.filter(user=user).exclude(capacity=Role.DEPARTING).delete()
    record(
        "user.ended",
        scope=departure_scope(departure.pk),
        actor=actor.label,
        at=now,
        fields={"user": user.email, "grants": grants, "duties_handed_on": duties},
    )


def _hand_on_duties(user: User, now: datetime) -> int:
    """Give the user's pending steps in other journeys to whoever holds the role now."""
    count = 0
    steps = Step.objects.filter(owner=user, state__in=PENDING).select_related("journey__departure__person")
    for step in steps:
        owner = Owners(step.journey.departure, now=now).of(Role(step.role))
        new = owner.user if owner.user is not None and owner.user.pk != user.pk else None
        step.owner, step.owner_name, step.queue = new, owner.name if new or owner.queue else "", owner.queue
        step.save(update_fields=["owner", "owner_name", "queue"])
        if new is not None:
            Participant.objects.get_or_create(
                departure=step.journey.departure,
                user=new,
                capacity=step.role,
                defaults={"added_at": now},
            )
        record(
            "step.reassigned",
            scope=departure_scope(step.journey_id),
            # Not that they have left: whoever reads this record need not know of that departure.
            actor=engine_actor("closed accounts").label,
            at=now,
            fields={"step": step.key, "title": step.title, "from": str(user), "to": step.owner_name},
        )
        count += 1
    return count
