"""A shared secret from being put on record to being changed because somebody who knew it leaves."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from pathlib import Path

import pytest
from allauth.mfa.totp.internal.auth import TOTP, generate_totp_secret
from playwright.sync_api import BrowserContext, Page, expect

from partwell import clock
from partwell.access.models import CredentialRotation, System
from partwell.connectors.fake.store import FakeStore
from partwell.journeys.intake import Intake
from partwell.journeys.operations.starting import start
from partwell.journeys.template_operations import sync_library
from partwell.people.actors import console_actor
from partwell.people.models import Installation, Person, RoleGrant, User
from tests.browser import Trouble, beside_the_browser, follow
from tests.stories.test_kill_switch import sign_in_surely

INES, OLGA, BO = "ines@firm.example", "olga@firm.example", "bo@firm.example"
VAULT = b"""url,username,password,totp,extra,name,grouping,fav
https://bank.example/login?t=zqsecret,billing,zqsecret,,zqsecret,Bank portal,Office,0
"""


@pytest.fixture
def second_factors(make_user: Callable[..., User], tmp_path: Path) -> dict[str, str]:
    """A small firm with a practice system; everybody's second factor."""
    Installation.objects.create(company_name="Harbour & Vale", initialised_at=clock.now())
    sync_library(now=clock.now())
    found = {}
    for email, name in ((INES, "Ines Sec"), (OLGA, "Olga Own")):
        user = make_user(email, name)
        user.person = Person.objects.create(name=name, email=email, department="Office")
        user.save()
        found[email] = generate_totp_secret()
        TOTP.activate(user, found[email])
    RoleGrant.objects.create(
        user=User.objects.get(email=INES), role="it_security", granted_at=clock.now(), granted_by="tests"
    )
    Person.objects.create(name="Bo Lind", email=BO, department="Sales", timezone="Europe/Berlin")
    store = FakeStore(tmp_path / "practice.sqlite3")
    System.objects.create(
        name="shop", title="Shop", connector="fake", settings={"store": store.path}, created_at=clock.now()
    )
    store.add_account("shop", "editors", login="editors", emails=[])
    return found


def leaves() -> None:
    """Bo gives notice."""

    def begin() -> None:
        now = clock.now()
        last = now.date() + timedelta(days=20)
        bo = Person.objects.get(email=BO)
        intake = Intake(person=bo, notice_date=now.date(), last_working_date=last)
        start(template_id="staff-resignation", intake=intake, actor=console_actor(), now=now)

    beside_the_browser(begin)


def test_what_a_leaver_knows_is_put_on_record_and_changed_when_they_leave(
    second_factors: dict[str, str],
    browser_page: Page,
    open_context: Callable[[], BrowserContext],
    axe: Callable[[Page, str], None],
    trouble: Trouble,
) -> None:
    trouble.expected.append("422")
    ines = browser_page
    sign_in_surely(ines, INES, second_factors[INES])
    ines.get_by_role("link", name="Credentials").click()
    expect(ines.get_by_text("No shared secret is on record yet")).to_be_visible()
    axe(ines, "credentials-empty")
    ines.get_by_role("link", name="Add a credential").first.click()
    ines.get_by_label("What is it called?").fill("Shop, editors’ login")
    ines.get_by_label("Where is it used?").fill("https://shop.example/admin/zqsecret")
    ines.get_by_label("Owner’s e-mail address").fill(OLGA)
    ines.get_by_label("Changed by a connector in").select_option("shop")
    ines.get_by_role("button", name="Keep it").click()
    expect(ines.get_by_role("alert").first).to_contain_text("Name the system and the account in it")
    ines.get_by_label("Account in that system").fill("editors")
    axe(ines, "credential-form")
    ines.get_by_role("button", name="Keep it").click()
    expect(ines.get_by_text("is on record. Say who knows it.")).to_be_visible()
    for email in (OLGA, BO):
        ines.get_by_label("E-mail address").fill(email)
        ines.get_by_role("button", name="Add them").click()
        expect(ines.get_by_role("row").filter(has_text=email)).to_be_visible()
    axe(ines, "credential")

    ines.goto("/credentials/import/")
    ines.get_by_label("File", exact=True).set_input_files(
        {"name": "vault.csv", "mimeType": "text/csv", "buffer": VAULT}
    )
    ines.get_by_label("Who knows all of them").fill(BO)
    ines.get_by_role("button", name="Show what would change").click()
    expect(ines.get_by_text("read as LastPass (CSV): 1 new")).to_be_visible()
    axe(ines, "credentials-import")
    ines.get_by_role("button", name="Apply 1 change").click()
    expect(ines.get_by_role("row").filter(has_text="Bank portal")).to_contain_text("bank.example")
    assert "zqsecret" not in ines.content()
    axe(ines, "credentials")

    leaves()
    olga = open_context().new_page()
    sign_in_surely(olga, OLGA, second_factors[OLGA])
    follow(olga.get_by_role("link", name="My steps").first)
    axe(olga, "my-steps-with-secrets")
    olga.get_by_role("link", name="Shop, editors’ login").click()
    expect(olga.get_by_text("because somebody who knows it will not need it any more")).to_be_visible()
    assert "Bo Lind" not in olga.content()
    axe(olga, "rotation")
    olga.get_by_role("button", name="Change it now").click()
    expect(olga.get_by_role("heading", name="The new secret, this once")).to_be_visible()
    new = olga.locator("#new-password").inner_text()
    axe(olga, "rotated")
    olga.get_by_role("link", name="I have put it away").click()
    expect(olga.get_by_text("Changed, and the old one is refused")).to_be_visible()
    assert new not in olga.content()

    ines.goto("/credentials/")
    ines.get_by_role("link", name="Bank portal").click()
    ines.get_by_role("link", name="Bank portal").last.click()
    ines.get_by_label("How can one see that it is changed?").fill(
        "Changed at the bank; the old one is refused."
    )
    ines.get_by_role("button", name="Say that it is changed").click()
    expect(ines.get_by_text("Changed, a person says")).to_be_visible()
    axe(ines, "rotation-attested")
    states = set(beside_the_browser(lambda: list(CredentialRotation.objects.values_list("state", flat=True))))
    assert states == {"verified", "attested"}
