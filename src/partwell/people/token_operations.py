"""API tokens: making one, taking one back, and finding whose a presented one is."""

from __future__ import annotations

import hashlib
import secrets
from collections.abc import Iterable
from dataclasses import replace
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Any

from partwell.evidence.operations import record
from partwell.people.actors import Actor, Channel, actor_for_user
from partwell.people.authorisation import check_office, operation
from partwell.people.models import ApiToken, User
from partwell.people.queries import find_user, role_holders
from partwell.people.roles import Role
from partwell.refusals import Conflict, Invalid, NotAllowed, NotFound

PREFIX = "pw_"
DEFAULT_DAYS = 90
MOST_DAYS = 366
LONGEST_NAME = 60
USE_NOTED_EVERY = timedelta(minutes=1)


class Scope(StrEnum):
    """What a token may do at most; its user's roles limit it further."""

    READ = "read"
    WRITE = "write"
    ACCESS = "access"


@operation("tokens.create")
def create_token(
    *,
    scopes: Iterable[str],
    actor: Actor,
    now: datetime,
    name: str = "",
    email: str = "",
    days: int = DEFAULT_DAYS,
) -> tuple[ApiToken, str]:
    """Make a token that acts as its user, and return it with its secret, which nobody can read again.

    People make tokens for themselves; the console makes them for whoever `email` names, or without it for
    the only administrator. A token never may more than its user, and `write` and `access` include `read`.
    """
    check_office(actor, "tokens.create")
    wanted = _scopes(scopes)
    if not 1 <= days <= MOST_DAYS:
        raise Invalid("days_range", f"A token lives 1 to {MOST_DAYS} days, not {days}.", field="days")
    user = _owner(email, actor)
    name = name.strip() or "API token"
    if len(name) > LONGEST_NAME:
        raise Invalid("name_too_long", f"The name has more than {LONGEST_NAME} characters.", field="name")
    secret = PREFIX + secrets.token_urlsafe(32)
    token = ApiToken.objects.create(
        user=user,
        name=name,
        hint=secret[:10],
        secret_sha256=_digest(secret),
        scopes=wanted,
        created_at=now,
        created_by=actor.label[:300],
        expires_at=now + timedelta(days=days),
    )
    record(
        "token.created",
        scope="register",
        actor=actor.label,
        at=now,
        fields={
            "token": token.pk,
            "name": name,
            "user": user.email,
            "scopes": wanted,
            "expires_at": token.expires_at.isoformat(),
        },
    )
    return token, secret


@operation("tokens.revoke")
def revoke_token(*, token_id: int, actor: Actor, now: datetime) -> ApiToken:
    """End a token; the next request with it is refused. One's own, or anybody's for administrators."""
    check_office(actor, "tokens.revoke")
    token = (
        ApiToken.objects.select_for_update(of=("self",)).select_related("user").filter(pk=token_id).first()
    )
    if token is None or not (_sees_all(actor) or token.user_id == actor.user_id):
        raise NotFound("token")
    if token.revoked_at is not None:
        raise Conflict("token_revoked", f"“{token.name}” is revoked already.")
    token.revoked_at = now
    token.save(update_fields=["revoked_at"])
    record(
        "token.revoked",
        scope="register",
        actor=actor.label,
        at=now,
        fields={"token": token.pk, "name": token.name, "user": token.user.email},
    )
    return token


def list_tokens(*, actor: Actor) -> list[ApiToken]:
    """Everybody's tokens for administrators and the console, else one's own; never their secrets."""
    tokens = ApiToken.objects.select_related("user")
    return list(tokens if _sees_all(actor) else tokens.filter(user_id=actor.user_id or 0))


def token_dict(token: ApiToken, *, now: datetime) -> dict[str, Any]:
    """A token as the API and the command line show it, without its secret."""
    return {
        "id": token.pk,
        "name": token.name,
        "hint": token.hint,
        "user": token.user.email,
        "scopes": token.scopes,
        "state": token_state(token, now=now),
        "created_at": token.created_at.isoformat(),
        "expires_at": token.expires_at.isoformat(),
        "last_used_at": token.last_used_at.isoformat() if token.last_used_at else None,
    }


def token_state(token: ApiToken, *, now: datetime) -> str:
    """`active`, `expired` or `revoked`."""
    if token.revoked_at:
        return "revoked"
    return "expired" if token.expires_at <= now else "active"


def find_token(secret: str, *, now: datetime) -> ApiToken | None:
    """The token of this secret, if it still lives and its user may sign in. Notes that it was used."""
    token = ApiToken.objects.select_related("user").filter(secret_sha256=_digest(secret)).first()
    if token is None or token.revoked_at is not None or token.expires_at <= now or not token.user.is_active:
        return None
    # Noted now and then: a write with each request would make readers queue for the writer's place.
    if token.last_used_at is None or now - token.last_used_at >= USE_NOTED_EVERY:
        ApiToken.objects.filter(pk=token.pk).update(last_used_at=now)
    return token


def actor_for_token(token: ApiToken) -> Actor:
    """The token's user with the roles held at this moment, limited to its scopes and named after both."""
    actor = actor_for_user(token.user, channel=Channel.API, scopes=token.scopes)
    return replace(actor, label=f"{actor.label} (token {token.name})"[:300])


def _scopes(scopes: Iterable[str]) -> list[str]:
    wanted = set(scopes)
    if not wanted or not wanted <= set(Scope):
        odd = ", ".join(sorted(wanted - set(Scope))) or "nothing"
        raise Invalid(
            "scope_unknown", f"“{odd}” is no scope. Choose from {', '.join(Scope)}.", field="scopes"
        )
    # Every change answers with what it changed, so who may write may read.
    return sorted({*wanted, Scope.READ.value})


def _owner(email: str, actor: Actor) -> User:
    email = email.strip().lower()
    if actor.channel is not Channel.CONSOLE:
        user = User.objects.get(pk=actor.user_id or 0)
        if email and email != user.email.lower():
            raise NotAllowed("not_your_token", "You make tokens for yourself only.", field="email")
        return user
    if email:
        return find_user(email)
    admins = role_holders(Role.ADMIN)
    if len(admins) != 1:
        raise Invalid(
            "whose_token",
            f"There are {len(admins)} administrators, so say whose token it is: --email them@example.com.",
            field="email",
        )
    return admins[0]


def _sees_all(actor: Actor) -> bool:
    return actor.channel is Channel.CONSOLE or actor.has_role(Role.ADMIN)


def _digest(secret: str) -> str:
    # A secret of 256 random bits needs no slow hash: there is nothing to guess.
    return hashlib.sha256(secret.encode()).hexdigest()
