"""Giving a shared role a new password, and showing that the old one is refused.

The password is changed within a transaction: the new one is put where its users find it before the old one
stops working, and when that fails nothing has changed. The server gets a verifier, never the password.
"""

from __future__ import annotations

import secrets as random
from collections.abc import Awaitable, Callable, Mapping

from psycopg import sql

from partwell.connector_kit.contract import (
    ConnectorError,
    ErrorKind,
    Outcome,
    Proof,
    Receipt,
    Verdict,
)
from partwell.connectors.postgresql.roles import Role
from partwell.connectors.postgresql.session import Session, SignIn

PASSWORD_BYTES = 32
_SHOWN = "ALTER ROLE … PASSWORD …"
TrySignIn = Callable[[str], Awaitable[SignIn]]


async def change_password(
    session: Session, role: Role, keep: Callable[[Mapping[str, str]], None]
) -> tuple[str, Receipt]:
    """The new password, and what was done. Raises `ConnectorError`; then the old one goes on working, or it
    says that this is not known."""
    new = random.token_urlsafe(PASSWORD_BYTES)
    verifier = session.verifier(new, role.name)
    is_kept = False
    try:
        async with session.transaction():
            await session.run(
                sql.SQL("ALTER ROLE {} PASSWORD {}").format(sql.Identifier(role.name), sql.Literal(verifier)),
                shown=_SHOWN,
            )
            _put_away(keep, new)
            is_kept = True
    except ConnectorError as error:
        if not is_kept:
            raise
        raise ConnectorError(
            error.kind,
            "The new password was put away, but the server did not confirm the change: either may be valid. "
            f"Try both before rotating again. {error.message}",
        ) from None
    return new, Receipt(
        Outcome.DONE,
        f"{role.name} has a new password; the server was given its SCRAM verifier only.",
        request={"statement": _SHOWN},
    )


def _put_away(keep: Callable[[Mapping[str, str]], None], new: str) -> None:
    try:
        keep({"password": new})
    except ConnectorError:
        raise
    except Exception as error:
        # Only the kind of the fault: its text may hold the secret.
        raise ConnectorError(
            ErrorKind.RETRYABLE,
            f"The new password could not be put where its users find it ({type(error).__name__}). Nothing "
            "was changed; the old one goes on working.",
        ) from None


async def prove(try_sign_in: TrySignIn, *, new: str, old: str) -> Proof:
    """Sign in with the new password, then with the old one, then with the new one again.

    Only the password differs between them, so whatever else could refuse a sign-in would have refused the
    other two as well. Where the old one is not known here, a made-up one shows that passwords are asked for.
    """
    tried = old or random.token_urlsafe(PASSWORD_BYTES)
    called = "the old password" if old else "a made-up password (the old one is not known here)"
    before, between, after = [await try_sign_in(password) for password in (new, tried, new)]
    if SignIn.LET_IN_UNASKED in (before, between, after):
        return Proof(
            Verdict.FAILED,
            "The password was changed, but the server asks nobody for it.",
            "A sign-in was let in without a password: see 'trust' and the like in pg_hba.conf.",
        )
    if between is SignIn.LET_IN:
        return Proof(Verdict.FAILED, "The password was changed.", f"A sign-in with {called} was let in.")
    if (before, between, after) == (SignIn.LET_IN, SignIn.REFUSED, SignIn.LET_IN):
        return Proof(
            Verdict.CONFIRMED,
            "A role has one password; a new sign-in with the new one was let in.",
            f"A sign-in with {called} was refused.",
        )
    return Proof(
        Verdict.UNVERIFIABLE,
        "The server confirmed the change.",
        f"It could not be tried from here: with the new password {before.value}, with {called} "
        f"{between.value}. Where pg_hba.conf or the right to connect keep this role out from Partwell's "
        "machine, somebody has to try it elsewhere.",
    )
