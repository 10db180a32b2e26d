"""A newcomer sets a fresh installation up by the guide, tries it on themselves, and writes a template.

The installation runs as people run it (`partwell up`).
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Locator, Page, expect

from tests.browser import Trouble, follow
from tests.installation import Installation, served
from tests.shows import own_console
from tests.signing_in import PASSWORD, code_now

WORK = 60_000
NORA = "nora@harbour.example"
COPY = "staff-our-resignation"
PEOPLE = (
    "email,name,manager_email,department,country\n"
    f"{NORA},Nora Quist,,Office,DE\n"
    f"mei@harbour.example,Mei Tanaka,{NORA},Platform,FR\n"
    f"otto@harbour.example,Otto Berg,{NORA},IT,\n"
)


@pytest.fixture
def installation(tmp_path: Path) -> Iterator[Installation]:
    """An empty installation, served and worked for."""
    with own_console(tmp_path) as console, served(console) as made:
        yield made


@pytest.fixture
def address(installation: Installation) -> str:
    return installation.url


@pytest.fixture(autouse=True)
def no_limits_left_over() -> None:
    """Nothing is left over in a new installation, and this story uses no other database."""


@pytest.fixture
def page(browser_page: Page, trouble: Trouble) -> Page:
    trouble.expected += ["422"]
    return browser_page


def part(page: Page, title: str) -> Locator:
    return page.locator(".pw-guide > li", has=page.get_by_role("heading", name=title))


def test_a_newcomer_sets_partwell_up_tries_it_on_themselves_and_writes_a_template_of_their_own(
    installation: Installation,
    page: Page,
    axe: Callable[[Page, str], None],
    tmp_path: Path,
) -> None:
    welcome_and_sign_in(page, installation.setup_code())
    expect(page.get_by_role("heading", level=1)).to_have_text("Set Partwell up")
    expect(part(page, "Say whose Partwell this is")).to_contain_text("Done")
    expect(page.locator(".pw-guide > li.is-next")).to_contain_text("Protect the administrators’ sign-in")
    axe(page, "set-up-begun")
    recovery = second_factor(page)
    calendar_and_roles(page, axe, recovery)
    registers(page, tmp_path)
    first_system(page, tmp_path)
    practise(page, axe)

    # Nothing is left, so the guide leaves Today, and stays in Settings.
    expect(page.get_by_role("main")).to_contain_text("Nothing waits to be done.")
    axe(page, "set-up-finished")
    follow(page.get_by_role("link", name="Go to Today"))
    expect(page.get_by_role("heading", level=1)).to_have_text("Today")
    expect(page.get_by_role("link", name="Go on with the set-up")).to_have_count(0)
    expect(page.get_by_role("link", name="Back to the guide")).to_have_count(0)
    axe(page, "today-empty")
    own_template(page)


def welcome_and_sign_in(page: Page, code: str) -> None:
    """The code, the company and the first administrator; then in."""
    page.goto("/")
    page.get_by_label("Set-up code").fill(code)
    page.get_by_label("Name of your company").fill("Harbour & Vale")
    page.get_by_label("Your name").fill("Nora Quist")
    page.get_by_label("Your work e-mail address").fill(NORA)
    page.get_by_label("Password").fill(PASSWORD)
    follow(page.get_by_role("button", name="Set Partwell up"))
    page.get_by_label("E-mail").fill(NORA)
    page.get_by_label("Password").fill(PASSWORD)
    follow(page.get_by_role("button", name="Sign in"))


def second_factor(page: Page) -> str:
    """Set it up; a recovery code to confirm with later."""
    follow(page.get_by_role("link", name="Set up your second factor"))
    follow(page.get_by_role("link", name="Set it up"))
    if page.get_by_label("Password").count():
        page.get_by_label("Password").fill(PASSWORD)
        follow(page.get_by_role("button", name="Confirm"))
    page.get_by_label("Six digits").fill(code_now(page.locator("#totp-key").inner_text()))
    follow(page.get_by_role("button", name="Turn it on"))
    recovery = page.locator(".pw-codes li").first.inner_text()
    follow(page.get_by_role("link", name="Back to the guide"))
    expect(part(page, "Protect the administrators’ sign-in")).to_contain_text(
        "Set up by 1 of 1 administrator."
    )
    return recovery


def calendar_and_roles(page: Page, axe: Callable[[Page, str], None], recovery: str) -> None:
    """Where the firm is, checked by its next holidays; and who does what."""
    follow(page.get_by_role("link", name="Name the role holders"))
    page.get_by_label("Six digits").fill(recovery)
    follow(page.get_by_role("button", name="Confirm"))
    axe(page, "set-up-roles")
    for role in ("HR", "Finance", "Legal", "Executive"):
        page.get_by_label(role).fill(NORA)
    page.get_by_label("IT/Security").fill("otto@harbour.example")
    follow(page.get_by_role("button", name="Grant the roles"))
    expect(part(page, "Name who does what")).to_contain_text("Every role has somebody.")

    follow(page.get_by_role("link", name="Set calendar and country"))
    page.get_by_label("Country").fill("ZZ")
    page.get_by_label("Timezone").fill("Europe/Berlin")
    follow(page.get_by_role("button", name="Keep"))
    expect(page.get_by_role("alert")).to_contain_text("is no country")
    page.get_by_label("Country").fill("DE")
    follow(page.get_by_role("button", name="Keep"))
    expect(page.get_by_role("region", name="The next public holidays")).to_contain_text("Christmas Day")
    axe(page, "set-up-calendar")
    follow(page.get_by_role("link", name="Back to the guide").first)
    expect(part(page, "Set calendar and country")).to_contain_text("DE, Europe/Berlin.")


def registers(page: Page, tmp_path: Path) -> None:
    """People by a file, which comes back to the guide; clients not now."""
    follow(page.get_by_role("link", name="Import people"))
    expect(page.get_by_role("link", name="Download an example")).to_be_visible()
    file = tmp_path / "people.csv"
    file.write_text(PEOPLE)
    page.get_by_label("CSV file").set_input_files(file)
    follow(page.get_by_role("button", name="Show what would change"))
    follow(page.get_by_role("button", name="Apply 3 changes"))
    expect(part(page, "Import your people")).to_contain_text("3 people in the register.")
    follow(part(page, "Import your clients").get_by_role("button", name="Not now"))
    expect(part(page, "Import your clients")).to_contain_text("Put aside")


def first_system(page: Page, tmp_path: Path) -> None:
    """A system is connected, and counts only once it has answered."""
    follow(page.get_by_role("link", name="Connect a system"))
    follow(page.get_by_role("link", name="Connect a system").first)
    page.get_by_role("textbox", name="Description").fill(
        f"name: wiki\ntitle: Wiki\nconnector: fake\nsettings:\n  store: {tmp_path / 'wiki'}\n"
    )
    follow(page.get_by_role("button", name="Connect it"))
    follow(page.get_by_role("link", name="Back to the guide"))
    expect(part(page, "Connect the first system")).to_contain_text("none was tested yet")
    page.goto("/systems/wiki/")
    follow(page.get_by_role("button", name="Test it"))
    expect(page.get_by_text("Answers: 0 accounts can be read.")).to_be_visible(timeout=WORK)
    follow(page.get_by_role("link", name="Back to the guide"))
    expect(part(page, "Connect the first system")).to_contain_text("Wiki answered the last test.")


def practise(page: Page, axe: Callable[[Page, str], None]) -> None:
    """One's own departure, with nothing of it real; thrown away in one click."""
    follow(page.get_by_role("link", name="Practise your own departure"))
    axe(page, "practice-begin")
    expect(page.get_by_label("What happens")).to_have_value("staff-resignation")
    follow(page.get_by_role("button", name="Begin the practice"))
    expect(page.get_by_text("Practice: nothing here is real")).to_be_visible()
    axe(page, "practice")
    step = page.locator("#step-confirm-resignation")
    expect(step).to_contain_text("you")
    follow(step.get_by_role("button", name="Do it"))
    expect(step).to_contain_text("Done in practice")
    follow(step.get_by_role("button", name="Open it again"))
    expect(step).to_contain_text("To do")
    follow(step.get_by_role("button", name="Leave it out"))
    expect(step).to_contain_text("Left out in practice")
    page.get_by_label("Last working day").fill("2027-03-31")
    follow(page.get_by_role("button", name="Move it"))
    expect(page.locator("#pw-notices")).to_contain_text("got another date")
    page.goto("/departures/")
    expect(page.get_by_role("main")).to_contain_text("Nobody is leaving right now")
    page.goto("/practice/")
    follow(page.get_by_role("button", name="End the practice"))
    expect(part(page, "Try it on yourself")).to_contain_text("Nora Quist tried it.")


def own_template(page: Page) -> None:
    """A copy of the resignation: a step out, a conditional one in, one that needs it; tried, published."""
    page.goto("/templates/staff-resignation/")
    follow(page.get_by_role("link", name="Copy it…"))
    page.get_by_label("Id of the new template").fill(COPY)
    follow(page.get_by_role("button", name="Begin the draft"))
    follow(page.get_by_role("link", name="Get the resignation in writing"))
    follow(page.get_by_role("link", name="Take it out…"))
    follow(page.get_by_role("button", name="Take it out, with"))
    expect(page.get_by_role("link", name="Get the resignation in writing")).to_have_count(0)

    follow(page.get_by_role("link", name="Add a step to Notice"))
    page.get_by_label("Title").fill("Ask the works council")
    page.get_by_label("When the step is there").select_option("chosen")
    page.get_by_label("Field 1").select_option("person.country")
    page.get_by_label("Comparison 1").select_option("one_of")
    page.get_by_label("Value 1").fill("DE, AT")
    expect(page.locator("#checked")).to_contain_text("person.country in ['DE', 'AT']")
    follow(page.get_by_role("button", name="Add the step"))
    follow(page.get_by_role("link", name="Add a step to Notice"))
    page.get_by_label("Title").fill("File the council’s answer")
    option = page.get_by_label("It also needs").locator("option", has_text="Ask the works council")
    page.get_by_label("It also needs").select_option(label=option.inner_text())
    follow(page.get_by_role("button", name="Add the step"))

    follow(page.get_by_role("link", name="Try it on somebody"))
    page.get_by_label("Who would leave").fill("mei@harbour.example")
    page.get_by_label("Last working day").fill("2027-02-26")
    follow(page.get_by_role("button", name="Show the plan"))
    expect(page.get_by_role("heading", name="The plan for Mei Tanaka")).to_be_visible()
    expect(page.get_by_role("region", name="Left out")).to_contain_text("Ask the works council")
    page.goto(f"/drafts/{COPY}/publish/")
    follow(page.get_by_role("button", name="Publish version 1"))
    expect(page.locator("#pw-notices")).to_contain_text("Version 1 is published.")
    page.goto(f"/templates/{COPY}/")
    expect(page.get_by_role("main")).to_contain_text("File the council’s answer")
