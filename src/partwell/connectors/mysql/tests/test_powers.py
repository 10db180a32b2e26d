"""What the rights and roles of a login may do, whatever they are called; on a real MariaDB."""

from __future__ import annotations

import pytest

from partwell.connector_kit.contract import Account
from partwell.connectors.mysql.grants import Grant, Kind, read_grants
from partwell.connectors.mysql.powers import own_power, power_of
from partwell.connectors.mysql.tests.world import Person, connect
from tests.servers.mariadb import MariaDbServer


def told(account: Account) -> dict[str, str]:
    return {held.name: held.power for held in account.entitlements if held.power}


@pytest.mark.server("mariadb")
async def test_a_role_that_comes_to_ruling_rights_is_told_with_them(mariadb_server: MariaDbServer) -> None:
    person = Person(mariadb_server)
    assert told(await person.account(connect(mariadb_server))) == {}
    top = f"{person.role}_top"
    mariadb_server.ask(f"CREATE ROLE {top}")
    mariadb_server.ask(f"GRANT CREATE USER, RELOAD ON *.* TO {top}")
    mariadb_server.ask(f"GRANT {top} TO {person.role}")
    powers = told(await person.account(connect(mariadb_server)))
    assert list(powers) == [f"`{person.role}`"]
    assert powers[f"`{person.role}`"].endswith("has CREATE USER on everything")


@pytest.mark.server("mariadb")
async def test_global_rights_are_told_and_those_on_one_database_are_not(
    mariadb_server: MariaDbServer,
) -> None:
    person = Person(mariadb_server)
    mariadb_server.ask(f"GRANT SELECT, SHOW DATABASES ON *.* TO {person.name}")
    powers = told(await person.account(connect(mariadb_server)))
    assert powers == {"SELECT, SHOW DATABASES ON *.*": "has SELECT on everything"}


@pytest.mark.parametrize(
    ("line", "power"),
    [
        ("GRANT ALL PRIVILEGES ON *.* TO `a`@`%`", "has ALL PRIVILEGES on everything"),
        ("GRANT SELECT, SUPER ON *.* TO `a`@`%`", "has SELECT, SUPER on everything"),
        ("GRANT PROCESS ON *.* TO `a`@`%` WITH GRANT OPTION", "passes on rights on everything"),
        ("GRANT PROCESS ON *.* TO `a`@`%`", ""),
        ("GRANT ALL PRIVILEGES ON `shop`.* TO `a`@`%` WITH GRANT OPTION", ""),
        ("GRANT ALL PRIVILEGES ON `mysql`.* TO `a`@`%`", "writes the tables of accounts"),
        (
            "GRANT SELECT (`user`), UPDATE (`a, b`) ON `mysql`.`user` TO `a`@`%`",
            "writes the tables of accounts",
        ),
        ("GRANT SELECT ON `mysql`.* TO `a`@`%`", ""),
        ("GRANT UPDATE ON `mysql`.`time_zone` TO `a`@`%`", ""),
        ("GRANT PROXY ON ``@`%` TO `a`@`%`", "may act as another account"),
    ],
)
def test_each_right_is_judged_by_what_it_lets_do(line: str, power: str) -> None:
    (grant,) = read_grants([line])
    assert own_power(grant) == power


def test_roles_of_roles_are_followed_also_in_a_ring() -> None:
    def role(name: str) -> Grant:
        return Grant(Kind.ROLE, name)

    held = {
        "`a`": [role("`b`")],
        "`b`": [role("`a`"), role("`c`"), Grant(Kind.RIGHTS, "SELECT", "`shop`.*")],
        "`c`": [Grant(Kind.RIGHTS, "CREATE USER", "*.*")],
    }
    assert power_of(role("`a`"), held.__getitem__) == "leads to `c`, which has CREATE USER on everything"
    assert power_of(role("`c`"), held.__getitem__) == "has CREATE USER on everything"
    held["`c`"] = []
    assert power_of(role("`a`"), held.__getitem__) == ""
