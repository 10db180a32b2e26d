"""Somebody in IT looks at what a colleague has everywhere, before anybody thinks of leaving."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
from playwright.sync_api import Page, expect

from partwell import clock
from partwell.access import questions
from partwell.access.models import Question, System
from partwell.connectors.fake.store import FakeStore
from partwell.people.models import Installation, Person, RoleGrant, User
from tests.browser import beside_the_browser


@pytest.fixture
def store(make_user: Callable[..., User], tmp_path: Path) -> FakeStore:
    Installation.objects.create(company_name="Harbour & Vale", initialised_at=clock.now())
    ines = make_user("ines@firm.example", "Ines")
    RoleGrant.objects.create(user=ines, role="it_security", granted_at=clock.now(), granted_by="tests")
    store = FakeStore(tmp_path / "practice.sqlite3")
    for name, title in (("mail", "Mail"), ("cloud", "Cloud console"), ("crm", "Customer records")):
        System.objects.create(
            name=name,
            title=title,
            connector="fake",
            settings={"store": store.path},
            sla_class="critical" if name == "cloud" else "normal",
            created_at=clock.now(),
        )
    System.objects.create(
        name="badge", title="Door badges", connector="manual", settings={}, created_at=clock.now()
    )
    emails = ["bo.lind@firm.example"]
    store.add_account("mail", "m1", login="bo", emails=emails, sessions=2, groups={"s": "Staff"})
    store.add_account(
        "cloud",
        "c1",
        login="bo.lind",
        emails=emails,
        groups={"a": "Domain Admins"},
        holdings={"k1": ("key", "Key of the laptop"), "r1": ("owned", "Nightly billing job")},
    )
    store.set_mode("crm", "down")
    Person.objects.create(name="Bo Lind", email=emails[0], department="Sales", timezone="Europe/Berlin")
    return store


def test_what_somebody_has_is_asked_drawn_and_listed_by_risk(
    store: FakeStore, sign_in: Callable[..., Page], axe: Callable[[Page, str], None]
) -> None:
    page = sign_in("ines@firm.example")
    page.goto(f"/people/{Person.objects.get().pk}/")
    page.get_by_role("link", name="What they have").click()
    expect(page.get_by_role("heading", name="Nobody has asked yet")).to_be_visible()
    axe(page, "access-map-empty")
    page.get_by_role("button", name="Ask every system").click()
    expect(page.get_by_text("Asking 4 systems…")).to_be_visible()
    axe(page, "access-map-asking")
    beside_the_browser(lambda: questions.answer(str(Question.objects.get().pk)))
    expect(page.get_by_role("heading", name="2 accounts")).to_be_visible()
    unknown = page.get_by_role("region", name="Not known")
    expect(unknown.get_by_role("listitem")).to_have_count(2)
    expect(unknown).to_contain_text("Customer records")
    rows = page.get_by_role("region", name="By risk").get_by_role("row")
    expect(rows.nth(1)).to_contain_text("bo.lind")
    expect(rows.nth(1)).to_contain_text("High")
    expect(rows.nth(1)).to_contain_text("Powerful by name: Domain Admins")
    rows.nth(1).locator("summary").click()
    expect(page.get_by_text("Nightly billing job")).to_be_visible()
    expect(page.get_by_role("img", name="Bo Lind, their systems")).to_be_visible()
    axe(page, "access-map")
