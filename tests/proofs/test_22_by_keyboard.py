"""Proof 22, second part: each role's main path is gone by keyboard alone.

Somebody here has Tab, Enter, the space bar, the arrow keys and letters. What they reach shows that it has the
focus, and nothing hides it.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from datetime import timedelta

import pytest
from django.contrib.sessions.backends.db import SessionStore
from django.contrib.sessions.models import Session
from django.urls import reverse
from playwright.sync_api import Page, expect

from partwell import clock
from partwell.access.models import Plan, SystemRun
from partwell.access.states import PlanState
from partwell.demo.firm import address as address_of
from partwell.demo.signin import PASSWORD, WITH_SECOND_FACTOR
from partwell.departures.models import Departure
from partwell.journeys.models import Step
from partwell.journeys.states import StepState
from partwell.journeys.template.model import EvidenceKind
from partwell.people.models import User
from tests.accessibility import PHONE
from tests.keyboard import Keyboard
from tests.proofs.accessible_stage import NOBODY, Stage, departure_of, step_of

pytestmark = [
    pytest.mark.django_db(transaction=True),
    pytest.mark.server("chromium"),
    pytest.mark.xdist_group("accessible"),
]


@pytest.fixture
def someone(stage: Stage) -> Callable[[str], Keyboard]:
    """Gives somebody of the firm a keyboard and no mouse; they sign in with it."""

    def come(name: str) -> Keyboard:
        keyboard = Keyboard(stage.page_of(NOBODY))
        keyboard.page.goto(reverse("account_login"))
        keyboard.fill("E-mail", address_of(name))
        keyboard.fill("Password", PASSWORD)
        keyboard.push("Sign in")
        if name in WITH_SECOND_FACTOR:
            keyboard.fill("Six digits", stage.code_of(name))
            keyboard.push("Sign in")
        expect(keyboard.page.get_by_role("heading", level=1)).to_have_text("Today")
        return keyboard

    return come


def test_hr_starts_a_departure_and_completes_a_step(someone: Callable[[str], Keyboard]) -> None:
    amara = someone("Amara Osei")
    amara.open_link("New departure")
    amara.write("mei.tanaka@harbourvale.example")
    amara.choose("What happens", "A colleague resigns")
    amara.enter_date("Last working day", clock.now().date() + timedelta(days=50))
    amara.choose("Reason", "Relocation")
    amara.push("Show the plan")
    expect(amara.page.get_by_role("heading", level=1)).to_have_text("The plan for Mei Tanaka")
    amara.push("Begin the journey with")
    expect(amara.page.get_by_role("heading", level=1)).to_have_text("Mei Tanaka")
    departure = Departure.objects.get(subject_name="Mei Tanaka")
    assert departure.reason == "relocation"

    first = step_of("Mei Tanaka", state=StepState.OPEN, evidence=EvidenceKind.FILE)
    amara.open_link(first.title)
    amara.attach("File", [{"name": "letter.txt", "mimeType": "text/plain", "buffer": b"I resign."}])
    amara.push("Mark as done")
    expect(amara.page.get_by_role("status").first).to_contain_text(f"Done: {first.title}.")
    assert step_of("Mei Tanaka", key=first.key).state == StepState.DONE


def test_it_approves_a_plan_with_the_second_factor_and_cuts_access(
    someone: Callable[[str], Keyboard], stage: Stage
) -> None:
    marit = departure_of("Marit Lindqvist")
    priya = someone("Priya Raman")
    twenty_minutes_pass()
    priya.open_link("Access")
    priya.open_link("Marit Lindqvist")
    _approve(priya)
    expect(priya.page.get_by_role("heading", level=1)).to_have_text("Confirm that it is you")
    priya.fill("Six digits", stage.code_of("Priya Raman"))
    priya.push("Confirm")
    # What was asked is not repeated by itself: she reads the plan once more.
    _approve(priya)
    expect(priya.page.get_by_role("status").first).to_contain_text("Nothing has been cut yet")
    plan = Plan.objects.get(departure=marit)
    assert plan.state == PlanState.APPROVED
    priya.push("Cut access now in")
    expect(priya.page.get_by_role("heading", level=1)).to_have_text("Revoking access: Marit Lindqvist")
    assert SystemRun.objects.filter(plan=plan).exists()


def _approve(person: Keyboard) -> None:
    person.fill("Type LINDQVIST to confirm", "lindqvist")
    person.push("Approve in")


def twenty_minutes_pass() -> None:
    """For everybody who is signed in: their sign-in is older by so much."""
    for session in Session.objects.all():
        kept = SessionStore(session.session_key)
        kept["account_authentication_methods"] = [
            {**method, "at": method["at"] - 20 * 60} for method in kept["account_authentication_methods"]
        ]
        kept.save()


def test_a_line_manager_completes_their_own_step(someone: Callable[[str], Keyboard]) -> None:
    own = Step.objects.filter(
        owner__email=address_of("Joon-ho Baek"), state=StepState.OPEN, evidence=EvidenceKind.NOTE
    )
    step = own.order_by("due_at").first()
    assert step is not None
    manager = someone("Joon-ho Baek")
    manager.open_link("My steps")
    manager.open_link(step.title)
    manager.fill("Note", "Agreed with everybody in the team meeting.")
    manager.push("Mark as done")
    expect(manager.page.get_by_role("status").first).to_contain_text(f"Done: {step.title}.")
    step.refresh_from_db()
    assert (step.state, step.note) == (StepState.DONE, "Agreed with everybody in the team meeting.")


def test_finance_claims_a_step_from_the_queue(someone: Callable[[str], Keyboard]) -> None:
    step = step_of("Ebbe & Flut Reederei", queue="finance", state=StepState.OPEN, owner=None)
    daniel = someone("Daniel Achterberg")
    daniel.open_link("My steps")
    queue = daniel.page.get_by_role("region", name="Waiting for somebody in your team")
    daniel.follow(queue.get_by_role("link", name=step.title).first)
    daniel.push("Claim it")
    expect(daniel.page.get_by_role("status").first).to_contain_text("Yours now")
    step.refresh_from_db()
    assert step.owner == User.objects.get(email=address_of("Daniel Achterberg"))


def test_an_executive_reads_and_exports_the_evidence(someone: Callable[[str], Keyboard]) -> None:
    helen = someone("Helen Marsh")
    helen.open_link("Journeys")
    helen.open_link("Hannah Vogel")
    helen.open_link("All records")
    fold = helen.page.locator("summary").filter(has_text="What the record says").first
    helen.reach(fold)
    helen.press("Space")
    expect(helen.page.locator("details[open] dl").first).to_be_visible()
    helen.choose("Who will read it", "An auditor")
    helen.reach(helen.page.get_by_role("button", name="Export"))
    with helen.page.expect_download() as pack:
        helen.press("Enter")
    assert pack.value.suggested_filename.startswith("evidence-hannah-vogel-auditor-")


def test_an_account_manager_moves_a_clients_last_day(someone: Callable[[str], Keyboard]) -> None:
    kestrel = departure_of("Kestrel Outdoor GmbH")
    later = kestrel.last_working_date + timedelta(days=14)
    lukas = someone("Lukas Brandt")
    lukas.open_link("Journeys")
    lukas.open_link("Kestrel Outdoor GmbH")
    lukas.open_link("Change dates")
    lukas.enter_date("Last working day", later)
    lukas.push("Show the difference")
    lukas.push("Apply:")
    expect(lukas.page.get_by_role("status").first).to_contain_text("Moved.")
    kestrel.refresh_from_db()
    assert kestrel.last_working_date == later


def test_somebody_who_leaves_confirms_their_own_step(stage: Stage) -> None:
    guest = Keyboard(stage.page_of(NOBODY))
    guest.page.goto(reverse("web:guest_open", args=[stage.things["link spare"]]))
    guest.push("Open my page")
    step = step_of("Kestrel Outdoor GmbH", role="departing", state=StepState.OPEN, evidence=EvidenceKind.NONE)
    guest.open_link(step.title)
    guest.push("Confirm that it is done")
    expect(guest.page.get_by_text(f"Thank you. “{step.title}” is done.")).to_be_visible()
    step.refresh_from_db()
    assert step.state == StepState.DONE


def test_the_menu_on_a_phone_closes_behind_those_who_leave_it(someone: Callable[[str], Keyboard]) -> None:
    amara = someone("Amara Osei")
    page = amara.page
    page.set_viewport_size({"width": PHONE[0], "height": PHONE[1]})
    menu = page.get_by_role("navigation", name="Sections")
    amara.use(page.get_by_role("button", name="Open the menu"))
    expect(menu).to_be_visible()
    amara.reach(page.get_by_role("button", name="Switch between light and dark"))
    amara.press("Tab")
    expect(menu).to_be_hidden()
    expect(page.locator("main :focus")).to_be_visible()


def test_somebody_is_found_and_opened_from_the_palette(someone: Callable[[str], Keyboard]) -> None:
    amara = someone("Amara Osei")
    amara.press("Control+k")
    amara.write("lindqvist")
    expect(amara.page.get_by_role("option", name=re.compile("^Marit Lindqvist leaves"))).to_have_attribute(
        "aria-selected", "true"
    )
    amara.press("ArrowDown", "ArrowUp")
    with amara.page.expect_navigation():
        amara.press("Enter")
    expect(amara.page.get_by_role("heading", level=1)).to_have_text("Marit Lindqvist")


def test_the_focus_and_the_folds_stay_when_a_page_reads_itself_anew(
    someone: Callable[[str], Keyboard],
) -> None:
    amara = someone("Amara Osei")
    page = amara.page
    link = page.get_by_role("link", name="All my steps")
    amara.reach(link)
    _reads_itself_anew(page, "home-live", reverse("web:home_live"))
    expect(link).to_be_focused()

    marit = departure_of("Marit Lindqvist").pk
    page.goto(reverse("web:journey", args=[marit]))
    fold = page.locator("#phase-1")
    amara.use(fold.locator("summary"))
    is_open = fold.evaluate("details => details.open")
    step = fold.locator("summary")
    _reads_itself_anew(page, "live-body", reverse("web:journey_live", args=[marit]))
    expect(step).to_be_focused()
    assert fold.evaluate("details => details.open") == is_open


def _reads_itself_anew(page: Page, part: str, path: str) -> None:
    """What htmx does by itself after a while, now."""
    page.evaluate(
        """async ([part, path]) => {
          const before = document.getElementById(part);
          await htmx.ajax("GET", path, { target: `#${part}`, swap: "outerHTML" });
          if (before.isConnected) throw new Error(`${part} was not read anew`);
        }""",
        [part, path],
    )
