"""What is shown of a call: all that would be sent, and none of the secrets."""

from __future__ import annotations

import json
from urllib.parse import quote

import httpx
import pytest
from hypothesis import given
from hypothesis import strategies as st

from partwell.connector_kit.addresses import AllowList
from partwell.connector_kit.calls import HIDDEN, MOST_CALLS, Call, Notes, NotingSecrets
from partwell.connector_kit.contract import ConnectorError
from partwell.connector_kit.secrets import ReferencedSecrets
from partwell.connector_kit.testing import ScriptedHttp
from partwell.connector_kit.transport import Transport

CANARY = 'c4n/ry +&"ö'


def noted(call: Call) -> str:
    notes = Notes()
    assert NotingSecrets(ReferencedSecrets({"TOKEN": CANARY}), notes).resolve("env:TOKEN") == CANARY
    notes.note(call)
    (kept,), _ = notes.take()
    return json.dumps(kept.as_dict(), ensure_ascii=False)


@pytest.mark.parametrize(
    "body",
    [
        {"active": False, "note": f"sent with {CANARY}"},
        {"list": [{"deep": (CANARY,)}]},
        {CANARY: 1},
        json.dumps({"active": False, "key": CANARY}).encode(),
        f"user=ada&key={quote(CANARY, safe='')}".encode(),
        f"plain {CANARY}",
    ],
)
def test_a_secret_that_was_resolved_is_shown_nowhere(body: object) -> None:
    shown = noted(Call("PATCH", f"https://idp.firm.example/Users/7?key={quote(CANARY, safe='')}", body))
    assert HIDDEN in shown
    for form in (
        CANARY,
        quote(CANARY, safe=""),
        json.dumps(CANARY)[1:-1],
        json.dumps(CANARY, ensure_ascii=False)[1:-1],
    ):
        assert form not in shown


@pytest.mark.parametrize(
    "name", ["password", "newPassword", "client_secret", "access_token", "apiKey", "credentials"]
)
def test_what_a_field_calls_a_secret_is_not_shown(name: str) -> None:
    shown = noted(
        Call("POST", "https://idp.firm.example/x", {"user": {name: "never-resolved", "login": "ada"}})
    )
    assert "never-resolved" not in shown
    assert "ada" in shown


def test_what_is_no_secret_is_shown_as_it_would_be_sent() -> None:
    body = {"schemas": ["urn:x"], "Operations": [{"op": "replace", "path": "active", "value": False}]}
    assert json.loads(noted(Call("PATCH", "https://idp.firm.example/Users/7", body))) == {
        "method": "PATCH",
        "target": "https://idp.firm.example/Users/7",
        "body": body,
    }


@given(
    st.recursive(
        st.none() | st.booleans() | st.integers() | st.text(),
        lambda x: st.lists(x) | st.dictionaries(st.text(), x),
    )
)
def test_whatever_is_sent_along_can_be_kept_and_stays_small(body: object) -> None:
    assert len(noted(Call("POST", "x", body))) < 20_000


def test_beyond_the_most_calls_are_counted() -> None:
    notes = Notes()
    for number in range(MOST_CALLS + 5):
        notes.note(Call("DELETE", str(number)))
    calls, total = notes.take()
    assert (len(calls), total) == (MOST_CALLS, MOST_CALLS + 5)
    assert notes.take() == ([], 0)


async def test_a_transport_that_shows_calls_sends_nothing_that_changes_anything() -> None:
    sent = []

    def answer(request: httpx.Request) -> httpx.Response:
        sent.append(request.method)
        return httpx.Response(200, content=b"{}")

    notes = Notes()
    transport = Transport(
        AllowList(),
        read_only=True,
        notes=notes,
        resolver=lambda host, port: ["93.184.215.14"],
        http=ScriptedHttp(answer),
    )
    await transport.request("GET", "https://idp.firm.example/Users/7")
    told = await transport.request(
        "DELETE", "https://idp.firm.example/Users/7", headers={"authorization": "Bearer x"}, expects=204
    )
    assert (sent, told.status) == (["GET"], 204)
    assert not transport.may_write(Call("modify", "uid=ada"))
    calls, _ = notes.take()
    assert [(call.method, call.target) for call in calls] == [
        ("DELETE", "https://idp.firm.example/Users/7"),
        ("modify", "uid=ada"),
    ]
    plain = Transport(AllowList(), read_only=True)
    with pytest.raises(ConnectorError):
        plain.may_write(Call("modify", "uid=ada"))
