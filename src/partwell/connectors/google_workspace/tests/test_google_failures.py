"""What goes wrong: throttled, refused, broken off, expired, not Google at all. None of it is "no account"."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable
from datetime import timedelta

import httpx
import pytest

from partwell.connector_kit.contract import ConnectorError, ErrorKind, Identity
from partwell.connectors.google_workspace.permissions import PERMISSIONS
from partwell.connectors.google_workspace.tests.wording import (
    ADMIN,
    KEY_FILE,
    NOW,
    PRIVATE,
    SKU,
    Connect,
    failure,
)
from partwell.connectors.google_workspace.tests.workspace import Workspace
from tests.vendor_openapi import ValidatedHttp

ANA = Identity(emails=("ana@firm.test",))


async def refused(awaitable) -> ConnectorError:
    with pytest.raises(ConnectorError) as caught:
        await awaitable
    return caught.value


def instead(path: str, answer: httpx.Response) -> Callable[[httpx.Request], httpx.Response | None]:
    return lambda request: answer if path in request.url.path else None


async def everybody(connector) -> list:
    return [account async for page in connector.list_accounts() for account in page]


# -- slow down -------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("status", "reason"),
    [
        (403, "userRateLimitExceeded"),
        (403, "rateLimitExceeded"),
        (403, "quotaExceeded"),
        (429, "rateLimitExceeded"),
        (429, "backendError"),
    ],
)
async def test_too_many_requests_are_waited_for_and_not_taken_for_a_missing_right(
    firm: Workspace, connect: Connect, wire: ValidatedHttp, status, reason
):
    ana = firm.add_user("ana@firm.test")
    wire.faults.append(instead("/users", failure(status, reason, "Slow", **{"retry-after": "30"})))
    for call in (connect().discover(ANA), connect().suspend(ana), everybody(connect())):
        error = await refused(call)
        assert error.kind is ErrorKind.THROTTLED
        assert error.retry_at == NOW + timedelta(seconds=30)


async def test_when_google_does_not_say_how_long_a_minute_is_waited(connect: Connect, wire: ValidatedHttp):
    wire.faults.append(instead("/users", failure(403, "quotaExceeded", "Slow")))
    assert (await refused(connect().discover(ANA))).retry_at == NOW + timedelta(seconds=60)


async def test_taking_groups_away_stops_when_it_is_told_to_slow_down(
    firm: Workspace, connect: Connect, wire: ValidatedHttp
):
    ana = firm.add_user()
    for name in ("One", "Two", "Three"):
        firm.add_group(name, [ana])
    wire.faults.append(lambda r: failure(403, "rateLimitExceeded", "Slow") if r.method == "DELETE" else None)
    error = await refused(connect().remove_entitlements(ana))
    assert error.kind is ErrorKind.THROTTLED
    assert error.retry_at is not None
    assert len(wire.writes()) == 1


# -- no answer of Google's -------------------------------------------------------------------------------

PAGE = httpx.Response(200, text="<html>Sign in</html>", headers={"content-type": "text/html"})


@pytest.mark.parametrize(
    ("answer", "kind"),
    [
        (PAGE, ErrorKind.RETRYABLE),
        (httpx.Response(404, text="<html>nothing here</html>"), ErrorKind.RETRYABLE),
        (httpx.Response(404, json={"message": "nothing here"}), ErrorKind.RETRYABLE),
        (httpx.Response(500), ErrorKind.RETRYABLE),
        (failure(503, "backendError", "Busy"), ErrorKind.RETRYABLE),
        (httpx.Response(302, headers={"location": "https://elsewhere.test"}), ErrorKind.INVALID),
        (failure(403, "forbidden", "Not Authorized"), ErrorKind.DENIED),
        (failure(403, "accessNotConfigured", "Not enabled"), ErrorKind.DENIED),
        (failure(404, "notFound", "Domain not found."), ErrorKind.INVALID),
        (failure(412, "conditionNotMet", "Precondition Failed"), ErrorKind.CONFLICT),
        (httpx.Response(200, json=[]), ErrorKind.RETRYABLE),
        (httpx.Response(200, json={}), ErrorKind.RETRYABLE),
        (httpx.Response(200, json={"kind": "admin#directory#users", "users": {}}), ErrorKind.RETRYABLE),
        (httpx.Response(200, json={"users": [{"primaryEmail": "x@firm.test"}]}), ErrorKind.RETRYABLE),
    ],
)
async def test_whatever_is_no_list_of_users_is_an_error_and_never_no_account(
    connect: Connect, wire: ValidatedHttp, answer, kind
):
    wire.faults.append(instead("/users", answer))
    for call in (connect().discover(ANA), everybody(connect())):
        error = await refused(call)
        assert error.kind is kind
        assert "<html>" not in error.message


@pytest.mark.parametrize("answer", [PAGE, httpx.Response(500), httpx.Response(404, text="no")])
async def test_an_existence_check_that_fails_is_never_taken_for_gone(
    firm: Workspace, connect: Connect, wire: ValidatedHttp, answer
):
    ana = firm.add_user()
    wire.faults.append(instead(f"/users/{ana}", answer))
    connector = connect()
    for call in (connector.read(ana), connector.suspend(ana), connector.holdings(ana)):
        assert (await refused(call)).kind is ErrorKind.RETRYABLE


async def test_another_user_than_the_one_asked_for_is_an_error(
    firm: Workspace, connect: Connect, wire: ValidatedHttp
):
    ana, ben = firm.add_user(), firm.add_user()
    wire.faults.append(instead(f"/users/{ana}", httpx.Response(200, json=firm.users[ben])))
    assert (await refused(connect().read(ana))).kind is ErrorKind.RETRYABLE


async def test_an_api_that_is_switched_off_is_named_with_the_way_out(connect: Connect, wire: ValidatedHttp):
    wire.faults.append(instead("/users", failure(403, "accessNotConfigured", "Not enabled")))
    assert "Google Cloud project" in (await refused(connect().discover(ANA))).message


# -- pages -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("token", ["1", 7, ["x"]])
async def test_pages_that_repeat_or_have_no_usable_token_are_an_error(
    firm: Workspace, connect: Connect, wire: ValidatedHttp, token
):
    user = firm.users[firm.admin]
    page = {"kind": "admin#directory#users", "users": [user], "nextPageToken": token}
    wire.faults.append(instead("/users", httpx.Response(200, json=page)))
    assert (await refused(everybody(connect()))).kind is ErrorKind.RETRYABLE


async def test_a_page_that_fails_half_way_fails_the_whole_list(
    firm: Workspace, connect: Connect, wire: ValidatedHttp
):
    firm.page_size = 2
    for _ in range(5):
        firm.add_user()
    wire.faults.append(lambda r: httpx.Response(500) if r.url.params.get("pageToken") == "4" else None)
    assert (await refused(everybody(connect()))).kind is ErrorKind.RETRYABLE


async def test_a_user_who_moves_between_pages_is_listed_once(firm: Workspace, connect: Connect, wire):
    firm.page_size = 2
    users = [firm.add_user() for _ in range(5)]

    def grows(request: httpx.Request) -> None:
        if request.url.params.get("pageToken") == "2" and "aaa@firm.test" not in str(firm.users):
            firm.add_user("aaa@firm.test")

    wire.faults.append(grows)
    listed = [account.external_id for account in await everybody(connect())]
    assert len(listed) == len(set(listed))
    assert set(users) <= set(listed)


async def test_an_empty_page_in_between_is_not_the_end(
    firm: Workspace, connect: Connect, wire: ValidatedHttp
):
    def first_is_empty(request: httpx.Request) -> httpx.Response | None:
        if request.url.path.endswith("/users") and "pageToken" not in request.url.params:
            return httpx.Response(200, json={"kind": "admin#directory#users", "nextPageToken": "0"})
        return None

    wire.faults.append(first_is_empty)
    assert [account.login for account in await everybody(connect())] == [ADMIN]


# -- signing in ------------------------------------------------------------------------------------------


async def test_a_token_that_ran_out_is_replaced_and_one_that_lives_is_used_again(
    firm: Workspace, connect: Connect, wire: ValidatedHttp
):
    connector = connect()
    await connector.discover(ANA)
    asked = [r for r in wire.requests if r.url.path == "/token"]
    await connector.discover(ANA)
    assert [r for r in wire.requests if r.url.path == "/token"] == asked
    before = len(wire.requests)
    await connector.discover(ANA)
    for_one = len(wire.requests) - before
    firm.now += timedelta(hours=2)
    await connector.discover(ANA)
    # A new token is asked for at once, and no request wasted on one that is known to have run out.
    assert len(wire.requests) == before + 2 * for_one + 1
    firm.given.clear()  # Google forgets them all
    assert await connector.discover(ANA) == []


async def test_a_token_that_is_refused_again_and_again_is_an_error(connect: Connect, wire: ValidatedHttp):
    wire.faults.append(instead("/users", failure(401, "authError", "Invalid Credentials")))
    error = await refused(connect().discover(ANA))
    assert error.kind is ErrorKind.DENIED
    assert len([r for r in wire.requests if "/users" in r.url.path]) == 2


async def test_each_request_has_a_token_for_one_scope_only(
    firm: Workspace, connect: Connect, wire: ValidatedHttp
):
    ana = firm.add_user()
    firm.add_credentials(ana)
    connector = connect()
    await connector.holdings(ana)
    assert all(" " not in scope for _, scope, _ in firm.given.values())
    assert {who for who, scope, _ in firm.given.values() if scope.startswith("gmail")} == {
        firm.users[ana]["primaryEmail"]
    }
    assert {who for who, scope, _ in firm.given.values() if not scope.startswith("gmail")} == {ADMIN}


async def test_requests_that_begin_together_share_their_tokens(
    firm: Workspace, connect: Connect, wire: ValidatedHttp
):
    connector = connect()
    people = [firm.add_user() for _ in range(4)]
    await asyncio.gather(*(connector.read(person) for person in people))
    scopes = [scope for _, scope, _ in firm.given.values()]
    assert len(scopes) == len(set(scopes)) == 3


@pytest.mark.parametrize(
    "key",
    [
        "not json, canary",
        "[]",
        json.dumps({"client_email": "x", "private_key_id": "y"}),
        KEY_FILE.replace("BEGIN PRIVATE", "BEGIN canary"),
    ],
    # Of fixed names: the key in the last one is made anew in each process.
    ids=["no JSON", "a list", "without a key", "no PEM"],
)
async def test_a_key_that_cannot_be_used_says_so_and_nothing_of_itself(connect: Connect, key):
    error = await refused(connect(key=key).discover(ANA))
    assert error.kind is ErrorKind.DENIED
    assert "canary" not in error.message
    assert "PRIVATE" not in error.message


async def test_the_address_in_the_key_file_is_not_believed(connect: Connect, wire: ValidatedHttp):
    assert "elsewhere.test" in KEY_FILE
    await connect().discover(ANA)
    assert "elsewhere.test" not in {r.url.host for r in wire.requests}


@pytest.mark.parametrize(
    ("answer", "kind"),
    [
        (
            httpx.Response(400, json={"error": "invalid_grant", "error_description": "canary"}),
            ErrorKind.DENIED,
        ),
        (httpx.Response(403, json={"error": "access_denied"}), ErrorKind.DENIED),
        (httpx.Response(400, json={"error": "canary"}), ErrorKind.DENIED),
        (httpx.Response(400, text="canary"), ErrorKind.RETRYABLE),
        (httpx.Response(429, json={"error": "rate"}, headers={"retry-after": "5"}), ErrorKind.THROTTLED),
        (httpx.Response(503), ErrorKind.RETRYABLE),
        (PAGE, ErrorKind.RETRYABLE),
        (httpx.Response(200, json={"expires_in": 3600}), ErrorKind.RETRYABLE),
        (httpx.Response(200, json={"access_token": "x", "expires_in": "soon"}), ErrorKind.RETRYABLE),
    ],
)
async def test_a_sign_in_that_fails_says_what_to_do_and_repeats_nothing_of_it(
    connect: Connect, wire: ValidatedHttp, answer, kind
):
    wire.faults.append(instead("/token", answer))
    error = await refused(connect().discover(ANA))
    assert error.kind is kind
    assert "canary" not in error.message


# -- the connection's test -------------------------------------------------------------------------------


@pytest.mark.parametrize("permission", PERMISSIONS, ids=lambda permission: permission.scope)
async def test_the_connection_test_names_each_scope_that_is_missing_and_the_way_out(
    firm: Workspace, connect: Connect, permission
):
    firm.scopes -= {permission.scope}
    report = await connect(read_only=True).test()
    assert report.ok is permission.is_optional
    assert permission.scope in (report.summary if report.ok else " ".join(report.problems))
    if permission.setting:
        assert f"{permission.setting}: false" in report.problems[0]
        assert (await connect(read_only=True, **{permission.setting: False}).test()).ok


async def test_the_scope_for_licences_is_asked_for_only_where_some_are_named(
    firm: Workspace, connect: Connect
):
    firm.scopes -= {"apps.licensing"}
    assert (await connect().test()).ok
    assert not (await connect(licences=[SKU]).test()).ok


async def test_the_connection_test_says_when_the_administrator_is_no_super_administrator(
    firm: Workspace, connect: Connect
):
    firm.add_super_admin()
    firm.users[firm.admin]["isAdmin"] = False
    report = await connect().test()
    assert report.ok
    assert "no super administrator" in report.summary


async def test_what_a_dry_run_writes_is_nothing_and_secrets_are_nowhere(
    firm: Workspace, connect: Connect, wire: ValidatedHttp
):
    ana = firm.add_user()
    connector = connect(read_only=True)
    for verb in ("block_sign_in", "revoke_sessions", "suspend", "delete"):
        assert (await refused(getattr(connector, verb)(ana))).kind is ErrorKind.UNSUPPORTED
    assert wire.writes() == []
    told = repr(connector._google.account) + str(vars(connector)) + repr(connector.connection)
    assert PRIVATE not in told
    assert not any(token in told for token in firm.given)


@pytest.mark.parametrize("bad", ["", "..", "a/b", "a\nb", "x" * 400])
async def test_an_identifier_that_would_lead_elsewhere_is_refused(connect: Connect, wire: ValidatedHttp, bad):
    assert (await refused(connect().read(bad))).kind is ErrorKind.INVALID
    assert wire.requests == []
