"""Somebody sets Partwell up, signs in, gets a second factor, and sees where they are signed in."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any

import pytest
from playwright.sync_api import BrowserContext, Page, expect

from partwell.people import setup_code
from partwell.people.models import RoleGrant, User
from tests.browser import Trouble, follow
from tests.signing_in import PASSWORD, code_now

pytestmark = pytest.mark.django_db(transaction=True)
AMARA = "amara@hv.example"


def test_a_fresh_installation_is_set_up_with_the_code_from_the_console(
    browser_page: Page, axe: Callable[[Page, str], None], trouble: Trouble
) -> None:
    trouble.expected.append("422")
    page = browser_page
    page.goto("/people/")
    expect(page).to_have_url(re.compile("/welcome/$"))
    axe(page, "welcome")
    code = setup_code.issue()
    page.get_by_label("Set-up code").fill("AAAA-AAAA-AAAA")
    page.get_by_label("Name of your company").fill("Harbour & Vale")
    page.get_by_label("Your name").fill("Amara Osei")
    page.get_by_label("Your work e-mail address").fill(AMARA)
    page.get_by_label("Password").fill(PASSWORD)
    page.get_by_role("button", name="Set Partwell up").click()
    expect(page.get_by_role("alert")).to_contain_text("not the code that Partwell printed last")
    expect(page.get_by_label("Name of your company")).to_have_value("Harbour & Vale")
    assert not User.objects.exists()
    axe(page, "welcome-wrong-code")

    page.get_by_label("Set-up code").fill(code.lower())
    page.get_by_label("Password").fill(PASSWORD)
    page.get_by_role("button", name="Set Partwell up").click()
    expect(page.get_by_role("status").first).to_contain_text("Partwell is yours")
    assert set(RoleGrant.objects.values_list("user__email", "role")) == {(AMARA, "admin")}
    assert not setup_code.is_right(code)

    trouble.expected.append("404")
    page.goto("/welcome/")
    expect(page.get_by_role("heading", level=1)).to_have_text("Nothing here for you")


def test_signing_in_by_keyboard_alone(browser_page: Page, make_user: Callable[..., User]) -> None:
    make_user(AMARA, "Amara Osei")
    page = browser_page
    page.goto("/account/login/")
    expect(page.get_by_label("E-mail")).to_be_focused()
    page.keyboard.type(AMARA)
    page.keyboard.press("Tab")
    page.keyboard.type(PASSWORD)
    page.keyboard.press("Enter")
    expect(page.get_by_role("heading", level=1, name="Today")).to_be_visible()
    page.keyboard.press("Tab")
    expect(page.get_by_role("link", name="Skip to the content")).to_be_focused()
    page.keyboard.press("Control+k")
    expect(page.get_by_role("combobox", name="Find anything")).to_be_focused()
    page.keyboard.type("tod")
    expect(page.get_by_role("option", name="Today")).to_have_attribute("aria-selected", "true")
    page.keyboard.press("Enter")
    expect(page.get_by_role("heading", level=1, name="Today")).to_be_visible()


def test_five_wrong_passwords_lock_the_account_for_a_while(
    browser_page: Page, make_user: Callable[..., User], axe: Callable[[Page, str], None]
) -> None:
    make_user(AMARA)
    page = browser_page
    page.goto("/account/login/")
    axe(page, "sign-in")
    for _ in range(5):
        page.get_by_label("E-mail").fill(AMARA)
        page.get_by_label("Password").fill("not the password")
        page.get_by_role("button", name="Sign in").click()
        expect(page.get_by_role("alert")).to_contain_text("do not belong together")
    axe(page, "sign-in-wrong-password")
    page.get_by_label("E-mail").fill(AMARA)
    page.get_by_label("Password").fill(PASSWORD)
    page.get_by_role("button", name="Sign in").click()
    expect(page.get_by_role("alert")).to_contain_text("Too many wrong passwords")


def test_a_forgotten_password_is_set_anew_by_mail_and_changed_again(
    browser_page: Page, make_user: Callable[..., User], mailoutbox: list[Any]
) -> None:
    make_user(AMARA, "Amara Osei")
    page = browser_page
    page.goto("/account/login/")
    page.get_by_role("link", name="Forgotten your password").click()
    page.get_by_label("E-mail").fill(AMARA)
    page.get_by_role("button", name="Send me the link").click()
    expect(page.get_by_role("heading", level=1)).to_have_text("Look into your mail")
    [mail] = mailoutbox
    link = re.search(r"/account/password/reset/key/\S+", mail.body)
    assert link
    page.goto(link[0])
    page.get_by_label("New password", exact=True).fill("a lighthouse keeps its own hours")
    page.get_by_label("New password once more").fill("a lighthouse keeps its own hours")
    page.get_by_role("button", name="Set the password").click()
    expect(page.get_by_role("heading", level=1)).to_have_text("Your password is set")
    assert User.objects.get().check_password("a lighthouse keeps its own hours")

    page.get_by_role("link", name="Sign in").click()
    page.get_by_label("E-mail").fill(AMARA)
    page.get_by_label("Password").fill("a lighthouse keeps its own hours")
    page.get_by_role("button", name="Sign in").click()
    page.goto("/account/password/change/")
    page.get_by_label("Present password").fill("a lighthouse keeps its own hours")
    page.get_by_label("New password", exact=True).fill(PASSWORD)
    page.get_by_label("New password once more").fill(PASSWORD)
    page.get_by_role("button", name="Change the password").click()
    expect(page.get_by_role("status").first).to_be_visible()
    assert User.objects.get().check_password(PASSWORD)


def test_a_second_factor_is_set_up_and_asked_for(
    browser_page: Page,
    make_user: Callable[..., User],
    sign_in: Callable[..., Page],
    axe: Callable[[Page, str], None],
) -> None:
    make_user(AMARA, "Amara Osei")
    page = sign_in(AMARA)
    axe(page, "today-empty")
    follow(page.get_by_role("link", name="Amara Osei"))
    axe(page, "account")
    follow(page.get_by_role("link", name="Set it up"))
    axe(page, "second-factor-none")
    follow(page.get_by_role("link", name="Set it up"))
    axe(page, "confirm-password")
    page.get_by_label("Password").fill(PASSWORD)
    page.get_by_role("button", name="Confirm").click()
    secret = page.locator("#totp-key").inner_text()
    axe(page, "second-factor-set-up")
    page.get_by_label("Six digits").fill(code_now(secret))
    page.get_by_role("button", name="Turn it on").click()
    expect(page.get_by_role("heading", level=1)).to_have_text("Recovery codes")
    axe(page, "recovery-codes")
    recovery = page.locator(".pw-codes li").first.inner_text()
    page.get_by_role("link", name="I have kept them").click()
    page.get_by_role("button", name="Sign out").click()

    page.get_by_label("E-mail").fill(AMARA)
    page.get_by_label("Password").fill(PASSWORD)
    page.get_by_role("button", name="Sign in").click()
    expect(page.get_by_role("heading", level=1)).to_have_text("Your second factor")
    axe(page, "second-factor-asked")
    page.get_by_label("Six digits").fill(code_now(secret))
    page.get_by_role("button", name="Sign in").click()
    expect(page.get_by_role("heading", level=1, name="Today")).to_be_visible()

    page.goto("/account/second-factor/reauthenticate/?next=/account/")
    axe(page, "confirm-second-factor")
    page.get_by_label("Six digits").fill(recovery)
    page.get_by_role("button", name="Confirm").click()
    expect(page.get_by_role("heading", level=1)).to_have_text("Your account")


def test_sessions_are_listed_and_ended_from_another_browser(
    browser_page: Page,
    make_user: Callable[..., User],
    sign_in: Callable[..., Page],
    open_context: Callable[[], BrowserContext],
    axe: Callable[[Page, str], None],
) -> None:
    make_user(AMARA, "Amara Osei")
    here = sign_in(AMARA)
    elsewhere = sign_in(AMARA, open_context().new_page())
    here.goto("/account/sessions/")
    expect(here.get_by_role("row")).to_have_count(3)
    axe(here, "sessions")
    here.get_by_role("button", name="Sign out everywhere else").click()
    expect(here.get_by_role("status").first).to_contain_text("signed out everywhere else")
    elsewhere.goto("/")
    expect(elsewhere.get_by_role("heading", level=1)).to_have_text("Sign in")


def test_a_closed_account_loses_its_sessions_at_once(
    browser_page: Page, make_user: Callable[..., User], sign_in: Callable[..., Page], live_server: Any
) -> None:
    user = make_user(AMARA)
    page = sign_in(AMARA)
    User.objects.filter(pk=user.pk).update(is_active=False)
    page.goto("/")
    expect(page.get_by_role("heading", level=1)).to_have_text("Sign in")
