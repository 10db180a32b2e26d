"""Accounts in a Keycloak realm.

An administrator's sign-out ends sign-ins and misses offline tokens, which open the door for months: those go
with the consents, by a verb of their own.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from functools import partial
from typing import Any, TypeVar

from partwell.connector_kit.contract import (
    Account,
    Connection,
    ConnectorError,
    ErrorKind,
    Holding,
    Identity,
    Outcome,
    Proof,
    Receipt,
    Snapshot,
    TestReport,
    Verb,
    Verdict,
)
from partwell.connector_kit.failures import together, try_each
from partwell.connector_kit.transport import Transport
from partwell.connectors.keycloak.realm import GROUP, REALM_ROLE, Held, Realm, User
from partwell.connectors.keycloak.service import KeycloakService, identifier, segment

T = TypeVar("T")

GONE = "There is no such user in Keycloak any more."
ISSUED = "Access tokens that are out already are good until they run out, five minutes by default."


class KeycloakConnector:
    """See the manifest for settings and the README for the roles that Partwell's service account needs."""

    def __init__(self, connection: Connection) -> None:
        self.connection = connection
        self._transport: Transport = connection.transport
        self._service = KeycloakService(connection)
        self._realm = Realm(self._service, connection.settings)

    async def close(self) -> None:
        """Nothing to let go of: connections belong to the transport."""

    # -- asking -------------------------------------------------------------------------------------------

    async def test(self) -> TestReport:
        """Sign in and read a user with all that it holds. Changes nothing."""
        try:
            nobody: list[User] = []
            first = await anext(self._realm.everybody(), nobody)
            for user in first[:1]:
                await self._realm.account(user)
                await self._realm.holdings(identifier(user))
            if not await self._service.may_change():
                raise ConnectorError(
                    ErrorKind.DENIED, "Partwell may read users, and not change them: it lacks manage-users."
                )
        except ConnectorError as error:
            return TestReport(False, error.message, (error.message,))
        return TestReport(True, "Keycloak answers and shows users with all that is needed.")

    async def discover(self, identity: Identity) -> list[Account]:
        """All users whom one fact about the person matches exactly."""
        found = await self._realm.matching(identity)
        return [await self._realm.account(user, reason) for user, reason in found]

    async def read(self, external_id: str) -> Account | None:
        """The user afresh, with groups, roles and how many sign-ins are open."""
        user = await self._realm.find(external_id)
        return await self._realm.account(user) if user else None

    async def list_accounts(self) -> AsyncIterator[list[Account]]:
        """Everybody, without what they hold. Only listed accounts are marked as protected here."""
        async for page in self._realm.everybody():
            yield [self._realm.summary(user) for user in page]

    async def holdings(self, external_id: str) -> list[Holding]:
        """Sign-ins, offline tokens and consents, and what the user signs in with."""
        if await self._realm.find(external_id) is None:
            return []
        return await self._realm.holdings(external_id)

    async def snapshot(self, external_id: str) -> Snapshot:
        """What `restore` needs: whether it was enabled, its groups and its direct roles."""
        user = await self._realm.must_find(external_id)
        state = {
            "login": str(user.get("username", "")),
            "enabled": user.get("enabled"),
            "held": [
                {
                    "kind": each.kind,
                    "id": each.id,
                    "name": each.name,
                    "said": each.said,
                    "client": each.client,
                }
                for each in await self._realm.held(external_id)
            ],
        }
        return Snapshot(self.connection.now(), state)

    # -- changing -----------------------------------------------------------------------------------------

    async def suspend(self, external_id: str) -> Receipt:
        """Disable the user: nobody signs in by it, and no token of it is renewed."""
        user = await self._to_change(external_id)
        if user is None:
            return Receipt(Outcome.ALREADY_DONE, GONE)
        if user.get("enabled") is False:
            return Receipt(Outcome.ALREADY_DONE, "It was disabled before.")
        await self._realm.refuse_protected(user)
        request_id = await self._service.write("PUT", _path(external_id), {"enabled": False})
        return Receipt(Outcome.DONE, "Disabled.", request_id, {"enabled": False})

    async def revoke_sessions(self, external_id: str) -> Receipt:
        """Sign the user out everywhere, and refuse tokens from before. Offline tokens are `revoke_tokens`."""
        user = await self._to_change(external_id)
        if user is None:
            return Receipt(Outcome.ALREADY_DONE, GONE)
        sessions = await self._realm.sessions(external_id)
        if not sessions:
            return Receipt(Outcome.ALREADY_DONE, "Nobody was signed in by it.")
        await self._realm.refuse_protected(user)
        request_id = await self._service.write("POST", f"{_path(external_id)}/logout")
        return Receipt(Outcome.DONE, f"{len(sessions)} sign-ins were ended. {ISSUED}", request_id)

    async def revoke_tokens(self, external_id: str) -> Receipt:
        """Take back consents, and offline tokens with them, client by client."""
        user = await self._to_change(external_id)
        if user is None:
            return Receipt(Outcome.ALREADY_DONE, GONE)
        grants = await self._realm.grants(external_id)
        if not grants:
            return Receipt(Outcome.ALREADY_DONE, "It had no consents and no offline tokens.")
        await self._realm.refuse_protected(user)
        clients = [each.client_id for each in grants]
        await _each(
            clients,
            lambda client: self._service.write("DELETE", f"{_path(external_id)}/consents/{segment(client)}"),
            named=str,
        )
        return Receipt(Outcome.DONE, f"Revoked for {', '.join(clients)}.", request={"clients": clients})

    async def remove_entitlements(self, external_id: str) -> Receipt:
        """Take groups and direct roles away. One that refuses does not stop the others."""
        user = await self._to_change(external_id)
        if user is None:
            return Receipt(Outcome.ALREADY_DONE, GONE)
        held = await self._realm.held(external_id)
        if not held:
            return Receipt(Outcome.ALREADY_DONE, "It was in no group and had no role of its own.")
        await self._realm.refuse_protected(user)
        await _each(held, lambda each: self._set(external_id, each, is_given=False), named=_said)
        taken = [each.said for each in held]
        return Receipt(
            Outcome.DONE, f"{len(held)} groups and roles were taken away.", request={"taken": taken}
        )

    async def restore(self, external_id: str, verb: Verb, snapshot: Snapshot) -> Receipt:
        """Put back what `snapshot` shows for `verb`."""
        if verb not in (Verb.SUSPEND, Verb.REMOVE_ENTITLEMENTS):
            raise ConnectorError(ErrorKind.UNSUPPORTED, f"Keycloak cannot undo '{verb}'.")
        self._transport.check_write()
        user = await self._realm.must_find(external_id)
        if verb is Verb.SUSPEND:
            if user.get("enabled") is True or snapshot.state.get("enabled") is not True:
                return Receipt(Outcome.ALREADY_DONE, "It is as it was before the cut.")
            request_id = await self._service.write("PUT", _path(external_id), {"enabled": True})
            return Receipt(Outcome.DONE, "Enabled again.", request_id)
        present = {(each.kind, each.id) for each in await self._realm.held(external_id)}
        before = [Held(**each) for each in snapshot.state.get("held", ())]
        missing = [each for each in before if (each.kind, each.id) not in present]
        if not missing:
            return Receipt(Outcome.ALREADY_DONE, "It has all of its groups and roles.")
        await _each(missing, lambda each: self._set(external_id, each, is_given=True), named=_said)
        return Receipt(Outcome.DONE, f"{len(missing)} groups and roles were given back.")

    # -- proving ------------------------------------------------------------------------------------------

    async def verify(self, external_id: str, verb: Verb) -> Proof:
        """Read afresh what `verb` was about."""
        user = await self._realm.find(external_id)
        if user is None:
            return Proof(Verdict.CONFIRMED, "Read afresh: there is no such user any more.")
        if verb is Verb.SUSPEND:
            return await self._suspension(user)
        if verb is Verb.REVOKE_SESSIONS:
            count = len(await self._realm.sessions(external_id))
            if count:
                return Proof(Verdict.FAILED, f"Read afresh: {count} sign-ins are open.", still_open=count)
            return Proof(Verdict.CONFIRMED, f"Read afresh: nobody is signed in by it. {ISSUED}", still_open=0)
        if verb is Verb.REVOKE_TOKENS:
            left = [each.said for each in await self._realm.grants(external_id)]
            if left:
                return Proof(Verdict.FAILED, f"Read afresh: it still has {', '.join(left)}.")
            return Proof(Verdict.CONFIRMED, f"Read afresh: no consent and no offline token is left. {ISSUED}")
        if verb is Verb.REMOVE_ENTITLEMENTS:
            still = [each.said for each in await self._realm.held(external_id)]
            if still:
                return Proof(Verdict.FAILED, f"Read afresh: it still has {', '.join(still[:10])}.")
            return Proof(Verdict.CONFIRMED, "Read afresh: it is in no group and has no role of its own.")
        return Proof(Verdict.UNVERIFIABLE, f"Keycloak cannot be asked whether '{verb}' holds.")

    async def _suspension(self, user: User) -> Proof:
        if not isinstance(user.get("enabled"), bool):
            return Proof(Verdict.UNVERIFIABLE, "Read afresh: Keycloak does not show whether it is enabled.")
        count = len(await self._realm.sessions(identifier(user)))
        if user["enabled"]:
            return Proof(Verdict.FAILED, "Read afresh: it is enabled.", still_open=count)
        left = f" {count} sign-ins are still on record; none of them is renewed." if count else ""
        return Proof(Verdict.CONFIRMED, f"Read afresh: it is disabled.{left} {ISSUED}", still_open=count)

    # -- inside -------------------------------------------------------------------------------------------

    async def _to_change(self, external_id: str) -> User | None:
        self._transport.check_write()
        return await self._realm.find(external_id)

    async def _set(self, external_id: str, held: Held, *, is_given: bool) -> None:
        path = _path(external_id)
        if held.kind == GROUP:
            await self._service.write("PUT" if is_given else "DELETE", f"{path}/groups/{segment(held.id)}")
            return
        where = "realm" if held.kind == REALM_ROLE else f"clients/{segment(held.client)}"
        role = [{"id": held.id, "name": held.name}]
        await self._service.write("POST" if is_given else "DELETE", f"{path}/role-mappings/{where}", role)


async def _each(
    things: Sequence[T], work: Callable[[T], Awaitable[Any]], *, named: Callable[[T], str]
) -> None:
    """Do it to each; raise at the end with those that failed, and how many were done all the same."""
    done, failures = await try_each((named(each), partial(work, each)) for each in things)
    if failures:
        raise together(f"{len(done)} of {len(things)} are done.", failures)


def _said(held: Held) -> str:
    return held.said


def _path(external_id: str) -> str:
    return f"/users/{segment(external_id)}"


CONNECTOR = KeycloakConnector
