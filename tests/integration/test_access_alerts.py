"""What people are told of accounts that were not cut or came back: one card for each, until it is solved."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from django.test import Client

from partwell import clock
from partwell.access import operations, queries, runs
from partwell.access.models import AccountRecord, Alert, Plan
from partwell.departures.models import Departure
from partwell.evidence.models import Event
from partwell.journeys import correspondence
from partwell.people.models import User
from partwell.signals.models import Message
from partwell.signals.sealing import unseal
from tests.access_world import World, make_user
from tests.factories import as_actor

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("no_pauses")]


def told(kind: str) -> Alert:
    return Alert.objects.get(kind=kind)


def fail_after_access_end(world: World) -> Plan:
    """Access ended, and the system refuses every change."""
    world.add_system("directory")
    world.store.set_mode("directory", "denies")
    world.end_access()
    plan = world.enforce()
    assert plan is not None
    world.run()
    return plan


def read_back(world: World) -> None:
    operations.verify_plan(departure=world.departure, actor=world.console, now=clock.now())


def test_one_account_that_failed_by_three_verbs_is_one_alert_that_names_them_and_the_way_out(
    world: World,
) -> None:
    Departure.objects.filter(pk=world.departure.pk).update(
        access_end_at=datetime(2026, 11, 24, 15, 30, tzinfo=UTC)
    )
    world.departure.refresh_from_db()
    world.add_system("directory")
    world.store.set_mode("directory", "denies")
    world.enforce()
    world.run()
    alert = told("cut_failed")
    assert alert.text.startswith(
        "Access ended Tue 24 Nov 2026, 16:30 CET; blocking sign-in, ending sessions and suspending "
        "failed for ada in Directory: "
    )
    assert "our account may not do this" in alert.text
    assert alert.text.endswith(
        "Way out: Look into the system, put right what it says, then apply again or attest it."
    )
    assert alert.text.count("Look into the system") == 1
    assert Event.objects.filter(kind="access.alert_raised").count() == 1


def test_two_accounts_are_two_alerts(world: World) -> None:
    world.add_system("crm")
    world.store.set_mode("crm", "denies")
    fail_after_access_end(world)
    assert Alert.objects.filter(kind="cut_failed").count() == 2


def test_a_failure_before_access_end_is_no_alert_yet(world: World) -> None:
    world.add_system("directory")
    world.store.set_mode("directory", "denies")
    world.cut()
    assert world.states("directory")["suspend"] == "failed"
    assert not Alert.objects.exists()
    world.end_access()
    world.enforce()
    world.run()
    assert told("cut_failed").resolved_at is None


def test_what_failed_under_a_plan_that_still_runs_is_told_at_access_end(world: World) -> None:
    world.add_system("directory")
    world.add_system("slow")
    plan = world.plan()
    world.approve(plan)
    world.store.set_mode("directory", "denies")
    world.store.set_mode("slow", "accepts_later", reads=10_000)
    world.apply(plan)
    world.run(rounds=1)
    assert not Alert.objects.exists()
    world.end_access()
    assert world.enforce() is None
    assert "ada in Directory" in told("cut_failed").text


def test_the_alert_is_resolved_when_the_change_is_verified_later(world: World) -> None:
    fail_after_access_end(world)
    world.store.set_mode("directory", "ok")
    fresh = world.plan()
    assert told("cut_failed").resolved_at is None, "a proposal alone solves nothing"
    world.run()
    assert world.states("directory")["suspend"] == "verified"
    assert fresh.approved_at is None
    assert told("cut_failed").resolved_at is not None


@pytest.mark.parametrize("word", ["attested", "impossible"])
def test_the_alert_is_resolved_by_a_persons_word(world: World, word: str) -> None:
    fail_after_access_end(world)
    account = AccountRecord.objects.get()
    if word == "attested":
        operations.attest_account(account=account, note="Gone.", actor=world.requester, now=clock.now())
    else:
        operations.mark_impossible(
            account=account, reason="Not ours.", actor=world.requester, now=clock.now()
        )
    account.refresh_from_db()
    assert account.state == word
    assert told("cut_failed").resolved_at is not None


def test_the_alert_is_resolved_when_the_account_is_gone(world: World) -> None:
    fail_after_access_end(world)
    world.store.set_mode("directory", "ok")
    world.store.delete("directory", "directory-0", at=clock.now())
    world.plan()
    assert AccountRecord.objects.get().state == "verified"
    assert told("cut_failed").resolved_at is not None


def test_while_some_of_it_is_solved_the_rest_is_named_and_nobody_is_told_anew(world: World) -> None:
    world.add_system("directory")
    world.cut()
    world.store.edit("directory", "directory-0", is_active=True, groups={"staff": "Staff"})
    read_back(world)
    alert = told("access_back")
    assert "Suspending: reading back shows: active" in alert.text
    assert "removing groups" in alert.text
    world.store.edit("directory", "directory-0", groups={})
    read_back(world)
    still = told("access_back")
    assert "removing groups" not in still.text
    assert (still.raised_at, still.resolved_at) == (alert.raised_at, None)
    assert Event.objects.filter(kind="access.alert_raised").count() == 1


def test_an_account_that_came_back_by_two_verbs_is_one_alert_until_both_are_cut_again(world: World) -> None:
    world.add_system("directory")
    plan = world.cut()
    world.store.edit("directory", "directory-0", is_active=True, groups={"staff": "Staff"})
    read_back(world)
    assert Alert.objects.count() == 1
    # Cutting it again fails at first: it still is an account that came back, not a second alert.
    world.store.set_mode("directory", "denies")
    world.apply(plan)
    world.run()
    assert told("access_back").resolved_at is None
    assert Alert.objects.count() == 1
    world.store.set_mode("directory", "ok")
    world.apply(plan)
    world.run()
    assert world.is_settled
    assert told("access_back").resolved_at is not None


def test_restoring_ends_what_was_told_of_the_account(world: World) -> None:
    world.add_system("directory")
    world.cut()
    world.store.edit("directory", "directory-0", is_active=True)
    read_back(world)
    operations.restore_plan(departure=world.departure, actor=world.console, now=clock.now())
    assert told("access_back").resolved_at is not None


def test_approving_ends_the_call_for_an_approval_and_choosing_the_question_which_account(
    world: World,
) -> None:
    system = world.add_system("directory", accounts=2)
    soon = world.departure.access_end_at - timedelta(hours=1)
    operations.escalate(departure_id=world.departure.pk, now=soon)
    world.end_access()
    world.enforce()
    world.run()
    assert set(queries.open_alerts(world.requester).values_list("kind", flat=True)) == {
        "ambiguous",
        "no_approved_plan",
    }
    plan = operations.link_accounts(
        departure=world.departure,
        system=system,
        external_ids=["directory-0"],
        actor=world.requester,
        now=clock.now(),
    )
    world.run()
    plan.refresh_from_db()
    world.approve(plan)
    assert not queries.open_alerts(world.requester).exists()


def test_it_security_is_written_to_once_and_finance_sees_no_card(world: World) -> None:
    fail_after_access_end(world)
    for _ in range(2):
        correspondence.tell_of_access(now=clock.now())
    mails = Message.objects.filter(kind="access_alert")
    assert {mail.to for mail in mails} == {"rita@firm.example", "otto@firm.example"}
    assert "suspending failed for ada in Directory" in unseal(mails[0].sealed_text)
    finance = make_user("fiona", ["finance"])
    assert not queries.open_alerts(as_actor(finance)).exists()


def test_the_first_page_shows_one_card_for_one_account(world: World) -> None:
    fail_after_access_end(world)
    browser = Client(SERVER_NAME="localhost")
    browser.force_login(User.objects.get(email="rita@firm.example"))
    for page in ("/", "/access/"):
        shown = browser.get(page).content.decode()
        assert shown.count("Not cut, though access has ended") == 1
        assert shown.count("failed for ada in Directory") == 1


def test_a_run_that_dies_after_the_failure_still_tells_of_it(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    class Killed(BaseException):
        pass

    def die(*args: object, **kwargs: object) -> None:
        raise Killed

    world.add_system("directory")
    world.store.set_mode("directory", "denies")
    world.end_access()
    world.enforce()
    with monkeypatch.context() as patched:
        patched.setattr(runs, "settle", die)
        with pytest.raises(Killed):
            world.run(rounds=1)
    assert world.states("directory")["suspend"] == "failed"
    assert not Alert.objects.exists()
    world.run()
    assert "suspending failed for ada" in told("cut_failed").text
