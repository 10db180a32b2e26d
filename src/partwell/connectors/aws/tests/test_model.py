"""The AWS connector against a model that reads requests and writes answers by AWS's published contract.

Here is what the emulator cannot do: service credentials, the simulator, inactive keys that are refused, and
changes that show later.
"""

from __future__ import annotations

import json
import re
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from partwell.connector_kit.contract import (
    ErrorKind,
    HoldingKind,
    Identity,
    Outcome,
    Verb,
    Verdict,
)
from partwell.connector_kit.testing import ConnectorContract, World
from partwell.connectors.aws import permissions
from partwell.connectors.aws.policies import DENY_ALL, END_SESSIONS, sessions_ended_before
from partwell.connectors.aws.tests.account import ALLOWS, policy
from partwell.connectors.aws.tests.query_contract import contract
from partwell.connectors.aws.tests.world import refused
from tests.servers.aws import HOW_TO

ANA = Identity(emails=("ana@firm.test",))
CODE = Path(__file__).parents[1]


class TestContract(ConnectorContract):
    @pytest.fixture
    def world(self, connect, model, ana) -> World:
        return World(
            make=lambda: connect(model),
            make_read_only=lambda: connect(model, read_only=True),
            identity=ANA,
            unknown=Identity(emails=("nobody@firm.test",), usernames=("nobody",)),
            missing_id="AIDANOBODYNOBODYNOBO",
        )


async def test_awss_own_ruling_policies_are_told_in_every_partition_and_namesakes_are_not(
    connect, model, ana
):
    allowed = {
        "arn:aws:iam::aws:policy/AdministratorAccess": "allows everything",
        "arn:aws-us-gov:iam::aws:policy/IAMFullAccess": "gives anybody any right",
        "arn:aws:iam::aws:policy/ReadOnlyAccess": "",
        policy("AdministratorAccess"): "",
    }
    ana.attached = list(allowed)
    (account,) = await connect(model).discover(ANA)
    told = {held.external_id: held.power for held in account.entitlements if held.kind == "policy"}
    assert told == allowed


def test_every_action_in_the_code_is_one_of_awss_and_the_policy_has_them_all():
    code = "\n".join(path.read_text() for path in CODE.glob("*.py"))
    words = set(re.findall(r"\"([A-Z][A-Za-z]+)\"", code))
    actions = words & set(contract("iam").model.operation_names)
    assert len(actions) > 30
    needed = (
        permissions.READS
        + permissions.ON_USERS
        + permissions.ON_GROUPS
        + permissions.TO_ROTATE
        + permissions.TO_DELETE
    )
    assert {f"iam:{action}" for action in actions} == set(needed)


def test_the_how_to_gives_exactly_what_the_code_needs():
    policy_json = json.loads(HOW_TO.read_text().split("```json")[1].split("```")[0])
    given = {each["Sid"]: tuple(each["Action"]) for each in policy_json["Statement"]}
    assert given.pop("NeverItself")
    assert {name: sorted(actions) for name, actions in given.items()} == {
        "Read": sorted(permissions.READS),
        "CutAndRestore": sorted(permissions.ON_USERS),
        "Groups": sorted(permissions.ON_GROUPS),
        "RotateSharedKeys": sorted(permissions.TO_ROTATE),
        "DeleteUsers": sorted(permissions.TO_DELETE),
    }


# -- finding ----------------------------------------------------------------------------------------------


async def test_everybody_is_found_on_whatever_page_they_are(connect, model, account, ana):
    model.page_size = 2
    for number in range(7):
        account.add(f"user{number}", mail=f"user{number}@firm.test")
    connector = connect(model)
    pages = [page async for page in connector.list_accounts()]
    assert len(pages) == 5
    assert {each.login for page in pages for each in page} == set(account.users)
    (last,) = await connector.discover(Identity(emails=("user6@firm.test",)))
    assert (await connect(model).read(last.external_id)).login == "user6"


async def test_the_last_use_is_that_of_the_password_or_of_a_key_whichever_is_later(connect, model, ana):
    ana.password_last_used_at = datetime(2026, 10, 1, 9, tzinfo=UTC)
    ana.made[0].last_used_at = datetime(2026, 11, 2, 9, tzinfo=UTC)
    (account,) = await connect(model).discover(ANA)
    assert account.last_used_at == ana.made[0].last_used_at
    ana.made[0].last_used_at = None
    listed = [each async for page in connect(model).list_accounts() for each in page if each.login == "ana"]
    assert listed[0].last_used_at == ana.password_last_used_at


async def test_all_that_lets_somebody_in_is_listed(connect, model, ana):
    ana.devices = ["arn:aws:iam::111122223333:mfa/ana"]
    held = await connect(model).holdings(ana.id)
    assert sorted((each.kind, each.external_id) for each in held) == sorted(
        [
            *(
                (HoldingKind.TOKEN if m.kind == "service_credential" else HoldingKind.KEY, m.id)
                for m in ana.made
            ),
            (HoldingKind.DEVICE, ana.devices[0]),
        ]
    )
    assert any("codecommit.amazonaws.com" in each.name for each in held)


async def test_a_user_with_a_service_credential_alone_is_active(connect, model, ana):
    ana.has_password = False
    ana.made = [each for each in ana.made if each.kind == "service_credential"]
    assert (await connect(model).read(ana.id)).is_active is True
    ana.made[0].status = "Inactive"
    assert (await connect(model).read(ana.id)).is_active is False


# -- cutting ----------------------------------------------------------------------------------------------


async def test_the_whole_cut_leaves_nothing_that_lets_in_and_comes_back(connect, model, ana):
    connector = connect(model)
    snapshot = await connector.snapshot(ana.id)
    for verb in (Verb.BLOCK_SIGN_IN, Verb.REVOKE_SESSIONS, Verb.REVOKE_TOKENS, Verb.SUSPEND):
        assert (await getattr(connector, verb)(ana.id)).outcome is Outcome.DONE
        assert (await connector.verify(ana.id, verb)).verdict is Verdict.CONFIRMED
    await connector.remove_entitlements(ana.id)
    assert {each.status for each in ana.made} == {"Inactive"}
    assert not ana.has_password
    assert set(ana.inline) == {DENY_ALL, END_SESSIONS}
    proof = await connector.verify(ana.id, Verb.SUSPEND)
    assert "refuses explicitly" in proof.probe
    for verb in (Verb.REMOVE_ENTITLEMENTS, Verb.SUSPEND, Verb.REVOKE_TOKENS, Verb.BLOCK_SIGN_IN):
        await connector.restore(ana.id, verb, snapshot)
    assert ana.has_password
    assert {each.status for each in ana.made} == {"Active"}
    assert (ana.groups, ana.attached, ana.inline["own"]) == (["developers"], [policy("ReadOnly")], ALLOWS)
    assert DENY_ALL not in ana.inline


async def test_the_probe_asks_awss_simulator_and_a_denial_that_it_does_not_see_is_not_confirmed(
    connect, model, ana, monkeypatch
):
    connector = connect(model)
    await connector.block_sign_in(ana.id)
    proof = await connector.verify(ana.id, Verb.BLOCK_SIGN_IN)
    assert proof.verdict is Verdict.CONFIRMED
    assert "refuses explicitly: iam:ListUsers" in proof.probe
    monkeypatch.setattr(
        model,
        "SimulatePrincipalPolicy",
        lambda given: {
            "EvaluationResults": [
                {"EvalActionName": name, "EvalDecision": "implicitDeny"} for name in given["ActionNames"]
            ]
        },
    )
    seen = await connector.verify(ana.id, Verb.BLOCK_SIGN_IN)
    assert seen.verdict is Verdict.PENDING
    assert "does not refuse" in seen.read


async def test_a_simulator_that_is_not_allowed_leaves_the_reading_to_stand_alone_and_says_so(
    connect, model, ana
):
    model.forbidden.add("SimulatePrincipalPolicy")
    connector = connect(model)
    await connector.block_sign_in(ana.id)
    proof = await connector.verify(ana.id, Verb.BLOCK_SIGN_IN)
    assert (proof.verdict, proof.probe) == (Verdict.CONFIRMED, "")
    assert "The reading stands alone" in proof.read
    assert "iam:SimulatePrincipalPolicy" in proof.read


async def test_a_policy_of_our_name_that_says_less_is_no_denial(connect, model, ana):
    ana.inline[DENY_ALL] = ALLOWS
    connector = connect(model)
    assert (await connector.verify(ana.id, Verb.BLOCK_SIGN_IN)).verdict is Verdict.FAILED
    assert (await connector.read(ana.id)).is_active is True
    assert (await connector.block_sign_in(ana.id)).outcome is Outcome.DONE
    assert (await connector.verify(ana.id, Verb.BLOCK_SIGN_IN)).verdict is Verdict.CONFIRMED


async def test_sessions_of_this_very_second_are_ended_too_and_the_probe_is_one_opened_before(
    connect, model, ana, clock
):
    connector = connect(model)
    await connector.revoke_sessions(ana.id)
    assert sessions_ended_before(ana.inline[END_SESSIONS]) == clock.now.replace(microsecond=0) + timedelta(
        seconds=1
    )
    proof = await connector.verify(ana.id, Verb.REVOKE_SESSIONS)
    assert proof.verdict is Verdict.CONFIRMED
    assert "refuses explicitly" in proof.probe


async def test_sessions_are_ended_by_awss_clock_when_ours_is_behind(connect, model, ana, clock):
    class Ahead:
        def __call__(self, request):
            answer = model(request)
            answer.headers["date"] = "Fri, 27 Nov 2026 16:35:00 GMT"
            return answer

    await connect(Ahead()).revoke_sessions(ana.id)
    assert sessions_ended_before(ana.inline[END_SESSIONS]) == datetime(2026, 11, 27, 16, 35, 1, tzinfo=UTC)


async def test_sessions_that_were_opened_since_the_last_time_are_ended_by_a_new_moment(
    connect, model, ana, clock
):
    connector = connect(model)
    await connector.revoke_sessions(ana.id)
    first = ana.inline[END_SESSIONS]
    assert (await connector.revoke_sessions(ana.id)).outcome is Outcome.ALREADY_DONE
    clock.goes_on(minutes=5)
    assert (await connector.revoke_sessions(ana.id)).outcome is Outcome.DONE
    assert sessions_ended_before(ana.inline[END_SESSIONS]) > sessions_ended_before(first)
    ana.inline[END_SESSIONS] = first
    assert (await connector.verify(ana.id, Verb.REVOKE_SESSIONS)).verdict is not Verdict.CONFIRMED


async def test_ended_sessions_cannot_be_given_back(connect, model, ana):
    connector = connect(model)
    snapshot = await connector.snapshot(ana.id)
    with refused(ErrorKind.UNSUPPORTED):
        await connector.restore(ana.id, Verb.REVOKE_SESSIONS, snapshot)


async def test_what_shows_later_is_pending_until_the_stated_time_and_then_failed(connect, model, ana, clock):
    connector = connect(model, settles_within_seconds=120)
    model.lag = True
    for verb in (Verb.BLOCK_SIGN_IN, Verb.SUSPEND, Verb.REMOVE_ENTITLEMENTS):
        await getattr(connector, verb)(ana.id)
        proof = await connector.verify(ana.id, verb)
        assert (proof.verdict, proof.retry_until) == (Verdict.PENDING, clock.now + timedelta(seconds=120))
    clock.goes_on(seconds=121)
    assert (await connector.verify(ana.id, Verb.SUSPEND)).verdict is Verdict.FAILED
    model.catch_up()
    for verb in (Verb.BLOCK_SIGN_IN, Verb.SUSPEND, Verb.REMOVE_ENTITLEMENTS):
        assert (await connector.verify(ana.id, verb)).verdict is Verdict.CONFIRMED


async def test_one_key_that_cannot_be_switched_off_is_named_and_the_others_are_off(connect, model, ana):
    model.forbidden.add("UpdateSSHPublicKey")
    connector = connect(model)
    with refused(ErrorKind.DENIED) as refusal:
        await connector.suspend(ana.id)
    assert "SSH key" in refusal.value.message
    assert "iam:UpdateSSHPublicKey" in refusal.value.message
    assert [each.kind for each in ana.made if each.status == "Active"] == ["ssh_key"]
    proof = await connector.verify(ana.id, Verb.REVOKE_TOKENS)
    assert proof.verdict is Verdict.FAILED
    assert ana.of_kind("ssh_key")[0].id in proof.read


async def test_a_user_whose_policies_leave_no_room_is_not_denied_and_the_way_out_is_said(connect, model, ana):
    ana.inline["long"] = json.dumps({"Version": "2012-10-17", "Statement": [{"Sid": "x" * 1900}]})
    with refused(ErrorKind.CONFLICT) as refusal:
        await connect(model).block_sign_in(ana.id)
    assert "2,048" in refusal.value.message
    assert DENY_ALL not in ana.inline


async def test_a_key_that_was_deleted_since_the_cut_is_named_and_the_others_work_again(connect, model, ana):
    connector = connect(model)
    snapshot = await connector.snapshot(ana.id)
    await connector.revoke_tokens(ana.id)
    gone = ana.made.pop(0)
    receipt = await connector.restore(ana.id, Verb.REVOKE_TOKENS, snapshot)
    assert f"not brought back: {gone.id}" in receipt.summary
    assert {each.status for each in ana.made} == {"Active"}


async def test_deleting_removes_what_hangs_on_the_user_and_denies_until_the_end(connect, model, account, ana):
    ana.devices = ["arn:aws:iam::111122223333:mfa/ana"]
    connector = connect(model)
    await connector.block_sign_in(ana.id)
    await connector.delete(ana.id)
    assert "ana" not in account.users
    assert model.asked.index("DeleteAccessKey") < model.asked.index("RemoveUserFromGroup")
    assert model.asked[-1] == "DeleteUser"
    assert (await connector.verify(ana.id, Verb.DELETE)).verdict is Verdict.CONFIRMED


async def test_the_boundary_stays_and_is_said_to(connect, model, ana):
    ana.boundary = policy("Boundary")
    connector = connect(model)
    await connector.remove_entitlements(ana.id)
    assert "boundary stays" in (await connector.verify(ana.id, Verb.REMOVE_ENTITLEMENTS)).read


# -- testing the connection -------------------------------------------------------------------------------


async def test_a_right_that_lacks_is_named_before_anything_relies_on_it(connect, model):
    model.forbidden.add("PutUserPolicy")
    report = await connect(model).test()
    assert not report.ok
    assert report.problems == ("Partwell's policy does not allow iam:PutUserPolicy.",)


async def test_the_key_of_root_is_not_taken(connect, model, monkeypatch):
    monkeypatch.setattr(type(model.account.users["partwell"]), "arn", "arn:aws:iam::111122223333:root")
    report = await connect(model).test()
    assert not report.ok
    assert "root" in report.summary
