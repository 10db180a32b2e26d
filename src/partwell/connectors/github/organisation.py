"""People with accounts of their own, in an organisation.

GitHub has no suspension for them: the account is theirs. What an organisation can do is take the membership
away, and GitHub keeps it for three months to be given back. That is what suspending does here, and it can be
undone in part only: the person has to accept an invitation.
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
    Verb,
    Verdict,
)
from partwell.connector_kit.failures import together, try_each
from partwell.connectors.github.credentials import GithubCredentials
from partwell.connectors.github.entitlements import OWNER, GithubEntitlements, Held, named
from partwell.connectors.github.holdings import SEES_NO_TOKENS, GithubHoldings
from partwell.connectors.github.licences import Licences
from partwell.connectors.github.people import BY_ADDRESS, INVITATIONS_LIVE, GithubPeople, Person, Tie
from partwell.connectors.github.protection import GithubProtection
from partwell.connectors.github.restoring import Restoring
from partwell.connectors.github.service import GithubService, number_of, segment

GONE = "It is neither a member nor an outside collaborator, and no invitation is open."


class Organisation:
    """The verbs for people of one organisation."""

    def __init__(self, connection: Connection) -> None:
        settings = connection.settings
        self._connection = connection
        self.service = GithubService(connection, GithubCredentials(connection))
        report = None
        if settings.get("enterprise_token"):
            report = GithubService(connection, GithubCredentials(connection, "enterprise_token"))
        self.licences = Licences(report, str(settings.get("enterprise", "")))
        self.people = GithubPeople(
            self.service,
            self.licences,
            str(settings["organization"]),
            logins_are_known=bool(settings.get("logins_are_known", False)),
        )
        self._entitlements = GithubEntitlements(
            self.service,
            self.people,
            roles=bool(settings.get("organization_roles", True)),
            repositories=bool(settings.get("scan_repositories", False)),
        )
        self._holdings = GithubHoldings(
            self.service, self._entitlements, self.people.path, saml=bool(settings.get("saml", False))
        )
        self._protection = GithubProtection(self.service, self.people, settings)
        self._restoring = Restoring(self.service, self.people, self._entitlements)
        self._cancelled: set[str] = set()

    # -- asking ---------------------------------------------------------------------------------------

    async def problems(self) -> list[str]:
        """What of all that is needed cannot be read, or, by an app, not be changed."""
        org, problems = self.people.path, []
        paths = [f"{org}/members", f"{org}/outside_collaborators", f"{org}/invitations", f"{org}/teams"]
        settings = self._connection.settings
        paths += [f"{org}/organization-roles"] if settings.get("organization_roles", True) else []
        paths += [f"{org}/credential-authorizations"] if settings.get("saml", False) else []
        paths += [f"{org}/personal-access-tokens"] if self.service.credentials.is_app else []
        for path in paths:
            params = {} if path.endswith("organization-roles") else {"per_page": "1"}
            try:
                await self.service.get(path, params=params)
            except ConnectorError as error:
                problems.append(f"{path.rpartition('/')[2]}: {error.message}")
                if error.kind in (ErrorKind.RETRYABLE, ErrorKind.THROTTLED):
                    return problems
        try:
            await self.licences.addresses()
        except ConnectorError as error:
            problems.append(f"licence report: {error.message}")
        if self.service.credentials.is_app:
            granted = self.service.credentials.permissions
            problems += [
                f"The app lacks '{name}: {access}': give it that, and accept it in the organisation."
                for name, access in self._permissions().items()
                if granted.get(name) not in (access, "write")
            ]
        return problems

    def _permissions(self) -> dict[str, str]:
        """What an app needs for all that the settings switch on."""
        settings = self._connection.settings
        wanted = {"members": "write", "organization_personal_access_tokens": "write"}
        if settings.get("saml", False):
            wanted["organization_administration"] = "write"
        if settings.get("organization_roles", True):
            wanted["organization_custom_org_roles"] = "read"
        if settings.get("scan_repositories", False):
            wanted["administration"] = "write"
        return wanted

    async def discover(self, identity: Identity) -> list[Account]:
        found = await self.people.matching(identity)
        return [await self._account(person, matched_by) for person, matched_by in found]

    async def read(self, external_id: str) -> Account | None:
        person = await self.people.by_id(external_id)
        return await self._account(person) if person else None

    async def list_accounts(self) -> AsyncIterator[list[Account]]:
        async for page in self.people.everybody(self._protection.is_listed):
            yield page

    async def holdings(self, external_id: str) -> list[Holding]:
        person = await self.people.by_id(external_id)
        return await self._holdings.all(person) if person else []

    async def snapshot(self, external_id: str) -> Snapshot:
        person = await self.people.by_id(external_id)
        if person is None:
            raise ConnectorError(ErrorKind.NOT_FOUND, GONE)
        return Snapshot(self._connection.now(), await self._restoring.state_of(person))

    async def _account(self, person: Person, matched_by: str = "") -> Account:
        held = await self._entitlements.held(person)
        return person.as_account(
            matched_by=matched_by,
            entitlements=tuple(each.entitlement for each in held),
            is_protected=bool(await self._protection.why(person, held)),
        )

    # -- changing -------------------------------------------------------------------------------------

    async def suspend(self, external_id: str) -> Receipt:
        """Take the membership away, or the access of an outside collaborator, or the open invitation."""
        person = await self.people.by_id(external_id)
        if person is None:
            return Receipt(Outcome.ALREADY_DONE, GONE)
        await self._protection.refuse(person, await self._held_for_protection(person))
        if not person.is_direct:
            raise ConnectorError(ErrorKind.CONFLICT, _by_enterprise(person))
        if person.tie is Tie.OUTSIDE:
            path = f"{self.people.path}/outside_collaborators/{segment(person.login)}"
        elif person.number:
            path = f"{self.people.path}/memberships/{segment(person.login)}"
        else:
            path = f"{self.people.path}/invitations/{number_of(person.invitation)}"
        try:
            answer = await self.service.call("DELETE", path)
        except ConnectorError as error:
            if error.kind is ErrorKind.NOT_FOUND:
                return Receipt(Outcome.ALREADY_DONE, GONE, error.request_id)
            raise
        self._cancelled.add(external_id)
        return Receipt(
            Outcome.DONE,
            f"Asked to remove the {person.tie.value} {person.login} from the organisation; GitHub said yes.",
            answer.request_id,
            {"tie": person.tie.value},
        )

    async def _held_for_protection(self, person: Person) -> list[Held]:
        """Watched teams alone decide; roles and repositories need not be asked again."""
        if person.tie is Tie.OUTSIDE or not person.number or not self._protection.watches_teams:
            return []
        return await self._entitlements.teams(person.login)

    async def revoke_tokens(self, external_id: str) -> Receipt:
        """Take back authorisations for single sign-on, and what fine-grained tokens may do here."""
        person = await self.people.by_id(external_id)
        if person is None or not person.number:
            return Receipt(Outcome.ALREADY_DONE, GONE if person is None else "An invitation has no tokens.")
        if not self._holdings.sees_tokens:
            raise ConnectorError(ErrorKind.UNSUPPORTED, SEES_NO_TOKENS)
        tokens = await self._holdings.tokens(person.login)
        if not str(tokens):
            return Receipt(Outcome.ALREADY_DONE, f"GitHub showed no tokens.{self._holdings.unseen}")
        await self._protection.refuse(person, await self._held_for_protection(person))
        request_id = await self._holdings.revoke(tokens)
        return Receipt(Outcome.DONE, f"Asked to revoke {tokens}.", request_id, {"revoked": str(tokens)})

    async def remove_entitlements(self, external_id: str) -> Receipt:
        """Take roles, teams and direct access away. One that refuses does not stop the others, and those that
        are managed elsewhere are named. Raises CONFLICT when only such are left."""
        person = await self.people.by_id(external_id)
        if person is None:
            return Receipt(Outcome.ALREADY_DONE, GONE)
        held = await self._entitlements.held(person)
        ours = [each for each in held if not each.kept_because]
        kept = [each for each in held if each.kept_because]
        if not held:
            return Receipt(Outcome.ALREADY_DONE, "It was in no team and had no role.")
        await self._protection.refuse(person, held)
        if not ours:
            raise ConnectorError(ErrorKind.CONFLICT, f"GitHub cannot take away what is left: {named(kept)}.")
        done, failures = await try_each(
            (each.entitlement.name, partial(self._entitlements.take, person, each)) for each in ours
        )
        if failures:
            raise together(f"{len(done)} of {len(ours)} are done.", failures)
        request_id = next((told for _, told in reversed(done) if told), "")
        summary = f"Asked to take away {len(ours)} teams, roles and repositories."
        if kept:
            summary += f" GitHub cannot take away: {named(kept)}."
        taken = [f"{each.entitlement.kind} {each.entitlement.name}" for each in ours]
        return Receipt(Outcome.DONE, summary, request_id, {"taken": taken})

    async def restore(self, external_id: str, verb: Verb, snapshot: Snapshot) -> Receipt:
        state: Mapping[str, Any] = snapshot.state
        if verb is Verb.SUSPEND:
            return await self._restoring.membership(external_id, state)
        if verb is Verb.REMOVE_ENTITLEMENTS:
            return await self._restoring.entitlements(external_id, state)
        raise ConnectorError(ErrorKind.UNSUPPORTED, f"GitHub cannot undo '{verb}'.")

    # -- proving --------------------------------------------------------------------------------------

    async def verify(self, external_id: str, verb: Verb) -> Proof:
        person = await self.people.by_id(external_id)
        if verb is Verb.SUSPEND:
            return await self._removal(external_id, person)
        if person is None:
            return Proof(Verdict.CONFIRMED, f"Read afresh: {GONE}")
        if verb is Verb.REVOKE_TOKENS and person.number:
            if not self._holdings.sees_tokens:
                return Proof(Verdict.UNVERIFIABLE, SEES_NO_TOKENS)
            tokens = await self._holdings.tokens(person.login)
            if str(tokens):
                return Proof(Verdict.FAILED, f"Read afresh: it still has {tokens}.")
            return Proof(
                Verdict.CONFIRMED, f"Read afresh: GitHub shows no tokens of theirs.{self._holdings.unseen}"
            )
        if verb is Verb.REVOKE_TOKENS:
            return Proof(Verdict.CONFIRMED, "Read afresh: an invitation, which has no tokens.")
        if verb is Verb.REMOVE_ENTITLEMENTS:
            held = await self._entitlements.held(person)
            if held:
                return Proof(Verdict.FAILED, f"Read afresh: it still has {named(held)}.")
            return Proof(
                Verdict.CONFIRMED,
                f"Read afresh: it is in no team and has no role.{self._unseen_repositories()} What members "
                "may do in every repository is theirs until they are removed.",
            )
        return Proof(Verdict.UNVERIFIABLE, f"GitHub cannot be asked whether '{verb}' holds.")

    async def _removal(self, external_id: str, person: Person | None) -> Proof:
        if person is not None and person.tie is Tie.INVITED:
            until = person.open_until or self._connection.now() + INVITATIONS_LIVE
            read = f"Read afresh: an invitation is open, which can be accepted until {until.isoformat()}."
            return Proof(Verdict.PENDING, read, retry_until=until)
        if person is not None and not person.is_direct:
            return Proof(Verdict.FAILED, f"Read afresh: {_by_enterprise(person)}")
        if person is not None:
            role = " and an owner" if OWNER.external_id == person.role else ""
            return Proof(Verdict.FAILED, f"Read afresh: still a {person.tie.value}{role}.")
        if external_id.startswith(BY_ADDRESS):
            return await self._accepted_meanwhile(external_id)
        if self._entitlements.looks_at_repositories:
            login = await self.people.login_behind(external_id)
            open_ones = await self._entitlements.repositories(login) if login else []
            if open_ones:
                until = self._connection.now() + INVITATIONS_LIVE
                return Proof(
                    Verdict.PENDING,
                    f"Read afresh: invitations to repositories are open ({named(open_ones)}).",
                    retry_until=until,
                )
        return Proof(
            Verdict.CONFIRMED,
            f"Read afresh: {GONE}{self._unseen_repositories()} GitHub lets nobody look with another person's "
            "eyes, so no access was tried.",
        )

    async def _accepted_meanwhile(self, external_id: str) -> Proof:
        """An invitation that is gone was cancelled, or accepted; GitHub does not say by whom."""
        address = external_id.removeprefix(BY_ADDRESS)
        if external_id in self._cancelled:
            return Proof(Verdict.CONFIRMED, "Read afresh: the invitation that was cancelled is open no more.")
        if self.licences.are_known:
            for login, addresses in (await self.licences.addresses()).items():
                if address in addresses and await self.people.by_login(login):
                    return Proof(Verdict.FAILED, f"Read afresh: the invitation was accepted, by {login}.")
            return Proof(
                Verdict.CONFIRMED,
                "Read afresh: no invitation is open, and nobody with this address belongs here.",
            )
        return Proof(
            Verdict.UNVERIFIABLE,
            "No invitation to this address is open; whether it was accepted, GitHub does not tell here.",
        )

    def _unseen_repositories(self) -> str:
        if self._entitlements.looks_at_repositories:
            return ""
        return " Direct access and open invitations to single repositories were not looked at (settings)."


def _by_enterprise(person: Person) -> str:
    teams = ", ".join(person.enterprise_teams) or "an enterprise team"
    return f"{person.login} is a member through the enterprise ({teams}): take them out of that team there."
