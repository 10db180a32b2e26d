"""Systems that are down, slow, lying or half-hearted, and processes that die: nothing is claimed that was
not read back, nothing is done twice, nobody waits for somebody else's system."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest

from partwell import clock
from partwell.access import asking, queries, readings, runs
from partwell.access.models import AccountRecord, Change, Plan, SystemRun
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

    monkeypatch.setattr(evidence, "insert_values", refuse)
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
