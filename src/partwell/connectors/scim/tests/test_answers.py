"""What the SCIM connector makes of answers that no well-behaved service gives, and real ones do."""

from __future__ import annotations

import asyncio
import contextlib
import json
from datetime import UTC, datetime, timedelta
from typing import Any

import httpx
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

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
from partwell.connector_kit.pacing import LONGEST_PAUSE, retry_at
from partwell.connector_kit.secrets import ReferencedSecrets
from partwell.connector_kit.testing import ScriptedHttp
from partwell.connector_kit.transport import Transport
from partwell.connectors.scim.connector import CONNECTOR, ScimConnector
from partwell.connectors.scim.service import quoted_id, text_filter
from tests.servers.running import free_port

NOW = datetime(2026, 11, 27, 16, 30, tzinfo=UTC)
ANA = {"id": "1", "userName": "ana", "active": True, "emails": [{"value": "ana@firm.test"}]}


def page(*resources: dict[str, Any], total: int | None = None) -> httpx.Response:
    return httpx.Response(
        200, json={"Resources": list(resources), "totalResults": len(resources) if total is None else total}
    )


def connect(handler, *, now=lambda: NOW, **given_settings: Any) -> ScimConnector:
    transport = Transport(
        AllowList(), resolver=lambda host, port: ["93.184.215.14"], http=ScriptedHttp(handler)
    )
    return CONNECTOR(
        Connection(
            name="service",
            settings={
                "url": "https://id.example.com/scim/v2",
                "token": "env:T",
                "groups": False,
                **given_settings,
            },
            secrets=ReferencedSecrets({"T": "secret-canary"}),
            transport=transport,
            now=now,
        )
    )


async def failure(awaitable) -> ConnectorError:
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
        (409, ErrorKind.CONFLICT),
        (429, ErrorKind.THROTTLED),
        (500, ErrorKind.RETRYABLE),
        (501, ErrorKind.UNSUPPORTED),
        (503, ErrorKind.RETRYABLE),
    ],
)
async def test_a_failed_search_is_an_error_and_never_no_account(status, kind):
    connector = connect(lambda request: httpx.Response(status, text="<html>no</html>"))
    error = await failure(connector.discover(Identity(emails=("ana@firm.test",))))
    assert error.kind is kind
    assert "html" not in error.message
    if status == 500:
        assert (await failure(connector.read("1"))).kind is ErrorKind.RETRYABLE


async def test_a_page_that_answers_200_in_the_services_place_is_not_an_answer():
    html = httpx.Response(200, html="<title>Sign in</title>")
    error = await failure(connect(lambda request: html).read("1"))
    assert error.kind is ErrorKind.RETRYABLE
    assert "text/html" in error.message


async def test_a_failure_wrapped_in_a_200_is_a_failure():
    body = {"schemas": ["urn:ietf:params:scim:api:messages:2.0:Error"], "status": "403", "detail": "no"}
    error = await failure(connect(lambda request: httpx.Response(200, json=body)).read("1"))
    assert error.kind is ErrorKind.DENIED


async def test_a_missing_user_is_none_and_the_same_404_on_a_write_is_already_done():
    def gone(request: httpx.Request) -> httpx.Response:
        return page(ANA) if request.url.path.endswith("/Users") else httpx.Response(404)

    connector = connect(gone)
    assert await connector.read("1") is None
    assert (await connector.suspend("1")).outcome is Outcome.ALREADY_DONE
    assert (await connector.verify("1", Verb.SUSPEND)).verdict is Verdict.CONFIRMED


@pytest.mark.parametrize("answer", [httpx.Response(404), httpx.Response(404, html="<h1>Not here</h1>")])
async def test_a_wrong_path_that_knows_nobody_is_not_proof_that_somebody_is_gone(answer):
    connector = connect(lambda request: answer)
    for asking in (connector.read("1"), connector.suspend("1"), connector.verify("1", Verb.SUSPEND)):
        assert (await failure(asking)).kind is ErrorKind.RETRYABLE


async def test_without_groups_nothing_is_said_about_memberships():
    connector = connect(lambda request: httpx.Response(200, json=ANA), groups=False)
    assert (await failure(connector.remove_entitlements("1"))).kind is ErrorKind.UNSUPPORTED
    assert (await connector.verify("1", Verb.REMOVE_ENTITLEMENTS)).verdict is Verdict.UNVERIFIABLE


@pytest.mark.parametrize(
    ("status", "outcome"), [(200, Outcome.DONE), (202, Outcome.ACCEPTED), (204, Outcome.DONE)]
)
async def test_a_service_that_says_yes_and_changes_nothing_is_caught(status, outcome):
    def lying(request: httpx.Request) -> httpx.Response:
        if request.method == "PATCH":
            return httpx.Response(status, **({"json": {**ANA, "active": False}} if status == 200 else {}))
        return httpx.Response(200, json=ANA)

    connector = connect(lying)
    assert (await connector.suspend("1")).outcome is outcome
    verdict = (await connector.verify("1", Verb.SUSPEND)).verdict
    assert verdict is (Verdict.PENDING if status == 202 else Verdict.FAILED)


async def test_what_was_accepted_and_never_came_fails_when_its_time_is_over():
    clock = [NOW]
    connector = connect(
        lambda request: httpx.Response(202) if request.method == "PATCH" else httpx.Response(200, json=ANA),
        now=lambda: clock[0],
        settles_within_seconds=60,
    )
    await connector.suspend("1")
    proof = await connector.verify("1", Verb.SUSPEND)
    assert (proof.verdict, proof.retry_until) == (Verdict.PENDING, NOW + timedelta(seconds=60))
    clock[0] += timedelta(seconds=61)
    assert (await connector.verify("1", Verb.SUSPEND)).verdict is Verdict.FAILED


async def test_a_service_that_ignores_filters_does_not_get_the_wrong_person_cut():
    everybody = [{**ANA, "id": str(n), "userName": f"u{n}", "emails": []} for n in range(3)]
    connector = connect(lambda request: page(*everybody, ANA))
    (account,) = await connector.discover(Identity(emails=("ana@firm.test",)))
    assert account.external_id == "1"


async def test_another_user_than_the_one_asked_for_is_not_read_as_the_account():
    error = await failure(connect(lambda request: httpx.Response(200, json=ANA)).read("2"))
    assert error.kind is ErrorKind.RETRYABLE


async def test_pages_that_repeat_themselves_are_an_error_and_not_the_end():
    error = await failure(
        connect(lambda request: page(ANA, total=5)).discover(Identity(emails=("ana@firm.test",)))
    )
    assert error.kind is ErrorKind.RETRYABLE


async def test_a_service_that_does_not_show_active_is_unverifiable():
    silent = {"id": "1", "userName": "ana"}
    connector = connect(lambda request: httpx.Response(200, json=silent))
    assert (await connector.read("1")).is_active is None
    assert (await connector.verify("1", Verb.SUSPEND)).verdict is Verdict.UNVERIFIABLE


async def test_one_group_that_refuses_does_not_stop_the_others():
    left: list[str] = []

    def handler(request: httpx.Request) -> httpx.Response:
        if request.method == "PATCH":
            group = request.url.path.rpartition("/")[2]
            if group == "g1":
                return httpx.Response(503)
            left.append(group)
            return httpx.Response(204)
        if request.url.path.endswith("/Groups"):
            return page(*({"id": g, "displayName": g, "members": [{"value": "1"}]} for g in ("g1", "g2")))
        return httpx.Response(200, json=ANA)

    error = await failure(connect(handler, groups=True).remove_entitlements("1"))
    assert (error.kind, left) == (ErrorKind.RETRYABLE, ["g2"])
    assert "1 of 2" in error.message


@pytest.mark.parametrize(
    ("header", "seconds"),
    [("120", 120), ("Fri, 27 Nov 2026 16:32:00 GMT", 120), ("", 60), ("soon", 60), ("-5", 60)],
)
async def test_a_throttled_call_says_when_to_come_back(header, seconds):
    connector = connect(lambda request: httpx.Response(429, headers={"retry-after": header}))
    error = await failure(connector.read("1"))
    assert (error.kind, error.retry_at) == (ErrorKind.THROTTLED, NOW + timedelta(seconds=seconds))


@given(st.text(max_size=60))
def test_no_retry_after_makes_us_wait_for_ever_or_go_back_in_time(header):
    assert NOW <= retry_at(header, now=NOW) <= NOW + LONGEST_PAUSE


@given(st.text(max_size=80))
def test_a_filter_holds_exactly_one_comparison_whatever_the_value(value):
    attribute, operator, literal = text_filter("userName", value).split(" ", 2)
    assert (attribute, operator) == ("userName", "eq")
    assert json.loads(literal) == value


@given(st.text(min_size=1, max_size=40))
def test_an_identifier_never_names_another_path(value):
    try:
        quoted = quoted_id(value)
    except ConnectorError:
        assert value in (".", "..")
        return
    except UnicodeEncodeError:
        return
    assert not set("/?#") & set(quoted)
    assert httpx.URL(f"https://id.example.com/Users/{quoted}").path == f"/Users/{value}"


@settings(max_examples=60, deadline=None)
@given(
    st.recursive(
        st.none() | st.booleans() | st.integers() | st.text(max_size=5),
        lambda inner: (
            st.lists(inner, max_size=3)
            | st.dictionaries(
                st.sampled_from(["id", "Resources", "totalResults", "active", "emails", "members"]), inner
            )
        ),
        max_leaves=8,
    )
)
def test_no_answer_makes_anything_but_a_result_or_a_connector_error(body):
    connector = connect(lambda request: httpx.Response(200, json=body), groups=True)
    for ask in (
        lambda: connector.discover(Identity(emails=("ana@firm.test",))),
        lambda: connector.read("1"),
        lambda: connector.suspend("1"),
        lambda: connector.verify("1", Verb.REMOVE_ENTITLEMENTS),
        connector.test,
    ):
        with contextlib.suppress(ConnectorError):
            asyncio.run(ask())


async def test_a_server_that_is_down_is_retryable():
    connector = CONNECTOR(
        Connection(
            name="service",
            settings={"url": f"http://127.0.0.1:{free_port()}", "allow_plain": True, "token": "env:T"},
            secrets=ReferencedSecrets({"T": "secret-canary"}),
            transport=Transport(AllowList.parse(["127.0.0.1"])),
            now=lambda: NOW,
        )
    )
    assert (await failure(connector.read("1"))).kind is ErrorKind.RETRYABLE


async def test_a_server_that_does_not_answer_is_given_up_in_time():
    async def silence(reader, writer):
        await reader.read()
        writer.close()

    server = await asyncio.start_server(silence, "127.0.0.1", 0)
    connector = CONNECTOR(
        Connection(
            name="service",
            settings={
                "url": f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}",
                "allow_plain": True,
                "token": "env:T",
                "timeout_seconds": 0.2,
            },
            secrets=ReferencedSecrets({"T": "secret-canary"}),
            transport=Transport(AllowList.parse(["127.0.0.1"])),
            now=lambda: NOW,
        )
    )
    try:
        error = await failure(connector.read("1"))
    finally:
        server.close()
    assert error.kind is ErrorKind.RETRYABLE
    assert "0.2 seconds" in error.message


async def listed(connector: ScimConnector) -> list[Any]:
    return [account async for users in connector.list_accounts() for account in users]


async def test_everybody_is_listed_with_what_they_are_known_by():
    number = {"urn:ietf:params:scim:schemas:extension:enterprise:2.0:User": {"employeeNumber": "E-1"}}
    (ana,) = await listed(connect(lambda request: page({**ANA, **number}), protected=["ANA"]))
    assert (ana.external_id, ana.login, ana.emails) == ("1", "ana", ("ana@firm.test",))
    assert (ana.employee_number, ana.is_active, ana.is_protected) == ("E-1", True, True)


@pytest.mark.parametrize(
    "later",
    [
        pytest.param(httpx.Response(503), id="fails"),
        pytest.param(page(ANA, total=3), id="repeats itself"),
        pytest.param(page(total=3), id="ends early"),
        pytest.param(page({**ANA, "id": "2"}, total=2), id="shrinks"),
        pytest.param(page({"userName": "b"}, total=3), id="names no id"),
        pytest.param(httpx.Response(200, html="<h1>Sign in</h1>"), id="is a web page"),
    ],
)
async def test_a_list_that_breaks_off_is_never_all_there_are(later):
    first = page(ANA, total=3)
    error = await failure(
        listed(connect(lambda request: first if request.url.params["startIndex"] == "1" else later))
    )
    assert error.kind is ErrorKind.RETRYABLE


async def test_a_service_without_users_has_no_accounts():
    assert await listed(connect(lambda request: page())) == []
