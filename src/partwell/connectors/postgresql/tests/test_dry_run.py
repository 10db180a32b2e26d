"""A dry run shows the statements that PostgreSQL would be sent, and sends none."""

from __future__ import annotations

import pytest

from partwell.connector_kit.calls import Notes
from partwell.connector_kit.contract import ErrorKind, TransferKind, TransferRequest
from partwell.connector_kit.transport import Transport
from partwell.connectors.postgresql.tests.world import LOOPBACK, Person, connect, is_alive, refused
from tests.servers.postgresql import PostgresqlServer

pytestmark = [pytest.mark.server("postgresql"), pytest.mark.server("postgresql-18")]
CATALOGUES = (
    "SELECT * FROM pg_authid ORDER BY oid",
    "SELECT * FROM pg_auth_members ORDER BY roleid, member",
    "SELECT * FROM pg_shdepend ORDER BY dbid, classid, objid, refobjid",
)


@pytest.fixture(params=["15", "18"])
def server(request: pytest.FixtureRequest) -> PostgresqlServer:
    name = {"15": "postgresql_server", "18": "newest_postgresql_server"}[request.param]
    found: PostgresqlServer = request.getfixturevalue(name)
    return found


def kept(server: PostgresqlServer) -> list[list[tuple]]:
    return [server.ask(query) for query in CATALOGUES]


async def test_each_verb_shows_its_statements_and_the_server_stays_as_it_is(server):
    person = Person(server)
    session = person.sign_in()
    before = kept(server)
    connector = connect(server, transport=Transport(LOOPBACK, read_only=True, notes=Notes()))
    account = await person.account(connector)
    notes = connector.connection.transport.notes
    by = ""
    if server.version >= 16:
        (membership,) = (await connector.snapshot(account.external_id)).state["memberships"]
        by = f' GRANTED BY "{membership["grantor"]}"'
    ending = (
        "SELECT pg_terminate_backend(s.pid, {}) FROM pg_stat_activity s "
        f"WHERE s.usesysid = {person.oid} AND s.pid <> pg_backend_pid()"
    )
    expected = {
        "block_sign_in": [f'ALTER ROLE "{person.name}" CONNECTION LIMIT 0'],
        "revoke_sessions": [ending.format(0), ending.format(1000)],
        "suspend": [f'ALTER ROLE "{person.name}" NOLOGIN'],
        "remove_entitlements": [f'REVOKE "{person.group}" FROM "{person.name}"{by}'],
    }
    for verb, statements in expected.items():
        await getattr(connector, verb)(account.external_id)
        calls, _ = notes.take()
        assert [each.body for each in calls] == statements
        assert {(each.method, each.target) for each in calls} == {("SQL", f"{server.url}/postgres")}

    assert kept(server) == before
    assert is_alive(session)
    session.close()
    await connector.delete(account.external_id)
    assert [each.body for each in notes.take()[0]] == [f'DROP ROLE "{person.name}"']
    assert kept(server) == before


async def test_a_hand_over_shows_what_it_would_reassign_and_no_password_is_made(server):
    person, successor = Person(server), Person(server)
    server.run("CREATE TABLE {} ()", person.name)
    server.run("ALTER TABLE {} OWNER TO {}", person.name, person.name)
    connector = connect(server, transport=Transport(LOOPBACK, read_only=True, notes=Notes()))
    account = await person.account(connector)
    before, put_away = kept(server), []
    with refused(ErrorKind.UNSUPPORTED) as refusal:
        await connector.rotate(account.external_id, old="", keep=put_away.append)
    assert "dry run" in refusal.value.message
    await connector.transfer(account.external_id, TransferRequest(TransferKind.OBJECTS, successor.name))
    shown = [each.body for each in connector.connection.transport.notes.take()[0]]
    assert f'REASSIGN OWNED BY "{person.name}" TO "{successor.name}"' in shown
    assert kept(server) == before
    assert put_away == []


async def test_what_is_noted_of_a_new_password_has_no_verifier_in_it(server):
    person = Person(server)
    connector = connect(server, transport=Transport(LOOPBACK, notes=Notes()))
    account = await person.account(connector)
    await connector.rotate(account.external_id, old="", keep=lambda secrets: None)
    assert [each.body for each in connector.connection.transport.notes.take()[0]] == [
        "ALTER ROLE … PASSWORD …"
    ]
