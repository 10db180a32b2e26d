"""Shutting somebody out: two clicks and the typed name; six people need two; another person reviews."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
from allauth.mfa.totp.internal.auth import TOTP, generate_totp_secret
from playwright.sync_api import BrowserContext, Page, expect

from partwell import clock
from partwell.access.models import Cut, System
from partwell.access.operations.cuts import look_at_stage as look_at
from partwell.access.runs import run_cut
from partwell.connectors.fake.store import FakeStore
from partwell.journeys.template_operations import sync_library
from partwell.people.models import Installation, Person, RoleGrant, User
from tests.browser import Trouble, beside_the_browser
from tests.signing_in import sign_in_surely

BO = "bo.lind@firm.example"


@pytest.fixture
def store(make_user: Callable[..., User], tmp_path: Path) -> FakeStore:
    Installation.objects.create(company_name="Harbour & Vale", initialised_at=clock.now())
    sync_library(now=clock.now())
    for name, role in (("ines", "it_security"), ("amara", "hr")):
        user = make_user(f"{name}@firm.example", name.title())
        RoleGrant.objects.create(user=user, role=role, granted_at=clock.now(), granted_by="tests")
    store = FakeStore(tmp_path / "practice.sqlite3")
    System.objects.create(
        name="mail", title="Mail", connector="fake", settings={"store": store.path}, created_at=clock.now()
    )
    store.add_account("mail", "bo", login="bo", emails=[BO], sessions=2, groups={"staff": "Staff"})
    Person.objects.create(name="Bo Lind", email=BO, department="Sales", timezone="Europe/Berlin")
    return store


@pytest.fixture
def secrets(store: FakeStore) -> dict[str, str]:
    """Everybody's second factor."""
    found = {}
    for user in User.objects.all():
        found[user.email] = generate_totp_secret()
        TOTP.activate(user, found[user.email])
    return found


def work() -> None:
    """Play the worker."""

    def run() -> None:
        for cut in Cut.objects.filter(state="fired"):
            for system in System.objects.all():
                run_cut(str(cut.pk), str(system.pk))

    beside_the_browser(run)


def test_somebody_is_shut_out_in_two_clicks_and_another_person_reviews_it(
    store: FakeStore,
    secrets: dict[str, str],
    browser_page: Page,
    open_context: Callable[[], BrowserContext],
    axe: Callable[[Page, str], None],
    trouble: Trouble,
) -> None:
    trouble.expected.append("422")
    ines = browser_page
    sign_in_surely(ines, "ines@firm.example", secrets["ines@firm.example"])
    ines.goto(f"/people/{Person.objects.get(email=BO).pk}/")
    ines.get_by_role("link", name="Shut out now").click()
    expect(ines.get_by_role("heading", level=1)).to_have_text("Shut Bo Lind out now")
    axe(ines, "kill-switch")
    button = ines.get_by_role("button", name="Shut out of 1 system")
    expect(button).to_be_disabled()
    ines.get_by_label("Type Bo Lind to confirm").fill("bo lind")
    ines.get_by_label("Why can it not wait?").fill("Now")
    button.click()
    expect(ines.get_by_role("alert").first).to_contain_text("Say in a sentence why this cannot wait")
    expect(ines.get_by_label("Why can it not wait?")).to_have_value("Now")
    ines.get_by_label("Why can it not wait?").fill("Their laptop was stolen an hour ago.")
    ines.get_by_role("button", name="Shut out of 1 system").click()
    expect(ines.get_by_role("heading", level=1)).to_have_text("Kill switch: Bo Lind")
    expect(ines.get_by_text("No account is known")).to_be_visible()
    work()
    expect(ines.get_by_role("row", name="Bo Lind").get_by_text("All read back")).to_be_visible()
    expect(ines.get_by_text("Another person than you reviews it")).to_be_visible()
    axe(ines, "kill-switch-fired")
    account = store.account("mail", "bo")
    assert account is not None and not account["is_active"] and not account["sessions"]

    amara = open_context().new_page()
    sign_in_surely(amara, "amara@firm.example", secrets["amara@firm.example"])
    amara.goto("/access/")
    axe(amara, "access-with-a-cut")
    amara.get_by_role("link", name="Bo Lind", exact=True).first.click()
    amara.get_by_label("What did you look at").fill("Bo reported the theft by telephone. It was right.")
    amara.get_by_role("button", name="Keep my review").click()
    expect(amara.get_by_text("Fired and reviewed")).to_be_visible()
    axe(amara, "kill-switch-reviewed")


def test_a_prepared_cut_is_called_off_or_fired_by_its_button(
    store: FakeStore, secrets: dict[str, str], browser_page: Page, axe: Callable[[Page, str], None]
) -> None:
    ines = browser_page
    sign_in_surely(ines, "ines@firm.example", secrets["ines@firm.example"])
    ines.goto(f"/people/{Person.objects.get(email=BO).pk}/shut-out/")
    ines.get_by_label("Type Bo Lind to confirm").fill("Bo Lind")
    ines.get_by_label("Why can it not wait?").fill("The meeting is tomorrow at two.")
    ines.get_by_label("At a time").fill("2030-01-01T14:00")
    ines.get_by_role("button", name="Shut out of 1 system").click()
    expect(ines.get_by_role("button", name="Shut 1 out now")).to_be_visible()
    axe(ines, "kill-switch-prepared")
    ines.get_by_role("button", name="Call it off").click()
    expect(ines.get_by_text("Called off").first).to_be_visible()
    account = store.account("mail", "bo")
    assert account is not None and account["is_active"]


def test_a_group_is_looked_at_ordered_by_stages_held_and_gone_on_with(
    store: FakeStore,
    secrets: dict[str, str],
    browser_page: Page,
    open_context: Callable[[], BrowserContext],
    axe: Callable[[Page, str], None],
    trouble: Trouble,
    tmp_path: Path,
) -> None:
    trouble.expected.append("422")
    for number in range(6):
        email = f"agent{number}@firm.example"
        Person.objects.create(name=f"Agent {number}", email=email, department="Support")
        store.add_account("mail", email, login=f"agent{number}", emails=[email])
    ines = browser_page
    sign_in_surely(ines, "ines@firm.example", secrets["ines@firm.example"])
    ines.goto("/access/")
    ines.get_by_role("link", name="Shut a group out").click()
    expect(ines.get_by_role("heading", level=1)).to_have_text("Shut a group out")
    axe(ines, "kill-switch-group")
    ines.get_by_label("A list").fill("bo.lind@firm.example\nnobody@firm.example")
    ines.get_by_role("button", name="Show who is meant").click()
    expect(ines.get_by_role("row", name="2 nobody@firm.example")).to_contain_text("Nobody in the registers")
    expect(ines.get_by_label("A list")).to_have_value("bo.lind@firm.example\nnobody@firm.example")
    file = tmp_path / "support.csv"
    file.write_text("email\n" + "".join(f"agent{number}@firm.example\n" for number in range(6)))
    ines.get_by_label("A list").fill("")
    ines.get_by_label("A file").set_input_files(file)
    ines.get_by_role("button", name="Show who is meant").click()
    expect(ines.get_by_text("Agent 5")).to_be_visible()
    axe(ines, "kill-switch-group-meant")
    button = ines.get_by_role("button", name="Ask for a second person")
    expect(button).to_be_disabled()
    ines.get_by_label("Why can it not wait?").fill("Their supplier was broken into.")
    ines.get_by_label("How many at a time").fill("2")
    ines.get_by_label("Hold it by itself above").fill("40")
    ines.get_by_label("Type shut out 6 to confirm").fill("shut out 6")
    button.click()
    expect(ines.get_by_text("Waits for a second person")).to_be_visible()

    amara = open_context().new_page()
    sign_in_surely(amara, "amara@firm.example", secrets["amara@firm.example"])
    amara.goto(ines.url)
    amara.get_by_role("button", name="Approve and shut 6 out").click()
    expect(amara.get_by_text("Waits for its stage")).to_have_count(4)
    store.set_mode("mail", "denies")
    work()
    look_at_stage()
    expect(amara.get_by_role("heading", name="Held")).to_be_visible()
    axe(amara, "kill-switch-held")
    amara.goto("/access/")
    expect(amara.get_by_text("2 of 2 accounts of the last stage failed")).to_be_visible()
    store.set_mode("mail", "ok")
    amara.go_back()
    amara.get_by_role("button", name="Go on with the next stage").click()
    expect(amara.get_by_text("Waits for its stage")).to_have_count(2)
    work()
    look_at_stage()
    work()
    expect(amara.get_by_text("All read back")).to_have_count(4)


def look_at_stage() -> None:
    """Let the time come at which the stage is looked at."""
    beside_the_browser(lambda: look_at(str(Cut.objects.get().pk), clock.now()))
