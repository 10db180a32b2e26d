"""Systems that are down, slow, lying or half-hearted, and processes that die: nothing is claimed that was
not read back, nothing is done twice, nobody waits for somebody else's system."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest

from partwell import clock
from partwell.access import asking, operations, queries, readings, runs
from partwell.access.models import AccountRecord, Alert, Change, Plan, SystemRun
from partwell.evidence import operations as evidence
from tests.access_world import World

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("no_pauses")]


@pytest.mark.parametrize("mode", ["down", "html", "raises"])
def test_an_existence_check_that_fails_is_not_no_account(world: World, mode: str) -> None:
    world.add_system("mail", accounts=0)
    world.add_system("wiki")
    world.store.set_mode("mail", mode)
    plan = world.plan()
    assert plan.answers["mail"]["found"] == "unreachable"
    assert world.states("mail") == {"ask_again": "unreachable"}
    world.approve(plan)
    world.apply(plan)
    world.run(rounds=3)
    assert set(world.states("wiki").values()) == {"verified"}
    assert not world.is_settled
    world.store.set_mode("mail", "ok")
    world.run()
    assert world.is_settled, "asked again, it has no account"


def test_an_account_found_only_after_the_outage_waits_for_its_own_approval(world: World) -> None:
    world.add_system("mail")
    world.store.set_mode("mail", "down")
    plan = world.plan()
    world.approve(plan)
    world.apply(plan)
    world.run(rounds=2)
    world.store.set_mode("mail", "ok")
    world.run()
    assert world.effects("mail") == []
    delta = queries.latest_plan(world.departure)
    assert delta is not None and delta.kind == "delta"
    assert not world.is_settled


def test_a_system_that_goes_down_between_plan_and_cut_is_said_to_be_unreachable(world: World) -> None:
    world.add_system("mail")
    plan = world.plan()
    world.approve(plan)
    world.store.set_mode("mail", "down")
    world.apply(plan)
    world.run(rounds=2)
    account = AccountRecord.objects.get()
    assert account.state == "unreachable" and "500" in account.reason
    assert SystemRun.objects.get().state == "waiting"
    world.store.set_mode("mail", "ok")
    world.run()
    assert world.is_settled


def test_a_slow_system_is_given_up_at_its_time_limit(world: World) -> None:
    world.add_system("mail", time_limit_seconds=0.2)
    world.store.set_mode("mail", "slow", seconds=30)
    started_at = clock.now()
    plan = world.plan()
    assert clock.now() - started_at < timedelta(seconds=5)
    assert plan.answers["mail"]["reason"] == "It did not answer within 0.2 seconds."


def test_a_system_that_lies_is_found_out(world: World) -> None:
    world.add_system("mail")
    plan = world.plan()
    world.approve(plan)
    world.store.set_mode("mail", "lies")
    world.apply(plan)
    world.run()
    change = world.change("mail", "suspend")
    assert change.state == "failed" and "reading back shows: active" in change.reason
    assert change.attempts == readings.MAX_REPEATS
    assert not world.is_settled


def test_an_accepted_change_is_not_green_until_it_shows(world: World) -> None:
    world.add_system("mail")
    plan = world.plan()
    world.approve(plan)
    world.store.set_mode("mail", "accepts_later", reads=3)
    world.apply(plan)
    run = SystemRun.objects.get()
    runs.run_system(str(run.plan_id), str(run.system_id))
    assert set(world.states("mail").values()) == {"accepted"}
    assert not world.is_settled
    world.run()
    assert set(world.states("mail").values()) == {"verified"}
    assert len(world.effects("mail")) == 4


def test_an_accepted_change_that_never_shows_fails_at_the_stated_time(world: World) -> None:
    world.add_system("mail")
    plan = world.plan()
    world.approve(plan)
    world.store.set_mode("mail", "accepts_later", reads=10_000, within=-1)
    world.apply(plan)
    world.run(rounds=3)
    assert set(world.states("mail").values()) == {"failed"}


def test_throttling_is_waited_for(world: World) -> None:
    world.add_system("mail")
    plan = world.plan()
    world.approve(plan)
    world.apply(plan)
    world.store.set_mode("mail", "throttles", times=3, seconds=0)
    world.run()
    assert world.is_settled


def test_a_refusal_fails_with_what_why_and_the_way_out(world: World) -> None:
    world.add_system("mail")
    plan = world.plan()
    world.approve(plan)
    world.store.set_mode("mail", "denies")
    world.apply(plan)
    world.run()
    change = world.change("mail", "suspend")
    assert change.state == "failed" and "our account may not do this" in change.reason
    assert "apply again" in change.reason
    assert change.attempts == 1, "what is refused for good is not asked again"
    world.store.set_mode("mail", "ok")
    world.apply(plan)
    world.run()
    assert world.is_settled


def test_a_flaky_system_is_asked_until_it_answers_and_nothing_is_doubled(world: World) -> None:
    world.add_system("mail", settings={"seed": 7})
    plan = world.plan()
    world.approve(plan)
    world.store.set_mode("mail", "flaky", share=0.4)
    world.apply(plan)
    world.run(rounds=200)
    assert world.is_settled
    assert sorted(world.effects("mail")) == [
        "block_sign_in",
        "remove_entitlements",
        "revoke_sessions",
        "suspend",
    ]


class Killed(BaseException):
    """Stands for kill -9: nothing may catch it."""


def kill_at(monkeypatch: pytest.MonkeyPatch, point: str, when: str) -> Callable[[], None]:
    original = getattr(asking, point)
    armed = {"on": True}

    def killing(*args: Any, **kwargs: Any) -> Any:
        if armed["on"] and when == "before":
            raise Killed
        result = original(*args, **kwargs)
        if armed["on"]:
            raise Killed
        return result

    monkeypatch.setattr(asking, point, killing)
    return lambda: armed.update(on=False)


@pytest.mark.parametrize("when", ["before", "after"])
@pytest.mark.parametrize("point", ["write_intents", "call", "write_outcomes"])
def test_a_process_killed_anywhere_leaves_nothing_undone_and_doubles_nothing(
    world: World, monkeypatch: pytest.MonkeyPatch, point: str, when: str
) -> None:
    world.add_system("mail")
    plan = world.plan(delete_in=["mail"])
    world.approve(plan)
    world.apply(plan)
    disarm = kill_at(monkeypatch, point, when)
    with pytest.raises(Killed):
        world.run(rounds=1)
    disarm()
    world.run()
    assert world.is_settled
    effects = world.effects("mail")
    assert len(effects) == len(set(effects)) == 5


def test_a_deletion_with_an_unknown_outcome_is_never_asked_for_twice(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    world.add_system("mail")
    plan = world.plan(delete_in=["mail"])
    world.approve(plan)
    world.apply(plan)
    asked = []
    original = asking.call

    def call(work: Any, changes: Any) -> Any:
        for change in changes:
            if change.verb == "delete":
                asked.append(change.account.external_id)
                raise Killed
        return original(work, changes)

    monkeypatch.setattr(asking, "call", call)
    with pytest.raises(Killed):
        world.run()
    monkeypatch.setattr(asking, "call", original)
    world.run()
    change = world.change("mail", "delete")
    assert change.state == "failed" and "never asked for twice" in change.reason
    world.apply(plan)
    world.run()
    assert len(asked) == 1 and "delete" not in world.effects("mail")


def test_without_evidence_nothing_is_cut(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    world.add_system("mail")
    plan = world.plan()
    world.approve(plan)
    world.apply(plan)

    def refuse(*args: Any, **kwargs: Any) -> None:
        raise RuntimeError("the record is read-only")

    monkeypatch.setattr(evidence.Event.objects, "bulk_create", refuse)
    with pytest.raises(RuntimeError, match="read-only"):
        world.run()
    assert world.effects("mail") == []
    assert set(Change.objects.values_list("state", flat=True)) == {"planned"}


def test_two_workers_never_work_on_the_same_run(world: World) -> None:
    world.add_system("mail")
    plan = world.plan()
    world.approve(plan)
    world.apply(plan)
    SystemRun.objects.update(
        claimed_by="another-machine/1/x", claimed_until=clock.now() + timedelta(minutes=1)
    )
    world.run(rounds=1)
    assert world.effects("mail") == []
    SystemRun.objects.update(claimed_until=clock.now() - timedelta(seconds=1))
    world.run()
    assert world.is_settled


def test_a_run_that_lost_its_claim_asks_for_nothing_more(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    world.add_system("mail")
    plan = world.plan()
    world.approve(plan)
    world.apply(plan)
    original = asking.write_outcomes

    def lose(work: Any, answered: Any) -> None:
        original(work, answered)
        SystemRun.objects.update(claimed_by="somebody else")

    monkeypatch.setattr(asking, "write_outcomes", lose)
    world.run(rounds=1)
    assert world.effects("mail") == ["block_sign_in"]


# -- the standing rule ---------------------------------------------------------------------------------


def test_at_access_end_access_is_cut_though_nobody_ever_made_a_plan(world: World) -> None:
    world.add_system("mail")
    assert world.enforce() is None, "not a minute early"
    world.end_access()
    plan = world.enforce()
    world.run()
    assert plan is not None and plan.kind == "standing"
    assert world.effects("mail") == ["block_sign_in", "revoke_sessions", "suspend"]
    states = world.states("mail")
    assert states["suspend"] == states["revoke_sessions"] == "verified"
    assert states["remove_entitlements"] == "planned", "waits for a signature"
    assert not world.is_settled
    plan.refresh_from_db()
    world.approve(plan)
    world.apply(plan)
    world.run()
    assert world.is_settled


def test_at_access_end_an_approved_plan_runs_whole(world: World) -> None:
    world.add_system("mail")
    plan = world.plan()
    world.approve(plan)
    world.end_access()
    assert world.enforce() == plan
    assert world.enforce() is None, "the timer fires twice"
    world.run()
    assert world.is_settled and len(world.effects("mail")) == 4


def test_at_access_end_drift_does_not_save_an_account(world: World) -> None:
    world.add_system("mail")
    plan = world.plan()
    world.approve(plan)
    world.store.edit("mail", "mail-0", groups={"root": "Root"})
    world.end_access()
    world.enforce()
    world.run()
    assert world.effects("mail") == ["block_sign_in", "revoke_sessions", "suspend"]
    assert world.states("mail")["remove_entitlements"] == "planned"
    delta = queries.latest_plan(world.departure)
    assert delta is not None and delta.kind == "delta"
    world.approve(delta)
    world.apply(delta)
    world.run()
    assert world.is_settled


def test_a_fresh_plan_after_access_end_keeps_the_standing_rule(world: World) -> None:
    world.add_system("mail")
    world.store.set_mode("mail", "down")
    world.end_access()
    world.enforce()
    world.run(rounds=2)
    world.plan()
    world.store.set_mode("mail", "ok")
    world.run()
    assert world.effects("mail") == ["block_sign_in", "revoke_sessions", "suspend"]


def test_a_restore_does_not_stop_the_standing_rule(world: World) -> None:
    world.add_system("mail")
    world.cut()
    operations.restore_plan(departure=world.departure, actor=world.console, now=clock.now())
    world.run()
    world.end_access()
    world.enforce()
    world.run()
    state = world.store.account("mail", "mail-0")
    assert state is not None and not state["is_active"]


def test_at_access_end_a_proposal_without_signature_is_overtaken(world: World) -> None:
    world.add_system("mail")
    plan = world.plan()
    world.end_access()
    world.enforce()
    world.run()
    plan.refresh_from_db()
    assert plan.state == "superseded"
    assert world.states("mail")["suspend"] == "verified"


def test_at_access_end_ambiguous_accounts_are_alarmed_not_cut_and_cut_once_somebody_chose(
    world: World,
) -> None:
    system = world.add_system("mail", accounts=2)
    world.add_system("wiki")
    world.end_access()
    world.enforce()
    world.run()
    assert world.effects("mail") == []
    assert world.states("wiki")["suspend"] == "verified"
    assert Alert.objects.filter(kind="ambiguous", key="mail").exists()
    operations.link_accounts(
        departure=world.departure,
        system=system,
        external_ids=["mail-0"],
        actor=world.requester,
        now=clock.now(),
    )
    world.run()
    assert world.effects("mail") == ["block_sign_in", "revoke_sessions", "suspend"]
    assert {effect.account for effect in world.store.ledger("mail")} == {"mail-0"}


def test_at_access_end_an_unreachable_system_is_alarmed_and_cut_when_it_comes_back(world: World) -> None:
    world.add_system("mail")
    world.add_system("wiki")
    world.store.set_mode("mail", "down")
    world.end_access()
    world.enforce()
    world.run(rounds=3)
    assert world.states("wiki")["suspend"] == "verified"
    assert Alert.objects.get(kind="unreachable").resolved_at is None
    assert not world.is_settled
    world.store.set_mode("mail", "ok")
    world.run()
    assert world.states("mail")["suspend"] == "verified"
    assert Alert.objects.get(kind="unreachable").resolved_at is not None


def test_access_that_was_cut_early_is_read_again_at_access_end(world: World) -> None:
    world.add_system("mail")
    world.cut()
    world.store.edit("mail", "mail-0", is_active=True)
    world.end_access()
    world.enforce()
    world.run()
    assert world.states("mail")["suspend"] == "verified"
    state = world.store.account("mail", "mail-0")
    assert state is not None and not state["is_active"]


def test_a_missing_approval_is_raised_before_access_end(world: World) -> None:
    world.add_system("mail")
    soon = world.departure.access_end_at
    for _ in range(2):
        alert = operations.escalate(departure_id=world.departure.pk, now=soon - timedelta(hours=24))
    assert alert is not None and "24 hours" in alert.text
    assert operations.escalate(departure_id=world.departure.pk, now=soon - timedelta(hours=1)) is not None
    assert Alert.objects.count() == 2
    plan = world.plan()
    world.approve(plan)
    assert operations.escalate(departure_id=world.departure.pk, now=soon - timedelta(hours=1)) is None
    assert not Alert.objects.filter(resolved_at=None).exists()


def test_a_plan_made_while_a_cut_is_on_its_way_is_refused(world: World) -> None:
    world.add_system("mail")
    plan = world.plan()
    world.approve(plan)
    world.store.set_mode("mail", "accepts_later", reads=10_000)
    world.apply(plan)
    world.run(rounds=1)
    with pytest.raises(Exception, match="being cut"):
        world.plan()
    assert Plan.objects.count() == 1
