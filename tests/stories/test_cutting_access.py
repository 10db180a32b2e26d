"""IT/security plans, a second person approves, the systems are cut, and what failed is not green."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from pathlib import Path

import pytest
from allauth.mfa.totp.internal.auth import TOTP, generate_totp_secret
from playwright.sync_api import BrowserContext, Page, expect

from partwell import clock
from partwell.access import operations, questions
from partwell.access.models import Question
from partwell.access.operations import verify_plan
from partwell.connectors.fake.store import FakeStore
from partwell.people.models import RoleGrant, User
from partwell.people.roles import Role
from tests import access_world
from tests.access_world import ADA, World
from tests.browser import Trouble, beside_the_browser, follow
from tests.factories import make_person, publish, start_journey
from tests.signing_in import code_now

pytestmark = pytest.mark.django_db(transaction=True)
RITA, OTTO = "rita@hv.example", "otto@hv.example"


@pytest.fixture
def world(make_user: Callable[..., User], tmp_path: Path) -> World:
    """Marit leaves; Rita and Otto are IT/security; three practice systems, and one by hand."""
    for email, name in ((RITA, "Rita Holm"), (OTTO, "Otto Brandt")):
        grant(make_user(email, name), Role.IT_SECURITY)
    publish()
    journey = start_journey(make_person("Marit Lindqvist", email=ADA), now=clock.now())
    users = {user.name: access_world.actor_for_user(user, is_fresh=True) for user in User.objects.all()}
    return World(
        store=FakeStore(tmp_path / "practice.sqlite3"),
        departure=journey.departure,
        requester=users["Rita Holm"],
        approver=users["Otto Brandt"],
        console=access_world.console_actor(),
    )


def grant(user: User, role: Role) -> None:
    RoleGrant.objects.create(user=user, role=role, granted_at=clock.now(), granted_by="tests")


def answer_questions() -> None:
    """Play the worker: answer everything that pages have asked."""

    def answer_all() -> None:
        for pk in Question.objects.filter(state="open").values_list("pk", flat=True):
            questions.answer(str(pk))

    beside_the_browser(answer_all)


def address(world: World) -> str:
    return f"/departures/{world.departure.pk}/access/"


def test_a_plan_is_made_approved_by_another_person_with_a_second_factor_and_cut(
    world: World,
    sign_in: Callable[..., Page],
    open_context: Callable[[], BrowserContext],
    axe: Callable[[Page, str], None],
    trouble: Trouble,
) -> None:
    trouble.expected.append("422")
    world.add_system("directory", sla_class="critical")
    world.add_system("crm", sla_class="high")
    world.add_system("wiki", accounts=0)
    world.add_system("payroll", sla_class="high")
    world.store.set_mode("crm", "lies")
    rita = sign_in(RITA)
    rita.goto(address(world))
    expect(rita.get_by_text("Nobody has been asked yet")).to_be_visible()
    axe(rita, "access-none")
    rita.get_by_role("button", name="Make a plan").click()
    expect(rita.get_by_text("Asking 4 systems what they have")).to_be_visible()
    axe(rita, "access-asking")
    answer_questions()
    # The page reads itself again as soon as the answers are there.
    expect(rita.get_by_role("rowheader", name="Directory ada")).to_be_visible()
    expect(rita.get_by_text("nothing found: Wiki. Not found is not proof")).to_be_visible()
    expect(rita.get_by_text("You asked for this plan yourself")).to_be_visible()
    expect(rita.get_by_role("button", name="Approve in")).to_have_count(0)
    axe(rita, "access-plan-requester")

    otto = sign_in(OTTO, open_context().new_page())
    secret = generate_totp_secret()
    TOTP.activate(User.objects.get(email=OTTO), secret)
    otto.goto(address(world))
    axe(otto, "access-plan-approver")
    approve = otto.get_by_role("button", name="Approve in 3 systems")
    expect(approve).to_be_disabled()
    word = otto.get_by_label("Type LINDQVIST to confirm")
    word.fill("holm")
    expect(approve).to_be_disabled()
    word.fill("lindqvist")
    word.press("Enter")
    # His sign-in proved no second factor: it is asked for, and he comes back to read the page once more.
    otto.get_by_label("code").fill(code_now(secret))
    otto.get_by_role("button", name="Confirm").click()
    expect(otto.get_by_role("heading", level=1)).to_have_text("Revoke all access: Marit Lindqvist")
    otto.get_by_label("Type LINDQVIST to confirm").fill("Lindqvist")
    otto.get_by_role("button", name="Approve in 3 systems").click()
    expect(otto.get_by_role("status").first).to_contain_text("Nothing has been cut yet")
    expect(otto.get_by_text("Approved by Otto Brandt")).to_be_visible()
    axe(otto, "access-approved")

    otto.get_by_role("button", name="Cut access now in 3 systems").click()
    expect(otto.get_by_role("heading", name="0 of 3 accounts are proven closed")).to_be_visible()
    axe(otto, "access-begun")
    beside_the_browser(world.run)
    expect(otto.get_by_role("heading", name="2 of 3 accounts are proven closed")).to_be_visible()
    expect(otto.get_by_text("One needs you.").first).to_be_visible()
    failed = otto.get_by_role("row", name="Crm ada")
    expect(failed.get_by_text("Failed: block sign-in")).to_be_visible()
    expect(failed.locator("[data-state=failed]").first).to_be_visible()
    expect(failed.locator(".pw-pips[data-n='3']")).to_have_count(0)
    expect(otto.get_by_text("reading back shows: sign-in is open")).to_be_visible()
    happened = otto.get_by_role("region", name="As it happened")
    expect(happened).to_contain_text("for ada in Payroll")
    expect(happened).not_to_contain_text("payroll-0")
    axe(otto, "access-cut")

    world.store.set_mode("crm", "ok")
    otto.get_by_role("button", name="Try again what failed").click()
    beside_the_browser(world.run)
    expect(otto.get_by_role("heading", name="3 of 3 accounts are proven closed")).to_be_visible()
    otto.get_by_role("link", name="Restore…").click()
    expect(otto.get_by_role("row", name="Directory").filter(has_text="End sessions")).to_contain_text("No")
    axe(otto, "access-restore")
    assert world.effects("directory")


def test_every_call_is_read_before_anybody_approves(
    world: World, sign_in: Callable[..., Page], axe: Callable[[Page, str], None]
) -> None:
    world.add_system("crm")
    beside_the_browser(world.plan)
    page = sign_in(OTTO)
    page.goto(address(world))
    page.get_by_role("link", name="Dry run").click()
    expect(page.get_by_text("Not tried yet")).to_be_visible()
    axe(page, "dry-run-none")
    page.get_by_role("button", name="Try plan 1").click()
    expect(page.get_by_role("status").first).to_contain_text("Trying the plan without sending anything")
    answer_questions()
    # The page shows the answer by itself.
    expect(page.get_by_text("suspend crm: crm-0")).to_be_visible()
    expect(page.get_by_text("4 calls").first).to_be_visible()
    expect(page.get_by_role("button", name="Try again")).to_be_visible()
    axe(page, "dry-run")
    assert world.effects("crm") == []
    page.get_by_role("link", name="The plan").click()
    expect(page.get_by_role("heading", name="Approve", exact=True)).to_be_visible()


def test_a_licence_goes_only_where_somebody_ticks_it(
    world: World, sign_in: Callable[..., Page], axe: Callable[[Page, str], None]
) -> None:
    world.add_system("crm")
    beside_the_browser(world.plan)
    page = sign_in(RITA)
    page.goto(address(world))
    expect(page.get_by_role("columnheader", name="Release licence")).to_have_count(0)
    page.get_by_label("Release the licence in Crm").check()
    axe(page, "access-extras")
    page.get_by_role("button", name="Make a plan with what is ticked").click()
    answer_questions()
    expect(page.get_by_role("columnheader", name="Release licence")).to_be_visible()
    expect(page.get_by_label("Release the licence in Crm")).to_be_checked()
    expect(page.get_by_label("Delete the account in Crm, for good")).not_to_be_checked()


def test_an_unclear_account_is_chosen_and_a_manual_one_attested_by_keyboard(
    world: World, sign_in: Callable[..., Page], axe: Callable[[Page, str], None]
) -> None:
    world.add_system("crm", accounts=2)
    world.add_system("door", connector="manual-nothing", accounts=0, settings={})
    beside_the_browser(world.plan)
    page = sign_in(RITA)
    page.goto(address(world))
    axe(page, "access-unclear")
    page.get_by_role("checkbox", name="ada").first.focus()
    page.keyboard.press("Space")
    page.get_by_role("button", name="These are theirs").press("Enter")
    expect(page.get_by_text("Kept: 1 account in Crm.")).to_be_visible()
    page.get_by_role("link", name="Attest… the system itself in Door").press("Enter")
    page.get_by_label("How do you know?").fill("Badge 417 is in my drawer.")
    axe(page, "access-attest")
    page.get_by_role("button", name="Attest it").press("Enter")
    row = page.get_by_role("row", name="Door the system itself")
    expect(row.locator("[data-state=attested]").first).to_be_visible()


def test_what_failed_after_access_end_stands_on_the_first_page_until_it_is_solved(
    world: World, sign_in: Callable[..., Page], axe: Callable[[Page, str], None]
) -> None:
    world.add_system("directory", sla_class="critical")
    world.store.set_mode("directory", "denies")
    world.end_access()

    def enforce() -> None:
        world.enforce()
        world.run()

    beside_the_browser(enforce)
    page = sign_in(RITA)
    cards = page.locator(".pw-alert")
    expect(cards).to_have_count(1)
    expect(cards).to_contain_text("Not cut, though access has ended")
    expect(cards).to_contain_text("suspending failed for ada in Directory")
    expect(cards).to_contain_text("Way out: Look into the system")
    axe(page, "today-not-cut")
    follow(cards.get_by_role("link", name="Open access"))
    axe(page, "access-not-cut")
    page.get_by_role("link", name="Attest… ada in Directory").click()
    page.get_by_label("How do you know?").fill("I deleted the account by hand at 17:02.")
    page.get_by_role("button", name="Attest it").click()
    row = page.get_by_role("row", name="Directory ada")
    expect(row.locator("[data-state=attested]").first).to_be_visible()
    page.goto("/")
    expect(page.get_by_role("heading", level=1)).to_have_text("Today")
    expect(cards).to_have_count(0)


def test_an_account_that_came_back_is_one_card_that_names_what_came_back(
    world: World, sign_in: Callable[..., Page], axe: Callable[[Page, str], None]
) -> None:
    world.add_system("directory")

    def cut_and_lose() -> None:
        world.cut()
        world.store.edit("directory", "directory-0", is_active=True, groups={"staff": "Staff"})
        verify_plan(departure=world.departure, actor=world.console, now=clock.now())

    beside_the_browser(cut_and_lose)
    page = sign_in(RITA)
    cards = page.locator(".pw-alert")
    expect(cards).to_have_count(1)
    expect(cards).to_contain_text("Account came back")
    expect(cards).to_contain_text("Suspending: reading back shows: active")
    expect(cards).to_contain_text("removing groups")
    axe(page, "today-came-back")


def test_the_time_to_revoke_is_counted_and_what_is_late_says_so(
    world: World, sign_in: Callable[..., Page], axe: Callable[[Page, str], None]
) -> None:
    for name in ("directory", "wiki"):
        world.add_system(name, sla_class="critical" if name == "directory" else "normal")
    world.add_system("vault", sla_class="high")
    world.store.set_mode("vault", "denies")
    world.departure.access_end_at = clock.now() - timedelta(minutes=22)
    world.departure.save()

    def cut() -> None:
        plan = world.plan()
        world.run()
        world.approve(plan)
        world.apply(plan)
        world.run()

    beside_the_browser(cut)
    page = sign_in(RITA)
    expect(page.get_by_role("img", name="Time to revoke, one dot per departure")).to_be_visible()
    figure = page.get_by_role("region", name="Time to revoke")
    expect(figure).to_contain_text("0 of 1 within 15 minutes")
    axe(page, "today-time-to-revoke")
    page.goto(address(world))
    late = page.get_by_role("row", name="Directory ada")
    expect(late).to_contain_text("late")
    expect(page.get_by_role("row", name="Critical")).to_contain_text("1 late, by")
    expect(page.get_by_role("row", name="High")).to_contain_text("left")
    expect(page.get_by_role("row", name="Wiki ada")).to_contain_text("after access end")
    axe(page, "access-time-to-revoke")
    page.get_by_role("link", name="All records").click()
    figure = page.get_by_role("region", name="Time to revoke")
    expect(figure.get_by_role("listitem").filter(has_text="Critical")).to_contain_text("1 late, by")
    expect(figure.get_by_role("listitem").filter(has_text="High")).to_contain_text("1 not proven yet")
    axe(page, "evidence-time-to-revoke")


def test_the_first_page_of_access_lists_who_needs_it(
    world: World, sign_in: Callable[..., Page], axe: Callable[[Page, str], None]
) -> None:
    world.add_system("crm")
    beside_the_browser(world.plan)
    page = sign_in(OTTO)
    page.goto("/access/")
    row = page.get_by_role("row", name="Marit Lindqvist")
    expect(row).to_contain_text("Needs approval")
    axe(page, "access-overview")
    row.get_by_role("link").click()
    expect(page.get_by_role("heading", level=1)).to_have_text("Revoke all access: Marit Lindqvist")


def test_a_system_is_connected_tested_and_shown_without_its_secret(
    world: World, sign_in: Callable[..., Page], axe: Callable[[Page, str], None], trouble: Trouble
) -> None:
    trouble.expected.append("422")
    page = sign_in(RITA)
    page.goto("/systems/")
    axe(page, "systems-empty")
    page.get_by_role("link", name="Connect a system").first.click()
    page.get_by_role("textbox", name="Description").fill("name: crm\nconnector: nothing-like-it\n")
    page.get_by_role("button", name="Connect it").click()
    expect(page.get_by_role("alert")).to_contain_text("There is no connector")
    axe(page, "systems-add")
    page.get_by_role("textbox", name="Description").fill(
        "name: crm\ntitle: Customer base\nconnector: fake\nsla: critical\n"
        f"settings:\n  store: {world.store.path}\n"
    )
    page.get_by_role("button", name="Connect it").click()
    expect(page.get_by_role("heading", level=1)).to_have_text("Customer base")
    expect(page.get_by_text("Never tested")).to_be_visible()
    page.get_by_role("button", name="Test it").click()
    expect(page.get_by_text("Asking Customer base…")).to_be_visible()
    answer_questions()
    expect(page.get_by_text("Answers: 0 accounts can be read.")).to_be_visible()
    axe(page, "systems-one")
    page.goto("/systems/")
    axe(page, "systems-list")


def test_a_system_that_moved_is_changed_and_its_approved_plan_made_and_approved_anew(
    world: World,
    sign_in: Callable[..., Page],
    axe: Callable[[Page, str], None],
    trouble: Trouble,
    tmp_path: Path,
) -> None:
    trouble.expected += ["409", "422"]
    system = world.add_system("crm")
    moved = FakeStore(tmp_path / "moved.sqlite3")
    moved.add_account("crm", "crm-0", login="ada", emails=[ADA], sessions=2, groups={"staff": "Staff"})

    def approve_and_test() -> None:
        world.approve(world.plan(world.approver), world.requester)
        operations.test_system(system=system, actor=world.console, now=clock.now())

    beside_the_browser(approve_and_test)
    page = sign_in(RITA)
    page.goto("/systems/crm/")
    expect(page.get_by_text("Answers: 1 account")).to_be_visible()
    page.get_by_role("link", name="Change").press("Enter")
    expect(page.get_by_label("store")).to_have_value(world.store.path)
    axe(page, "system-change")
    page.get_by_label("As people call it").fill("Customer base")
    page.get_by_label("store").fill("")
    page.get_by_role("button", name="Show the difference").click()
    expect(page.get_by_role("alert")).to_contain_text("This field is required")
    axe(page, "system-change-refused")
    page.get_by_label("store").fill(moved.path)
    page.get_by_role("button", name="Show the difference").click()
    difference = page.get_by_role("region", name="What would change")
    expect(difference).to_contain_text(moved.path)
    expect(page.get_by_text("Approved plans need a new approval")).to_be_visible()
    expect(page.get_by_role("link", name="Marit Lindqvist")).to_be_visible()
    axe(page, "system-change-difference")

    # Otto has changed it meanwhile: Rita is told, and what she typed is still there.
    def change_too() -> None:
        operations.change_system(
            system=system, changes={"sla": "critical"}, actor=world.approver, now=clock.now()
        )

    beside_the_browser(change_too)
    page.get_by_role("button", name="Keep 2 changes").click()
    expect(page.get_by_role("alert")).to_contain_text("Somebody has changed Crm since you looked")
    expect(page.get_by_label("As people call it")).to_have_value("Customer base")
    expect(page.get_by_label("Gone within")).to_have_value("critical")
    expect(difference).not_to_contain_text("Gone within")
    axe(page, "system-change-meanwhile")
    page.get_by_role("button", name="Keep 2 changes").click()
    expect(page.get_by_role("heading", level=1)).to_have_text("Customer base")
    expect(page.get_by_text("Not tested since it was changed")).to_be_visible()
    axe(page, "system-changed")
    page.get_by_role("button", name="Test it").click()
    answer_questions()
    expect(page.get_by_text("Answers: 1 account")).to_be_visible()

    page.goto("/")
    card = page.locator(".pw-alert")
    expect(card).to_contain_text("is not approved any more: the connection of Customer base was changed")
    axe(page, "today-approval-ended")
    card.get_by_role("link").first.click()
    expect(page.get_by_text("Nobody can approve it as it is")).to_be_visible()
    axe(page, "access-connection-changed")
    page.get_by_role("button", name="Read again").click()
    answer_questions()
    expect(page.get_by_text("You asked for this plan yourself")).to_be_visible()
    assert moved.ledger("crm") == []
