"""The LDAP connector against Samba as an Active Directory domain controller."""

from __future__ import annotations

from datetime import UTC, datetime
from itertools import count
from typing import Any

import ldap3
import pytest
from ldap3.core.exceptions import LDAPOperationResult

from partwell.connector_kit.addresses import AllowList
from partwell.connector_kit.contract import (
    Connection,
    ConnectorError,
    ErrorKind,
    Identity,
    Nature,
    Outcome,
    Verb,
    Verdict,
)
from partwell.connector_kit.secrets import ReferencedSecrets
from partwell.connector_kit.testing import ConnectorContract, World
from partwell.connector_kit.transport import Transport
from partwell.connectors.ldap.connector import CONNECTOR, LdapConnector
from partwell.connectors.ldap.flavours import FLAVOURS
from partwell.connectors.ldap.session import Entry
from tests.servers.samba import ADMIN, ADMIN_PASSWORD, BASE_DN, USERS_DN, SambaServer

pytestmark = pytest.mark.server("samba-ad")
PASSWORD = "Correct.Horse.7"
_numbers = count(1)


def connect(server: SambaServer, *, transport: Transport | None = None, **settings: Any) -> LdapConnector:
    return CONNECTOR(
        Connection(
            name="domain",
            settings={
                "url": server.url,
                "allow_plain": True,
                "bind_dn": ADMIN,
                "password": "env:LDAP",
                "base_dn": BASE_DN,
                **settings,
            },
            secrets=ReferencedSecrets({"LDAP": ADMIN_PASSWORD}),
            transport=transport or Transport(AllowList.parse([server.host])),
            now=lambda: datetime.now(UTC),
        )
    )


class Person:
    """A fresh person for one test, in a group that is in another group."""

    def __init__(self, server: SambaServer) -> None:
        self.login = f"person{next(_numbers)}"
        self.mail, self.number = f"{self.login}@firm.test", f"E-{self.login}"
        self.dn = server.add_person(self.login, self.mail, password=PASSWORD, employee_number=self.number)
        self.team_dn = server.add_group(f"team-{self.login}", [self.dn])
        self.all_dn = server.add_group(f"all-{self.login}", [self.team_dn])
        self.identity = Identity(emails=(self.mail,))


@pytest.fixture
def person(samba_ad_server: SambaServer) -> Person:
    return Person(samba_ad_server)


async def only_account(connector: LdapConnector, person: Person):
    (account,) = await connector.discover(person.identity)
    return account


class TestContract(ConnectorContract):
    @pytest.fixture
    def world(self, samba_ad_server: SambaServer, person: Person) -> World:
        read_only = Transport(AllowList.parse([samba_ad_server.host]), read_only=True)
        return World(
            make=lambda: connect(samba_ad_server),
            make_read_only=lambda: connect(samba_ad_server, transport=read_only),
            identity=person.identity,
            unknown=Identity(emails=("nobody@firm.test",)),
            missing_id="00000000-0000-4000-8000-000000000000",
        )


async def test_it_recognises_active_directory_by_itself(samba_ad_server):
    report = await connect(samba_ad_server).test()
    assert report.ok, report.problems
    assert "Active Directory" in report.summary


@pytest.mark.parametrize("by", ["mail", "login", "principal", "proxy address", "employee number"])
async def test_a_person_is_found_by_what_is_known_of_them(samba_ad_server, person, by):
    if by == "proxy address":
        other = f"other-{person.mail}"
        samba_ad_server.modify(person.dn, {"proxyAddresses": [(ldap3.MODIFY_ADD, [f"smtp:{other}"])]})
    identity = {
        "mail": Identity(emails=(person.mail.upper(),)),
        "login": Identity(emails=(), usernames=(person.login,)),
        "principal": Identity(emails=(f"{person.login}@partwell.test",)),
        "proxy address": Identity(emails=(f"other-{person.mail}",)),
        "employee number": Identity(emails=(), employee_number=person.number),
    }[by]
    assert (await connect(samba_ad_server).discover(identity))[0].login == person.login


async def test_groups_are_shown_with_those_that_come_through_others(samba_ad_server, person):
    account = await only_account(connect(samba_ad_server), person)
    assert {(e.kind, e.name) for e in account.entitlements} == {
        ("group", f"team-{person.login}"),
        ("nested_group", f"all-{person.login}"),
    }


async def test_after_the_cut_a_new_sign_in_fails_and_open_connections_are_said_to_be_unknown(
    samba_ad_server, person
):
    connector = connect(samba_ad_server)
    account = await only_account(connector, person)
    open_connection = samba_ad_server.connect(f"{person.login}@partwell.test", PASSWORD)

    receipt = await connector.suspend(account.external_id)
    proof = await connector.verify(account.external_id, Verb.SUSPEND)

    assert receipt.outcome is Outcome.DONE
    assert not samba_ad_server.try_bind(person.login, PASSWORD)
    assert proof.verdict is Verdict.CONFIRMED
    assert "userAccountControl=514" in proof.read
    # Samba asks for the password before it says more, so nothing may be claimed about a refused sign-in
    assert proof.probe == ""
    assert "could not be tried" in proof.read
    assert open_connection.search(person.dn, "(objectClass=*)", ldap3.BASE, attributes=["mail"])
    assert proof.still_open is None
    assert "keeps reading" in proof.read
    open_connection.unbind()


async def test_the_snapshot_brings_back_the_account_and_its_groups(samba_ad_server, person):
    connector = connect(samba_ad_server)
    account = await only_account(connector, person)
    snapshot = await connector.snapshot(account.external_id)
    await connector.suspend(account.external_id)
    await connector.remove_entitlements(account.external_id)
    assert samba_ad_server.members(person.team_dn) == []
    # another flag is set on purpose in between: restore leaves it alone
    samba_ad_server.modify(person.dn, {"userAccountControl": [(ldap3.MODIFY_REPLACE, [str(514 | 0x10000)])]})

    await connector.restore(account.external_id, Verb.SUSPEND, snapshot)
    await connector.restore(account.external_id, Verb.REMOVE_ENTITLEMENTS, snapshot)

    assert samba_ad_server.try_bind(person.login, PASSWORD)
    assert len(samba_ad_server.members(person.team_dn)) == 1
    assert (await connector.read(account.external_id)).details[
        "state"
    ] == f"userAccountControl={512 | 0x10000}"


async def test_an_account_that_was_disabled_before_stays_so(samba_ad_server, person):
    samba_ad_server.modify(person.dn, {"userAccountControl": [(ldap3.MODIFY_REPLACE, ["514"])]})
    connector = connect(samba_ad_server)
    account = await only_account(connector, person)
    snapshot = await connector.snapshot(account.external_id)
    assert (await connector.suspend(account.external_id)).outcome is Outcome.ALREADY_DONE
    assert (
        await connector.restore(account.external_id, Verb.SUSPEND, snapshot)
    ).outcome is Outcome.ALREADY_DONE
    assert not samba_ad_server.try_bind(person.login, PASSWORD)


async def test_an_account_that_was_moved_out_of_the_base_is_not_called_gone(samba_ad_server, person):
    connector = connect(samba_ad_server)
    account = await only_account(connector, person)
    elsewhere = connect(
        samba_ad_server, base_dn=f"OU=Domain Controllers,{BASE_DN}", flavour="active_directory"
    )
    with samba_ad_server.connect(ADMIN, ADMIN_PASSWORD) as admin:
        admin.modify_dn(person.dn, f"CN={person.login}", new_superior=f"CN=Computers,{BASE_DN}")
    users_only = connect(samba_ad_server, base_dn=USERS_DN)
    moved = await users_only.read(account.external_id)
    assert moved is not None
    assert (await users_only.verify(account.external_id, Verb.SUSPEND)).verdict is Verdict.FAILED
    with pytest.raises(ConnectorError):
        await elsewhere.read("00000000-0000-4000-8000-000000000000")


async def test_somebody_elses_change_in_the_same_moment_is_not_called_done(
    samba_ad_server, person, monkeypatch
):
    connector = connect(samba_ad_server)
    account = await only_account(connector, person)
    flavour = FLAVOURS["active_directory"]
    stale = {"userAccountControl": [(ldap3.MODIFY_DELETE, ["544"]), (ldap3.MODIFY_ADD, ["546"])]}
    monkeypatch.setattr(type(flavour), "suspending", lambda self, entry: stale)
    with pytest.raises(ConnectorError) as refusal:
        await connector.suspend(account.external_id)
    assert refusal.value.kind is ErrorKind.RETRYABLE
    assert samba_ad_server.try_bind(person.login, PASSWORD)


async def test_the_domains_own_accounts_and_ours_are_protected(samba_ad_server):
    connector = connect(samba_ad_server, bind_dn=f"CN=Administrator,{USERS_DN}")
    (account,) = await connector.discover(Identity(emails=(), usernames=("administrator",)))
    assert account.is_protected
    with pytest.raises(ConnectorError) as refusal:
        await connector.suspend(account.external_id)
    assert refusal.value.kind is ErrorKind.CONFLICT


async def test_the_last_active_administrator_is_protected_and_the_last_but_one_is_not(
    samba_ad_server, person
):
    admins = f"CN=Domain Admins,{USERS_DN}"
    builtin = f"CN=Administrator,{USERS_DN}"
    samba_ad_server.modify(admins, {"member": [(ldap3.MODIFY_ADD, [person.dn])]})
    connector = connect(samba_ad_server)
    try:
        assert not (await only_account(connector, person)).is_protected
        samba_ad_server.modify(admins, {"member": [(ldap3.MODIFY_DELETE, [builtin])]})
        assert (await only_account(connector, person)).is_protected
    finally:
        samba_ad_server.modify(admins, {"member": [(ldap3.MODIFY_REPLACE, [builtin])]})


async def test_the_delegated_rights_of_the_how_to_suffice_and_reach_no_further(samba_ad_server, person):
    service = f"svc-{person.login}"
    service_dn = samba_ad_server.add_person(service, f"{service}@firm.test", password=ADMIN_PASSWORD)
    samba_ad_server.delegate(service)
    connector = connect(samba_ad_server, bind_dn=f"{service}@partwell.test")
    account = await only_account(connector, person)
    snapshot = await connector.snapshot(account.external_id)
    for verb, act in (
        (Verb.SUSPEND, connector.suspend),
        (Verb.REMOVE_ENTITLEMENTS, connector.remove_entitlements),
    ):
        await act(account.external_id)
        assert (await connector.verify(account.external_id, verb)).verdict is Verdict.CONFIRMED
        await connector.restore(account.external_id, verb, snapshot)
    assert samba_ad_server.try_bind(person.login, PASSWORD)
    with samba_ad_server.connect(service_dn, ADMIN_PASSWORD) as own, pytest.raises(LDAPOperationResult):
        own.modify(person.dn, {"mail": [(ldap3.MODIFY_REPLACE, ["other@firm.test"])]})


async def test_plain_ldap_is_used_only_when_the_settings_say_so(samba_ad_server, person):
    """Without `allow_plain` the connector asks for StartTLS, and the domain's certificate is unknown."""
    report = await connect(samba_ad_server, allow_plain=False).test()
    assert not report.ok
    assert "certificate" in report.summary


async def test_everybody_is_listed_with_all_addresses_the_last_sign_in_and_whose_it_is(
    samba_ad_server, person, monkeypatch
):
    monkeypatch.setattr("partwell.connectors.ldap.session.PAGE_SIZE", 2)
    other = f"other-{person.mail}"
    samba_ad_server.modify(person.dn, {"proxyAddresses": [(ldap3.MODIFY_ADD, [f"smtp:{other}"])]})
    listed = {a.login: a async for page in connect(samba_ad_server).list_accounts() for a in page}
    mine = listed[person.login]
    assert {person.mail, other} <= set(mine.emails)
    assert (mine.employee_number, mine.nature, mine.last_used_at) == (person.number, Nature.PERSON, None)
    assert listed["krbtgt"].is_protected
    assert listed["krbtgt"].nature is Nature.SERVICE
    assert listed["krbtgt"].is_active is False


def test_the_last_sign_in_is_read_from_windows_time():
    directory = FLAVOURS["active_directory"]
    entry = Entry("cn=ana", {"lastlogontimestamp": (b"134402706000000000",)})
    assert directory.last_used_at(entry) == datetime(2026, 11, 27, 16, 30, tzinfo=UTC)
    for never in (b"0", b"", b"soon", b"9" * 40):
        assert directory.last_used_at(Entry("cn=ana", {"lastlogontimestamp": (never,)})) is None
