"""Accounts in Microsoft 365: Entra ID, what of Exchange and OneDrive Graph offers, and devices in Intune.

Graph answers before all of it knows: a change that was asked for may not show for a while, and counts as
pending for so long. Each verb says in its proof what it does not reach; the README has them together.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping
from typing import Any

from partwell.connector_kit.contract import (
    Account,
    Connection,
    ConnectorError,
    ErrorKind,
    Holding,
    Identity,
    Job,
    Outcome,
    Proof,
    Receipt,
    Snapshot,
    TestReport,
    TransferRequest,
    Verb,
    Verdict,
)
from partwell.connector_kit.transport import Transport
from partwell.connectors.microsoft365 import holdings, permissions
from partwell.connectors.microsoft365.devices import HANDLE, Devices
from partwell.connectors.microsoft365.grants import grants_of, saved
from partwell.connectors.microsoft365.graph import Graph
from partwell.connectors.microsoft365.handover import Handover
from partwell.connectors.microsoft365.licences import licences_of
from partwell.connectors.microsoft365.people import READS_USERS, People, account_of
from partwell.connectors.microsoft365.proofs import Proofs
from partwell.connectors.microsoft365.rights import Right, Rights
from partwell.connectors.microsoft365.writes import Writes

NO_INTUNE = (
    "This connection has no Intune (settings: intune: false); find the device's management and use that."
)
_GONE = Receipt(Outcome.ALREADY_DONE, "There is no such user any more.")


class Microsoft365Connector:
    """See the manifest for settings and the README for the permissions that the app registration needs."""

    def __init__(self, connection: Connection) -> None:
        self.connection = connection
        settings = connection.settings
        self._settings = settings
        self._transport: Transport = connection.transport
        self._graph = Graph(connection)
        self._people = People(self._graph, last_sign_in=bool(settings.get("last_sign_in", True)))
        self._rights = Rights(self._graph, kept=_lowered(settings.get("kept_groups", [])))
        self._proofs = Proofs(connection, self._graph, self._rights)
        self._writes = Writes(self._graph, self._rights, self._proofs)
        self._devices = Devices(connection, self._graph)
        self._handover = Handover(connection, self._graph, self._people)
        self._protected = _lowered(settings.get("protected", []))
        self._admin_groups = _lowered(settings.get("admin_groups", []))
        self._intune = bool(settings.get("intune", True))

    async def close(self) -> None:
        """Nothing to let go of: connections belong to the transport."""

    # -- asking ---------------------------------------------------------------------------------------

    async def test(self) -> TestReport:
        """Sign in, read the tenant and one user, and compare what was granted with what is needed."""
        try:
            tenants = await self._graph.all(
                "/organization", needs=READS_USERS, params={"$select": "id,displayName"}
            )
            await self._graph.call("GET", "/users", needs=READS_USERS, params={"$top": "1", "$select": "id"})
            held = await permissions.granted(self._graph, str(self._settings["client_id"]))
        except ConnectorError as error:
            return TestReport(False, error.message, (error.message,))
        name = str(tenants[0].get("displayName") or tenants[0].get("id")) if tenants else "the tenant"
        if held is None:
            return TestReport(
                True,
                f"Signed in to {name}. What was granted could not be read (Directory.Read.All), so whether "
                "writes are allowed shows with the first one.",
            )
        switches = ("last_sign_in", "sign_in_methods", "intune")
        off = {switch for switch in switches if not self._settings.get(switch, True)}
        needed, optional = permissions.missing(held, off)
        by_hand = "; ".join(f"{p.name} ({p.what_for})" for p in optional)
        summary = f"Signed in to {name}."
        if by_hand:
            summary += f" Not granted, so it stays with a person: {by_hand}."
        problems = tuple(
            f"{p.name} is not granted: it is needed {p.what_for}"
            + (f", or set '{p.setting}: false'." if p.setting else ".")
            for p in needed
        )
        return TestReport(not problems, summary, problems)

    async def discover(self, identity: Identity) -> list[Account]:
        """All users that match a mail address, login or employee number exactly; guests among them."""
        found = await self._people.find(identity)
        return [await self._account(user, matched_by) for user, matched_by in found]

    async def read(self, external_id: str) -> Account | None:
        """The user afresh, with groups and roles."""
        user = await self._people.get(external_id)
        return await self._account(user) if user else None

    async def list_accounts(self) -> AsyncIterator[list[Account]]:
        """Everybody, page by page. Of protection, only the list in the settings is looked at here."""
        async for page in self._people.everybody():
            yield [account_of(user, is_protected=self._is_listed(user)) for user in page if user.get("id")]

    async def holdings(self, external_id: str) -> list[Holding]:
        """Devices, sign-in methods, grants to apps, and owned things."""
        if await self._people.get(external_id) is None:
            return []
        found = await holdings.devices(self._graph, external_id, intune=self._intune)
        if self._settings.get("sign_in_methods", True):
            found += await holdings.sign_in_methods(self._graph, external_id)
        found += await holdings.grants(self._graph, external_id)
        return found + await holdings.owned(self._graph, external_id)

    async def snapshot(self, external_id: str) -> Snapshot:
        """What `restore` needs: enabled or not, rights, grants and directly assigned licences."""
        user = await self._must_get(external_id)
        rights = await self._rights.of(external_id)
        grants = await grants_of(self._graph, external_id)
        state = {
            "userPrincipalName": str(user.get("userPrincipalName") or ""),
            "accountEnabled": user.get("accountEnabled"),
            "rights": [dict(right.saved) for right in rights if not right.stays_because],
            "grants": [saved(grant) for grant in grants],
            "licences": [dict(licence) for licence in licences_of(user).direct],
        }
        return Snapshot(self.connection.now(), state)

    # -- changing -------------------------------------------------------------------------------------

    async def suspend(self, external_id: str) -> Receipt:
        """Set `accountEnabled` to false: no new sign-in, and no new token for those who are in."""
        return await self._write(external_id, Verb.SUSPEND)

    async def revoke_sessions(self, external_id: str) -> Receipt:
        """Make every refresh token and browser session void that began before now."""
        return await self._write(external_id, Verb.REVOKE_SESSIONS)

    async def revoke_tokens(self, external_id: str) -> Receipt:
        """Withdraw what the user let applications do in their name."""
        return await self._write(external_id, Verb.REVOKE_TOKENS)

    async def remove_entitlements(self, external_id: str) -> Receipt:
        """Take away groups, roles and app roles. One that stays does not stop the others, and is named."""
        return await self._write(external_id, Verb.REMOVE_ENTITLEMENTS)

    async def release_licence(self, external_id: str) -> Receipt:
        """Give back directly assigned licences; those of a group go when the person leaves it."""
        return await self._write(external_id, Verb.RELEASE_LICENCE)

    async def _write(self, external_id: str, verb: Verb) -> Receipt:
        self._transport.check_write()
        user = await self._people.get(external_id)
        if user is None:
            return _GONE
        planned = await self._writes.plan(verb, user)
        if isinstance(planned, Receipt):
            return planned
        await self._refuse_protected(user)
        return await planned()

    async def restore(self, external_id: str, verb: Verb, snapshot: Snapshot) -> Receipt:
        """Put back what `snapshot` shows for `verb`."""
        self._transport.check_write()
        if verb is Verb.REVOKE_SESSIONS:
            raise ConnectorError(
                ErrorKind.UNSUPPORTED, "Ended sessions cannot be brought back; people sign in."
            )
        user = await self._must_get(external_id)
        return await self._writes.restore(verb, user, snapshot)

    # -- devices and hand-over ------------------------------------------------------------------------

    async def wipe(self, external_id: str, device_id: str) -> Job:
        """Erase a device that Intune manages; from a personal one, only company data is removed."""
        return await self._order(external_id, device_id, "wipe")

    async def lock(self, external_id: str, device_id: str) -> Job:
        """Lock a device that Intune manages."""
        return await self._order(external_id, device_id, "remoteLock")

    async def _order(self, external_id: str, device_id: str, action: str) -> Job:
        self._transport.check_write()
        if not self._intune:
            raise ConnectorError(ErrorKind.UNSUPPORTED, NO_INTUNE)
        user = await self._people.get(external_id)
        if user is not None and self._is_listed(user):
            raise _protected(user, "it is on this connection's list of protected accounts")
        return await self._devices.order(external_id, device_id, action)

    async def transfer(self, external_id: str, request: TransferRequest) -> Job:
        """Give an automatic reply, the OneDrive, or owned groups to a successor."""
        self._transport.check_write()
        return await self._handover.transfer(await self._must_get(external_id), request)

    async def end_transfer(self, handle: str) -> Job:
        """Take an automatic reply away again."""
        return await self._handover.end(handle)

    async def job(self, handle: str) -> Job:
        """How far a hand-over or an order to a device has come."""
        if handle.startswith(f"{HANDLE}|") and handle.count("|") == 3:
            return await self._devices.job(handle)
        return await self._handover.job(handle)

    # -- proving --------------------------------------------------------------------------------------

    async def verify(self, external_id: str, verb: Verb) -> Proof:
        """Read afresh. Entra has no sign-in that could be tried without harm; the proof says what is open."""
        user = await self._people.get(external_id)
        if user is None:
            return Proof(
                Verdict.CONFIRMED,
                "Read afresh: there is no such user any more. Entra keeps a deleted user for 30 days.",
            )
        return await self._proofs.of(verb, user)

    # -- reading --------------------------------------------------------------------------------------

    async def _account(self, user: Mapping[str, Any], matched_by: str = "") -> Account:
        rights = await self._rights.of(str(user["id"]))
        return account_of(
            user,
            matched_by=matched_by,
            entitlements=tuple(right.entitlement for right in rights),
            is_protected=await self._why_protected(user, rights) != "",
        )

    async def _must_get(self, external_id: str) -> dict[str, Any]:
        user = await self._people.get(external_id)
        if user is None:
            raise ConnectorError(ErrorKind.NOT_FOUND, "There is no such user.")
        return user

    # -- protecting -----------------------------------------------------------------------------------

    async def _refuse_protected(self, user: Mapping[str, Any]) -> None:
        if reason := await self._why_protected(user, await self._rights.of(str(user["id"]))):
            raise _protected(user, reason)

    async def _why_protected(self, user: Mapping[str, Any], rights: list[Right]) -> str:
        user_id = str(user["id"])
        if self._is_listed(user):
            return "it is on this connection's list of protected accounts"
        if await self._rights.is_last_global_administrator(user_id, rights):
            return "it is the last active Global Administrator"
        for right in rights:
            if (
                right.kind != "group"
                or not {right.external_id.lower(), right.name.lower()} & self._admin_groups
            ):
                continue
            if not await self._rights.has_other_active_member(right.external_id, user_id):
                return f"it is the last active administrator in {right.name}"
        return ""

    def _is_listed(self, user: Mapping[str, Any]) -> bool:
        known = {str(user.get(name) or "").lower() for name in ("id", "userPrincipalName", "mail")}
        return bool((known - {""}) & self._protected)


def _lowered(names: list[str]) -> frozenset[str]:
    return frozenset(name.lower() for name in names)


def _protected(user: Mapping[str, Any], reason: str) -> ConnectorError:
    who = user.get("userPrincipalName") or "This user"
    return ConnectorError(ErrorKind.CONFLICT, f"{who} is protected: {reason}. Nothing was changed.")


CONNECTOR = Microsoft365Connector
