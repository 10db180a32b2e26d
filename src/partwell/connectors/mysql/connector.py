"""Accounts of a MySQL or MariaDB server.

People sign in by a user name; the server has an account for each host from which they may. So a login is one
account here, and every verb acts on all its hosts. A lock keeps people from signing in anew and ends nothing:
it comes first, so that nobody whose session was ended comes back.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Mapping
from typing import Any, TypeVar
from urllib.parse import urlsplit

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
    Rotation,
    Snapshot,
    TestReport,
    Verb,
    Verdict,
)
from partwell.connector_kit.logins import LoginRules
from partwell.connector_kit.threads import in_thread
from partwell.connector_kit.transport import Transport
from partwell.connectors.mysql import rotation
from partwell.connectors.mysql.entitlements import as_snapshot, give_back, take_away
from partwell.connectors.mysql.flavours import FLAVOURS, Flavour, Login, detect
from partwell.connectors.mysql.proofs import prove
from partwell.connectors.mysql.session import (
    UNKNOWN_THREAD,
    Door,
    Session,
    SignIn,
    run_signed_in,
    try_sign_in,
)
from partwell.connectors.mysql.statements import Sql, joined, number, sql
from partwell.connectors.mysql.view import Rules, View, as_holding

T = TypeVar("T")

DEFAULT_PORT = 3306
GONE = Receipt(Outcome.ALREADY_DONE, "There is no such account any more.")


class MysqlConnector:
    """See the manifest for settings and the README for the rights that Partwell's own account needs."""

    def __init__(self, connection: Connection) -> None:
        self.connection = connection
        self._settings = settings = connection.settings
        self._transport: Transport = connection.transport
        self._door = _door(settings)
        self._rules = Rules(
            logins=LoginRules.from_settings(settings),
            protected=_lowered(settings, "protected"),
            admin_groups=_lowered(settings, "admin_groups"),
            service_accounts=_lowered(settings, "service_accounts"),
        )
        self._flavour: Flavour | None = FLAVOURS.get(str(settings.get("flavour", "auto")))

    async def close(self) -> None:
        """Nothing to let go of: every call closes its own connection."""

    # -- asking -------------------------------------------------------------------------------------------

    async def test(self) -> TestReport:
        """Sign in, read accounts and see whether the rights suffice. Changes nothing."""

        def look(view: View) -> tuple[str, list[str]]:
            view.page("")
            user, host = view.own_account
            problems = [
                f"{user}@{host} cannot {view.flavour.needs[right]}: GRANT {right} ON *.* to it."
                for right in view.missing_rights()
            ]
            if view.takes_no_writes:
                problems.append("This server takes no writes (read_only): connect to the one that does.")
            return view.flavour.name, problems

        try:
            name, problems = await self._looking(look)
        except ConnectorError as error:
            return TestReport(False, error.message, (error.message,))
        where = f"{name} at {self._door.host}:{self._door.port}"
        if problems:
            return TestReport(False, f"{where} answers, but something is missing.", tuple(problems))
        return TestReport(
            True,
            f"Signed in to {where}. What was taken away can be given back as far as Partwell's account holds "
            "it itself, with the right to pass it on.",
        )

    async def discover(self, identity: Identity) -> list[Account]:
        """All logins of this person, each with all its hosts; see `match_on` and `local_parts_of`."""
        return await self._looking(
            lambda view: [view.account(login, why) for login, why in view.of_identity(identity)]
        )

    async def read(self, external_id: str) -> Account | None:
        """The login afresh, with what it holds and how many sessions are open."""

        def look(view: View) -> Account | None:
            login = view.find(external_id)
            return view.account(login) if login else None

        return await self._looking(look)

    async def list_accounts(self) -> AsyncIterator[list[Account]]:
        """Every login in order of its name."""
        after = ""

        def look(view: View) -> tuple[list[Account], str]:
            logins, last = view.page(after)
            return view.summaries(logins), last

        while True:
            page, after = await self._looking(look)
            if not after:
                return
            yield page

    async def holdings(self, external_id: str) -> list[Holding]:
        """Open sessions, and what runs with the rights of this login."""

        def look(view: View) -> list[Holding]:
            login = view.find(external_id)
            if login is None:
                return []
            sessions = view.sessions([login.name])
            return [*(as_holding(each, view.now) for each in sessions), *view.definers(login)]

        return await self._looking(look)

    async def snapshot(self, external_id: str) -> Snapshot:
        """What `restore` needs, for each host: the lock, and all rights and roles. No verifier is in it."""

        def take(view: View) -> dict[str, Any]:
            login = view.must_find(external_id)
            return {"user": login.name, "hosts": as_snapshot(view, login)}

        return Snapshot(self.connection.now(), await self._looking(take))

    # -- changing -----------------------------------------------------------------------------------------

    async def block_sign_in(self, external_id: str) -> Receipt:
        """ACCOUNT LOCK; the server has no other block, so `suspend` is the same."""
        return await self._writing(lambda view: _lock(view, external_id))

    async def suspend(self, external_id: str) -> Receipt:
        """ACCOUNT LOCK for every host. Sessions that are open go on; `revoke_sessions` ends them."""
        return await self._writing(lambda view: _lock(view, external_id))

    async def revoke_sessions(self, external_id: str) -> Receipt:
        """KILL every connection of the login."""

        def end(view: View) -> Receipt:
            login = view.find(external_id)
            if login is None:
                return GONE
            sessions = view.sessions([login.name])
            if not sessions:
                return Receipt(Outcome.ALREADY_DONE, "No session was open.")
            view.refuse_protected(login)
            for session in sessions:
                _kill(view.session, session.number)
            again = " It may still sign in anew until it is locked." if login.is_active else ""
            return Receipt(
                Outcome.DONE,
                f"{len(sessions)} sessions were ended.{again}",
                request={"killed": [session.number for session in sessions]},
            )

        return await self._writing(end)

    async def remove_entitlements(self, external_id: str) -> Receipt:
        """Revoke all rights and roles, from every host."""

        def strip(view: View) -> Receipt:
            login = view.find(external_id)
            if login is None:
                return GONE
            if not view.entitlements(login):
                return Receipt(Outcome.ALREADY_DONE, "It held no rights and no roles.")
            view.refuse_protected(login)
            return take_away(view, login)

        return await self._writing(strip)

    async def delete(self, external_id: str) -> Receipt:
        """DROP USER for every host, only when nothing runs with its rights: whatever does is named."""

        def drop(view: View) -> Receipt:
            login = view.find(external_id)
            if login is None:
                return GONE
            view.refuse_protected(login)
            if definers := view.definers(login):
                names = ", ".join(each.name.partition(",")[0] for each in definers[:10])
                raise ConnectorError(
                    ErrorKind.CONFLICT,
                    f"{len(definers)} things run with the rights of {login.name} and would break: {names}. "
                    "Give them another definer first.",
                )
            if view.sessions([login.name]):
                raise ConnectorError(
                    ErrorKind.CONFLICT,
                    f"Sessions of {login.name} are open and would outlive it. End them first.",
                )
            view.session.run(sql("DROP USER {}", _accounts(login)))
            return Receipt(Outcome.DONE, f"{login.name} was dropped.", request={"statement": "DROP USER"})

        return await self._writing(drop)

    async def restore(self, external_id: str, verb: Verb, snapshot: Snapshot) -> Receipt:
        """Put back what `snapshot` shows for `verb`. Hosts dropped since are named, not made anew."""

        def undo(view: View) -> Receipt:
            login = view.must_find(external_id)
            if verb is Verb.REMOVE_ENTITLEMENTS:
                return give_back(view, login, snapshot)
            return _unlock(view, login, snapshot)

        if verb not in (Verb.BLOCK_SIGN_IN, Verb.SUSPEND, Verb.REMOVE_ENTITLEMENTS):
            raise ConnectorError(ErrorKind.UNSUPPORTED, f"MySQL cannot undo '{verb}'.")
        return await self._writing(undo)

    # -- rotating -----------------------------------------------------------------------------------------

    async def rotate(
        self, external_id: str, *, old: str, keep: Callable[[Mapping[str, str]], None]
    ) -> Rotation:
        """A new password for a shared login, the same from every host; then the old one is tried."""

        def begin(view: View) -> tuple[Login, str]:
            login = view.must_find(external_id)
            view.refuse_protected(login)
            return login, rotation.begin(view, login)

        async def sign_in(password: str) -> SignIn:
            return await self._try_sign_in(external_id, password)

        if self._transport.read_only:
            raise ConnectorError(
                ErrorKind.UNSUPPORTED, "A dry run makes no password, so there is none to show."
            )
        login, new = await self._writing(begin)
        try:
            rotation.put_away(keep, new)
        except ConnectorError as error:
            because = error
            await self._writing(lambda view: rotation.undo(view, login, because))
            raise
        receipt = await self._writing(lambda view: rotation.finish(view, login, new))
        return Rotation(receipt, await rotation.prove(sign_in, new=new, old=old))

    # -- proving ------------------------------------------------------------------------------------------

    async def verify(self, external_id: str, verb: Verb) -> Proof:
        """Read afresh. No sign-in is tried: without the password, the server answers a locked account and a
        live one alike (see the README)."""

        def look(view: View) -> Proof:
            login = view.find(external_id)
            if login is None:
                return Proof(Verdict.CONFIRMED, "Read afresh: there is no such account any more.")
            return prove(view, login, verb)

        return await self._looking(look)

    # -- inside -------------------------------------------------------------------------------------------

    async def _try_sign_in(self, login: str, password: str) -> SignIn:
        await self._transport.limiter.wait()
        pinned = await self._transport.pin(self._door.host, self._door.port)
        return await in_thread(
            try_sign_in, pinned, self._door, login, password, seconds=self._door.timeout * 2
        )

    async def _writing(self, work: Callable[[View], T]) -> T:
        """As `_looking`, unless this is a dry run."""
        self._transport.check_write()
        return await self._looking(work)

    async def _looking(self, work: Callable[[View], T]) -> T:
        """Sign in afresh, run `work` on what is seen, sign off."""

        def signed_in(session: Session) -> T:
            if self._flavour is None:
                self._flavour = detect(session)
            return work(View(session, self._flavour, self._rules, self.connection.now()))

        await self._transport.limiter.wait()
        pinned = await self._transport.pin(self._door.host, self._door.port)
        password = self.connection.secrets.resolve(str(self._settings["password"]))
        user = str(self._settings["user"])
        return await in_thread(
            run_signed_in,
            pinned,
            self._door,
            user,
            password,
            signed_in,
            self._transport.may_write,
            seconds=self._door.timeout * 6,
        )


def _lock(view: View, external_id: str) -> Receipt:
    login = view.find(external_id)
    if login is None:
        return GONE
    if not login.is_active:
        return Receipt(Outcome.ALREADY_DONE, f"It was locked before: {login.said}.")
    view.refuse_protected(login)
    view.session.run(sql("ALTER USER {} ACCOUNT LOCK", _accounts(login)))
    return Receipt(
        Outcome.DONE,
        f"Locked; before, it was: {login.said}.",
        request={"statement": "ALTER USER … ACCOUNT LOCK", "hosts": [each.host for each in login.hosts]},
    )


def _unlock(view: View, login: Login, snapshot: Snapshot) -> Receipt:
    """Unlock what was open before. An account that was made since stays as it is."""
    before = snapshot.state.get("hosts", {})
    locked = [
        each for each in login.hosts if each.is_locked and before.get(each.host, {}).get("locked") is False
    ]
    if not locked:
        return Receipt(Outcome.ALREADY_DONE, f"It is as it was before the cut: {login.said}.")
    accounts = joined([login.account(each) for each in locked])
    view.session.run(sql("ALTER USER {} ACCOUNT UNLOCK", accounts))
    return Receipt(Outcome.DONE, f"Open again from {', '.join(each.host for each in locked)}.")


def _kill(session: Session, connection_number: int) -> None:
    try:
        session.run(sql("KILL CONNECTION {}", number(connection_number)))
    except ConnectorError as error:
        if str(UNKNOWN_THREAD) not in error.message:  # it had ended by itself
            raise


def _accounts(login: Login) -> Sql:
    return joined([login.account(each) for each in login.hosts])


def _door(settings: Mapping[str, Any]) -> Door:
    try:
        parts = urlsplit(str(settings["url"]))
        host, port = parts.hostname, parts.port or DEFAULT_PORT
    except ValueError:
        host, parts = None, urlsplit("")
    if parts.scheme != "mysql" or not host or "@" in parts.netloc or parts.path.strip("/") or parts.query:
        raise AddressRefused("The server's address is written 'mysql://host:3306'.")
    return Door(
        host=host,
        port=port,
        plain=bool(settings.get("allow_plain", False)),
        ca_file=str(settings.get("ca_file", "")),
        timeout=float(settings.get("timeout_seconds", 10)),
    )


def _lowered(settings: Mapping[str, Any], setting: str) -> frozenset[str]:
    return frozenset(str(each).lower() for each in settings.get(setting, ()))


CONNECTOR = MysqlConnector
