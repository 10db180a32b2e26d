"""Users of AWS IAM in one account: denied everything, without keys and password, without groups and policies.

IAM has no switch for a user. What keeps somebody out is a policy that denies everything, and that no key and
no password works; both are written, and both are read back.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
from datetime import timedelta

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
    Rotation,
    Snapshot,
    TestReport,
    Verb,
    Verdict,
)
from partwell.connector_kit.pacing import side_by_side
from partwell.connector_kit.settling import Settling
from partwell.connector_kit.transport import Transport
from partwell.connectors.aws import permissions
from partwell.connectors.aws.credentials import INACTIVE, Credentials, saved
from partwell.connectors.aws.holdings import holdings_of
from partwell.connectors.aws.policies import (
    DENY_ALL,
    END_SESSIONS,
    Policies,
    deny_all,
    end_sessions,
    rounded_up,
)
from partwell.connectors.aws.proofs import ROLES, Proofs
from partwell.connectors.aws.protection import Protection
from partwell.connectors.aws.removal import delete_user
from partwell.connectors.aws.restoring import allow, give_rights, let_in, switching
from partwell.connectors.aws.rights import Right, Rights
from partwell.connectors.aws.rotation import KeyRotation
from partwell.connectors.aws.service import Service
from partwell.connectors.aws.steps import take_steps
from partwell.connectors.aws.users import Names, User, Users

UNSEEN = " Service-specific credentials were not looked at (setting 'service_credentials')."
SAME_REQUEST = timedelta(seconds=60)
_GONE = Receipt(Outcome.ALREADY_DONE, "There is no such user any more.")


class AwsConnector:
    """See the manifest for settings and the README for the rights that Partwell's user needs."""

    def __init__(self, connection: Connection) -> None:
        self.connection = connection
        settings = connection.settings
        self._transport: Transport = connection.transport
        self._service = Service(connection)
        self._names = Names.from_settings(settings)
        self._users = Users(self._service, self._names)
        looks_at_all = bool(settings.get("service_credentials", True))
        self._credentials = Credentials(self._service, service_specific=looks_at_all)
        self._policies = Policies(self._service)
        self._rights = Rights(self._service, self._policies)
        self._protection = Protection(
            settings, self._service, self._credentials, self._policies, self._rights
        )
        self._settling = Settling(settings, connection.now)
        unseen = "" if looks_at_all else UNSEEN
        self._proofs = Proofs(self._settling, self._credentials, self._policies, self._rights, unseen=unseen)

    async def close(self) -> None:
        """Nothing to let go of: connections belong to the transport."""

    # -- asking ---------------------------------------------------------------------------------------

    async def test(self) -> TestReport:
        """Ask who the key is, read one page, and have AWS simulate Partwell's own rights. Changes nothing."""
        try:
            arn = str((await self._service.caller()).get("Arn") or "")
            async for _ in self._users.pages("1"):
                break
        except ConnectorError as error:
            return TestReport(False, error.message, (error.message,))
        problems, said = await permissions.problems(self._service, arn)
        if problems:
            return TestReport(False, problems[0], tuple(problems))
        return TestReport(True, f"Signed in as {arn or 'somebody'}.{said}")

    async def discover(self, identity: Identity) -> list[Account]:
        """All users that match a name, an address or an employee number exactly."""
        accounts = []
        for user_id, matched_by in (await self._users.find(identity)).items():
            account = await self._read(user_id, matched_by)
            accounts += [account] if account else []
        return accounts

    async def read(self, external_id: str) -> Account | None:
        """The user afresh, with groups and policies."""
        return await self._read(external_id)

    async def list_accounts(self) -> AsyncIterator[list[Account]]:
        """Everybody, page by page. The last administrator is not looked for here."""

        async def account(found: tuple[User, bool]) -> Account | None:
            listed, is_denied = found
            user = await self._users.named(listed.name)
            return None if user is None else await self._account(user, (), is_denied=is_denied)

        async for page in self._users.pages():
            yield [each for each in await side_by_side(account, page, at_once=4) if each]

    async def holdings(self, external_id: str) -> list[Holding]:
        """Keys, credentials, certificates, devices, and roles whose trust policy names the user."""
        user = await self._users.get(external_id)
        return [] if user is None else await holdings_of(user, self._service, self._credentials)

    async def snapshot(self, external_id: str) -> Snapshot:
        """What `restore` needs: what was active, denied or not, groups, and policies with their content."""
        user = await self._must_get(external_id)
        state = {
            "name": user.name,
            "arn": user.arn,
            "boundary": user.boundary,
            "denied": await self._policies.is_denied(user.name),
            **saved(await self._credentials.of(user.name)),
            "rights": await self._rights.saved(user.name),
        }
        return Snapshot(self.connection.now(), state)

    # -- changing -------------------------------------------------------------------------------------

    async def block_sign_in(self, external_id: str) -> Receipt:
        """Deny the user everything, by an inline policy of ours."""
        self._transport.check_write()
        user = await self._users.get(external_id)
        if user is None:
            return _GONE
        if await self._policies.is_denied(user.name):
            return Receipt(Outcome.ALREADY_DONE, f"{DENY_ALL} denied everything before.")
        await self._protection.refuse(user)
        request_id = await self._policies.put(user.name, DENY_ALL, deny_all())
        self._settling.accepted(user.id, Verb.BLOCK_SIGN_IN)
        return Receipt(Outcome.DONE, f"Wrote the policy {DENY_ALL}.", request_id, {"policy": DENY_ALL})

    async def revoke_sessions(self, external_id: str) -> Receipt:
        """Deny everything to the user's own sessions that were opened until now."""
        self._transport.check_write()
        user = await self._users.get(external_id)
        if user is None:
            return _GONE
        before = await self._policies.ended_before(user.name)
        # A request that is repeated, not one for what was opened since.
        if before is not None and before > self._service.now() - SAME_REQUEST:
            return Receipt(Outcome.ALREADY_DONE, f"{END_SESSIONS} names this minute already.")
        await self._protection.refuse(user)
        moment = rounded_up(self._service.now())
        request_id = await self._policies.put(user.name, END_SESSIONS, end_sessions(moment))
        self._proofs.ends_sessions_before(user.id, moment)
        self._settling.accepted(user.id, Verb.REVOKE_SESSIONS)
        return Receipt(
            Outcome.DONE,
            f"Wrote the policy {END_SESSIONS}. {ROLES}",
            request_id,
            {"policy": END_SESSIONS, "opened_before": moment.isoformat()},
        )

    async def revoke_tokens(self, external_id: str) -> Receipt:
        """Switch off every access key, SSH key, service credential and certificate."""
        self._transport.check_write()
        user = await self._users.get(external_id)
        if user is None:
            return _GONE
        ways = await self._credentials.of(user.name)
        if not ways.open:
            return Receipt(Outcome.ALREADY_DONE, "It had no active key or credential.")
        await self._protection.refuse(user)
        steps = switching(self._credentials, user, ways.open, INACTIVE)
        receipt = await take_steps("switched off", steps, gone_is_done=True)
        self._settling.accepted(user.id, Verb.REVOKE_TOKENS)
        return receipt

    async def suspend(self, external_id: str) -> Receipt:
        """Delete the console password, and switch every key and credential off."""
        self._transport.check_write()
        user = await self._users.get(external_id)
        if user is None:
            return _GONE
        ways = await self._credentials.of(user.name)
        if not ways.any:
            return Receipt(Outcome.ALREADY_DONE, "It had neither a password nor an active key or credential.")
        await self._protection.refuse(user)
        steps = switching(self._credentials, user, ways.open, INACTIVE)
        if ways.has_password:
            steps.insert(0, ("console password", lambda: self._credentials.delete_password(user.name)))
        receipt = await take_steps("taken away or switched off", steps, gone_is_done=True)
        self._settling.accepted(user.id, Verb.SUSPEND)
        return receipt

    async def remove_entitlements(self, external_id: str) -> Receipt:
        """Take groups and policies away. One that stays does not stop the others, and is named."""
        self._transport.check_write()
        user = await self._users.get(external_id)
        if user is None:
            return _GONE
        held = await self._rights.of(user.name)
        if not held:
            return Receipt(Outcome.ALREADY_DONE, "It was in no group, and had no policy.")
        await self._protection.refuse(user)

        def taking(right: Right) -> Callable[[], Awaitable[str]]:
            return lambda: self._rights.take(user.name, right)

        steps = [(right.label, taking(right)) for right in held]
        receipt = await take_steps("taken away", steps, gone_is_done=True)
        self._settling.accepted(user.id, Verb.REMOVE_ENTITLEMENTS)
        return receipt

    async def delete(self, external_id: str) -> Receipt:
        """Delete the user, and before that everything that hangs on it. Cannot be undone."""
        self._transport.check_write()
        user = await self._users.get(external_id)
        if user is None:
            return _GONE
        await self._protection.refuse(user)
        request_id = await delete_user(user, self._service, self._credentials, self._policies, self._rights)
        self._settling.accepted(user.id, Verb.DELETE)
        return Receipt(Outcome.DONE, f"Deleted the user {user.name}.", request_id, {"user": user.name})

    async def rotate(
        self, external_id: str, *, old: str, keep: Callable[[Mapping[str, str]], None]
    ) -> Rotation:
        """A new access key for a shared user; the old one is switched off, then tried."""
        self._transport.check_write()
        user = await self._must_get(external_id)
        if user.id == await self._protection.own_id():
            raise ConnectorError(
                ErrorKind.CONFLICT, "This is Partwell's own access key: change it by hand, with its setting."
            )
        await self._protection.refuse(user)
        patience = float(self.connection.settings.get("key_spreads_within_seconds", 6))
        rotation = KeyRotation(self._service, self._credentials, patience=patience)
        return await rotation.rotate(user, old, keep)

    async def restore(self, external_id: str, verb: Verb, snapshot: Snapshot) -> Receipt:
        """Put back what `snapshot` shows for `verb`. A password comes back as one that nobody knows."""
        self._transport.check_write()
        if verb not in (Verb.BLOCK_SIGN_IN, Verb.REVOKE_TOKENS, Verb.SUSPEND, Verb.REMOVE_ENTITLEMENTS):
            raise ConnectorError(ErrorKind.UNSUPPORTED, f"AWS IAM cannot undo '{verb}'.")
        user = await self._must_get(external_id)
        self._settling.forget(user.id, verb)
        if verb is Verb.BLOCK_SIGN_IN:
            return await allow(user, snapshot.state, self._policies)
        if verb is Verb.REMOVE_ENTITLEMENTS:
            return await give_rights(user, snapshot.state, self._rights)
        return await let_in(user, snapshot.state, self._credentials, with_password=verb is Verb.SUSPEND)

    # -- proving --------------------------------------------------------------------------------------

    async def verify(self, external_id: str, verb: Verb) -> Proof:
        """Read afresh, and ask AWS's simulator what the user could still do."""
        user = await self._users.get(external_id)
        if user is None:
            return Proof(Verdict.CONFIRMED, "Read afresh: there is no such user any more.")
        return await self._proofs.prove(user, verb)

    # -- inside ---------------------------------------------------------------------------------------

    async def _read(self, user_id: str, matched_by: str = "") -> Account | None:
        user = await self._users.get(user_id)
        if user is None:
            return None
        return await self._account(
            user,
            await self._rights.of(user.name),
            is_denied=await self._policies.is_denied(user.name),
            matched_by=matched_by,
            is_listed=False,
        )

    async def _account(
        self,
        user: User,
        rights: Sequence[Right],
        *,
        is_denied: bool,
        matched_by: str = "",
        is_listed: bool = True,
    ) -> Account:
        ways = await self._credentials.of(user.name)
        protection = self._protection
        why = await (protection.why_listed(user) if is_listed else protection.why(user, rights))
        details = {"arn": user.arn, "ways in": ways.said, "denied everything": "yes" if is_denied else "no"}
        if user.boundary:
            details["permissions boundary"] = user.boundary
        used = [at for at in (user.password_last_used_at, ways.last_used_at) if at]
        return Account(
            external_id=user.id,
            login=user.name,
            is_active=ways.any and not is_denied,
            matched_by=matched_by,
            entitlements=tuple(right.entitlement for right in rights),
            is_protected=why != "",
            details=details,
            emails=self._names.emails(user),
            employee_number=self._names.employee_number(user),
            last_used_at=max(used, default=None),
            nature=self._names.nature(user),
        )

    async def _must_get(self, user_id: str) -> User:
        user = await self._users.get(user_id)
        if user is None:
            raise ConnectorError(ErrorKind.NOT_FOUND, "There is no such user.")
        return user


CONNECTOR = AwsConnector
