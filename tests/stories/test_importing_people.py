"""HR brings the registers up to date from files, and looks people and clients up."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
from playwright.sync_api import Page, expect

from partwell.people.models import Client, Person, User
from partwell.people.roles import Role
from tests.browser import Trouble, follow
from tests.factories import make_client, make_holder, make_person, publish, start_journey
from tests.signing_in import PASSWORD

pytestmark = pytest.mark.django_db(transaction=True)
GOOD = (
    "email,name,department,manager_email\n"
    "marit@harbour.example,Marit Lindqvist,Platform,\n"
    "ann@harbour.example,Ann <b>Ford</b>,Sales,marit@harbour.example\n"
)


@pytest.fixture
def amara(transactional_db: None) -> User:
    user = make_holder(Role.HR, "Amara Osei")
    user.set_password(PASSWORD)
    user.save()
    return user


def choose(page: Page, folder: Path, text: str) -> None:
    path = folder / "people.csv"
    path.write_text(text)
    page.get_by_label("CSV file").set_input_files(path)
    page.get_by_role("button", name="Show what would change").click()


def test_a_file_shows_every_change_and_then_applies(
    amara: User, sign_in: Callable[..., Page], axe: Callable[[Page, str], None], tmp_path: Path
) -> None:
    page = sign_in(amara.email)
    follow(page.get_by_role("link", name="People", exact=True))
    axe(page, "people")
    follow(page.get_by_role("link", name="Import…"))
    axe(page, "people-import")

    choose(page, tmp_path, GOOD)
    expect(page.get_by_role("heading", name="What would change")).to_be_visible()
    expect(page.get_by_text("2 new, 0 changed")).to_be_visible()
    expect(page.get_by_text("Ann <b>Ford</b>")).to_be_visible()
    axe(page, "people-import-changes")
    assert not Person.objects.filter(email="ann@harbour.example").exists()

    page.get_by_role("button", name="Apply 2 changes").click()
    expect(page.get_by_role("status").first).to_contain_text("Imported: 2 new")
    assert Person.objects.get(email="ann@harbour.example").manager.name == "Marit Lindqvist"

    page.get_by_label("Name, address, team or number").fill("platform")
    page.get_by_role("button", name="Find", exact=True).click()
    page.get_by_role("link", name="Marit Lindqvist").click()
    expect(page.get_by_role("heading", level=1)).to_have_text("Marit Lindqvist")
    expect(page.get_by_role("link", name="Ann <b>Ford</b>")).to_be_visible()
    axe(page, "person")


def test_one_bad_line_stops_all_and_a_changed_register_is_shown_again(
    amara: User,
    sign_in: Callable[..., Page],
    axe: Callable[[Page, str], None],
    tmp_path: Path,
    trouble: Trouble,
) -> None:
    trouble.expected += ["422", "409"]
    page = sign_in(amara.email)
    page.goto("/people/import/")
    choose(page, tmp_path, GOOD + "no-address,Cy,Sales,\n")
    expect(page.get_by_role("heading", name="1 problem, nothing was imported")).to_be_visible()
    expect(page.get_by_role("cell", name="no-address")).to_be_visible()
    expect(page.get_by_role("button", name="Apply")).to_have_count(0)
    axe(page, "people-import-problems")

    choose(page, tmp_path, GOOD)
    expect(page.get_by_text("2 new, 0 changed")).to_be_visible()
    make_person("Marit Lindqvist", email="marit@harbour.example")
    page.get_by_role("button", name="Apply 2 changes").click()
    expect(page.get_by_role("status").first).to_contain_text("has changed since you looked")
    expect(page.get_by_text("1 new, 0 changed")).to_be_visible()
    assert not Person.objects.filter(email="ann@harbour.example").exists()
    page.get_by_role("button", name="Apply 1 change").click()
    assert Person.objects.filter(email="ann@harbour.example").exists()


def test_a_client_is_shown_with_contacts_contracts_and_departures_one_may_see(
    amara: User, sign_in: Callable[..., Page], axe: Callable[[Page, str], None], tmp_path: Path
) -> None:
    client = make_client(manager=make_person("Mara Lund"), client_ref="BW-1", tier="gold")
    client.contracts.create(title="Support", notice_days=90)
    page = sign_in(amara.email)
    follow(page.get_by_role("link", name="Clients", exact=True))
    axe(page, "clients")
    page.get_by_role("link", name="Brightwater Dental").click()
    expect(page.get_by_text("orla@brightwater.example")).to_be_visible()
    expect(page.get_by_role("rowheader", name="Support")).to_be_visible()
    axe(page, "client")
    page.goto("/contracts/import/")
    path = tmp_path / "contracts.csv"
    path.write_text("client_ref,title,notice_days\nBW-1,Support,30\n")
    page.get_by_label("CSV file").set_input_files(path)
    page.get_by_role("button", name="Show what would change").click()
    page.get_by_role("button", name="Apply 1 change").click()
    assert Client.objects.get().contracts.get().notice_days == 30


def test_a_template_is_read_with_its_phases_and_steps(
    amara: User, sign_in: Callable[..., Page], axe: Callable[[Page, str], None]
) -> None:
    publish()
    start_journey(make_person())
    page = sign_in(amara.email)
    follow(page.get_by_role("link", name="Templates", exact=True))
    axe(page, "templates")
    page.get_by_role("link", name="A small journey").click()
    expect(page.get_by_text("6 steps in 10 phases")).to_be_visible()
    expect(page.get_by_text("1 journey on this version")).to_be_visible()
    expect(page.get_by_text("person.manages_people")).to_be_visible()
    axe(page, "template")
