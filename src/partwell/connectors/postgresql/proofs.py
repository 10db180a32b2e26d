"""What a fresh read shows of each verb, in sentences for people."""

from __future__ import annotations

from partwell.connector_kit.contract import Proof, Verb, Verdict
from partwell.connectors.postgresql.roles import Role, View, names_of

NO_PROBE = (
    "No sign-in was tried: PostgreSQL asks for the password before it looks whether the role may sign in, so "
    "without the password the answer says nothing."
)


async def prove(view: View, role: Role, verb: Verb) -> Proof:
    """Whether `verb` holds for a role that is there."""
    if verb is Verb.BLOCK_SIGN_IN:
        # The limit does not bind superusers.
        return _shut(role, role.connection_limit == 0 and not role.is_superuser, "blocked")
    if verb is Verb.SUSPEND:
        return _shut(role, not role.can_log_in, "suspended")
    if verb is Verb.REVOKE_SESSIONS:
        if role.sessions:
            return Proof(Verdict.FAILED, f"Read afresh: {_sessions(role)}", still_open=role.sessions)
        return Proof(Verdict.CONFIRMED, "Read afresh: no session of this role is open.", still_open=0)
    if verb is Verb.REMOVE_ENTITLEMENTS:
        return await _memberships(view, role)
    if verb is Verb.DELETE:
        return Proof(Verdict.FAILED, f"Read afresh: the role exists ({role.said}).")
    return Proof(Verdict.UNVERIFIABLE, f"PostgreSQL cannot be asked whether '{verb}' holds.")


def _shut(role: Role, is_so: bool, word: str) -> Proof:
    if not is_so:
        return Proof(Verdict.FAILED, f"Read afresh: not {word} ({role.said}).", still_open=role.sessions)
    read = f"Read afresh: {word} ({role.said}). {_sessions(role)} {NO_PROBE}"
    return Proof(Verdict.CONFIRMED, read, still_open=role.sessions)


def _sessions(role: Role) -> str:
    if not role.sessions:
        return "No session of this role is open."
    return f"{role.sessions} sessions of this role are open and go on until they are ended."


async def _memberships(view: View, role: Role) -> Proof:
    held = await view.entitlements(role.oid)
    if held:
        names = names_of([each.name for each in held])
        return Proof(Verdict.FAILED, f"Read afresh: still a member of {len(held)} roles ({names}).")
    grants = await view.direct_grants(role.oid)
    read = "Read afresh: a member of no role."
    if grants:
        read += (
            f" {grants} objects still name it in their access lists; that gives nothing to a role that may "
            "not sign in. 'DROP OWNED BY' in each database takes it away, with whatever the role owns there."
        )
    return Proof(Verdict.CONFIRMED, read)
