"""Accounts in a Google Workspace, as a service account that acts for an administrator.

Google answers before all of it knows, and shows neither passwords nor sessions: proofs of those two rest on
the administrators' log. Each verb says in its proof what it does not reach; the README has them together.
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
    HoldingKind,
    Identity,
    Job,
    Outcome,
    Proof,
    Receipt,
    Snapshot,
    TestReport,
    TransferKind,
    TransferRequest,
    Verb,
    Verdict,
)
from partwell.connector_kit.transport import Transport
from partwell.connectors.google_workspace import permissions
from partwell.connectors.google_workspace.audit import AuditLog
from partwell.connectors.google_workspace.credentials import Credentials
from partwell.connectors.google_workspace.devices import HANDLE, Devices
from partwell.connectors.google_workspace.handover import Handover
from partwell.connectors.google_workspace.licences import Licences
from partwell.connectors.google_workspace.mailbox import Mailbox
from partwell.connectors.google_workspace.people import (
    USERS,
    People,
    account_of,
    addresses_of,
    is_suspended,
    login_of,
    ssh_keys_of,
)
from partwell.connectors.google_workspace.proofs import Proofs
from partwell.connectors.google_workspace.rights import Right, Rights
from partwell.connectors.google_workspace.service import DIRECTORY, Google, segment
from partwell.connectors.google_workspace.writes import DELETED, RECOVERY, Writes

NO_DEVICES = "This connection looks at no phones and tablets (settings: mobile_devices: false)."
NO_GMAIL = "This connection asks nothing of Gmail (settings: gmail: false)."
_GONE = Receipt(Outcome.ALREADY_DONE, "There is no such user any more.")


class GoogleWorkspaceConnector:
    """See the manifest for settings and the README for the scopes that the service account needs."""

    def __init__(self, connection: Connection) -> None:
        self.connection = connection
        settings = connection.settings
        self._settings = settings
        self._transport: Transport = connection.transport
        self._google = Google(connection)
        self._people = People(self._google, domains=settings.get("domains", []))
        self._rights = Rights(self._google, kept=_lowered(settings.get("kept_groups", [])))
        self._mailbox = Mailbox(connection, self._google)
        self._credentials = Credentials(self._google, self._mailbox if self._is_on("gmail") else None)
        self._licences = Licences(self._google, settings.get("licences", []))
        self._proofs = Proofs(
            connection,
            log=AuditLog(self._google, is_asked=self._is_on("audit_log")),
            rights=self._rights,
            credentials=self._credentials,
            licences=self._licences,
        )
        self._writes = Writes(
            self._google,
            rights=self._rights,
            credentials=self._credentials,
            licences=self._licences,
            proofs=self._proofs,
        )
        self._handover = Handover(self._google, self._people, self._rights, self._mailbox)
        self._devices = Devices(
            connection, self._google, wipes_all=bool(settings.get("wipe_whole_devices", False))
        )
        self._protected = _lowered([*settings.get("protected", []), self._google.admin])
        self._admin_groups = _lowered(settings.get("admin_groups", []))

    def _is_on(self, setting: str) -> bool:
        return bool(self._settings.get(setting, True))

    async def close(self) -> None:
        """Nothing to let go of: connections belong to the transport."""

    # -- asking ---------------------------------------------------------------------------------------

    async def test(self) -> TestReport:
        """Sign in with each scope that the settings ask for, and read one of the main things."""
        admin = self._google.admin
        try:
            problems, left_out = await permissions.missing(self._google, self._settings)
            if problems:
                return TestReport(False, problems[0], tuple(problems))
            me = await self._google.find(
                f"{DIRECTORY}/users/{segment(admin)}", scope=USERS, params={"fields": "id,isAdmin"}
            )
            await self._people.find(Identity(emails=(admin,)))
            await self._rights.of(str((me or {}).get("id") or admin))
        except ConnectorError as error:
            return TestReport(False, error.message, (error.message,))
        said = f"Signed in as {admin}."
        if not (me or {}).get("isAdmin"):
            said += " It is no super administrator: other administrators and their roles stay with a person."
        for each in left_out:
            said += f" {each.scope} is not granted, so it stays with a person {each.what_for}."
        return TestReport(True, f"{said} Whether writes are allowed shows with the first one.")

    async def discover(self, identity: Identity) -> list[Account]:
        """All users that match an address, an alias or the employee number exactly."""
        found = await self._people.find(identity)
        return [await self._account(user, matched_by) for user, matched_by in found]

    async def read(self, external_id: str) -> Account | None:
        """The user afresh, with groups and roles."""
        user = await self._people.get(external_id)
        return await self._account(user) if user else None

    async def list_accounts(self) -> AsyncIterator[list[Account]]:
        """Everybody, page by page. Of protection, only the list in the settings is looked at here."""
        async for page in self._people.everybody():
            yield [account_of(user, is_protected=self._is_listed(user)) for user in page]

    async def holdings(self, external_id: str) -> list[Holding]:
        """Applications, app passwords, backup codes, keys, devices, the mailbox's openings, owned groups."""
        user = await self._people.get(external_id)
        if user is None:
            return []
        found = await self._credentials.holdings(user)
        found += [Holding(HoldingKind.KEY, f"ssh:{mark}", name) for mark, name in ssh_keys_of(user)]
        if self._is_on("mobile_devices"):
            found += await self._devices.mobile(user)
        if self._is_on("chrome_devices"):
            found += await self._devices.chrome(user)
        if self._is_on("gmail"):
            found += await self._mailbox.holdings(user)
        for right in await self._rights.owned(external_id):
            found.append(Holding(HoldingKind.OWNED, right.entitlement.external_id, f"group {right.name}"))
        return found

    async def snapshot(self, external_id: str) -> Snapshot:
        """What `restore` needs: suspended or not, recovery addresses, groups, roles and licences."""
        user = await self._must_get(external_id)
        rights = await self._rights.of(external_id)
        state = {
            "primaryEmail": login_of(user),
            "suspended": is_suspended(user),
            **{name: str(user[name]) for name in RECOVERY if user.get(name)},
            "rights": await self._rights.saved(external_id, rights),
            "licences": await self._licences.of(user) if self._settings.get("licences") else [],
        }
        return Snapshot(self.connection.now(), state)

    # -- changing -------------------------------------------------------------------------------------

    async def block_sign_in(self, external_id: str) -> Receipt:
        """A password that nobody knows, and no recovery addresses; the mailbox goes on."""
        return await self._write(external_id, Verb.BLOCK_SIGN_IN)

    async def revoke_sessions(self, external_id: str) -> Receipt:
        """End all sessions on the web and on devices."""
        return await self._write(external_id, Verb.REVOKE_SESSIONS)

    async def revoke_tokens(self, external_id: str) -> Receipt:
        """Withdraw applications' tokens, app passwords and backup codes, and stop forwarding mail."""
        return await self._write(external_id, Verb.REVOKE_TOKENS)

    async def suspend(self, external_id: str) -> Receipt:
        """Suspend. Mail to the user is rejected from then on."""
        return await self._write(external_id, Verb.SUSPEND)

    async def remove_entitlements(self, external_id: str) -> Receipt:
        """Take away groups and administrator roles. One that stays does not stop the others, and is named."""
        return await self._write(external_id, Verb.REMOVE_ENTITLEMENTS)

    async def release_licence(self, external_id: str) -> Receipt:
        """Give back the licences that the settings name."""
        return await self._write(external_id, Verb.RELEASE_LICENCE)

    async def delete(self, external_id: str) -> Receipt:
        """Delete the user with all data. Google keeps it for 20 days."""
        return await self._write(external_id, Verb.DELETE)

    async def _write(self, external_id: str, verb: Verb) -> Receipt:
        user = await self._people.get(external_id)
        if user is None:
            return _GONE
        planned = await self._writes.plan(verb, user)
        if isinstance(planned, Receipt):
            return planned
        self._transport.check_write()
        await self._refuse_protected(user)
        return await planned()

    async def restore(self, external_id: str, verb: Verb, snapshot: Snapshot) -> Receipt:
        """Put back what `snapshot` shows for `verb`."""
        self._transport.check_write()
        return await self._writes.restore(verb, await self._must_get(external_id), snapshot)

    # -- hand-over and devices ------------------------------------------------------------------------

    async def transfer(self, external_id: str, request: TransferRequest) -> Job:
        """Give the mailbox, an automatic reply, files, the calendar, or owned groups to a successor."""
        self._transport.check_write()
        if request.kind in (TransferKind.MAILBOX, TransferKind.AUTO_REPLY) and not self._is_on("gmail"):
            raise ConnectorError(ErrorKind.UNSUPPORTED, NO_GMAIL)
        return await self._handover.transfer(await self._must_get(external_id), request)

    async def end_transfer(self, handle: str) -> Job:
        """Take back the mailbox, or switch the automatic reply off."""
        self._transport.check_write()
        return await self._handover.end(handle)

    async def wipe(self, external_id: str, device_id: str) -> Job:
        """Have the firm's account wiped from a phone or tablet, or the whole device by the settings."""
        return await self._devices.wipe(await self._whose(external_id), device_id)

    async def lock(self, external_id: str, device_id: str) -> Job:
        """Keep the firm's data from a phone or tablet; Google cannot lock the device itself."""
        return await self._devices.block(await self._whose(external_id), device_id)

    async def _whose(self, external_id: str) -> dict[str, Any]:
        """The user whose device is to be changed."""
        self._transport.check_write()
        if not self._is_on("mobile_devices"):
            raise ConnectorError(ErrorKind.UNSUPPORTED, NO_DEVICES)
        user = await self._must_get(external_id)
        if self._is_listed(user):
            raise _protected(user, "it is on this connection's list of protected accounts")
        return user

    async def job(self, handle: str) -> Job:
        """How far a hand-over or an order to a device has come."""
        if handle.startswith(f"{HANDLE}|") and handle.count("|") == 3:
            return await self._devices.job(handle)
        return await self._handover.job(handle)

    # -- proving --------------------------------------------------------------------------------------

    async def verify(self, external_id: str, verb: Verb) -> Proof:
        """Read afresh. A sign-in at Google cannot be tried without harm; the proof says what is open."""
        user = await self._people.get(external_id)
        if user is None:
            return Proof(
                Verdict.CONFIRMED,
                f"Read afresh: there is no such user any more. {DELETED}",
            )
        return await self._proofs.of(verb, user)

    # -- reading and protecting -----------------------------------------------------------------------

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

    async def _refuse_protected(self, user: Mapping[str, Any]) -> None:
        if reason := await self._why_protected(user, await self._rights.of(str(user["id"]))):
            raise _protected(user, reason)

    async def _why_protected(self, user: Mapping[str, Any], rights: list[Right]) -> str:
        if self._google.admin.lower() in addresses_of(user):
            return "it is the administrator that Partwell acts as"
        if self._is_listed(user):
            return "it is on this connection's list of protected accounts"
        is_super = user.get("isAdmin") is True or any(right.is_super_admin for right in rights)
        if is_super and not await self._people.has_other_super_admin(str(user["id"])):
            return "it is the last active super administrator"
        if name := await self._rights.last_in(str(user["id"]), rights, self._admin_groups):
            return f"it is the last active member of {name}"
        return ""

    def _is_listed(self, user: Mapping[str, Any]) -> bool:
        return bool({str(user.get("id") or "").lower(), *addresses_of(user)} & self._protected)


def _lowered(names: list[str]) -> frozenset[str]:
    return frozenset(name.lower() for name in names)


def _protected(user: Mapping[str, Any], reason: str) -> ConnectorError:
    return ConnectorError(
        ErrorKind.CONFLICT, f"{login_of(user)} is protected: {reason}. Nothing was changed."
    )


CONNECTOR = GoogleWorkspaceConnector
