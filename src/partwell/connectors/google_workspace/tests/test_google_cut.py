"""Cutting, proving and giving back, where Google has ways of its own."""

from __future__ import annotations

import json
from datetime import timedelta

import httpx
import pytest

from partwell.connector_kit.contract import ConnectorError, ErrorKind, Outcome, Verb, Verdict
from partwell.connectors.google_workspace.tests.wording import NOW, SKU, Connect, at, failure
from partwell.connectors.google_workspace.tests.workspace import Workspace
from tests.vendor_openapi import ValidatedHttp


async def refused(awaitable) -> ConnectorError:
    with pytest.raises(ConnectorError) as caught:
        await awaitable
    return caught.value


def sent(wire: ValidatedHttp, method: str, ending: str = "") -> list[httpx.Request]:
    return [r for r in wire.requests if r.method == method and r.url.path.endswith(ending)]


# -- blocking sign-in ------------------------------------------------------------------------------------


async def test_a_block_sets_a_password_that_nobody_knows_and_leaves_no_way_to_reset_it(
    firm: Workspace, connect: Connect, wire: ValidatedHttp
):
    bodies = []
    for _ in range(2):
        ana = firm.add_user(recoveryEmail="ana@home.test", recoveryPhone="+351910000000")
        receipt = await connect().block_sign_in(ana)
        bodies.append(json.loads(sent(wire, "PATCH")[-1].content))
        assert bodies[-1]["password"] not in str(receipt)
        assert not {"recoveryEmail", "recoveryPhone"} & set(firm.users[ana])
        assert firm.users[ana]["suspended"] is False
    assert bodies[0]["password"] != bodies[1]["password"]
    assert bodies[0]["changePasswordAtNextLogin"] is False


async def test_the_proof_of_a_block_says_that_single_sign_on_is_not_stopped(
    firm: Workspace, connect: Connect
):
    ana = firm.add_user()
    connector = connect()
    await connector.block_sign_in(ana)
    proof = await connector.verify(ana, Verb.BLOCK_SIGN_IN)
    assert proof.verdict is Verdict.CONFIRMED
    assert "another identity provider" in proof.read


async def test_a_sign_in_after_the_block_is_a_failure(firm: Workspace, connect: Connect):
    ana = firm.add_user()
    await connect().block_sign_in(ana)
    firm.now += timedelta(minutes=5)
    firm.users[ana]["lastLoginTime"] = at(firm.now)
    assert (await connect().verify(ana, Verb.BLOCK_SIGN_IN)).verdict is Verdict.FAILED
    assert (await connect().block_sign_in(ana)).outcome is Outcome.DONE


async def test_a_recovery_address_that_is_left_is_no_block(firm: Workspace, connect: Connect):
    ana = firm.add_user()
    await connect().block_sign_in(ana)
    firm.users[ana]["recoveryPhone"] = "+351910000000"
    assert (await connect().verify(ana, Verb.BLOCK_SIGN_IN)).verdict is Verdict.FAILED


async def test_a_password_that_somebody_else_set_later_is_no_block(firm: Workspace, connect: Connect):
    ana = firm.add_user()
    await connect().block_sign_in(ana)
    firm.now += timedelta(minutes=5)
    firm.note("CHANGE_PASSWORD", firm.users[ana], actor="boss@firm.test")
    proof = await connect().verify(ana, Verb.BLOCK_SIGN_IN)
    assert proof.verdict is Verdict.FAILED
    assert "boss@firm.test" in proof.read


async def test_a_block_is_given_back_as_far_as_it_goes_and_waits_for_a_new_password(
    firm: Workspace, connect: Connect, wire: ValidatedHttp
):
    ana = firm.add_user(recoveryEmail="ana@home.test")
    snapshot = await connect().snapshot(ana)
    await connect().block_sign_in(ana)
    error = await refused(connect().restore(ana, Verb.BLOCK_SIGN_IN, snapshot))
    assert error.kind is ErrorKind.CONFLICT
    assert "Set a new one" in error.message
    assert firm.users[ana]["recoveryEmail"] == "ana@home.test"
    firm.now += timedelta(minutes=5)
    firm.note("CHANGE_PASSWORD", firm.users[ana], actor="boss@firm.test")
    receipt = await connect().restore(ana, Verb.BLOCK_SIGN_IN, snapshot)
    assert receipt.outcome is Outcome.ALREADY_DONE
    assert (await connect().verify(ana, Verb.BLOCK_SIGN_IN)).verdict is Verdict.FAILED
    assert len(sent(wire, "PATCH")) == 2


# -- the log ---------------------------------------------------------------------------------------------

LOGGED = [(Verb.BLOCK_SIGN_IN, "block_sign_in"), (Verb.REVOKE_SESSIONS, "revoke_sessions")]


@pytest.mark.parametrize(("verb", "name"), LOGGED)
async def test_what_the_log_does_not_show_yet_is_pending_and_then_unknown_but_never_confirmed(
    firm: Workspace, connect: Connect, verb, name
):
    ana = firm.add_user()
    firm.log_lags = True
    connector = connect(settles_within_seconds=60)
    await getattr(connector, name)(ana)
    proof = await connector.verify(ana, verb)
    assert (proof.verdict, proof.retry_until) == (Verdict.PENDING, NOW + timedelta(seconds=60))
    firm.now += timedelta(seconds=61)
    assert (await connector.verify(ana, verb)).verdict is Verdict.UNVERIFIABLE


@pytest.mark.parametrize(("verb", "name"), LOGGED)
async def test_without_the_log_it_is_done_and_said_to_be_unproven(
    firm: Workspace, connect: Connect, wire: ValidatedHttp, verb, name
):
    ana = firm.add_user()
    connector = connect(audit_log=False)
    assert (await getattr(connector, name)(ana)).outcome is Outcome.DONE
    proof = await connector.verify(ana, verb)
    assert proof.verdict is Verdict.UNVERIFIABLE
    assert "audit_log: false" in proof.read
    assert not [r for r in wire.requests if "/reports/" in r.url.path]


@pytest.mark.parametrize(("verb", "name"), LOGGED)
async def test_a_log_that_may_not_be_read_stops_no_cut_and_names_the_scope(
    firm: Workspace, connect: Connect, verb, name
):
    firm.scopes -= {"admin.reports.audit.readonly"}
    ana = firm.add_user()
    connector = connect(settles_within_seconds=0)
    assert (await getattr(connector, name)(ana)).outcome is Outcome.DONE
    proof = await connector.verify(ana, verb)
    assert proof.verdict is Verdict.UNVERIFIABLE
    assert "admin.reports.audit.readonly" in proof.read


@pytest.mark.parametrize(("verb", "name"), LOGGED)
async def test_what_the_log_shows_of_others_proves_nothing_of_this_user(
    firm: Workspace, connect: Connect, verb, name
):
    ana, ben = firm.add_user(), firm.add_user()
    await getattr(connect(), name)(ben)
    firm.log_ignores_filters = True
    assert (await connect().verify(ana, verb)).verdict is Verdict.UNVERIFIABLE
    await getattr(connect(), name)(ana)
    assert (await connect().verify(ana, verb)).verdict is Verdict.CONFIRMED


async def test_a_sign_in_after_sessions_were_ended_opens_the_question_again(
    firm: Workspace, connect: Connect
):
    ana = firm.add_user()
    await connect().revoke_sessions(ana)
    firm.now += timedelta(minutes=1)
    firm.users[ana]["lastLoginTime"] = at(firm.now)
    proof = await connect().verify(ana, Verb.REVOKE_SESSIONS)
    assert proof.verdict is Verdict.FAILED
    assert (await connect().revoke_sessions(ana)).outcome is Outcome.DONE


async def test_sessions_that_were_ended_long_ago_are_ended_again(firm: Workspace, connect: Connect):
    ana = firm.add_user()
    await connect().revoke_sessions(ana)
    assert (await connect().revoke_sessions(ana)).outcome is Outcome.ALREADY_DONE
    firm.now += timedelta(hours=1)
    assert (await connect().revoke_sessions(ana)).outcome is Outcome.DONE


# -- suspension ------------------------------------------------------------------------------------------


async def test_a_user_who_is_let_in_by_signing_in_again_is_suspended_for_good(
    firm: Workspace, connect: Connect, wire: ValidatedHttp
):
    ana = firm.add_user(suspended=True, suspensionReason="WEB_LOGIN_REQUIRED")
    assert (await connect().verify(ana, Verb.SUSPEND)).verdict is Verdict.FAILED
    assert (await connect().suspend(ana)).outcome is Outcome.DONE
    assert json.loads(sent(wire, "PATCH")[0].content) == {"suspended": True}
    assert (await connect().verify(ana, Verb.SUSPEND)).verdict is Verdict.CONFIRMED


async def test_an_archived_user_is_shut_and_the_proof_says_that_it_is_not_suspended(
    firm: Workspace, connect: Connect, wire: ValidatedHttp
):
    ana = firm.add_user(archived=True)
    assert (await connect().suspend(ana)).outcome is Outcome.ALREADY_DONE
    proof = await connect().verify(ana, Verb.SUSPEND)
    assert proof.verdict is Verdict.CONFIRMED
    assert "not suspended" in proof.read
    assert wire.writes() == []


async def test_who_was_suspended_before_the_cut_stays_so(firm: Workspace, connect: Connect):
    ana = firm.add_user(suspended=True, suspensionReason="ADMIN")
    snapshot = await connect().snapshot(ana)
    assert (await connect().restore(ana, Verb.SUSPEND, snapshot)).outcome is Outcome.ALREADY_DONE
    assert firm.users[ana]["suspended"] is True


async def test_a_service_that_says_yes_and_changes_nothing_is_caught(
    firm: Workspace, connect: Connect, wire: ValidatedHttp
):
    ana = firm.add_user()
    firm.add_credentials(ana)
    firm.add_group("Sales", [ana])
    firm.licences.add((SKU, firm.users[ana]["primaryEmail"]))

    def says_yes(request: httpx.Request) -> httpx.Response | None:
        if request.method == "GET" or request.url.path == "/token":
            return None
        return httpx.Response(200, json={}) if request.method == "PATCH" else httpx.Response(204)

    wire.faults.append(says_yes)
    connector = connect(licences=[SKU], settles_within_seconds=60)
    verbs = (Verb.SUSPEND, Verb.REVOKE_TOKENS, Verb.REMOVE_ENTITLEMENTS, Verb.RELEASE_LICENCE, Verb.DELETE)
    for verb in verbs:
        assert (await getattr(connector, verb)(ana)).outcome is Outcome.DONE
        assert (await connector.verify(ana, verb)).verdict is Verdict.PENDING, verb
    firm.now += timedelta(seconds=61)
    for verb in verbs:
        assert (await connector.verify(ana, verb)).verdict is Verdict.FAILED, verb


# -- groups and roles ------------------------------------------------------------------------------------


async def test_groups_come_back_with_the_role_and_the_delivery_that_they_had(
    firm: Workspace, connect: Connect
):
    ana = firm.add_user()
    crew = firm.add_group("Crew", [ana], role="OWNER", delivery_settings="DIGEST")
    firm.add_role(ana, scopeType="ORG_UNIT", orgUnitId="03ph8a2z", condition="api.getAttribute('x')")
    (before,) = [each for each in firm.assignments.values() if each["assignedTo"] == ana]
    snapshot = await connect().snapshot(ana)
    await connect().remove_entitlements(ana)
    assert ana not in firm.members[crew]
    assert not [each for each in firm.assignments.values() if each["assignedTo"] == ana]
    await connect().restore(ana, Verb.REMOVE_ENTITLEMENTS, snapshot)
    assert firm.members[crew][ana] == {"role": "OWNER", "delivery_settings": "DIGEST"}
    (after,) = [each for each in firm.assignments.values() if each["assignedTo"] == ana]
    drop = "roleAssignmentId"
    assert {k: v for k, v in after.items() if k != drop} == {k: v for k, v in before.items() if k != drop}


async def test_a_group_that_keeps_its_members_is_named_and_a_role_by_a_group_goes_with_it(
    firm: Workspace, connect: Connect, wire: ValidatedHttp
):
    ana = firm.add_user()
    firm.add_group("Sales", [ana])
    dynamic = firm.add_group("Everybody", [ana])
    helpers = firm.add_group("Helpers", [ana])
    firm.add_role(helpers, assigneeType="group")
    wire.faults.append(
        lambda r: (
            failure(412, "conditionNotMet", "Dynamic group")
            if r.method == "DELETE" and dynamic in r.url.path
            else None
        )
    )
    error = await refused(connect().remove_entitlements(ana))
    assert "everybody@firm.test" in error.message
    assert "comes through a group" in error.message
    assert [i for i, members in firm.members.items() if ana in members] == [dynamic]
    proof = await connect().verify(ana, Verb.REMOVE_ENTITLEMENTS)
    assert proof.verdict is Verdict.FAILED
    assert "everybody@firm.test" in proof.read
    kept = connect(kept_groups=["Everybody@firm.test"])
    assert (await kept.verify(ana, Verb.REMOVE_ENTITLEMENTS)).verdict is Verdict.CONFIRMED


async def test_a_group_that_takes_nobody_back_is_named_and_stops_no_other(
    firm: Workspace, connect: Connect, wire: ValidatedHttp
):
    ana = firm.add_user()
    fixed, sales = firm.add_group("Fixed", [ana]), firm.add_group("Sales", [ana])
    snapshot = await connect().snapshot(ana)
    await connect().remove_entitlements(ana)
    wire.faults.append(
        lambda r: (
            failure(412, "conditionNotMet", "No") if r.method == "POST" and fixed in r.url.path else None
        )
    )
    error = await refused(connect().restore(ana, Verb.REMOVE_ENTITLEMENTS, snapshot))
    assert error.kind is ErrorKind.CONFLICT
    assert "fixed@firm.test" in error.message
    assert ana in firm.members[sales]


async def test_a_group_that_somebody_put_the_person_back_into_is_no_failure(
    firm: Workspace, connect: Connect, wire: ValidatedHttp
):
    ana = firm.add_user()
    sales = firm.add_group("Sales", [ana])
    snapshot = await connect().snapshot(ana)
    await connect().remove_entitlements(ana)

    def first(request: httpx.Request) -> httpx.Response | None:
        if request.method == "POST" and request.url.path.endswith("/members"):
            firm.members[sales][ana] = {"role": "MEMBER", "delivery_settings": "ALL_MAIL"}
        return None

    wire.faults.append(first)
    assert (await connect().restore(ana, Verb.REMOVE_ENTITLEMENTS, snapshot)).outcome is Outcome.DONE
