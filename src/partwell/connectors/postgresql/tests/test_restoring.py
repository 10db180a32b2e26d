"""Putting back what was cut on real PostgreSQL servers, and leaving alone what is protected."""

from __future__ import annotations

import pytest

from partwell.connector_kit.contract import ErrorKind, Identity, Outcome, Verb, Verdict
from partwell.connectors.postgresql.tests.world import PASSWORD, Person, connect, is_alive, refused
from tests.servers.postgresql import ACCESS_ADMIN, SERVICE, PostgresqlServer

pytestmark = [pytest.mark.server("postgresql"), pytest.mark.server("postgresql-18")]


@pytest.fixture(params=["15", "18"])
def server(request: pytest.FixtureRequest) -> PostgresqlServer:
    name = {"15": "postgresql_server", "18": "newest_postgresql_server"}[request.param]
    found: PostgresqlServer = request.getfixturevalue(name)
    return found


@pytest.fixture
def person(server: PostgresqlServer) -> Person:
    return Person(server)


# -- restoring --------------------------------------------------------------------------------------------


async def test_the_snapshot_brings_back_sign_in_limit_and_memberships_with_their_options(server):
    person = Person(server, admin=True)
    server.run("ALTER ROLE {} CONNECTION LIMIT 7", person.name)
    if server.version >= 16:
        server.run(
            "GRANT {} TO {} WITH INHERIT FALSE, SET FALSE", person.group, person.name, as_role=ACCESS_ADMIN
        )
    query = "SELECT to_jsonb(m) - 'oid' - 'grantor' FROM pg_auth_members m WHERE m.member = %s"
    before = server.ask(query, person.oid)
    connector = connect(server)
    account = await person.account(connector)
    snapshot = await connector.snapshot(account.external_id)
    verbs = (Verb.BLOCK_SIGN_IN, Verb.SUSPEND, Verb.REMOVE_ENTITLEMENTS)
    for verb in verbs:
        await getattr(connector, verb.value)(account.external_id)
    assert server.groups_of(person.name) == set()

    for verb in verbs:
        assert (await connector.restore(account.external_id, verb, snapshot)).outcome is Outcome.DONE

    assert server.try_sign_in(person.name, PASSWORD)
    assert server.ask(query, person.oid) == before
    assert server.ask("SELECT rolconnlimit FROM pg_roles WHERE oid = %s", person.oid) == [(7,)]
    for verb in verbs:
        assert (await connector.restore(account.external_id, verb, snapshot)).outcome is Outcome.ALREADY_DONE


async def test_a_role_that_was_suspended_before_stays_so(server, person):
    connector = connect(server)
    account = await person.account(connector)
    server.run("ALTER ROLE {} NOLOGIN", person.name)
    snapshot = await connector.snapshot(account.external_id)
    receipt = await connector.restore(account.external_id, Verb.SUSPEND, snapshot)
    assert receipt.outcome is Outcome.ALREADY_DONE
    assert not server.try_sign_in(person.name, PASSWORD)


async def test_a_group_that_was_dropped_since_is_named_and_the_others_come_back(server, person):
    second = f"{person.name}_second"
    server.add_group(second, [person.name])
    connector = connect(server)
    account = await person.account(connector)
    snapshot = await connector.snapshot(account.external_id)
    await connector.remove_entitlements(account.external_id)
    server.run("DROP ROLE {}", person.group)
    with refused(ErrorKind.NOT_FOUND) as refusal:
        await connector.restore(account.external_id, Verb.REMOVE_ENTITLEMENTS, snapshot)
    assert person.group in refusal.value.message
    assert server.groups_of(person.name) == {second}


async def test_ended_sessions_do_not_come_back(server, person):
    connector = connect(server)
    account = await person.account(connector)
    snapshot = await connector.snapshot(account.external_id)
    with refused(ErrorKind.UNSUPPORTED):
        await connector.restore(account.external_id, Verb.REVOKE_SESSIONS, snapshot)


# -- leaving alone ----------------------------------------------------------------------------------------


@pytest.mark.parametrize("why", ["listed", "superuser", "replication", "last administrator", "own"])
async def test_a_protected_role_is_shown_as_such_and_never_touched(server, person, why):
    settings: dict = {}
    name = person.name
    if why == "listed":
        settings = {"protected": [name.upper()]}
    elif why == "last administrator":
        settings = {"admin_groups": [person.group]}
    elif why == "own":
        name = SERVICE
    else:
        server.run(f"ALTER ROLE {{}} {why.upper()}", name)
    connector = connect(server, **settings)
    (account,) = await connector.discover(Identity(emails=(), usernames=(name,)))
    assert account.is_protected
    writes = [connector.block_sign_in, connector.suspend, connector.remove_entitlements, connector.delete]
    for write in writes:
        with refused(ErrorKind.CONFLICT):
            await write(account.external_id)
    with refused(ErrorKind.CONFLICT):
        await connector.rotate(account.external_id, old="", keep=lambda secret: None)
    if why != "own":
        assert server.try_sign_in(name, PASSWORD)
        with person.sign_in() as session:
            with refused(ErrorKind.CONFLICT):
                await connector.revoke_sessions(account.external_id)
            assert is_alive(session)


async def test_an_administrator_beside_whom_there_is_another_may_go(server, person):
    other = Person(server)
    server.run("GRANT {} TO {}", person.group, other.name, as_role=ACCESS_ADMIN)
    connector = connect(server, admin_groups=[person.group])
    account = await person.account(connector)
    assert not account.is_protected
    await connector.suspend(account.external_id)
    assert (await other.account(connector)).is_protected


async def test_roles_of_postgresql_itself_are_protected(server):
    oid = server.ask("SELECT oid FROM pg_roles WHERE rolname = 'pg_monitor'")[0][0]
    assert (await connect(server).read(f"{server.cluster}/{oid}")).is_protected


# -- deleting ---------------------------------------------------------------------------------------------


async def test_a_role_is_dropped_only_when_nothing_depends_on_it_and_what_does_is_named(server, person):
    table = f"{person.name}_table"
    server.run("CREATE TABLE {} ()", table)
    server.run("ALTER TABLE {} OWNER TO {}", table, person.name)
    connector = connect(server)
    account = await person.account(connector)
    with refused(ErrorKind.CONFLICT) as refusal:
        await connector.delete(account.external_id)
    assert f"owner of table public.{table}" in refusal.value.message
    assert (await connector.verify(account.external_id, Verb.DELETE)).verdict is Verdict.FAILED
    server.run("DROP TABLE {}", table)
    with person.sign_in():
        with refused(ErrorKind.CONFLICT) as refusal:
            await connector.delete(account.external_id)
        assert "sessions" in refusal.value.message
        await connector.revoke_sessions(account.external_id)
    assert (await connector.delete(account.external_id)).outcome is Outcome.DONE
    assert (await connector.verify(account.external_id, Verb.DELETE)).verdict is Verdict.CONFIRMED
    assert (await connector.delete(account.external_id)).outcome is Outcome.ALREADY_DONE
