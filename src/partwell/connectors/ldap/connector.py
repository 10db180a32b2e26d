"""Accounts in an LDAP directory: OpenLDAP with ppolicy, and Active Directory.

Suspending keeps people from signing in anew. It does not end a connection that is open: OpenLDAP can count
those (cn=monitor), Active Directory cannot, and `verify` says which of the two it is.
"""

from __future__ import annotations

import secrets as random
from collections.abc import Callable
from typing import Any, TypeVar
from urllib.parse import urlsplit
from uuid import UUID

from ldap3.utils.dn import parse_dn

from partwell.connector_kit.addresses import AddressRefused
from partwell.connector_kit.contract import (
    Account,
    Connection,
    ConnectorError,
    Entitlement,
    ErrorKind,
    Identity,
    Outcome,
    Proof,
    Receipt,
    Snapshot,
    TestReport,
    Verb,
    Verdict,
)
from partwell.connector_kit.transport import Transport
from partwell.connectors.ldap import kerberos
from partwell.connectors.ldap.flavours import (
    FLAVOURS,
    Flavour,
    find_filter,
    matched_by,
    relative_id,
)
from partwell.connectors.ldap.session import (
    ADD,
    DELETE,
    BindAnswer,
    Door,
    Entry,
    Session,
    in_thread,
    run_signed_in,
    try_bind,
)

T = TypeVar("T")

GROUP_ATTRIBUTES = ("cn", "objectGUID", "entryUUID", "objectSid", "member", "uniqueMember", "memberUid")
_ACCOUNT_LOCKED = 1  # ppolicy's error code
_DOMAIN_ADMINS = 512  # relative identifier
_AD_CAPABILITY = "1.2.840.113556.1.4.800"


class LdapConnector:
    """See the manifest for settings and the README for the rights that the service account needs."""

    def __init__(self, connection: Connection) -> None:
        self.connection = connection
        self._settings = connection.settings
        self._transport: Transport = connection.transport
        parts = urlsplit(str(self._settings["url"]))
        if parts.scheme not in ("ldap", "ldaps") or not parts.hostname:
            raise AddressRefused("The directory's address is written 'ldaps://host' or 'ldap://host'.")
        self._host, self._port = parts.hostname, parts.port or (636 if parts.scheme == "ldaps" else 389)
        plain = bool(self._settings.get("allow_plain", False))
        self._timeout = float(self._settings.get("timeout_seconds", 10))
        self._door = Door(
            "ldaps" if parts.scheme == "ldaps" else "plain" if plain else "starttls",
            str(self._settings.get("ca_file", "")),
            self._timeout,
        )
        self._base = str(self._settings["base_dn"])
        self._bind_dn = str(self._settings["bind_dn"])
        self._protected = {name.lower() for name in self._settings.get("protected", [])}
        self._flavour: Flavour | None = FLAVOURS.get(str(self._settings.get("flavour", "auto")))

    async def close(self) -> None:
        """Nothing to let go of: every call closes its own connection."""

    # -- asking ---------------------------------------------------------------------------------------

    async def test(self) -> TestReport:
        """Sign in, find the base, look for people and, on OpenLDAP, for cn=monitor. Changes nothing."""

        def look(session: Session) -> list[str]:
            flavour = self._detected(session)
            if session.read(self._base, ("objectClass",)) is None:
                return [f"The base {self._base} does not exist, or {self._bind_dn} may not read it."]
            sample = session.search(self._base, flavour.people, (flavour.id_attribute,))
            problems = []
            if not sample:
                problems.append(f"{self._bind_dn} sees nobody below {self._base}.")
            elif not flavour.external_id(sample[0]):
                problems.append(f"{self._bind_dn} may not read {flavour.id_attribute}.")
            return problems

        try:
            problems = await self._signed_in(look)
        except ConnectorError as error:
            return TestReport(False, error.message, (error.message,))
        name = "Active Directory" if self._known().name == "active_directory" else "OpenLDAP"
        if problems:
            return TestReport(False, f"{name} answers, but something is missing.", tuple(problems))
        return TestReport(
            True,
            f"Signed in to {name} at {self._host}:{self._port}. Whether writes are allowed shows with the "
            "first one: LDAP has no way to ask beforehand.",
        )

    async def discover(self, identity: Identity) -> list[Account]:
        """All entries that match one fact about the person exactly."""

        def find(session: Session) -> list[Account]:
            flavour = self._detected(session)
            wanted = find_filter(flavour, identity)
            if not wanted:
                return []
            entries = session.search(self._base, wanted, flavour.attributes)
            return [
                self._account(session, flavour, entry, matched_by(flavour, entry, identity))
                for entry in entries
            ]

        return await self._signed_in(find)

    async def read(self, external_id: str) -> Account | None:
        """The account afresh, with direct and nested groups, and its open connections where they show."""

        def look(session: Session) -> Account | None:
            flavour = self._detected(session)
            entry = self._find(session, flavour, external_id)
            return self._account(session, flavour, entry) if entry else None

        return await self._signed_in(look)

    async def snapshot(self, external_id: str) -> Snapshot:
        """What `restore` needs: the lock or the flags, and every direct membership with its exact value."""

        def take(session: Session) -> dict[str, Any]:
            flavour = self._detected(session)
            entry = self._must_find(session, flavour, external_id)
            memberships = []
            for group in self._groups(session, flavour, entry):
                attribute, value = flavour.membership(group, entry)
                memberships.append(
                    {
                        "id": _group_id(flavour, group),
                        "dn": group.dn,
                        "name": group.first("cn"),
                        "attribute": attribute,
                        "value": value,
                    }
                )
            return {"dn": entry.dn, **flavour.state(entry), "memberships": memberships}

        return Snapshot(self.connection.now(), await self._signed_in(take))

    # -- changing -------------------------------------------------------------------------------------

    async def suspend(self, external_id: str) -> Receipt:
        """Lock (OpenLDAP) or disable (Active Directory) the account."""
        self._transport.check_write()

        def lock(session: Session) -> Receipt:
            flavour = self._detected(session)
            entry = self._find(session, flavour, external_id)
            if entry is None:
                return Receipt(Outcome.ALREADY_DONE, "There is no such account any more.")
            if not flavour.is_active(entry):
                return Receipt(Outcome.ALREADY_DONE, f"It was suspended before: {flavour.said(entry)}.")
            self._refuse_protected(session, flavour, entry)
            changes = flavour.suspending(entry)
            session.modify(entry.dn, changes)
            return Receipt(
                Outcome.DONE, f"Suspended; it was: {flavour.said(entry)}.", request={"changes": _shown(changes)}
            )

        return await self._signed_in(lock)

    async def remove_entitlements(self, external_id: str) -> Receipt:
        """Take the account out of every group that names it. One group that refuses does not stop the others."""
        self._transport.check_write()

        def leave(session: Session) -> Receipt:
            flavour = self._detected(session)
            entry = self._find(session, flavour, external_id)
            if entry is None:
                return Receipt(Outcome.ALREADY_DONE, "There is no such account any more.")
            groups = self._groups(session, flavour, entry)
            if not groups:
                return Receipt(Outcome.ALREADY_DONE, "It was in no group.")
            self._refuse_protected(session, flavour, entry)
            removed: list[str] = []
            failures: list[tuple[str, ConnectorError]] = []
            for group in groups:
                attribute, value = flavour.membership(group, entry)
                try:
                    session.modify(group.dn, {attribute: [(DELETE, [value])]})
                    removed.append(group.dn)
                except ConnectorError as error:
                    failures.append((group.dn, error))
            if failures:
                kind = failures[0][1].kind
                left = "; ".join(f"{dn}: {error.message}" for dn, error in failures)
                raise ConnectorError(
                    kind,
                    f"Removed from {len(removed)} of {len(groups)} groups. Still a member: {left} A group that "
                    "may not be empty needs another member first.",
                )
            return Receipt(
                Outcome.DONE, f"Removed from {len(removed)} groups.", request={"removed_from": removed}
            )

        return await self._signed_in(leave)

    async def restore(self, external_id: str, verb: Verb, snapshot: Snapshot) -> Receipt:
        """Put back what `snapshot` shows for `verb`. Groups deleted since are named, not made anew."""
        self._transport.check_write()
        if verb not in (Verb.SUSPEND, Verb.REMOVE_ENTITLEMENTS):
            raise ConnectorError(ErrorKind.UNSUPPORTED, f"LDAP cannot undo '{verb}'.")

        def undo(session: Session) -> Receipt:
            flavour = self._detected(session)
            entry = self._must_find(session, flavour, external_id)
            if verb is Verb.REMOVE_ENTITLEMENTS:
                return self._rejoin(session, flavour, entry, snapshot)
            if flavour.is_active(entry):
                return Receipt(Outcome.ALREADY_DONE, f"It is active: {flavour.said(entry)}.")
            if not flavour.was_active(snapshot.state):
                return Receipt(Outcome.ALREADY_DONE, "It was suspended before the cut, and stays so.")
            session.modify(entry.dn, flavour.restoring(entry, snapshot.state))
            return Receipt(Outcome.DONE, "Active again, as it was before.")

        return await self._signed_in(undo)

    def _rejoin(self, session: Session, flavour: Flavour, entry: Entry, snapshot: Snapshot) -> Receipt:
        joined, gone = 0, []
        for membership in snapshot.state.get("memberships", []):
            group = self._find_group(session, flavour, membership["id"])
            if group is None:
                gone.append(membership["name"])
                continue
            # The person may have been renamed since: a DN goes back as it is now.
            value = entry.first("uid") if membership["attribute"] == "memberUid" else entry.dn
            joined += session.modify(group.dn, {membership["attribute"]: [(ADD, [value])]})
        if gone:
            raise ConnectorError(
                ErrorKind.NOT_FOUND,
                f"Back in {joined} groups. These no longer exist: {', '.join(gone)}.",
            )
        outcome = Outcome.DONE if joined else Outcome.ALREADY_DONE
        return Receipt(outcome, f"Back in {joined} groups.")

    # -- proving --------------------------------------------------------------------------------------

    async def verify(self, external_id: str, verb: Verb) -> Proof:
        """Read afresh and, for a suspension, try to get in. See the README for what each directory proves."""
        if verb not in (Verb.SUSPEND, Verb.REMOVE_ENTITLEMENTS):
            return Proof(Verdict.UNVERIFIABLE, f"LDAP cannot be asked whether '{verb}' holds.")

        def look(session: Session) -> tuple[Entry, Account] | None:
            flavour = self._detected(session)
            entry = self._find(session, flavour, external_id)
            return (entry, self._account(session, flavour, entry)) if entry else None

        found = await self._signed_in(look)
        if found is None:
            return Proof(Verdict.CONFIRMED, "Read afresh: there is no such account any more.")
        entry, account = found
        if verb is Verb.REMOVE_ENTITLEMENTS:
            return _groups_proof(account)
        said = self._known().said(entry)
        if account.is_active:
            return Proof(
                Verdict.FAILED, f"Read afresh: still active ({said}).", still_open=account.open_sessions
            )
        read = f"Read afresh: suspended ({said}). {_open_connections(account)}"
        if self._known().name == "openldap":
            return await self._openldap_proof(entry, account, read)
        return await self._active_directory_proof(account, read)

    async def _openldap_proof(self, entry: Entry, account: Account, read: str) -> Proof:
        # Only now that the entry is locked: a wrong password on a live account would count against its owner.
        answer = await self._try_bind(entry.dn)
        open_now = account.open_sessions
        if answer.accepted:
            return Proof(Verdict.FAILED, read, "A new sign-in with a made-up password was let in.", open_now)
        if answer.policy_error == _ACCOUNT_LOCKED:
            return Proof(
                Verdict.CONFIRMED, read, "A new sign-in was refused because the account is locked.", open_now
            )
        return Proof(
            Verdict.UNVERIFIABLE,
            read,
            "A new sign-in with a made-up password was refused, but the directory does not say that the lock is "
            "the reason. Turn on ppolicy's 'use_lockout', and see that pwdLockout is TRUE in the account's "
            "policy: without it the lock has no effect.",
            open_now,
        )

    async def _active_directory_proof(self, account: Account, read: str) -> Proof:
        answer = await self._ask_kerberos(account.login)
        if answer is kerberos.SignIn.REFUSED:
            probe = "The domain controller refused to begin a sign-in: the account is revoked."
            return Proof(Verdict.CONFIRMED, read, probe)
        if answer is kerberos.SignIn.GRANTED:
            return Proof(Verdict.FAILED, read, "The domain controller let the account in without a password.")
        # The flag that was read is the one that the domain controller enforces; nothing else has to be on.
        reason = (
            "the domain controller asks for the password before it says more"
            if answer is kerberos.SignIn.PASSWORD_ASKED
            else "the domain controller could not be asked over Kerberos"
        )
        return Proof(
            Verdict.CONFIRMED, f"{read} A sign-in could not be tried without the password: {reason}."
        )

    async def _try_bind(self, dn: str) -> BindAnswer:
        pinned = await self._transport.pin(self._host, self._port)
        password = random.token_urlsafe(32)
        return await in_thread(try_bind, pinned, self._door, dn, password, seconds=self._timeout * 2)

    async def _ask_kerberos(self, login: str) -> kerberos.SignIn:
        parts = parse_dn(self._base)
        realm = ".".join(value for name, value, _ in parts if name.lower() == "dc").upper()
        message = kerberos.first_message(login, realm, random.randbits(31))
        try:
            answer = await self._transport.exchange_tcp(self._host, kerberos.KERBEROS_PORT, message)
        except ConnectorError:
            return kerberos.SignIn.UNKNOWN
        return kerberos.read_answer(answer)

    # -- reading --------------------------------------------------------------------------------------

    async def _signed_in(self, work: Callable[[Session], T]) -> T:
        pinned = await self._transport.pin(self._host, self._port)
        password = self.connection.secrets.resolve(str(self._settings["password"]))
        return await in_thread(
            run_signed_in, pinned, self._door, self._bind_dn, password, work, seconds=self._timeout * 3
        )

    def _detected(self, session: Session) -> Flavour:
        """The flavour from the settings, else from what the directory says of itself (its root entry)."""
        if self._flavour is None:
            root = session.read("", ("supportedCapabilities",))
            is_ad = root is not None and _AD_CAPABILITY in root.all("supportedCapabilities")
            self._flavour = FLAVOURS["active_directory" if is_ad else "openldap"]
        return self._flavour

    def _known(self) -> Flavour:
        assert self._flavour is not None  # noqa: S101 - every caller has signed in before
        return self._flavour

    def _find(self, session: Session, flavour: Flavour, external_id: str) -> Entry | None:
        wanted = flavour.id_filter(_checked_id(external_id))
        found = session.search(self._base, wanted, flavour.attributes)
        return found[0] if found else None

    def _must_find(self, session: Session, flavour: Flavour, external_id: str) -> Entry:
        entry = self._find(session, flavour, external_id)
        if entry is None:
            raise ConnectorError(ErrorKind.NOT_FOUND, "There is no such account any more.")
        return entry

    def _find_group(self, session: Session, flavour: Flavour, group_id: str) -> Entry | None:
        found = session.search(self._groups_base(), flavour.id_filter(_checked_id(group_id)), ("cn",))
        return found[0] if found else None

    def _groups_base(self) -> str:
        return str(self._settings.get("groups_base_dn") or self._base)

    def _groups(self, session: Session, flavour: Flavour, entry: Entry) -> list[Entry]:
        return session.search(self._groups_base(), flavour.group_filter(entry), GROUP_ATTRIBUTES)

    def _account(self, session: Session, flavour: Flavour, entry: Entry, found_by: str = "") -> Account:
        direct = self._groups(session, flavour, entry)
        entitlements = [Entitlement("group", _group_id(flavour, g), g.first("cn")) for g in direct]
        if nested_filter := flavour.nested_group_filter(entry):
            seen = {group.dn for group in direct}
            nested = session.search(self._groups_base(), nested_filter, GROUP_ATTRIBUTES[:4])
            entitlements += [
                Entitlement("nested_group", _group_id(flavour, group), group.first("cn"))
                for group in nested
                if group.dn not in seen
            ]
        return Account(
            external_id=flavour.external_id(entry),
            login=flavour.login(entry),
            display_name=entry.first("displayName") or entry.first("cn"),
            is_active=flavour.is_active(entry),
            matched_by=found_by,
            entitlements=tuple(entitlements),
            open_sessions=self._open_sessions(session, flavour, entry),
            is_protected=self._why_protected(session, flavour, entry, direct) != "",
            details={"dn": entry.dn, "state": flavour.said(entry)},
        )

    def _open_sessions(self, session: Session, flavour: Flavour, entry: Entry) -> int | None:
        if flavour.name != "openldap":
            return None
        monitor = "cn=Connections,cn=Monitor"
        try:
            if session.read(monitor, ("cn",)) is None:
                return None
            connections = session.search(
                monitor, "(objectClass=monitorConnection)", ("monitorConnectionAuthzDN",)
            )
        except ConnectorError:
            return None  # no right to read it: unknown, which is not the same as none
        return sum(c.first("monitorConnectionAuthzDN").lower() == entry.dn.lower() for c in connections)

    # -- protecting -----------------------------------------------------------------------------------

    def _refuse_protected(self, session: Session, flavour: Flavour, entry: Entry) -> None:
        direct = self._groups(session, flavour, entry)
        if reason := self._why_protected(session, flavour, entry, direct):
            raise ConnectorError(
                ErrorKind.CONFLICT, f"{flavour.login(entry)} is protected: {reason}. Nothing was changed."
            )

    def _why_protected(self, session: Session, flavour: Flavour, entry: Entry, direct: list[Entry]) -> str:
        names = {entry.dn.lower(), flavour.login(entry).lower(), entry.first("userPrincipalName").lower()}
        own = self._bind_dn.lower()
        if own in names or own.rpartition("\\")[2] in names:
            return "Partwell signs in to this directory with it"
        if names & self._protected:
            return "it is on this connection's list of protected accounts"
        if flavour.is_built_in(entry):
            return "it is one of the domain's own accounts"
        listed = {dn.lower() for dn in self._settings.get("admin_groups", [])}
        for group in direct:
            is_admin = group.dn.lower() in listed or relative_id(group.raw("objectSid")) == _DOMAIN_ADMINS
            if is_admin and not self._has_other_active_member(session, flavour, group, entry):
                return f"it is the last active administrator in {group.first('cn')}"
        return ""

    def _has_other_active_member(
        self, session: Session, flavour: Flavour, group: Entry, entry: Entry
    ) -> bool:
        for dn in (*group.all("member"), *group.all("uniqueMember")):
            if dn.lower() == entry.dn.lower():
                continue
            other = session.read(dn, flavour.attributes)
            if other is not None and flavour.is_active(other):
                return True
        return False


def _checked_id(external_id: str) -> str:
    try:
        return str(UUID(external_id))
    except ValueError:
        raise ConnectorError(ErrorKind.INVALID, "This is not an identifier that a directory gives.") from None


def _group_id(flavour: Flavour, group: Entry) -> str:
    return flavour.external_id(group)


def _shown(changes: Any) -> dict[str, list[str]]:
    return {name: [value for _, values in parts for value in values] for name, parts in changes.items()}


def _groups_proof(account: Account) -> Proof:
    if not account.entitlements:
        return Proof(Verdict.CONFIRMED, "Read afresh: in no group, neither directly nor through another.")
    names = ", ".join(sorted(entitlement.name for entitlement in account.entitlements)[:10])
    return Proof(Verdict.FAILED, f"Read afresh: still in {len(account.entitlements)} groups ({names}).")


def _open_connections(account: Account) -> str:
    if account.open_sessions is None:
        return (
            "An open connection keeps reading until it is closed; this directory does not tell us whether there "
            "are any."
        )
    if account.open_sessions == 0:
        return "No connection of this account is open."
    return (
        f"{account.open_sessions} open connection(s) of this account keep reading until they are closed: "
        "suspending does not end them."
    )


CONNECTOR = LdapConnector


