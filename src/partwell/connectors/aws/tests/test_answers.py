"""What the AWS connector makes of answers that are no good, and of those that fail."""

from __future__ import annotations

from datetime import timedelta

import httpx
import pytest

from partwell.connector_kit.contract import ConnectorError, ErrorKind, Identity, Outcome, Verb
from partwell.connectors.aws import permissions
from partwell.connectors.aws.service import Service
from partwell.connectors.aws.tests.query_contract import contract
from partwell.connectors.aws.tests.world import refused

ANA = Identity(emails=("ana@firm.test",))


def failing(model, action, answer):
    """The model, but for one action."""

    def answers(request):
        if f"Action={action}&".encode() in request.content:
            return answer() if callable(answer) else answer
        return model(request)

    return answers


def error(code, status=400, headers=None):
    body = f'<ErrorResponse xmlns="https://iam.amazonaws.com/doc/2010-05-08/"><Error><Type>Sender</Type><Code>{code}</Code>'
    body += "<Message>As AWS says.</Message></Error><RequestId>r-1</RequestId></ErrorResponse>"
    return httpx.Response(
        status, headers={"x-amzn-requestid": "r-1", **(headers or {})}, content=body.encode()
    )


@pytest.mark.parametrize(
    ("code", "status", "kind"),
    [
        ("AccessDenied", 403, ErrorKind.DENIED),
        ("InvalidClientTokenId", 403, ErrorKind.DENIED),
        ("SignatureDoesNotMatch", 403, ErrorKind.DENIED),
        ("RequestExpired", 400, ErrorKind.DENIED),
        ("Throttling", 400, ErrorKind.THROTTLED),
        ("RequestLimitExceeded", 503, ErrorKind.THROTTLED),
        ("ServiceFailure", 500, ErrorKind.RETRYABLE),
        ("SomethingNew", 500, ErrorKind.RETRYABLE),
        ("ConcurrentModification", 409, ErrorKind.RETRYABLE),
        ("EntityTemporarilyUnmodifiable", 409, ErrorKind.RETRYABLE),
        ("ValidationError", 400, ErrorKind.INVALID),
        ("NoSuchEntity", 404, ErrorKind.NOT_FOUND),
    ],
)
async def test_a_failed_list_is_an_error_and_never_no_account(connect, model, ana, code, status, kind):
    connector = connect(failing(model, "GetAccountAuthorizationDetails", error(code, status)))
    with refused(kind) as refusal:
        await connector.discover(ANA)
    assert refusal.value.request_id == "r-1"
    with refused(kind):
        _ = [page async for page in connector.list_accounts()]
    with refused(kind):
        await connect(failing(model, "ListUsers", error(code, status))).read(ana.id)


async def test_throttling_says_when_to_try_again(connect, model, ana, clock):
    connector = connect(failing(model, "GetUser", error("Throttling")))
    with refused(ErrorKind.THROTTLED) as refusal:
        await connector.read(ana.id)
    assert refusal.value.retry_at == clock.now + timedelta(seconds=60)
    told = error("Throttling", headers={"retry-after": "7"})
    with refused(ErrorKind.THROTTLED) as refusal:
        await connect(failing(model, "GetUser", told)).read(ana.id)
    assert refusal.value.retry_at == clock.now + timedelta(seconds=7)


@pytest.mark.parametrize("status", [200, 302, 403, 404, 500])
async def test_a_page_in_awss_place_is_no_answer_and_nobody_is_gone_by_it(connect, model, ana, status):
    page = httpx.Response(status, html="<title>Sign in</title>")
    for action in ("GetUser", "ListUsers", "GetLoginProfile", "GetAccessKeyLastUsed"):
        for asking in (
            connect(failing(model, action, page)).read(ana.id),
            connect(failing(model, action, page)).verify(ana.id, Verb.SUSPEND),
            connect(failing(model, action, page)).suspend(ana.id),
        ):
            with refused(ErrorKind.RETRYABLE) as refusal:
                await asking
            assert "something else answers" in refusal.value.message
    assert ana.has_password


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"not xml",
        b"<ListUsersResponse/>",
        b"<GetUserResponse><GetUserResult/></GetUserResponse>",
        b'<!DOCTYPE x [<!ENTITY a "aaaa">]><ListUsersResponse><a>&a;</a></ListUsersResponse>',
        b"<ListUsersResponse><ListUsersResult><Users><member>x</member></Users></ListUsersResult></ListUsersResponse>",
    ],
)
async def test_xml_that_is_not_what_was_asked_for_says_nothing_about_anybody(connect, model, ana, body):
    answer = httpx.Response(200, headers={"content-type": "text/xml"}, content=body)
    with pytest.raises(ConnectorError) as refusal:
        await connect(failing(model, "ListUsers", answer)).read(ana.id)
    assert refusal.value.kind is ErrorKind.RETRYABLE


async def test_a_list_without_the_place_of_its_next_page_is_broken(connect, model, ana):
    lost = contract("iam").write("ListUsers", {"Users": [], "IsTruncated": True})
    with refused(ErrorKind.RETRYABLE) as refusal:
        await connect(failing(model, "ListUsers", httpx.Response(200, content=lost))).read(ana.id)
    assert "does not say where" in refusal.value.message


async def test_pages_that_repeat_themselves_end(connect, model, ana):
    again = contract("iam").write("ListUsers", {"Users": [], "IsTruncated": True, "Marker": "same"})
    with refused(ErrorKind.RETRYABLE) as refusal:
        await connect(failing(model, "ListUsers", lambda: httpx.Response(200, content=again))).read(ana.id)
    assert "repeat" in refusal.value.message


async def test_a_user_that_is_listed_and_not_shown_is_neither_there_nor_gone(connect, model, ana):
    connector = connect(failing(model, "GetUser", error("NoSuchEntity", 404)))
    for asking in (connector.read(ana.id), connector.verify(ana.id, Verb.DELETE)):
        with refused(ErrorKind.RETRYABLE):
            await asking


async def test_what_is_gone_when_it_is_to_be_taken_away_was_not_needed(connect, model, ana):
    connector = connect(failing(model, "RemoveUserFromGroup", error("NoSuchEntity", 404)))
    receipt = await connector.remove_entitlements(ana.id)
    assert receipt.outcome is Outcome.DONE
    assert receipt.response["request_ids"]


@pytest.mark.parametrize("given", ["", "x", "ana", "AIDA/../..", "AIDA 000000000000"])
async def test_what_is_no_identifier_is_said_to_be_none(connect, model, given):
    with refused(ErrorKind.INVALID):
        await connect(model).read(given)
    assert model.asked == []


@pytest.mark.parametrize("code", ["AccessDenied", "SignatureDoesNotMatch", "ValidationError", "Throttling"])
async def test_no_error_holds_a_secret(connect, model, ana, code):
    connector = connect(failing(model, "GetUser", error(code, 403)))
    with pytest.raises(ConnectorError) as refusal:
        await connector.suspend(ana.id)
    assert "canary" not in refusal.value.message
    assert "canary" not in repr(refusal.value)
    assert "canary" not in str(vars(connector))


@pytest.mark.parametrize("action", [*permissions.ON_USERS, *permissions.ON_GROUPS, *permissions.TO_DELETE])
async def test_a_dry_run_lets_no_changing_request_out_whoever_makes_it(connect, model, action):
    service = Service(connect(model, read_only=True).connection)
    with refused(ErrorKind.UNSUPPORTED):
        await service.tell(action.removeprefix("iam:"), UserName="ana")
    assert model.asked == []
