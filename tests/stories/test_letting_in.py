"""HR lets a lawyer into a restricted departure, and takes them out again."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from playwright.sync_api import BrowserContext, Page, expect

from partwell import clock
from partwell.departures.models import Departure
from partwell.people.models import User
from partwell.people.operations import ensure_user
from partwell.people.roles import Role
from tests.browser import Trouble
from tests.factories import as_actor, make_holder, make_person, publish, start_journey
from tests.signing_in import PASSWORD

pytestmark = pytest.mark.django_db(transaction=True)


def with_password(user: User) -> User:
    user.set_password(PASSWORD)
    user.save()
    return user


@pytest.fixture
def departure(transactional_db: None) -> Departure:
    """Viktor's, of which Amara and his manager alone know."""
    publish()
    amara = with_password(make_holder(Role.HR, "Amara Osei"))
    viktor = make_person("Viktor Sandell", manager=make_person("Joon-ho Park"))
    ensure_user(viktor, now=clock.now())
    return start_journey(viktor, actor=as_actor(amara), confidentiality="need_to_know").departure


def test_a_lawyer_is_let_into_a_restricted_departure_and_taken_out_again(
    departure: Departure,
    sign_in: Callable[..., Page],
    open_context: Callable[[], BrowserContext],
    axe: Callable[[Page, str], None],
    trouble: Trouble,
) -> None:
    trouble.expected += ["404", "409", "422"]
    lea = with_password(make_holder(Role.LEGAL, "Lea Gal"))
    outside = sign_in(lea.email, open_context().new_page())
    outside.goto(f"/departures/{departure.pk}/")
    expect(outside.get_by_role("heading", level=1)).to_have_text("Nothing here for you")

    page = sign_in("amara.osei@harbour.example")
    page.goto(f"/departures/{departure.pk}/")
    page.get_by_role("region", name="People").get_by_role("link", name="Who takes part").click()
    expect(page.get_by_text("Restricted: it exists for these 2 people alone")).to_be_visible()
    expect(page.get_by_role("row", name="Joon-ho Park")).to_contain_text("Owner of 1 step")
    expect(page.get_by_role("row", name="Viktor Sandell")).to_contain_text("sees their own page at most")
    axe(page, "participants")

    # What was typed stays, and the way out is said.
    page.get_by_role("combobox", name="Who").fill("Lea")
    page.get_by_role("combobox", name="Part").select_option("Legal")
    page.get_by_role("button", name="Let them in").click()
    expect(page.get_by_role("alert")).to_contain_text("Did you mean Lea Gal")
    expect(page.get_by_role("combobox", name="Who")).to_have_value("Lea")
    expect(page.get_by_role("combobox", name="Part")).to_have_value("legal")
    axe(page, "participants-refused")
    page.get_by_role("combobox", name="Who").fill("Lea Gal")
    page.get_by_role("combobox", name="Who").press("Enter")
    expect(page.get_by_role("status").first).to_contain_text("Lea Gal takes part: Legal.")
    row = page.get_by_role("row", name="Lea Gal")
    expect(row).to_contain_text("Let in by Amara Osei")
    outside.reload()
    expect(outside.get_by_role("heading", level=1)).to_have_text("Viktor Sandell")

    # Somebody with steps to do is not taken out before these are given away.
    page.get_by_role("link", name="Take out… Joon-ho Park").click()
    expect(page.get_by_text("1 step of theirs is still to be done here.")).to_be_visible()
    page.get_by_role("button", name="Take Joon-ho Park out").click()
    expect(page.get_by_role("alert")).to_contain_text("Tell those who need to know")
    axe(page, "participant-remove-refused")
    page.get_by_role("link", name="Cancel").click()
    row.get_by_role("link", name="Take out…").click()
    expect(page.get_by_text("From then on this departure does not exist for them")).to_be_visible()
    axe(page, "participant-remove")
    page.get_by_role("button", name="Take Lea Gal out").click()
    expect(page.get_by_role("status").first).to_contain_text("Lea Gal is taken out: Legal.")
    expect(page.get_by_role("row", name="Lea Gal")).to_have_count(0)
    outside.reload()
    expect(outside.get_by_role("heading", level=1)).to_have_text("Nothing here for you")
