"""Somebody who leaves comes in by a link that HR made, confirms a step, sends a file and leaves again."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from pathlib import Path
from urllib.parse import urlsplit

import pytest
from playwright.sync_api import BrowserContext, Page, expect

from partwell import clock
from partwell.journeys.operations.steps import complete_step
from partwell.people.actors import console_actor
from tests.accessibility import PHONE
from tests.browser import Trouble, follow
from tests.factories import step_of
from tests.guest_world import CANARIES, PRIVATE, World
from tests.signing_in import PASSWORD

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture
def world(transactional_db: None) -> World:
    today = clock.today_in("Europe/Berlin", now=clock.now())
    return World(notice_date=today, last_working_date=today + timedelta(days=30))


def test_hr_invites_and_the_leaver_does_their_part(
    world: World,
    browser_page: Page,
    open_context: Callable[[], BrowserContext],
    sign_in: Callable[..., Page],
    axe: Callable[[Page, str], None],
    trouble: Trouble,
    tmp_path: Path,
) -> None:
    world.hr.set_password(PASSWORD)
    world.hr.save()
    page = sign_in(world.hr.email)
    page.goto(f"/departures/{world.departure.pk}/guests/")
    axe(page, "guests-none")
    page.get_by_label("E-mail address").fill("marit.lindqvist")
    page.get_by_role("button", name="Make the link").click()
    expect(page.get_by_role("alert")).to_contain_text("One thing to correct")
    page.get_by_label("E-mail address").fill(PRIVATE)
    page.get_by_role("button", name="Make the link").click()
    address = page.locator("[data-guest-link]").inner_text()
    axe(page, "guests-invited")

    context = open_context()
    guest = context.new_page()
    guest.set_viewport_size({"width": PHONE[0], "height": PHONE[1]})
    guest.goto(urlsplit(address).path)
    axe(guest, "guest-open")
    guest.get_by_role("button", name="Open my page").click()
    expect(guest.get_by_role("heading", level=1)).to_contain_text("Hello Marit Lindqvist")
    expect(guest.get_by_text("30", exact=True)).to_be_visible()
    axe(guest, "guest-page")

    follow(guest.get_by_role("link", name="Confirm your dates"))
    axe(guest, "guest-step")
    guest.get_by_role("button", name="Confirm that it is done").click()
    expect(guest.get_by_text("Thank you. “Confirm your dates” is done.")).to_be_visible()
    expect(guest.get_by_text("1 of 4 done")).to_be_visible()

    form = tmp_path / "form.txt"
    form.write_text("signed by Marit")
    guest.get_by_role("link", name="Send the signed form").click()
    trouble.expected.append("422")
    guest.get_by_role("button", name="Confirm that it is done").click()
    expect(guest.get_by_role("alert")).to_contain_text("asks for a file")
    axe(guest, "guest-step-refused")
    guest.get_by_label("File").set_input_files(form)
    guest.get_by_role("button", name="Confirm that it is done").click()
    expect(guest.get_by_text("2 of 4 done")).to_be_visible()

    complete_step(
        step=step_of(world.departure, "shared"), note=CANARIES[2], actor=console_actor(), now=clock.now()
    )
    guest.reload()
    for canary in CANARIES:
        expect(guest.get_by_text(canary)).to_have_count(0)

    trouble.expected += ["410", "404"]
    second = open_context().new_page()
    second.goto(urlsplit(address).path)
    second.get_by_role("button", name="Open my page").click()
    expect(second.get_by_text("was used already")).to_be_visible()
    axe(second, "guest-link-used")
    second.get_by_role("button", name="Send me a new link").click()
    expect(second.get_by_role("heading", level=1)).to_have_text("A new link is on its way.")

    guest.get_by_role("button", name="Leave this page").click()
    expect(guest.get_by_role("heading", level=1)).to_have_text("You have left your page.")
    guest.goto("/g/")
    expect(guest.get_by_role("heading", level=1)).to_have_text("There is nothing behind this address")
