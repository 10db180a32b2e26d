"""What a fresh read shows of each verb, in sentences for people."""

from __future__ import annotations

from partwell.connector_kit.contract import Proof, Verb, Verdict
from partwell.connectors.mysql.flavours import Login
from partwell.connectors.mysql.view import View

NO_PROBE = (
    "No sign-in was tried: the server asks for the password before it looks whether the account is locked, "
    "so without the password the answer says nothing."
)
MOST_NAMES = 10


def prove(view: View, login: Login, verb: Verb) -> Proof:
    """Whether `verb` holds for a login that is there."""
    if verb in (Verb.BLOCK_SIGN_IN, Verb.SUSPEND):
        return _lock(view, login)
    if verb is Verb.REVOKE_SESSIONS:
        count = len(view.sessions([login.name]))
        if count:
            return Proof(
                Verdict.FAILED, f"Read afresh: {count} sessions of this account are open.", still_open=count
            )
        return Proof(Verdict.CONFIRMED, "Read afresh: no session of this account is open.", still_open=0)
    if verb is Verb.REMOVE_ENTITLEMENTS:
        return _holds(view, login)
    if verb is Verb.DELETE:
        return Proof(Verdict.FAILED, f"Read afresh: the account exists ({login.said}).")
    return Proof(Verdict.UNVERIFIABLE, f"{view.flavour.name} cannot be asked whether '{verb}' holds.")


def _lock(view: View, login: Login) -> Proof:
    count = view.count(login)
    if login.is_active:
        return Proof(Verdict.FAILED, f"Read afresh: not locked everywhere ({login.said}).", still_open=count)
    if count is None:
        sessions = "Whether sessions are open is not visible to Partwell; those that are go on."
    elif count:
        sessions = f"{count} sessions of this account are open and go on until they are ended."
    else:
        sessions = "No session of this account is open."
    return Proof(
        Verdict.CONFIRMED, f"Read afresh: locked ({login.said}). {sessions} {NO_PROBE}", still_open=count
    )


def _holds(view: View, login: Login) -> Proof:
    held = view.entitlements(login)
    if not held:
        return Proof(Verdict.CONFIRMED, "Read afresh: it holds no rights and no roles, from no host.")
    names = "; ".join(each.name for each in held[:MOST_NAMES])
    return Proof(Verdict.FAILED, f"Read afresh: it still holds {len(held)} ({names}).")
