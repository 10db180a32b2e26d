"""Accounts in an LDAP directory: OpenLDAP with ppolicy, and Active Directory.

Suspending keeps people from signing in anew. It does not end a connection that is open: OpenLDAP can count
those (cn=monitor), Active Directory cannot, and `verify` says which of the two it is.
"""

from __future__ import annotations

import secrets as random
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import suppress
from typing import Any, TypeVar
from urllib.parse import urlsplit

from ldap3.utils.dn import parse_dn

from partwell.connector_kit.addresses import AddressRefused
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
from partwell.connector_kit.threads import in_thread
from partwell.connector_kit.transport import Transport
from partwell.connectors.ldap import kerberos
from partwell.connectors.ldap.changes import leave_groups, modify, rejoin_groups, shown
from partwell.connectors.ldap.flavours import (
    FLAVOURS,
    Flavour,
    find_filter,
    matched_by,
)
from partwell.connectors.ldap.holdings import holdings_of
from partwell.connectors.ldap.proofs import groups_proof, open_connections
from partwell.connectors.ldap.session import (
    BindAnswer,
    Door,
    Entry,
    Session,
    iterate_signed_in,
    run_signed_in,
    try_bind,
)
from partwell.connectors.ldap.view import Rules, View, detect

T = TypeVar("T")

_ACCOUNT_LOCKED = 1  # ppolicy's error code


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
        self._rules = Rules(
            base=self._base,
            groups_base=str(self._settings.get("groups_base_dn") or self._base),
            own_name=self._bind_dn.lower(),
            protected=frozenset(name.lower() for name in self._settings.get("protected", [])),
            admin_groups=frozenset(dn.lower() for dn in self._settings.get("admin_groups", [])),
        )
        self._flavour: Flavour | None = FLAVOURS.get(str(self._settings.get("flavour", "auto")))

    async def close(self) -> None:
        """Nothing to let go of: every call closes its own connection."""

    # -- asking ---------------------------------------------------------------------------------------

    async def test(self) -> TestReport:
        """Sign in, find the base, see at least one person and an identifier. Changes nothing."""

        def look(view: View) -> list[str]:
            if view.session.read(self._base, ("objectClass",)) is None:
                return [f"The base {self._base} does not exist, or {self._bind_dn} may not read it."]
            sample = view.session.search(
                self._base, view.flavour.people, (view.flavour.id_attribute,), limit=1
            )
            problems = []
            if not sample:
                problems.append(f"{self._bind_dn} sees nobody below {self._base}.")
            elif not view.flavour.external_id(sample[0]):
                problems.append(f"{self._bind_dn} may not read {view.flavour.id_attribute}.")
            return problems

        try:
            problems = await self._looking(look)
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

        def find(view: View) -> list[Account]:
            wanted = find_filter(view.flavour, identity)
            if not wanted:
                return []
            entries = view.people(wanted)
            return [view.account(entry, matched_by(view.flavour, entry, identity)) for entry in entries]

        return await self._looking(find)

    async def read(self, external_id: str) -> Account | None:
        """The account afresh, with direct and nested groups, and its open connections where they show."""

        def look(view: View) -> Account | None:
            entry = view.find(external_id)
            return view.account(entry) if entry else None

        return await self._looking(look)

    async def list_accounts(self) -> AsyncIterator[list[Account]]:
        """Every person below the base, over one connection with paged results (RFC 2696)."""

        def summaries(session: Session) -> Iterator[list[Account]]:
            view = self._view(session)
            for page in view.everybody():
                yield [view.summary(entry) for entry in page]

        pinned = await self._transport.pin(self._host, self._port)
        password = self.connection.secrets.resolve(str(self._settings["password"]))
        pages = iterate_signed_in(
            pinned, self._door, self._bind_dn, password, summaries, self._transport.may_write
        )
        limit = self._timeout * 3
        try:
            while (page := await in_thread(next, pages, None, seconds=limit)) is not None:
                if page:
                    yield page
        finally:
            with suppress(ValueError):  # a step that is stuck ends by the library's own time limit
                await in_thread(pages.close, seconds=limit)

    async def holdings(self, external_id: str) -> list[Holding]:
        """Connections, keys, certificates, devices, and what is in the account's charge."""

        def look(view: View) -> list[Holding]:
            entry = view.find(external_id)
            return holdings_of(view, entry) if entry else []

        return await self._looking(look)

    async def snapshot(self, external_id: str) -> Snapshot:
        """What `restore` needs: the lock or the flags, and every direct membership with its exact value."""

        def take(view: View) -> dict[str, Any]:
            entry = view.must_find(external_id)
            memberships = []
            for group in view.groups(entry):
                attribute, value = view.flavour.membership(group, entry)
                memberships.append(
                    {
                        "id": view.flavour.external_id(group),
                        "dn": group.dn,
                        "name": group.first("cn"),
                        "attribute": attribute,
                        "value": value,
                    }
                )
            return {"dn": entry.dn, **view.flavour.state(entry), "memberships": memberships}

        return Snapshot(self.connection.now(), await self._looking(take))

    # -- changing -------------------------------------------------------------------------------------

    async def suspend(self, external_id: str) -> Receipt:
        """Lock (OpenLDAP) or disable (Active Directory) the account."""
        self._transport.check_write()

        def lock(view: View) -> Receipt:
            entry = view.find(external_id)
            if entry is None:
                return Receipt(Outcome.ALREADY_DONE, "There is no such account any more.")
            if not view.flavour.is_active(entry):
                return Receipt(Outcome.ALREADY_DONE, f"It was suspended before: {view.flavour.said(entry)}.")
            view.refuse_protected(entry)
            changes = view.flavour.suspending(entry)
            modify(view, entry, changes)
            return Receipt(
                Outcome.DONE,
                f"Suspended; it was: {view.flavour.said(entry)}.",
                request={"changes": shown(changes)},
            )

        return await self._looking(lock)

    async def remove_entitlements(self, external_id: str) -> Receipt:
        """Take the account out of every group that names it. One that refuses does not stop the others."""
        self._transport.check_write()

        def leave(view: View) -> Receipt:
            entry = view.find(external_id)
            if entry is None:
                return Receipt(Outcome.ALREADY_DONE, "There is no such account any more.")
            return leave_groups(view, entry)

        return await self._looking(leave)

    async def restore(self, external_id: str, verb: Verb, snapshot: Snapshot) -> Receipt:
        """Put back what `snapshot` shows for `verb`. Groups deleted since are named, not made anew."""
        self._transport.check_write()
        if verb not in (Verb.SUSPEND, Verb.REMOVE_ENTITLEMENTS):
            raise ConnectorError(ErrorKind.UNSUPPORTED, f"LDAP cannot undo '{verb}'.")

        def undo(view: View) -> Receipt:
            entry = view.must_find(external_id)
            if verb is Verb.REMOVE_ENTITLEMENTS:
                return rejoin_groups(view, entry, snapshot)
            if view.flavour.is_active(entry):
                return Receipt(Outcome.ALREADY_DONE, f"It is active: {view.flavour.said(entry)}.")
            if not view.flavour.was_active(snapshot.state):
                return Receipt(Outcome.ALREADY_DONE, "It was suspended before the cut, and stays so.")
            modify(view, entry, view.flavour.restoring(entry, snapshot.state))
            return Receipt(Outcome.DONE, "Active again, as it was before.")

        return await self._looking(undo)

    # -- proving --------------------------------------------------------------------------------------

    async def verify(self, external_id: str, verb: Verb) -> Proof:
        """Read afresh and, for a suspension, try to get in. See the README for what each directory proves."""
        if verb not in (Verb.SUSPEND, Verb.REMOVE_ENTITLEMENTS):
            return Proof(Verdict.UNVERIFIABLE, f"LDAP cannot be asked whether '{verb}' holds.")

        def look(view: View) -> tuple[Entry, Account] | None:
            entry = view.find(external_id)
            return (entry, view.account(entry)) if entry else None

        found = await self._looking(look)
        if found is None:
            return Proof(Verdict.CONFIRMED, "Read afresh: there is no such account any more.")
        entry, account = found
        if verb is Verb.REMOVE_ENTITLEMENTS:
            return groups_proof(account)
        said = self._known().said(entry)
        if account.is_active:
            return Proof(
                Verdict.FAILED, f"Read afresh: still active ({said}).", still_open=account.open_sessions
            )
        read = f"Read afresh: suspended ({said}). {open_connections(account)}"
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
            "A new sign-in with a made-up password was refused, but the directory does not say that the "
            "lock is the reason. Turn on ppolicy's 'use_lockout', and see that pwdLockout is TRUE in the "
            "account's policy: without it the lock has no effect.",
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
            if answer is kerberos.SignIn.KEY_ASKED
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

    async def _looking(self, work: Callable[[View], T]) -> T:
        """Sign in afresh, run `work` on what is seen, sign off."""

        def signed_in(session: Session) -> T:
            return work(self._view(session))

        pinned = await self._transport.pin(self._host, self._port)
        password = self.connection.secrets.resolve(str(self._settings["password"]))
        return await in_thread(
            run_signed_in,
            pinned,
            self._door,
            self._bind_dn,
            password,
            signed_in,
            self._transport.may_write,
            seconds=self._timeout * 3,
        )

    def _view(self, session: Session) -> View:
        if self._flavour is None:
            self._flavour = detect(session)
        return View(session, self._flavour, self._rules)

    def _known(self) -> Flavour:
        assert self._flavour is not None  # noqa: S101 - every caller has signed in before
        return self._flavour


CONNECTOR = LdapConnector
