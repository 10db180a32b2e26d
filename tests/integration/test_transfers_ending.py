"""What is given for a time is taken back when that is over; then the mailbox is due for deletion."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

import pytest
from django.test import Client as Browser

from partwell import clock
from partwell.access.models import Alert, Question, Transfer
from partwell.access.transfers import ending, operations, running, waking
from partwell.access.transfers.queries import mailbox_is_due
from partwell.departures.models import Departure
from partwell.engine.models import Timer
from partwell.evidence.models import Event
from partwell.people.models import Installation, Person, User
from partwell.refusals import Conflict, FreshSignInNeeded
from tests.access_world import World
from tests.transfer_world import accept, due_at, end, hand_over, name, of, state

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("no_pauses")]


@pytest.fixture
def given(world: World) -> World:
    """Sam has Ada's mailbox and the automatic reply is on; her access has ended."""
    world.add_system("mail", without=[])
    world.approve(world.plan())
    name(world, "mailbox", "auto_reply", "files")
    world.end_access()
    world.enforce()
    world.run()
    hand_over(world, "auto_reply", "files")
    accept(world, "mailbox", "auto_reply", "files")
    return world


def open_alerts(kind: str) -> list[Alert]:
    return list(Alert.objects.filter(kind=kind, resolved_at=None))


def test_the_engine_wakes_up_when_the_last_day_is_over(given: World) -> None:
    box = of(given)
    assert box.ends_on_date is not None
    assert due_at(box, waking.ENDS) == box.ends_at
    assert not Timer.objects.filter(name=waking.ENDS, key=str(of(given, "files").pk)).exists()
    # Moving access end afterwards does not move what was given until a day.
    given.departure.access_end_at += timedelta(days=20)
    given.departure.save()
    assert of(given).last_day == box.last_day


def test_it_is_taken_back_and_read_to_be_gone(given: World) -> None:
    Departure.objects.update(state="closed")
    assert end(given, "mailbox").state == "ended"
    assert end(given, "auto_reply").state == "ended"
    account = given.store.account("mail", "mail-0")
    assert account is not None and set(account["handed"]) == {"files"}
    assert "given to nobody any more" in of(given).reason
    assert Event.objects.filter(kind="transfer.ended").count() == 2
    end(given, "mailbox")
    assert Event.objects.filter(kind="transfer.ended").count() == 2


def test_then_the_mailbox_is_due_until_somebody_says_what_became_of_it(given: World) -> None:
    end(given, "mailbox")
    [alert] = open_alerts("mailbox_due")
    assert "due for deletion" in alert.text
    assert mailbox_is_due(of(given)) and not mailbox_is_due(of(given, "files"))
    note = "Deleted in the admin centre today."
    operations.settle_mailbox(transfer=of(given), note=note, actor=given.requester, now=clock.now())
    assert open_alerts("mailbox_due") == []
    with pytest.raises(Conflict, match="not due"):
        operations.settle_mailbox(transfer=of(given), note=note, actor=given.requester, now=clock.now())


def test_deleting_its_account_settles_the_mailbox(given: World) -> None:
    end(given, "mailbox")
    given.approve(given.plan(delete_in=["mail"]))
    given.apply(given.departure.access_plans.first())
    given.run()
    assert given.store.account("mail", "mail-0") is None
    assert open_alerts("mailbox_due") == []


def test_its_deletion_is_planned_by_name_from_its_page(given: World) -> None:
    Installation.objects.create(company_name="Harbour & Vale", initialised_at=clock.now())
    end(given, "mailbox")
    browser = Browser(SERVER_NAME="localhost")
    browser.force_login(User.objects.get(email="rita@firm.example"))
    page = browser.get(f"/transfers/{of(given).pk}/").content.decode()
    assert "Plan its deletion" in page
    browser.post(f"/departures/{given.departure.pk}/access/make/", {"delete_in": "mail"})
    assert Question.objects.get().delete_in == ["mail"]
    unknown = browser.post(f"/departures/{given.departure.pk}/access/make/", {"delete_in": "nowhere"})
    assert unknown.status_code == 422
    Departure.objects.update(state="closed")
    page = browser.get(f"/transfers/{of(given).pk}/").content.decode()
    assert "Plan its deletion" not in page and "Delete it by hand" in page


def test_what_is_read_to_be_given_still_has_not_ended(given: World) -> None:
    given.store.set_mode("mail", "lies")
    end(given, "mailbox")
    assert state(given) == "accepted" and open_alerts("not_taken_back") == []
    assert due_at(of(given), waking.ENDS) > clock.now() + timedelta(minutes=14)
    for _ in range(6):
        end(given, "mailbox")
    [alert] = open_alerts("not_taken_back")
    assert "may have it still" in alert.text
    given.store.set_mode("mail", "ok")
    assert end(given, "mailbox").state == "ended"
    assert open_alerts("not_taken_back") == []


def test_where_the_system_refuses_a_person_is_told_at_once(given: World) -> None:
    given.store.set_mode("mail", "denies")
    end(given, "mailbox")
    [alert] = open_alerts("not_taken_back")
    assert "our account may not do this" in alert.text
    operations.attest_end(
        transfer=of(given), note="Taken away in the admin centre.", actor=given.requester, now=clock.now()
    )
    assert state(given) == "ended" and open_alerts("not_taken_back") == []
    assert len(open_alerts("mailbox_due")) == 1


def test_what_was_given_by_hand_is_a_persons_to_take_back(given: World) -> None:
    box = operations.open_transfer(
        departure=given.departure,
        kind="mailbox",
        what="Desk mailbox",
        actor=given.requester,
        now=clock.now(),
    )
    box = operations.name_successor(
        transfer=box, email="sam@firm.example", actor=given.requester, now=clock.now()
    )
    operations.attest_transfer(
        transfer=box, note="Opened in the console.", actor=given.requester, now=clock.now()
    )
    ending.take_back(str(box.pk))
    [alert] = open_alerts("not_taken_back")
    assert "no connection can take it away" in alert.text


def test_a_person_takes_it_back_before_its_day_with_a_fresh_sign_in(given: World) -> None:
    with pytest.raises(FreshSignInNeeded):
        operations.take_back_now(
            transfer=of(given), actor=replace(given.requester, is_fresh=False), now=clock.now()
        )
    operations.take_back_now(transfer=of(given), actor=given.requester, now=clock.now())
    assert end(given, "mailbox").state == "ended"
    with pytest.raises(Conflict, match="No connection"):
        operations.take_back_now(transfer=of(given, "files"), actor=given.requester, now=clock.now())


def test_nobody_else_is_named_while_somebody_has_it_still(given: World) -> None:
    Transfer.objects.filter(kind="mailbox").update(state="missing")
    Person.objects.create(email="kim@firm.example", name="Kim Other")
    with pytest.raises(Conflict, match="has it still"):
        operations.name_successor(
            transfer=of(given), email="kim@firm.example", actor=given.requester, now=clock.now()
        )


def test_nobody_says_that_it_is_not_needed_while_somebody_has_it(given: World) -> None:
    Transfer.objects.filter(kind="mailbox").update(state="missing")
    reason = "Nobody has to read it."
    with pytest.raises(Conflict, match="Take it back first"):
        operations.leave_transfer(transfer=of(given), reason=reason, actor=given.requester, now=clock.now())
    # Handed over anew, and refused: what was given before is taken back all the same.
    Transfer.objects.filter(kind="mailbox").update(state="failed")
    assert end(given, "mailbox").state == "ended"


def test_what_a_lost_worker_left_is_taken_back_when_the_next_one_starts(given: World) -> None:
    Timer.objects.all().delete()
    Transfer.objects.filter(kind="mailbox").update(ends_on_date=clock.now().date() - timedelta(days=2))
    running.reconcile()
    assert not Timer.objects.filter(name=waking.ENDS, key=str(of(given).pk)).exists()
    assert Timer.objects.filter(name=waking.ENDS, key=str(of(given, "auto_reply").pk)).exists()
