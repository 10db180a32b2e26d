"""What each verb writes, after it was read what there is to do; and how each is undone."""

from __future__ import annotations

import hashlib
import secrets
from collections.abc import Awaitable, Callable, Mapping
from functools import partial
from typing import Any

from partwell.connector_kit.contract import (
    ConnectorError,
    ErrorKind,
    Outcome,
    Receipt,
    Snapshot,
    Verb,
)
from partwell.connector_kit.failures import together, try_each
from partwell.connector_kit.transport import Answer
from partwell.connectors.google_workspace.credentials import SECURITY, Credentials
from partwell.connectors.google_workspace.licences import Licences
from partwell.connectors.google_workspace.people import USERS, is_shut, status_of
from partwell.connectors.google_workspace.proofs import Proofs
from partwell.connectors.google_workspace.rights import Right, Rights
from partwell.connectors.google_workspace.service import DIRECTORY, Google, segment

RECOVERY = ("recoveryEmail", "recoveryPhone")
GONE_FOR_GOOD = (
    "The password from before is gone for good. Set a new one in the Admin console (Users, Reset password)"
)
DELETED = "Google keeps a deleted user for 20 days, in which an administrator can bring it back by hand."
Do = Callable[[], Awaitable[Receipt]]


class Writes:
    """The writes of one connection."""

    def __init__(
        self,
        google: Google,
        *,
        rights: Rights,
        credentials: Credentials,
        licences: Licences,
        proofs: Proofs,
    ) -> None:
        self._google = google
        self._rights = rights
        self._credentials = credentials
        self._licences = licences
        self._proofs = proofs

    async def plan(self, verb: Verb, user: Mapping[str, Any]) -> Receipt | Do:
        """What there is to do: a receipt when it is so already, else a call that does it."""
        plan = {
            Verb.BLOCK_SIGN_IN: self._block,
            Verb.REVOKE_SESSIONS: self._end_sessions,
            Verb.REVOKE_TOKENS: self._withdraw,
            Verb.SUSPEND: self._suspend,
            Verb.REMOVE_ENTITLEMENTS: self._take_rights,
            Verb.RELEASE_LICENCE: self._release_licences,
            Verb.DELETE: self._delete,
        }[verb]
        return await plan(user)

    async def restore(self, verb: Verb, user: Mapping[str, Any], snapshot: Snapshot) -> Receipt:
        """Put back what the snapshot shows for `verb`."""
        undo = {
            Verb.BLOCK_SIGN_IN: self._let_in,
            Verb.SUSPEND: self._unsuspend,
            Verb.REMOVE_ENTITLEMENTS: self._give_rights,
            Verb.RELEASE_LICENCE: self._assign_licences,
        }.get(verb)
        if undo is None:
            raise ConnectorError(ErrorKind.UNSUPPORTED, f"Nothing brings back what '{verb}' took away.")
        self._proofs.forget(user, verb)
        return await undo(user, snapshot.state)

    async def _change(self, user: Mapping[str, Any], body: Mapping[str, Any]) -> Answer:
        url = f"{DIRECTORY}/users/{segment(str(user['id']))}"
        # Only what is asked for comes back: the whole record would be more of the person than is needed.
        params = {"fields": "id"}
        return await self._google.call("PATCH", url, scope=USERS, params=params, body=dict(body))

    # -- sign-in and sessions -------------------------------------------------------------------------

    async def _block(self, user: Mapping[str, Any]) -> Receipt | Do:
        if await self._proofs.is_blocked(user):
            return Receipt(Outcome.ALREADY_DONE, "Nobody knows its password, and nobody can reset it.")

        async def block() -> Receipt:
            self._proofs.note(user, Verb.BLOCK_SIGN_IN)
            # The hash of random bytes that are kept nowhere: not even we could sign in, and what is sent
            # is no password. Google takes MD5, SHA-1 or crypt; 64 random bytes cannot be guessed behind any.
            digest = hashlib.sha1(secrets.token_bytes(64), usedforsecurity=False).hexdigest()
            body = {
                "password": digest,
                "hashFunction": "SHA-1",
                "changePasswordAtNextLogin": False,
                **dict.fromkeys(RECOVERY, ""),
            }
            answer = await self._change(user, body)
            return _told(
                "Asked for a password that nobody knows, without recovery addresses",
                answer,
                {"password": "random, not kept", **dict.fromkeys(RECOVERY, "")},
            )

        return block

    async def _let_in(self, user: Mapping[str, Any], before: Mapping[str, Any]) -> Receipt:
        lacking = {n: before[n] for n in RECOVERY if before.get(n) and user.get(n) != before[n]}
        if lacking:
            await self._change(user, lacking)
        event = await self._proofs.password_given_by_others(user)
        if event is None:
            done = "Its recovery addresses were put back. " if lacking else ""
            then = "apply again" if self._proofs.sees_passwords else "attest it"
            raise ConnectorError(ErrorKind.CONFLICT, f"{done}{GONE_FOR_GOOD}, then {then}.")
        outcome = Outcome.DONE if lacking else Outcome.ALREADY_DONE
        return Receipt(outcome, f"{event.actor} gave it a new password; its recovery addresses are back.")

    async def _end_sessions(self, user: Mapping[str, Any]) -> Receipt | Do:
        if at := await self._proofs.sessions_ended_lately(user):
            return Receipt(Outcome.ALREADY_DONE, f"They were ended at {at.isoformat()}.")

        async def end() -> Receipt:
            self._proofs.note(user, Verb.REVOKE_SESSIONS)
            url = f"{DIRECTORY}/users/{segment(str(user['id']))}/signOut"
            answer = await self._google.call("POST", url, scope=SECURITY)
            return _told("Asked to end all sessions on the web and on devices", answer, {})

        return end

    # -- tokens ---------------------------------------------------------------------------------------

    async def _withdraw(self, user: Mapping[str, Any]) -> Receipt | Do:
        found = await self._credentials.of(user)
        if not str(found):
            return Receipt(
                Outcome.ALREADY_DONE, "It had no applications, app passwords, backup codes and forwarding."
            )

        async def withdraw() -> Receipt:
            self._proofs.note(user, Verb.REVOKE_TOKENS)
            await self._credentials.revoke(user, found)
            return Receipt(Outcome.DONE, f"Asked to withdraw {found}.", request={"withdrawn": str(found)})

        return withdraw

    # -- suspension -----------------------------------------------------------------------------------

    async def _suspend(self, user: Mapping[str, Any]) -> Receipt | Do:
        if is_shut(user):
            return Receipt(Outcome.ALREADY_DONE, f"It was {status_of(user)} before.")

        async def suspend() -> Receipt:
            self._proofs.note(user, Verb.SUSPEND)
            answer = await self._change(user, {"suspended": True})
            return _told("Asked to suspend", answer, {"suspended": True})

        return suspend

    async def _unsuspend(self, user: Mapping[str, Any], before: Mapping[str, Any]) -> Receipt:
        if before.get("suspended") is True:
            return Receipt(Outcome.ALREADY_DONE, "It was suspended before the cut, and stays so.")
        if user.get("suspended") is not True:
            return Receipt(Outcome.ALREADY_DONE, "It is not suspended.")
        answer = await self._change(user, {"suspended": False})
        return _told("Asked to end the suspension", answer, {"suspended": False})

    # -- rights ---------------------------------------------------------------------------------------

    async def _take_rights(self, user: Mapping[str, Any]) -> Receipt | Do:
        rights = await self._rights.of(str(user["id"]))
        if not rights:
            return Receipt(Outcome.ALREADY_DONE, "It was in no group, and had no role.")

        async def take_all() -> Receipt:
            self._proofs.note(user, Verb.REMOVE_ENTITLEMENTS)
            return await self._take_each(str(user["id"]), rights)

        return take_all

    async def _take_each(self, user_id: str, rights: list[Right]) -> Receipt:
        async def take(right: Right) -> str:
            if right.stays_because:
                raise ConnectorError(ErrorKind.UNSUPPORTED, right.stays_because)
            await self._rights.take(user_id, right)
            return f"{right.entitlement.kind}: {right.name}"

        done, failures = await try_each((right.name, partial(take, right)) for right in rights)
        if failures:
            raise together(f"{len(done)} of {len(rights)} groups and roles were taken away.", failures)
        taken = [said for _, said in done]
        return Receipt(Outcome.DONE, f"Took away {len(taken)} groups and roles.", request={"taken": taken})

    async def _give_rights(self, user: Mapping[str, Any], before: Mapping[str, Any]) -> Receipt:
        user_id = str(user["id"])
        held = {right.entitlement.external_id for right in await self._rights.of(user_id)}
        lacking = [each for each in before.get("rights", []) if each["id"] not in held]
        failures = []
        for each in lacking:
            try:
                await self._rights.give(user_id, each)
            except ConnectorError as error:
                failures.append((str(each["name"]), error))
        if failures:
            done = len(lacking) - len(failures)
            raise together(f"{done} of {len(lacking)} groups and roles were given again.", failures)
        outcome = Outcome.DONE if lacking else Outcome.ALREADY_DONE
        return Receipt(outcome, f"Gave {len(lacking)} groups and roles again.")

    # -- licences and the end -------------------------------------------------------------------------

    async def _release_licences(self, user: Mapping[str, Any]) -> Receipt | Do:
        held = await self._licences.of(user)
        if not held:
            return Receipt(Outcome.ALREADY_DONE, "It had none of the licences in the settings.")

        async def release() -> Receipt:
            self._proofs.note(user, Verb.RELEASE_LICENCE)
            released, failures = list[str](), list[tuple[str, ConnectorError]]()
            for name in held:
                try:
                    await self._licences.take(user, name)
                    released.append(name)
                except ConnectorError as error:
                    failures.append((name, error))
            said = ", ".join(released) or "none"
            if failures:
                raise together(f"Given back: {said}.", failures)
            return Receipt(Outcome.DONE, f"Gave back {said}.", request={"released": released})

        return release

    async def _assign_licences(self, user: Mapping[str, Any], before: Mapping[str, Any]) -> Receipt:
        present = await self._licences.of(user)
        lacking = [name for name in before.get("licences", []) if name not in present]
        for name in lacking:
            await self._licences.give(user, name)
        outcome = Outcome.DONE if lacking else Outcome.ALREADY_DONE
        return Receipt(outcome, f"Assigned {len(lacking)} licences again.")

    async def _delete(self, user: Mapping[str, Any]) -> Receipt | Do:
        async def delete() -> Receipt:
            self._proofs.note(user, Verb.DELETE)
            url = f"{DIRECTORY}/users/{segment(str(user['id']))}"
            request_id = await self._google.delete(url, scope=USERS)
            return Receipt(Outcome.DONE, f"Asked to delete the user. {DELETED}", request_id)

        return delete


def _told(what: str, answer: Answer, request: Mapping[str, Any]) -> Receipt:
    return Receipt(
        Outcome.DONE,
        f"{what}; Google answered {answer.status}.",
        answer.request_id,
        request,
        {"status": answer.status},
    )
