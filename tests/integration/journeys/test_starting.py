"""Starting a journey: dates, owners, blocked steps, and every refusal."""

from __future__ import annotations

from datetime import UTC, date, datetime

import pytest

from partwell.departures.models import Departure, Notice, Participant
from partwell.departures.notices import visible_notices
from partwell.evidence.models import Event
from partwell.journeys.intake import Intake
from partwell.journeys.models import Journey, Step
from partwell.journeys.operations.advancing import end_own_sign_in
from partwell.journeys.operations.ending import withdraw
from partwell.journeys.operations.starting import draft_journey, start, start_or_give_notice
from partwell.journeys.queries import get_departure, list_departures
from partwell.people.actors import console_actor
from partwell.people.models import PersonAlias, User
from partwell.people.operations import ensure_user, grant_role
from partwell.people.roles import Role
from partwell.refusals import Conflict, Invalid, NotAllowed, NotFound
from tests.factories import (
    LAST_DAY,
    NOW,
    as_actor,
    make_client,
    make_holder,
    make_person,
    publish,
    start_journey,
    step_of,
)

pytestmark = pytest.mark.django_db


@pytest.fixture(autouse=True)
def _template(db: None) -> None:
    publish()


def test_a_journey_is_planned_with_owners_dates_and_blocked_steps() -> None:
    hr = make_holder(Role.HR, "Amara Osei")
    manager = make_person("Joon-ho Baek")
    journey = start_journey(make_person(manager=manager))

    confirm, initiate = step_of(journey, "confirm"), step_of(journey, "initiate")
    assert (confirm.state, confirm.owner) == ("open", hr)
    assert confirm.due_at == datetime(2026, 11, 3, 16, 30, tzinfo=UTC)
    assert (initiate.state, initiate.waits_for, initiate.owner_name) == (
        "blocked",
        ["confirm"],
        "Joon-ho Baek",
    )
    assert step_of(journey, "cut-access").due_at == datetime(2026, 11, 27, 16, 30, tzinfo=UTC)
    assert step_of(journey, "extra").state == "not_needed"


def test_a_role_that_several_hold_becomes_a_queue_to_claim_from() -> None:
    make_holder(Role.IT_SECURITY, "Tomasz Wrona")
    make_holder(Role.IT_SECURITY, "Priya Raman")
    step = step_of(start_journey(make_person()), "cut-access")
    assert (step.owner, step.queue, step.owner_name) == (None, "it_security", "IT/Security team")


def test_the_departments_own_holder_comes_before_the_firms() -> None:
    make_holder(Role.HR, "Amara Osei")
    own = make_holder(Role.HR, "Ida Moen", department="Platform")
    assert step_of(start_journey(make_person()), "confirm").owner == own


def test_a_manager_who_has_left_is_stood_in_for_by_theirs() -> None:
    head = make_person("Helen Marsh")
    gone = make_person("Grant Whitfield", manager=head, left_on_date=date(2026, 10, 1))
    assert step_of(start_journey(make_person(manager=gone)), "initiate").owner_name == "Helen Marsh"


def test_the_one_who_leaves_never_owns_an_inside_step() -> None:
    hr = make_holder(Role.HR, "Amara Osei")
    assert hr.person is not None
    assert step_of(start_journey(hr.person), "confirm").owner is None


def test_planning_is_recorded_once_and_a_dry_run_stores_nothing() -> None:
    person = make_person()
    intake = Intake(person=person, last_working_date=LAST_DAY)
    draft_journey(template_id="small", intake=intake, actor=console_actor(), now=NOW)
    assert not Departure.objects.exists()
    start(template_id="small", intake=intake, actor=console_actor(), now=NOW)
    assert Event.objects.filter(kind="journey.started").count() == 1


def test_what_was_due_before_today_is_due_today_not_late() -> None:
    journey = start_journey(make_person(), last_working_date=date(2026, 11, 4))
    assert step_of(journey, "extra").due_at == datetime(2026, 11, 2, 16, 30, tzinfo=UTC)


@pytest.mark.parametrize(
    ("fields", "code", "field"),
    [
        ({"last_working_date": date(2026, 10, 1)}, "last_day_before_notice", "last_day"),
        ({"reason": "boredom"}, "reason_unknown", "reason"),
        ({"contract_end_date": date(2026, 1, 1)}, "contract_ends_before_notice", "contract_end"),
        ({"initiated_by": "nobody"}, "initiated_by_unknown", "initiated_by"),
    ],
)
def test_wrong_input_is_refused_by_field_and_nothing_is_stored(fields: dict, code: str, field: str) -> None:
    with pytest.raises(Invalid) as refused:
        start_journey(make_person(), **fields)
    assert (refused.value.code, refused.value.field) == (code, field)
    assert not Departure.objects.exists()


def test_an_unknown_template_is_refused_with_those_there_are() -> None:
    with pytest.raises(Invalid, match="small") as refused:
        start_journey(make_person(), template="nowhere")
    assert refused.value.field == "template"


def test_a_client_does_not_fit_a_template_for_staff() -> None:
    intake = Intake(client=make_client(), last_working_date=LAST_DAY)
    with pytest.raises(Invalid) as refused:
        start(template_id="small", intake=intake, actor=console_actor(), now=NOW)
    assert refused.value.code == "template_audience"


def test_a_person_leaves_once_at_a_time_and_may_leave_again() -> None:
    person = make_person()
    journey = start_journey(person)
    with pytest.raises(Conflict) as refused:
        start_journey(person)
    assert refused.value.code == "already_leaving"
    withdraw(departure=journey.departure, reason="stays after all", actor=console_actor(), now=NOW)
    start_journey(person)
    assert Journey.objects.count() == 2


def test_no_event_means_no_journey(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*args: object, **kwargs: object) -> None:
        raise OSError("the evidence store is read-only")

    monkeypatch.setattr("partwell.journeys.operations.starting.record_many", refuse)
    with pytest.raises(OSError, match="read-only"):
        start_journey(make_person())
    assert not Departure.objects.exists()
    assert not Step.objects.exists()


def test_a_line_manager_gives_notice_and_hr_starts() -> None:
    manager = make_person("Joon-ho Baek")
    person = make_person(manager=manager)
    actor = as_actor(ensure_user(manager, now=NOW))
    given = start_or_give_notice(
        template_id="small", intake=Intake(person=person, last_working_date=LAST_DAY), actor=actor, now=NOW
    )
    assert isinstance(given, Notice)
    hr = as_actor(make_holder(Role.HR, "Amara Osei"))
    assert list(visible_notices(hr)) == [given]


def test_a_notice_waits_for_hr_of_the_department_and_of_the_whole_firm() -> None:
    manager = make_person("Joon-ho Baek")
    person = make_person(manager=manager, department="Platform")
    intake = Intake(person=person, last_working_date=LAST_DAY)
    actor = as_actor(ensure_user(manager, now=NOW))
    given = start_or_give_notice(template_id="small", intake=intake, actor=actor, now=NOW)
    here = as_actor(make_holder(Role.HR, "Amara Osei", department="Platform"))
    elsewhere = as_actor(make_holder(Role.HR, "Ida Moen", department="Sales"))
    whole_firm = as_actor(make_holder(Role.HR, "Lena Gold"))
    assert list(visible_notices(here)) == list(visible_notices(whole_firm)) == [given]
    assert not visible_notices(elsewhere).exists()


def test_looking_at_a_plan_tells_hr_nothing_of_a_hidden_departure() -> None:
    insider, outsider = make_holder(Role.HR, "Amara Osei"), as_actor(make_holder(Role.HR, "Ida Moen"))
    intake = Intake(person=make_person(), last_working_date=LAST_DAY)
    looked: list[object] = []
    for _ in range(2):
        draft = draft_journey(template_id="small", intake=intake, actor=outsider, now=NOW)
        looked.append(draft.as_dict())
        if len(looked) == 1:
            start_journey(intake.person, actor=as_actor(insider), confidentiality="need_to_know")
    assert looked[0] == looked[1]
    with pytest.raises(NotAllowed):
        start(template_id="small", intake=intake, actor=outsider, now=NOW)


def test_an_administrator_older_than_the_register_sees_nothing_of_their_own_departure() -> None:
    founder = grant_role(
        email="founder@harbour.example", role=Role.ADMIN, actor=console_actor(), now=NOW
    ).user
    grant_role(email=founder.email, role=Role.HR, actor=console_actor(), now=NOW)
    assert founder.person is None
    person = make_person("Ada Founder", email="Founder@harbour.example")
    assert as_actor(founder).person_id == person.pk
    journey = start_journey(person)
    founder.refresh_from_db()
    assert founder.person == person
    assert not Step.objects.filter(journey=journey, owner=founder).exists()
    second = User.objects.create_user("ada@harbour.example")
    PersonAlias.objects.create(person=person, email="Ada@harbour.example")
    for account in (founder, second):
        assert not list_departures(as_actor(account), now=NOW)[0]
        with pytest.raises(NotFound):
            get_departure(as_actor(account), journey.pk)
    assert end_own_sign_in(departure_id=journey.pk, now=NOW)
    assert not User.objects.filter(pk__in=[founder.pk, second.pk], is_active=True).exists()


def test_a_stranger_may_not_give_notice_for_somebody() -> None:
    actor = as_actor(ensure_user(make_person("Some Body"), now=NOW))
    with pytest.raises(NotAllowed):
        start_or_give_notice(
            template_id="small",
            intake=Intake(person=make_person(), last_working_date=LAST_DAY),
            actor=actor,
            now=NOW,
        )


def test_a_second_notice_about_a_hidden_departure_is_taken_neutrally_and_reaches_only_its_hr() -> None:
    insider, outsider = make_holder(Role.HR, "Amara Osei"), make_holder(Role.HR, "Ida Moen")
    person = make_person()
    journey = start_journey(person, actor=as_actor(insider), confidentiality="need_to_know")
    given = start_or_give_notice(
        template_id="small",
        intake=Intake(person=person, last_working_date=LAST_DAY),
        actor=as_actor(outsider),
        now=NOW,
    )
    assert isinstance(given, Notice)
    assert list(visible_notices(as_actor(insider))) == [given]
    assert not visible_notices(as_actor(outsider)).exists()
    assert Departure.objects.count() == 1
    assert not Participant.objects.filter(departure_id=journey.pk, user=outsider).exists()
