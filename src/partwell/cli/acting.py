"""As whom a command acts: the console, or, on a practice installation only, anybody one names."""

from __future__ import annotations

from typing import Annotated

import typer

from partwell import clock
from partwell.people.actors import Actor, Channel, actor_for_user, console_actor
from partwell.people.models import User
from partwell.people.operations import ensure_user
from partwell.people.queries import find_person, installation
from partwell.refusals import NotAllowed

As = Annotated[
    str | None,
    typer.Option("--as", metavar="EMAIL", help="Play this person's part; practice installations only."),
]


def acting(email: str | None) -> Actor:
    """The console's actor, or in a practice installation the person with this address.

    A played part counts as a signed-in person there, so that one can try a whole journey alone; every page
    of such an installation says that it is for practice. Raises `NotAllowed` anywhere else.
    """
    if not email:
        return console_actor()
    here = installation()
    if here is None or not here.is_practice:
        raise NotAllowed(
            "not_practice",
            "--as works in practice installations only (partwell init --practice).",
            field="as",
        )
    return actor_for_user(_user(email.strip()), channel=Channel.WEB, is_fresh=True)


def _user(email: str) -> User:
    """The account of anybody in the register; one who never signed in gets theirs now."""
    user = User.objects.filter(email__iexact=email).first()
    if user is None:
        user = ensure_user(find_person(email), now=clock.now())
    if not user.is_active:
        raise NotAllowed("account_closed", f"{user.email} cannot sign in any more.", field="as")
    return user
