"""Finding people in Okta, one by one and all together."""

from __future__ import annotations

from copy import deepcopy
from datetime import timedelta

import httpx
import pytest

from partwell.connector_kit.contract import ConnectorError, ErrorKind, Identity
from partwell.connectors.okta.tests.model import OktaOrg
from partwell.connectors.okta.tests.wording import NOW, URL, Connect
from tests.vendor_openapi import ValidatedHttp

FACTS = {"secondEmail": "ana@home.test", "employeeNumber": "E-7"}


async def everybody(connector) -> list:
    return [account async for page in connector.list_accounts() for account in page]


@pytest.mark.parametrize(
    ("identity", "reason"),
    [
        (Identity(emails=("ANA@firm.test",)), "login ANA@firm.test"),
        (Identity(emails=("Ana.Silva@Firm.test",)), "email Ana.Silva@Firm.test"),
        (Identity(emails=("ana@HOME.test",)), "secondEmail ana@HOME.test"),
        (Identity(emails=(), usernames=("ana",)), "login ana@firm.test"),
        (Identity(emails=(), employee_number="e-7"), "employeeNumber e-7"),
    ],
)
async def test_a_person_is_found_by_what_is_known_of_them(org: OktaOrg, connect: Connect, identity, reason):
    ana = org.add_user("ana@firm.test", profile={"email": "ana.silva@firm.test", **FACTS})
    org.add_user("bruno@firm.test")
    (account,) = await connect().discover(identity)
    assert (account.external_id, account.matched_by) == (ana, reason)


async def test_two_users_with_one_address_are_both_for_a_person_to_decide(org: OktaOrg, connect: Connect):
    both = {
        org.add_user("ana@firm.test"),
        org.add_user("ana-admin@firm.test", profile={"email": "ana@firm.test"}),
    }
    found = await connect().discover(Identity(emails=("ana@firm.test",)))
    assert {account.external_id for account in found} == both


async def test_somebody_called_me_is_not_taken_for_whoever_asks(
    org: OktaOrg, connect: Connect, wire: ValidatedHttp
):
    org.own_user = org.add_user("partwell@firm.test")
    connector = connect(token="env:TOKEN")
    assert await connector.discover(Identity(emails=(), usernames=("me", "ME"))) == []
    assert {request.url.path for request in wire.requests} == {"/api/v1/users"}
    with pytest.raises(ConnectorError) as refused:
        await connector.read("me")
    assert refused.value.kind is ErrorKind.RETRYABLE


async def test_a_login_with_a_slash_is_found_without_a_path(org: OktaOrg, connect: Connect):
    odd = org.add_user("ana/admin@firm.test")
    (account,) = await connect().discover(Identity(emails=(), usernames=("ana/admin@firm.test",)))
    assert account.external_id == odd


@pytest.mark.parametrize("value", ['"', 'x" or id pr or profile.login eq "', "\\", "*", "\n", "ü", "..", " "])
async def test_a_hostile_name_finds_nobody(org: OktaOrg, connect: Connect, value):
    org.add_user("ana@firm.test")
    identity = Identity(emails=(value,), usernames=(value,), employee_number=value)
    assert await connect().discover(identity) == []


async def test_what_the_search_still_believes_is_read_afresh(org: OktaOrg, connect: Connect):
    moved = org.add_user("ana@firm.test", profile={"employeeNumber": "E-7"})
    gone = org.add_user("old@firm.test", profile={"employeeNumber": "E-7"})
    org.stale_index = deepcopy(list(org.users.values()))
    org.users[moved]["profile"]["employeeNumber"] = "E-8"
    del org.users[gone]
    assert await connect().discover(Identity(emails=(), employee_number="E-7")) == []


async def test_somebody_whom_the_search_does_not_know_yet_is_found_by_the_filter(
    org: OktaOrg, connect: Connect
):
    org.stale_index = []
    new = org.add_user("ana-silva", profile={"email": "ana@firm.test"})
    (account,) = await connect().discover(Identity(emails=("ana@firm.test",)))
    assert account.external_id == new


async def test_everybody_is_listed_deactivated_people_too(org: OktaOrg, connect: Connect):
    org.page_size = 3
    ids = [org.add_user() for _ in range(7)]
    org.users[ids[0]] |= {"status": "DEPROVISIONED"}
    org.users[ids[1]]["lastLogin"] = None
    listed = {account.external_id: account for account in await everybody(connect(protected=[ids[2]]))}
    assert set(listed) == set(ids)
    assert [listed[u].is_active for u in ids[:3]] == [False, True, True]
    assert [listed[u].is_protected for u in ids[:3]] == [False, False, True]
    assert listed[ids[1]].last_used_at is None
    assert listed[ids[3]].last_used_at == NOW - timedelta(hours=2)


@pytest.mark.parametrize(
    "following",
    [
        f"{URL}/api/v1/users?after=same",
        "https://firm.okta.com.evil.test/api/v1/users?after=2",
        f"{URL}/api/v1/logs?after=2",
    ],
)
async def test_pages_that_repeat_or_lead_elsewhere_are_an_error_and_not_the_end(
    org: OktaOrg, connect: Connect, wire: ValidatedHttp, following
):
    user = org.users[org.add_user()]
    link = f'<{following}>; rel="next"'
    wire.faults.append(
        lambda request: (
            httpx.Response(200, json=[user], headers={"link": link})
            if request.url.path == "/api/v1/users"
            else None
        )
    )
    with pytest.raises(ConnectorError) as refused:
        await everybody(connect())
    assert refused.value.kind is ErrorKind.RETRYABLE
    assert {request.url.host for request in wire.requests} == {"firm.okta.com"}
    assert {request.url.path for request in wire.requests} == {"/oauth2/v1/token", "/api/v1/users"}


async def test_a_full_page_that_lost_the_address_of_the_next_is_an_error(
    org: OktaOrg, connect: Connect, wire: ValidatedHttp
):
    user = org.users[org.add_user()]
    wire.faults.append(
        lambda request: (
            httpx.Response(200, json=[{**user, "id": f"00u{n}"} for n in range(200)])
            if request.url.path == "/api/v1/users"
            else None
        )
    )
    with pytest.raises(ConnectorError) as refused:
        await everybody(connect())
    assert refused.value.kind is ErrorKind.RETRYABLE


async def test_what_a_person_holds_is_named_and_owned_groups_on_request(org: OktaOrg, connect: Connect):
    ana, other = org.add_user("ana@firm.test"), org.add_user("bruno@firm.test")
    org.add_tokens(ana)
    org.add_tokens(other)
    group = org.add_group("Sales", [ana])
    org.add_group("Office", [ana])
    org.owners[group] = [ana]
    org.apps[ana] = [{"id": "00ub0", "appAssignmentId": "0ua1", "label": "Mail", "appName": "mail"}]
    names = {held.name for held in await connect().holdings(ana)}
    assert names == {
        "consent to okta.users.read.self for 0oaMailApp",
        "refresh token of 0oaMailApp",
        "API token 'script'",
        "opens Mail",
    }
    more = await connect(group_owners=True, devices=False, api_tokens=False).holdings(ana)
    assert {held.name for held in more} == names - {"API token 'script'"} | {"owner of the group Sales"}
