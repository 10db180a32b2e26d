"""HR starts a resignation, works through it, moves it, withdraws one and closes one."""

from __future__ import annotations

import re
from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
from playwright.sync_api import BrowserContext, Page, expect

from partwell import clock
from partwell.departures.models import Departure
from partwell.journeys.models import Journey
from partwell.journeys.operations.ending import request_override
from partwell.journeys.operations.steps import complete_step
from partwell.journeys.states import PENDING
from partwell.people.actors import console_actor
from partwell.people.models import Person, User
from partwell.people.operations import ensure_user
from partwell.people.roles import Role
from tests.browser import Trouble, follow
from tests.factories import as_actor, make_holder, make_person, publish, start_journey, step_of
from tests.signing_in import PASSWORD

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture
def amara(transactional_db: None) -> User:
    """HR, in a firm with one small template, a manager and somebody who may leave."""
    publish()
    user = make_holder(Role.HR, "Amara Osei")
    make_person(manager=make_person("Joon-ho Baek"))
    return known(user)


def known(user: User) -> User:
    user.set_password(PASSWORD)
    user.save()
    return user


def today_plus(days: int) -> str:
    return (clock.now().date() + timedelta(days=days)).isoformat()


def leaving(person: Person, days: int, **fields: Any) -> Journey:
    """A journey that began just now, and whose last day is so many days ahead."""
    now = clock.now()
    return start_journey(person, last_working_date=now.date() + timedelta(days=days), now=now, **fields)


def test_starting_shows_the_whole_plan_before_anything_begins(
    amara: User, sign_in: Callable[..., Page], axe: Callable[[Page, str], None], trouble: Trouble
) -> None:
    trouble.expected += ["422"]
    page = sign_in(amara.email)
    follow(page.get_by_role("link", name="New departure").first)
    axe(page, "start")

    page.get_by_label("Who leaves").fill("nobody@harbour.example")
    page.get_by_label("Notice received").fill(today_plus(0))
    page.get_by_label("Last working day").fill(today_plus(-3))
    page.get_by_role("button", name="Show the plan").click()
    expect(page.get_by_role("alert")).to_contain_text("nobody@harbour.example")
    expect(page.get_by_label("Last working day")).to_have_value(today_plus(-3))

    page.get_by_label("Who leaves").fill("marit.lindqvist@harbour.example")
    page.get_by_role("button", name="Show the plan").click()
    expect(page.get_by_role("alert")).to_contain_text("before the notice")

    page.get_by_label("Last working day").fill(today_plus(30))
    page.get_by_label("Reason").select_option("moving")
    page.get_by_role("button", name="Show the plan").click()
    expect(page.get_by_role("heading", level=1)).to_have_text("The plan for Marit Lindqvist")
    axe(page, "start-review")
    assert not Departure.objects.exists()

    page.get_by_role("button", name=re.compile("Begin the journey with 5 steps")).click()
    expect(page.get_by_role("heading", level=1)).to_have_text("Marit Lindqvist")
    expect(page.get_by_text("Reason: Moving")).to_be_visible()
    assert Departure.objects.get().reason == "moving"
    axe(page, "journey")


def test_a_step_is_opened_completed_with_its_evidence_and_undone(
    amara: User, sign_in: Callable[..., Page], axe: Callable[[Page, str], None], trouble: Trouble
) -> None:
    trouble.expected += ["422", "409"]
    journey = leaving(Person.objects.get(name="Marit Lindqvist"), 30)
    page = sign_in(amara.email)
    page.get_by_role("link", name="Confirm the notice").first.click()
    expect(page.get_by_text("This waits for")).to_have_count(0)
    axe(page, "step")
    page.get_by_role("button", name="Mark as done").click()
    expect(page.get_by_role("alert")).to_contain_text("note")
    page.get_by_role("textbox", name="Note").fill("Agreed on the phone, repeated in writing.")
    page.get_by_role("button", name="Mark as done").click()
    expect(page.get_by_text("Done: Confirm the notice.")).to_be_visible()
    expect(page.get_by_text("1 of 5 steps done")).to_be_visible()

    page.goto(f"/departures/{journey.pk}/steps/initiate/")
    expect(page.get_by_role("button", name="Mark as done")).to_be_visible()
    page.get_by_role("textbox", name="Comment").fill("Joon-ho is told on Monday.")
    page.get_by_role("button", name="Comment").click()
    expect(page.get_by_text("Joon-ho is told on Monday.")).to_be_visible()
    page.get_by_text("Leave it out…").click()
    page.get_by_label("Why is it left out?").fill("The team knows already.")
    page.get_by_role("button", name="Leave it out").click()
    expect(page.get_by_text("Left out: Tell those who need to know.")).to_be_visible()
    page.get_by_role("button", name="Open it again").click()
    assert step_of(journey, "initiate").state == "open"

    page.goto(f"/departures/{journey.pk}/steps/cut-access/")
    expect(page.get_by_text("Partwell settles this step when it has the proof")).to_be_visible()
    expect(page.get_by_role("button", name="Mark as done")).to_have_count(0)


def test_the_journey_refreshes_by_itself(amara: User, sign_in: Callable[..., Page]) -> None:
    journey = leaving(make_person("Luis Ortega"), 20)
    page = sign_in(amara.email)
    page.goto(f"/departures/{journey.pk}/")
    expect(page.locator("#phase-1 .pw-group__c")).to_contain_text("0 of 1 done")
    complete_step(step=step_of(journey, "confirm"), actor=console_actor(), now=clock.now(), note="by console")
    expect(page.locator("#phase-1 .pw-group__c")).to_contain_text("1 of 1 done")


def test_moving_the_last_day_shows_the_difference_first(
    amara: User, sign_in: Callable[..., Page], axe: Callable[[Page, str], None]
) -> None:
    journey = leaving(make_person("Luis Ortega"), 20)
    page = sign_in(amara.email)
    page.goto(f"/departures/{journey.pk}/")
    page.get_by_role("link", name="Change dates").click()
    page.get_by_label("Last working day").fill(today_plus(40))
    page.get_by_role("button", name="Show the difference").click()
    expect(page.get_by_role("rowheader", name="Cut all access")).to_be_visible()
    axe(page, "dates")
    assert Departure.objects.get().last_working_date == clock.now().date() + timedelta(days=20)
    page.get_by_role("button", name=re.compile("Apply: 3 dates")).click()
    expect(page.get_by_text(re.compile("^Moved"))).to_be_visible()
    assert Departure.objects.get().last_working_date == clock.now().date() + timedelta(days=40)


def test_withdrawing_lists_what_was_done(
    amara: User, sign_in: Callable[..., Page], axe: Callable[[Page, str], None]
) -> None:
    journey = leaving(make_person("Luis Ortega"), 20)
    page = sign_in(amara.email)
    page.goto(f"/departures/{journey.pk}/withdraw/")
    axe(page, "withdraw")
    page.get_by_label("Why is the notice withdrawn?").fill("He has a better offer, from us.")
    page.get_by_role("button", name="Withdraw and end the journey").click()
    expect(page.get_by_text("The notice was withdrawn on")).to_be_visible()
    assert not journey.steps.filter(state__in=PENDING).exists()


def test_closing_with_things_open_needs_a_second_person(
    amara: User, sign_in: Callable[..., Page], axe: Callable[[Page, str], None], trouble: Trouble
) -> None:
    trouble.expected += ["409"]
    journey = leaving(make_person("Luis Ortega"), 20)
    page = sign_in(amara.email)
    page.goto(f"/departures/{journey.pk}/close/")
    expect(page.get_by_role("link", name="Confirm the notice")).to_be_visible()
    axe(page, "close")
    page.get_by_label("Why should it close with these open?").fill("The whole site was sold last night.")
    page.get_by_role("button", name="Ask for it").click()
    page.goto(f"/departures/{journey.pk}/override/")
    expect(page.get_by_text("The whole site was sold last night.")).to_be_visible()
    axe(page, "override")
    page.get_by_role("button", name=re.compile("Approve and close")).click()
    # No second factor yet: the page leads to setting one up, and nothing is closed.
    expect(page).to_have_url(re.compile("second-factor"))
    assert Departure.objects.get().state == "active"


def test_a_line_manager_gives_notice_and_hr_starts_from_it(
    amara: User, sign_in: Callable[..., Page], open_context: Callable[[], BrowserContext]
) -> None:
    manager = known(ensure_user(make_person("Nadia Ferreira"), now=clock.now()))
    make_person("Rafael Teixeira", manager=manager.person)
    page = sign_in(manager.email)
    page.goto("/departures/new/")
    page.get_by_label("Who leaves").fill("rafael.teixeira@harbour.example")
    page.get_by_label("Last working day").fill(today_plus(30))
    page.get_by_role("button", name="Show the plan").click()
    page.get_by_role("button", name="Give notice").click()
    expect(page.get_by_text("HR has your notice")).to_be_visible()

    hr = sign_in(amara.email, open_context().new_page())
    hr.get_by_role("link", name="Start the journey…").click()
    expect(hr.get_by_label("Who leaves")).to_have_value("rafael.teixeira@harbour.example")
    hr.get_by_role("button", name="Show the plan").click()
    hr.get_by_role("button", name=re.compile("Begin the journey")).click()
    expect(hr.get_by_role("heading", level=1)).to_have_text("Rafael Teixeira")
    hr.goto("/")
    expect(hr.get_by_text("Notice received")).to_have_count(0)


def test_a_restricted_journey_does_not_exist_for_others(
    amara: User, sign_in: Callable[..., Page], open_context: Callable[[], BrowserContext], trouble: Trouble
) -> None:
    trouble.expected += ["404"]
    other = known(make_holder(Role.HR, "Ida Moen"))
    journey = leaving(make_person("Viktor Sandell"), 3, actor=as_actor(amara), confidentiality="need_to_know")
    page = sign_in(amara.email)
    expect(page.get_by_text("Restricted journey").first).to_be_visible()
    stranger = sign_in(other.email, open_context().new_page())
    expect(stranger.get_by_text("Viktor")).to_have_count(0)
    stranger.goto(f"/departures/{journey.pk}/")
    expect(stranger.get_by_role("heading", level=1)).to_have_text("Nothing here for you")
    stranger.goto("/departures/?q=viktor")
    expect(stranger.get_by_text("Viktor Sandell")).to_have_count(0)


def test_an_override_asked_by_another_is_shown_to_the_second_person(
    amara: User, sign_in: Callable[..., Page]
) -> None:
    journey = leaving(make_person("Luis Ortega"), 20)
    request_override(
        departure=journey.departure,
        reason="The system was shut down for good.",
        actor=console_actor(),
        now=clock.now(),
    )
    page = sign_in(amara.email)
    page.goto(f"/departures/{journey.pk}/close/")
    page.get_by_role("link", name="Approve as a second person…").click()
    expect(page.get_by_text("operator@console asks")).to_be_visible()
