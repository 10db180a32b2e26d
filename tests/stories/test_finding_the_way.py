"""Somebody finds their way: by the menu on a phone, in the dark, past a wrong address; and every part of a
page can be read by everybody."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from django import forms
from django.template import Context, Engine, Template
from playwright.sync_api import Page, Route, expect

from partwell import clock
from partwell.people.models import Installation, User
from partwell.web.wording import STATES
from tests.accessibility import PHONE
from tests.browser import Trouble

pytestmark = pytest.mark.django_db(transaction=True)
AMARA = "amara@hv.example"
PHASES = [
    "Notice",
    "Transition planning",
    "Initiation",
    "Knowledge transfer",
    "Asset returns",
    "Data security",
    "Final settlement",
    "Exit interview",
    "Farewell",
    "Future contacts",
]


class DepartureForm(forms.Form):
    who = forms.CharField(label="Who leaves")
    why = forms.ChoiceField(label="Why", choices=[("resignation", "Resignation")])
    end = forms.DateField(label="Access ends", help_text="In the leaver’s time zone: Europe/Berlin")
    told = forms.BooleanField(label="The team knows", required=False)


def test_the_menu_on_a_phone_opens_and_closes(
    browser_page: Page, make_user: Callable[..., User], sign_in: Callable[..., Page]
) -> None:
    make_user(AMARA, "Amara Osei")
    page = sign_in(AMARA)
    page.set_viewport_size({"width": PHONE[0], "height": PHONE[1]})
    expect(page.get_by_role("navigation", name="Sections")).to_be_hidden()
    page.get_by_role("button", name="Open the menu").click()
    expect(page.get_by_role("navigation", name="Sections")).to_be_visible()
    page.keyboard.press("Escape")
    expect(page.get_by_role("navigation", name="Sections")).to_be_hidden()
    expect(page.get_by_role("button", name="Open the menu")).to_be_focused()


def test_a_chosen_theme_stays_on_the_next_page(
    browser_page: Page, make_user: Callable[..., User], sign_in: Callable[..., Page]
) -> None:
    make_user(AMARA)
    page = sign_in(AMARA)
    root = page.locator("html")
    expect(root).to_have_attribute("data-bs-theme", "light")
    page.get_by_role("button", name="Switch between light and dark").click()
    expect(root).to_have_attribute("data-bs-theme", "dark")
    page.goto("/account/")
    expect(root).to_have_attribute("data-bs-theme", "dark")


def test_a_wrong_address_is_answered_kindly(
    browser_page: Page,
    make_user: Callable[..., User],
    sign_in: Callable[..., Page],
    trouble: Trouble,
    axe: Callable[[Page, str], None],
) -> None:
    make_user(AMARA)
    trouble.expected.append("404")
    page = sign_in(AMARA)
    page.goto("/no-such-page/")
    axe(page, "not-found")
    page.get_by_role("link", name="Go to the start").click()
    expect(page.get_by_role("heading", level=1)).to_have_text("Today")


def test_every_component_can_be_read_by_everybody(
    browser_page: Page,
    make_user: Callable[..., User],
    sign_in: Callable[..., Page],
    axe: Callable[[Page, str], None],
) -> None:
    make_user(AMARA, "Amara Osei")
    Installation.objects.create(
        company_name="Harbour & Vale", is_practice=True, initialised_at=datetime(2026, 1, 5, tzinfo=UTC)
    )
    page = sign_in(AMARA)
    page.route("**/components/", lambda route: _fulfil(route, page))
    page.goto("/components/")
    expect(page.get_by_role("complementary", name="Practice installation")).to_contain_text(
        "Practice installation"
    )
    expect(page.locator("[data-pw-errors]")).to_be_focused()
    axe(page, "components")


def _fulfil(route: Route, page: Page) -> None:
    """The sample page inside the frame that the server itself sent, under the server's own policy."""
    frame = page.request.get("/account/")
    start, rest = frame.text().split('<div class="pw-head">', 1)
    end = rest[rest.index("</main>") :]
    source = (Path(__file__).parent / "components.html").read_text()
    body = source.split("{% block content %}")[1].rsplit("{% endblock %}", 1)[0]
    shown = Template("{% load partwell %}" + body, engine=Engine.get_default()).render(Context(_sample()))
    route.fulfill(
        body=start + shown + end, headers={**frame.headers, "content-length": ""}, content_type="text/html"
    )


def _sample() -> dict[str, Any]:
    today = clock.today_in("Europe/Berlin", now=clock.now())
    done = [4, 4, 5, 3, 1, 2, 1, 0, 0, 0]
    totals = [4, 4, 5, 7, 4, 6, 5, 2, 3, 3]
    phases = [
        {
            "number": number,
            "name": name,
            "done": done[number - 1],
            "total": totals[number - 1],
            "is_here": number == 4,
            "late": 1 if number == 5 else 0,
            "today": 1 if number == 6 else 0,
            "more": "from 24 Nov" if number == 8 else "",
        }
        for number, name in enumerate(PHASES, 1)
    ]
    steps = [
        {
            "state": "attested",
            "title": "Name every system and secret",
            "truth": "confirmed by Joon-ho Baek, not checked by Partwell",
            "role": "Line manager",
            "who": "Joon-ho Baek",
            "due": today - timedelta(days=8),
            "is_done": True,
            "url": "#1",
        },
        {
            "state": "todo",
            "title": "Send the return box",
            "role": "IT/Security",
            "due": today - timedelta(days=2),
        },
        {"state": "doing", "title": "Agree the reference", "role": "HR", "due": today},
        {
            "state": "waits",
            "title": "Accept the handover",
            "waits_for": "5 items",
            "role": "Leaver",
            "who": "Marit Lindqvist",
            "is_leaver": True,
            "due": today + timedelta(days=8),
            "url": "#2",
        },
    ]
    return {
        "notice": date(2026, 10, 12),
        "last_day": today + timedelta(days=10),
        "access_end": clock.now() + timedelta(days=10),
        "phases": phases,
        "steps": [{"is_done": False, **step} for step in steps],
        "states": list(STATES),
        "form": DepartureForm({"who": "Marit Lindqvist", "end": "soon", "why": "resignation"}),
    }
