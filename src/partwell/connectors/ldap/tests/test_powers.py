"""What the groups of an account may do, on real directories and under other names."""

from __future__ import annotations

import ldap3
import pytest

from partwell.connector_kit.contract import Account
from partwell.connectors.ldap.powers import powers_of
from partwell.connectors.ldap.session import Entry
from partwell.connectors.ldap.tests import test_active_directory as windows
from partwell.connectors.ldap.tests import test_openldap as openldap
from tests.servers.samba import USERS_DN, SambaServer
from tests.servers.slapd import SlapdServer

on_samba = pytest.mark.server("samba-ad")


def told(account: Account) -> dict[str, str]:
    return {held.name: held.power for held in account.entitlements if held.power}


@on_samba
async def test_a_group_in_domain_admins_is_told_whatever_it_is_called(samba_ad_server: SambaServer) -> None:
    person = windows.Person(samba_ad_server)
    team, above = f"team-{person.login}", f"all-{person.login}"
    admins = f"CN=Domain Admins,{USERS_DN}"
    connector = windows.connect(samba_ad_server)
    assert told(await windows.only_account(connector, person)) == {}
    samba_ad_server.modify(admins, {"member": [(ldap3.MODIFY_ADD, [f"CN={above},{USERS_DN}"])]})
    try:
        account = await windows.only_account(connector, person)
    finally:
        samba_ad_server.modify(admins, {"member": [(ldap3.MODIFY_DELETE, [f"CN={above},{USERS_DN}"])]})
    powers = told(account)
    assert powers[team] == powers[above] == "is in Domain Admins"
    assert powers["Domain Admins"] == "administers the domain"
    # Domain Admins are in the built-in group of the domain controllers.
    assert powers["Administrators"] == "administers the domain controllers"


@on_samba
async def test_the_mark_of_former_administrators_is_told(samba_ad_server: SambaServer) -> None:
    person = windows.Person(samba_ad_server)
    marked = {"adminCount": [(ldap3.MODIFY_REPLACE, ["1"])]}
    samba_ad_server.modify(person.dn, marked)
    samba_ad_server.modify(person.team_dn, marked)
    account = await windows.only_account(windows.connect(samba_ad_server), person)
    assert account.powers == ("is or was an administrator (adminCount)",)
    assert told(account) == {f"team-{person.login}": "is or was guarded as administrative (adminCount)"}


@pytest.mark.server("slapd")
async def test_openldap_tells_by_the_groups_that_the_settings_name(slapd_server: SlapdServer) -> None:
    person = openldap.Person(slapd_server)
    bosses = slapd_server.add_group(f"bosses-{person.uid}", [person.group_dn])
    connector = openldap.connect(slapd_server, admin_groups=[bosses])
    assert told(await openldap.only_account(connector, person)) == {
        f"group-{person.uid}": f"is in bosses-{person.uid}",
        f"bosses-{person.uid}": "is administrative by this connection's settings",
    }


def group(name: str, *members: str, sid: str = "", **more: str) -> Entry:
    values = {key: (value.encode(),) for key, value in more.items()}
    values |= {"cn": (name.encode(),), "member": tuple(f"cn={each}".encode() for each in members)}
    if sid:
        parts = [int(part) for part in sid.split("-")[3:]]
        raw = bytes((1, len(parts), 0, 0, 0, 0, 0, 5))
        values["objectsid"] = (raw + b"".join(part.to_bytes(4, "little") for part in parts),)
    return Entry(f"cn={name}", values)


@pytest.mark.parametrize(
    ("sid", "words"),
    [
        ("S-1-5-21-1-2-3-512", "administers the domain"),
        ("S-1-5-21-1-2-3-519", "administers the forest"),
        ("S-1-5-32-544", "administers the domain controllers"),
        ("S-1-5-32-551", "reads and replaces every file of the domain controllers"),
        ("S-1-5-32-512", ""),
        ("S-1-5-21-1-2-3-544", ""),
        ("S-1-5-21-1-2-3-1512", ""),
    ],
)
def test_a_group_is_known_by_its_number_in_every_language(sid: str, words: str) -> None:
    assert powers_of([group("Domänen-Admins", sid=sid)], [], ()).get("cn=Domänen-Admins", "") == words


def test_groups_in_a_ring_and_the_nearest_ruling_group_are_told() -> None:
    first, second = group("first", "second"), group("second", "first")
    near = group("near", "first", sid="S-1-5-32-548")
    far = group("far", "near", sid="S-1-5-21-1-2-3-512")
    assert powers_of([first], [second, far, near], ()) == {
        "cn=near": "changes accounts and groups",
        "cn=far": "administers the domain",
        "cn=first": "is in near",
        "cn=second": "is in near",
    }
    assert powers_of([first], [second], ()) == {}
