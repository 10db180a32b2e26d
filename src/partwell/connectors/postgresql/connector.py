"""Roles that may sign in to a PostgreSQL server.

A session outlives whatever is done to its role, so ending sessions is a verb of its own; blocking comes
first, so that nobody whose session was ended comes back. See the README for what each verb does and what
proves it.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager
from typing import Any
from urllib.parse import unquote, urlsplit

from psycopg import sql

from partwell.connector_kit.addresses import AddressRefused
from partwell.connector_kit.contract import (
    Account,
    Connection,
    ConnectorError,
    ErrorKind,
    Holding,
    Identity,
    Job,
    JobState,
    Outcome,
    Proof,
    Receipt,
    Rotation,
    Snapshot,
    TestReport,
    TransferKind,
    TransferRequest,
    Verb,
    Verdict,
)
from partwell.connector_kit.logins import LoginRules
from partwell.connector_kit.transport import Transport
from partwell.connectors.postgresql import ownership, rights
from partwell.connectors.postgresql.memberships import as_snapshot, give_back, take_away
from partwell.connectors.postgresql.proofs import prove
from partwell.connectors.postgresql.roles import Role, Rules, View
from partwell.connectors.postgresql.rotation import change_password
from partwell.connectors.postgresql.rotation import prove as prove_rotation
from partwell.connectors.postgresql.session import Door, Session, SignIn, in_database, signed_in, try_sign_in

DEFAULT_PORT = 5432
_END_SESSIONS = sql.SQL(
    "SELECT pg_terminate_backend(s.pid, {}) FROM pg_stat_activity s "
    "WHERE s.usesysid = {} AND s.pid <> pg_backend_pid()"
)
GONE = Receipt(Outcome.ALREADY_DONE, "There is no such role any more.")


class PostgresqlConnector:
    """See the manifest for settings and the README for the rights that Partwell's own role needs."""

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

    async def close(self) -> None:
        """Nothing to let go of: every call closes its own connection."""

    # -- asking -------------------------------------------------------------------------------------------

    async def test(self) -> TestReport:
        """Sign in and see whether the rights suffice for each verb. Changes nothing."""
        try:
            async with self._looking() as view:
                problems = await rights.problems(view)
                version = view.session.version
        except ConnectorError as error:
            return TestReport(False, error.message, (error.message,))
        where = f"PostgreSQL {version} at {self._door.host}:{self._door.port}"
        if problems:
            return TestReport(False, f"{where} answers, but something is missing.", tuple(problems))
        return TestReport(True, f"Signed in to {where}; the rights suffice.")

    async def discover(self, identity: Identity) -> list[Account]:
        """All roles of this person; see `match_on` and `local_parts_of` in the settings."""
        async with self._looking() as view:
            return [await view.account(role, why) for role, why in await view.of_identity(identity)]

    async def read(self, external_id: str) -> Account | None:
        """The role afresh, with what it belongs to and how many sessions are open."""
        async with self._looking() as view:
            role = await view.find(external_id)
            return await view.account(role) if role else None

    async def list_accounts(self) -> AsyncIterator[list[Account]]:
        """Every role that may sign in, and every other that is no group, in order of its number."""
        after = 0
        while True:
            async with self._looking() as view:
                roles = await view.page(after)
                page = [
                    view.summary(role, is_protected=bool(await view.why_protected(role))) for role in roles
                ]
            if not page:
                return
            yield page
            after = roles[-1].oid

    async def holdings(self, external_id: str) -> list[Holding]:
        """Open sessions, and what the role owns in every database."""
        async with self._looking() as view:
            role = await view.find(external_id)
            if role is None:
                return []
            return [
                *await view.sessions(role.oid),
                *await ownership.owned_things(view.session, role, self._open_database),
            ]

    async def snapshot(self, external_id: str) -> Snapshot:
        """What `restore` needs: whether it may sign in, its connection limit, and its memberships."""
        async with self._looking() as view:
            role = await view.must_find(external_id)
            state = {
                "role": role.name,
                "can_log_in": role.can_log_in,
                "connection_limit": role.connection_limit,
                "memberships": [as_snapshot(each) for each in await view.memberships(role.oid)],
            }
        return Snapshot(self.connection.now(), state)

    # -- changing -----------------------------------------------------------------------------------------

    async def block_sign_in(self, external_id: str) -> Receipt:
        """CONNECTION LIMIT 0: no new session, however the role would be let in (password, key or peer)."""
        async with self._writing() as view:
            role = await view.find(external_id)
            if role is None:
                return GONE
            if role.connection_limit == 0:
                return Receipt(Outcome.ALREADY_DONE, f"It was blocked before: {role.said}.")
            await view.refuse_protected(role)
            return await _alter(view, role, sql.SQL("CONNECTION LIMIT 0"))

    async def suspend(self, external_id: str) -> Receipt:
        """NOLOGIN. Sessions that are open go on; `revoke_sessions` ends them."""
        async with self._writing() as view:
            role = await view.find(external_id)
            if role is None:
                return GONE
            if not role.can_log_in:
                return Receipt(Outcome.ALREADY_DONE, f"It was suspended before: {role.said}.")
            await view.refuse_protected(role)
            return await _alter(view, role, sql.SQL("NOLOGIN"))

    async def revoke_sessions(self, external_id: str) -> Receipt:
        """Terminate every session of the role, and wait a little for each to be gone."""
        async with self._writing() as view:
            role = await view.find(external_id)
            if role is None:
                return GONE
            sessions = await view.sessions(role.oid)
            if not sessions:
                return Receipt(Outcome.ALREADY_DONE, "No session was open.")
            await view.refuse_protected(role)
            for wait in (0, 1000):  # all are told first; then each is waited for, in milliseconds
                await view.session.run(_END_SESSIONS.format(sql.Literal(wait), sql.Literal(role.oid)))
            can_return = role.can_log_in and role.connection_limit != 0
            return Receipt(
                Outcome.DONE,
                f"{len(sessions)} sessions were ended."
                + (
                    " The role may still sign in anew until it is blocked or suspended." if can_return else ""
                ),
                request={"terminated": [each.external_id for each in sessions]},
            )

    async def remove_entitlements(self, external_id: str) -> Receipt:
        """REVOKE every direct membership. One that is refused does not stop the others."""
        async with self._writing() as view:
            role = await view.find(external_id)
            if role is None:
                return GONE
            if not await view.memberships(role.oid):
                return Receipt(Outcome.ALREADY_DONE, "It was a member of no role.")
            await view.refuse_protected(role)
            return await take_away(view, role)

    async def delete(self, external_id: str) -> Receipt:
        """DROP ROLE, only when nothing depends on it: whatever does is named, and has to go first."""
        async with self._writing() as view:
            role = await view.find(external_id)
            if role is None:
                return GONE
            await view.refuse_protected(role)
            if role.sessions:
                raise ConnectorError(
                    ErrorKind.CONFLICT,
                    f"{role.sessions} sessions of {role.name} are open and would outlive it. End them first.",
                )
            await view.session.run(sql.SQL("DROP ROLE {}").format(sql.Identifier(role.name)))
            return Receipt(Outcome.DONE, f"{role.name} was dropped.", request={"statement": "DROP ROLE"})

    async def restore(self, external_id: str, verb: Verb, snapshot: Snapshot) -> Receipt:
        """Put back what `snapshot` shows for `verb`. Roles dropped since are named, not made anew."""
        async with self._writing() as view:
            if verb not in (Verb.BLOCK_SIGN_IN, Verb.SUSPEND, Verb.REMOVE_ENTITLEMENTS):
                raise ConnectorError(ErrorKind.UNSUPPORTED, f"PostgreSQL cannot undo '{verb}'.")
            role = await view.must_find(external_id)
            if verb is Verb.REMOVE_ENTITLEMENTS:
                return await give_back(view, role, snapshot)
            clause: sql.Composable = sql.SQL("LOGIN")
            is_so = role.can_log_in or not snapshot.state.get("can_log_in")
            if verb is Verb.BLOCK_SIGN_IN:
                limit = int(snapshot.state.get("connection_limit", -1))
                clause = sql.SQL("CONNECTION LIMIT {}").format(sql.Literal(limit))
                is_so = role.connection_limit == limit
            if is_so:
                return Receipt(Outcome.ALREADY_DONE, f"It is as it was before the cut: {role.said}.")
            return await _alter(view, role, clause)

    # -- handing over and rotating ------------------------------------------------------------------------

    async def transfer(self, external_id: str, request: TransferRequest) -> Job:
        """REASSIGN OWNED in every database where the role owns something. It takes effect at once."""
        if request.kind is not TransferKind.OBJECTS:
            raise ConnectorError(ErrorKind.UNSUPPORTED, f"PostgreSQL has no {request.kind} to give over.")
        async with self._writing() as view:
            role = await view.must_find(external_id)
            successor = await self._successor(view, role, request.successor)
            await view.refuse_protected(role)
            await ownership.give_over(view.session, role, successor, self._open_database, self._door.database)
        return await self.job(f"{external_id}>{successor.oid}")

    async def job(self, handle: str) -> Job:
        """Done when the catalogue that all databases share names no object of the role any more."""
        external_id, _, _ = handle.partition(">")
        async with self._looking() as view:
            left = await ownership.shares(view.session, view.oid(external_id))
        if not left:
            return Job(handle, JobState.DONE, "Read afresh: the role owns nothing in any database.")
        return Job(
            handle,
            JobState.FAILED,
            f"Read afresh: the role still owns {ownership.total(left)} objects "
            f"({ownership.described(left)}). Ask for the transfer again.",
        )

    async def rotate(
        self, external_id: str, *, old: str, keep: Callable[[Mapping[str, str]], None]
    ) -> Rotation:
        """A new password for a shared role, as a SCRAM verifier; then the old one is tried."""
        if self._transport.read_only:
            raise ConnectorError(
                ErrorKind.UNSUPPORTED, "A dry run makes no password, so there is none to show."
            )
        async with self._writing() as view:
            role = await view.must_find(external_id)
            await view.refuse_protected(role)
            new, receipt = await change_password(view.session, role, keep)

        async def sign_in(password: str) -> SignIn:
            return await self._try_sign_in(role.name, password)

        return Rotation(receipt, await prove_rotation(sign_in, new=new, old=old))

    # -- proving ------------------------------------------------------------------------------------------

    async def verify(self, external_id: str, verb: Verb) -> Proof:
        """Read afresh. No sign-in is tried: without the password, PostgreSQL answers a suspended role and a
        live one alike (see the README)."""
        async with self._looking() as view:
            role = await view.find(external_id)
            if role is None:
                return Proof(Verdict.CONFIRMED, "Read afresh: there is no such role any more.")
            return await prove(view, role, verb)

    # -- inside -------------------------------------------------------------------------------------------

    async def _successor(self, view: View, role: Role, wanted: str) -> Role:
        local, _, domain = wanted.rpartition("@")
        named = Identity(emails=(wanted,) if local and domain else (), usernames=(wanted,))
        found = [each for each, _ in await view.of_identity(named)]
        if len(found) != 1:
            raise ConnectorError(
                ErrorKind.CONFLICT if found else ErrorKind.NOT_FOUND,
                f"{len(found)} roles match {wanted!r}; the successor has to be exactly one.",
            )
        if found[0].oid == role.oid:
            raise ConnectorError(ErrorKind.INVALID, f"{wanted!r} is the role itself, no successor.")
        return found[0]

    async def _try_sign_in(self, login: str, password: str) -> SignIn:
        await self._transport.limiter.wait()
        pinned = await self._transport.pin(self._door.host, self._door.port)
        return await try_sign_in(self._door, pinned, login, password)

    @asynccontextmanager
    async def _looking(self) -> AsyncIterator[View]:
        """Sign in afresh, to look."""
        async with self._open_database(self._door.database) as session:
            row = await session.row("SELECT system_identifier::text AS cluster FROM pg_control_system()")
            yield View(session, self._rules, row["cluster"] if row else "")

    @asynccontextmanager
    async def _writing(self) -> AsyncIterator[View]:
        """As `_looking`, unless this is a dry run."""
        self._transport.check_write()
        async with self._looking() as view:
            yield view

    @asynccontextmanager
    async def _open_database(self, name: str) -> AsyncIterator[Session]:
        await self._transport.limiter.wait()
        pinned = await self._transport.pin(self._door.host, self._door.port)
        password = self.connection.secrets.resolve(str(self._settings["password"]))
        async with signed_in(
            in_database(self._door, name),
            pinned,
            str(self._settings["user"]),
            password,
            self._transport.may_write,
        ) as session:
            yield session


async def _alter(view: View, role: Role, clause: sql.Composable) -> Receipt:
    """Change the role, and see by its number that it was this one: a name can change hands at any time."""
    statement = sql.SQL("ALTER ROLE {} {}").format(sql.Identifier(role.name), clause)
    async with view.session.transaction():
        if not await view.session.run(statement):
            return Receipt(Outcome.DONE, f"{role.name} was not touched; it is {role.said}.")
        now = await view.find(view.external_id(role.oid))
        if now is None or now.said == role.said:
            raise ConnectorError(
                ErrorKind.RETRYABLE, "The role was renamed at the same moment; nothing was changed."
            )
    return Receipt(
        Outcome.DONE,
        f"{role.name} is {now.said} now; it was {role.said}.",
        request={"statement": f"ALTER ROLE {clause.as_string(None)}"},
    )


def _door(settings: Mapping[str, Any]) -> Door:
    try:
        parts = urlsplit(str(settings["url"]))
        host, port = parts.hostname, parts.port or DEFAULT_PORT
    except ValueError:
        host, parts = None, urlsplit("")
    if parts.scheme != "postgresql" or not host or "@" in parts.netloc or parts.query:
        raise AddressRefused("The server's address is written 'postgresql://host:5432' or with '/database'.")
    return Door(
        host=host,
        port=port,
        database=unquote(parts.path.strip("/")) or "postgres",
        plain=bool(settings.get("allow_plain", False)),
        ca_file=str(settings.get("ca_file", "")),
        timeout=float(settings.get("timeout_seconds", 10)),
    )


def _lowered(settings: Mapping[str, Any], name: str) -> frozenset[str]:
    return frozenset(str(each).lower() for each in settings.get(name, ()))


CONNECTOR = PostgresqlConnector
