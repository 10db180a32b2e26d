"""A redundancy round: forty people previewed from a file, approved by another person, started, recalled."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from pathlib import Path

import pytest
from allauth.mfa.totp.internal.auth import TOTP, generate_totp_secret
from playwright.sync_api import BrowserContext, Page, expect

from partwell import clock
from partwell.departures.models import Departure
from partwell.journeys.models import Journey, Round
from partwell.journeys.rounds.carrying_out import AT_ONCE, go_on, start_some
from partwell.journeys.template_operations import sync_library
from partwell.people.actors import engine_actor
from partwell.people.models import Installation, Person, RoleGrant, User
from tests.browser import Trouble, beside_the_browser, follow
from tests.signing_in import sign_in_surely

AMARA, HELEN, NOA = "amara@firm.example", "helen@firm.example", "noa@firm.example"


@pytest.fixture
def secrets(make_user: Callable[..., User]) -> dict[str, str]:
    """The firm, forty people at the site that closes, and second factors."""
    Installation.objects.create(company_name="Harbour & Vale", initialised_at=clock.now())
    sync_library(now=clock.now())
    found = {}
    for email, role in ((AMARA, "hr"), (HELEN, "executive"), (NOA, "hr")):
        user = make_user(email, email.split("@")[0].title())
        RoleGrant.objects.create(user=user, role=role, granted_at=clock.now(), granted_by="tests")
        found[email] = generate_totp_secret()
        TOTP.activate(user, found[email])
    manager = Person.objects.create(name="Joon-ho Baek", email="joon-ho@firm.example", department="Leeds")
    for n in range(1, 41):
        Person.objects.create(
            name=f"Worker {n:02}",
            email=f"worker{n}@firm.example",
            department="Leeds",
            country="GB",
            timezone="Europe/London",
            manager=manager,
        )
    return found


def test_a_round_of_forty_is_previewed_approved_and_recalled(
    secrets: dict[str, str],
    browser_page: Page,
    open_context: Callable[[], BrowserContext],
    axe: Callable[[Page, str], None],
    trouble: Trouble,
    tmp_path: Path,
) -> None:
    trouble.expected.append("422")
    last_day = clock.now().date() + timedelta(days=90)
    amara = browser_page
    sign_in_surely(amara, AMARA, secrets[AMARA])
    amara.get_by_role("link", name="Rounds", exact=True).click()
    expect(amara.get_by_text("No round yet")).to_be_visible()
    axe(amara, "rounds-empty")
    follow(amara.get_by_role("link", name="New round").first)
    axe(amara, "round-new")
    amara.get_by_label("Name of the round").fill("Closing Leeds")
    amara.get_by_label("Or a CSV file").set_input_files(_file(tmp_path, "worker41@firm.example"))
    amara.get_by_label("Last working day").fill(last_day.isoformat())
    amara.get_by_label("Helen (helen@firm.example)").check()
    amara.get_by_role("button", name="Show what it would do").click()
    expect(amara.get_by_role("row", name="42 worker41@firm.example")).to_contain_text(
        "nobody in the registers"
    )
    axe(amara, "round-bad-line")
    assert not Round.objects.exists()
    amara.get_by_label("Or a CSV file").set_input_files(_file(tmp_path))
    amara.get_by_role("button", name="Show what it would do").click()
    expect(amara.get_by_role("heading", level=1)).to_have_text("Closing Leeds: 40 people")
    expect(amara.get_by_role("row", name="Joon-ho Baek")).to_contain_text("40")
    expect(amara.get_by_text("Only participants see that it exists")).to_be_visible()
    axe(amara, "round-preview")
    amara.get_by_role("button", name="Prepare 40 departures").click()
    expect(amara.get_by_text("Waits for a second person")).to_be_visible()
    expect(amara.get_by_text("You prepared this yourself")).to_be_visible()
    assert not Departure.objects.exists()

    noa = open_context().new_page()
    sign_in_surely(noa, NOA, secrets[NOA])
    noa.goto("/rounds/")
    expect(noa.get_by_text("Closing Leeds")).to_have_count(0)
    trouble.expected.append("404")
    noa.goto(amara.url)
    expect(noa.get_by_role("heading", level=1)).not_to_have_text("Closing Leeds")

    helen = open_context().new_page()
    sign_in_surely(helen, HELEN, secrets[HELEN])
    helen.goto("/rounds/")
    follow(helen.get_by_role("link", name="Closing Leeds"))
    axe(helen, "round-prepared")
    helen.get_by_role("button", name="Approve 40 departures").click()
    expect(helen.get_by_role("heading", name="Being started")).to_be_visible()
    expect(helen.get_by_text("0 of 40")).to_be_visible()
    beside_the_browser(some)
    expect(helen.get_by_text(f"{AT_ONCE} of 40")).to_be_visible()
    axe(helen, "round-being-started")
    beside_the_browser(work)
    expect(helen.get_by_text("Started", exact=True)).to_be_visible()
    expect(helen.get_by_role("heading", name="Being started")).to_have_count(0)
    expect(helen.get_by_text("Under way 40")).to_be_visible()
    axe(helen, "round-board")
    assert Journey.objects.count() == 40

    amara.reload()
    follow(amara.get_by_role("link", name="Recall…"))
    axe(amara, "round-recall")
    button = amara.get_by_role("button", name="Recall")
    expect(button).to_be_disabled()
    amara.get_by_label("Why is it recalled?").fill("The site has found a buyer.")
    amara.get_by_label("Type Closing Leeds to confirm").fill("closing leeds")
    button.click()
    expect(amara.get_by_text("40 still to withdraw")).to_be_visible()
    beside_the_browser(work)
    expect(amara.get_by_text("Recalled 40")).to_be_visible()
    expect(amara.get_by_role("link", name="Prepare it anew")).to_be_visible()
    axe(amara, "round-recalled")
    assert set(Departure.objects.values_list("state", flat=True)) == {"withdrawn"}
    amara.get_by_role("link", name="Prepare it anew").click()
    expect(amara.get_by_label("Name of the round")).to_have_value("Closing Leeds")


def _file(folder: Path, *more: str) -> Path:
    path = folder / "leeds.csv"
    rows = [f"worker{n}@firm.example" for n in range(1, 41)]
    path.write_text("\n".join(["email", *rows, *more]) + "\n")
    return path


def some() -> None:
    """Play the worker for one group."""
    start_some(found=Round.objects.get(), actor=engine_actor("round"), now=clock.now())


def work() -> None:
    """Play the worker."""
    go_on(str(Round.objects.get().pk), clock.now())
