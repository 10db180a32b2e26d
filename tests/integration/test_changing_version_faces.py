"""Moving to another version of a template by page, API and command line: the same difference, the same no."""

from __future__ import annotations

import json
from typing import Any

import pytest
from django.test import Client
from typer.testing import CliRunner

from partwell.cli import journeys as command
from partwell.departures.states import Confidentiality
from partwell.evidence.models import Event
from partwell.journeys.models import Journey
from partwell.journeys.operations import steps
from partwell.people.actors import console_actor
from partwell.people.models import Installation, User
from partwell.people.roles import Role
from tests.factories import NOW, make_holder, make_person, publish, start_journey, step_of
from tests.moved_templates import second_version

pytestmark = pytest.mark.django_db
RUNNER = CliRunner()


@pytest.fixture
def hr(db: None) -> User:
    Installation.objects.create(company_name="Harbour & Vale", initialised_at=NOW)
    return make_holder(Role.HR, "Amara Osei")


@pytest.fixture
def journey(hr: User) -> Journey:
    publish()
    found = start_journey(make_person(manager=make_person("Joon-ho Baek")))
    publish(second_version())
    return found


def browser_of(user: User) -> Client:
    browser = Client(SERVER_NAME="localhost")
    browser.force_login(user)
    return browser


def version() -> int:
    return Journey.objects.get().template.version


def run(*words: str) -> tuple[int, Any]:
    result = RUNNER.invoke(command.app, [*words, "--json"])
    return result.exit_code, json.loads(result.stdout)


def test_a_page_shows_the_four_parts_and_moves_what_was_shown(journey: Journey, hr: User) -> None:
    steps.complete_step(step=step_of(journey, "confirm"), actor=console_actor(), now=NOW, note="agreed")
    steps.complete_step(step=step_of(journey, "initiate"), actor=console_actor(), now=NOW)
    browser, address = browser_of(hr), f"/departures/{journey.pk}/version/"
    page = browser.get(address)
    text = page.content.decode()
    assert page.status_code == 200
    for said in (
        "Take the keys back",
        "Hand over the team",
        "Tell those who need to know",
        "It is done already",
    ):
        assert said in text
    answer = browser.post(address, {"seen": page.context["draft"].digest})
    assert (answer.status_code, answer["Location"]) == (302, f"/departures/{journey.pk}/")
    assert version() == 2
    assert "follows version 2 of its template already" in browser.get(address).content.decode()


def test_what_was_not_shown_is_refused_and_shown_anew(journey: Journey, hr: User) -> None:
    answer = browser_of(hr).post(f"/departures/{journey.pk}/version/", {"seen": "0" * 16})
    assert answer.status_code == 409
    assert "Look at the difference again" in answer.content.decode()
    assert answer.context["draft"].digest in answer.content.decode()
    assert version() == 1


def test_a_journeys_page_tells_of_a_newer_version_to_those_who_may_move_it(
    journey: Journey, hr: User
) -> None:
    line = "A newer version of this template was published"
    address = f"/departures/{journey.pk}/"
    assert line in browser_of(hr).get(address).content.decode()
    it = make_holder(Role.IT_SECURITY, "Tomasz Wrona")
    assert line not in browser_of(it).get(address).content.decode()
    assert browser_of(it).get(f"{address}version/").status_code == 403


def test_a_templates_page_counts_and_lists_what_its_reader_may_move(journey: Journey, hr: User) -> None:
    hidden = start_journey(make_person("Viktor Sandell"), template="small")
    Journey.objects.filter(pk=hidden.pk).update(template=journey.template)
    hidden.departure.confidentiality = Confidentiality.NEED_TO_KNOW
    hidden.departure.save()
    hidden.departure.participants.all().delete()
    browser = browser_of(hr)
    assert "1 journey on earlier versions" in browser.get("/templates/small/").content.decode()
    page = browser.get("/templates/small/journeys/")
    assert "Viktor" not in page.content.decode()
    value = page.context["rows"][0]["value"]
    moved = browser.post("/templates/small/journeys/", {"journey": [value, f"{hidden.pk}={'0' * 16}"]})
    text = moved.content.decode()
    assert "1 of 2 moved to version 2" in text
    assert "One that you do not see" in text
    assert "Viktor" not in text
    assert sorted(Journey.objects.values_list("template__version", flat=True)) == [1, 2]


def test_choosing_nothing_moves_nothing(journey: Journey, hr: User) -> None:
    text = browser_of(hr).post("/templates/small/journeys/", {}).content.decode()
    assert "Nothing was chosen" in text
    assert version() == 1


@pytest.mark.parametrize("value", ["x", "=", "0=0"])
def test_a_choice_that_is_none_is_not_found(journey: Journey, hr: User, value: str) -> None:
    assert browser_of(hr).post("/templates/small/journeys/", {"journey": value}).status_code == 404


def test_the_command_line_asks_for_a_look_first(journey: Journey) -> None:
    code, said = run("change-version", str(journey.pk))
    assert (code, said["error"]["code"]) == (1, "digest_missing")
    code, shown = run("change-version", str(journey.pk), "--dry-run")
    assert (code, shown["new_version"], version()) == (0, 2, 1)
    code, moved = run("change-version", str(journey.pk), "--seen", shown["digest"])
    assert (code, moved["digest"], version()) == (0, shown["digest"], 2)
    code, said = run("change-version", str(journey.pk), "--dry-run")
    assert said["error"]["code"] == "same_version"


def test_the_command_line_says_what_becomes_of_each_step(journey: Journey) -> None:
    text = RUNNER.invoke(command.app, ["change-version", str(journey.pk), "--dry-run"]).stdout
    assert "Added       Take the keys back (return-keys): Amara Osei, due " in text
    assert "Falls away  Hand over the team (extra)" in text
    assert "Changed     Tell those who need to know (initiate): role, due; Joon-ho Baek → Amara Osei" in text


def test_the_command_line_lists_and_moves_several(journey: Journey) -> None:
    code, listed = run("change-versions", "small")
    [row] = listed["items"]
    assert (code, row["counts"]["added"], row["version"]) == (0, 1, 1)
    code, answer = run("change-versions", "small", "--seen", f"{row['id']}={'0' * 16}")
    assert (code, answer["items"][0]["code"]) == (1, "difference_changed")
    code, answer = run("change-versions", "small", "--seen", f"{row['id']}={row['digest']}")
    assert (code, answer["items"][0]["moved"], version()) == (0, True, 2)
    text = RUNNER.invoke(command.app, ["change-versions", "small"]).stdout
    assert "Nothing here." in text
    code, answer = run("change-versions", "small", "--seen", "elsewhere")
    assert (code, answer["error"]["code"]) == (1, "seen_unreadable")


def test_a_journey_by_another_template_is_not_moved_to_this_one(journey: Journey) -> None:
    publish(second_version(id="other"))
    code, answer = run("change-versions", "other", "--seen", f"{journey.pk}={'0' * 16}")
    assert (code, answer["items"][0]["code"]) == (1, "other_template")
    assert not Event.objects.filter(kind="journey.version_changed").exists()
