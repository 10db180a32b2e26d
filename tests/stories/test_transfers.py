"""A mailbox and what no system knows of, from naming who gets them to their own word that they have it."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from pathlib import Path

import pytest
from allauth.mfa.totp.internal.auth import TOTP, generate_totp_secret
from playwright.sync_api import BrowserContext, Page, expect

from partwell import clock
from partwell.access import runs
from partwell.access.models import System, SystemRun
from partwell.access.operations import approve_plan, make_plan
from partwell.access.transfers import running
from partwell.connectors.fake.store import FakeStore
from partwell.departures.models import Departure
from partwell.journeys.intake import Intake
from partwell.journeys.models import Step
from partwell.journeys.operations.advancing import end_access
from partwell.journeys.operations.starting import start
from partwell.journeys.template_operations import sync_library
from partwell.people.actors import actor_for_user, console_actor
from partwell.people.models import Installation, Person, RoleGrant, User
from tests.browser import Trouble, beside_the_browser, follow
from tests.stories.test_kill_switch import sign_in_surely

INES, HANNA, SAM, BO = "ines@firm.example", "hanna@firm.example", "sam@firm.example", "bo@firm.example"


@pytest.fixture
def store(make_user: Callable[..., User], tmp_path: Path) -> FakeStore:
    """A small firm in which Bo leaves, whose mailbox a practice system can hand over."""
    Installation.objects.create(company_name="Harbour & Vale", initialised_at=clock.now())
    sync_library(now=clock.now())
    for email, name, role in (
        (INES, "Ines Sec", "it_security"), (HANNA, "Hanna Hr", "hr"), (SAM, "Sam Next", ""),
    ):  # fmt: skip
        user = make_user(email, name)
        user.person = Person.objects.create(name=name, email=email, department="Office")
        user.save()
        if role:
            RoleGrant.objects.create(user=user, role=role, granted_at=clock.now(), granted_by="tests")
    bo = Person.objects.create(name="Bo Lind", email=BO, department="Sales", timezone="Europe/Berlin")
    store = FakeStore(tmp_path / "practice.sqlite3")
    System.objects.create(
        name="mail", title="Mail", connector="fake", settings={"store": store.path}, created_at=clock.now()
    )
    store.add_account("mail", "bo", login="bo", emails=[BO], sessions=2, groups={"staff": "Staff"})
    now = clock.now()
    intake = Intake(person=bo, notice_date=now.date(), last_working_date=now.date() + timedelta(days=20))
    start(template_id="staff-resignation", intake=intake, actor=console_actor(), now=now)
    return store


@pytest.fixture
def secrets(store: FakeStore) -> dict[str, str]:
    """Everybody's second factor."""
    found = {}
    for user in User.objects.exclude(email=BO):
        found[user.email] = generate_totp_secret()
        TOTP.activate(user, found[user.email])
    return found


def access_is_planned() -> None:
    """Systems are asked, and a second person approves."""

    def do() -> None:
        plan = make_plan(departure=Departure.objects.get(), actor=console_actor(), now=clock.now())
        hanna = actor_for_user(User.objects.get(email=HANNA), is_fresh=True)
        approve_plan(plan=plan, checksum=plan.checksum, actor=hanna, now=clock.now())

    beside_the_browser(do)


def access_ends() -> None:
    """Bo's last day is over: the rule runs, and the worker what follows from it."""

    def do() -> None:
        departure = Departure.objects.get()
        departure.access_end_at = clock.now() - timedelta(minutes=1)
        departure.save()
        end_access(departure_id=departure.pk, now=clock.now())
        for _ in range(6):
            for run in SystemRun.objects.filter(state__in=("running", "waiting")):
                runs.run_system(str(run.plan_id), str(run.system_id))
        for pk in departure.transfers.filter(account__isnull=False).values_list("pk", flat=True):
            running.hand_over(str(pk))

    beside_the_browser(do)


def only_the_hand_overs_are_left() -> None:
    """All that is not about handing over was done."""

    def do() -> None:
        Step.objects.update(state="done", waits_for=[])

    beside_the_browser(do)


def test_a_leavers_mailbox_and_tickets_go_to_a_successor_who_says_what_is_missing_and_accepts(
    store: FakeStore,
    secrets: dict[str, str],
    browser_page: Page,
    open_context: Callable[[], BrowserContext],
    axe: Callable[[Page, str], None],
    trouble: Trouble,
) -> None:
    trouble.expected += ["422", "409"]
    ines = browser_page
    sign_in_surely(ines, INES, secrets[INES])
    ines.get_by_role("link", name="Journeys").first.click()
    ines.get_by_role("link", name="Bo Lind").first.click()
    ines.get_by_role("link", name="What goes to whom").click()
    expect(ines.get_by_text("Nothing has to be handed over, as far as anybody knows")).to_be_visible()
    ines.get_by_label("Kind").select_option("tickets")
    ines.get_by_label("What is it?").fill("Tickets of the webshop")
    ines.get_by_role("button", name="Add it").click()
    expect(ines.get_by_role("row").filter(has_text="Tickets of the webshop")).to_contain_text("nobody yet")
    page_of_departure = ines.url

    # Asking the systems shows what they can hand over.
    departure = beside_the_browser(lambda: Departure.objects.get().pk)
    access_is_planned()
    ines.goto(page_of_departure)
    expect(ines.get_by_role("row").filter(has_text="Mailbox")).to_contain_text("nobody yet")
    axe(ines, "transfers-nobody-named")
    ines.get_by_label("Successor’s e-mail address").fill(SAM)
    ines.get_by_role("button", name="Name them").click()
    expect(ines.get_by_text("The successor is named for 4 of them")).to_be_visible()
    ines.get_by_role("link", name="Mailbox").click()
    expect(ines.get_by_text("after sign-in is blocked and before the account is suspended")).to_be_visible()
    ines.get_by_label("Last day").fill("2099-01-01")
    ines.get_by_role("button", name="Name the successor").click()
    expect(ines.get_by_text("for 3 months after access ends at most").first).to_be_visible()
    axe(ines, "transfer-refused")

    access_ends()
    order = [effect.verb for effect in store.ledger("mail")]
    assert order.index("block_sign_in") < order.index("give:mailbox") < order.index("suspend")
    for what in ("Automatic reply", "Files"):
        ines.goto(page_of_departure)
        ines.get_by_role("link", name=what).click()
        expect(ines.get_by_text("Handed over, not accepted yet")).to_be_visible()
    ines.goto(page_of_departure)
    ines.get_by_role("link", name="Tickets of the webshop").click()
    ines.get_by_label("What did you do, and where does the successor find it?").fill(
        "Assigned in the ticket system, queue “webshop”."
    )
    ines.get_by_role("button", name="Say that it is handed over").click()
    expect(ines.get_by_text("Handed over, a person says")).to_be_visible()
    axe(ines, "transfer-attested")

    sam = open_context().new_page()
    sign_in_surely(sam, SAM, secrets[SAM])
    sam.get_by_role("link", name="What comes to you").click()
    expect(sam.get_by_text("4 wait for your word")).to_be_visible()
    axe(sam, "coming")
    for what in ("Mailbox", "Automatic reply", "Files"):
        sam.get_by_role("link", name="What comes to you").first.click()
        sam.get_by_role("link", name=what, exact=True).click()
        sam.get_by_role("button", name="I have it").click()
        expect(sam.get_by_text("Accepted by the successor")).to_be_visible()
    sam.get_by_role("link", name="What comes to you").first.click()
    follow(sam.get_by_role("link", name="Tickets of the webshop"))
    axe(sam, "transfer-to-accept")
    sam.locator("summary").filter(has_text="Something is missing").click()
    sam.get_by_label("What is missing?").fill("The tickets that are on hold.")
    sam.get_by_role("button", name="Say what is missing").click()
    expect(sam.get_by_text("Sam Next misses something")).to_be_visible()

    only_the_hand_overs_are_left()
    hanna = open_context().new_page()
    sign_in_surely(hanna, HANNA, secrets[HANNA])
    hanna.goto(f"/departures/{departure}/close/")
    hand_over = hanna.get_by_role("link", name="Handing over Tickets of the webshop: missing")
    expect(hand_over).to_be_visible()
    axe(hanna, "close-with-a-hand-over")

    ines.goto("/")
    expect(ines.get_by_text("The tickets that are on hold.").first).to_be_visible()
    ines.goto(page_of_departure)
    follow(ines.get_by_role("link", name="Tickets of the webshop"))
    axe(ines, "transfer-missing")
    ines.get_by_label("What did you do, and where does the successor find it?").fill(
        "Those on hold are assigned now, too."
    )
    ines.get_by_role("button", name="Say that it is handed over").click()
    sam.reload()
    sam.get_by_label("Anything to note?").fill("All there, thank you.")
    sam.get_by_role("button", name="I have it").click()
    expect(sam.get_by_text("Accepted by the successor")).to_be_visible()

    hanna.reload()
    expect(hanna.get_by_role("link", name="Handing over Tickets of the webshop: missing")).to_have_count(0)
    hanna.get_by_role("button", name="Close the journey").click()
    expect(hanna.get_by_text("Closing statement").first).to_be_visible()
