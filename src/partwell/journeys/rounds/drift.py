"""What has changed since a round was prepared: what stands in the way of an approval, and who drops out."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from datetime import datetime

from partwell import clock
from partwell.departures.models import Departure
from partwell.departures.states import Confidentiality, DepartureState
from partwell.journeys.models import Round, RoundMember
from partwell.journeys.rounds.states import MemberState
from partwell.journeys.template_queries import latest

NOT_IN_REGISTER = "Is no longer in the register."


@dataclass(frozen=True)
class Drift:
    """`obstacles` need a new preparation; an approval leaves out who is in `leaving_out`, for a reason."""

    obstacles: tuple[str, ...]
    leaving_out: tuple[tuple[RoundMember, str], ...]
    digest: str


def drift_of(found: Round, *, now: datetime) -> Drift:
    """Compare a prepared round with the registers and templates of this moment. Four queries.

    `digest` binds what was prepared and what changed since: whoever approves sends the one that they saw. A
    departure that is a secret is not told of; who leaves in one is left out when the round starts.
    """
    obstacles = []
    newest = latest(found.template.template_id)
    if newest.pk != found.template_id:
        obstacles.append(
            f"Version {newest.version} of “{newest.title}” was published since; this round was prepared with "
            f"version {found.template.version}."
        )
    members = list(found.members.filter(state=MemberState.WAITING).select_related("person"))
    leaving = set(
        Departure.objects.filter(
            state=DepartureState.ACTIVE,
            confidentiality=Confidentiality.NORMAL,
            person__in=[member.person_id for member in members],
        ).values_list("person_id", flat=True)
    )
    reasons = [(member, _why_out(member, leaving, now)) for member in members]
    leaving_out = [(member, reason) for member, reason in reasons if reason]
    if members and len(leaving_out) == len(members):
        obstacles.append("Nobody of this round is left to start.")
    seen = [found.digest, *obstacles, *(f"{member.pk} {reason}" for member, reason in reasons)]
    return Drift(tuple(obstacles), tuple(leaving_out), hashlib.sha256("\n".join(seen).encode()).hexdigest())


def _why_out(member: RoundMember, leaving: set[int], now: datetime) -> str:
    if member.person is None:
        return NOT_IN_REGISTER
    if member.person.left_on_date is not None:
        return f"Left on {member.person.left_on_date}."
    if member.person_id in leaving:
        return "Is leaving already, by a journey of their own."
    if member.last_working_date < clock.today_in(member.person.timezone or "UTC", now=now):
        return f"Their last working day, {member.last_working_date}, has passed."
    return ""
