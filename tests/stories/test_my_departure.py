"""Somebody who gave notice and still works here finds their own page in the side bar, and nobody else."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta

import pytest
from playwright.sync_api import Page, expect

from partwell import clock
from partwell.people.operations import ensure_user
from tests.guest_world import World
from tests.signing_in import PASSWORD

pytestmark = pytest.mark.django_db(transaction=True)


def test_the_one_who_leaves_finds_their_own_page_and_nobody_else_does(
    sign_in: Callable[..., Page], axe: Callable[[Page, str], None]
) -> None:
    today = clock.today_in("Europe/Berlin", now=clock.now())
    world = World(notice_date=today, last_working_date=today + timedelta(days=30))
    for user in (world.hr, ensure_user(world.leaver, now=clock.now())):
        user.set_password(PASSWORD)
        user.save()
    page = sign_in(world.leaver.email)
    menu = page.get_by_role("navigation", name="Sections")
    expect(menu.get_by_role("link", name="Journeys")).to_be_visible()
    axe(page, "today-of-the-one-who-leaves")
    menu.get_by_role("link", name="My departure").click()
    expect(page.get_by_role("heading", level=1)).to_have_text("Hello Marit Lindqvist. This page is yours.")
    axe(page, "my-departure")
    page.get_by_role("link", name="Confirm your dates").click()
    page.get_by_role("button", name="Confirm that it is done").click()
    expect(page.get_by_text("1 of 4 done")).to_be_visible()
    page.get_by_role("link", name="Back to Today").click()
    expect(page.get_by_role("heading", level=1)).to_have_text("Today")

    page.context.clear_cookies()
    sign_in(world.hr.email)
    expect(menu.get_by_role("link", name="Journeys")).to_be_visible()
    expect(menu.get_by_role("link", name="My departure")).to_have_count(0)
