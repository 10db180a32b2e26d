"""Who is written to, when, and what the mail says; above all what it does not say."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta

import pytest
import time_machine
from django.db import connection
from django.test.utils import CaptureQueriesContext

from partwell.access.alerts import raise_alert
from partwell.departures.models import Departure
from partwell.departures.states import Confidentiality
from partwell.journeys import correspondence, reminders
from partwell.journeys.models import Step
from partwell.journeys.operations import ending, steps
from partwell.journeys.states import StepState
from partwell.people import invitations
from partwell.people.actors import console_actor, engine_actor
from partwell.people.models import Person, User
from partwell.people.roles import Role
from partwell.refusals import Invalid, NotFound
from partwell.signals.models import Message
from partwell.signals.states import MailState
from tests.factories import NOW, as_actor, make_holder, make_person, start_journey, step_of
from tests.guest_world import CANARIES, PRIVATE, World, open_browser

pytestmark = pytest.mark.django_db

JOON = "joon-ho.park@harbour.example"
AMARA = "amara.osei@harbour.example"
TOMASZ = "tomasz.wrona@harbour.example"


@pytest.fixture(autouse=True)
def clock_stands():
    with time_machine.travel(NOW, tick=False):
        yield


@pytest.fixture
def world() -> World:
    return World()


def kinds_to(address: str) -> list[str]:
    return list(Message.objects.filter(to=address).values_list("kind", flat=True))


def mail_to(address: str, kind: str = "step_assigned") -> Message:
    return Message.objects.get(to=address, kind=kind)


def finish_all_but(world: World, *keys: str) -> None:
    """Leave only these steps open, so that a test sees the mails about them alone."""
    world.departure.journey.steps.exclude(key__in=keys).update(state=StepState.DONE)


def at(day: date, hour: int, minute: int = 0) -> datetime:
    """That time in Berlin, in winter."""
    return datetime(day.year, day.month, day.day, hour - 1, minute, tzinfo=UTC)


def test_each_owner_gets_one_mail_when_a_journey_starts(world: World) -> None:
    assigned = Message.objects.filter(kind="step_assigned")
    assert sorted(assigned.values_list("to", flat=True)) == sorted(
        [AMARA, TOMASZ, "helen.marsh@harbour.example", JOON]
    )
    mail = mail_to(TOMASZ)
    assert mail.subject == "Marit Lindqvist: 2 steps for you"
    assert "Approve the access plan" in mail.text
    assert "Fri 27 Nov 2026" in mail.text
    assert f"/departures/{world.departure.pk}/" in mail.text


def test_the_leaver_gets_no_mail_that_they_were_not_invited_to(world: World) -> None:
    assert kinds_to(world.leaver.email) == []


def test_no_mail_ever_tells_the_reason(world: World) -> None:
    reminders.remind(now=NOW + timedelta(days=60))
    assert Message.objects.count() > 6
    for mail in Message.objects.all():
        assert "misconduct" not in mail.subject + mail.text


def test_mails_of_a_need_to_know_departure_name_nobody_and_nothing() -> None:
    world = World(confidentiality=Confidentiality.NEED_TO_KNOW)
    raise_alert(world.departure, kind="x", text="Access of Marit Lindqvist", actor=engine_actor("x"), now=NOW)
    correspondence.tell_of_access(now=NOW)
    reminders.remind(now=NOW + timedelta(days=60))
    world.invite()
    mails = [mail for mail in Message.objects.all() if mail.kind != "invitation"]
    assert {"step_assigned", "step_overdue", "access_alert", "guest_link"} <= {mail.kind for mail in mails}
    titles = list(Step.objects.values_list("title", flat=True))
    for mail in mails:
        said = mail.subject + mail.text
        assert "A step waits for you" in said or mail.kind == "guest_link"
        for word in ("Marit", "Lindqvist", "leaves", "departure of", "27 Nov", *CANARIES, *titles):
            assert word not in said.replace(f"/departures/{world.departure.pk}/", ""), (mail.kind, word)


def test_who_has_no_password_yet_gets_a_link_to_set_one_with_the_first_mail(world: World) -> None:
    text = mail_to(JOON).text
    path = "/invitation/" + text.partition("/invitation/")[2].split()[0]
    browser = open_browser()
    assert "joon-ho.park" in browser.get(path).content.decode()
    assert browser.post(path, {"password": "short"}).status_code == 422
    password = "a sentence that only I know"
    assert browser.post(path, {"password": password}).status_code == 302
    assert User.objects.get(email=JOON).check_password(password)
    assert browser.get(path).status_code == 404
    assert browser.post(path, {"password": "another long sentence"}).status_code == 404
    assert User.objects.get(email=JOON).check_password(password)


def test_an_invitation_dies_with_time_with_forging_and_with_the_account(world: World) -> None:
    user = User.objects.get(email=JOON)
    token = invitations.invitation_token(user, now=NOW)
    assert invitations.invited_user(token=token, now=NOW + timedelta(days=13)) == user
    for wrong, when in ((token, NOW + invitations.GOOD_FOR), (token[:-2], NOW), ("", NOW), ("x:y:z", NOW)):
        with pytest.raises(NotFound):
            invitations.invited_user(token=wrong, now=when)
    with pytest.raises(Invalid):
        invitations.accept_invitation(token=token, password="password", now=NOW)
    other = User.objects.get(email=AMARA)
    old = invitations.invitation_token(other, now=NOW)
    other.email = "amara@new.example"
    other.save()
    with pytest.raises(NotFound):
        invitations.invited_user(token=old, now=NOW)
    user.is_active = False
    user.save()
    with pytest.raises(NotFound):
        invitations.accept_invitation(token=token, password="a sentence that only I know", now=NOW)


def test_role_holders_are_invited_to_sign_in_once(world: World) -> None:
    for _ in range(3):
        correspondence.invite_to_sign_in(now=NOW)
    invited = Message.objects.filter(kind="invitation")
    assert sorted(invited.values_list("to", flat=True)) == [AMARA, "helen.marsh@harbour.example", TOMASZ]


def test_a_given_step_is_told_to_its_new_owner_and_a_taken_one_to_nobody(world: World) -> None:
    step, hr, helen = step_of(world.departure, "collect"), as_actor(world.hr), world.finance
    steps.reassign_step(step=step, to=helen, actor=hr, now=NOW)
    steps.reassign_step(step=step_of(world.departure, "shared"), to=world.hr, actor=hr, now=NOW)
    mails = Message.objects.filter(kind="step_assigned", created_at=NOW)
    assert mails.filter(to=helen.email).count() == 2
    assert mails.filter(to=AMARA).count() == 1


def test_a_reminder_comes_on_the_morning_of_the_working_day_before(world: World) -> None:
    # Due on Friday 27 November at 17:30 in Berlin: Thursday at 8:00.
    finish_all_but(world, "collect")
    thursday = date(2026, 11, 26)
    reminders.remind(now=at(thursday, 7, 59))
    assert "step_due" not in kinds_to(JOON)
    for minutes in (0, 5, 600):
        reminders.remind(now=at(thursday, 8) + timedelta(minutes=minutes))
    assert kinds_to(JOON).count("step_due") == 1
    assert mail_to(JOON, "step_due").subject == "Marit Lindqvist: 1 step due soon"


def test_a_weekend_is_no_working_day_before(world: World) -> None:
    finish_all_but(world, "collect")
    monday = date(2026, 11, 30)
    Step.objects.filter(key="collect").update(due_at=at(monday, 17, 30))
    reminders.remind(now=at(date(2026, 11, 27), 7, 59))
    assert "step_due" not in kinds_to(JOON)
    reminders.remind(now=at(date(2026, 11, 27), 8))
    assert "step_due" in kinds_to(JOON)


def test_the_morning_is_the_owners_own(world: World) -> None:
    finish_all_but(world, "collect")
    Person.objects.filter(email=JOON).update(timezone="America/New_York", country="US")
    # 17:30 in Berlin is 11:30 in New York, the same Friday; Thursday there is Thanksgiving.
    reminders.remind(now=datetime(2026, 11, 25, 12, 59, tzinfo=UTC))
    assert "step_due" not in kinds_to(JOON)
    reminders.remind(now=datetime(2026, 11, 25, 13, 0, tzinfo=UTC))
    assert "step_due" in kinds_to(JOON)


def test_a_late_step_is_said_once_then_weekly_and_to_hr_after_five_days(world: World) -> None:
    finish_all_but(world, "collect")
    told: dict[int, tuple[int, int]] = {}
    for day in range(17):
        for hour in (3, 8, 15):
            reminders.remind(now=at(date(2026, 11, 27) + timedelta(days=day), hour, 1))
        told[day] = (kinds_to(JOON).count("step_overdue"), kinds_to(AMARA).count("step_escalated"))
    assert told[0] == (0, 0)
    assert told[1] == told[4] == (1, 0)
    assert told[5] == told[7] == (1, 1)
    assert told[8] == told[14] == (2, 1)
    assert told[15] == told[16] == (3, 1)
    assert "Joon-ho Park" in mail_to(AMARA, "step_escalated").text


def test_a_step_of_nobody_is_escalated_too(world: World) -> None:
    finish_all_but(world, "collect")
    Step.objects.filter(key="collect").update(owner=None, owner_name="", queue="")
    reminders.remind(now=at(date(2026, 12, 3), 9))
    assert "nobody yet" in mail_to(AMARA, "step_escalated").text


def test_nobody_is_reminded_of_what_is_blocked_done_or_over(world: World) -> None:
    late = NOW + timedelta(days=60)
    finish_all_but(world, "later")
    reminders.remind(now=late)
    assert not Message.objects.filter(kind__in=["step_due", "step_overdue", "step_escalated"]).exists()
    Step.objects.filter(key="collect").update(state=StepState.OPEN)
    ending.withdraw(departure=world.departure, reason="They stay with us", actor=console_actor(), now=NOW)
    reminders.remind(now=late)
    assert not Message.objects.filter(kind__in=["step_due", "step_overdue", "step_escalated"]).exists()


def test_withdrawing_takes_back_what_still_waits(world: World) -> None:
    ending.withdraw(departure=world.departure, reason="They stay with us", actor=console_actor(), now=NOW)
    assert set(Message.objects.values_list("state", flat=True)) == {MailState.DROPPED}
    assert {mail.text for mail in Message.objects.all()} == {""}


def test_an_owner_who_has_left_is_not_written_to(world: World) -> None:
    User.objects.filter(email=JOON).update(is_active=False)
    Message.objects.all().delete()
    reminders.remind(now=NOW + timedelta(days=60))
    assert kinds_to(JOON) == []


def test_of_a_closed_departure_it_hears_of_what_came_back_alone(world: World) -> None:
    actor = engine_actor("ghost sweep")
    Departure.objects.filter(pk=world.departure.pk).update(state="closed")
    for kind in ("ghost", "cut_failed"):
        raise_alert(world.departure, kind=kind, text=f"{kind}: look.", actor=actor, now=NOW)
    correspondence.tell_of_access(now=NOW)
    assert kinds_to(TOMASZ).count("access_alert") == 1
    assert "ghost: look." in mail_to(TOMASZ, "access_alert").text


def test_an_access_alert_reaches_it_once_for_each_raising(world: World) -> None:
    actor = engine_actor("access end is near")

    def raise_it(text: str, now: datetime) -> None:
        raise_alert(world.departure, kind="no_plan", text=text, actor=actor, now=now)

    raise_it("Access ends in 24 hours, and no plan is approved.", NOW)
    for _ in range(3):
        correspondence.tell_of_access(now=NOW)
    assert kinds_to(TOMASZ).count("access_alert") == 1
    assert kinds_to(AMARA).count("access_alert") == 0
    raise_it("Access ends in 1 hour, and no plan is approved.", NOW + timedelta(hours=23))
    correspondence.tell_of_access(now=NOW + timedelta(hours=23))
    assert kinds_to(TOMASZ).count("access_alert") == 2


def test_the_closing_statement_goes_to_both_parties_once_it_is_signed(world: World) -> None:
    world.invite(PRIVATE)
    finish_all_but(world)
    ending.close(departure=world.departure, actor=console_actor(), now=NOW)
    correspondence.send_closing_statements(statement_of=lambda departure: None, now=NOW)
    assert not Message.objects.filter(kind="closing_statement").exists()
    for _ in range(2):
        correspondence.send_closing_statements(statement_of=lambda departure: "Head: 7:ab:cd\n", now=NOW)
    statements = Message.objects.filter(kind="closing_statement")
    assert sorted(statements.values_list("to", flat=True)) == [AMARA, PRIVATE]
    assert "Head: 7:ab:cd" in statements[0].text


def test_reminding_costs_no_query_for_what_was_said_already(world: World) -> None:
    late = NOW + timedelta(days=60)
    reminders.remind(now=late)
    with CaptureQueriesContext(connection) as seen:
        reminders.remind(now=late)
    assert len(seen) <= 9


def test_a_journeys_start_writes_its_mails_with_one_insert(world: World) -> None:
    Message.objects.all().delete()
    with CaptureQueriesContext(connection) as seen:
        start_journey(make_person("Anna Berg", manager=Person.objects.get(email=JOON)), template="two-sides")
    about_mail = [query["sql"] for query in seen.captured_queries if "signals_message" in query["sql"]]
    assert len(about_mail) == 1
    assert Message.objects.count() == 4


def test_a_team_hears_once_of_steps_to_claim(world: World) -> None:
    second = make_holder(Role.HR, "Second Officer")
    Message.objects.all().delete()
    start_journey(make_person("Anna Berg"), template="two-sides", actor=as_actor(world.hr))
    assert "to claim for HR" in mail_to(second.email).subject
    assert kinds_to(AMARA) == []
