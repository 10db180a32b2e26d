"""Moving the last day, withdrawing, closing and the override."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta

import pytest

from partwell.departures.models import Departure
from partwell.journeys.models import Journey
from partwell.journeys.operations import ending, moving, steps
from partwell.journeys.operations.advancing import end_access
from partwell.journeys.states import PENDING
from partwell.people.actors import console_actor
from partwell.people.models import Person, RoleGrant, User
from partwell.people.operations import ensure_user, import_people
from partwell.people.roles import Role
from partwell.refusals import Conflict, Invalid, NotAllowed
from tests.factories import NOW, as_actor, make_holder, make_person, publish, start_journey, step_of

pytestmark = pytest.mark.django_db
LATER = date(2026, 12, 11)


@pytest.fixture
def journey(db: None) -> Journey:
    publish()
    make_holder(Role.HR, "Amara Osei")
    return start_journey(make_person(manager=make_person("Joon-ho Baek")))


def test_moving_shows_the_difference_before_it_applies(journey: Journey) -> None:
    draft = moving.draft_move(
        departure=journey.departure, last_working_date=LATER, actor=console_actor(), now=NOW
    )
    assert {c.field for c in draft.dates} == {"last_working_day", "access_end", "contract_end"}
    assert {c.step.key for c in draft.steps} == {"approve-access-plan", "cut-access", "close-journey"}
    assert Departure.objects.get().last_working_date == date(2026, 11, 27)


def test_moving_redates_what_is_open_and_keeps_what_is_done(journey: Journey) -> None:
    steps.complete_step(step=step_of(journey, "confirm"), actor=console_actor(), now=NOW, note="agreed")
    before = step_of(journey, "confirm").due_at
    moving.move(departure=journey.departure, last_working_date=LATER, actor=console_actor(), now=NOW)
    assert step_of(journey, "cut-access").due_at == datetime(2026, 12, 11, 16, 30, tzinfo=UTC)
    assert step_of(journey, "confirm").due_at == before


def test_the_hour_of_access_end_survives_a_change_of_clocks(journey: Journey) -> None:
    moving.move(
        departure=journey.departure, last_working_date=date(2027, 4, 1), actor=console_actor(), now=NOW
    )
    assert Departure.objects.get().access_end_at == datetime(2027, 4, 1, 15, 30, tzinfo=UTC)


def test_a_move_that_was_drawn_up_before_another_change_is_refused(journey: Journey) -> None:
    revision = journey.departure.revision
    moving.move(departure=journey.departure, last_working_date=LATER, actor=console_actor(), now=NOW)
    with pytest.raises(Conflict) as refused:
        moving.move(
            departure=journey.departure,
            last_working_date=date(2026, 12, 18),
            actor=console_actor(),
            now=NOW,
            expected_revision=revision,
        )
    assert refused.value.code == "changed_meanwhile"


def test_the_last_day_cannot_move_before_the_notice(journey: Journey) -> None:
    with pytest.raises(Invalid):
        moving.move(
            departure=journey.departure, last_working_date=date(2026, 10, 1), actor=console_actor(), now=NOW
        )


def test_a_step_becomes_needed_when_its_condition_comes_true(journey: Journey) -> None:
    person = journey.departure.person
    make_person("New Report", manager=person)
    moving.edit(departure=journey.departure, changes={"jurisdiction": "AT"}, actor=console_actor(), now=NOW)
    assert step_of(journey, "extra").state == "open"


def test_withdrawing_says_what_was_done_and_ends_the_rest(journey: Journey) -> None:
    steps.complete_step(step=step_of(journey, "confirm"), actor=console_actor(), now=NOW, note="agreed")
    result = ending.withdraw(departure=journey.departure, reason="she stays", actor=console_actor(), now=NOW)
    assert [step.key for step in result.done] == ["confirm"]
    assert not result.journey.steps.filter(state__in=PENDING).exists()
    assert Departure.objects.get().state == "withdrawn"
    with pytest.raises(Conflict):
        steps.undo_step(step=step_of(journey, "confirm"), actor=console_actor(), now=NOW)


def test_closing_is_refused_while_required_steps_are_open(journey: Journey) -> None:
    with pytest.raises(Conflict, match="Confirm the notice") as refused:
        ending.close(departure=journey.departure, actor=console_actor(), now=NOW)
    assert refused.value.code == "cannot_close"


def test_an_override_needs_a_reason_and_a_second_person(journey: Journey) -> None:
    hr = step_of(journey, "confirm").owner
    assert hr is not None
    with pytest.raises(Conflict):
        ending.approve_override(departure=journey.departure, actor=as_actor(hr), now=NOW)
    with pytest.raises(Invalid):
        ending.request_override(departure=journey.departure, reason="because", actor=as_actor(hr), now=NOW)
    ending.request_override(
        departure=journey.departure, reason="The system was shut down for good.", actor=as_actor(hr), now=NOW
    )
    with pytest.raises(NotAllowed) as refused:
        ending.approve_override(departure=journey.departure, actor=as_actor(hr), now=NOW)
    assert refused.value.code == "same_person"
    second = as_actor(make_holder(Role.EXECUTIVE, "Helen Marsh"))
    closed = ending.approve_override(departure=journey.departure, actor=second, now=NOW)
    assert closed.state == "closed"


def test_at_access_end_the_leavers_own_sign_in_roles_and_duties_end(journey: Journey) -> None:
    leaver_person = journey.departure.person
    assert leaver_person is not None
    user = ensure_user(leaver_person, now=NOW)
    RoleGrant.objects.create(user=user, role=Role.FINANCE, granted_at=NOW, granted_by="tests")
    stand_in = leaver_person.manager
    other = start_journey(make_person("Luis Ortega", manager=leaver_person))
    # The leaver is a manager themselves: their duty in the other journey goes to their own manager.
    assert step_of(other, "initiate").owner == user
    at_end = journey.departure.access_end_at

    end_access(departure_id=journey.pk, now=at_end - timedelta(seconds=1))
    assert User.objects.get(pk=user.pk).is_active
    end_access(departure_id=journey.pk, now=at_end)

    assert not User.objects.get(pk=user.pk).is_active
    assert not RoleGrant.objects.filter(user=user).exists()
    assert step_of(other, "initiate").owner_name == stand_in.name


def test_records_outlive_the_persons_row(journey: Journey) -> None:
    assert journey.departure.person is not None
    journey.departure.person.delete()
    assert Departure.objects.get().subject_name == "Marit Lindqvist"


def test_a_withdrawn_notice_lets_the_person_sign_in_again(journey: Journey) -> None:
    assert journey.departure.person is not None
    user = ensure_user(journey.departure.person, now=NOW)
    end_access(departure_id=journey.pk, now=journey.departure.access_end_at)
    assert not User.objects.get(pk=user.pk).is_active
    ending.withdraw(departure=journey.departure, reason="she stays", actor=console_actor(), now=NOW)
    assert User.objects.get(pk=user.pk).is_active


def test_whoever_returns_is_imported_with_a_new_start_date_and_may_leave_again(journey: Journey) -> None:
    person = journey.departure.person
    assert person is not None
    ending.request_override(
        departure=journey.departure,
        reason="Closed by hand in this test.",
        actor=console_actor(),
        now=NOW,
    )
    second = as_actor(make_holder(Role.EXECUTIVE, "Helen Marsh"))
    ending.approve_override(departure=journey.departure, actor=second, now=NOW)
    with pytest.raises(Invalid) as refused:
        start_journey(person_again(person), last_working_date=date(2027, 6, 30))
    assert refused.value.code == "already_left"

    rows = f"email,name,start_date\n{person.email},{person.name},2027-01-04\n"
    report = import_people(data=rows.encode(), actor=console_actor(), now=NOW)
    assert report.is_applied
    assert person_again(person).left_on_date is None
    start_journey(person_again(person), last_working_date=date(2027, 6, 30))
    assert Departure.objects.filter(person=person).count() == 2


def person_again(person: Person) -> Person:
    return Person.objects.get(pk=person.pk)
