"""A dry run shows the statements that MariaDB would be sent, and sends none."""

from __future__ import annotations

import pytest

from partwell.connector_kit.calls import Notes
from partwell.connector_kit.contract import ErrorKind
from partwell.connector_kit.transport import Transport
from partwell.connectors.mysql.tests.world import LOOPBACK, Person, connect, is_alive, refused
from tests.servers.mariadb import MariaDbServer

pytestmark = pytest.mark.server("mariadb")
KEPT = (
    "SELECT * FROM mysql.global_priv ORDER BY Host, User",
    "SELECT * FROM mysql.roles_mapping ORDER BY Host, User, Role",
    "SELECT * FROM mysql.tables_priv ORDER BY Host, User, Db, Table_name",
    "SELECT * FROM mysql.proxies_priv ORDER BY Host, User, Proxied_host, Proxied_user",
    "SELECT * FROM mysql.db ORDER BY Host, User, Db",
)


def kept(server: MariaDbServer) -> list[list[tuple]]:
    return [server.ask(query) for query in KEPT]


def bodies(connector) -> list[str]:
    calls, _ = connector.connection.transport.notes.take()
    assert {(each.method, each.target) for each in calls} <= {("SQL", connector._door.address)}
    return [each.body for each in calls]


async def test_each_verb_shows_its_statements_and_the_server_stays_as_it_is(mariadb_server):
    person = Person(mariadb_server, hosts=("%", "10.0.0.1"))
    mariadb_server.ask("GRANT PROXY ON ''@'%%' TO %s@%s", person.name, "%")
    session = person.sign_in()
    before = kept(mariadb_server)
    connector = connect(mariadb_server, transport=Transport(LOOPBACK, read_only=True, notes=Notes()))
    account = await person.account(connector)
    both = f"`{person.name}`@`%`, `{person.name}`@`10.0.0.1`"
    expected = {
        "block_sign_in": [f"ALTER USER {both} ACCOUNT LOCK"],
        "revoke_sessions": [f"KILL CONNECTION {session.thread_id()}"],
        "suspend": [f"ALTER USER {both} ACCOUNT LOCK"],
        # Roles go with the rights on MariaDB: no statement of their own is shown, as none would be sent.
        "remove_entitlements": [
            f"REVOKE ALL PRIVILEGES, GRANT OPTION FROM `{person.name}`@`%`",
            f"REVOKE PROXY ON ``@`%` FROM `{person.name}`@`%`",
            f"REVOKE ALL PRIVILEGES, GRANT OPTION FROM `{person.name}`@`10.0.0.1`",
        ],
    }
    for verb, statements in expected.items():
        await getattr(connector, verb)(account.external_id)
        assert bodies(connector) == statements
    assert kept(mariadb_server) == before
    assert is_alive(session)
    session.close()


async def test_what_is_shown_of_rights_and_roles_is_what_is_sent(mariadb_server):
    person = Person(mariadb_server)
    shown = connect(mariadb_server, transport=Transport(LOOPBACK, read_only=True, notes=Notes()))
    await shown.remove_entitlements(person.name)
    sent = connect(mariadb_server, transport=Transport(LOOPBACK, notes=Notes()))
    await sent.remove_entitlements(person.name)
    assert bodies(shown) == bodies(sent) != []
    assert mariadb_server.grants_of(person.name) == set()


async def test_no_password_is_made_in_a_dry_run_and_none_is_noted_of_a_real_one(mariadb_server):
    person = Person(mariadb_server)
    connector = connect(mariadb_server, transport=Transport(LOOPBACK, read_only=True, notes=Notes()))
    before, put_away = kept(mariadb_server), []
    with refused(ErrorKind.UNSUPPORTED) as refusal:
        await connector.rotate(person.name, old="", keep=put_away.append)
    assert "dry run" in refusal.value.message
    assert kept(mariadb_server) == before
    assert put_away == []

    real = connect(mariadb_server, transport=Transport(LOOPBACK, notes=Notes()))
    await real.rotate(person.name, old="", keep=put_away.append)
    told = bodies(real)
    assert set(told) == {"ALTER USER … IDENTIFIED …"}
