"""Reading the register of shared credentials, through the eyes of an actor."""

from __future__ import annotations

from datetime import date
from typing import Any
from uuid import UUID

from django.db.models import Count, F, Q, QuerySet

from partwell.access.credentials import details
from partwell.access.credentials.policies import authorise, visible_credentials
from partwell.access.credentials.states import CredentialKind
from partwell.access.models import Credential, Holder
from partwell.paging import decode_cursor, encode_cursor
from partwell.people.actors import Actor
from partwell.people.authorisation import CREDENTIAL_OWNER, check_allowed
from partwell.people.models import fold
from partwell.refusals import Invalid, NotFound

LONGEST_PAGE = 200
SEES_HOLDERS = frozenset({"it_security", "admin", CREDENTIAL_OWNER, "console"})


def list_credentials(
    *,
    actor: Actor,
    today: date,
    search: str = "",
    kind: str = "",
    only: str = "",
    after: str | None = None,
    limit: int = 50,
) -> tuple[list[Credential], str | None]:
    """A page of the credentials that exist for the actor, by name, and the cursor of the next page.

    `only` narrows: `mine` (owned or known by the actor), `due` (its interval has passed by `today`),
    `unowned`, `retired`. Without it, those in use. Each has the number of its
    `known_by`. Raises `Invalid` for an unknown `kind` or `only`.
    """
    if actor.scopes is not None:
        check_allowed(actor, "credentials.view", frozenset({CREDENTIAL_OWNER}))
    found = visible_credentials(actor).select_related("owner", "client", "system")
    found = _narrowed(found, only, actor, today)
    if kind:
        if kind not in {member.value for member in CredentialKind}:
            raise Invalid("kind_unknown", f"There is no kind {kind!r} of credentials.", field="kind")
        found = found.filter(kind=kind)
    for word in fold(search).split():
        found = found.filter(search_text__contains=word)
    if (place := decode_cursor(after, 2)) is not None:
        name, key = place[0], _key(place[1])
        found = found.filter(Q(name_folded__gt=name) | Q(name_folded=name, pk__gt=key))
    known_by = Count("holders", filter=Q(holders__until_date__isnull=True))
    limit = max(1, min(limit, LONGEST_PAGE))
    counted: QuerySet[Any] = found.annotate(known_by=known_by).order_by("name_folded", "pk")
    rows = list(counted[: limit + 1])
    page = rows[:limit]
    return page, encode_cursor((page[-1].name_folded, page[-1].pk)) if len(rows) > limit else None


def _narrowed(found: QuerySet[Credential], only: str, actor: Actor, today: date) -> QuerySet[Credential]:
    if only == "retired":
        return found.filter(retired_at__isnull=False)
    found = found.filter(retired_at__isnull=True)
    if only == "":
        return found
    if only == "mine":
        mine = Holder.objects.filter(person_id=actor.person_id or 0, until_date__isnull=True)
        return found.filter(Q(owner_id=actor.person_id or 0) | Q(pk__in=mine.values("credential_id")))
    if only == "due":
        # Few have an interval, and databases add days to dates each in its own way.
        some = found.filter(rotate_every_days__isnull=False)
        return found.filter(pk__in=[each.pk for each in some if is_due(each, today)])
    if only == "unowned":
        return found.filter(owner__isnull=True)
    raise Invalid("filter_unknown", "Narrow by mine, due, unowned or retired.", field="only")


def is_due(credential: Credential, today: date) -> bool:
    """Whether its own interval has passed."""
    return credential.due_date is not None and credential.due_date <= today


def get_credential(actor: Actor, credential_id: UUID | str) -> Credential:
    """One credential. Raises `NotFound` where it does not exist for the actor."""
    key = _key(str(credential_id), "credential")
    found = Credential.objects.select_related("owner", "client", "system").filter(pk=key).first()
    if found is None:
        raise NotFound("credential")
    authorise(actor, "credentials.view", found)
    return found


def get_holder(actor: Actor, credential: Credential, holder_id: int) -> Holder:
    """One entry of who knows a credential. Raises `NotFound`."""
    held = authorise(actor, "credentials.view", credential)
    holder = credential.holders.select_related("credential").filter(pk=holder_id).first()
    if holder is None or not held & SEES_HOLDERS:
        raise NotFound("holder")
    return holder


def holders_for(actor: Actor, credential: Credential) -> list[Holder] | None:
    """Who knows it, those who do so now first; None for who knows it too and answers for nothing here."""
    if not authorise(actor, "credentials.view", credential) & SEES_HOLDERS:
        return None
    return list(credential.holders.order_by(F("until_date").desc(nulls_first=True), "name", "pk"))


def credential_dict(credential: Credential, *, today: date) -> dict[str, Any]:
    """A credential as the API and the command line list it."""
    shown = details.shown(credential)
    return {
        "id": str(credential.pk),
        **{name: details.as_text(value) for name, value in shown.items() if name != "rotate_every_days"},
        "rotate_every_days": credential.rotate_every_days,
        "rotated_on": credential.rotated_on_date.isoformat() if credential.rotated_on_date else None,
        "owner": credential.owner_name,
        "client": credential.client_name,
        "due_on": credential.due_date.isoformat() if credential.due_date else None,
        "is_due": is_due(credential, today),
        "is_retired": credential.retired_at is not None,
    }


def credential_view(actor: Actor, credential: Credential, *, today: date) -> dict[str, Any]:
    """A credential with who knows it, for those who may read that."""
    holders = holders_for(actor, credential)
    return {
        **credential_dict(credential, today=today),
        "holders": None if holders is None else [holder_dict(holder) for holder in holders],
    }


def holder_dict(holder: Holder) -> dict[str, Any]:
    """One entry of who knows it."""
    return {
        "id": holder.pk,
        "name": holder.name,
        "email": holder.email,
        "is_contact": holder.contact_id is not None,
        "since": holder.since_date.isoformat(),
        "until": holder.until_date.isoformat() if holder.until_date else None,
    }


def _key(text: str, what: str = "page") -> UUID:
    try:
        return UUID(text)
    except ValueError:
        raise NotFound(what) from None
