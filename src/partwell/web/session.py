"""From a request to the actor who asks, and back to a sign-in when that is not sure enough."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any, cast

from allauth.account.authentication import get_authentication_records
from django.http import HttpRequest

from partwell import clock
from partwell.people.actors import Actor, Channel, actor_for_user
from partwell.people.models import User
from partwell.people.queries import usual_place, usual_timezone

FRESH_FOR = timedelta(minutes=15)
"""How long a second factor counts for operations that the matrix marks `fresh`."""


def signed_in(request: HttpRequest) -> User:
    """The user of a request that passed the sign-in requirement."""
    if not request.user.is_authenticated:
        raise LookupError("a view without sign-in asked who is signed in")
    return request.user


def is_fresh(request: HttpRequest, *, now: datetime) -> bool:
    """Whether this session proved a second factor within the last fifteen minutes.

    A password alone never counts, however recent.
    """
    records = cast(list[dict[str, Any]], get_authentication_records(request, signed_in(request)))
    proofs = [entry["at"] for entry in records if entry.get("method") == "mfa"]
    if not proofs:
        return False
    age = now - datetime.fromtimestamp(max(proofs), UTC)
    # A stamp from the future means that a clock was turned; it proves nothing.
    return timedelta(seconds=-5) <= age < FRESH_FOR


def actor_of(request: HttpRequest) -> Actor:
    """Who asks, through the web, with the roles held at this moment. Read once for each request."""
    kept: Actor | None = getattr(request, "_partwell_actor", None)
    if kept is None:
        kept = actor_for_user(
            signed_in(request), channel=Channel.WEB, is_fresh=is_fresh(request, now=clock.now())
        )
        request._partwell_actor = kept  # type: ignore[attr-defined]
    return kept


def viewer_timezone(user: User) -> str:
    """The timezone in which this user reads times: their own, their register entry's, or else the firm's."""
    for name in (user.timezone, user.person.timezone if user.person else ""):
        if name and clock.is_timezone(name):
            return name
    if hasattr(user, "firm_timezone"):  # a session's user brings it along
        usual = usual_timezone(user.firm_timezone)
    else:
        usual = usual_place().timezone
    return usual if clock.is_timezone(usual) else "UTC"
