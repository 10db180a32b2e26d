"""The SCIM connector against a real SCIM service (scim2-server)."""

from __future__ import annotations

from datetime import UTC, datetime
from itertools import count

import pytest

from partwell.connector_kit.addresses import AllowList
from partwell.connector_kit.contract import Connection, ConnectorError, ErrorKind, Identity, Verb, Verdict
from partwell.connector_kit.secrets import ReferencedSecrets
from partwell.connector_kit.testing import ConnectorContract, World
from partwell.connector_kit.transport import Transport
from partwell.connectors.scim.connector import CONNECTOR, ScimConnector
from tests.servers.scim import TOKEN, ScimServer

pytestmark = pytest.mark.server("scim2-server")
_numbers = count(1)


def connect(url: str, *, transport: Transport | None = None, token: str = TOKEN, **settings) -> ScimConnector:
    return CONNECTOR(
        Connection(
            name="service",
            settings={"url": url, "allow_plain": True, "token": "env:TOKEN", **settings},
            secrets=ReferencedSecrets({"TOKEN": token}),
            transport=transport or Transport(AllowList.parse(["127.0.0.1"])),
            now=lambda: datetime.now(UTC),
        )
    )


class Person:
    """A fresh person for one test, in a group of their own."""

    def __init__(self, server: ScimServer) -> None:
        self.login = f"person{next(_numbers)}"
        self.mail, self.number = f"{self.login}@firm.test", f"E-{self.login}"
        own = {"roles": [{"value": "approver"}], "entitlements": [{"value": "e5", "display": "Office E5"}]}
        self.id = server.add_person(self.login, self.mail, employee_number=self.number, more=own)
        self.group = server.add_group(f"group-{self.login}", [self.id])
        self.identity = Identity(emails=(self.mail,))


@pytest.fixture
def person(scim_server: ScimServer) -> Person:
    return Person(scim_server)


class TestContract(ConnectorContract):
    @pytest.fixture
    def world(self, scim_server: ScimServer, person: Person) -> World:
        read_only = Transport(AllowList.parse(["127.0.0.1"]), read_only=True)
        return World(
            make=lambda: connect(scim_server.url),
            make_read_only=lambda: connect(scim_server.url, transport=read_only),
            identity=person.identity,
            unknown=Identity(emails=("nobody@firm.test",)),
            missing_id="00000000-0000-4000-8000-000000000000",
        )


@pytest.mark.parametrize("by", ["e-mail", "user name", "employee number"])
async def test_a_person_is_found_by_what_is_known_of_them(scim_server, person, by):
    identity = {
        "e-mail": Identity(emails=(person.mail.upper(),)),
        "user name": Identity(emails=(), usernames=(person.login,)),
        "employee number": Identity(emails=(), employee_number=person.number),
    }[by]
    (account,) = await connect(scim_server.url).discover(identity)
    assert account.external_id == person.id


async def test_two_matches_are_both_returned_for_a_person_to_decide(scim_server, person):
    scim_server.add_person(f"{person.login}-admin", person.mail)
    assert len(await connect(scim_server.url).discover(person.identity)) == 2


async def test_after_the_cut_the_service_shows_it_and_sessions_are_said_to_be_out_of_sight(
    scim_server, person
):
    connector = connect(scim_server.url)
    await connector.suspend(person.id)
    proof = await connector.verify(person.id, Verb.SUSPEND)
    assert scim_server.person(person.id)["active"] is False
    assert proof.verdict is Verdict.CONFIRMED
    assert "sessions" in proof.read
    assert (proof.probe, proof.still_open) == ("", None)


async def test_the_snapshot_brings_back_the_account_and_its_groups(scim_server, person):
    connector = connect(scim_server.url)
    snapshot = await connector.snapshot(person.id)
    await connector.suspend(person.id)
    await connector.remove_entitlements(person.id)
    assert scim_server.members(person.group) == []
    assert not scim_server.person(person.id).get("roles")
    assert not scim_server.person(person.id).get("entitlements")
    await connector.restore(person.id, Verb.SUSPEND, snapshot)
    await connector.restore(person.id, Verb.REMOVE_ENTITLEMENTS, snapshot)
    assert scim_server.person(person.id)["active"] is True
    assert scim_server.members(person.group) == [person.id]
    assert [row["value"] for row in scim_server.person(person.id)["roles"]] == ["approver"]


async def test_more_people_than_one_page_are_all_found(scim_server, person):
    ids = {scim_server.add_person(f"{person.login}-{n}", f"many-{person.mail}") for n in range(120)}
    found = await connect(scim_server.url, groups=False).discover(Identity(emails=(f"many-{person.mail}",)))
    assert {account.external_id for account in found} == ids
    pages = [page async for page in connect(scim_server.url).list_accounts()]
    assert len(pages) > 1
    assert ids <= {account.external_id for page in pages for account in page}


@pytest.mark.parametrize("value", ['"', 'x" or userName pr or userName eq "', "\\", "*", "\n", "ü"])
async def test_a_hostile_name_finds_nobody(scim_server, person, value):
    assert await connect(scim_server.url).discover(Identity(emails=(value,), usernames=(value,))) == []


async def test_a_wrong_token_is_denied_and_not_repeated(scim_server):
    report = await connect(scim_server.url, token="wrong-token-canary").test()
    assert not report.ok
    assert "token is not valid" in report.summary
    assert "canary" not in repr(report)


async def test_a_listed_account_and_the_last_administrator_are_not_touched(scim_server, person):
    for settings in ({"protected": [person.login]}, {"admin_groups": [f"group-{person.login}"]}):
        connector = connect(scim_server.url, **settings)
        (account,) = await connector.discover(person.identity)
        assert account.is_protected
        for write in (connector.suspend, connector.remove_entitlements):
            with pytest.raises(ConnectorError) as refusal:
                await write(person.id)
            assert refusal.value.kind is ErrorKind.CONFLICT
    assert scim_server.person(person.id)["active"] is True
