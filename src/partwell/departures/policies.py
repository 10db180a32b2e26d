"""Who may see a departure, and what they may do to it."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any
from uuid import UUID

from django.db.models import Exists, OuterRef, Q, QuerySet

from partwell.departures.models import Departure, Participant
from partwell.departures.states import Confidentiality, SubjectKind
from partwell.evidence.operations import departure_scope
from partwell.people.actors import Actor, Channel, register_entry
from partwell.people.authorisation import check_allowed, load_matrix, may_read_field
from partwell.people.models import User
from partwell.people.roles import Role
from partwell.refusals import Conflict, NotFound


def is_leaver(actor: Actor, departure: Departure) -> bool:
    """Whether this departure is the actor's own."""
    if actor.channel is Channel.GUEST:
        return actor.departure_id == departure.pk and actor.guest_capacity == Role.DEPARTING
    return actor.person_id is not None and actor.person_id == departure.person_id


def is_own_account(user: User, departure: Departure) -> bool:
    """Whether the one who leaves signs in with this account: the rule of `is_leaver`, for somebody who does
    not act but is given something."""
    return departure.person_id is not None and register_entry(user) == departure.person_id


def capacities(actor: Actor, departure: Departure) -> frozenset[str]:
    """All that the actor is to this departure; empty means that it does not exist for them.

    Grants count only on normal departures; on need-to-know ones only participation does. The one who
    leaves is `departing` and nothing else, whatever they were granted.
    """
    if actor.channel in (Channel.CONSOLE, Channel.ENGINE):
        return frozenset({actor.channel.value})
    if is_leaver(actor, departure):
        return frozenset({Role.DEPARTING.value})
    if actor.channel is Channel.GUEST:
        return frozenset({actor.guest_capacity}) if actor.departure_id == departure.pk else frozenset()
    if actor.user_id is None:
        return frozenset()
    held = frozenset(
        Participant.objects.filter(departure=departure, user_id=actor.user_id).values_list(
            "capacity", flat=True
        )
    )
    if not departure.is_restricted:
        held |= {
            role.value for role in actor.roles_in(departure.subject_department) if _counts(role, departure)
        }
    return held


def _counts(role: Role, departure: Departure) -> bool:
    """Account managers answer for clients; a grant gives them no view of colleagues who leave."""
    return role is not Role.ACCOUNT_MANAGER or departure.subject_kind == SubjectKind.CLIENT


def authorise(
    actor: Actor, name: str, departure: Departure, *, also: frozenset[str] = frozenset()
) -> frozenset[str]:
    """Raise unless the actor may do `name` here; return what they are to this departure.

    `also` adds capacities that depend on a smaller object, such as `step_owner`.

    Raises `NotFound` where the departure does not exist for them, `NotAllowed` where the matrix says no,
    `Conflict` where it is closed, `FreshSignInNeeded` where the sign-in is too old.
    """
    held = capacities(actor, departure) | also
    row = load_matrix().operations[name]
    if not held or (held == {Role.DEPARTING.value} and Role.DEPARTING.value not in row.allow):
        raise NotFound("departure")
    check_allowed(actor, name, held)
    if not departure.is_open and not row.on_closed:
        raise Conflict(
            "departure_ended", f"This departure is {departure.state}; nothing in it changes any more."
        )
    return held


def visible_departures(actor: Actor, *, to: str = "") -> QuerySet[Departure]:
    """The departures whose inside exists for this actor; the same rule as `capacities`, as one query.

    `to` names an operation that reads, such as `access.view`: then only those on which its row allows it.
    """
    return Departure.objects.filter(visibility(actor, to=to))


def sees_inside(actor: Actor, rows: Iterable[Any], *, to: str) -> set[UUID]:
    """Of the departures that these rows belong to, those whose inside exists for this actor, as in
    `visible_departures`. One query."""
    ids = {row.departure_id for row in rows}
    return set(visible_departures(actor, to=to).filter(pk__in=ids).values_list("pk", flat=True))


def scopes_of_others(actor: Actor) -> list[str]:
    """The scopes in evidence and mail of every departure whose inside does not exist for this actor."""
    visible = visibility(actor)
    if not visible:  # nothing is hidden; `exclude` would take no rule for a rule that fits nothing
        return []
    hidden = Departure.objects.exclude(visible).values_list("pk", flat=True)
    return [departure_scope(pk) for pk in hidden]


def visibility(actor: Actor, *, prefix: str = "", to: str = "") -> Q:
    """The rule of `visible_departures` for a query of anything that belongs to a departure.

    `prefix` leads to it: `journey__departure__` for steps. Each row is asked by itself, so that a page of
    a few rows does not first collect every departure that the actor may see.
    """
    if actor.channel in (Channel.CONSOLE, Channel.ENGINE):
        return Q()
    if actor.channel is Channel.GUEST or actor.user_id is None:
        return Q(pk__in=[])
    own = Participant.objects.filter(user_id=actor.user_id, departure=OuterRef(f"{prefix}pk"))
    own = own.exclude(capacity=Role.DEPARTING)
    viewers = load_matrix().operations[to or "journeys.view"].allow
    if to:
        own = own.filter(capacity__in=viewers)
    # Firm-wide roles come first: where one counts, a database need not look for participants.
    rule = Q(pk__in=[])
    for grant in sorted(actor.grants, key=lambda grant: grant.department):
        if grant.role.value not in viewers:
            continue
        scope = Q(**{f"{prefix}confidentiality": Confidentiality.NORMAL})
        if grant.department:
            scope &= Q(**{f"{prefix}subject_department": grant.department})
        if grant.role is Role.ACCOUNT_MANAGER:
            scope &= Q(**{f"{prefix}subject_kind": SubjectKind.CLIENT})
        rule |= scope
    rule |= Q(Exists(own))
    if actor.person_id is not None:
        rule &= ~Q(**{f"{prefix}person_id": actor.person_id})
    return rule


def can_read(actor: Actor, field: str, held: frozenset[str]) -> bool:
    """Whether the actor, being `held` here, may read one field, such as `departure.reason`."""
    return may_read_field(actor, field, held)
