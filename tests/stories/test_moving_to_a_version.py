"""A new version comes out: one running journey stays as it was, another is moved after a look at it."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta

import pytest
from playwright.sync_api import Page, expect

from partwell import clock
from partwell.evidence.models import Event
from partwell.journeys.models import Journey, Step
from partwell.journeys.operations import steps
from partwell.journeys.states import StepState
from partwell.journeys.template_operations import sync_library
from partwell.people.actors import console_actor
from partwell.people.models import User
from partwell.people.roles import Role
from tests.browser import Trouble, follow
from tests.factories import make_holder, make_person, start_journey
from tests.signing_in import PASSWORD

pytestmark = pytest.mark.django_db(transaction=True)
ADDED = "Ask the works council"


@pytest.fixture
def amara(transactional_db: None) -> User:
    """HR, in a firm with the library's templates."""
    sync_library(now=clock.now())
    user = make_holder(Role.HR, "Amara Osei")
    user.set_password(PASSWORD)
    user.save()
    return user


def leaves(name: str) -> Journey:
    return start_journey(
        make_person(name, manager=make_person(f"Manager of {name}")),
        template="staff-resignation",
        now=clock.now(),
        last_working_date=clock.now().date() + timedelta(days=40),
    )


def publish_by_the_editor(page: Page) -> str:
    """Take a step out and add another; returns the title of the one that was taken out."""
    page.goto("/templates/staff-resignation/")
    follow(page.get_by_role("link", name="Change it…"))
    page.get_by_role("button", name="Begin the draft").click()
    follow(page.get_by_role("link", name="Add a step to Notice"))
    page.get_by_label("Title").fill(ADDED)
    page.get_by_label("Who", exact=True).select_option("hr")
    page.get_by_role("button", name="Add the step").click()
    gone = Step.objects.filter(needs=[], journey__template__template_id="staff-resignation").exclude(
        key__in={key for needs in Step.objects.values_list("needs", flat=True) for key in needs}
    )
    title = gone.order_by("-position").values_list("title", flat=True)[0]
    follow(page.get_by_role("link", name=title))
    follow(page.get_by_role("link", name="Take it out…"))
    page.get_by_role("button", name="Take it out").click()
    follow(page.get_by_role("link", name="Publish…"))
    page.get_by_role("button", name="Publish version 2").click()
    expect(page.get_by_role("main")).to_contain_text("Version 2")
    return str(title)


def test_a_running_journey_stays_as_it_was_and_another_is_moved_after_seeing_the_difference(
    amara: User, sign_in: Callable[..., Page], axe: Callable[[Page, str], None], trouble: Trouble
) -> None:
    marit, owen = leaves("Marit Lindqvist"), leaves("Owen Pryce")
    first = Step.objects.filter(journey=marit, state="open", kind="task", evidence__in=("none", "note"))[0]
    steps.complete_step(
        step=first, actor=console_actor(), now=clock.now(), note="It lies in the file, signed."
    )
    page = sign_in(amara.email)
    gone = publish_by_the_editor(page)
    as_it_was = list(Step.objects.filter(journey=owen).order_by("position").values())

    page.goto(f"/departures/{marit.pk}/")
    expect(page.get_by_role("main")).to_contain_text("A newer version of this template was published")
    follow(page.get_by_role("link", name="See what would change"))
    expect(page.get_by_role("heading", level=1)).to_have_text("From version 1 to 2")
    added = page.get_by_role("region", name="Added")
    expect(added).to_contain_text(ADDED)
    expect(page.get_by_role("region", name="No longer asked")).to_contain_text(gone)
    axe(page, "journey-version")

    # Somebody says something of the step meanwhile: what was looked at is not so any more.
    steps.comment_on_step(
        step=Step.objects.get(journey=marit, title=gone),
        text="I have begun with it.",
        actor=console_actor(),
        now=clock.now(),
    )
    trouble.expected += ["409"]
    page.get_by_role("button", name="Move to version 2").click()
    expect(page.get_by_role("alert")).to_contain_text("not what you looked at any more")
    expect(page.get_by_role("region", name="No longer asked")).to_contain_text("because it has 1 comment")
    page.get_by_role("button", name="Move to version 2").click()
    expect(page.get_by_role("main")).to_contain_text("Moved to version 2.")
    expect(page.get_by_role("main")).to_contain_text("staff-resignation v2")
    expect(page.get_by_role("main")).to_contain_text("from version 1 of its template to 2")

    assert Step.objects.get(journey=marit, title=ADDED).owner == amara
    first.refresh_from_db()
    assert (first.state, first.note) == (StepState.DONE, "It lies in the file, signed.")
    assert Step.objects.get(journey=marit, title=gone).state == StepState.NOT_NEEDED
    assert Event.objects.filter(kind="journey.version_changed").count() == 1
    owen.refresh_from_db()
    assert owen.template.version == 1
    assert list(Step.objects.filter(journey=owen).order_by("position").values()) == as_it_was

    # The other one can be moved from the template's page, with all that are behind.
    page.goto("/templates/staff-resignation/")
    follow(page.get_by_role("link", name="1 journey on earlier versions"))
    axe(page, "template-journeys")
    page.get_by_role("checkbox", name="Owen Pryce").check()
    page.get_by_role("button", name="Move the chosen ones to version 2").click()
    expect(page.get_by_role("heading", name="1 of 1 moved to version 2")).to_be_visible()
    axe(page, "template-journeys-moved")
    owen.refresh_from_db()
    assert owen.template.version == 2
