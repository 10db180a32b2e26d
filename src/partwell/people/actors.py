"""Who is acting, through which door, and how sure we are of it.

Operations take an `Actor`, never a `User`: the console, the engine and a guest act too. Evidence keeps
`Actor.label` as text, so that the record outlives the person's row.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from enum import StrEnum
from uuid import UUID

from django.db.models.functions import Lower

from partwell.people.models import Person, PersonAlias, RoleGrant, User
from partwell.people.roles import Role


class Channel(StrEnum):
    """The door through which an actor came. Only `WEB` can ever count as a second person."""

    WEB = "web"
    API = "api"
    CONSOLE = "console"
    ENGINE = "engine"
    GUEST = "guest"


@dataclass(frozen=True)
class Grant:
    """One granted role; an empty department means the whole firm."""

    role: Role
    department: str = ""


@dataclass(frozen=True)
class Actor:
    """Somebody or something that asks for an operation.

    `is_fresh` says that the person has signed in again recently with a second factor. `scopes` limits an
    API token; None means no limit. `departure_id` ties a guest to the one departure their link is for,
    `guest_capacity` says as what (`departing` or `helper`), and `guest_steps` which steps a helper has.
    """

    label: str
    channel: Channel
    user_id: int | None = None
    person_id: int | None = None
    grants: frozenset[Grant] = field(default_factory=frozenset)
    is_fresh: bool = False
    scopes: frozenset[str] | None = None
    departure_id: UUID | None = None
    guest_capacity: str = ""
    guest_steps: frozenset[str] = field(default_factory=frozenset)

    @property
    def can_be_second_person(self) -> bool:
        """Whether an approval by this actor counts as another human being's."""
        return self.channel is Channel.WEB and self.user_id is not None

    def roles_in(self, department: str = "") -> frozenset[Role]:
        """The granted roles that hold for `department`; firm-wide grants hold everywhere."""
        return frozenset(g.role for g in self.grants if not g.department or g.department == department)

    def has_role(self, role: Role) -> bool:
        """Whether the role is held anywhere at all."""
        return any(g.role == role for g in self.grants)


CONSOLE_LABEL = "operator@console"


def actor_for_user(
    user: User,
    *,
    channel: Channel = Channel.WEB,
    is_fresh: bool = False,
    scopes: Iterable[str] | None = None,
) -> Actor:
    """The signed-in `user` as an actor, with the roles granted at this moment."""
    grants = frozenset(
        Grant(Role(role), department)
        for role, department in RoleGrant.objects.filter(user=user).values_list("role", "department")
    )
    return Actor(
        label=f"{user.name} <{user.email}>" if user.name else user.email,
        channel=channel,
        user_id=user.pk,
        person_id=register_entry(user),
        grants=grants,
        is_fresh=is_fresh,
        scopes=None if scopes is None else frozenset(scopes),
    )


def register_entry(user: User) -> int | None:
    """Whose account it is, by the register: the entry that it was tied to, or the one that has its address.

    An account may be older than the entry, as the first administrator's is. Whoever leaves is known by any of
    their addresses, so that no account of theirs shows them the inside of their own departure.
    """
    if user.person_id is not None:
        return user.person_id
    address = user.email.lower()
    own = Person.objects.annotate(address=Lower("email")).filter(address=address)
    aliases = PersonAlias.objects.annotate(address=Lower("email")).filter(address=address)
    return own.values_list("pk", flat=True).first() or aliases.values_list("person_id", flat=True).first()


def console_actor() -> Actor:
    """Whoever sits at the server's console. Trusted with everything but being a second person."""
    return Actor(label=CONSOLE_LABEL, channel=Channel.CONSOLE)


def engine_actor(what: str) -> Actor:
    """The product itself, acting on a rule or a plan that people approved; `what` names it."""
    return Actor(label=f"Partwell ({what})", channel=Channel.ENGINE)
