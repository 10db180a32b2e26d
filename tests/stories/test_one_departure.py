"""One departure from notice to proven closure in the browser, on an installation that runs as people run it.

The server and the worker are `partwell up` in a folder of its own; the three systems are real. What the
browser has shown once, such as completing a step, the console does for the rest.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from playwright.sync_api import BrowserContext, Page, expect

from tests.console import Console
from tests.installation import Installation, served
from tests.servers.running import wait_until
from tests.servers.samba import SambaServer
from tests.servers.scim import ScimServer
from tests.servers.slapd import SlapdServer
from tests.shows import (
    AMARA,
    EVA,
    INES,
    LETTER,
    MARIT,
    NOOR,
    Accounts,
    complete_all,
    connect,
    day,
    found_firm,
    own_console,
)
from tests.signing_in import code_now

Shot = Callable[[Page, str], None]
# What a worker does in its own time: asking three systems, cutting them, reading them back.
WORK = 60_000


@pytest.fixture
def installation(tmp_path: Path) -> Iterator[Installation]:
    """Marit's and Brightwater's firm, served and worked for."""
    with own_console(tmp_path) as console:
        found_firm(console, tmp_path)
        with served(console) as made:
            made.give_passwords(AMARA, INES, NOOR)
            yield made


@pytest.fixture
def address(installation: Installation) -> str:
    """Every browser of these stories opens the installation, where others open a server of the tests."""
    return installation.url


@pytest.fixture(autouse=True)
def no_limits_left_over() -> None:
    """Nothing is left over in a new installation, and these stories use no other database."""


@pytest.fixture
def letter(tmp_path: Path) -> Path:
    file = tmp_path / "letter.pdf"
    file.write_bytes(LETTER)
    return file


def test_a_resignation_ends_proven_in_three_real_systems(
    installation: Installation,
    letter: Path,
    tmp_path: Path,
    sign_in: Callable[..., Page],
    open_context: Callable[[], BrowserContext],
    shot: Shot,
    slapd_server: SlapdServer,
    samba_ad_server: SambaServer,
    scim_server: ScimServer,
) -> None:
    console = installation.console
    marit = Accounts(slapd_server, samba_ad_server, scim_server, MARIT, "marit-w").make()
    for name, description in marit.systems().items():
        connect(console, tmp_path, name, description)
    amara = sign_in(AMARA)
    journey = begin(amara, "staff-resignation", MARIT, "Marit Lindqvist", shot, reason="relocation")
    complete_by_hand(amara, journey, "confirm-resignation", file=letter)
    complete_by_hand(amara, journey, "check-notice-terms", note="Three months; 11 days of leave left.")
    shot(amara, "one-departure-steps")
    complete_all(console, journey, letter, leave=("close-journey",), departing=MARIT)

    ines = sign_in(INES, open_context().new_page())
    the_plan_is_made(ines, journey, shot)
    held_open = marit.open_connection()
    assert marit.can_sign_in() == {"directory": True, "domain": True, "chat": True}
    a_second_person_approves_and_cuts(installation, amara, journey, shot)
    # Ines looks on: her page turns without being read again.
    for row in ("Directory", "Domain", "Chat"):
        proven = ines.get_by_role("row", name=f"{row} marit-w").get_by_role("img", name="Verified")
        expect(proven).to_have_count(2, timeout=WORK)
    assert marit.can_sign_in() == {"directory": False, "domain": False, "chat": False}
    assert held_open.extend.standard.who_am_i(), "a connection left open lives on"
    what_no_system_can_show_is_attested(ines, shot)

    wait_for_the_cut_step(console, journey)
    complete_all(console, journey, letter, leave=("close-journey",), departing=MARIT)
    head = the_journey_closes_with_a_statement(amara, journey, shot)
    the_pack_verifies_until_a_byte_is_changed(amara, journey, tmp_path / "pack.zip", head, shot)


def test_a_clients_contract_ends_with_a_system_that_only_people_can_see(
    installation: Installation,
    letter: Path,
    tmp_path: Path,
    sign_in: Callable[..., Page],
    open_context: Callable[[], BrowserContext],
    shot: Shot,
) -> None:
    console = installation.console
    connect(console, tmp_path, "portal", "name: portal\nconnector: manual\ntitle: Client portal\n")
    noor = sign_in(NOOR)
    journey = begin(noor, "client-contract-expiry", "C-7", "Brightwater Dental", shot, reason="")
    complete_by_hand(noor, journey, "confirm-expiry", file=letter)
    complete_by_hand(noor, journey, "record-reason", note="They open a practice of their own software.")
    complete_by_hand(noor, journey, "close-client-record", link="https://crm.firm.test/clients/C-7")
    complete_all(console, journey, letter, leave=("close-journey",), line_manager=EVA)
    console.ask("access", "plan", journey, "--as", INES)
    console.ask("access", "approve", journey, "--as", EVA)
    console.ask("access", "apply", journey, expect=1)

    ines = sign_in(INES, open_context().new_page())
    ines.goto(f"/departures/{journey}/access/")
    attest(ines, "Client portal", "Removed; the list of users shows no such account.")
    row = ines.get_by_role("row", name="Client portal orla@brightwater.test")
    expect(row.locator("[data-state=attested]").first).to_be_visible()
    shot(ines, "one-departure-client-attested")
    wait_for_the_cut_step(console, journey)
    complete_all(console, journey, letter, leave=("close-journey",), line_manager=EVA)
    the_journey_closes_with_a_statement(noor, journey, shot)


def begin(page: Page, template: str, subject: str, name: str, shot: Shot, *, reason: str) -> str:
    """Start a journey through the form and its review; the journey's ID."""
    page.get_by_role("link", name="New departure").first.click()
    page.get_by_label("Who leaves").fill(subject)
    page.get_by_label("What happens").select_option(template)
    page.get_by_label("Last working day").fill(day(30))
    if reason:
        page.get_by_label("Reason").select_option(reason)
    page.get_by_role("button", name="Show the plan").click()
    expect(page.get_by_role("heading", level=1)).to_have_text(f"The plan for {name}")
    page.get_by_role("button", name=re.compile("Begin the journey with")).click()
    expect(page.get_by_role("heading", level=1)).to_have_text(name)
    shot(page, f"one-departure-{template}")
    found = re.search(r"/departures/([0-9a-f-]{36})/", page.url)
    assert found
    return found[1]


def complete_by_hand(
    page: Page, journey: str, key: str, *, note: str = "", link: str = "", file: Path | None = None
) -> None:
    """Complete a step on its own page, with what it asks for."""
    page.goto(f"/departures/{journey}/steps/{key}/")
    title = page.get_by_role("heading", level=1).inner_text()
    if file:
        page.get_by_label("File", exact=True).set_input_files(file)
    if link:
        page.get_by_label("Web address of the proof").fill(link)
    if note:
        page.get_by_role("textbox", name="Note").fill(note)
    page.get_by_role("button", name=re.compile("^(Mark as done|Sign off as)")).click()
    expect(page.get_by_text(f"Done: {title}.")).to_be_visible()


def the_plan_is_made(ines: Page, journey: str, shot: Shot) -> None:
    ines.goto(f"/departures/{journey}/access/")
    ines.get_by_role("button", name="Make a plan").click()
    expect(ines.get_by_role("rowheader", name="Directory marit-w")).to_be_visible(timeout=WORK)
    expect(ines.get_by_role("rowheader", name="Domain marit-w")).to_be_visible()
    expect(ines.get_by_role("rowheader", name="Chat marit-w")).to_be_visible()
    expect(ines.get_by_text("You asked for this plan yourself")).to_be_visible()
    expect(ines.get_by_role("button", name="Approve in")).to_have_count(0)
    shot(ines, "one-departure-plan")


def a_second_person_approves_and_cuts(
    installation: Installation, amara: Page, journey: str, shot: Shot
) -> None:
    secret = installation.give_second_factor(AMARA)
    amara.goto(f"/departures/{journey}/access/")
    type_and_approve(amara)
    # Her sign-in proved no second factor: it is asked for, and she reads the page once more.
    amara.get_by_label("code").fill(code_now(secret))
    amara.get_by_role("button", name="Confirm").click()
    type_and_approve(amara)
    expect(amara.get_by_text("Approved by Amara Osei")).to_be_visible()
    shot(amara, "one-departure-approved")
    amara.get_by_role("button", name="Cut access now in 3 systems").click()
    expect(amara.get_by_role("heading", level=1)).to_have_text("Revoking access: Marit Lindqvist")


def type_and_approve(page: Page) -> None:
    page.get_by_label("Type LINDQVIST to confirm").fill("Lindqvist")
    page.get_by_role("button", name="Approve in 3 systems").click()


def what_no_system_can_show_is_attested(ines: Page, shot: Shot) -> None:
    """Sessions that no connector can end: two are attested, one cannot be ended and says why."""
    shot(ines, "one-departure-cut")
    attest(ines, "Chat", "Signed out everywhere in the console.")
    attest(ines, "Domain", "No session on any server.")
    ines.get_by_role("link", name="Not possible… marit-w in Directory").click()
    ines.get_by_label("Why can nobody cut it?").fill("The connection ends with the laptop, which is wiped.")
    ines.get_by_role("button", name="Keep the reason").click()
    expect(ines.get_by_role("link", name="Attest…")).to_have_count(0)
    shot(ines, "one-departure-settled")


def wait_for_the_cut_step(console: Console, journey: str) -> None:
    """The worker settles the step when every account is settled."""

    def is_done() -> bool:
        steps = console.ask("steps", "list", journey)["items"]
        return any(step["key"] == "cut-access" and step["state"] == "done" for step in steps)

    wait_until(is_done, seconds=60, what="the step cut-access done")


def attest(page: Page, system: str, note: str) -> None:
    """Say of an account in this system how one knows that nothing is left."""
    page.get_by_role("link", name=re.compile(f"^Attest….* in {system}$")).click()
    page.get_by_label("How do you know?").fill(note)
    page.get_by_role("button", name="Attest it").click()
    expect(page.get_by_role("status").first).to_contain_text("Kept, as your word")


def the_journey_closes_with_a_statement(page: Page, journey: str, shot: Shot) -> str:
    """Sign off the last step and close; the head of the record that the statement names."""
    complete_by_hand(page, journey, "close-journey", note="Nothing is open.")
    page.get_by_role("link", name="Close…").click()
    expect(page.get_by_text("Everything required is done, and every account is settled.")).to_be_visible()
    page.get_by_role("button", name="Close the journey").click()
    expect(page.get_by_role("heading", name="Closing statement")).to_be_visible()
    heads: list[str] = []

    def is_signed() -> bool:
        # The record is signed within a second or two; until then the page says that it is being signed.
        page.reload()
        heads.extend(re.findall(r"\d+:\S+:\S+", page.locator(".pw-statement").inner_text()))
        return bool(heads)

    wait_until(is_signed, seconds=30, what="the closing statement naming the head")
    shot(page, "one-departure-closed")
    return heads[0]


def the_pack_verifies_until_a_byte_is_changed(
    page: Page, journey: str, pack: Path, head: str, shot: Shot
) -> None:
    page.goto(f"/departures/{journey}/evidence/")
    page.get_by_label("Who will read it").select_option("auditor")
    with page.expect_download() as waiting:
        page.get_by_role("button", name="Export").click()
    waiting.value.save_as(pack)
    upload(page, pack, head)
    expect(page.get_by_role("heading", name="The pack is whole")).to_be_visible()
    shot(page, "one-departure-pack-whole")

    content = bytearray(pack.read_bytes())
    content[content.index(b'"journey.started"') + 1] ^= 1
    pack.write_bytes(content)
    upload(page, pack, head)
    expect(page.get_by_role("heading", name="The pack is not whole")).to_be_visible()
    expect(page.get_by_text("events.json").first).to_be_visible()
    shot(page, "one-departure-pack-refused")


def upload(page: Page, pack: Path, head: str) -> None:
    page.goto("/evidence/")
    page.get_by_label("Evidence pack").set_input_files(pack)
    page.locator("#id_pack_head").fill(head)
    page.get_by_role("button", name="Verify the pack").click()
