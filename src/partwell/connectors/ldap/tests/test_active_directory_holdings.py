"""What an account in Active Directory holds, read from Samba as a domain controller."""

from __future__ import annotations

from datetime import UTC, datetime

import ldap3
import pytest
from hypothesis import given
from hypothesis import strategies as st

from partwell.connector_kit.contract import ConnectorError, ErrorKind, Holding, HoldingKind, Verb, Verdict
from partwell.connectors.ldap.session import Entry
from partwell.connectors.ldap.tests.test_active_directory import Person, connect, only_account
from partwell.connectors.ldap.windows import holdings_of
from tests.servers.samba import BASE_DN, USERS_DN, SambaServer

on_samba = pytest.mark.server("samba-ad")


@pytest.fixture
def person(samba_ad_server: SambaServer) -> Person:
    return Person(samba_ad_server)


async def held_by(server: SambaServer, person: Person) -> list[Holding]:
    connector = connect(server)
    return await connector.holdings((await only_account(connector, person)).external_id)


def names(held: list[Holding], kind: HoldingKind) -> set[str]:
    return {each.name for each in held if each.kind is kind}


@on_samba
async def test_delegation_services_mappings_and_the_smart_card_are_listed(samba_ad_server, person):
    samba_ad_server.modify(
        person.dn,
        {
            "userAccountControl": [(ldap3.MODIFY_REPLACE, [str(512 | 0x40000 | 0x80000 | 0x1000000)])],
            "servicePrincipalName": [(ldap3.MODIFY_ADD, [f"HTTP/{person.login}.partwell.test"])],
            "msDS-AllowedToDelegateTo": [(ldap3.MODIFY_ADD, ["cifs/files.partwell.test"])],
            "altSecurityIdentities": [(ldap3.MODIFY_ADD, [f"X509:<S>CN={person.login}"])],
        },
    )
    held = await held_by(samba_ad_server, person)
    assert names(held, HoldingKind.TOKEN) == {
        "may act everywhere as those who sign in to it",
        "may act at cifs/files.partwell.test as anybody",
    }
    assert names(held, HoldingKind.OWNED) == {
        f"service HTTP/{person.login}.partwell.test, which runs as this account"
    }
    assert names(held, HoldingKind.KEY) == {f"signs in as X509:<S>CN={person.login}"}
    assert names(held, HoldingKind.DEVICE) == {"smart card, which signing in needs"}


@on_samba
async def test_computers_groups_and_people_in_their_charge_are_listed(samba_ad_server, person):
    samba_ad_server.add_computer(f"PC-{person.login}"[:15], {"managedBy": person.dn})
    report = samba_ad_server.add_person(f"r-{person.login}", f"r-{person.mail}")
    samba_ad_server.modify(report, {"manager": [(ldap3.MODIFY_ADD, [person.dn])]})
    samba_ad_server.modify(person.team_dn, {"managedBy": [(ldap3.MODIFY_ADD, [person.dn])]})
    held = await held_by(samba_ad_server, person)
    assert names(held, HoldingKind.DEVICE) == {f"in charge of the computer {f'PC-{person.login}'[:15]}"}
    assert names(held, HoldingKind.OWNED) == {
        f"in charge of the group team-{person.login}",
        f"manager of R-{person.login.title()}",
    }


@on_samba
async def test_a_primary_group_counts_with_what_is_above_it_and_is_not_called_removed(
    samba_ad_server, person
):
    primary = samba_ad_server.add_group(f"primary-{person.login}", [person.dn])
    samba_ad_server.add_group(f"above-{person.login}", [primary])
    number = samba_ad_server.relative_id(primary)
    samba_ad_server.modify(person.dn, {"primaryGroupID": [(ldap3.MODIFY_REPLACE, [number])]})
    # Active Directory keeps no member value for a primary group.
    assert samba_ad_server.members(primary) == []
    connector = connect(samba_ad_server)
    account = await only_account(connector, person)
    assert {(held.kind, held.name) for held in account.entitlements} >= {
        ("group", f"team-{person.login}"),
        ("primary_group", f"primary-{person.login}"),
        ("nested_group", f"above-{person.login}"),
    }

    with pytest.raises(ConnectorError) as refusal:
        await connector.remove_entitlements(account.external_id)
    assert refusal.value.kind is ErrorKind.CONFLICT
    assert f"primary-{person.login} is its primary group" in refusal.value.message
    assert samba_ad_server.members(person.team_dn) == []
    proof = await connector.verify(account.external_id, Verb.REMOVE_ENTITLEMENTS)
    assert proof.verdict is Verdict.FAILED
    assert f"primary-{person.login}" in proof.read


@on_samba
async def test_the_last_administrator_by_primary_group_is_protected(samba_ad_server, person):
    admins = f"CN=Domain Admins,{USERS_DN}"
    builtin = f"CN=Administrator,{USERS_DN}"
    samba_ad_server.modify(admins, {"member": [(ldap3.MODIFY_ADD, [person.dn])]})
    samba_ad_server.modify(person.dn, {"primaryGroupID": [(ldap3.MODIFY_REPLACE, ["512"])]})
    connector = connect(samba_ad_server)
    try:
        assert not (await only_account(connector, person)).is_protected
        samba_ad_server.modify(admins, {"member": [(ldap3.MODIFY_DELETE, [builtin])]})
        account = await only_account(connector, person)
        assert account.is_protected
        with pytest.raises(ConnectorError) as refusal:
            await connector.suspend(account.external_id)
        assert "last active administrator" in refusal.value.message
    finally:
        samba_ad_server.modify(admins, {"member": [(ldap3.MODIFY_ADD, [builtin])]})
        samba_ad_server.modify(person.dn, {"primaryGroupID": [(ldap3.MODIFY_REPLACE, ["513"])]})
        samba_ad_server.modify(admins, {"member": [(ldap3.MODIFY_REPLACE, [builtin])]})


@on_samba
async def test_everybodys_group_is_no_entitlement(samba_ad_server, person):
    account = await only_account(connect(samba_ad_server), person)
    assert "Domain Users" not in {held.name for held in account.entitlements}
    assert BASE_DN in account.details["dn"].lower()


def credential(*parts: tuple[int, bytes]) -> str:
    """A value of msDS-KeyCredentialLink, as MS-ADTS § 2.2.20 lays it out."""
    blob = b"\x00\x02\x00\x00" + b"".join(
        len(value).to_bytes(2, "little") + bytes((number,)) + value for number, value in parts
    )
    return f"B:{len(blob) * 2}:{blob.hex().upper()}:CN=Ana,DC=firm,DC=test"


def entry(*values: str) -> Entry:
    return Entry("cn=ana", {"msds-keycredentiallink": tuple(value.encode() for value in values)})


def test_a_key_credential_is_shown_with_its_use_its_device_and_its_times():
    at = 134402706000000000  # 2026-11-27 16:30 UTC
    (held,) = holdings_of(
        entry(
            credential(
                (1, b"\x01\x02"),
                (4, b"\x01"),
                (6, bytes(range(16))),
                (8, at.to_bytes(8, "little")),
                (9, at.to_bytes(8, "little")),
            )
        )
    )
    assert (held.kind, held.external_id) == (HoldingKind.KEY, "credential:0102")
    assert held.name == "Windows Hello for Business key of 2026-11-27"
    assert held.last_used_at == datetime(2026, 11, 27, 16, 30, tzinfo=UTC)
    assert held.details["device"] == "03020100-0504-0706-0809-0a0b0c0d0e0f"


@given(st.text(max_size=60))
def test_a_key_credential_in_another_form_is_shown_all_the_same(text):
    for value in (text, f"B:8:{text}:CN=x", credential((1, b"\x01"))[:-30]):
        (held,) = holdings_of(entry(value))
        assert held.kind is HoldingKind.KEY and held.name
