"""Letting somebody into a departure, and taking them out again. On need-to-know ones nothing else does."""

from __future__ import annotations

from datetime import datetime

from partwell.departures.models import Departure, Participant
from partwell.departures.policies import authorise, is_own_account
from partwell.evidence.operations import departure_scope, record
from partwell.journeys import messages
from partwell.journeys.models import Step
from partwell.journeys.operations.moving import lock_departure
from partwell.journeys.participants import GIVEN_PARTS, part_title
from partwell.journeys.states import PENDING
from partwell.people.actors import Actor
from partwell.people.authorisation import load_matrix, operation
from partwell.people.models import Person, User
from partwell.people.operations import ensure_user
from partwell.people.queries import find_colleague
from partwell.refusals import Conflict, Invalid


@operation("participants.add")
def add_participant(
    *, departure: Departure, person: str, part: str, actor: Actor, now: datetime
) -> Participant:
    """Let somebody take part in a departure in the part of a role, and write to them. Who does so, stays.

    `person` is a name, e-mail address, alias or employee number. Somebody of the register who never signed in
    gets an account. Raises `Invalid` for a part that nobody is given, for somebody unknown, gone, or the one
    who leaves; `Conflict` for a name that several have.
    """
    departure = lock_departure(departure)
    authorise(actor, "participants.add", departure)
    if part not in GIVEN_PARTS:
        known = ", ".join(GIVEN_PARTS)
        raise Invalid(
            "part_unknown", f"“{part}” is no part that somebody is given. Choose: {known}.", field="part"
        )
    user = _account_of(find_colleague(person), departure, now)
    found, is_new = Participant.objects.get_or_create(
        departure=departure,
        user=user,
        capacity=part,
        defaults={"added_at": now, "added_by": actor.label[:300]},
    )
    if is_new:
        _record("participant.added", found, actor, now)
        messages.tell_let_in(user, departure, part_title(part), actor=actor, now=now)
    return found


@operation("participants.remove")
def remove_participant(*, participant: Participant, actor: Actor, now: datetime) -> None:
    """Take a part back.

    Raises `Conflict` for the one who leaves, for the last part of somebody who owns pending steps, and on a
    need-to-know departure for the last who could let anybody in.
    """
    departure = lock_departure(participant.departure)
    authorise(actor, "participants.remove", departure)
    if participant.capacity == "departing":
        raise Conflict("part_stays", f"{participant.user} is the one who leaves; that part stays.")
    others = Participant.objects.filter(departure=departure).exclude(pk=participant.pk)
    _check_owns_nothing(participant, has_other_part=others.filter(user=participant.user).exists())
    if departure.is_restricted and _lets_in(participant):
        doors = load_matrix().operations["participants.add"].allow
        if not others.filter(capacity__in=doors, user__is_active=True).exists():
            raise Conflict(
                "last_who_lets_in",
                f"{participant.user} is the last here who can let somebody in. Let another in as HR first.",
            )
    _record("participant.removed", participant, actor, now)
    participant.delete()


def _account_of(found: Person | User, departure: Departure, now: datetime) -> User:
    """Their account, made where they never had one. Raises `Invalid` for who has left or leaves."""
    leaves = is_own_account(found, departure) if isinstance(found, User) else found.pk == departure.person_id
    if leaves:
        raise Invalid(
            "participant_leaves",
            f"{found} is the one who leaves, and sees nothing of the inside.",
            field="person",
        )
    if isinstance(found, Person):
        if found.left_on_date is not None:
            raise Invalid("has_left", f"{found} has left. Choose somebody else.", field="person")
        found = ensure_user(found, now=now)
    if not found.is_active:
        raise Invalid(
            "account_closed", f"{found} cannot sign in any more. Choose somebody else.", field="person"
        )
    return found


def _check_owns_nothing(participant: Participant, *, has_other_part: bool) -> None:
    if has_other_part:
        return
    pending = Step.objects.filter(
        journey_id=participant.departure_id, owner=participant.user, state__in=PENDING
    )
    titles = list(pending.order_by("due_at", "pk").values_list("title", flat=True))
    if titles:
        shown = ", ".join(f"“{title}”" for title in titles[:3])
        more = f" and {len(titles) - 3} more" if len(titles) > 3 else ""
        raise Conflict(
            "owns_steps",
            f"{participant.user} still has {shown}{more} to do here. Give that to somebody else first.",
        )


def _lets_in(participant: Participant) -> bool:
    return participant.capacity in load_matrix().operations["participants.add"].allow


def _record(kind: str, participant: Participant, actor: Actor, now: datetime) -> None:
    record(
        kind,
        scope=departure_scope(participant.departure_id),
        actor=actor.label,
        at=now,
        fields={"user": str(participant.user), "part": part_title(participant.capacity)},
    )
