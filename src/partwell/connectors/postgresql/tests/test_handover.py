"""Giving over what a role owns, and giving a shared role a new password; on real servers."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from partwell.connector_kit.contract import (
    ConnectorError,
    ErrorKind,
    JobState,
    TransferKind,
    TransferRequest,
    Verdict,
)
from partwell.connector_kit.transport import Transport
from partwell.connectors.postgresql.tests.world import LOOPBACK, PASSWORD, Person, connect, refused
from tests.servers.postgresql import ACCESS_ADMIN, SERVICE, TRUSTING, PostgresqlServer

pytestmark = [pytest.mark.server("postgresql"), pytest.mark.server("postgresql-18")]


@pytest.fixture(params=["15", "18"])
def server(request: pytest.FixtureRequest) -> PostgresqlServer:
    name = {"15": "postgresql_server", "18": "newest_postgresql_server"}[request.param]
    found: PostgresqlServer = request.getfixturevalue(name)
    return found


@pytest.fixture
def person(server: PostgresqlServer) -> Person:
    return Person(server)


class Estate:
    """What a person has in two databases, which other people use too, and one of the databases itself."""

    first, second = "shop", "books"

    def __init__(self, server: PostgresqlServer, person: Person) -> None:
        self.server, self.person = server, person
        for name in (self.first, self.second):
            if not server.ask("SELECT FROM pg_database WHERE datname = %s", name):
                server.run("CREATE DATABASE {}", name)
            # As the how-to says: schemas change hands only by who may create some.
            server.run("GRANT CONNECT, CREATE ON DATABASE {} TO {}", name, SERVICE)
        name = person.name
        server.run("CREATE SCHEMA {} AUTHORIZATION {}", name, name, database=self.first)
        server.run("CREATE TABLE {}.orders (id serial)", name, database=self.first)
        server.run("ALTER TABLE {}.orders OWNER TO {}", name, name, database=self.first)
        server.run("CREATE TABLE {} ()", name, database=self.second)
        server.run("ALTER TABLE {} OWNER TO {}", name, name, database=self.second)
        server.run("ALTER DATABASE {} OWNER TO {}", self.second, name)

    def owners(self) -> set[str]:
        """Who owns them now."""
        name = self.person.name
        in_first = "SELECT relowner::regrole::text FROM pg_class WHERE relnamespace = %s::regnamespace"
        rows = self.server.ask(in_first, name, database=self.first)
        in_second = "SELECT relowner::regrole::text FROM pg_class WHERE relname = %s"
        rows += self.server.ask(in_second, name, database=self.second)
        of_server = "SELECT datdba::regrole::text FROM pg_database WHERE datname = %s"
        rows += self.server.ask(of_server, self.second)
        return {row[0] for row in rows}

    @contextmanager
    def locked(self) -> Iterator[None]:
        """Nobody but its owner and superusers may connect to the first database."""
        self.server.run("REVOKE CONNECT ON DATABASE {} FROM PUBLIC, {}", self.first, SERVICE)
        try:
            yield
        finally:
            self.server.run("GRANT CONNECT ON DATABASE {} TO PUBLIC, {}", self.first, SERVICE)


# -- what is owned ----------------------------------------------------------------------------------------


async def test_what_a_role_owns_is_named_in_every_database(server, person):
    estate = Estate(server, person)
    connector = connect(server)
    account = await person.account(connector)
    held = {each.name for each in await connector.holdings(account.external_id)}
    assert held == {
        f"schema {person.name} in {estate.first}",
        f"table {person.name}.orders in {estate.first}",
        f"sequence {person.name}.orders_id_seq in {estate.first}",
        f"table public.{person.name} in {estate.second}",
        f"database {estate.second}",
    }


async def test_where_partwell_may_not_connect_the_number_stands_for_the_names(server, person):
    estate = Estate(server, person)
    connector = connect(server)
    account = await person.account(connector)
    with estate.locked():
        held = [each.name for each in await connector.holdings(account.external_id)]
    assert f"3 objects in {estate.first}, whose names Partwell may not read" in held
    assert f"table public.{person.name} in {estate.second}" in held


# -- giving it over ---------------------------------------------------------------------------------------


async def test_everything_goes_to_the_successor_in_every_database(server, person):
    estate, successor = Estate(server, person), Person(server)
    connector = connect(server)
    account = await person.account(connector)
    await connector.suspend(account.external_id)
    request = TransferRequest(TransferKind.OBJECTS, successor.mail)

    job = await connector.transfer(account.external_id, request)

    assert job.state is JobState.DONE, job
    assert estate.owners() == {successor.name}
    assert (await connector.job(job.handle)).state is JobState.DONE
    # The rights that it took were for that moment only.
    assert server.groups_of(SERVICE) & {person.name, successor.name} == (
        {person.name, successor.name} if server.version >= 16 else set()
    )
    assert not server.ask(
        "SELECT FROM pg_roles WHERE rolname = ANY(%s) AND pg_has_role(%s, oid, 'USAGE')",
        [person.name, successor.name],
        SERVICE,
    )
    again = await connector.transfer(account.external_id, request)
    assert (again.state, again.handle) == (JobState.DONE, job.handle)
    assert await connector.holdings(account.external_id) == []


async def test_a_database_that_refuses_does_not_stop_the_others_and_is_named(server, person):
    estate, successor = Estate(server, person), Person(server)
    connector = connect(server)
    account = await person.account(connector)
    request = TransferRequest(TransferKind.OBJECTS, successor.name)
    with estate.locked(), refused(ErrorKind.DENIED) as refusal:
        await connector.transfer(account.external_id, request)
    assert estate.first in refusal.value.message
    assert "2 of 5 objects" in refusal.value.message
    assert estate.owners() == {person.name, successor.name}
    job = await connector.job(f"{account.external_id}>{successor.oid}")
    assert job.state is JobState.FAILED
    assert f"3 in {estate.first}" in job.summary
    assert (await connector.transfer(account.external_id, request)).state is JobState.DONE


@pytest.mark.parametrize(
    ("successor", "kind"),
    [("nobody@firm.test", ErrorKind.NOT_FOUND), ("itself", ErrorKind.INVALID), ("two", ErrorKind.CONFLICT)],
)
async def test_a_successor_has_to_be_exactly_one_other_role(server, person, successor, kind):
    estate = Estate(server, person)
    wanted = {"itself": person.name, "two": f"two-{person.name}@firm.test"}.get(successor, successor)
    for number in (1, 2) if successor == "two" else ():
        server.add_person(f"{person.name}_{number}", comment=wanted)
    connector = connect(server)
    account = await person.account(connector)
    with refused(kind):
        await connector.transfer(account.external_id, TransferRequest(TransferKind.OBJECTS, wanted))
    assert estate.owners() == {person.name}


async def test_what_a_protected_role_owns_stays(server, person):
    estate, successor = Estate(server, person), Person(server)
    connector = connect(server, protected=[person.name])
    account = await person.account(connector)
    with refused(ErrorKind.CONFLICT):
        await connector.transfer(account.external_id, TransferRequest(TransferKind.OBJECTS, successor.name))
    assert estate.owners() == {person.name}


async def test_other_kinds_and_dry_runs_are_refused(server, person):
    connector = connect(server)
    account = await person.account(connector)
    with refused(ErrorKind.UNSUPPORTED):
        await connector.transfer(account.external_id, TransferRequest(TransferKind.MAILBOX, "bob"))
    dry = connect(server, transport=Transport(LOOPBACK, read_only=True))
    with refused(ErrorKind.UNSUPPORTED):
        await dry.transfer(account.external_id, TransferRequest(TransferKind.OBJECTS, "bob"))
    with refused(ErrorKind.UNSUPPORTED):
        await dry.rotate(account.external_id, old="", keep=lambda secret: None)


# -- rotating ---------------------------------------------------------------------------------------------


async def test_the_new_password_is_kept_before_the_old_one_stops_working(server, person):
    kept: list[str] = []

    def keep(secret):
        assert server.try_sign_in(person.name, PASSWORD)
        kept.append(secret["password"])

    connector = connect(server)
    account = await person.account(connector)
    rotation = await connector.rotate(account.external_id, old=PASSWORD, keep=keep)

    assert rotation.proof.verdict is Verdict.CONFIRMED, rotation.proof
    assert "with the old password was refused" in rotation.proof.probe
    assert server.try_sign_in(person.name, kept[0])
    assert not server.try_sign_in(person.name, PASSWORD)
    assert kept[0] not in repr(rotation)
    assert len(kept[0]) > 40


async def test_neither_password_reaches_the_servers_log(server, person):
    """The server logs every statement here, as many do."""
    kept: list[str] = []
    connector = connect(server)
    account = await person.account(connector)
    await connector.rotate(
        account.external_id, old=PASSWORD, keep=lambda secret: kept.append(secret["password"])
    )
    log = server.log.read_text()
    assert f'ALTER ROLE "{person.name}" PASSWORD \'SCRAM-SHA-256$' in log
    assert kept[0] not in log


@pytest.mark.parametrize(
    "fault", [OSError("vault says hunter2"), ConnectorError(ErrorKind.THROTTLED, "later")]
)
async def test_when_the_new_password_cannot_be_put_away_the_old_one_goes_on_working(server, person, fault):
    def keep(secret):
        raise fault

    connector = connect(server)
    account = await person.account(connector)
    with pytest.raises(ConnectorError) as refusal:
        await connector.rotate(account.external_id, old=PASSWORD, keep=keep)
    assert server.try_sign_in(person.name, PASSWORD)
    assert "hunter2" not in refusal.value.message


async def test_without_the_old_password_a_made_up_one_is_tried(server, person):
    connector = connect(server)
    account = await person.account(connector)
    rotation = await connector.rotate(account.external_id, old="", keep=lambda secret: None)
    assert rotation.proof.verdict is Verdict.CONFIRMED
    assert "made-up" in rotation.proof.probe


async def test_a_server_that_asks_nobody_for_a_password_fails_the_proof(server, person):
    server.run("GRANT {} TO {}", TRUSTING, person.name, as_role=ACCESS_ADMIN)
    connector = connect(server)
    account = await person.account(connector)
    rotation = await connector.rotate(account.external_id, old=PASSWORD, keep=lambda secret: None)
    assert rotation.proof.verdict is Verdict.FAILED
    assert "without a password" in rotation.proof.probe


async def test_a_role_that_partwell_cannot_try_is_not_called_proven(server, person):
    """It is suspended, so the new password is refused as well."""
    server.run("ALTER ROLE {} NOLOGIN", person.name)
    connector = connect(server)
    account = await person.account(connector)
    rotation = await connector.rotate(account.external_id, old=PASSWORD, keep=lambda secret: None)
    assert rotation.proof.verdict is Verdict.UNVERIFIABLE
