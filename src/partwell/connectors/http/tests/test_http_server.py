"""Declared HTTP connectors against real servers: a small user directory, and scim2-server."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import count
from typing import Any

import pytest

from partwell.connector_kit.addresses import AllowList
from partwell.connector_kit.contract import ConnectorError, ErrorKind, Identity, Outcome, Verb, Verdict
from partwell.connector_kit.testing import ConnectorContract, World
from partwell.connector_kit.transport import Transport
from partwell.connectors.http.connector import HttpConnector
from partwell.connectors.http.tests.connecting import DIRECTORY, SCIM, connect
from partwell.connectors.http.tests.directory import TOKEN, Directory, directory
from tests.servers.scim import TOKEN as SCIM_TOKEN
from tests.servers.scim import ScimServer

_numbers = count(1)


def read_only() -> Transport:
    return Transport(AllowList.parse(["127.0.0.1"]), read_only=True)


@pytest.fixture
def target() -> Iterator[Directory]:
    with directory() as running:
        for _ in range(5):
            running.add_person()
        yield running


def to(target: Directory, **more: Any) -> HttpConnector:
    return connect(DIRECTORY, target.url, token=TOKEN, **{"tenant": "firm", **more})


class TestDirectory(ConnectorContract):
    @pytest.fixture
    def world(self, target: Directory) -> World:
        person = target.add_person()
        return World(
            make=lambda: to(target),
            make_read_only=lambda: to(target, transport=read_only()),
            identity=Identity(emails=(person["mail"],)),
            unknown=Identity(emails=("nobody@firm.test",), usernames=("nobody",)),
            missing_id="u-0",
        )


@pytest.mark.server("scim2-server")
class TestScimDeclared(ConnectorContract):
    @pytest.fixture
    def world(self, scim_server: ScimServer) -> World:
        login = f"declared{next(_numbers)}"
        person = scim_server.add_person(login, f"{login}@firm.test", employee_number=f"D-{login}")
        scim_server.add_group(f"group-{login}", [person])
        return World(
            make=lambda: connect(SCIM, scim_server.url, token=SCIM_TOKEN),
            make_read_only=lambda: connect(SCIM, scim_server.url, token=SCIM_TOKEN, transport=read_only()),
            identity=Identity(emails=(f"{login}@firm.test",)),
            unknown=Identity(emails=("nobody@firm.test",)),
            missing_id="00000000-0000-4000-8000-000000000000",
        )


@pytest.mark.server("scim2-server")
async def test_more_people_than_one_page_of_scim_are_all_found(scim_server):
    many = f"many{next(_numbers)}@declared.test"
    ids = {scim_server.add_person(f"declared{next(_numbers)}-m", many) for _ in range(60)}
    found = await connect(SCIM, scim_server.url, token=SCIM_TOKEN).discover(Identity(emails=(many,)))
    assert {account.external_id for account in found} == ids


@pytest.mark.server("scim2-server")
@pytest.mark.parametrize("value", ['"', 'x" or userName pr or userName eq "', "\\", "*", "\n", "ü"])
async def test_a_hostile_name_finds_nobody_in_scim(scim_server, value):
    scim_server.add_person(f"declared{next(_numbers)}", f"d{next(_numbers)}@firm.test")
    connector = connect(SCIM, scim_server.url, token=SCIM_TOKEN)
    assert await connector.discover(Identity(emails=(value,), usernames=(value,))) == []


@pytest.mark.parametrize("by", ["e-mail", "user name", "employee number"])
async def test_a_person_is_found_by_what_is_known_of_them(target, by):
    person = target.add_person()
    identity = {
        "e-mail": Identity(emails=(person["mail"].upper(),)),
        "user name": Identity(emails=(), usernames=(person["login"],)),
        "employee number": Identity(emails=(), employee_number=person["staff_number"]),
    }[by]
    (account,) = await to(target).discover(identity)
    assert account.external_id == person["id"]
    assert len(account.entitlements) == 3  # over two pages
    assert account.last_used_at is not None


async def test_everybody_is_listed_over_several_pages(target):
    listed = [each async for page in to(target).list_accounts() for each in page]
    assert {each.external_id for each in listed} == set(target.users)


async def test_a_target_that_ignores_the_question_and_returns_everybody_cuts_nobody(target):
    page = {"users": list(target.users.values())}
    target.misbehave = lambda seen: (
        (200, page, {}) if seen.segments == ["firm", "users"] and "mail" in seen.query else None
    )
    assert await to(target).discover(Identity(emails=("nobody@firm.test",))) == []
    (one,) = await to(target).discover(Identity(emails=("Person1@firm.test".replace("1", _first(target)),)))
    assert one.external_id == next(iter(target.users))


def _first(target: Directory) -> str:
    return next(iter(target.users)).removeprefix("u-")


async def test_the_snapshot_brings_back_the_account_and_its_groups(target):
    person = target.add_person()
    connector = to(target)
    snapshot = await connector.snapshot(person["id"])
    before = target.groups_of(person["id"])
    await connector.suspend(person["id"])
    await connector.remove_entitlements(person["id"])
    assert (person["state"], target.groups_of(person["id"])) == ("disabled", [])
    await connector.restore(person["id"], Verb.SUSPEND, snapshot)
    await connector.restore(person["id"], Verb.REMOVE_ENTITLEMENTS, snapshot)
    assert (person["state"], target.groups_of(person["id"])) == ("active", before)


async def test_what_was_so_before_the_cut_stays_so(target):
    person = target.add_person()
    person["state"] = "disabled"
    snapshot = await to(target).snapshot(person["id"])
    receipt = await to(target).restore(person["id"], Verb.SUSPEND, snapshot)
    assert receipt.outcome is Outcome.ALREADY_DONE
    assert person["state"] == "disabled"


async def test_a_protected_person_and_an_administrator_are_not_touched(target):
    person = target.add_person()
    group = target.groups_of(person["id"])[0]["name"]
    for settings in ({"protected": [person["login"].upper()]}, {"admin_groups": [group]}):
        connector = to(target, **settings)
        (account,) = await connector.discover(Identity(emails=(person["mail"],)))
        assert account.is_protected
        for write in (connector.suspend, connector.revoke_sessions, connector.remove_entitlements):
            with pytest.raises(ConnectorError) as refusal:
                await write(person["id"])
            assert refusal.value.kind is ErrorKind.CONFLICT
    assert target.writes() == []


async def test_a_wrong_token_is_denied_says_what_is_needed_and_is_not_repeated(target):
    report = await connect(DIRECTORY, target.url, token="wrong-canary", tenant="firm").test()
    assert not report.ok
    assert "users:write" in report.summary
    assert "canary" not in repr(report)


async def test_each_receipt_names_the_declaration_it_followed(target):
    receipt = await to(target).suspend(target.add_person()["id"])
    assert receipt.request["declaration"] == "d" * 64
    assert receipt.request_id == "request-1"
    assert receipt.response == {"statuses": [200]}


async def test_after_the_cut_the_sessions_are_read_back_by_themselves(target):
    person = target.add_person()
    connector = to(target)
    await connector.suspend(person["id"])
    assert (await connector.verify(person["id"], Verb.REVOKE_SESSIONS)).verdict is Verdict.FAILED
    await connector.revoke_sessions(person["id"])
    proof = await connector.verify(person["id"], Verb.REVOKE_SESSIONS)
    assert proof.verdict is Verdict.CONFIRMED
    assert "/count is 0" in proof.read
