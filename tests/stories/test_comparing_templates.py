"""Somebody looks at two endings side by side, at what a new version changed, and at what waits for what."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from playwright.sync_api import Page, expect

from partwell import clock
from partwell.journeys.template.check import parse
from partwell.journeys.template.comparison import Counts, compare
from partwell.journeys.template.library import LIBRARY_DIR
from partwell.people.models import Installation, RoleGrant, User
from tests.accessibility import on_paper
from tests.factories import publish

CLIENT, EARLY, STAFF = (
    (LIBRARY_DIR / f"{name}.yaml").read_text()
    for name in ("client-contract-expiry", "client-early-cancellation", "staff-resignation")
)
AMARA = "amara@harbour.example"
OLD, NEW = (
    "Confirm in writing that the contract ends",
    "Confirm to the client in writing that the contract ends",
)


@pytest.fixture
def amara(make_user: Callable[..., User]) -> User:
    Installation.objects.create(company_name="Harbour & Vale", initialised_at=clock.now())
    user = make_user(AMARA, "Amara Osei")
    RoleGrant.objects.create(user=user, role="hr", granted_at=clock.now(), granted_by="tests")
    for text in (CLIENT, EARLY, STAFF):
        publish(text, now=clock.now())
    return user


def follow(page: Page, name: str) -> None:
    with page.expect_navigation():
        page.get_by_role("link", name=name, exact=True).first.click()


def test_two_endings_stand_side_by_side_by_phase_and_role_and_print(
    amara: User, sign_in: Callable[..., Page], axe: Callable[[Page, str], None]
) -> None:
    page = sign_in(AMARA)
    follow(page, "Templates")
    follow(page, "Compare")
    title = page.get_by_role("heading", level=1)
    expect(title).to_have_text("A client cancels before the contract's end, beside A colleague resigns")
    page.get_by_label("Left").select_option(label="A client's contract runs out, version 1")
    page.get_by_role("button", name="Compare").click()
    expect(title).to_have_text("A client's contract runs out, beside A colleague resigns")
    counts = Counts.of(compare(parse(CLIENT), parse(STAFF)).pairs)
    assert counts.same_key and counts.counterparts and counts.only_left and counts.only_right
    said = f"{counts.same_key} steps in both, {counts.counterparts} pairs of counterparts"
    expect(page.get_by_text(said)).to_be_visible()
    steps = page.get_by_role("region", name="By phase")
    questions = steps.get_by_role("row").filter(has_text="Choose questions that suit this person")
    expect(questions.get_by_role("rowheader")).to_have_text("Counterparts")
    axe(page, "templates-compared")
    page.get_by_role("navigation", name="Whose steps").get_by_role("link", name="Finance").click()
    expect(page.get_by_text("Only steps of Finance")).to_be_visible()
    expect(steps.get_by_text("Cut all access and read it back")).to_have_count(0)
    expect(steps.get_by_text("Pay what is owed by the deadline")).to_be_visible()
    page.get_by_role("link", name="Everybody").click()
    expect(steps.get_by_text("Cut all access and read it back").first).to_be_visible()
    page.emulate_media(media="print")
    printed = on_paper(page, ".pw-outline tr")
    page.emulate_media(media="screen")
    assert (printed["controls"], printed["folded"], printed["split"]) == ([], [], [])
    assert len(printed["pieces"]) > 90


def test_what_a_new_version_changed_is_told_word_by_word(
    amara: User, sign_in: Callable[..., Page], axe: Callable[[Page, str], None]
) -> None:
    publish(CLIENT.replace(OLD, NEW), now=clock.now())
    page = sign_in(AMARA)
    follow(page, "Templates")
    follow(page, "A client's contract runs out")
    changes = page.get_by_role("region", name="Changes since version 1")
    expect(changes.get_by_role("listitem")).to_have_text([f"1.1 {NEW}: title"])
    follow(page, "Show every word of it")
    expect(page.get_by_role("heading", level=1)).to_have_text("From version 1 to 2")
    expect(page.locator("ins")).to_have_text("added:  to the client")
    axe(page, "template-difference")
    page.get_by_label("From version").select_option("2")
    page.get_by_label("To version").select_option("1")
    page.get_by_role("button", name="Show").click()
    expect(page.locator("del")).to_have_text("removed:  to the client")
    page.get_by_label("From version").select_option("1")
    page.get_by_role("button", name="Show").click()
    expect(page.get_by_role("heading", name="Nothing differs")).to_be_visible()


def test_a_step_on_the_map_shows_its_chain_and_leads_to_itself(
    amara: User, sign_in: Callable[..., Page], axe: Callable[[Page, str], None]
) -> None:
    page = sign_in(AMARA)
    page.goto("/templates/staff-resignation/")
    chart = page.get_by_role("group", name="Every step under its phase")
    expect(chart.get_by_role("link")).to_have_count(len(parse(STAFF).steps))
    expect(chart.locator("[data-on]")).to_have_count(0)
    cut = chart.get_by_role("link", name="Cut all access")
    cut.focus()
    expect(chart.locator("a[data-on]").filter(has_text="Approve")).to_have_count(1)
    shown = set(chart.locator("a[data-on]").evaluate_all("all => all.map(each => each.getAttribute('href'))"))
    assert {"#step-list-accounts-and-devices", "#step-approve-access-plan", "#step-verify-day-45"} <= shown
    assert "#step-hold-exit-interview" not in shown
    axe(page, "template-map")
    page.keyboard.press("Enter")
    expect(page).to_have_url("/templates/staff-resignation/#step-cut-access")
    page.get_by_role("link", name="The same as a list").click()
    listed = page.get_by_role("group", name="What waits for what, as a list")
    row = listed.get_by_role("row").filter(has=page.get_by_role("rowheader", name="Cut all access"))
    expect(row.get_by_role("cell").first).to_contain_text("Approve")
    page.emulate_media(media="print")
    printed = on_paper(page, ".pw-outline tr")
    expect(chart).to_be_hidden()
    page.emulate_media(media="screen")
    assert (printed["controls"], printed["folded"]) == ([], [])
