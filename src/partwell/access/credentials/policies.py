"""Who may read of a shared credential, and what they may do about it."""

from __future__ import annotations

from django.db.models import Exists, OuterRef, Q, QuerySet

from partwell.access.models import Credential, Holder
from partwell.people.actors import Actor, Channel
from partwell.people.authorisation import (
    CREDENTIAL_HOLDER,
    CREDENTIAL_OWNER,
    check_allowed,
    load_matrix,
)
from partwell.refusals import NotFound

VIEW = "credentials.view"


def parts_of(actor: Actor, credential: Credential) -> frozenset[str]:
    """All that the actor is to this credential: granted roles, its owner, one of those who know it."""
    if actor.channel in (Channel.CONSOLE, Channel.ENGINE):
        return frozenset({actor.channel.value})
    held = {grant.role.value for grant in actor.grants}
    if actor.person_id is not None:
        if credential.owner_id == actor.person_id:
            held.add(CREDENTIAL_OWNER)
        if _holding(actor).filter(credential=credential).exists():
            held.add(CREDENTIAL_HOLDER)
    return frozenset(held)


def authorise(actor: Actor, name: str, credential: Credential) -> frozenset[str]:
    """Raise unless the actor may do `name` to this credential; return what they are to it.

    Raises `NotFound` where it does not exist for them, else as `check_allowed`.
    """
    held = parts_of(actor, credential)
    if not held & load_matrix().operations[VIEW].allow:
        raise NotFound("credential")
    check_allowed(actor, name, held)
    return held


def may(actor: Actor, name: str, credential: Credential) -> bool:
    """Whether to offer an operation; it decides again."""
    return bool(parts_of(actor, credential) & load_matrix().operations[name].allow)


def visible_credentials(actor: Actor) -> QuerySet[Credential]:
    """The credentials that exist for this actor: the rule of `authorise`, as one query."""
    found = Credential.objects.all()
    allowed = load_matrix().operations[VIEW].allow
    if actor.channel is Channel.CONSOLE or allowed & {grant.role.value for grant in actor.grants}:
        return found
    if actor.person_id is None:
        return found.none()
    return found.filter(
        Q(owner_id=actor.person_id) | Exists(_holding(actor).filter(credential=OuterRef("pk")))
    )


def _holding(actor: Actor) -> QuerySet[Holder]:
    return Holder.objects.filter(person_id=actor.person_id or 0, until_date__isnull=True)
