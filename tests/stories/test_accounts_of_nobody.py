"""Two people cut an account of nobody, and put it back; another is kept with who answers for it."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from pathlib import Path

import pytest
from allauth.mfa.totp.internal.auth import TOTP, generate_totp_secret
from playwright.sync_api import BrowserContext, Page, expect

from partwell import clock
from partwell.access.ghosts import cutting
from partwell.access.ghosts.sweeping import sweep_system
from partwell.access.models import Plan, System, SystemRun, SystemSweep
from partwell.access.runs import run_system
from partwell.connectors.fake.store import FakeStore
from partwell.people.models import Installation, Person, RoleGrant, User
from tests.browser import Trouble, beside_the_browser, follow
from tests.signing_in import sign_in_surely


@pytest.fixture
def secrets(make_user: Callable[..., User], tmp_path: Path) -> dict[str, str]:
    """Ines and Otto of IT/Security, with second factors; in Mail two accounts by which nobody is known."""
    Installation.objects.create(company_name="Harbour & Vale", initialised_at=clock.now())
    found = {}
    for name in ("Ines", "Otto"):
        user = make_user(f"{name.lower()}@firm.example", name)
        RoleGrant.objects.create(user=user, role="it_security", granted_at=clock.now(), granted_by="tests")
        found[name] = generate_totp_secret()
        TOTP.activate(user, found[name])
    Person.objects.create(name="Ben Adler", email="ben@firm.example")
    store = FakeStore(tmp_path / "practice.sqlite3")
    System.objects.create(
        name="mail", title="Mail", connector="fake", settings={"store": store.path}, created_at=clock.now()
    )
    for login in ("cron", "backup"):
        store.add_account("mail", login, login=login, emails=[], sessions=1, groups={"staff": "Staff"})
    return found


def work() -> None:
    """Play the worker."""

    def run() -> None:
        for row in SystemSweep.objects.filter(state="waiting"):
            sweep_system(str(row.pk))
        for plan in Plan.objects.filter(state="proposed"):
            cutting.look_at_ghost(str(plan.pk))
        for _ in range(3):
            for row in SystemRun.objects.filter(state__in=("running", "waiting")):
                run_system(str(row.plan_id), str(row.system_id))

    beside_the_browser(run)


def test_an_account_of_nobody_is_cut_by_two_people_and_put_back_and_another_is_kept(
    secrets: dict[str, str],
    browser_page: Page,
    open_context: Callable[[], BrowserContext],
    axe: Callable[[Page, str], None],
    trouble: Trouble,
) -> None:
    trouble.expected.append("422")
    ines = browser_page
    sign_in_surely(ines, "ines@firm.example", secrets["Ines"])
    ines.get_by_role("link", name="Ghosts").click()
    ines.get_by_role("button", name="Look now").click()
    work()

    ines.goto("/ghosts/")
    follow(ines.get_by_role("link", name="Decide… backup in Mail"))
    axe(ines, "nobodys-undecided")
    ines.get_by_role("link", name="A service account…").click()
    ines.get_by_label("Who answers for it?").fill("nobody@firm.example")
    ines.get_by_label("What is it for?").fill("It backs the shop up at night.")
    day = clock.today_in("UTC", now=clock.now()) + timedelta(days=60)
    ines.get_by_label("When does somebody look at it again?").fill(day.isoformat())
    ines.get_by_role("button", name="Keep it").click()
    expect(ines.get_by_role("alert").first).to_contain_text("Nobody in the register has")
    axe(ines, "nobodys-keep-refused")
    ines.get_by_label("Who answers for it?").fill("ben@firm.example")
    ines.get_by_role("button", name="Keep it").click()
    expect(ines.get_by_text("Service account, Ben Adler answers for it").first).to_be_visible()
    axe(ines, "nobodys-kept")
    ines.goto("/ghosts/?state=kept")
    expect(ines.get_by_role("row", name="backup Mail")).to_be_visible()

    ines.goto("/ghosts/")
    expect(ines.get_by_role("row", name="backup Mail")).to_have_count(0)
    ines.get_by_role("link", name="Decide… cron in Mail").click()
    ines.get_by_role("link", name="Nobody needs it…").click()
    ines.get_by_label("Why does nobody need it?").fill("The machine that used it is gone since May.")
    axe(ines, "nobodys-propose")
    ines.get_by_role("button", name="Propose it").click()
    expect(ines.get_by_text("The system is asked what it is now").first).to_be_visible()
    axe(ines, "nobodys-asking")
    work()
    # The page reads itself again when the system has answered.
    expect(ines.get_by_text("another person has to approve it")).to_be_visible(timeout=15_000)
    axe(ines, "nobodys-own-proposal")

    otto = open_context().new_page()
    sign_in_surely(otto, "otto@firm.example", secrets["Otto"])
    otto.goto("/access/")
    expect(otto.get_by_role("link", name="cron in Mail")).to_be_visible()
    axe(otto, "nobodys-waits-on-access")
    otto.goto("/ghosts/")
    row = otto.get_by_role("row", name="cron Mail")
    expect(row.get_by_text("Its cut waits for a second person")).to_be_visible()
    row.get_by_role("link", name="Decide… cron in Mail").click()
    expect(otto.get_by_text("The machine that used it is gone since May.")).to_be_visible()
    expect(otto.get_by_text("Staff; they stay as they are")).to_be_visible()
    axe(otto, "nobodys-to-approve")
    approve = otto.get_by_role("button", name="Approve and cut this 1 account")
    otto.get_by_label("Type cron to confirm").fill("backup")
    expect(approve).to_be_disabled()
    otto.get_by_label("Type cron to confirm").fill("cron")
    approve.click()
    expect(otto.get_by_text("Being cut", exact=True).first).to_be_visible()
    axe(otto, "nobodys-being-cut")
    work()
    expect(otto.get_by_text("Cut, and read back").first).to_be_visible(timeout=15_000)
    axe(otto, "nobodys-cut")
    otto.goto("/ghosts/")
    expect(otto.get_by_role("heading", name="No ghosts")).to_be_visible()

    otto.get_by_role("link", name="Gone").click()
    otto.get_by_role("link", name="Look at it… cron in Mail").click()
    follow(otto.get_by_role("link", name="Put it back…"))
    axe(otto, "nobodys-restore")
    otto.get_by_role("button", name="Put back 2 effects").click()
    work()
    expect(otto.get_by_text("Put back, and read back").first).to_be_visible(timeout=15_000)
    axe(otto, "nobodys-put-back")
    otto.goto("/ghosts/")
    expect(otto.get_by_role("row", name="cron Mail")).to_be_visible()
