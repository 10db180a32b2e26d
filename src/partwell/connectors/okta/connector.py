"""Accounts in an Okta organisation.

Suspending is Okta's own word and keeps everything; deactivating is never done here, as it takes the data of
applications with it. Okta lists no sessions and lets nobody try a sign-in without counting it against the
account, so proofs are fresh readings: of the user, of what the user holds, and of Okta's log.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping
from datetime import timedelta
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
from partwell.connectors.okta.entitlements import OktaEntitlements, name_of, named
from partwell.connectors.okta.holdings import OktaHoldings
from partwell.connectors.okta.people import BLOCKED, OktaPeople, account_of, is_blocked, login_of, status_of
from partwell.connectors.okta.protection import OktaProtection
from partwell.connectors.okta.service import OktaService, identifier, segment

GONE = "There is no such user in Okta any more."
APPLICATIONS = "Sessions that applications keep for themselves are not ended by Okta: cut those systems too."
ISSUED = "Access tokens that are out already are good until they run out, an hour as a rule."


class OktaConnector:
    """See the manifest for settings and the README for the rights that the credentials need."""

    def __init__(self, connection: Connection) -> None:
        self.connection = connection
        settings = connection.settings
        self._transport: Transport = connection.transport
        self._service = OktaService(connection)
        self._people = OktaPeople(self._service)
        self._entitlements = OktaEntitlements(self._service)
        self._holdings = OktaHoldings(self._service, connection)
        self._protection = OktaProtection(self._people, self._entitlements, settings)
        self._settles_within = timedelta(seconds=float(settings.get("settles_within_seconds", 600)))

    async def close(self) -> None:
        """Nothing to let go of: connections belong to the transport."""

    # -- asking ---------------------------------------------------------------------------------------

    async def test(self) -> TestReport:
        """Read one of each thing that the connector looks at. Changes nothing."""
        reads = [
            ("/api/v1/users", "users"),
            ("/api/v1/groups", "groups"),
            ("/api/v1/groups/rules", "groups"),
            ("/api/v1/iam/assignees/users", "roles"),
            ("/api/v1/logs", "logs"),
        ]
        problems = []
        for path, about in reads:
            try:
                await self._service.get(path, about=about, params={"limit": "1"})
            except ConnectorError as error:
                problems.append(error.message)
                if error.kind is not ErrorKind.DENIED:
                    break
        if self._holdings.looks_at_api_tokens:
            try:
                await self._service.get("/api/v1/api-tokens", about="apiTokens")
            except ConnectorError as error:
                problems.append(f"{error.message} Or set 'api_tokens: false'.")
        if problems:
            return TestReport(False, problems[0], tuple(dict.fromkeys(problems)))
        return TestReport(
            True,
            "Okta answers and lets us read all that is needed. Whether writes are allowed shows with the "
            "first one: Okta has no way to ask beforehand.",
        )

    async def discover(self, identity: Identity) -> list[Account]:
        """All users that match one fact about the person exactly."""
        found = await self._people.matching(identity)
        return [await self._account(user, matched_by) for user, matched_by in found]

    async def read(self, external_id: str) -> Account | None:
        """The user afresh, with groups and roles."""
        user = await self._people.read(external_id)
        return await self._account(user) if user else None

    async def list_accounts(self) -> AsyncIterator[list[Account]]:
        """Everybody, without groups and roles. Only listed accounts are marked as protected here."""
        async for page in self._people.everybody():
            yield [account_of(user, is_protected=self._protection.is_listed(user)) for user in page]

    async def holdings(self, external_id: str) -> list[Holding]:
        """Consents, tokens, factors, applications, devices; owned groups where the settings say so."""
        if await self._people.read(external_id) is None:
            return []
        return await self._holdings.all(external_id)

    async def snapshot(self, external_id: str) -> Snapshot:
        """What `restore` needs: the status, the groups, and the roles with whether they were limited."""
        user = await self._people.must_read(external_id)
        held = await self._entitlements.held(external_id)
        direct = [each for each in held if not each.is_group and not each.kept_because]
        scoped = await self._entitlements.scoped_roles(external_id) if direct else set()
        state = {
            "login": login_of(user),
            "status": status_of(user),
            "groups": [
                {"id": identifier(each.raw), "name": name_of(each.raw), "type": str(each.raw.get("type"))}
                for each in held
                if each.is_group
            ],
            "roles": [
                {
                    "what": each.entitlement.external_id,
                    "name": each.entitlement.name,
                    "type": str(each.raw.get("type")),
                    "role": str(each.raw.get("role", "")),
                    "resource-set": str(each.raw.get("resource-set", "")),
                    "scoped": identifier(each.raw) in scoped,
                }
                for each in direct
            ],
        }
        return Snapshot(self.connection.now(), state)

    # -- changing -------------------------------------------------------------------------------------

    async def suspend(self, external_id: str) -> Receipt:
        """Suspend. Okta suspends active users only and is not idempotent, so the status is read first."""
        user = await self._to_change(external_id)
        if user is None:
            return Receipt(Outcome.ALREADY_DONE, GONE)
        if is_blocked(user):
            return Receipt(Outcome.ALREADY_DONE, f"It was {BLOCKED[status_of(user)]} before.")
        await self._protection.refuse(user)
        path = f"/api/v1/users/{segment(external_id)}/lifecycle"
        asked = ["suspend"]
        if status_of(user) == "LOCKED_OUT":
            # Okta unlocks such an account by itself after a while, and suspends none that is locked.
            asked.insert(0, "unlock")
        elif status_of(user) != "ACTIVE":
            raise ConnectorError(
                ErrorKind.CONFLICT,
                f"Okta suspends active users only, and this one is {status_of(user) or 'of no status'}: "
                "a sign-in may still make it active. Deactivate it in Okta if its applications' data may go, "
                "or set a new password there and apply again.",
            )
        request_id = ""
        try:
            for word in asked:
                answer = await self._service.call("POST", f"{path}/{word}", about="users")
                request_id = answer.request_id
        except ConnectorError as error:
            if error.kind not in (ErrorKind.INVALID, ErrorKind.DENIED, ErrorKind.CONFLICT):
                raise
            # The same refusal comes for a user whom somebody else has just suspended.
            again = await self._people.read(external_id)
            if again is None or is_blocked(again):
                return Receipt(Outcome.ALREADY_DONE, "It was suspended meanwhile.", error.request_id)
            raise
        return Receipt(
            Outcome.DONE, f"Asked to {' and '.join(asked)}; Okta said yes.", request_id, {"lifecycle": asked}
        )

    async def revoke_sessions(self, external_id: str) -> Receipt:
        """End all sessions at Okta, with the tokens of OpenID Connect and the remembered devices."""
        user = await self._to_change(external_id)
        if user is None:
            return Receipt(Outcome.ALREADY_DONE, GONE)
        try:
            ended_at = await self._holdings.sessions_ended_at(user)
        except ConnectorError as error:
            if error.kind is not ErrorKind.DENIED:
                raise
            ended_at = None  # without the log nothing is known, and ending them twice harms nobody
        if ended_at is not None:
            return Receipt(Outcome.ALREADY_DONE, f"They were ended at {ended_at.isoformat()}.")
        await self._protection.refuse(user)
        params = {"oauthTokens": "true", "forgetDevices": "true"}
        try:
            answer = await self._service.call(
                "DELETE", f"/api/v1/users/{segment(external_id)}/sessions", about="users", params=params
            )
        except ConnectorError as error:
            if error.kind is ErrorKind.NOT_FOUND:
                return Receipt(Outcome.ALREADY_DONE, GONE, error.request_id)
            raise
        return Receipt(Outcome.DONE, "Asked to end all sessions; Okta said yes.", answer.request_id, params)

    async def revoke_tokens(self, external_id: str) -> Receipt:
        """Take back consents, refresh tokens and API tokens."""
        user = await self._to_change(external_id)
        if user is None:
            return Receipt(Outcome.ALREADY_DONE, GONE)
        tokens = await self._holdings.tokens(external_id)
        if not str(tokens):
            return Receipt(Outcome.ALREADY_DONE, "It had no tokens and consents.")
        await self._protection.refuse(user)
        request_id = await self._holdings.revoke(external_id, tokens)
        return Receipt(Outcome.DONE, f"Asked to revoke {tokens}.", request_id, {"revoked": str(tokens)})

    async def remove_entitlements(self, external_id: str) -> Receipt:
        """Take groups and administrator roles away. One that refuses does not stop the others, and those that
        Okta does not manage are named. Raises CONFLICT when only such are left."""
        user = await self._to_change(external_id)
        if user is None:
            return Receipt(Outcome.ALREADY_DONE, GONE)
        held = await self._entitlements.held(external_id)
        ours = [each for each in held if not each.kept_because]
        kept = [each for each in held if each.kept_because]
        if not held:
            return Receipt(Outcome.ALREADY_DONE, "It was in no group and had no role.")
        await self._protection.refuse(user)
        if not ours:
            raise ConnectorError(ErrorKind.CONFLICT, f"Okta cannot take away what is left: {named(kept)}.")
        done, failures = await try_each(
            (each.entitlement.name, partial(self._entitlements.take, external_id, each)) for each in ours
        )
        if failures:
            raise together(f"{len(done)} of {len(ours)} are done.", failures)
        request_id = next((told for _, told in reversed(done) if told), "")
        summary = f"Asked to take away {len(ours)} groups and roles."
        if kept:
            summary += f" Okta cannot take away: {named(kept)}."
        taken = [f"{each.entitlement.kind} {each.entitlement.name}" for each in ours]
        return Receipt(Outcome.DONE, summary, request_id, {"taken": taken})

    async def restore(self, external_id: str, verb: Verb, snapshot: Snapshot) -> Receipt:
        """Put back what `snapshot` shows for `verb`. What cannot be put back here is named."""
        self._transport.check_write()
        if verb is Verb.SUSPEND:
            user = await self._people.must_read(external_id)
            if status_of(user) != "SUSPENDED":
                if is_blocked(user) and snapshot.state.get("status") not in BLOCKED:
                    raise ConnectorError(
                        ErrorKind.CONFLICT,
                        f"It is {BLOCKED[status_of(user)]} now, which is undone in Okta alone.",
                    )
                return Receipt(Outcome.ALREADY_DONE, "It is not suspended.")
            if snapshot.state.get("status") in BLOCKED:
                return Receipt(Outcome.ALREADY_DONE, "It was suspended before the cut, and stays so.")
            path = f"/api/v1/users/{segment(external_id)}/lifecycle/unsuspend"
            answer = await self._service.call("POST", path, about="users")
            return Receipt(Outcome.DONE, "Asked to unsuspend; Okta said yes.", answer.request_id)
        if verb is not Verb.REMOVE_ENTITLEMENTS:
            raise ConnectorError(ErrorKind.UNSUPPORTED, f"Okta cannot undo '{verb}'.")
        await self._people.must_read(external_id)
        held = await self._entitlements.held(external_id)
        present = {(each.is_group, each.entitlement.external_id) for each in held}
        missing = [(True, g) for g in snapshot.state.get("groups", []) if (True, g["id"]) not in present]
        missing += [(False, r) for r in snapshot.state.get("roles", []) if (False, r["what"]) not in present]
        if not missing:
            return Receipt(Outcome.ALREADY_DONE, "It has all of its groups and roles.")
        failures: list[tuple[str, ConnectorError]] = []
        for is_group, thing in missing:
            give = self._entitlements.give_group if is_group else self._entitlements.give_role
            try:
                await give(external_id, thing)
            except ConnectorError as error:
                failures.append((thing["name"], error))
        if failures:
            done = len(missing) - len(failures)
            raise together(f"{done} of {len(missing)} are done.", failures)
        return Receipt(Outcome.DONE, f"Asked to give back {len(missing)} groups and roles.")

    # -- proving --------------------------------------------------------------------------------------

    async def verify(self, external_id: str, verb: Verb) -> Proof:
        """Read afresh what `verb` was about."""
        user = await self._people.read(external_id)
        if user is None:
            return Proof(Verdict.CONFIRMED, "Read afresh: there is no such user any more.")
        if verb is Verb.SUSPEND:
            return self._suspension(user)
        if verb is Verb.REVOKE_SESSIONS:
            return await self._ended_sessions(user)
        if verb is Verb.REVOKE_TOKENS:
            tokens = await self._holdings.tokens(external_id)
            if str(tokens):
                return Proof(Verdict.FAILED, f"Read afresh: it still has {tokens}.")
            unseen = (
                "" if self._holdings.looks_at_api_tokens else " API tokens were not looked at (settings)."
            )
            return Proof(Verdict.CONFIRMED, f"Read afresh: no tokens and consents are left.{unseen} {ISSUED}")
        if verb is Verb.REMOVE_ENTITLEMENTS:
            held = await self._entitlements.held(external_id)
            if held:
                return Proof(Verdict.FAILED, f"Read afresh: it still has {named(held)}.")
            return Proof(Verdict.CONFIRMED, "Read afresh: it is in no group but Everyone, and has no role.")
        return Proof(Verdict.UNVERIFIABLE, f"Okta cannot be asked whether '{verb}' holds.")

    def _suspension(self, user: Mapping[str, Any]) -> Proof:
        status, since = status_of(user), user.get("statusChanged")
        if is_blocked(user):
            when = f" since {since}" if since else ""
            return Proof(Verdict.CONFIRMED, f"Read afresh: {status}{when}. {APPLICATIONS}")
        if not status:
            return Proof(Verdict.UNVERIFIABLE, "Read afresh: Okta does not show the user's status.")
        under_way = user.get("transitioningToStatus")
        if under_way == "DEPROVISIONED":
            until = self.connection.now() + self._settles_within
            return Proof(Verdict.PENDING, f"Read afresh: {status}, being deactivated.", retry_until=until)
        becoming = f", becoming {under_way}" if under_way else ""
        return Proof(Verdict.FAILED, f"Read afresh: {status}{becoming}.")

    async def _ended_sessions(self, user: Mapping[str, Any]) -> Proof:
        try:
            ended_at = await self._holdings.sessions_ended_at(user)
        except ConnectorError as error:
            if error.kind is not ErrorKind.DENIED:
                raise
            return Proof(
                Verdict.UNVERIFIABLE, f"Okta lists no sessions, and its log may not be read. {error.message}"
            )
        last = f"the last sign-in, {user['lastLogin']}" if user.get("lastLogin") else "any sign-in on record"
        if ended_at is None:
            return Proof(
                Verdict.PENDING,
                f"Okta's log does not show yet that the sessions were ended after {last}.",
                retry_until=self.connection.now() + self._settles_within,
            )
        return Proof(
            Verdict.CONFIRMED,
            f"Okta's log shows that all sessions were ended at {ended_at.isoformat()}, after {last}. "
            f"{APPLICATIONS}",
        )

    # -- protecting -----------------------------------------------------------------------------------

    async def _to_change(self, external_id: str) -> dict[str, Any] | None:
        self._transport.check_write()
        return await self._people.read(external_id)

    async def _account(self, user: Mapping[str, Any], matched_by: str = "") -> Account:
        held = await self._entitlements.held(identifier(user))
        return account_of(
            user,
            matched_by,
            entitlements=tuple(dict.fromkeys(each.entitlement for each in held)),
            is_protected=bool(await self._protection.why(user, held)),
        )


CONNECTOR = OktaConnector
