"""Access that ends sooner brings forward what hangs on it, and that alone; the difference is shown first."""

from __future__ import annotations

import json
from datetime import datetime, timedelta
from typing import Any

import pytest
from typer.testing import CliRunner

from partwell import clock
from partwell.access.models import Cut
from partwell.access.wake import AFTER_A_CUT, END
from partwell.cli import cuts
from partwell.departures.models import Departure
from partwell.departures.states import Confidentiality
from partwell.engine.models import Timer
from partwell.evidence.models import Event
from partwell.journeys.models import Journey, Step
from partwell.journeys.operations.advancing import end_access
from partwell.journeys.operations.following import ahead_of_a_cut, follow_access_end
from partwell.journeys.operations.shutting_out import shut_out
from partwell.people.models import User
from partwell.people.roles import Role
from partwell.web.sentences import SENTENCES
from tests.factories import as_actor, make_holder, make_person, publish, start_journey, step_of

pytestmark = pytest.mark.django_db
WHY = "Their laptop was stolen an hour ago."
HANGING = ("approve-access-plan", "cut-access")


@pytest.fixture
def it() -> User:
    return make_holder(Role.IT_SECURITY, "Ines Vogt")


@pytest.fixture
def journey(it: User) -> Journey:
    """Somebody who leaves in three weeks."""
    publish()
    now = clock.now()
    day = clock.today_in("UTC", now=now)
    return start_journey(make_person("Ana Sol"), now=now, last_working_date=day + timedelta(days=21))


def due_dates(journey: Journey) -> dict[str, datetime]:
    return dict(Step.objects.filter(journey=journey).values_list("key", "due_at"))


def press(journey: Journey, it: User, **options: Any) -> Cut:
    person = journey.departure.person
    assert person is not None
    return shut_out(people=[person], reason=WHY, actor=as_actor(it), now=clock.now(), **options)


def play_the_worker(journey: Journey) -> None:
    end_access(departure_id=journey.pk, now=clock.now())


def test_firing_brings_forward_what_hangs_on_access_end_and_nothing_else(journey: Journey, it: User) -> None:
    before = due_dates(journey)
    press(journey, it)
    assert Timer.objects.get(name=END, key=str(journey.pk)).due_at <= clock.now() + AFTER_A_CUT
    play_the_worker(journey)
    after = due_dates(journey)
    assert {key for key in before if after[key] != before[key]} == set(HANGING)
    departure = Departure.objects.get(pk=journey.pk)
    assert after["cut-access"] == departure.access_end_at
    assert all(after[key] < before[key] for key in HANGING)
    event = Event.objects.get(kind="journey.brought_forward")
    fields = {name: each["value"] for name, each in event.fields.items()}
    moved = {row["step"]: row for row in fields["steps"]}
    assert moved["cut-access"]["due_before"] == before["cut-access"].isoformat()
    assert moved["cut-access"]["due_after"] == after["cut-access"].isoformat()
    said = SENTENCES["journey.brought_forward"][1]("Partwell", fields)
    assert "2 due dates came forward" in said and "Cut all access" in said
    play_the_worker(journey)
    assert Event.objects.filter(kind="journey.brought_forward").count() == 1


def test_what_is_done_keeps_its_date(journey: Journey, it: User) -> None:
    Step.objects.filter(journey=journey, key="cut-access").update(state="done")
    before = step_of(journey, "cut-access").due_at
    press(journey, it)
    follow_access_end(departure_id=journey.pk, now=clock.now())
    assert step_of(journey, "cut-access").due_at == before


def test_access_that_ends_as_planned_moves_nothing(journey: Journey) -> None:
    before = due_dates(journey)
    departure = journey.departure
    assert follow_access_end(departure_id=journey.pk, now=clock.now()) == []
    later = departure.access_end_at + timedelta(minutes=1)
    assert follow_access_end(departure_id=journey.pk, now=later) == []
    assert due_dates(journey) == before


def test_a_prepared_cut_moves_nothing_before_it_fires(journey: Journey, it: User) -> None:
    before = due_dates(journey)
    press(journey, it, fire_at=clock.now() + timedelta(days=2))
    play_the_worker(journey)
    assert due_dates(journey) == before


def test_the_difference_is_shown_before_anybody_presses(journey: Journey, it: User) -> None:
    person = journey.departure.person
    assert person is not None
    (ahead,) = ahead_of_a_cut(people=[person], actor=as_actor(it), now=clock.now())
    assert [change.step.key for change in ahead.steps] == list(HANGING)
    said = json.loads(
        CliRunner()
        .invoke(cuts.app, ["order", "--person", person.email, "--reason", WHY, "--dry-run", "--json"])
        .stdout
    )
    assert [step["key"] for step in said["due_dates"][0]["steps"]] == list(HANGING)
    words = CliRunner().invoke(cuts.app, ["order", "--person", person.email, "--reason", WHY, "--dry-run"])
    assert "Cut all access" in words.output
    press(journey, it)
    play_the_worker(journey)
    after = due_dates(journey)
    shown = {change.step.key: change.due_after for change in ahead.steps}
    assert abs(shown["cut-access"] - after["cut-access"]) < timedelta(minutes=1)


def test_of_a_departure_that_one_may_not_read_nothing_is_shown(journey: Journey, it: User) -> None:
    person = journey.departure.person
    assert person is not None
    Departure.objects.filter(pk=journey.pk).update(confidentiality=Confidentiality.NEED_TO_KNOW)
    assert ahead_of_a_cut(people=[person], actor=as_actor(it), now=clock.now())  # who takes part reads it
    other = as_actor(make_holder(Role.IT_SECURITY, "Otto Brandt"))
    assert ahead_of_a_cut(people=[person], actor=other, now=clock.now()) == []
