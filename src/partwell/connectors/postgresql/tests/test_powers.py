"""What the roles of an account may do, whatever they are called; on real servers."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from partwell.connector_kit.contract import Account
from partwell.connectors.postgresql.tests.world import Person, connect
from tests.servers.postgresql import PostgresqlServer

pytestmark = [pytest.mark.server("postgresql"), pytest.mark.server("postgresql-18")]


@pytest.fixture(params=["15", "18"])
def server(request: pytest.FixtureRequest) -> PostgresqlServer:
    name = {"15": "postgresql_server", "18": "newest_postgresql_server"}[request.param]
    found: PostgresqlServer = request.getfixturevalue(name)
    return found


@pytest.fixture
def person(server: PostgresqlServer, request: pytest.FixtureRequest) -> Iterator[Person]:
    """Gone afterwards: what is granted here by the superuser is out of Partwell's reach, as it says."""
    found = Person(server, admin=getattr(request, "param", False))
    yield found
    server.run("DROP ROLE {}", found.name)


def told(account: Account) -> dict[str, str]:
    return {held.name: held.power for held in account.entitlements if held.power}


async def test_a_role_that_leads_to_a_superuser_is_told_with_the_way(server, person):
    assert told(await person.account(connect(server))) == {}
    middle, top = f"{person.name}_middle", f"{person.name}_top"
    server.run("CREATE ROLE {} SUPERUSER CREATEROLE", top)
    server.run("CREATE ROLE {}", middle)
    server.run("GRANT {} TO {}", top, middle)
    server.run("GRANT {} TO {}", middle, person.group)
    connector = connect(server)
    account = await person.account(connector)
    leads = f"leads to {top}, which has SUPERUSER and CREATEROLE"
    assert told(account) == {
        person.group: leads,
        middle: leads,
        top: "has SUPERUSER and CREATEROLE",
    }


async def test_postgresqls_own_roles_and_the_accounts_own_attributes_are_told(server, person):
    server.run("GRANT pg_read_all_data TO {}", person.name)
    server.run("GRANT pg_monitor TO {}", person.name)
    server.run("ALTER ROLE {} CREATEROLE BYPASSRLS", person.name)
    account = await person.account(connect(server))
    assert told(account) == {"pg_read_all_data": "reads all data"}
    assert account.powers == ("has CREATEROLE", "has BYPASSRLS")


@pytest.mark.parametrize("person", [True], indirect=True, ids=["with admin option"])
async def test_a_membership_that_may_only_be_passed_on_counts_as_it_can_be_given_to_oneself(server, person):
    server.run("ALTER ROLE {} CREATEROLE", person.group)
    if server.version >= 16:
        server.run("GRANT {} TO {} WITH ADMIN TRUE, INHERIT FALSE, SET FALSE", person.group, person.name)
    account = await person.account(connect(server))
    assert told(account) == {person.group: "has CREATEROLE"}
    assert account.entitlements[0].kind == "role with admin option"
