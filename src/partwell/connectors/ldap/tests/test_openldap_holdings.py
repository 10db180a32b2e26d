"""What an account in a real OpenLDAP holds: keys, things in its charge, groups of groups."""

from __future__ import annotations

import asyncssh
import ldap3
import pytest
from cryptography.hazmat.primitives.serialization import Encoding
from ldap3.core.exceptions import LDAPSocketReceiveError

from partwell.connector_kit.contract import ConnectorError, ErrorKind, Holding, HoldingKind, Verb, Verdict
from partwell.connectors.ldap.tests.test_openldap import Person, connect, only_account
from partwell.connectors.ldap.view import Rules
from tests.servers.certificates import certificate_of
from tests.servers.slapd import SUFFIX, SlapdServer

pytestmark = pytest.mark.server("slapd")


@pytest.fixture
def person(slapd_server: SlapdServer) -> Person:
    return Person(slapd_server)


async def held_by(server: SlapdServer, person: Person, **settings) -> list[Holding]:
    connector = connect(server, **settings)
    return await connector.holdings((await only_account(connector, person)).external_id)


def names(held: list[Holding], kind: HoldingKind) -> list[str]:
    return [each.name for each in held if each.kind is kind]


async def test_keys_and_certificates_are_listed_by_what_people_know_them_by(slapd_server, person):
    key = asyncssh.generate_private_key("ssh-ed25519", comment="ana@laptop")
    changes = {
        "objectClass": [(ldap3.MODIFY_ADD, ["ldapPublicKey"])],
        "sshPublicKey": [(ldap3.MODIFY_ADD, [key.export_public_key()])],
        "userCertificate;binary": [
            (ldap3.MODIFY_ADD, [certificate_of(person.uid).public_bytes(Encoding.DER)])
        ],
    }
    slapd_server.modify(person.dn, changes)
    keys = names(await held_by(slapd_server, person), HoldingKind.KEY)
    assert f"SSH key ana@laptop {key.get_fingerprint()}" in keys
    assert any(name.startswith(f"certificate CN={person.uid}, valid until") for name in keys)
    assert len(keys) == 2


async def test_what_is_in_their_charge_is_listed_with_what_they_are_to_it(slapd_server, person):
    report = slapd_server.add_person(f"report-{person.uid}", f"report-{person.mail}")
    slapd_server.modify(report, {"manager": [(ldap3.MODIFY_ADD, [person.dn.upper()])]})
    slapd_server.modify(person.group_dn, {"owner": [(ldap3.MODIFY_ADD, [person.dn])]})
    device = {"owner": [person.dn], "seeAlso": [person.dn]}
    slapd_server.add(f"cn=laptop-{person.uid},ou=people,{SUFFIX}", ["device"], device)
    # somebody else's, and their own entry
    other = slapd_server.add_person(f"other-{person.uid}", f"other-{person.mail}")
    slapd_server.modify(other, {"manager": [(ldap3.MODIFY_ADD, [report])]})
    slapd_server.modify(person.dn, {"manager": [(ldap3.MODIFY_ADD, [person.dn])]})

    held = await held_by(slapd_server, person)

    assert names(held, HoldingKind.OWNED) == [
        f"owner of the group group-{person.uid}",
        f"manager of Report-{person.uid.title()}",
        f"named (seeAlso) by the device laptop-{person.uid}",
    ]
    assert names(held, HoldingKind.DEVICE) == [f"owner of the device laptop-{person.uid}"]


async def test_things_are_found_also_where_groups_are_and_not_twice(slapd_server, person):
    slapd_server.modify(person.group_dn, {"owner": [(ldap3.MODIFY_ADD, [person.dn])]})
    people, groups = f"ou=people,{SUFFIX}", f"ou=groups,{SUFFIX}"
    for settings in ({"base_dn": people, "groups_base_dn": groups}, {"groups_base_dn": groups}):
        held = await held_by(slapd_server, person, **settings)
        assert names(held, HoldingKind.OWNED) == [f"owner of the group group-{person.uid}"]


def test_a_base_within_the_other_is_not_asked_twice():
    def bases(base: str, groups: str) -> tuple[str, ...]:
        return Rules(base, groups, "", frozenset(), frozenset()).bases

    assert bases("dc=a", "OU=groups,DC=a") == ("dc=a",)
    assert bases("ou=people,dc=a", "dc=A") == ("dc=A",)
    assert bases("dc=a", "dc=a") == ("dc=a",)
    assert bases("dc=a", "dc=aa") == ("dc=a", "dc=aa")
    assert bases("dc=aa", "dc=a") == ("dc=aa", "dc=a")


async def test_open_connections_are_listed_one_by_one(slapd_server, person):
    assert names(await held_by(slapd_server, person), HoldingKind.SESSION) == []
    connection = slapd_server.connect(person.dn, "correct horse")
    (name,) = names(await held_by(slapd_server, person), HoldingKind.SESSION)
    assert "from 127.0.0.1:" in name
    connection.unbind()


async def test_a_name_full_of_special_characters_is_taken_as_it_is(slapd_server):
    odd = Person(slapd_server)
    odd.dn = f"cn=Odd (\\2C\\\\*) {odd.uid},ou=people,{SUFFIX}"
    odd.mail = f"odd-{odd.mail}"
    odd.identity = type(odd.identity)(emails=(odd.mail,))
    slapd_server.add(odd.dn, ["inetOrgPerson"], {"sn": "Odd", "uid": f"odd-{odd.uid}", "mail": odd.mail})
    slapd_server.add_group(f"odd-{odd.uid}", [odd.dn])
    slapd_server.modify(f"cn=odd-{odd.uid},ou=groups,{SUFFIX}", {"owner": [(ldap3.MODIFY_ADD, [odd.dn])]})
    assert names(await held_by(slapd_server, odd), HoldingKind.OWNED) == [f"owner of the group odd-{odd.uid}"]


async def test_more_things_than_a_page_are_all_listed_and_a_list_that_breaks_off_is_not_all(
    slapd_server, person, monkeypatch
):
    for number in range(5):
        group = slapd_server.add_group(f"many-{number}-{person.uid}", [person.dn])
        slapd_server.modify(group, {"owner": [(ldap3.MODIFY_ADD, [person.dn])]})
    monkeypatch.setattr("partwell.connectors.ldap.session.PAGE_SIZE", 2)
    assert len(names(await held_by(slapd_server, person), HoldingKind.OWNED)) == 5
    connector = connect(slapd_server)
    account = await only_account(connector, person)
    real = ldap3.Connection.search

    def broken(self, base, filter_text, *arguments, **options):
        if options.get("paged_cookie") and "owner=" in filter_text:
            raise LDAPSocketReceiveError("reset")
        return real(self, base, filter_text, *arguments, **options)

    monkeypatch.setattr(ldap3.Connection, "search", broken)
    with pytest.raises(ConnectorError) as failure:
        await connector.holdings(account.external_id)
    assert failure.value.kind is ErrorKind.RETRYABLE


async def test_groups_of_groups_are_shown_also_in_a_ring_and_go_with_the_direct_one(slapd_server, person):
    middle = slapd_server.add_group(f"middle-{person.uid}", [person.group_dn])
    top = slapd_server.add_group(f"top-{person.uid}", [middle])
    slapd_server.modify(person.group_dn, {"member": [(ldap3.MODIFY_ADD, [top])]})
    connector = connect(slapd_server)
    account = await only_account(connector, person)
    assert [(held.kind, held.name) for held in account.entitlements] == [
        ("group", f"group-{person.uid}"),
        ("nested_group", f"middle-{person.uid}"),
        ("nested_group", f"top-{person.uid}"),
    ]
    await connector.remove_entitlements(account.external_id)
    proof = await connector.verify(account.external_id, Verb.REMOVE_ENTITLEMENTS)
    assert proof.verdict is Verdict.CONFIRMED
    assert person.dn not in slapd_server.members(person.group_dn)
