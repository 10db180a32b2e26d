"""Accounts in Slack: on, off, sessions, groups and roles, as far as the plan offers them.

Two interfaces see the same account: SCIM switches it on and off (Business+ and Enterprise Grid), the Web API
shows it and, on Enterprise Grid, its sessions. A suspension counts when both show it.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping
from functools import partial
from typing import Any

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
from partwell.connectors.slack.people import (
    People,
    account_of,
    account_of_provisioned,
    employee_number_of,
    is_from_elsewhere,
)
from partwell.connectors.slack.proofs import NO_SESSIONS, Proofs
from partwell.connectors.slack.protection import Protection
from partwell.connectors.slack.provisioning import Provisioning, values_of
from partwell.connectors.slack.rights import Right, Rights, right_of
from partwell.connectors.slack.sessions import as_holdings, end_sessions, installed_apps, open_sessions
from partwell.connectors.slack.web import SlackWeb

GRID = "enterprise_grid"
PRO = "pro"
NO_SCIM = (
    "Slack lets nobody be deactivated by an interface on this plan (setting 'plan'): an owner does it in "
    "'Manage members', then reading back proves it."
)
NOT_OURS = (
    "This account belongs to another organisation (Slack Connect). It is cut there, or by leaving the shared "
    "channels."
)
_GONE = Receipt(Outcome.ALREADY_DONE, "There is no such account any more.")
_READS = ("users:read", "users:read.email", "usergroups:read")
_SCOPES = {
    PRO: (*_READS, "usergroups:write", "admin"),
    "business_plus": (*_READS, "usergroups:write", "admin"),
    GRID: (*_READS, "usergroups:write", "admin.users:read", "admin.users:write", "admin.teams:read"),
}


class SlackConnector:
    """See the manifest for settings and the README for the scopes that the token needs."""

    def __init__(self, connection: Connection) -> None:
        self.connection = connection
        settings = connection.settings
        self._plan = str(settings["plan"])
        self._transport: Transport = connection.transport
        self._web = SlackWeb(connection)
        self._scim = None if self._plan == PRO else Provisioning(connection)
        self._people = People(self._web, self._scim)
        self._rights = Rights(self._web, self._scim, is_grid=self._plan == GRID)
        self._proofs = Proofs(connection, self._web, is_grid=self._plan == GRID)
        self._protection = Protection(
            settings, self._web, self._people, self._rights, is_grid=self._plan == GRID
        )

    async def close(self) -> None:
        """Nothing to let go of: connections belong to the transport."""

    # -- asking ---------------------------------------------------------------------------------------

    async def test(self) -> TestReport:
        """Ask who the token is and what it may; try SCIM by reading. Changes nothing."""
        try:
            who, scopes = await self._web.scopes()
            if self._scim is not None:
                await self._scim.check()
        except ConnectorError as error:
            return TestReport(False, error.message, (error.message,))
        needed = _SCOPES[self._plan]
        if self._plan == GRID and "scim_token" not in self.connection.settings:
            needed = (*needed, "admin")
        lacking = [scope for scope in needed if scope not in scopes] if scopes else []
        problems = [f"The token lacks the scope {scope}." for scope in lacking]
        if self._plan == GRID and who.get("is_enterprise_install") is not True:
            problems.append(
                "The token is of one workspace: on Enterprise Grid, install the app in the organisation."
            )
        summary = f"Signed in to {who.get('team') or 'Slack'} as {who.get('user') or 'somebody'}."
        if self._plan == PRO:
            summary += f" {NO_SCIM} Connect with 'without: [suspend, revoke_sessions]'."
        elif self._plan != GRID:
            summary += f" {NO_SESSIONS} Connect with 'without: [revoke_sessions]'."
        return TestReport(not problems, summary, tuple(problems))

    async def discover(self, identity: Identity) -> list[Account]:
        """All accounts that match an e-mail address or a user name exactly."""
        accounts = []
        for user_id, matched_by in (await self._people.find(identity)).items():
            account = await self._read(user_id, matched_by)
            accounts += [account] if account else []
        return accounts

    async def read(self, external_id: str) -> Account | None:
        """The account afresh, with groups, roles and, on Enterprise Grid, sessions."""
        return await self._read(external_id)

    async def list_accounts(self) -> AsyncIterator[list[Account]]:
        """Everybody, page by page. Of protection, only the list in the settings is looked at here."""
        if self._plan == GRID and self._scim is not None:
            async for provisioned in self._scim.pages():
                yield [
                    account_of_provisioned(
                        user,
                        is_protected=self._protection.is_listed(
                            str(user["id"]), user.get("userName"), *values_of(user, "emails")
                        ),
                    )
                    for user in provisioned
                ]
            return
        async for page in self._people.everybody():
            yield [account_of(user, is_protected=self._protection.is_listed_user(user)) for user in page]

    async def holdings(self, external_id: str) -> list[Holding]:
        """Sessions on Enterprise Grid; elsewhere the apps that the person added to the workspace."""
        user = await self._people.get(external_id)
        if user is None:
            return []
        if self._plan == GRID:
            return as_holdings(await open_sessions(self._web, user))
        return await installed_apps(self._web, external_id)

    async def snapshot(self, external_id: str) -> Snapshot:
        """What `restore` needs: active or not, groups and roles."""
        user = await self._must_get(external_id)
        rights = await self._rights_of(user)
        state = {
            "name": str(user.get("name") or ""),
            "deleted": user.get("deleted"),
            "rights": [right.saved for right in rights if not right.stays_because],
        }
        return Snapshot(self.connection.now(), state)

    # -- changing -------------------------------------------------------------------------------------

    async def suspend(self, external_id: str) -> Receipt:
        """Deactivate the account: SCIM's `active` = false."""
        self._transport.check_write()
        user = await self._people.get(external_id)
        if user is None:
            return _GONE
        if is_from_elsewhere(user):
            raise ConnectorError(ErrorKind.UNSUPPORTED, NOT_OURS)
        provisioned = await self._scim.user(external_id) if self._scim else None
        if user.get("deleted") is True and (provisioned is None or provisioned.get("active") is False):
            return Receipt(Outcome.ALREADY_DONE, "It was deactivated before.")
        await self._protection.refuse(user)
        return await self._switch(user, provisioned, False)

    async def revoke_sessions(self, external_id: str) -> Receipt:
        """Have all sessions on all devices ended. Slack does it in its own time."""
        self._transport.check_write()
        user = await self._people.get(external_id)
        if user is None:
            return _GONE
        if self._plan != GRID:
            raise ConnectorError(ErrorKind.UNSUPPORTED, NO_SESSIONS)
        if not await open_sessions(self._web, user):
            return Receipt(Outcome.ALREADY_DONE, "It had no open session.")
        await self._protection.refuse(user)
        self._proofs.note(external_id, Verb.REVOKE_SESSIONS)
        answer = await end_sessions(self._web, external_id)
        return Receipt(
            Outcome.ACCEPTED,
            "Slack took up the ending of all sessions.",
            answer.request_id,
            {"user_id": external_id},
        )

    async def remove_entitlements(self, external_id: str) -> Receipt:
        """Take away groups and roles. One that stays does not stop the others, and is named."""
        self._transport.check_write()
        user = await self._people.get(external_id)
        if user is None:
            return _GONE
        rights = await self._rights_of(user)
        if not rights:
            return Receipt(Outcome.ALREADY_DONE, "It was in no group, and had no role.")
        await self._protection.refuse(user)
        self._proofs.note(external_id, Verb.REMOVE_ENTITLEMENTS)
        failures = [
            (right.name, ConnectorError(ErrorKind.UNSUPPORTED, right.stays_because))
            for right in rights
            if right.stays_because
        ]

        async def take(right: Right) -> str:
            await self._rights.take(external_id, right)
            return f"{right.kind}: {right.name}"

        done, refused = await try_each(
            (right.name, partial(take, right)) for right in rights if not right.stays_because
        )
        failures += [(name, error) for name, error in refused if error.kind is not ErrorKind.NOT_FOUND]
        taken = [said for _, said in done]
        if failures:
            raise together(f"{len(taken)} of {len(rights)} groups and roles were taken away.", failures)
        return Receipt(Outcome.DONE, f"Took away {len(taken)} groups and roles.", request={"taken": taken})

    async def restore(self, external_id: str, verb: Verb, snapshot: Snapshot) -> Receipt:
        """Put back what `snapshot` shows for `verb`."""
        self._transport.check_write()
        if verb not in (Verb.SUSPEND, Verb.REMOVE_ENTITLEMENTS):
            raise ConnectorError(ErrorKind.UNSUPPORTED, f"Slack cannot undo '{verb}'.")
        user = await self._must_get(external_id)
        self._proofs.forget(external_id, verb)
        if verb is Verb.SUSPEND:
            if user.get("deleted") is False:
                return Receipt(Outcome.ALREADY_DONE, "It is active.")
            if snapshot.state.get("deleted") is True:
                return Receipt(Outcome.ALREADY_DONE, "It was deactivated before the cut, and stays so.")
            return await self._switch(user, await self._scim.user(external_id) if self._scim else None, True)
        held = {right.external_id for right in await self._rights_of(user)}
        wanted = [right_of(saved) for saved in snapshot.state.get("rights", [])]
        lacking = [right for right in wanted if right.external_id not in held]
        failures = []
        for right in lacking:
            try:
                await self._rights.give(external_id, right)
            except ConnectorError as error:
                failures.append((right.name, error))
        if failures:
            done = len(lacking) - len(failures)
            raise together(f"{done} of {len(lacking)} groups and roles were given again.", failures)
        outcome = Outcome.DONE if lacking else Outcome.ALREADY_DONE
        return Receipt(outcome, f"Gave {len(lacking)} groups and roles again.")

    async def _switch(
        self, user: Mapping[str, Any], provisioned: Mapping[str, Any] | None, active: bool
    ) -> Receipt:
        user_id = str(user["id"])
        if self._scim is None:
            raise ConnectorError(ErrorKind.UNSUPPORTED, NO_SCIM)
        if provisioned is None:
            raise ConnectorError(
                ErrorKind.UNSUPPORTED,
                "Slack's SCIM API does not know this account; it may be an app's. An owner can change it.",
            )
        if not active:
            self._proofs.note(user_id, Verb.SUSPEND)
        answer = await self._scim.set_active(user_id, active)
        return Receipt(
            Outcome.ACCEPTED if answer.status == 202 else Outcome.DONE,
            f"Asked to set active to {str(active).lower()}; Slack answered {answer.status}.",
            answer.request_id,
            {"active": active},
        )

    # -- proving --------------------------------------------------------------------------------------

    async def verify(self, external_id: str, verb: Verb) -> Proof:
        """Read afresh from every interface that shows it. There is no sign-in that could be tried."""
        user = await self._people.get(external_id)
        if user is None:
            return Proof(Verdict.CONFIRMED, "Read afresh: there is no such account any more.")
        if verb is Verb.SUSPEND:
            provisioned = await self._scim.user(external_id) if self._scim else None
            return await self._proofs.suspension(user, provisioned)
        if verb is Verb.REVOKE_SESSIONS:
            return await self._proofs.sessions(user)
        if verb is Verb.REMOVE_ENTITLEMENTS:
            return self._proofs.entitlements(user, await self._rights_of(user))
        return Proof(Verdict.UNVERIFIABLE, f"Slack cannot be asked whether '{verb}' holds.")

    # -- reading --------------------------------------------------------------------------------------

    async def _read(self, user_id: str, matched_by: str = "") -> Account | None:
        user = await self._people.get(user_id)
        if user is None:
            return None
        provisioned = await self._scim.user(user_id) if self._scim else None
        rights = await self._rights.of(user, provisioned)
        sessions = await open_sessions(self._web, user) if self._plan == GRID else None
        return account_of(
            user,
            matched_by=matched_by,
            entitlements=tuple(right.entitlement for right in rights),
            open_sessions=None if sessions is None else len(sessions),
            is_protected=await self._protection.why(user) != "",
            employee_number=employee_number_of(provisioned),
        )

    async def _must_get(self, user_id: str) -> dict[str, Any]:
        user = await self._people.get(user_id)
        if user is None:
            raise ConnectorError(ErrorKind.NOT_FOUND, "There is no such account.")
        return user

    async def _rights_of(self, user: Mapping[str, Any]) -> list[Right]:
        # Groups of an identity provider are only on Enterprise Grid, and only SCIM shows them.
        needs_scim = self._plan == GRID and self._scim is not None
        provisioned = await self._scim.user(str(user["id"])) if needs_scim and self._scim else None
        return await self._rights.of(user, provisioned)


CONNECTOR = SlackConnector
