"""HR copies the resignation template, changes it by keyboard, tries it on somebody and publishes it."""

from __future__ import annotations

import re
from collections.abc import Callable
from datetime import timedelta

import pytest
from playwright.sync_api import BrowserContext, Page, expect

from partwell import clock
from partwell.journeys.draft_operations import Origin, begin_draft
from partwell.journeys.models import Journey, TemplateDraft
from partwell.journeys.template_operations import sync_library
from partwell.journeys.template_queries import latest, load_version
from partwell.people.actors import console_actor
from partwell.people.models import User
from partwell.people.roles import Role
from tests.browser import Trouble, follow
from tests.factories import make_holder, make_person, publish, start_journey
from tests.keyboard import Keyboard
from tests.signing_in import PASSWORD

pytestmark = pytest.mark.django_db(transaction=True)
COPY = "staff-own-resignation"


def known(user: User) -> User:
    user.set_password(PASSWORD)
    user.save()
    return user


@pytest.fixture
def amara(transactional_db: None) -> User:
    """HR, in a firm with the library's templates."""
    sync_library(now=clock.now())
    return known(make_holder(Role.HR, "Amara Osei"))


def row(page: Page, title: str) -> str:
    """The number of a step in the table."""
    return page.locator("tr[data-pw-step]", has_text=title).locator("td").first.inner_text()


def test_a_template_is_copied_changed_tried_on_somebody_and_published(
    amara: User, sign_in: Callable[..., Page], axe: Callable[[Page, str], None], trouble: Trouble
) -> None:
    trouble.expected += ["422"]
    mei = make_person("Mei Tanaka", manager=make_person("Joon-ho Baek"), country="FR")
    running = start_journey(
        make_person("Marit Lindqvist"),
        template="staff-resignation",
        now=clock.now(),
        last_working_date=clock.now().date() + timedelta(days=40),
    )
    page = sign_in(amara.email)
    page.goto("/templates/staff-resignation/")
    follow(page.get_by_role("link", name="Copy it…"))
    axe(page, "drafts")
    page.get_by_label("Id of the new template").fill(COPY)
    page.get_by_role("button", name="Begin the draft").click()
    expect(page.get_by_role("heading", level=1)).to_have_text("A colleague resigns")
    expect(page.get_by_text("No problems: it can be published.")).to_be_visible()
    axe(page, "draft")

    # A step that others need goes together with their need.
    follow(page.get_by_role("link", name="Get the resignation in writing"))
    axe(page, "draft-step")
    follow(page.get_by_role("link", name="Take it out…"))
    expect(page.get_by_role("main")).to_contain_text("Check the notice period and leave balance")
    axe(page, "draft-remove")
    page.get_by_role("button", name="Take it out, with").click()
    expect(page.get_by_role("link", name="Get the resignation in writing")).to_have_count(0)

    # A step that is there for some, and one that needs it.
    follow(page.get_by_role("link", name="Add a step to Notice"))
    page.get_by_label("Title").fill("Ask the works council")
    page.get_by_label("When the step is there").select_option("chosen")
    page.get_by_label("Field 1").select_option("person.country")
    page.get_by_label("Comparison 1").select_option("one_of")
    page.get_by_label("Value 1").fill("DE, AT")
    expect(page.locator("#checked")).to_contain_text("person.country in ['DE', 'AT']")
    page.get_by_role("button", name="Add the step").click()
    follow(page.get_by_role("link", name="Add a step to Notice"))
    page.get_by_label("Title").fill("File the council’s answer")
    page.get_by_label("It also needs").select_option(label=f"{row_number(page)} Ask the works council")
    page.get_by_label("How many").first.fill("3")
    page.get_by_label("Before or after").select_option("+")
    page.get_by_label("Which date").select_option("notice")
    expect(page.locator("#checked")).to_contain_text("No problems with this step.")
    page.get_by_role("button", name="Add the step").click()
    expect(page.locator("tr[data-pw-step]", has_text="File the council’s answer")).to_contain_text(
        "3 days after"
    )

    # What waits for what, drawn; a step's box leads to its form.
    follow(page.get_by_role("link", name="What waits for what"))
    axe(page, "draft-waits")
    box = page.get_by_role("link", name="File the council’s answer, waits for")
    expect(box).to_have_accessible_name(re.compile(r"waits for 1\.\d+$"))
    follow(box)
    expect(page.get_by_label("Title")).to_have_value("File the council’s answer")
    page.goto(f"/drafts/{COPY}/")

    # By keyboard alone: up twice, and the focus stays on the arrow.
    before = row(page, "Ask the works council")
    hands = Keyboard(page)
    up = page.get_by_role("button", name="Move Ask the works council up")
    place = int(before.split(".")[1])
    hands.reach(up)
    for moved in (1, 2):
        hands.press("Enter")
        expect(
            page.locator("tr[data-pw-step]", has_text="Ask the works council").locator("td").first
        ).to_have_text(f"1.{place - moved}")
        expect(up).to_be_focused()

    # On somebody in France the step is not there, and it is said why.
    follow(page.get_by_role("link", name="Try it on somebody"))
    page.get_by_label("Who would leave").fill("nobody@harbour.example")
    page.get_by_label("Last working day").fill("2027-02-26")
    page.get_by_role("button", name="Show the plan").click()
    expect(page.get_by_role("alert")).to_contain_text("nobody@harbour.example")
    page.get_by_label("Who would leave").fill(mei.email)
    page.get_by_role("button", name="Show the plan").click()
    expect(page.get_by_role("heading", name="The plan for Mei Tanaka")).to_be_visible()
    left_out = page.get_by_role("region", name="Left out")
    expect(left_out).to_contain_text("Ask the works council")
    expect(left_out).to_contain_text("Person: country is FR")
    expect(page.get_by_role("region", name="Steps by phase")).to_contain_text("Joon-ho Baek")
    axe(page, "draft-try")

    page.goto(f"/drafts/{COPY}/publish/")
    axe(page, "draft-publish")
    page.get_by_role("button", name="Publish version 1").click()
    expect(page.locator("#pw-notices")).to_contain_text("Version 1 is published.")
    keys = [step.key for step in load_version(latest(COPY)).steps]
    assert "confirm-resignation" not in keys
    assert {"ask-the-works-council", "file-the-councils-answer"} <= set(keys)
    assert Journey.objects.get(pk=running.pk).template.template_id == "staff-resignation"
    assert Journey.objects.get(pk=running.pk).steps.filter(key="confirm-resignation").exists()
    assert not TemplateDraft.objects.exists()


def row_number(page: Page) -> str:
    """The number before the works council in the list of what can be needed."""
    option = page.get_by_label("It also needs").locator("option", has_text="Ask the works council")
    return option.inner_text().split(" ")[0]


def test_a_step_is_dragged_to_its_place(amara: User, sign_in: Callable[..., Page]) -> None:
    publish()
    begin_draft(origin=Origin(template="small"), actor=console_actor(), now=clock.now())
    page = sign_in(amara.email)
    page.goto("/drafts/small/")
    page.locator("#step-cut-access").drag_to(page.locator("#step-confirm"))
    expect(page.locator("#step-cut-access td").first).to_have_text("1.1")
    expect(page.locator("#step-confirm td").first).to_have_text("1.2")
    expect(page.locator("#pw-live")).to_have_text("Cut all access is 1.1 now")
    assert TemplateDraft.objects.get().revision == 2


def test_the_second_of_two_editors_is_told_and_finds_what_they_typed(
    amara: User,
    sign_in: Callable[..., Page],
    open_context: Callable[[], BrowserContext],
    axe: Callable[[Page, str], None],
    trouble: Trouble,
) -> None:
    trouble.expected += ["409"]
    publish()
    begin_draft(origin=Origin(template="small"), actor=console_actor(), now=clock.now())
    priya = known(make_holder(Role.HR, "Priya Raman"))
    first, second = sign_in(amara.email), sign_in(priya.email, open_context().new_page())
    for page in (first, second):
        page.goto("/drafts/small/steps/confirm/")
    first.get_by_label("Who", exact=True).select_option("legal")
    first.get_by_role("button", name="Keep").click()
    second.get_by_label("Title").fill("Confirm it, by letter")
    second.get_by_label("How it is done").fill("Write, and keep a copy.")
    second.get_by_role("button", name="Keep").click()
    told = second.get_by_role("alert")
    expect(told).to_contain_text("Amara Osei")
    expect(told).to_contain_text("Who: HR")
    expect(second.get_by_label("Title")).to_have_value("Confirm it, by letter")
    expect(second.get_by_label("How it is done")).to_have_value("Write, and keep a copy.")
    expect(second.get_by_label("Who", exact=True)).to_have_value("legal")
    axe(second, "draft-told")
    second.get_by_role("button", name="Keep").click()
    expect(second.locator("#pw-notices")).to_contain_text("Kept.")
    step = TemplateDraft.objects.get().content["steps"][0]
    assert (step["title"], step["role"]) == ("Confirm it, by letter", "legal")


def test_a_condition_that_choices_cannot_show_is_kept_as_it_is_written(
    amara: User, sign_in: Callable[..., Page]
) -> None:
    publish(
        """
id: odd
title: An odd condition
summary: A template with a condition that choices cannot show.
audience: staff
initiated_by: leaver
reasons: [pay]
empty_phases: {2: none, 3: none, 4: none, 5: none, 6: none, 7: none, 8: none, 9: none, 10: none}
empty_roles: {account_manager: none, executive: none, finance: none, legal: none, departing: none,
  it_security: none, line_manager: none}
steps:
  - {key: confirm, phase: 1, title: Confirm it, role: hr, due: notice, when: "(person.manages_people)"}
""".lstrip()
    )
    begin_draft(origin=Origin(template="odd"), actor=console_actor(), now=clock.now())
    page = sign_in(amara.email)
    page.goto("/drafts/odd/steps/confirm/")
    expect(page.get_by_role("main")).to_contain_text("The condition says more than choices can show.")
    expect(page.get_by_label("Condition in CEL")).to_have_value("(person.manages_people)")
    page.get_by_label("Condition in CEL").fill("(person.manages_peeple)")
    expect(page.locator("#checked")).to_contain_text("1.1 Confirm it: Only if")
    expect(page.locator("#checked")).to_contain_text("Did you mean person.manages_people?")
    page.get_by_label("Condition in CEL").fill("(person.manages_people)")
    page.get_by_label("Title").fill("Confirm it again")
    page.get_by_role("button", name="Keep").click()
    expect(page.locator("#pw-notices")).to_contain_text("Kept.")
    assert TemplateDraft.objects.get().content["steps"][0]["when"] == "(person.manages_people)"
