"""Letting somebody into a departure, and taking them out again. On need-to-know ones nothing else does."""

from __future__ import annotations

from datetime import datetime

from partwell.departures.models import Departure, Participant
from partwell.departures.policies import authorise, is_own_account
from partwell.evidence.operations import departure_scope, record
from partwell.people.actors import Actor
from partwell.people.authorisation import operation
from partwell.people.models import User
from partwell.people.roles import ROLE_LABELS, Role
from partwell.refusals import Conflict, Invalid


@operation("participants.add")
def add_participant(
    *, departure: Departure, user: User, capacity: Role | str, actor: Actor, now: datetime
) -> Participant:
    """Let a user take part in a departure in the part of a role. Who takes part so already stays.

    Raises `Invalid` for a part that nobody is given, for a closed account, and for the one who leaves.
    """
    authorise(actor, "participants.add", departure)
    if capacity not in [role for role in Role if role not in (Role.DEPARTING, Role.ADMIN)]:
        raise Invalid("part_unknown", f"“{capacity}” is no part that somebody is given.", field="capacity")
    if not user.is_active:
        raise Invalid(
            "account_closed", f"{user} cannot sign in any more. Choose somebody else.", field="user"
        )
    if is_own_account(user, departure):
        raise Invalid(
            "participant_leaves",
            f"{user} is the one who leaves, and sees nothing of the inside.",
            field="user",
        )
    part, is_new = Participant.objects.get_or_create(
        departure=departure, user=user, capacity=Role(capacity).value, defaults={"added_at": now}
    )
    if is_new:
        _record("participant.added", part, actor, now)
    return part


@operation("participants.remove")
def remove_participant(*, participant: Participant, actor: Actor, now: datetime) -> None:
    """Take a part back. Raises `Conflict` for the one who leaves, and for an owner of steps still pending."""
    departure = participant.departure
    authorise(actor, "participants.remove", departure)
    if participant.capacity == Role.DEPARTING:
        raise Conflict("part_stays", f"{participant.user} is the one who leaves; that part stays.")
    if participant.capacity == "step_owner":
        raise Conflict(
            "owns_steps", f"{participant.user} owns steps here. Give the steps to somebody else instead."
        )
    _record("participant.removed", participant, actor, now)
    participant.delete()


def _record(kind: str, part: Participant, actor: Actor, now: datetime) -> None:
    role = Role(part.capacity)
    record(
        kind,
        scope=departure_scope(part.departure_id),
        actor=actor.label,
        at=now,
        fields={"user": str(part.user), "part": ROLE_LABELS[role]},
    )
