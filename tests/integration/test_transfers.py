"""Handing over: who gets what, the successor's receipt, and what waits for it."""

from __future__ import annotations

from datetime import date
from typing import Any

import pytest
from django.test import Client as Browser

from partwell.access import summaries
from partwell.access.models import Alert, Transfer
from partwell.access.operations import enforcement
from partwell.access.transfers import days, operations, receipts
from partwell.access.transfers.queries import coming_to, get_transfer, transfer_dict
from partwell.access.transfers.states import TRANSITIONS, TransferState, check_move
from partwell.departures.models import Departure
from partwell.departures.policies import sees_inside
from partwell.evidence.models import Event
from partwell.journeys.operations import ending
from partwell.people.actors import Actor, console_actor
from partwell.people.models import Installation, Person, User
from partwell.people.roles import Role
from partwell.refusals import Conflict, Invalid, NotAllowed, NotFound
from partwell.signals.models import Message
from partwell.signals.sealing import unseal
from tests.factories import LAST_DAY, NOW, as_actor, make_holder, make_person, publish, start_journey

pytestmark = pytest.mark.django_db

CONSOLE = console_actor()
SAM = "sam.next@harbour.example"
DID = "Given in the ticket system, see the queue."


@pytest.fixture
def leaver() -> Person:
    publish()
    return make_person("Marit Lindqvist")


@pytest.fixture
def sam(leaver: Person) -> Actor:
    person = make_person("Sam Next")
    return as_actor(User.objects.create_user(person.email, "a-password-of-sam", name="Sam", person=person))


@pytest.fixture
def security(leaver: Person) -> Actor:
    return as_actor(make_holder(Role.IT_SECURITY, "Ines Sec"))


def opened(departure: Departure, kind: str = "tickets", what: str = "Webshop tickets") -> Transfer:
    return operations.open_transfer(departure=departure, kind=kind, what=what, actor=CONSOLE, now=NOW)


def named(transfer: Transfer, email: str = SAM, **given: Any) -> Transfer:
    return operations.name_successor(transfer=transfer, email=email, actor=CONSOLE, now=NOW, **given)


def attested(transfer: Transfer, now: Any = NOW) -> Transfer:
    return operations.attest_transfer(transfer=transfer, note=DID, actor=CONSOLE, now=now)


def mails() -> list[tuple[str, str, str]]:
    found = Message.objects.filter(kind="handed_over").order_by("created_at")
    return [(m.to, m.state, f"{m.subject}\n{unseal(m.sealed_text) if m.sealed_text else ''}") for m in found]


def test_what_is_handed_over_by_hand_is_accepted_by_the_successor_alone(
    leaver: Person, sam: Actor, security: Actor
) -> None:
    departure = start_journey(leaver, reason="pay").departure
    transfer = opened(departure)
    with pytest.raises(Conflict, match="Name a successor"):
        attested(transfer)
    transfer = named(transfer)
    assert transfer.state == "waiting" and mails() == []
    transfer = attested(transfer)
    assert transfer.state == "attested" and transfer.given_at == NOW
    [(to, state, text)] = mails()
    assert (to, state) == (SAM, "queued") and "Webshop tickets" in text and "pay" not in text
    for other in (security, CONSOLE):
        with pytest.raises(NotAllowed):
            receipts.accept(transfer=transfer, actor=other, now=NOW)
    done = receipts.accept(transfer=transfer, note="All there.", actor=sam, now=NOW)
    assert done.state == "accepted" and done.is_settled and done.note == "All there."
    assert mails()[0][1] == "dropped"
    event = Event.objects.get(kind="transfer.accepted")
    assert event.fields["note"]["value"] == "All there." and "Sam" in event.fields["actor"]["value"]


def test_the_leaver_accepts_nothing_and_nobody_who_is_gone_is_named(leaver: Person, sam: Actor) -> None:
    departure = start_journey(leaver).departure
    transfer = opened(departure)
    with pytest.raises(Invalid, match="Whoever leaves"):
        named(transfer, leaver.email)
    with pytest.raises(Invalid, match="Nobody in the register"):
        named(transfer, "nobody@harbour.example")
    gone = make_person("Gone Already", left_on_date=date(2026, 10, 1))
    with pytest.raises(Invalid, match="has left"):
        named(transfer, gone.email)
    user = User.objects.create_user(leaver.email, person=leaver)
    with pytest.raises(NotFound):
        get_transfer(as_actor(user), transfer.pk, now=NOW)


def test_what_is_missing_goes_back_and_is_told_until_it_is_handed_over_again(
    leaver: Person, sam: Actor
) -> None:
    departure = start_journey(leaver).departure
    transfer = attested(named(opened(departure)))
    with pytest.raises(Invalid, match="what is missing"):
        receipts.report_missing(transfer=transfer, note="all", actor=sam, now=NOW)
    receipts.report_missing(transfer=transfer, note="The ones of last year.", actor=sam, now=NOW)
    alert = Alert.objects.get(kind="handover_missing")
    assert "The ones of last year." in alert.text and alert.resolved_at is None
    again = attested(transfer)
    assert again.state == "attested"
    alert.refresh_from_db()
    assert alert.resolved_at is not None
    accepted = receipts.accept(transfer=again, actor=sam, now=NOW)
    # What turns out to be missing later is said, too, also when the departure is closed.
    Departure.objects.update(state="closed")
    late = receipts.report_missing(transfer=accepted, note="The archive of 2019.", actor=sam, now=NOW)
    assert late.state == "missing" and attested(late).state == "attested"


def test_a_departure_does_not_close_while_something_waits_for_a_successor(leaver: Person, sam: Actor) -> None:
    departure = start_journey(leaver).departure
    transfer = opened(departure)
    open_things = [thing for thing in ending.obstacles(departure) if thing.kind == "transfer"]
    assert [thing.what for thing in open_things] == ["Handing over Webshop tickets: open"]
    assert ending.obstacles(departure, held=frozenset({"finance"}))[-1].what.startswith("Access: 1 not")
    receipts.accept(transfer=attested(named(transfer)), actor=sam, now=NOW)
    assert summaries.picture(departure).handovers == []
    other = opened(departure, what="Wiki pages")
    with pytest.raises(Invalid, match="why nobody needs it"):
        operations.leave_transfer(transfer=other, reason="no", actor=CONSOLE, now=NOW)
    operations.leave_transfer(transfer=other, reason="The wiki was switched off.", actor=CONSOLE, now=NOW)
    assert summaries.picture(departure).handovers == []


def test_of_a_need_to_know_departure_the_successor_hears_nothing_before_access_has_ended(
    leaver: Person, sam: Actor
) -> None:
    departure = start_journey(leaver, confidentiality="need_to_know").departure
    transfer = attested(named(opened(departure)))
    assert list(coming_to(sam, now=NOW)) == [] and mails() == []
    with pytest.raises(NotFound):
        get_transfer(sam, transfer.pk, now=NOW)
    with pytest.raises(NotFound):
        receipts.accept(transfer=transfer, actor=sam, now=NOW)
    after = departure.access_end_at
    enforcement.enforce_access_end(departure_id=departure.pk, now=after)
    assert [to for to, _, _ in mails()] == [SAM]
    assert receipts.accept(transfer=transfer, actor=sam, now=after).state == "accepted"


def test_the_successor_reads_whose_it_is_and_not_the_inside(leaver: Person, sam: Actor) -> None:
    departure = start_journey(leaver).departure
    transfer = get_transfer(sam, attested(named(opened(departure))).pk, now=NOW)
    assert sees_inside(sam, [transfer], to="access.view") == set()
    shown = transfer_dict(transfer, is_inside=False)
    assert (shown["subject"], shown["journey"], shown["proof"], shown["reason"]) == (
        "Marit Lindqvist", None, None, "",
    )  # fmt: skip
    Installation.objects.create(company_name="Harbour & Vale", initialised_at=NOW)
    browser = Browser(SERVER_NAME="localhost")
    browser.force_login(User.objects.get(email=SAM))
    assert "What comes to you" in browser.get("/").content.decode()
    assert "Webshop tickets" in browser.get("/coming/").content.decode()
    page = browser.get(f"/transfers/{transfer.pk}/").content.decode()
    assert "I have it" in page and DID not in page and f"/departures/{departure.pk}" not in page
    done = browser.post(f"/transfers/{transfer.pk}/missing/", {"note": "short"})
    assert done.status_code == 422
    browser.post(f"/transfers/{transfer.pk}/accept/", {"note": ""})
    assert Transfer.objects.get().state == "accepted"
    assert browser.get(f"/departures/{departure.pk}/transfers/").status_code == 404
    other = Browser(SERVER_NAME="localhost")
    other.force_login(User.objects.create_user("else@harbour.example"))
    assert "What comes to you" not in other.get("/").content.decode()


def test_a_mailbox_and_a_reply_have_a_last_day_of_a_month_and_three_at_most(
    leaver: Person, sam: Actor
) -> None:
    departure = start_journey(leaver).departure
    assert (days.end_day(departure), days.usual_last_day(departure)) == (LAST_DAY, date(2026, 12, 27))
    box = named(opened(departure, "mailbox", "Mailbox"))
    assert box.last_day == date(2026, 12, 27)
    # Over when that day is over where the leaver is.
    assert box.ends_at is not None and box.ends_at.isoformat() == "2026-12-27T23:00:00+00:00"
    assert named(box, ends_on=date(2027, 2, 27)).last_day == date(2027, 2, 27)
    with pytest.raises(Invalid, match="3 months"):
        named(box, ends_on=date(2027, 2, 28))
    with pytest.raises(Invalid, match="from then on"):
        named(box, ends_on=date(2026, 11, 26))
    assert named(opened(departure)).last_day is None


@pytest.mark.parametrize(
    ("day", "months", "expected"),
    [
        (date(2026, 1, 31), 1, date(2026, 2, 28)),
        (date(2026, 11, 30), 3, date(2027, 2, 28)),
        (date(2027, 12, 31), 2, date(2028, 2, 29)),
        (date(2026, 6, 15), 12, date(2027, 6, 15)),
    ],
)
def test_a_month_is_a_calendar_month(day: date, months: int, expected: date) -> None:
    assert days.add_months(day, months) == expected


def test_the_usual_reply_names_the_successor_and_no_reason(leaver: Person, sam: Actor) -> None:
    departure = start_journey(leaver, reason="pay").departure
    reply = named(opened(departure, "auto_reply", "Reply"))
    assert SAM in reply.text and "Sam Next" in reply.text and "pay" not in reply.text
    assert named(reply, text="Ask the office.").text == "Ask the office."


def test_one_successor_can_be_named_for_all_at_once(leaver: Person, sam: Actor) -> None:
    departure = start_journey(leaver).departure
    first, second = opened(departure), opened(departure, what="Wiki pages")
    make_person("Other One")
    named(first, "other.one@harbour.example")
    assert operations.name_for_all_open(departure=departure, email=SAM, actor=CONSOLE, now=NOW) == 1
    assert [Transfer.objects.get(pk=t.pk).successor_name for t in (first, second)] == [
        "Other One",
        "Sam Next",
    ]
    with pytest.raises(Conflict, match="for everything already"):
        operations.name_for_all_open(departure=departure, email=SAM, actor=CONSOLE, now=NOW)


def test_whoever_has_no_password_yet_gets_a_link_to_set_one(leaver: Person) -> None:
    make_person("Sam Next")
    departure = start_journey(leaver).departure
    attested(named(opened(departure)))
    assert User.objects.get(email=SAM).has_usable_password() is False
    assert "/invitation/" in mails()[0][2]


def test_withdrawing_the_notice_ends_what_was_not_given_and_offers_to_take_back_the_rest(
    leaver: Person, sam: Actor
) -> None:
    departure = start_journey(leaver).departure
    waiting, given = named(opened(departure)), attested(named(opened(departure, "mailbox", "Mailbox")))
    left = ending.withdraw(departure=departure, reason="They stay after all.", actor=CONSOLE, now=NOW)
    assert [row["what"] for row in left.given] == ["Mailbox"]
    waiting.refresh_from_db()
    given.refresh_from_db()
    assert (waiting.state, given.state) == ("withdrawn", "attested")
    ended = operations.attest_end(transfer=given, note="Taken away in the console.", actor=CONSOLE, now=NOW)
    assert ended.state == "ended" and not Alert.objects.filter(kind="mailbox_due").exists()


def test_only_the_moves_of_the_table_can_be_made() -> None:
    assert set(TRANSITIONS) == set(TransferState)
    with pytest.raises(Conflict, match="Name a successor first"):
        check_move("open", "accepted")
    with pytest.raises(Conflict, match="nothing left to do"):
        check_move("ended", "waiting")


def test_by_page_a_line_manager_names_and_the_form_keeps_what_was_typed(
    leaver: Person, sam: Actor, security: Actor
) -> None:
    Installation.objects.create(company_name="Harbour & Vale", initialised_at=NOW)
    departure = start_journey(leaver).departure
    browser = Browser(SERVER_NAME="localhost")
    browser.force_login(User.objects.get(email="ines.sec@harbour.example"))
    base = f"/departures/{departure.pk}/transfers/"
    assert browser.post(base, {"kind": "tickets", "what": "x"}).status_code == 422
    browser.post(base, {"kind": "mailbox", "what": "Shared desk mailbox", "system": ""})
    transfer = Transfer.objects.get()
    refused = browser.post(
        f"/transfers/{transfer.pk}/name/", {"email": SAM, "ends_on": "2027-06-01", "text": ""}
    )
    assert refused.status_code == 422 and "3 months" in refused.content.decode()
    assert browser.post(f"{base}name/", {"email": SAM}).status_code == 302
    note = {"note": "Opened in the exchange console.", "link": ""}
    assert browser.post(f"/transfers/{transfer.pk}/attest/", note).status_code == 302
    page = browser.get(f"/transfers/{transfer.pk}/").content.decode()
    assert "Handed over, a person says" in page and "I have it" not in page
    assert "What goes to whom" in browser.get(f"/departures/{departure.pk}/access/").content.decode()
