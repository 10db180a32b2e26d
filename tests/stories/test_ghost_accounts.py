"""A re-enabled account is found and cut by one click; a list of a system without an interface is compared."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from pathlib import Path

import pytest
from allauth.mfa.totp.internal.auth import TOTP, generate_totp_secret
from playwright.sync_api import Page, expect

from partwell import clock
from partwell.access.ghosts.sweeping import sweep_system
from partwell.access.models import AccountRecord, Change, Cut, Plan, System, SystemSweep
from partwell.access.runs import run_cut
from partwell.connectors.fake.store import FakeStore
from partwell.departures.models import Departure
from partwell.people.models import Installation, RoleGrant, User
from tests.access_world import ADA, make_departure
from tests.browser import Trouble, beside_the_browser
from tests.signing_in import sign_in_surely


@pytest.fixture
def secret(make_user: Callable[..., User], tmp_path: Path) -> str:
    """Ines of IT/Security, with a second factor; Ada left a week ago, and her account is active again."""
    Installation.objects.create(company_name="Harbour & Vale", initialised_at=clock.now())
    user = make_user("ines@firm.example", "Ines")
    RoleGrant.objects.create(user=user, role="it_security", granted_at=clock.now(), granted_by="tests")
    found = generate_totp_secret()
    TOTP.activate(user, found)
    now = clock.now()
    store = FakeStore(tmp_path / "practice.sqlite3")
    mail = System.objects.create(
        name="mail", title="Mail", connector="fake", settings={"store": store.path}, created_at=now
    )
    System.objects.create(name="doors", title="Doors", connector="manual", created_at=now)
    store.add_account("mail", "ada", login="ada", emails=[ADA], sessions=1, groups={"staff": "Staff"})
    departure: Departure = make_departure(ADA, access_end_at=now - timedelta(days=7))
    account = AccountRecord.objects.create(
        departure=departure, system=mail, external_id="ada", login="ada", state="verified", revoked_at=now
    )
    plan = Plan.objects.create(
        departure=departure, version=1, checksum="c" * 64, state="applied", made_at=now, made_by="tests"
    )
    Change.objects.create(plan=plan, account=account, verb="suspend", position=1, state="verified")
    return found


def work() -> None:
    """Play the worker."""

    def run() -> None:
        for row in SystemSweep.objects.filter(state="waiting"):
            sweep_system(str(row.pk))
        for cut in Cut.objects.filter(state="fired"):
            for system in System.objects.all():
                run_cut(str(cut.pk), str(system.pk))

    beside_the_browser(run)


def test_a_reenabled_account_is_found_and_cut_and_a_list_shows_who_is_nobody(
    secret: str, browser_page: Page, axe: Callable[[Page, str], None], trouble: Trouble
) -> None:
    trouble.expected.append("422")
    page = browser_page
    sign_in_surely(page, "ines@firm.example", secret)
    page.get_by_role("link", name="Ghosts").click()
    expect(page.get_by_role("heading", name="Nobody has looked yet")).to_be_visible()
    axe(page, "ghosts-empty")

    page.get_by_role("button", name="Look now").click()
    work()
    page.goto("/ghosts/")
    row = page.get_by_role("row", name="ada Mail")
    expect(row.get_by_text("Came back")).to_be_visible()
    expect(row.get_by_text("IT/Security")).to_be_visible()
    expect(page.get_by_role("heading", name="1 of 2 systems was not read to the end")).to_be_visible()
    axe(page, "ghosts")

    page.get_by_role("link", name="Give to… ada in Mail").click()
    page.get_by_label("Who takes care of it?").select_option(label="Ines")
    axe(page, "ghost-owner")
    page.get_by_role("button", name="Give it to them").click()
    expect(page.get_by_role("row", name="ada Mail").get_by_text("Ines")).to_be_visible()

    page.get_by_role("link", name="Cut it… ada in Mail").click()
    expect(page.get_by_role("heading", level=1)).to_have_text("Cut ada in Mail")
    axe(page, "ghost-cut")
    page.get_by_role("button", name="Cut this 1 account").click()
    expect(page.get_by_text("Came back, being cut")).to_be_visible()
    work()
    page.goto("/ghosts/")
    expect(page.get_by_role("heading", name="No ghost where we could look")).to_be_visible()
    page.get_by_role("link", name="Gone").click()
    expect(page.get_by_text("It was cut, and read back.")).to_be_visible()
    axe(page, "ghosts-gone")

    page.get_by_role("link", name="Upload a list…").click()
    for content, seen in (
        ("login,active\nbadge-17,perhaps\n", "1 problem, nothing was taken"),
        ("login,active\nbadge-17,yes\n", "1 account of Doors"),
    ):
        page.get_by_label("CSV file").set_input_files(
            {"name": "doors.csv", "mimeType": "text/csv", "buffer": content.encode()}
        )
        page.get_by_role("button", name="Show what it holds").click()
        expect(page.get_by_role("heading", name=seen)).to_be_visible()
        axe(page, f"ghosts-upload-{seen.split()[1]}")
    page.get_by_role("button", name="Compare 1 account").click()
    expect(page.get_by_role("row", name="badge-17 Doors").get_by_text("Of nobody")).to_be_visible()

    page.goto("/ghosts/")
    page.get_by_role("link", name="Not a ghost… badge-17 in Doors").click()
    page.get_by_role("button", name="Keep it as no ghost").click()
    expect(page.get_by_role("alert").first).to_contain_text("Say in a sentence how you know")
    page.get_by_label("How do you know").fill("It is the badge of the cleaning firm.")
    axe(page, "ghost-dismiss")
    page.get_by_role("button", name="Keep it as no ghost").click()
    expect(page.get_by_role("heading", name="No ghosts")).to_be_visible()
