"""Whoever answers for the process finds who is overloaded, reassigns two steps, and takes on a template."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta

import pytest
from playwright.sync_api import Page, expect

from partwell import clock
from partwell.journeys.models import Step
from partwell.people.models import RoleGrant, User
from partwell.people.roles import Role
from tests.browser import Trouble
from tests.factories import publish
from tests.integration.test_process import STARTED, done, gone, step

pytestmark = pytest.mark.django_db(transaction=True)
HANNA, TOM, ANN, EVA = "hanna@hv.example", "tom@hv.example", "ann@hv.example", "eva@hv.example"
DAY = timedelta(days=1)


@pytest.fixture
def firm(make_user: Callable[..., User]) -> None:
    """Seven who leave, all of whose access Tom has to cut, late; three who have left."""
    users = {}
    for email, name, role in (
        (HANNA, "Hanna Weiss", Role.HR),
        (TOM, "Tom Wirth", Role.IT_SECURITY),
        (ANN, "Ann Light", Role.IT_SECURITY),
        (EVA, "Eva Stern", Role.EXECUTIVE),
    ):
        users[email] = make_user(email, name)
        RoleGrant.objects.create(user=users[email], role=role, granted_at=clock.now(), granted_by="tests")
    version, now = publish(now=STARTED), clock.now()
    for number in range(7):
        journey = gone(version, f"Leaver {number}")
        step(
            journey, "cut-access", role="it_security", phase=6, title="Cut all access",
            owner=users[TOM], owner_name="Tom Wirth", due_at=now - DAY,
        )  # fmt: skip
    step(journey, "confirm", title="Confirm the notice", owner=users[HANNA], due_at=now + DAY)
    step(journey, "hand-over", role="it_security", owner=users[ANN], due_at=now + 60 * DAY)
    for number in range(3):
        journey = gone(version, f"Gone {number}", ended=now - DAY)
        done(journey, "confirm", (number - 1) * 3 * DAY, due_at=now - 20 * DAY)
        done(
            journey, "initiate", due_at=now - 20 * DAY, phase=3, title="Tell those who need to know",
            state="skipped", skip_reason="Everybody knew it already",
        )  # fmt: skip


def test_overload_is_found_two_steps_are_given_away_and_a_template_is_taken_on(
    firm: None, sign_in: Callable[..., Page], axe: Callable[[Page, str], None], trouble: Trouble
) -> None:
    trouble.expected.append("422")
    page = sign_in(HANNA)
    page.get_by_role("link", name="How it goes").click()
    expect(page.get_by_role("heading", level=1, name="How it goes")).to_be_visible()
    expect(page.get_by_text("A need-to-know departure is counted for those alone")).to_be_visible()
    loads = page.get_by_role("group", name="Who carries how much now")
    tom = loads.get_by_role("row").filter(has_text="Tom Wirth")
    expect(tom.get_by_role("cell").first).to_have_text("7")
    expect(tom.get_by_role("cell").last).to_have_text("Overloaded")
    expect(page.get_by_text("Everybody knew it already").first).to_be_visible()
    expect(page.get_by_role("img", name="Days from a journey’s start")).to_be_visible()
    roles = page.get_by_role("group", name="Late by role")
    expect(roles.get_by_role("row").filter(has_text="IT/Security")).to_contain_text("100 %")
    axe(page, "process")

    tom.get_by_role("link", name="Tom Wirth").click()
    expect(page.get_by_role("heading", level=1, name="Tom Wirth")).to_be_visible()
    axe(page, "process-load")
    page.get_by_role("button", name="Reassign the chosen steps").click()
    expect(page.get_by_role("link", name="This field is required.")).to_be_visible()
    for number in (0, 1):
        page.get_by_role("checkbox", name=f"Cut all access, Leaver {number}").check()
    page.get_by_label("Give the chosen steps to").select_option(label="Ann Light")
    page.get_by_role("button", name="Reassign the chosen steps").click()
    expect(page.get_by_text("Ann Light has 2 of 2 chosen steps now.")).to_be_visible()
    expect(page.get_by_role("checkbox")).to_have_count(5)
    expect(page.get_by_role("checkbox", name="Cut all access, Leaver 0")).to_have_count(0)
    assert Step.objects.filter(owner__email=ANN, key="cut-access").count() == 2

    page.get_by_role("link", name="How it goes").first.click()
    late = page.get_by_role("group", name="Late by role").get_by_role("row").filter(has_text="HR")
    late.get_by_role("link", name="1", exact=True).click()
    expect(page.get_by_role("heading", level=1, name="Settled late")).to_be_visible()
    expect(page.get_by_role("row").filter(has_text="Gone 2")).to_be_visible()
    axe(page, "process-steps")

    page.get_by_role("link", name="How it goes").first.click()
    templates = page.get_by_role("group", name="Templates")
    expect(templates.get_by_text("Nobody answers for it")).to_be_visible()
    templates.get_by_role("link", name="A small journey").click()
    page.get_by_label("Who answers for it").select_option(label="Hanna Weiss")
    page.get_by_role("button", name="Set the owner").click()
    expect(page.get_by_text("Hanna Weiss answers for it now.")).to_be_visible()
    page.get_by_label("What did you look at?").fill("All six steps; the dates fit the new notice.")
    page.get_by_role("button", name="I have read it and it still holds").click()
    expect(page.get_by_text("It is on record that you read it and it still holds.")).to_be_visible()
    expect(page.get_by_text("Owned and read")).to_be_visible()
    axe(page, "template-upkeep")
    page.goto("/process/")
    expect(page.get_by_role("group", name="Templates").get_by_text("Owned and read")).to_be_visible()


def test_an_executive_sees_who_is_overloaded_and_gives_no_step_away(
    firm: None, sign_in: Callable[..., Page]
) -> None:
    page = sign_in(EVA)
    page.get_by_role("link", name="How it goes").click()
    page.get_by_role("link", name="Tom Wirth").click()
    expect(page.get_by_role("row").filter(has_text="Leaver 0")).to_be_visible()
    expect(page.get_by_role("button", name="Reassign the chosen steps")).to_have_count(0)


def test_whose_work_it_is_about_is_not_offered_the_page(firm: None, sign_in: Callable[..., Page]) -> None:
    page = sign_in(TOM)
    expect(page.get_by_role("link", name="How it goes")).to_have_count(0)
    assert page.request.get(f"{page.url}process/").status == 403
