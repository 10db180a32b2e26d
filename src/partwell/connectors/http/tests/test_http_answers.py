"""What a declared HTTP connector makes of answers that its file does not declare, and of hostile people."""

from __future__ import annotations

import json
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any
from urllib.parse import parse_qs, unquote, urlsplit

import httpx
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from partwell.connector_kit.addresses import AllowList
from partwell.connector_kit.contract import ConnectorError, ErrorKind, Identity, Outcome, Verb, Verdict
from partwell.connector_kit.testing import ScriptedHttp
from partwell.connector_kit.transport import Transport
from partwell.connectors.http.connector import HttpConnector
from partwell.connectors.http.tests.connecting import DIRECTORY, changed, connect
from partwell.connectors.http.tests.directory import TOKEN, Directory, Seen, directory

NOW = datetime(2026, 11, 27, 16, 30, tzinfo=UTC)


@pytest.fixture
def target() -> Iterator[Directory]:
    with directory() as running:
        running.add_person()
        yield running


def to(target: Directory, text: str = DIRECTORY, **more: Any) -> HttpConnector:
    return connect(text, target.url, token=TOKEN, **{"tenant": "firm", **more})


def only(target: Directory) -> dict[str, Any]:
    (person,) = target.users.values()
    return person


async def failure(awaitable: Any) -> ConnectorError:
    with pytest.raises(ConnectorError) as caught:
        await awaitable
    assert "canary" not in caught.value.message
    return caught.value


def answering(status: int, content: Any = None, headers: dict[str, str] | None = None, **where: Any) -> Any:
    """Misbehave at one method and one path's end."""

    def odd(seen: Seen) -> Any:
        if seen.method == where.get("method", "GET") and seen.segments[-1] == where["at"]:
            return status, content, headers or {}
        return None

    return odd


@pytest.mark.parametrize("status", [500, 502, 400, 409, 418, 404, 301, 204])
async def test_an_existence_check_that_fails_is_never_no_account(target, status):
    person = only(target)
    target.misbehave = answering(status, None, at=person["id"])
    for asking in (
        to(target).read(person["id"]),
        to(target).suspend(person["id"]),
        to(target).verify(person["id"], Verb.SUSPEND),
    ):
        assert (await failure(asking)).kind in (ErrorKind.RETRYABLE, ErrorKind.INVALID)
    assert target.writes() == []


@pytest.mark.parametrize("status", [404, 500])
async def test_a_failed_search_is_an_error_and_never_no_account(target, status):
    target.misbehave = answering(status, at="users")
    assert (await failure(to(target).discover(Identity(emails=("x@firm.test",))))).kind is ErrorKind.RETRYABLE


async def test_an_absence_is_believed_only_while_the_test_answers(target):
    connector = to(target)
    assert await connector.read("u-0") is None
    target.misbehave = answering(503, at="about")
    assert (await failure(connector.read("u-0"))).kind is ErrorKind.RETRYABLE
    assert (await failure(connector.verify("u-0", Verb.SUSPEND))).kind is ErrorKind.RETRYABLE


@pytest.mark.parametrize("status", [500, 404, 400, 409, 201])
async def test_a_change_whose_answer_is_not_declared_is_no_success(target, status):
    person = only(target)
    target.misbehave = answering(status, {"error": "?"}, method="PATCH", at=person["id"])
    assert (await failure(to(target).suspend(person["id"]))).kind is ErrorKind.RETRYABLE
    assert person["state"] == "active"


async def test_a_sign_in_page_that_answers_200_is_no_success(target):
    person = only(target)
    page = ("<title>Sign in</title>", {"content-type": "text/html"})
    for method in ("GET", "PATCH"):
        target.misbehave = answering(200, *page, method=method, at=person["id"])
        error = await failure(to(target).suspend(person["id"]))
        assert error.kind is ErrorKind.RETRYABLE
        assert "HTML" in error.message


async def test_a_yes_that_changes_nothing_is_found_by_reading_back(target):
    person = only(target)
    target.misbehave = answering(200, {"ok": True}, method="PATCH", at=person["id"])
    connector = to(target)
    assert (await connector.suspend(person["id"])).outcome is Outcome.DONE
    assert (await connector.verify(person["id"], Verb.SUSPEND)).verdict is Verdict.FAILED


async def test_a_change_that_is_accepted_is_pending_and_then_failed(target):
    person, moment = only(target), [NOW]
    target.misbehave = answering(202, method="PATCH", at=person["id"])
    connector = to(target, now=lambda: moment[0])
    assert (await connector.suspend(person["id"])).outcome is Outcome.ACCEPTED
    proof = await connector.verify(person["id"], Verb.SUSPEND)
    assert (proof.verdict, proof.retry_until) == (Verdict.PENDING, NOW + timedelta(seconds=300))
    moment[0] += timedelta(seconds=301)
    assert (await connector.verify(person["id"], Verb.SUSPEND)).verdict is Verdict.FAILED


async def test_what_nothing_can_read_back_is_accepted_at_most_and_never_verified(target):
    person = only(target)
    text = changed(DIRECTORY, "    done_when: [{at: /state, equals: disabled}]\n", "")
    connector = to(target, text)
    assert (await connector.suspend(person["id"])).outcome is Outcome.ACCEPTED
    proof = await connector.verify(person["id"], Verb.SUSPEND)
    assert proof.verdict is Verdict.UNVERIFIABLE


async def test_an_answer_that_does_not_show_it_is_unverifiable_and_not_a_proof(target):
    person = only(target)
    text = changed(DIRECTORY, "at: /state, equals: disabled", "at: /stale, equals: disabled")
    proof = await to(target, text).verify(person["id"], Verb.SUSPEND)
    assert proof.verdict is Verdict.UNVERIFIABLE


async def test_sessions_that_are_not_found_at_a_wrong_path_are_not_gone(target):
    person = only(target)
    target.misbehave = answering(404, {"error": "no_such_user"}, at="sessions")
    proof = await to(target).verify(person["id"], Verb.REVOKE_SESSIONS)
    assert proof.verdict is Verdict.UNVERIFIABLE


async def test_text_and_number_are_never_the_same(target):
    person = only(target)
    target.sessions[person["id"]] = "0"  # type: ignore[assignment]
    assert (await to(target).verify(person["id"], Verb.REVOKE_SESSIONS)).verdict is Verdict.FAILED
    target.sessions[person["id"]] = False
    assert (await to(target).verify(person["id"], Verb.REVOKE_SESSIONS)).verdict is Verdict.FAILED
    target.sessions[person["id"]] = 0
    assert (await to(target).verify(person["id"], Verb.REVOKE_SESSIONS)).verdict is Verdict.CONFIRMED


async def test_one_group_that_refuses_stops_no_other_and_is_no_success(target):
    person = only(target)
    sales = next(group for group in target.groups if group.startswith("sales"))
    refused = (500, None, {})
    target.misbehave = lambda seen: refused if seen.method == "DELETE" and sales in seen.target else None
    error = await failure(to(target).remove_entitlements(person["id"]))
    assert error.kind is ErrorKind.RETRYABLE
    assert "2 of 3 groups are done" in error.message
    assert [each["id"] for each in target.groups_of(person["id"])] == [sales]
    proof = await to(target).verify(person["id"], Verb.REMOVE_ENTITLEMENTS)
    assert proof.verdict is Verdict.FAILED
    target.misbehave = lambda seen: None
    assert (await to(target).remove_entitlements(person["id"])).outcome is Outcome.DONE


async def test_a_membership_that_somebody_else_ended_is_no_error(target):
    person = only(target)
    gone = (404, {"error": "no_such_member"}, {})
    target.misbehave = lambda seen: gone if seen.method == "DELETE" else None
    assert (await to(target).remove_entitlements(person["id"])).outcome is Outcome.DONE


async def test_a_group_that_is_gone_cannot_be_joined_again_and_is_named(target):
    person, connector = only(target), to(target)
    snapshot = await connector.snapshot(person["id"])
    await connector.remove_entitlements(person["id"])
    del target.groups[next(group for group in target.groups if group.startswith("sales"))]
    error = await failure(connector.restore(person["id"], Verb.REMOVE_ENTITLEMENTS, snapshot))
    assert "2 of 3 groups are done" in error.message
    assert "Sales" in error.message


async def test_a_person_who_was_deleted_meanwhile_is_already_done(target):
    person = only(target)

    def delete(seen: Seen) -> Any:
        if seen.method == "PATCH":
            target.users.clear()
        return None

    target.misbehave = delete
    assert (await to(target).suspend(person["id"])).outcome is Outcome.ALREADY_DONE


async def test_throttling_says_when_to_come_back(target):
    target.misbehave = answering(429, None, {"retry-after": "30"}, at="about")
    error = await failure(to(target, now=lambda: NOW)._client.check_alive())
    assert (error.kind, error.retry_at) == (ErrorKind.THROTTLED, NOW + timedelta(seconds=30))


async def test_a_refusal_says_what_the_credentials_need(target):
    target.misbehave = answering(403, at="users")
    error = await failure(to(target).discover(Identity(emails=("x@firm.test",))))
    assert error.kind is ErrorKind.DENIED
    assert "users:read" in error.message


async def test_somebody_of_whom_nothing_is_known_that_can_be_asked_is_not_called_absent(target):
    text = DIRECTORY.split("  - by: username")[0] + "\nread:" + DIRECTORY.split("\nread:")[1]
    error = await failure(to(target, text).discover(Identity(emails=(), usernames=("ana",))))
    assert error.kind is ErrorKind.UNSUPPORTED


@pytest.mark.parametrize(
    "page",
    [
        {"users": "none"},
        {"members": []},
        [],
        {"users": [3]},
        {"users": [{"id": None, "login": "x"}]},
        {"users": [{"id": True, "login": "x"}]},
    ],
)
async def test_a_list_of_another_shape_is_an_error_and_never_nobody(target, page):
    target.misbehave = answering(200, page, at="users")
    assert (await failure(to(target).discover(Identity(emails=("x@firm.test",))))).kind is ErrorKind.RETRYABLE


async def all_of(connector: HttpConnector) -> list[str]:
    return [each.external_id async for page in connector.list_accounts() for each in page]


async def test_pages_that_repeat_or_end_early_or_never_are_errors(target):
    for _ in range(4):
        target.add_person()
    users = list(target.users.values())
    for odd in (
        {"users": users[:2], "total": 5},  # ignores the page that is asked for
        {"users": [], "total": 5},  # ends before its own count
    ):
        target.misbehave = answering(200, odd, at="users")
        assert (await failure(all_of(to(target)))).kind is ErrorKind.RETRYABLE
    target.misbehave = lambda seen: None
    bounded = changed(DIRECTORY, "first: 1, total: /total", "first: 1, total: /total, max_pages: 2")
    assert (await failure(all_of(to(target, bounded)))).kind is ErrorKind.INVALID
    assert len(await all_of(to(target))) == 5


@pytest.mark.parametrize(
    "link", ["http://127.0.0.2:1/firm/users", "//evil.example/users", "https://evil.example/"]
)
async def test_a_next_page_elsewhere_is_not_followed(target, link):
    person = only(target)
    page = {"users": [person]}
    target.misbehave = answering(200, page, {"link": f'<{link}>; rel="next"'}, at="users")
    error = await failure(to(target).discover(Identity(emails=(person["mail"],))))
    assert error.kind is ErrorKind.RETRYABLE
    assert "another address" in error.message


async def test_a_next_page_that_is_the_same_page_is_an_error(target):
    person = only(target)
    target.misbehave = answering(200, {"users": []}, {"link": "<?mail=x>; rel=next"}, at="users")
    error = await failure(to(target).discover(Identity(emails=(person["mail"],))))
    assert error.kind is ErrorKind.RETRYABLE


async def test_pages_that_the_file_does_not_know_of_are_an_error_and_not_left_out(target):
    person = only(target)
    text = changed(DIRECTORY, "    paging: {style: link}\n", "")
    assert len(await to(target, text).discover(Identity(emails=(person["mail"],)))) == 1
    target.misbehave = answering(200, {"users": []}, {"link": "<?page=2>; rel=next"}, at="users")
    error = await failure(to(target, text).discover(Identity(emails=(person["mail"],))))
    assert error.kind is ErrorKind.RETRYABLE


async def test_an_answer_about_somebody_else_is_not_believed(target):
    other = target.add_person()
    first = next(iter(target.users))
    target.misbehave = answering(200, other, at=first)
    assert (await failure(to(target).suspend(first))).kind is ErrorKind.RETRYABLE
    assert target.writes() == []


# -- people whose data is hostile ------------------------------------------------------------------------

HOSTILE = st.one_of(
    st.text(max_size=40),
    st.text(alphabet="/\\.?#&=%{}\"'\r\n @:;ab|", max_size=20),
    st.sampled_from(
        [
            "..", ".", "../admins/1", "a/../../x", "x?admin=true", "x#y", "%2e%2e%2f", "\r\nHost: evil",
            '"}, "admin": true, "x": "', "{settings.token}", "{account.id}", "@evil.example",
            "//evil.example",
        ]
    ),
)  # fmt: skip


async def sent_for(identity: Identity, account_id: str | None = None) -> list[httpx.Request]:
    """All requests that are sent for hostile data, as they leave."""
    sent: list[httpx.Request] = []

    def answer(request: httpx.Request) -> httpx.Response:
        sent.append(request)
        path = request.url.path
        if path.endswith("/about"):
            return httpx.Response(200, json={"product": "staff directory"})
        if request.method == "GET" and path.endswith("/users"):
            return httpx.Response(200, json={"users": []})
        if path.endswith("/groups"):
            return httpx.Response(200, json={"groups": [{"id": account_id, "name": account_id}]})
        if request.method == "GET":
            return httpx.Response(200, json={"id": account_id, "login": account_id, "state": "active"})
        return httpx.Response(204 if request.method == "DELETE" else 200)

    public = ["93.184.215.14"]
    transport = Transport(AllowList(), resolver=lambda host, port: public, http=ScriptedHttp(answer))
    connector = connect(
        DIRECTORY, "https://id.example.com/api", token=TOKEN, transport=transport, tenant="firm"
    )
    try:
        if account_id is None:
            await connector.discover(identity)
        else:
            await connector.suspend(account_id)
            await connector.remove_entitlements(account_id)
    except ConnectorError as error:
        assert error.kind is ErrorKind.INVALID or "nothing at" in error.message
    return sent


@settings(deadline=None)
@given(HOSTILE, HOSTILE, HOSTILE)
async def test_no_name_changes_where_or_what_is_searched(mail, login, number):
    sent = await sent_for(Identity(emails=(mail,), usernames=(login,), employee_number=number))
    for request in sent:
        assert request.headers["host"] == "id.example.com"
        assert request.headers["authorization"] == f"Bearer {TOKEN}"
        assert urlsplit(str(request.url)).path == "/api/firm/users"
        query = parse_qs(request.url.query.decode(), keep_blank_values=True, strict_parsing=True)
        ((name, values),) = query.items()
        assert values == [{"mail": mail, "login": login, "staff_number": number}[name]]
    assert len(sent) == sum(map(bool, (mail, login, number)))


@settings(deadline=None)
@given(HOSTILE)
async def test_no_identifier_changes_what_is_asked_or_written(account_id):
    for request in await sent_for(Identity(emails=()), account_id):
        assert request.headers["host"] == "id.example.com"
        assert not request.url.query
        segments = request.url.raw_path.decode().split("/")
        assert segments[1:3] == ["api", "firm"]
        assert segments[3] in ("users", "groups", "about")
        assert all(unquote(part) not in (".", "..") and "/" not in unquote(part) for part in segments)
        assert account_id in [unquote(part) for part in segments] or segments[3] == "about"
        if request.method == "PATCH":
            assert json.loads(request.content) == {"state": "disabled", "by": "partwell"}
