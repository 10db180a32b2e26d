"""Finding people in a tenant: by what, how many, and what is never taken for "nobody"."""

from __future__ import annotations

import httpx
import pytest

from partwell.connector_kit.contract import ConnectorError, ErrorKind, Identity, Nature
from partwell.connectors.microsoft365.tests.graph_model import ROOT
from partwell.connectors.microsoft365.tests.tenant import stamp

ANA = Identity(emails=("ana@firm.test",))


async def failure(awaitable) -> ConnectorError:
    with pytest.raises(ConnectorError) as caught:
        await awaitable
    assert "canary" not in caught.value.message
    return caught.value


async def everybody(connector) -> list:
    return [account async for page in connector.list_accounts() for account in page]


@pytest.mark.parametrize(
    ("given", "identity", "by"),
    [
        ({}, Identity(emails=("ANA@firm.test",)), "mail ANA@firm.test"),
        ({}, Identity(emails=("ana.old@firm.test",)), "proxyAddresses ana.old@firm.test"),
        ({"mail": None, "proxyAddresses": []}, ANA, "userPrincipalName ana@firm.test"),
        ({}, Identity(emails=(), usernames=("ana@firm.test",)), "userPrincipalName ana@firm.test"),
        ({}, Identity(emails=(), employee_number="E-ana"), "employeeId E-ana"),
        ({"otherMails": ["ana@home.test"]}, Identity(emails=("ana@home.test",)), "otherMails ana@home.test"),
    ],
)
async def test_a_person_is_found_by_what_is_known_of_them(tenant, connect, given, identity, by):
    ana = tenant.add_user("ana", **given)
    tenant.add_user("ben")
    (account,) = await connect().discover(identity)
    assert (account.external_id, account.matched_by) == (ana, by)


async def test_two_accounts_are_both_returned_and_a_guest_is_a_second_account(tenant, connect):
    tenant.add_user("ana")
    tenant.add_user(
        "ana.guest",
        mail="ana@home.test",
        userPrincipalName="ana_home.test#EXT#@firm.test",
        otherMails=["ana@firm.test"],
        userType="Guest",
    )
    found = {account.login: account.nature for account in await connect().discover(ANA)}
    assert found == {"ana@firm.test": Nature.PERSON, "ana_home.test#EXT#@firm.test": Nature.LINKED}


@pytest.mark.parametrize(
    "value", ["'", "x' or mail ne '", "o'brien@firm.test", "*", "\n", "a+b@firm.test", "ü"]
)
async def test_a_hostile_name_finds_nobody_and_breaks_no_filter(tenant, connect, value):
    tenant.add_user("ana")
    assert (
        await connect().discover(Identity(emails=(value,), usernames=(value,), employee_number=value)) == []
    )


async def test_a_quote_in_an_address_is_found(tenant, connect):
    tenant.add_user("o'brien")
    (account,) = await connect().discover(Identity(emails=("o'brien@firm.test",)))
    assert account.login == "o'brien@firm.test"


async def test_a_service_that_ignores_the_filter_does_not_get_the_wrong_person_cut(tenant, model, connect):
    ana, ben = tenant.add_user("ana"), tenant.add_user("ben")
    everyone = [tenant.users[ben], tenant.users[ana]]
    is_list = lambda request: request.url.path == "/v1.0/users"  # noqa: E731
    model.instead = lambda request: (
        httpx.Response(200, json={"value": everyone}) if is_list(request) else None
    )
    assert [account.external_id for account in await connect().discover(ANA)] == [ana]


async def test_everybody_is_listed_page_by_page_with_when_they_signed_in_last(tenant, model, connect, clock):
    ids = [tenant.add_user(f"u{number}") for number in range(25)]
    tenant.activity[ids[3]] = {
        "lastSignInDateTime": "2026-11-01T07:00:00Z",
        "lastNonInteractiveSignInDateTime": stamp(clock()),
    }
    model.page_size = 10
    listed = await everybody(connect())
    assert [account.external_id for account in listed] == ids
    assert [account.last_used_at for account in listed if account.last_used_at] == [clock()]
    assert listed[0].employee_number == "E-u0"
    assert "u0.old@firm.test" in listed[0].emails


async def test_a_tenant_without_the_licence_is_listed_without_last_sign_ins(tenant, model, connect):
    tenant.add_user("ana")
    model.premium = False
    connector = connect()
    assert [account.last_used_at for account in await everybody(connector)] == [None]
    await everybody(connector)
    assert model.asked.count("GET /v1.0/users") == 3  # refused once, then never asked for again


@pytest.mark.parametrize(
    "link",
    [
        "https://elsewhere.test/v1.0/users?$skiptoken=1",
        "http://graph.microsoft.com/v1.0/users?$skiptoken=1",
        "https://graph.microsoft.com:8443/v1.0/users",
        "https://graph.microsoft.com/beta/users",
        "https://graph.microsoft.com@elsewhere.test/v1.0/users",
        7,
    ],
)
async def test_a_next_page_elsewhere_is_not_followed(connect, model, link):
    seen: list[str] = []

    def answer(request: httpx.Request) -> httpx.Response:
        seen.append(str(request.url))
        return httpx.Response(200, json={"value": [{"id": "1"}], "@odata.nextLink": link})

    model.instead = answer
    error = await failure(everybody(connect()))
    assert error.kind is ErrorKind.INVALID
    assert len(seen) == 1


@pytest.mark.parametrize(
    "page",
    [
        {"value": [{"id": "1"}], "@odata.nextLink": f"{ROOT}/users?$skiptoken=1"},
        {"value": None},
        {"value": ["x"]},
        {},
        [],
    ],
)
async def test_pages_that_repeat_or_break_are_an_error_and_never_the_end(connect, model, page):
    model.instead = lambda request: httpx.Response(200, json=page)
    for asking in (everybody(connect()), connect().discover(ANA)):
        assert (await failure(asking)).kind is ErrorKind.RETRYABLE


@pytest.mark.parametrize(
    ("answer", "kind"),
    [
        (httpx.Response(500, json={}), ErrorKind.RETRYABLE),
        (httpx.Response(404, html="<h1>Not here</h1>"), ErrorKind.RETRYABLE),
        (httpx.Response(404, json={"error": {"code": "BadRequest"}}), ErrorKind.RETRYABLE),
        (httpx.Response(200, html="<title>Sign in</title>"), ErrorKind.RETRYABLE),
        (httpx.Response(302, headers={"location": "https://x.test"}), ErrorKind.INVALID),
        (httpx.Response(403, json={"error": {"code": "Authorization_RequestDenied"}}), ErrorKind.DENIED),
        (httpx.Response(503, headers={"retry-after": "30"}), ErrorKind.THROTTLED),
        (httpx.Response(200, json={"id": "somebody-else"}), ErrorKind.RETRYABLE),
    ],
)
async def test_a_failed_reading_is_an_error_and_never_no_account(connect, model, answer, kind):
    model.instead = lambda request: answer
    assert (await failure(connect().read("00000000-0000-4000-8000-000000000001"))).kind is kind


async def test_holdings_show_devices_keys_apps_and_owned_things_but_never_the_password(tenant, connect):
    ana = tenant.add_user("ana")
    laptop = tenant.add_managed_device(ana, "laptop")
    tenant.registered[ana] = [
        {"id": "d-1", "displayName": "laptop", "deviceId": tenant.managed[laptop]["azureADDeviceId"]},
        {"id": "d-2", "displayName": "old phone", "deviceId": tenant.new_id()},
    ]
    tenant.methods[ana] = [
        {"@odata.type": "#microsoft.graph.passwordAuthenticationMethod", "id": "p"},
        {"@odata.type": "#microsoft.graph.phoneAuthenticationMethod", "id": "m", "phoneNumber": "+1 555"},
        {"@odata.type": "#microsoft.graph.fido2AuthenticationMethod", "id": "k", "displayName": "blue"},
    ]
    reader, crm = tenant.add_app("Mail reader"), tenant.add_app("CRM")
    tenant.add_grant(ana, reader, crm, "Mail.Read ")
    tenant.add_grant(None, reader, crm, "User.Read")
    tenant.owners[tenant.add_group("Team", [])] = [ana]
    tenant.owners[crm] = [ana]
    held = [(h.kind.value, h.name) for h in await connect().holdings(ana)]
    assert held == [
        ("device", "laptop"),
        ("device", "old phone"),
        ("key", "phone"),
        ("key", "FIDO2 security key blue"),
        ("token", "Mail reader"),
        ("owned", "Team"),
        ("owned", "CRM"),
    ]
    fewer = await connect(intune=False, sign_in_methods=False).holdings(ana)
    assert [h.name for h in fewer] == ["laptop", "old phone", "Mail reader", "Team", "CRM"]
