"""What the Okta connector makes of refusals, of a full rate limit, and of answers that are none."""

from __future__ import annotations

import asyncio
import contextlib
from datetime import timedelta

import httpx
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from partwell.connector_kit.addresses import AllowList
from partwell.connector_kit.contract import Connection, ConnectorError, ErrorKind, Identity, Verb
from partwell.connector_kit.registry import find, settings_problems
from partwell.connector_kit.secrets import ReferencedSecrets
from partwell.connector_kit.testing import ScriptedHttp
from partwell.connector_kit.transport import Transport
from partwell.connectors.okta.connector import CONNECTOR
from partwell.connectors.okta.service import quoted
from partwell.connectors.okta.tests.model import OktaOrg
from partwell.connectors.okta.tests.wording import APP, KEY_PEM, NOW, TOKEN_PATH, URL, Connect
from tests.vendor_openapi import Fault, ValidatedHttp

ANA = Identity(emails=("ana@firm.test",))


def instead(answer: httpx.Response, *, of: str = "/api/v1/") -> Fault:
    return lambda request: answer if request.url.path.startswith(of) else None


async def refused(awaitable) -> ConnectorError:
    with pytest.raises(ConnectorError) as caught:
        await awaitable
    assert "canary" not in caught.value.message
    return caught.value


@pytest.mark.parametrize(
    ("status", "kind"),
    [
        (301, ErrorKind.INVALID),
        (400, ErrorKind.INVALID),
        (401, ErrorKind.DENIED),
        (403, ErrorKind.DENIED),
        (404, ErrorKind.RETRYABLE),
        (409, ErrorKind.CONFLICT),
        (429, ErrorKind.THROTTLED),
        (500, ErrorKind.RETRYABLE),
        (503, ErrorKind.RETRYABLE),
    ],
)
async def test_a_failure_is_an_error_and_never_no_account(
    org: OktaOrg, connect: Connect, wire: ValidatedHttp, status, kind
):
    ana = org.add_user("ana@firm.test")
    wire.faults.append(instead(httpx.Response(status, text="<html>canary</html>")))
    connector = connect()
    for asking in (
        connector.discover(ANA),
        connector.read(ana),
        connector.holdings(ana),
        connector.suspend(ana),
        connector.verify(ana, Verb.SUSPEND),
    ):
        error = await refused(asking)
        assert error.kind is kind
        assert "html" not in error.message


async def test_a_page_that_answers_200_in_oktas_place_is_not_an_answer(connect: Connect, wire: ValidatedHttp):
    wire.faults.append(instead(httpx.Response(200, html="<title>Sign in</title>")))
    assert (await refused(connect().read("00u1"))).kind is ErrorKind.RETRYABLE


async def test_another_user_than_the_one_asked_for_is_not_read_as_the_account(
    org: OktaOrg, connect: Connect, wire: ValidatedHttp
):
    wire.faults.append(instead(httpx.Response(200, json=org.users[org.add_user()])))
    assert (await refused(connect().read("00uOther"))).kind is ErrorKind.RETRYABLE


@pytest.mark.parametrize(
    ("headers", "seconds"),
    [
        ({"x-rate-limit-reset": str(int(NOW.timestamp()) + 40)}, 40),
        # our clock and Okta's differ by five minutes: what counts is the pause by Okta's
        (
            {
                "x-rate-limit-reset": str(int(NOW.timestamp()) + 340),
                "date": "Fri, 27 Nov 2026 16:35:00 GMT",
            },
            40,
        ),
        ({"x-rate-limit-reset": "0"}, 0),
        ({"x-rate-limit-reset": "soon"}, 60),
        ({"retry-after": "7"}, 7),
        ({}, 60),
    ],
)
async def test_a_full_rate_limit_says_when_to_come_back(
    connect: Connect, wire: ValidatedHttp, headers, seconds
):
    wire.faults.append(instead(httpx.Response(429, headers=headers)))
    error = await refused(connect().read("00u1"))
    assert (error.kind, error.retry_at) == (ErrorKind.THROTTLED, NOW + timedelta(seconds=seconds))


# -- signing in ------------------------------------------------------------------------------------------


async def test_an_access_token_is_asked_for_once_and_renewed_before_it_runs_out(
    org: OktaOrg, connect: Connect
):
    ana, connector = org.add_user(), connect()
    await connector.read(ana)
    await connector.read(ana)
    assert len(org.tokens_given) == 1
    org.now += timedelta(minutes=59, seconds=30)
    await connector.read(ana)
    assert len(org.tokens_given) == 2


async def test_a_token_that_okta_withdrew_is_replaced_once(org: OktaOrg, connect: Connect):
    ana, connector = org.add_user(), connect()
    await connector.read(ana)
    org.tokens_given.clear()
    assert (await connector.read(ana)).external_id == ana
    assert len(org.tokens_given) == 1


async def test_a_scope_that_is_missing_is_named(org: OktaOrg, connect: Connect):
    org.scopes -= {"okta.roles.read"}
    error = await refused(connect().discover(ANA))
    assert error.kind is ErrorKind.DENIED
    assert "okta.roles.read" in error.message


async def test_a_right_that_the_role_lacks_is_named_by_its_scope(org: OktaOrg, connect: Connect):
    ana = org.add_user()
    connector = connect()
    await connector.read(ana)
    org.scopes -= {"okta.users.manage"}
    error = await refused(connector.suspend(ana))
    assert error.kind is ErrorKind.DENIED
    assert "scope okta.users.manage" in error.message and "administrator role" in error.message


@pytest.mark.parametrize("key", ["no key canary", '{"kty": "oct", "k": "canary"}', "{canary", "-----BEGIN"])
async def test_a_key_that_is_none_is_refused_without_being_repeated(wire: ValidatedHttp, key):
    connector = CONNECTOR(
        Connection(
            name="okta",
            settings={"url": URL, **APP},
            secrets=ReferencedSecrets({"KEY": key}),
            transport=Transport(AllowList(), resolver=lambda host, port: ["93.184.215.14"], http=wire),
            now=lambda: NOW,
        )
    )
    report = await connector.test()
    assert not report.ok
    assert "private key" in report.summary
    assert "canary" not in repr(report) and "canary" not in str(vars(connector))


@pytest.mark.parametrize(
    ("answer", "kind", "word"),
    [
        (httpx.Response(401, json={"error": "invalid_client"}), ErrorKind.DENIED, "client_id"),
        (httpx.Response(400, json={"error": "invalid_dpop_proof"}), ErrorKind.DENIED, "DPoP"),
        (httpx.Response(200, json={"access_token": ""}), ErrorKind.DENIED, "credentials"),
        (httpx.Response(200, json=["canary"]), ErrorKind.DENIED, "credentials"),
        (httpx.Response(200, html="canary"), ErrorKind.RETRYABLE, "not JSON"),
        (httpx.Response(503), ErrorKind.RETRYABLE, "503"),
    ],
)
async def test_a_refused_sign_in_says_what_to_look_at(
    connect: Connect, wire: ValidatedHttp, answer, kind, word
):
    wire.faults.append(instead(answer, of=TOKEN_PATH))
    error = await refused(connect().read("00u1"))
    assert error.kind is kind
    assert word in error.message


async def test_the_connection_test_names_every_scope_that_is_missing(org: OktaOrg, connect: Connect):
    org.add_user()
    connector = connect()
    await connector.discover(ANA)
    missing = {"okta.logs.read", "okta.apiTokens.read"}
    org.scopes -= missing
    report = await connector.test()
    assert not report.ok
    assert {scope for scope in missing if scope in " ".join(report.problems)} == missing


@pytest.mark.parametrize(
    "given",
    [
        {},
        {"token": "env:T", **APP},
        {"client_id": "x"},
        {"token": "the-token-canary"},
        {"private_key": "the-key-canary"},
        {"url": "http://x"},
    ],
)
def test_settings_that_cannot_work_are_refused_before_they_are_kept(given):
    problems = settings_problems(find("okta").manifest, {"url": URL, **given})
    assert problems
    assert "canary" not in repr(problems)


# -- answers of any shape --------------------------------------------------------------------------------


@given(st.text(max_size=60))
def test_a_filter_holds_exactly_one_value_whatever_it_is(value):
    literal = quoted(value)
    inner = literal[1:-1].replace("\\\\", "").replace('\\"', "")
    assert literal[0] == literal[-1] == '"' and '"' not in inner


@settings(max_examples=60, deadline=None)
@given(
    st.recursive(
        st.none() | st.booleans() | st.integers() | st.text(max_size=5),
        lambda inner: (
            st.lists(inner, max_size=3)
            | st.dictionaries(
                st.sampled_from(["id", "status", "profile", "type", "_embedded", "value", "login", "target"]),
                inner,
            )
        ),
        max_leaves=8,
    )
)
def test_no_answer_makes_anything_but_a_result_or_a_connector_error(body):
    connector = CONNECTOR(
        Connection(
            name="okta",
            settings={"url": URL, "token": "env:T", "group_owners": True},
            secrets=ReferencedSecrets({"T": KEY_PEM[:20]}),
            transport=Transport(
                AllowList(),
                resolver=lambda host, port: ["93.184.215.14"],
                http=ScriptedHttp(lambda request: httpx.Response(200, json=body)),
            ),
            now=lambda: NOW,
        )
    )

    async def everybody() -> None:
        async for _ in connector.list_accounts():
            pass

    identifier = body.get("id") if isinstance(body, dict) else None
    known = identifier if isinstance(identifier, str) else "1"
    for ask in (
        everybody,
        lambda: connector.discover(ANA),
        lambda: connector.discover(Identity(emails=(), employee_number="1")),
        lambda: connector.read(known),
        lambda: connector.holdings(known),
        lambda: connector.snapshot(known),
        lambda: connector.suspend(known),
        lambda: connector.revoke_tokens(known),
        lambda: connector.remove_entitlements(known),
        lambda: connector.revoke_sessions(known),
        *(lambda verb=verb: connector.verify(known, verb) for verb in Verb),
        connector.test,
    ):
        with contextlib.suppress(ConnectorError):
            asyncio.run(ask())
