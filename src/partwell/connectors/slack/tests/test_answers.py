"""What the Slack connector makes of refusals, of missing scopes, and of answers that are none."""

from __future__ import annotations

import asyncio
import contextlib
import re
from datetime import timedelta
from pathlib import Path

import httpx
import pytest
import yaml
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from partwell.connector_kit.contract import ConnectorError, ErrorKind, Identity, Verb, Verdict
from partwell.connector_kit.limiter import Limiter
from partwell.connectors.slack import connector as module
from partwell.connectors.slack.tests.slack_model import ALL_SCOPES, SCIM_TOKEN, SCOPES, TOKEN
from partwell.connectors.slack.tests.web_contract import Broken
from partwell.connectors.slack.tests.workspace import MISSING, OTHER_TEAM, TEAM

ANA = Identity(emails=("ana@firm.example",))


async def failure(awaitable) -> ConnectorError:
    with pytest.raises(ConnectorError) as caught:
        await awaitable
    assert "canary" not in caught.value.message
    return caught.value


@pytest.mark.parametrize(
    ("code", "kind"),
    [
        ("internal_error", ErrorKind.RETRYABLE),
        ("fatal_error", ErrorKind.RETRYABLE),
        ("team_added_to_org", ErrorKind.RETRYABLE),
        ("ratelimited", ErrorKind.THROTTLED),
        ("missing_scope", ErrorKind.DENIED),
        ("not_allowed_token_type", ErrorKind.DENIED),
        ("invalid_auth", ErrorKind.DENIED),
        ("token_revoked", ErrorKind.DENIED),
        ("user_not_visible", ErrorKind.DENIED),
        ("feature_not_enabled", ErrorKind.UNSUPPORTED),
        ("unknown_method", ErrorKind.UNSUPPORTED),
        ("invalid_arg_name", ErrorKind.INVALID),
        ("something_new", ErrorKind.INVALID),
    ],
)
async def test_a_refusal_is_an_error_of_its_kind_and_never_no_account(connect, clock, code, kind):
    answer = httpx.Response(200, json={"ok": False, "error": code}, headers={"retry-after": "9"})
    connector = connect(lambda request: answer)
    for asking in (connector.read(MISSING), connector.discover(ANA), connector.verify(MISSING, Verb.SUSPEND)):
        error = await failure(asking)
        assert error.kind is kind
        assert code in error.message
        assert error.retry_at == (clock() + timedelta(seconds=9) if kind is ErrorKind.THROTTLED else None)


@pytest.mark.parametrize("method", sorted(SCOPES))
async def test_a_missing_scope_is_named(grid, grid_model, model, connect, method):
    grid_model.scopes = model.scopes = ALL_SCOPES - {SCOPES[method]}
    error = await failure(do_everything(grid, grid_model, model, connect))
    assert error.kind is ErrorKind.DENIED
    assert SCOPES[method] in error.message


async def do_everything(grid, grid_model, model, connect, **given) -> None:
    """Each thing that the connector can do, once, for a person who has one of each."""
    # The log of installed apps and the list of members are asked for below Enterprise Grid only.
    small = connect(model, plan="pro", **given)
    await small.holdings(model.workspace.add_user("ana"))
    assert [page async for page in small.list_accounts()]
    ana, ben = grid.add_user("ana"), grid.add_user("ben")
    grid.add_user_group("Sales", [ana, ben])
    grid.add_user_group("Support", [ana, ben], team=OTHER_TEAM)
    grid.add_provider_group("Everybody", [ana, ben])
    grid.users[ana]["teams"] = [TEAM, OTHER_TEAM]
    grid.admins[TEAM], grid.owners[OTHER_TEAM] = [ana], [ana, ben]
    grid.add_session(ana)
    connector = connect(grid_model, scim_token="env:SCIM", **given)
    await connector.discover(ANA)
    snapshot = await connector.snapshot(ana)
    for verb in (Verb.REVOKE_SESSIONS, Verb.REMOVE_ENTITLEMENTS):
        await getattr(connector, verb.value)(ana)
        await connector.verify(ana, verb)
    await connector.restore(ana, Verb.REMOVE_ENTITLEMENTS, snapshot)
    await connector.suspend(ana)


class Noted(Limiter):
    """Notes which classes were asked for."""

    def __init__(self) -> None:
        super().__init__()
        self.classes: list[str] = []

    def reserve(self, name: str = "default") -> float:
        self.classes.append(name)
        return 0.0


async def test_each_request_waits_in_a_class_that_the_manifest_limits(grid, grid_model, model, connect):
    noted = Noted()
    await do_everything(grid, grid_model, model, connect, limiter=noted)
    manifest = yaml.safe_load((Path(module.__file__).parent / "manifest.yaml").read_text())
    assert set(noted.classes) == set(manifest["limits"]["classes"])
    assert noted.classes.count("scim_user_write") == 1


def test_every_scope_that_is_needed_is_listed_and_asked_for():
    manifest = yaml.safe_load((Path(module.__file__).parent / "manifest.yaml").read_text())
    listed = set(re.findall(r"[a-z]+[a-z.:]*", " ".join(manifest["scopes"])))
    assert listed >= ALL_SCOPES
    assert {scope for scopes in module._SCOPES.values() for scope in scopes} == ALL_SCOPES


async def test_the_connection_test_tells_what_is_missing_and_what_the_plan_lacks(model, grid_model, connect):
    report = await connect(model, plan="pro").test()
    assert report.ok
    assert "without: [suspend, revoke_sessions]" in report.summary
    report = await connect(model).test()
    assert report.ok
    assert "without: [revoke_sessions]" in report.summary
    report = await connect(grid_model).test()
    assert (report.ok, report.summary) == (True, "Signed in to The Firm as partwell.")
    report = await connect(model, plan="enterprise_grid").test()
    assert "of one workspace" in report.problems[0]
    model.scopes -= {"usergroups:write"}
    assert (await connect(model).test()).problems == ("The token lacks the scope usergroups:write.",)
    model.scopes -= {"admin"}
    report = await connect(model).test()
    assert not report.ok
    assert "scope 'admin'" in report.summary


async def test_a_wrong_token_is_denied_by_both_interfaces(workspace, model, connect):
    ana = workspace.add_user("ana")
    connector = connect(model, token="wrong-canary")
    report = await connector.test()
    assert not report.ok
    assert "canary" not in repr(report)
    assert (await failure(connector.read(ana))).kind is ErrorKind.DENIED
    model.instead = lambda request: httpx.Response(401) if "/scim/" in request.url.path else None
    error = await failure(connect(model).suspend(ana))
    assert error.kind is ErrorKind.DENIED
    assert "Slack's SCIM API" in error.message


async def test_scim_may_have_a_token_of_its_own(workspace, model, connect):
    seen: set[str] = set()

    def noting(request: httpx.Request) -> httpx.Response:
        seen.add(request.headers["authorization"] + " " + request.headers["host"])
        return model(request)

    ana = workspace.add_user("ana")
    connector = connect(noting, plan="business_plus", scim_token="env:SCIM")
    await connector.suspend(ana)
    assert seen == {f"Bearer {TOKEN} slack.com", f"Bearer {SCIM_TOKEN} api.slack.com"}
    for told in (str(vars(connector)), repr(connector), repr(connector.connection)):
        assert "canary" not in told


@pytest.mark.parametrize(
    ("answer", "kind"),
    [
        (httpx.Response(200, html="<title>Sign in</title>"), ErrorKind.RETRYABLE),
        (httpx.Response(200, json={"user": {}}), ErrorKind.RETRYABLE),
        (httpx.Response(500, text="no"), ErrorKind.RETRYABLE),
        (httpx.Response(404, html="<h1>Not here</h1>"), ErrorKind.INVALID),
        (httpx.Response(302, headers={"location": "https://x.example"}), ErrorKind.INVALID),
        (httpx.Response(429), ErrorKind.THROTTLED),
    ],
)
async def test_what_is_no_answer_of_slack_is_an_error_and_never_no_account(connect, answer, kind):
    connector = connect(lambda request: answer)
    for asking in (connector.read(MISSING), connector.suspend(MISSING), connector.discover(ANA)):
        assert (await failure(asking)).kind is kind


async def test_when_scim_fails_a_suspension_is_not_called_done(workspace, model, connect):
    ana = workspace.add_user("ana")
    workspace.users[ana]["deleted"] = True
    model.instead = lambda request: httpx.Response(500) if "/scim/" in request.url.path else None
    connector = connect(model)
    assert (await failure(connector.suspend(ana))).kind is ErrorKind.RETRYABLE
    assert (await failure(connector.verify(ana, Verb.SUSPEND))).kind is ErrorKind.RETRYABLE


async def test_a_user_without_a_state_is_unverifiable(workspace, model, connect):
    silent = {"ok": True, "user": {"id": MISSING, "name": "x"}}
    model.instead = lambda request: (
        httpx.Response(200, json=silent) if request.url.path.endswith("users.info") else None
    )
    assert (await connect(model, plan="pro").verify(MISSING, Verb.SUSPEND)).verdict is Verdict.UNVERIFIABLE


@pytest.mark.parametrize(
    ("verb", "method", "arguments", "words"),
    [
        ("GET", "users.find", {}, "there is no"),
        ("POST", "users.info", {"user": "U1"}, "there is no"),
        ("GET", "users.info", {"id": "U1"}, "no argument"),
        ("GET", "users.lookupByEmail", {}, "needs"),
        ("GET", "users.list", {"limit": "many"}, "no integer"),
        ("POST", "admin.users.session.list", {}, "not called by post"),
        ("GET", "admin.users.session.list", {"user_id": "U1"}, "together, or neither"),
    ],
)
def test_the_contracts_check_refuses_what_slack_would(contract, verb, method, arguments, words):
    with pytest.raises(Broken) as caught:
        contract.check_request(verb, method, arguments)
    assert words in str(caught.value)


def test_the_contracts_check_refuses_an_answer_that_slack_would_not_give(contract):
    contract.check_answer("users.info", {"ok": False, "error": "user_not_found"})
    for content in ({"ok": True}, {"ok": True, "user": {"id": "1"}}, {"ok": False}):
        with pytest.raises(Broken):
            contract.check_answer("users.info", content)


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    st.recursive(
        st.none() | st.booleans() | st.integers() | st.text(max_size=5),
        lambda inner: (
            st.lists(inner, max_size=3)
            | st.dictionaries(
                st.sampled_from(["ok", "user", "id", "members", "Resources", "totalResults", "usergroups"]),
                inner,
            )
        ),
        max_leaves=8,
    )
)
def test_no_answer_makes_anything_but_a_result_or_a_connector_error(connect, body):
    content = body if not isinstance(body, dict) else {"ok": True, **body}
    connector = connect(lambda request: httpx.Response(200, json=content))
    for ask in (
        lambda: connector.discover(ANA),
        lambda: connector.read(MISSING),
        lambda: connector.suspend(MISSING),
        lambda: connector.verify(MISSING, Verb.REMOVE_ENTITLEMENTS),
        lambda: connector.holdings(MISSING),
        connector.test,
    ):
        with contextlib.suppress(ConnectorError):
            asyncio.run(ask())
