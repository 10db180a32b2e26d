"""As whom a command acts: the console, or, on a practice installation only, anybody one names."""

from __future__ import annotations

from typing import Annotated

import typer

from partwell.people.actors import Actor, Channel, actor_for_user, console_actor
from partwell.people.models import User
from partwell.people.queries import installation
from partwell.refusals import NotAllowed, NotFound

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
    user = User.objects.filter(email__iexact=email.strip(), is_active=True).first()
    if user is None:
        raise NotFound("user")
    return actor_for_user(user, channel=Channel.WEB, is_fresh=True)
