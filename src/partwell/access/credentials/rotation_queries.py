"""Which rotations exist for whom, and how they look.

The owner of a secret need not take part in a departure to change it. They are told of it without its name,
and of a need-to-know departure not before access has ended.
"""

from __future__ import annotations

from datetime import datetime
from typing import Any
from uuid import UUID

from django.db.models import Q, QuerySet

from partwell.access.credentials import details
from partwell.access.credentials.states import UNSETTLED
from partwell.access.models import CredentialRotation
from partwell.departures.models import Departure
from partwell.departures.policies import authorise, is_leaver, visibility
from partwell.departures.states import Confidentiality, SubjectKind
from partwell.people.actors import Actor
from partwell.people.authorisation import CREDENTIAL_OWNER
from partwell.refusals import Invalid, NotFound


def _owned(actor: Actor, now: datetime) -> Q:
    if actor.person_id is None:
        return Q(pk__in=[])
    known = Q(departure__confidentiality=Confidentiality.NORMAL) | Q(departure__access_end_at__lte=now)
    return Q(owner_id=actor.person_id) & known & ~Q(departure__person_id=actor.person_id)


def visible_rotations(actor: Actor, *, now: datetime) -> QuerySet[CredentialRotation]:
    """The rotations that exist for this actor: of departures whose access they may read, and their own."""
    inside = visibility(actor, prefix="departure__", to="access.view")
    # An empty rule allows all; joined with another by “or” it would vanish.
    found = CredentialRotation.objects.filter(inside | _owned(actor, now) if inside else inside)
    return found.select_related("credential__system", "credential__owner", "departure", "owner")


def my_rotations(actor: Actor, *, now: datetime) -> list[CredentialRotation]:
    """What the actor has to change, the most urgent first."""
    found = visible_rotations(actor, now=now).filter(_owned(actor, now), state__in=UNSETTLED)
    return list(found.order_by("departure__access_end_at", "credential__name_folded"))


def list_rotations(
    actor: Actor, *, state: str = "open", journey: UUID | None = None, now: datetime
) -> list[CredentialRotation]:
    """Those that exist for the actor, what is due first: `open` ones or `all`, of one departure or of any.

    Raises `Invalid` for another `state`.
    """
    if state not in ("open", "all"):
        raise Invalid("state_unknown", "Say open or all.", field="state")
    found = visible_rotations(actor, now=now)
    if state == "open":
        found = found.filter(state__in=UNSETTLED)
    if journey is not None:
        found = found.filter(departure_id=journey).filter(visibility(actor, prefix="departure__"))
    return list(found.order_by("departure__access_end_at", "credential__name_folded", "pk"))


def get_rotation(actor: Actor, rotation_id: UUID | str, *, now: datetime) -> CredentialRotation:
    """One rotation. Raises `NotFound` where it does not exist for the actor."""
    try:
        key = rotation_id if isinstance(rotation_id, UUID) else UUID(rotation_id)
    except ValueError:
        raise NotFound("rotation") from None
    found = visible_rotations(actor, now=now).filter(pk=key).first()
    if found is None:
        raise NotFound("rotation")
    return found


def rotations_of(departure: Departure, *, actor: Actor) -> list[CredentialRotation]:
    """All rotations of a departure, for those who may read its access."""
    authorise(actor, "access.view", departure)
    found = departure.credential_rotations.select_related(
        "credential__system", "credential__owner", "departure", "owner"
    )
    return list(found.order_by("credential__name_folded"))


def also_of(actor: Actor, rotation: CredentialRotation, now: datetime) -> frozenset[str]:
    """What the actor is to this very rotation, beside what they are to its departure."""
    if is_leaver(actor, rotation.departure):
        return frozenset()
    mine = CredentialRotation.objects.filter(_owned(actor, now), pk=rotation.pk)
    return frozenset({CREDENTIAL_OWNER}) if mine.exists() else frozenset()


def rotation_dict(rotation: CredentialRotation, *, names_departure: bool) -> dict[str, Any]:
    """A rotation as faces show it; the departure is named only to those who may read of it."""
    credential = rotation.credential
    return {
        "id": str(rotation.pk),
        "credential_id": str(credential.pk),
        "credential": credential.name,
        "journey": str(rotation.departure_id) if names_departure else None,
        "subject": rotation.departure.subject_name if names_departure else None,
        "owner": rotation.owner_name,
        "state": rotation.state,
        "by": rotation.by,
        "due_at": rotation.due_at.isoformat(),
        "reason": rotation.reason,
        "proof": rotation.proof,
        "told": rotation.told,
        "settled_at": rotation.settled_at.isoformat() if rotation.settled_at else None,
        "settled_by": rotation.settled_by,
        "by_connector": credential.system is not None and details.rotates(credential.system),
        "is_client": rotation.departure.subject_kind == SubjectKind.CLIENT,
    }
