"""What each verb writes, after it was read what there is to do; and how each is undone."""

from __future__ import annotations

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
from partwell.connectors.microsoft365 import licences
from partwell.connectors.microsoft365.grants import grant_again, grants_of, saved, withdraw
from partwell.connectors.microsoft365.graph import Graph, segment
from partwell.connectors.microsoft365.people import is_synced
from partwell.connectors.microsoft365.proofs import GUEST, Proofs
from partwell.connectors.microsoft365.rights import Right, Rights, identifier_of

SYNCED = (
    "This account is kept by on-premises Active Directory. {what} it there: a change here is refused, or "
    "undone by the next synchronisation. Ending its sessions works from here."
)
Do = Callable[[], Awaitable[Receipt]]


class Writes:
    """The writes of one connection."""

    def __init__(self, graph: Graph, rights: Rights, proofs: Proofs) -> None:
        self._graph = graph
        self._rights = rights
        self._proofs = proofs

    async def plan(self, verb: Verb, user: Mapping[str, Any]) -> Receipt | Do:
        """What there is to do: a receipt when it is so already, else a call that does it."""
        if verb is Verb.SUSPEND:
            return self._suspend(user)
        if verb is Verb.REVOKE_SESSIONS:
            return self._end_sessions(user)
        if verb is Verb.REVOKE_TOKENS:
            return await self._withdraw_grants(user)
        if verb is Verb.REMOVE_ENTITLEMENTS:
            return await self._take_rights(user)
        return await self._release_licences(user)

    async def restore(self, verb: Verb, user: Mapping[str, Any], snapshot: Snapshot) -> Receipt:
        """Put back what the snapshot shows for `verb`."""
        undo = {
            Verb.SUSPEND: self._enable,
            Verb.REVOKE_TOKENS: self._grant_again,
            Verb.REMOVE_ENTITLEMENTS: self._give_rights,
            Verb.RELEASE_LICENCE: self._assign_licences,
        }.get(verb)
        if undo is None:
            raise ConnectorError(ErrorKind.UNSUPPORTED, f"This connection cannot undo '{verb}'.")
        receipt = await undo(user, snapshot.state)
        self._proofs.forget(str(user["id"]), verb)
        return receipt

    # -- suspension and sessions ----------------------------------------------------------------------

    def _suspend(self, user: Mapping[str, Any]) -> Receipt | Do:
        if user.get("accountEnabled") is False:
            return Receipt(Outcome.ALREADY_DONE, "It was suspended before.")
        if is_synced(user):
            raise ConnectorError(ErrorKind.UNSUPPORTED, SYNCED.format(what="Suspend"))

        async def disable() -> Receipt:
            self._proofs.note(user, Verb.SUSPEND)
            answer = await self._set_enabled(user, False)
            return _told("Asked to set accountEnabled to false", answer, {"accountEnabled": False})

        return disable

    async def _enable(self, user: Mapping[str, Any], before: Mapping[str, Any]) -> Receipt:
        if user.get("accountEnabled") is True:
            return Receipt(Outcome.ALREADY_DONE, "It is enabled.")
        if before.get("accountEnabled") is False:
            return Receipt(Outcome.ALREADY_DONE, "It was suspended before the cut, and stays so.")
        if is_synced(user):
            raise ConnectorError(ErrorKind.UNSUPPORTED, SYNCED.format(what="Enable"))
        answer = await self._set_enabled(user, True)
        return _told("Asked to set accountEnabled to true", answer, {"accountEnabled": True})

    async def _set_enabled(self, user: Mapping[str, Any], enabled: bool) -> Answer:
        return await self._graph.call(
            "PATCH",
            f"/users/{segment(str(user['id']))}",
            needs="User.EnableDisableAccount.All (for an administrator, a role above theirs as well)",
            body={"accountEnabled": enabled},
            limit="write",
        )

    def _end_sessions(self, user: Mapping[str, Any]) -> Receipt | Do:
        if user.get("userType") == "Guest":
            raise ConnectorError(ErrorKind.UNSUPPORTED, GUEST)
        if self._proofs.sessions_ended_by_us(user):
            return Receipt(Outcome.ALREADY_DONE, "Its sessions were ended just now.")

        async def end() -> Receipt:
            self._proofs.note(user, Verb.REVOKE_SESSIONS)
            answer = await self._graph.call(
                "POST",
                f"/users/{segment(str(user['id']))}/revokeSignInSessions",
                needs="User.RevokeSessions.All",
                limit="write",
            )
            return _told("Asked to end all sessions and refresh tokens", answer, {})

        return end

    # -- grants ---------------------------------------------------------------------------------------

    async def _withdraw_grants(self, user: Mapping[str, Any]) -> Receipt | Do:
        grants = await grants_of(self._graph, str(user["id"]))
        if not grants:
            return Receipt(Outcome.ALREADY_DONE, "No application acts in the person's name.")

        async def withdraw_all() -> Receipt:
            self._proofs.note(user, Verb.REVOKE_TOKENS)
            done = 0
            for grant in grants:
                done += await _or_gone(withdraw(self._graph, grant)) is not None
            what = f"Withdrew {done} grants to applications"
            return Receipt(Outcome.DONE, f"{what}.", request={"grants": [saved(grant) for grant in grants]})

        return withdraw_all

    async def _grant_again(self, user: Mapping[str, Any], before: Mapping[str, Any]) -> Receipt:
        present = {_grant_key(grant) for grant in await grants_of(self._graph, str(user["id"]))}
        lacking = [grant for grant in before.get("grants", []) if _grant_key(grant) not in present]
        for grant in lacking:
            await grant_again(self._graph, grant)
        outcome = Outcome.DONE if lacking else Outcome.ALREADY_DONE
        return Receipt(outcome, f"Made {len(lacking)} grants to applications again.")

    # -- rights ---------------------------------------------------------------------------------------

    async def _take_rights(self, user: Mapping[str, Any]) -> Receipt | Do:
        rights = await self._rights.of(str(user["id"]))
        if not rights:
            return Receipt(Outcome.ALREADY_DONE, "It was in no group, and had no role.")

        async def take_all() -> Receipt:
            self._proofs.note(user, Verb.REMOVE_ENTITLEMENTS)
            return await self._take_each(rights)

        return take_all

    async def _take_each(self, rights: list[Right]) -> Receipt:
        stay = [
            (right.name, ConnectorError(ErrorKind.UNSUPPORTED, right.stays_because))
            for right in rights
            if right.stays_because
        ]

        async def take(right: Right) -> Right:
            await _or_gone(self._rights.take(right))
            return right

        taken, failures = await try_each(
            (right.name, partial(take, right)) for right in rights if not right.stays_because
        )
        if stay or failures:
            done = f"{len(taken)} of {len(rights)} groups and roles were taken away."
            raise together(done, [*stay, *failures])
        names = [f"{right.kind}: {name}" for name, right in taken]
        return Receipt(Outcome.DONE, f"Took away {len(taken)} groups and roles.", request={"taken": names})

    async def _give_rights(self, user: Mapping[str, Any], before: Mapping[str, Any]) -> Receipt:
        held = {right.external_id for right in await self._rights.of(str(user["id"]))}
        lacking = [each for each in before.get("rights", []) if identifier_of(each) not in held]
        failures = []
        for each in lacking:
            try:
                await self._rights.give(str(user["id"]), each)
            except ConnectorError as error:
                # Graph's copies differ for a while: it is there already, and the list did not show it yet.
                if "already exist" not in error.message:
                    failures.append((str(each["name"]), error))
        if failures:
            done = len(lacking) - len(failures)
            raise together(f"{done} of {len(lacking)} groups and roles were given again.", failures)
        outcome = Outcome.DONE if lacking else Outcome.ALREADY_DONE
        return Receipt(outcome, f"Gave {len(lacking)} groups and roles again.")

    # -- licences -------------------------------------------------------------------------------------

    async def _release_licences(self, user: Mapping[str, Any]) -> Receipt | Do:
        held = licences.licences_of(user)
        if not held.count:
            return Receipt(Outcome.ALREADY_DONE, "It had no licence.")

        async def release() -> Receipt:
            self._proofs.note(user, Verb.RELEASE_LICENCE)
            return await self._release(str(user["id"]), held)

        return release

    async def _release(self, user_id: str, held: licences.Licences) -> Receipt:
        names = await licences.names_of(self._graph, user_id)
        skus = tuple(str(each["skuId"]) for each in held.direct)
        request_id = ""
        if skus:
            request_id = (await licences.assign(self._graph, user_id, remove=skus)).request_id
        given_back = ", ".join(sorted(names.get(sku, sku) for sku in skus)) or "none"
        groups = {right.external_id: right.name for right in await self._rights.of(user_id)}
        staying = sorted(
            f"{names.get(sku, sku)} by the group {groups[group]}"
            for sku, group in held.by_group
            if group in groups
        )
        if staying:
            raise ConnectorError(
                ErrorKind.UNSUPPORTED,
                f"Given back: {given_back}. Still given: {'; '.join(staying)}. Take the person out of it "
                "first.",
                request_id=request_id,
            )
        # What a group gave that the person has left, Entra takes away in its own time.
        outcome = Outcome.ACCEPTED if held.by_group else Outcome.DONE
        return Receipt(
            outcome,
            f"Given back: {given_back}. {licences.MAILBOX}",
            request_id,
            {"removeLicenses": list(skus)},
        )

    async def _assign_licences(self, user: Mapping[str, Any], before: Mapping[str, Any]) -> Receipt:
        present = {str(each["skuId"]) for each in licences.licences_of(user).direct}
        lacking = tuple(each for each in before.get("licences", []) if str(each["skuId"]) not in present)
        if not lacking:
            return Receipt(Outcome.ALREADY_DONE, "It has all the licences that it had.")
        answer = await licences.assign(self._graph, str(user["id"]), add=lacking)
        return _told(f"Assigned {len(lacking)} licences again", answer, {"addLicenses": list(lacking)})


def _grant_key(grant: Mapping[str, Any]) -> tuple[str, str]:
    return str(grant.get("clientId")), str(grant.get("resourceId"))


async def _or_gone(call: Awaitable[Answer]) -> Answer | None:
    """The answer, or None when what was to be taken away is gone already."""
    try:
        return await call
    except ConnectorError as error:
        if error.kind is not ErrorKind.NOT_FOUND:
            raise
        return None


def _told(what: str, answer: Answer, request: Mapping[str, Any]) -> Receipt:
    return Receipt(
        Outcome.DONE,
        f"{what}; Graph answered {answer.status}.",
        answer.request_id,
        request,
        {"status": answer.status},
    )
