"""Who takes part in a departure, as what, since when and why."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from typing import Any

from django.db.models import Q

from partwell.departures.models import Departure, Participant
from partwell.departures.states import SubjectKind
from partwell.journeys.models import Step
from partwell.journeys.states import PENDING, StepState
from partwell.people.authorisation import STEP_OWNER, load_matrix
from partwell.people.models import RoleGrant
from partwell.people.roles import GRANTABLE, ROLE_LABELS, Role
from partwell.refusals import NotFound

GIVEN_PARTS: tuple[str, ...] = tuple(role.value for role in Role if role not in (Role.DEPARTING, Role.ADMIN))
"""The parts in which somebody is let in."""


@dataclass(frozen=True)
class Part:
    """One part of one person here. `pending` counts the steps of theirs that are not settled."""

    participant: Participant
    title: str
    why: str
    pending: int

    @property
    def is_leaver(self) -> bool:
        return self.participant.capacity == Role.DEPARTING

    def as_dict(self) -> dict[str, Any]:
        """As the API and the command line show it."""
        return {
            "id": self.participant.pk,
            "name": str(self.participant.user),
            "email": self.participant.user.email,
            "part": self.participant.capacity,
            "title": self.title,
            "since": self.participant.added_at.isoformat(),
            "why": self.why,
            "added_by": self.participant.added_by or None,
            "pending_steps": self.pending,
            "can_sign_in": self.participant.user.is_active,
        }


def part_title(part: str) -> str:
    """What a part is called."""
    return "Owns steps" if part == STEP_OWNER else ROLE_LABELS[Role(part)]


def parts_of(departure: Departure) -> list[Part]:
    """Everybody who takes part, in the order in which they came, for somebody who sees the departure.

    Three queries, whatever the size.
    """
    participants = list(
        Participant.objects.filter(departure=departure).select_related("user").order_by("added_at", "pk")
    )
    owned: Counter[tuple[int, str]] = Counter()
    pending: Counter[int] = Counter()
    steps = Step.objects.filter(journey_id=departure.pk, owner__isnull=False).exclude(
        state__in=(StepState.NOT_NEEDED, StepState.WITHDRAWN)
    )
    for owner, role, state in steps.values_list("owner_id", "role", "state"):
        owned[owner, role] += 1
        owned[owner, STEP_OWNER] += 1
        pending[owner] += state in PENDING
    where = Q(department="") | Q(department=departure.subject_department)
    grants = RoleGrant.objects.filter(where, user__in=[each.user_id for each in participants])
    held = set(grants.values_list("user_id", "role"))
    return [
        Part(
            participant=each,
            title=part_title(each.capacity),
            why=_why(each, owned[each.user_id, each.capacity], (each.user_id, each.capacity) in held),
            pending=pending[each.user_id],
        )
        for each in participants
    ]


def find_part(departure: Departure, participant_id: int) -> Part:
    """One of `parts_of`. Raises `NotFound`."""
    for part in parts_of(departure):
        if part.participant.pk == participant_id:
            return part
    raise NotFound("participant")


def roles_that_see(departure: Departure) -> list[str]:
    """The titles of the roles whose holders see this departure without taking part; none on need-to-know."""
    if departure.is_restricted:
        return []
    viewers = GRANTABLE & load_matrix().operations["journeys.view"].allow
    if departure.subject_kind != SubjectKind.CLIENT:
        viewers -= {Role.ACCOUNT_MANAGER}
    return [ROLE_LABELS[role] for role in Role if role in viewers]


def _why(participant: Participant, steps: int, holds_role: bool) -> str:
    """Why somebody takes part, in a few words."""
    if participant.capacity == Role.DEPARTING:
        return "Leaves; sees their own page at most, and nothing of the inside"
    said = []
    if participant.added_by:
        said.append(f"let in by {participant.added_by.split(' <')[0]}")
    if steps:
        said.append(f"owner of {steps} step{'' if steps == 1 else 's'}")
    elif participant.capacity == STEP_OWNER:
        said.append("was given steps that others have now")
    if holds_role and not participant.added_by:
        said.append("holds this role")
    words = ", ".join(said) or "since the departure began"
    return words[0].upper() + words[1:]
