"""How declared requests leave: credentials, typed bodies, quoted texts, several requests for one verb."""

from __future__ import annotations

import base64
import json
from typing import Any

import httpx
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from partwell.connector_kit.addresses import AllowList
from partwell.connector_kit.contract import ConnectorError, ErrorKind, Identity, Outcome, Verb
from partwell.connector_kit.testing import ScriptedHttp
from partwell.connector_kit.transport import Transport
from partwell.connectors.http.connector import HttpConnector
from partwell.connectors.http.tests.connecting import connect

TEXT = """
kind: http
id: small
title: Small
summary: A service with few words.
settings:
  token: {description: The secret., secret: true}
  user: {description: The user name.}
auth: AUTH
limits: {requests_per_minute: 60}
account: {id: /id, login: /login, is_active: {at: /locked, active: [false], inactive: [true]}}
test: {method: GET, path: /ping, success: {status: [204]}, absent: {never: true}}
find:
  - by: username
    request:
      method: POST
      path: /search
      changes_nothing: true
      body: {where: {login: "{value}", ql: "login = {value|json}", limit: 5, exact: true, none: null}}
      success: {status: [200]}
      absent: {never: true}
    items: ""
read: {method: GET, path: "/users/{account.id}", success: {status: [200]}, absent: {status: [410]}}
verbs:
  suspend:
    requests:
      - method: POST
        path: /lock
        body: {user: "{account.id|integer}", by: "{settings.user}"}
        success: {status: [204]}
        absent: {status: [410]}
      - method: DELETE
        path: /users/{account.id}/keys
        success: {status: [204]}
        absent: {status: [410]}
    done_when: [{at: /locked, equals: true}]
"""
BEARER = "{bearer: token}"


class Service:
    """Answers, and keeps what was sent."""

    def __init__(self, **odd: int) -> None:
        self.sent: list[httpx.Request] = []
        self.odd = odd
        self.login = "ana"
        self.id: Any = 7

    def answer(self, request: httpx.Request) -> httpx.Response:
        self.sent.append(request)
        last = request.url.path.rsplit("/", 1)[-1]
        if last in self.odd:
            return httpx.Response(self.odd[last])
        if last == "search":
            return httpx.Response(200, json=[{"id": self.id, "login": self.login}])
        if request.method == "GET" and last != "ping":
            return httpx.Response(200, json={"id": self.id, "login": self.login, "locked": False})
        return httpx.Response(204)

    def connector(self, auth: str = BEARER, *, read_only: bool = False) -> HttpConnector:
        transport = Transport(
            AllowList(),
            resolver=lambda host, port: ["93.184.215.14"],
            http=ScriptedHttp(self.answer),
            read_only=read_only,
        )
        text = TEXT.replace("AUTH", auth)
        return connect(text, "https://small.example/api/", token="s3cret", transport=transport, user="robot")

    def bodies(self) -> list[Any]:
        return [json.loads(request.content) for request in self.sent if request.content]


@pytest.mark.parametrize(
    ("auth", "header", "value"),
    [
        (BEARER, "authorization", "Bearer s3cret"),
        (
            "{username: user, password: token}",
            "authorization",
            "Basic " + base64.b64encode(b"robot:s3cret").decode(),
        ),
        ("{header: X-Api-Key, secret: token}", "x-api-key", "s3cret"),
    ],
)
async def test_credentials_go_where_the_file_says(auth, header, value):
    service = Service()
    assert (await service.connector(auth).test()).ok
    (request,) = service.sent
    assert request.headers[header] == value
    assert str(request.url).endswith("/api/ping")
    assert "s3cret" not in str(request.url)


async def test_numbers_stay_numbers_and_constants_stay_as_they_are():
    service = Service()
    assert (await service.connector().suspend("7")).outcome is Outcome.DONE
    assert service.bodies() == [{"user": 7, "by": "robot"}]
    service.id = "seven"
    with pytest.raises(ConnectorError) as refusal:
        await service.connector().suspend("seven")
    assert refusal.value.kind is ErrorKind.INVALID
    assert len(service.bodies()) == 1


@settings(deadline=None)
@given(st.text(min_size=1, max_size=40))
async def test_no_name_changes_the_shape_of_a_body(login):
    service = Service()
    service.login = login
    (account,) = await service.connector(read_only=True).discover(Identity(emails=(), usernames=(login,)))
    assert account.login == login
    (body,) = service.bodies()
    quoted = body["where"].pop("ql").removeprefix("login = ")
    assert json.loads(quoted) == login
    assert body == {"where": {"login": login, "limit": 5, "exact": True, "none": None}}


async def test_a_verb_of_two_requests_that_stops_half_way_says_so():
    service = Service(keys=500)
    with pytest.raises(ConnectorError) as half:
        await service.connector().suspend("7")
    assert half.value.kind is ErrorKind.RETRYABLE
    assert "1 of 2 requests are done" in half.value.message
    assert "DELETE /users/{account.id}/keys" in half.value.message


async def test_a_verb_that_puts_nothing_back_refuses_to():
    connector = Service().connector()
    assert not hasattr(connector, "restore")
    snapshot = await connector.snapshot("7")
    with pytest.raises(ConnectorError) as refusal:
        await connector.put_back("7", Verb.SUSPEND, snapshot)
    assert refusal.value.kind is ErrorKind.UNSUPPORTED
