"""Reading rounds: always through the eyes of an actor, and with a fixed number of queries."""

from __future__ import annotations

from typing import Any
from uuid import UUID

from django.db.models import Count, Exists, OuterRef, Q, QuerySet

from partwell.departures.policies import visibility
from partwell.departures.states import Confidentiality
from partwell.journeys.models import Round, RoundMember, RoundParticipant
from partwell.journeys.rounds.states import MemberState
from partwell.people.actors import Actor, Channel
from partwell.people.authorisation import check_office, load_matrix, reading
from partwell.people.models import RoleGrant, User
from partwell.people.roles import Role
from partwell.refusals import NotFound

APPROVERS = (Role.HR, Role.EXECUTIVE)


def round_scope(round_id: UUID) -> str:
    """The scope of what happens to a round as a whole; each departure keeps its own."""
    return f"round:{round_id}"


def visible_rounds(actor: Actor) -> QuerySet[Round]:
    """The rounds that exist for this actor, newest first.

    A need-to-know round exists for its participants alone. Any other exists for the roles that read rounds,
    where they count for everybody in it. None exists for anybody who is in it.
    """
    rounds = Round.objects.all()
    if actor.channel in (Channel.CONSOLE, Channel.ENGINE):
        return rounds
    if actor.channel is Channel.GUEST or actor.user_id is None:
        return rounds.none()
    viewers = load_matrix().operations["rounds.view"].allow
    grants = [grant for grant in actor.grants if grant.role.value in viewers]
    if not grants:
        return rounds.none()
    rule = Q(Exists(RoundParticipant.objects.filter(round=OuterRef("pk"), user_id=actor.user_id)))
    departments = {grant.department for grant in grants}
    openly = Q(confidentiality=Confidentiality.NORMAL)
    if "" not in departments:
        elsewhere = RoundMember.objects.filter(round=OuterRef("pk")).exclude(department__in=departments)
        openly &= ~Q(Exists(elsewhere))
    rounds = rounds.filter(rule | openly)
    if actor.person_id is not None:
        own = RoundMember.objects.filter(round=OuterRef("pk"), person_id=actor.person_id)
        rounds = rounds.filter(~Exists(own))
    return rounds


@reading("rounds.view")
def list_rounds(*, actor: Actor) -> list[Round]:
    """The rounds that the actor sees, newest first, each with how many `people` it has of each state."""
    check_office(actor, "rounds.view")
    counts = {state.value: Count("members", filter=Q(members__state=state)) for state in MemberState}
    return list(visible_rounds(actor).select_related("template").annotate(people=Count("members"), **counts))


def get_round(actor: Actor, round_id: UUID | str) -> Round:
    """One round that the actor sees, with its template. Raises `NotFound`."""
    check_office(actor, "rounds.view")
    try:
        key = round_id if isinstance(round_id, UUID) else UUID(round_id)
    except ValueError:
        raise NotFound("round") from None
    found = visible_rounds(actor).select_related("template").filter(pk=key).first()
    if found is None:
        raise NotFound("round")
    return found


def members_of(found: Round, actor: Actor) -> QuerySet[RoundMember]:
    """Everybody of a round whose departure, if there is one, exists for the actor."""
    return found.members.filter(Q(departure=None) | visibility(actor, prefix="departure__"))


def hidden_round_scopes(actor: Actor) -> list[str]:
    """The scopes in evidence and mail of every round that does not exist for this actor."""
    hidden = Round.objects.exclude(pk__in=visible_rounds(actor).values("pk"))
    return [round_scope(pk) for pk in hidden.values_list("pk", flat=True)]


def possible_approvers(actor: Actor) -> list[User]:
    """Whoever may approve a round that this actor prepares: others who hold a role for it and can sign in."""
    held = RoleGrant.objects.filter(role__in=APPROVERS, user__is_active=True).exclude(user=actor.user_id)
    return list(User.objects.filter(pk__in=held.values("user")).order_by("name", "email"))


def round_dict(found: Round) -> dict[str, Any]:
    """A round as the API and the command line list it."""
    return {
        "id": str(found.pk),
        "name": found.name,
        "template": found.template.template_id,
        "template_version": found.template.version,
        "state": found.state,
        "confidentiality": found.confidentiality,
        "notice_date": found.notice_date.isoformat() if found.notice_date else None,
        "starts_at": found.starts_at.isoformat() if found.starts_at else None,
        "batch_size": found.batch_size,
        "digest": found.digest,
        "prepared_by": found.prepared_by,
        "prepared_at": found.prepared_at.isoformat(),
        "approved_by": found.approved_by or None,
        "approved_at": found.approved_at.isoformat() if found.approved_at else None,
        "recalled_by": found.recalled_by or None,
        "recalled_at": found.recalled_at.isoformat() if found.recalled_at else None,
        "recall_reason": found.recall_reason,
    }
