"""What the GitHub connector makes of refusals, of full rate limits, and of answers that are none."""

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
from partwell.connectors.github.connector import CONNECTOR
from partwell.connectors.github.tests.model import Github
from partwell.connectors.github.tests.wording import APP, MANAGED, NOW, ORG, TOKEN, Connect, refusal
from tests.vendor_openapi import Fault, ValidatedHttp

ANA = Identity(emails=(), usernames=("ana-silva",))


def instead(answer: httpx.Response, *, of: str = "/") -> Fault:
    return lambda request: (
        answer
        if request.url.path.startswith(of)
        and not request.url.path.endswith(("/installation", "/access_tokens"))
        else None
    )


async def refused(awaitable) -> ConnectorError:
    with pytest.raises(ConnectorError) as caught:
        await awaitable
    assert "canary" not in caught.value.message
    return caught.value


@pytest.mark.parametrize(
    ("status", "kind"),
    [
        (301, ErrorKind.INVALID),
        (401, ErrorKind.DENIED),
        (403, ErrorKind.DENIED),
        (404, ErrorKind.RETRYABLE),
        (409, ErrorKind.CONFLICT),
        (422, ErrorKind.INVALID),
        (429, ErrorKind.THROTTLED),
        (500, ErrorKind.RETRYABLE),
        (503, ErrorKind.RETRYABLE),
    ],
)
async def test_a_failure_is_an_error_and_never_no_account(
    github: Github, connect: Connect, wire: ValidatedHttp, status, kind
):
    ana = str(github.add_member("ana-silva"))
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


async def test_a_page_that_answers_200_in_githubs_place_is_not_an_answer(
    connect: Connect, wire: ValidatedHttp
):
    wire.faults.append(instead(httpx.Response(200, html="<title>Sign in</title>")))
    assert (await refused(connect().read("1"))).kind is ErrorKind.RETRYABLE


async def test_somebody_else_than_was_asked_for_is_not_read_as_the_account(
    github: Github, connect: Connect, wire: ValidatedHttp
):
    other = github.users[github.add_member("other")]
    wire.faults.append(instead(httpx.Response(200, json=other), of="/user/"))
    assert (await refused(connect().read("7"))).kind is ErrorKind.RETRYABLE


@pytest.mark.parametrize("external_id", ["", "abc", "1/2", "..", "-1", "٣", "9" * 30])
async def test_what_is_no_identifier_of_ours_is_refused(connect: Connect, external_id):
    assert (await refused(connect().read(external_id))).kind is ErrorKind.INVALID


@pytest.mark.parametrize(
    ("status", "message", "headers", "seconds"),
    [
        (403, "You have exceeded a secondary rate limit", {"retry-after": "30"}, 30),
        (403, "You have exceeded a secondary rate limit", {}, 60),
        (429, "Too many requests", {}, 60),
        (
            403,
            "API rate limit exceeded",
            {"x-ratelimit-remaining": "0", "x-ratelimit-reset": str(int(NOW.timestamp()) + 900)},
            900,
        ),
    ],
)
async def test_a_full_rate_limit_says_when_to_come_back(
    connect: Connect, wire: ValidatedHttp, status, message, headers, seconds
):
    wire.faults.append(instead(refusal(status, message, **headers)))
    error = await refused(connect().read("1"))
    assert (error.kind, error.retry_at) == (ErrorKind.THROTTLED, NOW + timedelta(seconds=seconds))


@pytest.mark.parametrize(
    ("headers", "words"),
    [
        (
            {"x-accepted-github-permissions": "members=write", "x-ratelimit-remaining": "12"},
            "permission members=write",
        ),
        ({"x-accepted-oauth-scopes": "admin:org"}, "scope admin:org"),
        ({"x-github-sso": "required; url=https://github.com/orgs/firm/sso"}, "single sign-on"),
        ({}, "an owner's"),
    ],
)
async def test_what_a_token_lacks_is_named(connect: Connect, wire: ValidatedHttp, headers, words):
    wire.faults.append(instead(refusal(403, "Resource not accessible", **headers)))
    error = await refused(connect().read("1"))
    assert error.kind is ErrorKind.DENIED
    assert words in error.message


async def test_pages_that_repeat_themselves_are_an_error_and_not_the_end(
    github: Github, connect: Connect, wire: ValidatedHttp
):
    user = github.users[github.own]
    page = httpx.Response(200, json=[user], headers={"link": '<https://api.github.com/x?page=2>; rel="next"'})
    wire.faults.append(instead(page, of=f"/orgs/{ORG}/members"))
    connector = connect()
    with pytest.raises(ConnectorError) as caught:
        [page async for page in connector.list_accounts()]
    assert caught.value.kind is ErrorKind.RETRYABLE


async def test_a_full_page_without_addresses_is_followed_by_the_next(
    github: Github, connect: Connect, wire: ValidatedHttp
):
    """A proxy that drops the `Link` header must not cut the list short."""
    ids = {str(github.add_member(f"member-{n}")) for n in range(150)}

    def without_links(request: httpx.Request) -> httpx.Response | None:
        if request.url.path != f"/orgs/{ORG}/members":
            return None
        whole = github.answer(request)
        return httpx.Response(200, content=whole.content, headers={"content-type": "application/json"})

    wire.faults.append(without_links)
    listed = {each.external_id async for page in connect().list_accounts() for each in page}
    assert ids <= listed


# -- signing in ------------------------------------------------------------------------------------------


async def test_an_installations_token_is_asked_for_once_and_renewed_before_it_runs_out(
    github: Github, connect: Connect
):
    ana, connector = str(github.add_member("ana-silva")), connect()
    await connector.read(ana)
    await connector.read(ana)
    assert len(github.given) == 1
    github.now += timedelta(minutes=59)
    await connector.read(ana)
    assert len(github.given) == 2


async def test_a_token_that_github_withdrew_is_replaced_once(github: Github, connect: Connect):
    ana, connector = str(github.add_member("ana-silva")), connect()
    await connector.read(ana)
    github.given.clear()
    assert (await connector.read(ana)).external_id == ana
    assert len(github.given) == 1


async def test_a_personal_token_that_is_not_valid_is_asked_with_once(github: Github, connect: Connect, wire):
    wire.faults.append(instead(refusal(401, "Bad credentials")))
    error = await refused(connect(**TOKEN).read("1"))
    assert error.kind is ErrorKind.DENIED
    assert len(wire.requests) == 1


@pytest.mark.parametrize("key", ["no key canary", '{"kty": "oct", "k": "canary"}', "-----BEGIN"])
async def test_a_key_that_is_none_is_refused_without_being_repeated(wire: ValidatedHttp, key):
    connector = CONNECTOR(
        Connection(
            name="github",
            settings=APP,
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
    ("status", "word"), [(401, "app_id"), (403, "suspended"), (404, "not installed"), (503, "asked again")]
)
async def test_an_app_that_gets_no_token_says_what_to_look_at(
    connect: Connect, wire: ValidatedHttp, status, word
):
    wire.faults.append(
        lambda request: refusal(status, "canary") if request.url.path.endswith("/installation") else None
    )
    error = await refused(connect().read("1"))
    assert error.kind is (ErrorKind.RETRYABLE if status == 503 else ErrorKind.DENIED)
    assert word in error.message


async def test_the_connection_test_names_what_an_app_may_not_change(github: Github, connect: Connect):
    github.permissions |= {"members": "read"}
    del github.permissions["organization_personal_access_tokens"]
    report = await connect().test()
    assert not report.ok
    words = " ".join(report.problems)
    assert "'members: write'" in words and "'organization_personal_access_tokens: write'" in words
    assert "administration" not in words
    github.permissions |= {"members": "write", "organization_personal_access_tokens": "write"}
    github.permissions["organization_custom_org_roles"] = "read"
    assert (await connect().test()).ok


async def test_the_connection_test_says_what_is_hidden(github: Github, connect: Connect, wire: ValidatedHttp):
    wire.faults.append(instead(refusal(404, "Not Found"), of=f"/orgs/{ORG}/organization-roles"))
    report = await connect(**TOKEN).test()
    assert not report.ok
    assert report.summary.startswith("organization-roles: ")
    assert (await connect(**TOKEN, organization_roles=False).test()).ok
    assert (await connect(**MANAGED).test()).ok


@pytest.mark.parametrize(
    "given",
    [
        {},
        {"organization": ORG},
        {"organization": ORG, "app_id": "1"},
        {**APP, **TOKEN},
        {"organization": ORG, "token": "the-token-canary"},
        {"organization": ORG, "private_key": "the-key-canary"},
        {"organization": "a/b", "token": "env:T"},
        {"managed_users": True},
        {**TOKEN, "enterprise": "firm-group"},
        {**TOKEN, "url": "http://api.github.com"},
    ],
)
def test_settings_that_cannot_work_are_refused_before_they_are_kept(given):
    problems = settings_problems(find("github").manifest, given)
    assert problems
    assert "canary" not in repr(problems)


@pytest.mark.parametrize(
    "given", [APP, TOKEN, MANAGED, {**APP, "enterprise": "e", "enterprise_token": "env:E"}]
)
def test_settings_that_can_work_are_taken(given):
    assert settings_problems(find("github").manifest, given) == []


# -- answers of any shape --------------------------------------------------------------------------------


@settings(max_examples=60, deadline=None)
@given(
    st.recursive(
        st.none() | st.booleans() | st.integers() | st.text(max_size=5),
        lambda inner: (
            st.lists(inner, max_size=3)
            | st.dictionaries(
                st.sampled_from(
                    ["id", "login", "user", "role", "state", "roles", "Resources", "totalResults"]
                ),
                inner,
            )
        ),
        max_leaves=8,
    ),
    st.sampled_from([TOKEN, {**TOKEN, "saml": True, "scan_repositories": True}, MANAGED]),
)
def test_no_answer_makes_anything_but_a_result_or_a_connector_error(body, given):
    connector = CONNECTOR(
        Connection(
            name="github",
            settings=given,
            secrets=ReferencedSecrets({"TOKEN": "x", "ENTERPRISE": "y"}),
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

    identifier = str(body.get("id")) if isinstance(body, dict) else "1"
    for ask in (
        everybody,
        lambda: connector.discover(ANA),
        lambda: connector.discover(Identity(emails=("ana@firm.test",), employee_number="1")),
        lambda: connector.read(identifier),
        lambda: connector.holdings(identifier),
        lambda: connector.snapshot(identifier),
        lambda: connector.suspend(identifier),
        lambda: connector.revoke_tokens(identifier),
        lambda: connector.remove_entitlements(identifier),
        *(lambda verb=verb: connector.verify(identifier, verb) for verb in Verb),
        connector.test,
    ):
        with contextlib.suppress(ConnectorError):
            asyncio.run(ask())
