"""Who calls: a bearer token, alive, of a user who may sign in, and not too often."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, cast

from django.core.cache import cache
from django.http import HttpRequest
from ninja.security import HttpBearer

from partwell import clock
from partwell.api.answers import TooMany
from partwell.people.actors import Actor
from partwell.people.models import ApiToken
from partwell.people.token_operations import actor_for_token, find_token

CALLS_PER_MINUTE = 600


@dataclass
class Caller:
    """The token of a call, and the actor that it speaks for."""

    token: ApiToken
    actor: Actor


class BearerToken(HttpBearer):
    """`Authorization: Bearer pw_…`; a browser's session counts for nothing here."""

    def authenticate(self, request: HttpRequest, token: str) -> Caller | None:
        """The caller, or None for a token that is unknown, expired, revoked or of a closed account."""
        found = find_token(token.strip(), now=clock.now())
        if found is None:
            return None
        _count(found)
        return Caller(found, actor_for_token(found))


def caller_of(request: HttpRequest) -> Caller:
    """The caller of a request that was authenticated."""
    return cast(Caller, cast(Any, request).auth)


def actor_of(request: HttpRequest) -> Actor:
    """Who asks."""
    return caller_of(request).actor


def _count(token: ApiToken) -> None:
    """Count the call within this minute. Two processes may miss a call of each other, and that is fine:
    the limit is there against loops that ran away."""
    minute = int(clock.now().timestamp() // 60)
    key = f"api-calls:{token.pk}:{minute}"
    if cache.add(key, 1, timeout=120):
        return
    try:
        calls = cache.incr(key)
    except ValueError:
        # It expired in between, so the minute is over.
        return
    if calls > CALLS_PER_MINUTE:
        raise TooMany(CALLS_PER_MINUTE)
