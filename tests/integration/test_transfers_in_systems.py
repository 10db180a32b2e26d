"""Systems hand over what they can: a mailbox while its account lives, the rest once access has ended."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

import pytest

from partwell import clock
from partwell.access import asking
from partwell.access.models import Alert, Change, Cut, Plan, SystemRun, Transfer
from partwell.access.operations import change_system
from partwell.access.transfers import before_suspension, operations, running, waking
from partwell.access.transfers.states import BY_CONNECTOR, HandedKind
from partwell.connector_kit.contract import TransferKind
from partwell.engine.models import Timer
from partwell.evidence.models import Event
from partwell.refusals import Conflict, FreshSignInNeeded
from tests.access_world import World
from tests.transfer_world import accept, an_hour_later, hand_over, held, name, of, state

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("no_pauses")]


@pytest.fixture
def office(world: World, monkeypatch: pytest.MonkeyPatch) -> World:
    """Ada has a mailbox and files in one system, and the plan that ends it is approved."""
    for module in (running, before_suspension):
        monkeypatch.setattr(module, "backoff", asking.backoff)
    world.add_system("mail", without=[])
    world.approve(world.plan())
    return world


def end_access(world: World) -> None:
    """Access ends: the rule runs, and what waited for it."""
    world.end_access()
    for transfer in Transfer.objects.all():
        transfer.departure.refresh_from_db()
    world.enforce()
    world.run()


def order(world: World) -> list[str]:
    return world.effects("mail")


def test_one_hand_over_is_opened_for_each_kind_that_a_system_gives(office: World) -> None:
    assert list(Transfer.objects.values_list("kind", "state", "system_title").order_by("kind")) == [
        ("auto_reply", "open", "Mail"),
        ("files", "open", "Mail"),
        ("mailbox", "open", "Mail"),
    ]
    assert Event.objects.filter(kind="transfer.opened").count() == 3
    office.plan()
    assert Transfer.objects.count() == 3


def test_a_mailbox_is_given_after_sign_in_is_blocked_and_before_the_account_is_suspended(
    office: World,
) -> None:
    name(office, "mailbox", "files")
    end_access(office)
    assert order(office) == [
        "block_sign_in", "revoke_sessions", "give:mailbox", "suspend", "remove_entitlements",
    ]  # fmt: skip
    given = of(office)
    assert (given.state, given.by) == ("done", "connector") and given.given_at is not None
    assert set(office.states("mail").values()) == {"verified"}
    assert state(office, "files") == "waiting"
    hand_over(office, "files")
    assert (
        state(office, "files") == "done" and "sam@firm.example owns the files" in of(office, "files").reason
    )


def begin_a_job_that_takes_its_time(office: World) -> None:
    name(office, "mailbox")
    office.store.set_mode("mail", "accepts_later", reads=5)
    office.end_access()
    office.enforce()
    for _ in range(20):
        office.run(rounds=1)
        if state(office) != "waiting":
            break
    assert state(office) in ("queued", "running")


def test_a_suspension_waits_for_a_job_that_takes_its_time(office: World) -> None:
    begin_a_job_that_takes_its_time(office)
    assert held(office).state == "planned" and "Waits until this is handed over" in held(office).reason
    assert not {"suspend"} & set(order(office))
    office.run(rounds=20)
    assert state(office) == "done"
    assert order(office).index("give:mailbox") < order(office).index("suspend")
    assert held(office).state == "verified"


def test_a_job_of_another_connection_is_unknown_and_people_are_told(office: World) -> None:
    begin_a_job_that_takes_its_time(office)
    change_system(
        system=office.systems["mail"], changes={"title": "Post"}, actor=office.requester, now=clock.now()
    )
    assert state(office) in ("queued", "running"), "a title leads nowhere else"
    change_system(
        system=office.systems["mail"],
        changes={"settings": {"mode": "ok"}},
        actor=office.requester,
        now=clock.now(),
    )
    assert state(office) == "unknown"
    assert "nobody can ask how far it has come" in of(office).reason
    assert Alert.objects.filter(kind="handover_failed", resolved_at=None).count() == 1


def test_nothing_stays_open_for_want_of_a_hand_over(office: World) -> None:
    name(office, "mailbox")
    office.store.set_mode("mail", "accepts_later", reads=1000)
    office.end_access()
    office.enforce()
    office.run(rounds=5)
    assert held(office).state == "planned"
    assert held(office).next_attempt_at is not None
    assert SystemRun.objects.get().state == "waiting"
    assert held(office).next_attempt_at <= of(office).first_due_at + timedelta(hours=1)
    an_hour_later(office)
    office.store.set_mode("mail", "ok")
    office.run()
    assert held(office).state == "verified"
    assert "suspended before this was handed over" in of(office).proof["late"]
    assert SystemRun.objects.get().state == "ended"


def test_in_a_critical_system_a_suspension_waits_no_longer_than_lets_it_be_in_time(world: World) -> None:
    critical = world.add_system("mail", without=[], sla_class="critical")
    assert before_suspension.longest_wait(critical) == timedelta(minutes=10)
    normal = world.add_system("other", without=[])
    assert before_suspension.longest_wait(normal) == timedelta(hours=1)


def test_what_was_not_given_in_time_says_so_and_people_are_told(office: World) -> None:
    name(office, "mailbox")
    # Blocking is accepted and never shows, so the mailbox is not asked for while somebody might come in.
    office.store.set_mode("mail", "accepts_later", reads=1000, within=7200)
    office.end_access()
    office.enforce()
    office.run(rounds=3)
    assert state(office) == "waiting" and held(office).state == "planned"
    an_hour_later(office)
    office.run(rounds=1)
    assert held(office).state == "accepted"
    assert state(office) == "failed" and "suspended before this was handed over" in of(office).reason
    assert Alert.objects.filter(kind="handover_failed", resolved_at=None).exists()


def test_under_the_kill_switch_nothing_waits_and_nothing_is_asked_for(office: World) -> None:
    name(office, "mailbox")
    plan = office.departure.access_plans.get()
    cut = Cut.objects.create(
        title="Now", reason="At once.", state="fired", ordered_by="x", ordered_at=clock.now()
    )
    cut.departures.set([office.departure])
    office.apply(plan)
    Plan.objects.filter(pk=plan.pk).update(cut=cut)
    office.run()
    assert "give:mailbox" not in order(office) and held(office).state == "verified"
    office.end_access()
    hand_over(office, "mailbox")
    assert state(office) == "failed" and "only before that" in of(office).reason
    assert Alert.objects.get(kind="handover_failed").resolved_at is None


def test_where_sign_in_cannot_be_blocked_it_is_asked_for_just_before_and_nothing_waits(world: World) -> None:
    world.add_system("mail", without=["block_sign_in"])
    world.approve(world.plan())
    name(world, "mailbox")
    world.store.set_mode("mail", "ok")
    world.end_access()
    world.enforce()
    world.run()
    assert order(world)[:3] == ["revoke_sessions", "give:mailbox", "suspend"]


def test_where_sign_in_cannot_be_blocked_a_slow_job_holds_nothing_up(world: World) -> None:
    world.add_system("mail", without=["block_sign_in"])
    world.approve(world.plan())
    name(world, "mailbox")
    world.store.set_mode("mail", "accepts_later", reads=1000)
    world.end_access()
    world.enforce()
    world.run(rounds=1)
    assert state(world) == "queued"
    assert held(world).state in ("accepted", "verified")


def test_what_needs_no_living_account_waits_for_access_to_end(office: World) -> None:
    name(office, "files")
    hand_over(office, "files")
    assert state(office, "files") == "waiting"
    end_access(office)
    hand_over(office, "files")
    assert state(office, "files") == "done"


def test_a_person_can_have_it_handed_over_at_once_with_a_fresh_sign_in(office: World) -> None:
    name(office, "files")
    with pytest.raises(FreshSignInNeeded):
        operations.hand_over_now(
            transfer=of(office, "files"), actor=replace(office.requester, is_fresh=False), now=clock.now()
        )
    operations.hand_over_now(transfer=of(office, "files"), actor=office.requester, now=clock.now())
    hand_over(office, "files")
    assert state(office, "files") == "done"
    with pytest.raises(Conflict, match="Name a successor"):
        operations.hand_over_now(transfer=of(office), actor=office.requester, now=clock.now())


def test_the_intent_is_on_record_before_the_system_is_asked_and_a_lost_answer_is_asked_for_again(
    office: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    name(office, "files")
    end_access(office)
    found = of(office, "files")
    assert running.begin(found)
    assert state(office, "files") == "requested"
    # A worker that died there: nobody asks while another may be at it, then it is asked once more.
    hand_over(office, "files")
    assert state(office, "files") == "requested"
    Transfer.objects.filter(pk=found.pk).update(asked_at=clock.now() - running.UNDER_WAY)
    hand_over(office, "files")
    assert state(office, "files") == "done"
    kinds = (
        Event.objects.filter(kind__startswith="transfer.")
        .order_by("occurred_at")
        .values_list("kind", flat=True)
    )
    assert list(kinds)[-3:] == ["transfer.requested", "transfer.requested", "transfer.done"]
    assert order(office).count("give:files") == 1


def test_a_job_that_lied_is_not_shown_as_done(office: World) -> None:
    name(office, "files")
    end_access(office)
    office.store.set_mode("mail", "lies")
    hand_over(office, "files")
    found = of(office, "files")
    assert found.state == "unknown" and found.given_at is None
    assert Alert.objects.filter(kind="handover_failed", resolved_at=None).count() == 1


def test_a_failed_job_is_told_and_handed_over_anew_once_it_is_put_right(office: World) -> None:
    name(office, "files")
    end_access(office)
    office.store.set_mode("mail", "jobs_fail")
    hand_over(office, "files")
    assert state(office, "files") == "failed"
    assert "The job failed" in Alert.objects.get(kind="handover_failed").text
    office.store.set_mode("mail", "ok")
    name(office, "files")
    hand_over(office, "files")
    assert state(office, "files") == "done"
    assert Alert.objects.get(kind="handover_failed").resolved_at is not None


def test_an_account_is_not_deleted_until_its_successor_has_all_of_it(world: World) -> None:
    world.add_system("mail", without=[])
    world.approve(world.plan(delete_in=["mail"]))
    name(world, "mailbox", "files")
    operations.leave_transfer(
        transfer=of(world, "auto_reply"),
        reason="Nobody wrote to them.",
        actor=world.requester,
        now=clock.now(),
    )
    end_access(world)
    hand_over(world, "files")
    delete = world.change("mail", "delete")
    assert delete.state == "planned" and "mailbox" in delete.reason and "files" in delete.reason
    accept(world, "mailbox")
    world.run()
    assert Change.objects.get(pk=delete.pk).state == "planned"
    accept(world, "files")
    world.run()
    assert Change.objects.get(pk=delete.pk).state == "verified"
    assert world.store.account("mail", "mail-0") is None


def test_when_a_worker_starts_it_goes_on_with_all_that_is_due(office: World) -> None:
    name(office, "files")
    end_access(office)
    Timer.objects.all().delete()
    running.reconcile()
    assert Timer.objects.filter(name=waking.DUE, key=str(of(office, "files").pk)).exists()


def test_kinds_of_the_contract_are_kinds_here() -> None:
    assert {kind.value for kind in TransferKind} == {kind.value for kind in BY_CONNECTOR}
    assert set(HandedKind) - BY_CONNECTOR == {HandedKind.TICKETS, HandedKind.OTHER}
