"""Giving a shared account a new password, and showing that the old one is refused.

These servers know no transaction here, so it takes three steps: whatever can be refused is refused in the
first, then the new password is put where its users find it, and only then does the old one go.
"""

from __future__ import annotations

import secrets as random
from collections.abc import Awaitable, Callable, Mapping

from partwell.connector_kit.contract import (
    ConnectorError,
    ErrorKind,
    Outcome,
    Proof,
    Receipt,
    Verdict,
)
from partwell.connectors.mysql.flavours import Login
from partwell.connectors.mysql.session import SignIn
from partwell.connectors.mysql.view import View

PASSWORD_BYTES = 32
_SHOWN = "ALTER USER … IDENTIFIED …"
TrySignIn = Callable[[str], Awaitable[SignIn]]


def begin(view: View, login: Login) -> str:
    """The first step; returns the new password. Raises `ConnectorError`; then nothing has changed."""
    if reason := view.flavour.why_not_rotated(login):
        raise ConnectorError(
            ErrorKind.UNSUPPORTED, f"{login.name} cannot be given a new password: {reason}. Do it by hand."
        )
    new = random.token_urlsafe(PASSWORD_BYTES)
    try:
        for statement in view.flavour.begin_rotation(view.session, login, new):
            view.session.run(statement, shown=_SHOWN)
    except ConnectorError as error:
        undo(view, login, error)
        raise
    return new


def put_away(keep: Callable[[Mapping[str, str]], None], new: str) -> None:
    """The second step. Raises `ConnectorError`; then `undo` has to follow."""
    try:
        keep({"password": new})
    except ConnectorError:
        raise
    except Exception as error:
        # Only the kind of the fault: its text may hold the secret.
        raise ConnectorError(
            ErrorKind.RETRYABLE,
            f"The new password could not be put where its users find it ({type(error).__name__}). The old "
            "one goes on working.",
        ) from None


def undo(view: View, login: Login, because: ConnectorError) -> None:
    """Take the first step back."""
    try:
        for statement in view.flavour.undo_rotation(view.session, login):
            view.session.run(statement, shown=_SHOWN)
    except ConnectorError as error:
        raise ConnectorError(
            because.kind,
            f"{because.message} A second password that nobody knows could not be taken back: {error.message}",
        ) from None


def finish(view: View, login: Login, new: str) -> Receipt:
    """The last step: from now on the old password is refused."""
    try:
        for statement in view.flavour.finish_rotation(view.session, login, new):
            view.session.run(statement, shown=_SHOWN)
    except ConnectorError as error:
        state = "works beside the old one" if view.flavour.lets_both_in else "does not work everywhere yet"
        raise ConnectorError(
            error.kind, f"The new password was put away and {state}: {error.message} Rotate again."
        ) from None
    return Receipt(
        Outcome.DONE,
        f"{login.name} has a new password, for {len(login.hosts)} hosts.",
        request={"statement": _SHOWN, "hosts": [each.host for each in login.hosts]},
    )


async def prove(try_sign_in: TrySignIn, *, new: str, old: str) -> Proof:
    """Sign in with the new password, then with the old one, then with the new one again.

    Only the password differs between them, so whatever else could refuse a sign-in would have refused the
    other two as well. Where the old one is not known here, a made-up one stands for it.
    """
    tried = old or random.token_urlsafe(PASSWORD_BYTES)
    called = "the old password" if old else "a made-up password (the old one is not known here)"
    before, between, after = [await try_sign_in(password) for password in (new, tried, new)]
    if between is SignIn.LET_IN:
        return Proof(Verdict.FAILED, "The password was changed.", f"A sign-in with {called} was let in.")
    if (before, between, after) == (SignIn.LET_IN, SignIn.REFUSED, SignIn.LET_IN):
        return Proof(
            Verdict.CONFIRMED,
            "A new sign-in with the new password was let in.",
            f"A sign-in with {called} was refused.",
        )
    return Proof(
        Verdict.UNVERIFIABLE,
        "The server confirmed the change.",
        f"It could not be tried from here: with the new password {before.value}, with {called} "
        f"{between.value}. Where no account of this name holds for Partwell's machine, or it is locked, "
        "somebody has to try it elsewhere.",
    )
