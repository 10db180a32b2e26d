"""What the Matrix connector makes of answers that a healthy Synapse does not give, and real ones do."""

from __future__ import annotations

import asyncio
import contextlib
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
    JobState,
    TransferKind,
    TransferRequest,
    Verb,
    Verdict,
)
from partwell.connector_kit.secrets import ReferencedSecrets
from partwell.connector_kit.testing import ScriptedHttp
from partwell.connector_kit.transport import Transport
from partwell.connectors.matrix.connector import CONNECTOR, MatrixConnector
from partwell.connectors.matrix.service import segment

NOW = datetime(2026, 11, 27, 16, 30, tzinfo=UTC)
ANA_ID = "@ana:firm.test"
ANA = {
    "name": ANA_ID,
    "admin": False,
    "deactivated": False,
    "locked": False,
    "suspended": False,
    "threepids": [{"medium": "email", "address": "ana@firm.test"}],
}
LOCKED_ANA = {**ANA, "locked": True, "suspended": True}
ANAS = Identity(emails=("ana@firm.test",), usernames=("ana",))


def refusal(status: int, code: str, **more: Any) -> httpx.Response:
    return httpx.Response(status, json={"errcode": code, "error": "No.", **more})


def synapse(*, ana: dict[str, Any] | None = ANA, **answers: httpx.Response):
    """A homeserver with one user; `answers` stand for what paths that end so give instead."""

    def answer(request: httpx.Request) -> httpx.Response:
        path = request.url.path
        for end, given_answer in answers.items():
            if path.endswith(end):
                return given_answer
        if path.endswith("/whoami"):
            return httpx.Response(200, json={"user_id": "@partwell:firm.test"})
        if path.endswith("/devices"):
            return httpx.Response(200, json={"devices": [], "total": 0})
        if path.endswith("/joined_rooms"):
            return httpx.Response(200, json={"joined_rooms": [], "total": 0})
        if path.endswith("/login"):
            return httpx.Response(200, json={"access_token": "probe-token-canary"})
        if path.endswith("/logout"):
            return httpx.Response(200, json={})
        if path.endswith("/email/users/ana@firm.test"):
            return httpx.Response(200, json={"user_id": ANA_ID})
        if path.endswith(f"/v2/users/{ANA_ID}") and ana is not None:
            return httpx.Response(200, json=ana)
        return refusal(404, "M_NOT_FOUND")

    return answer


def connect(handler, **given_settings: Any) -> MatrixConnector:
    transport = Transport(
        AllowList(), resolver=lambda host, port: ["93.184.215.14"], http=ScriptedHttp(handler)
    )
    return CONNECTOR(
        Connection(
            name="chat",
            settings={"url": "https://matrix.example.com", "token": "env:T", **given_settings},
            secrets=ReferencedSecrets({"T": "secret-canary"}),
            transport=transport,
            now=lambda: NOW,
        )
    )


async def failure(awaitable) -> ConnectorError:
    with pytest.raises(ConnectorError) as caught:
        await awaitable
    assert "canary" not in caught.value.message
    return caught.value


async def everybody(connector: MatrixConnector) -> list[str]:
    return [account.login async for page in connector.list_accounts() for account in page]


@pytest.mark.parametrize(
    ("answer", "kind"),
    [
        (httpx.Response(301, headers={"location": "https://elsewhere.test"}), ErrorKind.INVALID),
        (refusal(400, "M_INVALID_PARAM"), ErrorKind.INVALID),
        (refusal(401, "M_UNKNOWN_TOKEN"), ErrorKind.DENIED),
        (refusal(403, "M_FORBIDDEN"), ErrorKind.DENIED),
        (refusal(404, "M_UNRECOGNIZED"), ErrorKind.RETRYABLE),
        (httpx.Response(404, text="<html>Not here</html>"), ErrorKind.RETRYABLE),
        (refusal(429, "M_LIMIT_EXCEEDED", retry_after_ms=1500), ErrorKind.THROTTLED),
        (httpx.Response(500, text="<html>no</html>"), ErrorKind.RETRYABLE),
        (httpx.Response(200, html="<title>Sign in</title>"), ErrorKind.RETRYABLE),
        (httpx.Response(200, json=[]), ErrorKind.RETRYABLE),
        (httpx.Response(200, json={"name": "@bob:firm.test"}), ErrorKind.RETRYABLE),
    ],
)
async def test_a_failed_search_is_an_error_and_never_no_account(answer, kind):
    connector = connect(synapse(**{f"/v2/users/{ANA_ID}": answer}))
    for ask in (connector.discover(ANAS), connector.read(ANA_ID), connector.verify(ANA_ID, Verb.SUSPEND)):
        error = await failure(ask)
        assert error.kind is kind
        assert "html" not in error.message.replace("text/html", "")


async def test_a_proxy_that_hides_the_admin_api_proves_nobody_gone():
    connector = connect(synapse(**{"users/ana@firm.test": refusal(404, "M_UNRECOGNIZED")}))
    error = await failure(connector.discover(Identity(emails=("ana@firm.test",))))
    assert error.kind is ErrorKind.RETRYABLE
    assert "admin API" in error.message


@pytest.mark.parametrize(
    ("answer", "seconds"),
    [
        (refusal(429, "M_LIMIT_EXCEEDED", retry_after_ms=1500), 2),
        (httpx.Response(429, headers={"retry-after": "120"}), 120),
        (httpx.Response(429, text="slow down"), 60),
        (refusal(429, "M_LIMIT_EXCEEDED", retry_after_ms=-5), 60),
    ],
)
async def test_a_throttled_call_says_when_to_come_back(answer, seconds):
    error = await failure(connect(synapse(whoami=answer)).discover(ANAS))
    assert (error.kind, error.retry_at) == (ErrorKind.THROTTLED, NOW + timedelta(seconds=seconds))


async def test_a_server_that_says_yes_and_does_not_lock_is_caught():
    connector = connect(synapse())
    await connector.block_sign_in(ANA_ID)
    assert (await connector.verify(ANA_ID, Verb.BLOCK_SIGN_IN)).verdict is Verdict.FAILED


async def test_a_server_that_shows_locked_and_lets_people_in_is_caught():
    def lets_in(request: httpx.Request) -> httpx.Response:
        return synapse(ana=LOCKED_ANA)(request)

    proof = await connect(lets_in).verify(ANA_ID, Verb.SUSPEND)
    assert proof.verdict is Verdict.FAILED
    assert "let in" in proof.probe


@pytest.mark.parametrize(
    ("answer", "kind"),
    [
        (refusal(401, "M_UNKNOWN_TOKEN"), ErrorKind.RETRYABLE),
        (refusal(500, "M_UNKNOWN"), ErrorKind.RETRYABLE),
        (refusal(429, "M_LIMIT_EXCEEDED"), ErrorKind.THROTTLED),
        (httpx.Response(502, text="bad gateway"), ErrorKind.RETRYABLE),
        (httpx.Response(403, text="<html>firewall</html>"), ErrorKind.DENIED),
    ],
)
async def test_a_probe_that_was_refused_for_another_reason_proves_nothing(answer, kind):
    asked: list[str] = []

    def handler(request: httpx.Request) -> httpx.Response:
        as_ana = request.headers["authorization"] == "Bearer probe-token-canary"
        if as_ana:
            asked.append(request.url.path.rpartition("/")[2])
        if as_ana and request.url.path.endswith("/whoami"):
            return answer
        return synapse(ana=LOCKED_ANA)(request)

    assert (await failure(connect(handler).verify(ANA_ID, Verb.SUSPEND))).kind is kind
    assert asked == ["whoami", "logout"]


async def test_a_list_that_breaks_off_is_never_all_there_are():
    def page(*names: str, total: int, **more: Any) -> httpx.Response:
        return httpx.Response(200, json={"users": [{"name": n} for n in names], "total": total, **more})

    for pages in (
        [page(ANA_ID, total=3)],
        [page(ANA_ID, total=3, next_token="2")],
        [page(ANA_ID, total=3, next_token="1"), page(ANA_ID, total=3, next_token="2")],
        [page(ANA_ID, total=3, next_token="1"), page("@bob:firm.test", total=2)],
        [page(ANA_ID, total=3, next_token="1"), page(total=3)],
        [page(ANA_ID, total=3, next_token="1"), httpx.Response(502, text="no")],
        [httpx.Response(200, json={"users": [{}], "total": 1})],
        [httpx.Response(200, json={"total": 0})],
    ):
        left = list(pages)

        def handler(request: httpx.Request, left=left) -> httpx.Response:
            return left.pop(0) if request.url.path.endswith("/v2/users") else synapse()(request)

        assert (await failure(everybody(connect(handler)))).kind is ErrorKind.RETRYABLE


async def test_devices_that_are_counted_and_not_listed_are_not_none():
    connector = connect(synapse(devices=httpx.Response(200, json={"devices": [], "total": 2})))
    assert (await failure(connector.verify(ANA_ID, Verb.REVOKE_SESSIONS))).kind is ErrorKind.RETRYABLE
    assert (await failure(connector.revoke_sessions(ANA_ID))).kind is ErrorKind.RETRYABLE


async def test_a_synapse_that_cannot_lock_is_told_by_the_test_of_the_connection():
    old = {"name": "@partwell:firm.test", "admin": True, "deactivated": False}
    report = await connect(synapse(**{"/v2/users/@partwell:firm.test": httpx.Response(200, json=old)})).test()
    assert not report.ok
    assert "too old" in report.summary


async def test_a_successor_who_declined_is_asked_again_and_a_room_that_refuses_is_named():
    asked: list[str] = []
    state = {
        "m.room.create": [{"type": "m.room.create", "sender": ANA_ID, "content": {"room_version": "10"}}],
        "m.room.power_levels": [
            {"type": "m.room.power_levels", "content": {"users": {ANA_ID: 100, "@bob:firm.test": 100}}}
        ],
        "m.room.member": [
            {"type": "m.room.member", "state_key": ANA_ID, "content": {"membership": "join"}},
            {"type": "m.room.member", "state_key": "@bob:firm.test", "content": {"membership": "leave"}},
        ],
    }

    def handler(request: httpx.Request) -> httpx.Response:
        path = request.url.path
        if path.endswith("/make_room_admin"):
            asked.append(path)
            return refusal(400, "M_UNKNOWN")
        if path.endswith("/joined_rooms"):
            return httpx.Response(200, json={"joined_rooms": ["!r:firm.test"], "total": 1})
        if path.endswith("/state"):
            # An older server takes no type and gives everything.
            return httpx.Response(200, json={"state": [event for kind in state.values() for event in kind]})
        if path.endswith("/rooms/!r:firm.test"):
            return httpx.Response(200, json={"name": "Board"})
        if path.endswith("/v2/users/@bob:firm.test"):
            return httpx.Response(200, json={**ANA, "name": "@bob:firm.test", "threepids": []})
        return synapse()(request)

    job = await connect(handler).transfer(ANA_ID, TransferRequest(TransferKind.OBJECTS, "bob"))
    assert (job.state, len(asked)) == (JobState.FAILED, 1)
    assert "Board" in job.summary


@pytest.mark.parametrize("handle", ["", "objects", "objects|a", "mailbox|a|b"])
async def test_a_hand_over_that_was_never_begun_is_not_found_by_guessing(handle):
    assert (await failure(connect(synapse()).job(handle))).kind is ErrorKind.INVALID


@given(st.text(max_size=60))
def test_an_identifier_never_names_another_path(value):
    try:
        quoted = segment(value)
    except ConnectorError:
        return
    assert not set("/?#") & set(quoted)
    assert httpx.URL(f"https://m.test/users/{quoted}").path == f"/users/{value}"


@settings(max_examples=60, deadline=None)
@given(
    st.recursive(
        st.none() | st.booleans() | st.integers() | st.text(max_size=5) | st.just(ANA_ID),
        lambda inner: (
            st.lists(inner, max_size=3)
            | st.dictionaries(
                st.sampled_from(
                    [
                        "name",
                        "user_id",
                        "threepids",
                        "total",
                        "users",
                        "devices",
                        "joined_rooms",
                        "state",
                        "type",
                        "content",
                        "pushers",
                        "locked",
                        "admin",
                        "last_seen_ts",
                    ]
                ),
                inner,
            )
        ),
        max_leaves=8,
    )
)
def test_no_answer_makes_anything_but_a_result_or_a_connector_error(body):
    everywhere = connect(lambda request: httpx.Response(200, json=body))
    late = connect(
        lambda request: (
            synapse()(request)
            if request.url.path.endswith(("/whoami", ANA_ID))
            else httpx.Response(200, json=body)
        )
    )
    for connector in (everywhere, late):
        for ask in (
            lambda c=connector: c.discover(ANAS),
            lambda c=connector: c.read(ANA_ID),
            lambda c=connector: c.holdings(ANA_ID),
            lambda c=connector: c.suspend(ANA_ID),
            lambda c=connector: c.verify(ANA_ID, Verb.SUSPEND),
            lambda c=connector: everybody(c),
            connector.test,
        ):
            with contextlib.suppress(ConnectorError):
                asyncio.run(ask())
