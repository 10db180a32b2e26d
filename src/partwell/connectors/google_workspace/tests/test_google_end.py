"""Tokens, licences and the end of an account at Google, cut, proven and given back."""

from __future__ import annotations

import httpx
import pytest

from partwell.connector_kit.contract import ConnectorError, ErrorKind, Outcome, Verb, Verdict
from partwell.connectors.google_workspace.tests.wording import SKU, Connect, failure
from partwell.connectors.google_workspace.tests.workspace import Workspace
from tests.vendor_openapi import ValidatedHttp


async def refused(awaitable) -> ConnectorError:
    with pytest.raises(ConnectorError) as caught:
        await awaitable
    return caught.value


def sent(wire: ValidatedHttp, method: str, ending: str = "") -> list[httpx.Request]:
    return [r for r in wire.requests if r.method == method and r.url.path.endswith(ending)]


# -- tokens ----------------------------------------------------------------------------------------------


async def test_backup_codes_cannot_be_withdrawn_once_suspended_and_the_rest_goes_all_the_same(
    firm: Workspace, connect: Connect, wire: ValidatedHttp
):
    ana = firm.add_user(suspended=True, suspensionReason="ADMIN")
    firm.add_credentials(ana)
    error = await refused(connect().revoke_tokens(ana))
    assert error.kind is ErrorKind.UNSUPPORTED
    assert "only while a user is not suspended" in error.message
    assert (firm.tokens[ana], firm.asps[ana]) == ([], [])
    assert sent(wire, "POST", "invalidate") == []
    proof = await connect().verify(ana, Verb.REVOKE_TOKENS)
    assert proof.verdict is Verdict.FAILED
    assert "2 backup codes" in proof.read


async def test_mail_of_somebody_who_is_only_blocked_is_forwarded_nowhere_any_more(
    firm: Workspace, connect: Connect, wire: ValidatedHttp
):
    ana = firm.add_user("ana@firm.test")
    firm.forwarding["ana@firm.test"] = ["ana@home.test", "a/b@home.test"]
    assert (await connect(settles_within_seconds=0).verify(ana, Verb.REVOKE_TOKENS)).verdict is Verdict.FAILED
    error = await refused(connect().revoke_tokens(ana))
    assert "a/b@home.test" in error.message  # an address that would be another path is left, and named
    assert firm.forwarding["ana@firm.test"] == ["a/b@home.test"]
    firm.forwarding["ana@firm.test"] = []
    proof = await connect().verify(ana, Verb.REVOKE_TOKENS)
    assert (proof.verdict, "forwarded nowhere" in proof.read) == (Verdict.CONFIRMED, True)
    assert "not asked" in (await connect(gmail=False).verify(ana, Verb.REVOKE_TOKENS)).read
    firm.forwarding["ana@firm.test"] = ["ana@home.test"]
    before = len(wire.requests)
    assert (await connect(gmail=False).revoke_tokens(ana)).outcome is Outcome.ALREADY_DONE
    assert not [r for r in wire.requests[before:] if r.url.host == "gmail.googleapis.com"]


async def test_in_the_order_of_a_plan_the_codes_are_gone_before_the_suspension(
    firm: Workspace, connect: Connect
):
    ana = firm.add_user()
    firm.add_credentials(ana)
    connector = connect()
    for verb in ("block_sign_in", "revoke_sessions", "revoke_tokens", "suspend"):
        await getattr(connector, verb)(ana)
    for verb in (Verb.BLOCK_SIGN_IN, Verb.REVOKE_SESSIONS, Verb.REVOKE_TOKENS, Verb.SUSPEND):
        assert (await connector.verify(ana, verb)).verdict is Verdict.CONFIRMED, verb


async def test_a_token_that_refuses_to_go_stops_no_other_and_is_named(
    firm: Workspace, connect: Connect, wire: ValidatedHttp
):
    ana = firm.add_user()
    firm.add_credentials(ana)
    wire.faults.append(
        lambda r: failure(403, "forbidden", "No") if r.url.path.endswith("app1.apps.test") else None
    )
    error = await refused(connect().revoke_tokens(ana))
    assert error.kind is ErrorKind.DENIED
    assert "App 1" in error.message
    assert "App 2" not in error.message
    assert [each["clientId"] for each in firm.tokens[ana]] == ["app1.apps.test"]
    assert ana not in firm.codes


# -- licences and the end --------------------------------------------------------------------------------


async def test_licences_are_only_released_where_the_settings_name_them(firm: Workspace, connect: Connect):
    ana = firm.add_user()
    login = firm.users[ana]["primaryEmail"]
    firm.licences |= {(SKU, login), ("101031/1010310008", login)}
    error = await refused(connect().release_licence(ana))
    assert error.kind is ErrorKind.UNSUPPORTED
    assert "licences" in error.message
    connector = connect(licences=[SKU, "Google-Vault/Google-Vault"])
    snapshot = await connector.snapshot(ana)
    await connector.release_licence(ana)
    assert firm.licences == {("101031/1010310008", login)}
    await connector.restore(ana, Verb.RELEASE_LICENCE, snapshot)
    assert (SKU, login) in firm.licences


async def test_a_licence_that_comes_by_itself_is_named_and_stops_no_other(
    firm: Workspace, connect: Connect, wire: ValidatedHttp
):
    ana = firm.add_user()
    other = "101031/1010310008"
    firm.licences |= {(SKU, firm.users[ana]["primaryEmail"]), (other, firm.users[ana]["primaryEmail"])}
    wire.faults.append(
        lambda r: (
            failure(412, "conditionNotMet", "Assigned automatically")
            if r.method == "DELETE" and SKU.partition("/")[2] in r.url.path
            else None
        )
    )
    error = await refused(connect(licences=[SKU, other]).release_licence(ana))
    assert error.kind is ErrorKind.CONFLICT
    assert SKU in error.message
    assert [name for name, _ in firm.licences] == [SKU]


async def test_a_deleted_user_is_gone_and_the_proof_tells_the_time_to_change_ones_mind(
    firm: Workspace, connect: Connect
):
    ana = firm.add_user()
    assert (await connect().verify(ana, Verb.DELETE)).verdict is Verdict.FAILED
    await connect().delete(ana)
    proof = await connect().verify(ana, Verb.DELETE)
    assert proof.verdict is Verdict.CONFIRMED
    assert "20 days" in proof.read
    assert (await connect().delete(ana)).outcome is Outcome.ALREADY_DONE
    assert await connect().holdings(ana) == []


async def test_what_is_gone_for_good_is_not_said_to_be_restored(firm: Workspace, connect: Connect):
    ana = firm.add_user()
    snapshot = await connect().snapshot(ana)
    for verb in (Verb.REVOKE_SESSIONS, Verb.REVOKE_TOKENS, Verb.DELETE):
        assert (await refused(connect().restore(ana, verb, snapshot))).kind is ErrorKind.UNSUPPORTED
