"""Cutting, proving and giving back, where Okta has ways of its own."""

from __future__ import annotations

from datetime import timedelta

import httpx
import pytest

from partwell.connector_kit.contract import ConnectorError, ErrorKind, Outcome, Verb, Verdict
from partwell.connectors.okta.tests.model import OktaOrg
from partwell.connectors.okta.tests.wording import NOW, Connect, at, failure
from tests.vendor_openapi import ValidatedHttp


async def refused(awaitable) -> ConnectorError:
    with pytest.raises(ConnectorError) as caught:
        await awaitable
    return caught.value


# -- suspending ------------------------------------------------------------------------------------------


async def test_suspending_never_deactivates(org: OktaOrg, connect: Connect, wire: ValidatedHttp):
    ana = org.add_user()
    await connect().suspend(ana)
    assert org.users[ana]["status"] == "SUSPENDED"
    assert wire.writes() == [f"POST /api/v1/users/{ana}/lifecycle/suspend"]


async def test_a_user_whom_somebody_suspends_at_the_same_moment_is_already_done(
    org: OktaOrg, connect: Connect, wire: ValidatedHttp
):
    ana = org.add_user()

    def first(request: httpx.Request) -> httpx.Response | None:
        if not request.url.path.endswith("/suspend"):
            return None
        org.users[ana]["status"] = "SUSPENDED"
        return failure(400, "E0000001", "Api validation failed: suspend")

    wire.faults.append(first)
    assert (await connect().suspend(ana)).outcome is Outcome.ALREADY_DONE


async def test_the_same_refusal_for_a_user_who_stays_active_is_an_error(
    org: OktaOrg, connect: Connect, wire: ValidatedHttp
):
    ana = org.add_user()
    wire.faults.append(
        lambda request: (
            failure(403, "E0000001", "Api validation failed: suspend")
            if request.url.path.endswith("/suspend")
            else None
        )
    )
    error = await refused(connect().suspend(ana))
    assert error.kind is ErrorKind.DENIED
    assert "okta.users.manage" in error.message


async def test_a_locked_out_user_is_suspended_too_since_the_lock_opens_by_itself(
    org: OktaOrg, connect: Connect
):
    ana = org.add_user(status="LOCKED_OUT")
    await connect().suspend(ana)
    assert org.users[ana]["status"] == "SUSPENDED"


@pytest.mark.parametrize("status", ["PASSWORD_EXPIRED", "RECOVERY", "PROVISIONED"])
async def test_what_okta_cannot_suspend_is_said_with_the_way_out(
    org: OktaOrg, connect: Connect, wire: ValidatedHttp, status
):
    ana = org.add_user(status=status)
    error = await refused(connect().suspend(ana))
    assert error.kind is ErrorKind.CONFLICT
    assert status in error.message
    assert wire.writes() == []
    assert (await connect().read(ana)).is_active is True
    assert (await connect().verify(ana, Verb.SUSPEND)).verdict is Verdict.FAILED


@pytest.mark.parametrize("status", ["SUSPENDED", "DEPROVISIONED", "STAGED"])
async def test_a_user_who_cannot_sign_in_anyway_is_already_done(org: OktaOrg, connect: Connect, status):
    ana = org.add_user(status=status)
    assert (await connect().suspend(ana)).outcome is Outcome.ALREADY_DONE
    proof = await connect().verify(ana, Verb.SUSPEND)
    assert proof.verdict is Verdict.CONFIRMED
    assert status in proof.read


async def test_a_user_who_is_just_being_activated_is_not_confirmed(org: OktaOrg, connect: Connect):
    ana = org.add_user(status="DEPROVISIONED", transitioningToStatus="ACTIVE")
    proof = await connect().verify(ana, Verb.SUSPEND)
    assert proof.verdict is Verdict.FAILED
    assert "becoming ACTIVE" in proof.read


async def test_a_service_that_says_yes_and_changes_nothing_is_caught(
    org: OktaOrg, connect: Connect, wire: ValidatedHttp
):
    ana = org.add_user()
    org.add_tokens(ana)
    org.add_group("Sales", [ana])
    wire.faults.append(
        lambda request: (
            httpx.Response(204) if request.method != "GET" and "oauth2" not in request.url.path else None
        )
    )
    connector = connect()
    for verb in (Verb.SUSPEND, Verb.REVOKE_TOKENS, Verb.REMOVE_ENTITLEMENTS):
        assert (await getattr(connector, verb)(ana)).outcome is Outcome.DONE
        assert (await connector.verify(ana, verb)).verdict is Verdict.FAILED


# -- sessions and tokens ---------------------------------------------------------------------------------


async def test_ending_sessions_takes_the_tokens_with_it(org: OktaOrg, connect: Connect, wire: ValidatedHttp):
    ana = org.add_user()
    await connect().revoke_sessions(ana)
    (sent,) = [request for request in wire.requests if request.method == "DELETE"]
    assert sent.url.params["oauthTokens"] == "true"


async def test_ended_sessions_are_pending_until_the_log_shows_it(org: OktaOrg, connect: Connect):
    ana = org.add_user()
    org.log_lags = True
    connector = connect(settles_within_seconds=60)
    await connector.revoke_sessions(ana)
    proof = await connector.verify(ana, Verb.REVOKE_SESSIONS)
    assert (proof.verdict, proof.retry_until) == (Verdict.PENDING, NOW + timedelta(seconds=60))
    assert proof.still_open is None


@pytest.mark.parametrize("log", ["heeds what is asked", "ignores it"])
async def test_a_sign_in_after_the_end_of_the_sessions_opens_the_question_again(
    org: OktaOrg, connect: Connect, wire: ValidatedHttp, log
):
    ana = org.add_user()
    connector = connect()
    await connector.revoke_sessions(ana)
    assert (await connector.verify(ana, Verb.REVOKE_SESSIONS)).verdict is Verdict.CONFIRMED
    org.now += timedelta(minutes=5)
    org.users[ana]["lastLogin"] = at(org.now)
    if log == "ignores it":
        wire.faults.append(
            lambda r: httpx.Response(200, json=org.log) if r.url.path.endswith("/logs") else None
        )
    assert (await connector.verify(ana, Verb.REVOKE_SESSIONS)).verdict is Verdict.PENDING
    assert (await connector.revoke_sessions(ana)).outcome is Outcome.DONE


async def test_a_failed_attempt_to_end_sessions_proves_nothing(org: OktaOrg, connect: Connect):
    ana = org.add_user()
    await connect().revoke_sessions(ana)
    org.log[0]["outcome"]["result"] = "FAILURE"
    assert (await connect().verify(ana, Verb.REVOKE_SESSIONS)).verdict is Verdict.PENDING


async def test_without_the_log_sessions_are_ended_and_nothing_is_claimed(
    org: OktaOrg, connect: Connect, wire: ValidatedHttp
):
    ana = org.add_user()
    wire.faults.append(
        lambda request: (
            failure(403, "E0000006", "You do not have permission")
            if request.url.path.endswith("/logs")
            else None
        )
    )
    assert (await connect().revoke_sessions(ana)).outcome is Outcome.DONE
    proof = await connect().verify(ana, Verb.REVOKE_SESSIONS)
    assert proof.verdict is Verdict.UNVERIFIABLE
    assert "okta.logs.read" in proof.read


async def test_only_the_persons_own_tokens_are_revoked(org: OktaOrg, connect: Connect):
    ana, other = org.add_user(), org.add_user()
    org.add_tokens(ana)
    org.add_tokens(other)
    receipt = await connect().revoke_tokens(ana)
    assert receipt.summary == "Asked to revoke 1 consent, 1 refresh token, 1 API token."
    assert [token["userId"] for token in org.api_tokens] == [other]
    assert set(org.grants) == set(org.refresh) == {other}


async def test_api_tokens_that_are_not_looked_at_are_left_alone_and_said(org: OktaOrg, connect: Connect):
    ana = org.add_user()
    org.add_tokens(ana)
    org.scopes -= {"okta.apiTokens.read", "okta.apiTokens.manage"}
    connector = connect(api_tokens=False)
    await connector.revoke_tokens(ana)
    assert len(org.api_tokens) == 1
    assert "API tokens were not looked at" in (await connector.verify(ana, Verb.REVOKE_TOKENS)).read


# -- groups and roles ------------------------------------------------------------------------------------


async def test_groups_that_okta_does_not_manage_stay_and_keep_the_proof_from_green(
    org: OktaOrg, connect: Connect, wire: ValidatedHttp
):
    ana = org.add_user()
    own = org.add_group("Sales", [ana])
    imported = org.add_group("AD-Finance", [ana], kind="APP_GROUP")
    ruled = org.add_group("Everyone in Porto", [ana])
    org.add_group("Everyone", [ana], kind="BUILT_IN")
    org.rules.append(
        {
            "id": "0pr1",
            "name": "By city",
            "status": "ACTIVE",
            "type": "group_rule",
            "actions": {"assignUserToGroups": {"groupIds": [ruled]}},
        }
    )
    connector = connect()
    receipt = await connector.remove_entitlements(ana)
    assert receipt.outcome is Outcome.DONE
    assert "AD-Finance" in receipt.summary and "'By city'" in receipt.summary
    assert wire.writes() == [f"DELETE /api/v1/groups/{own}/users/{ana}"]
    proof = await connector.verify(ana, Verb.REMOVE_ENTITLEMENTS)
    assert proof.verdict is Verdict.FAILED
    assert "AD-Finance (it comes from another system" in proof.read
    assert "Everyone in Porto (the group rule 'By city'" in proof.read
    error = await refused(connector.remove_entitlements(ana))
    assert error.kind is ErrorKind.CONFLICT
    assert "AD-Finance" in error.message
    org.members[imported], org.members[ruled] = [], []
    assert (await connector.verify(ana, Verb.REMOVE_ENTITLEMENTS)).verdict is Verdict.CONFIRMED


@pytest.mark.parametrize("because", ["the rule is not active", "the rule excepts the person"])
async def test_a_rule_that_does_not_touch_the_person_keeps_no_group(org: OktaOrg, connect: Connect, because):
    ana = org.add_user()
    group = org.add_group("Sales", [ana])
    org.rules.append(
        {
            "id": "0pr1",
            "name": "By city",
            "status": "INACTIVE" if because == "the rule is not active" else "ACTIVE",
            "type": "group_rule",
            "actions": {"assignUserToGroups": {"groupIds": [group]}},
            "conditions": {
                "people": {"users": {"exclude": [ana] if because == "the rule excepts the person" else []}}
            },
        }
    )
    await connect().remove_entitlements(ana)
    assert org.members[group] == []


async def test_one_group_that_refuses_does_not_stop_the_others(
    org: OktaOrg, connect: Connect, wire: ValidatedHttp
):
    ana = org.add_user()
    first, second = org.add_group("First", [ana]), org.add_group("Second", [ana])
    wire.faults.append(
        lambda request: (
            httpx.Response(503) if request.method == "DELETE" and first in request.url.path else None
        )
    )
    error = await refused(connect().remove_entitlements(ana))
    assert (error.kind, org.members[second]) == (ErrorKind.RETRYABLE, [])
    assert "1 of 2" in error.message and "First" in error.message


async def test_a_role_that_comes_by_a_group_goes_with_the_group(org: OktaOrg, connect: Connect):
    ana = org.add_user()
    group = org.add_group("Helpers", [ana])
    org.add_role(ana, "HELP_DESK_ADMIN", assignmentType="GROUP")
    connector = connect()
    await connector.remove_entitlements(ana)
    assert org.members[group] == []
    assert (await connector.verify(ana, Verb.REMOVE_ENTITLEMENTS)).verdict is Verdict.FAILED
    org.roles[ana] = []
    assert (await connector.verify(ana, Verb.REMOVE_ENTITLEMENTS)).verdict is Verdict.CONFIRMED


# -- giving back -----------------------------------------------------------------------------------------


async def test_a_limited_role_is_not_given_back_wider_than_it_was(org: OktaOrg, connect: Connect):
    ana = org.add_user()
    group = org.add_group("Sales", [ana])
    limited = org.add_role(ana, "USER_ADMIN", label="User Administrator")
    org.targets[limited] = [group]
    org.add_role(ana, "READ_ONLY_ADMIN")
    connector = connect()
    snapshot = await connector.snapshot(ana)
    await connector.remove_entitlements(ana)
    error = await refused(connector.restore(ana, Verb.REMOVE_ENTITLEMENTS, snapshot))
    assert error.kind is ErrorKind.UNSUPPORTED
    assert "2 of 3" in error.message and "User Administrator" in error.message
    assert [role["type"] for role in org.roles[ana]] == ["READ_ONLY_ADMIN"]
    assert org.members[group] == [ana]


async def test_what_was_suspended_before_the_cut_stays_so(org: OktaOrg, connect: Connect):
    ana = org.add_user(status="SUSPENDED")
    connector = connect()
    snapshot = await connector.snapshot(ana)
    assert (await connector.restore(ana, Verb.SUSPEND, snapshot)).outcome is Outcome.ALREADY_DONE
    assert org.users[ana]["status"] == "SUSPENDED"


async def test_somebody_deactivated_since_is_not_said_to_be_restored(org: OktaOrg, connect: Connect):
    ana = org.add_user()
    connector = connect()
    snapshot = await connector.snapshot(ana)
    org.users[ana]["status"] = "DEPROVISIONED"
    error = await refused(connector.restore(ana, Verb.SUSPEND, snapshot))
    assert error.kind is ErrorKind.CONFLICT


async def test_a_group_deleted_since_is_named_and_the_others_come_back(org: OktaOrg, connect: Connect):
    ana = org.add_user()
    lost, kept = org.add_group("Lost", [ana]), org.add_group("Kept", [ana])
    connector = connect()
    snapshot = await connector.snapshot(ana)
    await connector.remove_entitlements(ana)
    del org.groups[lost]
    error = await refused(connector.restore(ana, Verb.REMOVE_ENTITLEMENTS, snapshot))
    assert "Lost" in error.message
    assert org.members[kept] == [ana]


# -- protecting ------------------------------------------------------------------------------------------


async def is_untouched(connector, user: str, wire: ValidatedHttp) -> bool:
    account = await connector.read(user)
    for verb in (Verb.SUSPEND, Verb.REVOKE_SESSIONS, Verb.REVOKE_TOKENS, Verb.REMOVE_ENTITLEMENTS):
        error = await refused(getattr(connector, verb)(user))
        assert error.kind is ErrorKind.CONFLICT
        assert "protected" in error.message
    return account.is_protected and wire.writes() == []


async def test_listed_users_and_partwells_own_are_never_touched(
    org: OktaOrg, connect: Connect, wire: ValidatedHttp
):
    ana = org.own_user = org.add_user("ana@firm.test")
    org.add_tokens(ana)
    org.add_group("Sales", [ana])
    assert await is_untouched(connect(protected=["ANA@firm.test"]), ana, wire)
    assert await is_untouched(connect(protected=[ana]), ana, wire)
    assert await is_untouched(connect(token="env:TOKEN"), ana, wire)
    assert not (await connect().read(ana)).is_protected


async def test_the_last_super_administrator_who_can_sign_in_is_never_touched(
    org: OktaOrg, connect: Connect, wire: ValidatedHttp
):
    org.page_size = 1
    ana, other = org.add_user(), org.add_user()
    org.add_tokens(ana)
    org.add_role(org.add_user(), "HELP_DESK_ADMIN")
    org.add_role(ana, "SUPER_ADMIN")
    org.add_role(other, "SUPER_ADMIN")
    assert not (await connect().read(ana)).is_protected
    org.users[other]["status"] = "SUSPENDED"
    assert await is_untouched(connect(), ana, wire)


async def test_the_last_active_member_of_a_group_of_administrators_is_never_touched(
    org: OktaOrg, connect: Connect, wire: ValidatedHttp
):
    ana, other = org.add_user(), org.add_user()
    org.add_tokens(ana)
    group = org.add_group("Admins", [other, ana])
    assert not (await connect(admin_groups=["admins"]).read(ana)).is_protected
    org.users[other]["status"] = "DEPROVISIONED"
    for named in ("admins", group):
        assert await is_untouched(connect(admin_groups=[named]), ana, wire)
