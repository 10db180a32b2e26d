"""The LDAP connector against a real OpenLDAP, with the least privilege that the how-to gives."""

from __future__ import annotations

from datetime import UTC, datetime
from itertools import count
from typing import Any

import ldap3
import pytest
from ldap3.core.exceptions import LDAPSocketReceiveError

from partwell.connector_kit.addresses import AllowList
from partwell.connector_kit.contract import (
    Connection,
    ConnectorError,
    ErrorKind,
    Identity,
    Outcome,
    Verb,
    Verdict,
)
from partwell.connector_kit.secrets import ReferencedSecrets
from partwell.connector_kit.testing import ConnectorContract, World
from partwell.connector_kit.transport import Transport
from partwell.connectors.ldap.connector import CONNECTOR, LdapConnector
from partwell.connectors.ldap.flavours import LOCKED_FOR_GOOD
from tests.servers.slapd import SERVICE_DN, SERVICE_PASSWORD, SUFFIX, SlapdServer

pytestmark = pytest.mark.server("slapd")
_numbers = count(1)


def connect(server: SlapdServer, *, transport: Transport | None = None, **settings: Any) -> LdapConnector:
    return CONNECTOR(
        Connection(
            name="directory",
            settings={
                "url": server.ldaps_url,
                "ca_file": str(server.ca_file),
                "bind_dn": SERVICE_DN,
                "password": "env:LDAP",
                "base_dn": SUFFIX,
                **settings,
            },
            secrets=ReferencedSecrets({"LDAP": SERVICE_PASSWORD}),
            transport=transport or Transport(AllowList.parse(["127.0.0.0/8", "::1"])),
            now=lambda: datetime.now(UTC),
        )
    )


class Person:
    """A fresh person for one test, with a group that somebody else is in too."""

    def __init__(self, server: SlapdServer) -> None:
        self.uid = f"person{next(_numbers)}"
        self.mail, self.number = f"{self.uid}@firm.test", f"E-{self.uid}"
        self.dn = server.add_person(self.uid, self.mail, employee_number=self.number)
        self.group_dn = server.add_group(f"group-{self.uid}", [self.dn, SERVICE_DN])
        self.identity = Identity(emails=(self.mail,))


@pytest.fixture
def person(slapd_server: SlapdServer) -> Person:
    return Person(slapd_server)


async def only_account(connector: LdapConnector, person: Person):
    (account,) = await connector.discover(person.identity)
    return account


class TestContract(ConnectorContract):
    @pytest.fixture
    def world(self, slapd_server: SlapdServer, person: Person) -> World:
        return World(
            make=lambda transport=None: connect(slapd_server, transport=transport),
            make_read_only=lambda: connect(
                slapd_server, transport=Transport(AllowList.parse(["127.0.0.0/8", "::1"]), read_only=True)
            ),
            identity=person.identity,
            unknown=Identity(emails=("nobody@firm.test",)),
            missing_id="00000000-0000-4000-8000-000000000000",
        )


async def test_it_signs_in_and_names_the_directory(slapd_server):
    report = await connect(slapd_server).test()
    assert report.ok, report.problems
    assert "OpenLDAP" in report.summary


@pytest.mark.parametrize("by", ["mail", "uid", "employee number"])
async def test_a_person_is_found_by_what_is_known_of_them(slapd_server, person, by):
    identity = {
        "mail": Identity(emails=(person.mail.upper(),)),
        "uid": Identity(emails=(), usernames=(person.uid,)),
        "employee number": Identity(emails=(), employee_number=person.number),
    }[by]
    (account,) = await connect(slapd_server).discover(identity)
    assert account.login == person.uid
    assert [e.name for e in account.entitlements] == [f"group-{person.uid}"]


@pytest.mark.parametrize("text", ["*", "*)(uid=*", "a)(|(uid=*", "\\2a", "\0", "ü*"])
async def test_a_hostile_name_finds_nobody(slapd_server, person, text):
    assert await connect(slapd_server).discover(Identity(emails=(text,), usernames=(text,))) == []


async def test_two_matches_are_both_returned_for_a_person_to_decide(slapd_server, person):
    slapd_server.add_person(f"{person.uid}-admin", person.mail)
    found = await connect(slapd_server).discover(person.identity)
    assert len(found) == 2


async def test_after_the_cut_a_new_sign_in_fails_and_an_open_connection_is_reported_as_alive(
    slapd_server, person
):
    connector = connect(slapd_server)
    account = await only_account(connector, person)
    open_connection = slapd_server.connect(person.dn, "correct horse")
    assert slapd_server.try_bind(person.dn, "correct horse")

    receipt = await connector.suspend(account.external_id)
    proof = await connector.verify(account.external_id, Verb.SUSPEND)

    assert receipt.outcome is Outcome.DONE
    assert not slapd_server.try_bind(person.dn, "correct horse")
    assert proof.verdict is Verdict.CONFIRMED
    assert "locked" in proof.probe
    assert open_connection.search(person.dn, "(objectClass=*)", ldap3.BASE, attributes=["mail"])
    assert proof.still_open == 1
    assert "1 open connection" in proof.read
    open_connection.unbind()


async def test_the_snapshot_brings_back_the_account_and_its_groups(slapd_server, person):
    connector = connect(slapd_server)
    account = await only_account(connector, person)
    snapshot = await connector.snapshot(account.external_id)
    await connector.suspend(account.external_id)
    await connector.remove_entitlements(account.external_id)
    assert person.dn not in slapd_server.members(person.group_dn)

    await connector.restore(account.external_id, Verb.SUSPEND, snapshot)
    await connector.restore(account.external_id, Verb.REMOVE_ENTITLEMENTS, snapshot)

    assert slapd_server.try_bind(person.dn, "correct horse")
    assert person.dn in slapd_server.members(person.group_dn)


async def test_a_lock_without_effect_is_not_called_proven(slapd_server, person):
    """The account's own policy has no pwdLockout, so slapd ignores the lock: the probe sees it."""
    policy = f"cn=nolock-{person.uid},ou=policies,{SUFFIX}"
    with slapd_server.connect(f"cn=admin,{SUFFIX}", "admin-password-of-the-tests") as admin:
        admin.add(policy, ["device", "pwdPolicy"], {"pwdAttribute": "userPassword", "pwdLockout": "FALSE"})
    slapd_server.modify(person.dn, {"pwdPolicySubentry": [(ldap3.MODIFY_REPLACE, [policy])]})
    connector = connect(slapd_server)
    account = await only_account(connector, person)
    await connector.suspend(account.external_id)

    proof = await connector.verify(account.external_id, Verb.SUSPEND)

    assert slapd_server.try_bind(person.dn, "correct horse")
    assert proof.verdict is not Verdict.CONFIRMED


async def test_a_directory_that_does_not_say_why_it_refuses_leaves_the_proof_open(quiet_slapd_server):
    person = Person(quiet_slapd_server)
    connector = connect(quiet_slapd_server)
    account = await only_account(connector, person)
    await connector.suspend(account.external_id)
    proof = await connector.verify(account.external_id, Verb.SUSPEND)
    assert proof.verdict is Verdict.UNVERIFIABLE
    assert "use_lockout" in proof.probe


async def test_checking_a_live_account_counts_no_failed_sign_in_against_its_owner(slapd_server, person):
    connector = connect(slapd_server)
    account = await only_account(connector, person)
    proof = await connector.verify(account.external_id, Verb.SUSPEND)
    assert proof.verdict is Verdict.FAILED
    with slapd_server.connect(f"cn=admin,{SUFFIX}", "admin-password-of-the-tests") as admin:
        admin.search(person.dn, "(objectClass=*)", ldap3.BASE, attributes=["pwdFailureTime"])
        assert not admin.response[0]["raw_attributes"].get("pwdFailureTime")


async def test_a_group_that_may_not_be_empty_is_named_and_the_others_are_left(slapd_server, person):
    alone = slapd_server.add_group(f"alone-{person.uid}", [person.dn])
    connector = connect(slapd_server)
    account = await only_account(connector, person)
    with pytest.raises(ConnectorError) as refusal:
        await connector.remove_entitlements(account.external_id)
    assert refusal.value.kind is ErrorKind.CONFLICT
    assert alone in refusal.value.message
    assert person.dn not in slapd_server.members(person.group_dn)
    assert (await connector.verify(account.external_id, Verb.REMOVE_ENTITLEMENTS)).verdict is Verdict.FAILED


async def test_a_lock_set_by_failed_sign_ins_is_not_a_suspension_and_comes_back(slapd_server, person):
    slapd_server.modify(person.dn, {"pwdAccountLockedTime": [(ldap3.MODIFY_REPLACE, ["20200101000000Z"])]})
    connector = connect(slapd_server)
    account = await only_account(connector, person)
    assert account.is_active
    snapshot = await connector.snapshot(account.external_id)
    await connector.suspend(account.external_id)
    assert (await connector.read(account.external_id)).details["state"].endswith(LOCKED_FOR_GOOD)
    await connector.restore(account.external_id, Verb.SUSPEND, snapshot)
    assert (await connector.read(account.external_id)).details["state"].endswith("20200101000000Z")


@pytest.mark.parametrize("why", ["listed", "last administrator"])
async def test_a_protected_account_is_shown_as_such_and_never_touched(slapd_server, person, why):
    boss = slapd_server.add_group(f"admins-{person.uid}", [person.dn])
    settings = {"protected": [person.uid]} if why == "listed" else {"admin_groups": [boss]}
    connector = connect(slapd_server, **settings)
    account = await only_account(connector, person)
    assert account.is_protected
    for write in (connector.suspend, connector.remove_entitlements):
        with pytest.raises(ConnectorError) as refusal:
            await write(account.external_id)
        assert refusal.value.kind is ErrorKind.CONFLICT
    assert slapd_server.try_bind(person.dn, "correct horse")


async def test_a_directory_that_hides_its_people_is_not_proof_that_somebody_is_gone(slapd_server, person):
    account = await only_account(connect(slapd_server), person)
    hidden = f"ou=nowhere,{SUFFIX}"
    for settings in ({"base_dn": hidden}, {"base_dn": f"ou=policies,{SUFFIX}"}):
        connector = connect(slapd_server, **settings)
        for asking in (
            connector.discover(person.identity),
            connector.read(account.external_id),
            connector.suspend(account.external_id),
            connector.verify(account.external_id, Verb.SUSPEND),
        ):
            with pytest.raises(ConnectorError) as refusal:
                await asking
            assert refusal.value.kind is ErrorKind.DENIED


async def test_groups_that_cannot_be_seen_are_unknown_and_not_none(slapd_server, person):
    connector = connect(slapd_server, groups_base_dn=f"ou=nowhere,{SUFFIX}")
    with pytest.raises(ConnectorError) as refusal:
        await connector.discover(person.identity)
    assert refusal.value.kind is ErrorKind.DENIED


async def test_starttls_is_verified_and_is_the_rule_for_ldap_addresses(slapd_server, person):
    connector = connect(slapd_server, url=slapd_server.url)
    assert (await only_account(connector, person)).login == person.uid


@pytest.mark.parametrize("url", ["url", "ldaps_url"])
async def test_a_certificate_from_an_unknown_authority_is_refused(slapd_server, url):
    report = await connect(slapd_server, url=getattr(slapd_server, url), ca_file="").test()
    assert not report.ok
    assert "certificate" in report.summary


async def test_a_certificate_for_another_name_is_refused(slapd_server):
    transport = Transport(AllowList.parse(["127.0.0.0/8"]), resolver=lambda host, port: ["127.0.0.1"])
    url = f"ldaps://directory.firm.test:{slapd_server.ldaps_port}"
    # the certificate names localhost and 127.0.0.1 only
    report = await connect(slapd_server, url=url, transport=transport).test()
    assert not report.ok


async def test_a_wrong_service_password_is_denied_and_not_repeated_in_the_message(slapd_server):
    connector = connect(slapd_server, password="env:LDAP", bind_dn=f"cn=other,{SUFFIX}")
    report = await connector.test()
    assert not report.ok
    assert SERVICE_PASSWORD not in repr(report)


async def test_everybody_is_listed_page_by_page_and_a_list_that_breaks_off_is_not_all(
    slapd_server, person, monkeypatch
):
    slapd_server.add_person(f"{person.uid}-b", f"b-{person.mail}")
    monkeypatch.setattr("partwell.connectors.ldap.session.PAGE_SIZE", 1)
    connector = connect(slapd_server)
    pages = [page async for page in connector.list_accounts()]
    assert all(len(page) == 1 for page in pages)
    listed = {page[0].login: page[0] for page in pages}
    assert len(listed) == len(pages) >= 2
    assert listed[person.uid].emails == (person.mail,)
    assert (listed[person.uid].employee_number, listed[person.uid].is_active) == (person.number, True)

    real = ldap3.Connection.search

    def broken(self, *arguments, **options):
        if options.get("paged_cookie"):
            raise LDAPSocketReceiveError("reset")
        return real(self, *arguments, **options)

    monkeypatch.setattr(ldap3.Connection, "search", broken)
    with pytest.raises(ConnectorError) as failure:
        [page async for page in connector.list_accounts()]
    assert failure.value.kind is ErrorKind.RETRYABLE


async def test_a_directory_that_shows_nobody_is_not_one_without_accounts(slapd_server, person):
    connector = connect(slapd_server, base_dn=f"ou=groups,{SUFFIX}")
    with pytest.raises(ConnectorError) as failure:
        [page async for page in connector.list_accounts()]
    assert failure.value.kind is ErrorKind.DENIED
