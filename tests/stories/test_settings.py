"""An administrator looks after the installation: its facts, who holds which role, API tokens."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from django.conf import settings
from django.test import Client
from playwright.sync_api import Page, expect

from partwell import clock
from partwell.people.actors import console_actor
from partwell.people.models import Installation, RoleGrant, User
from partwell.people.operations import initialise
from partwell.people.roles import Role
from tests.browser import Trouble
from tests.factories import make_holder
from tests.signing_in import PASSWORD, code_now

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture
def ada(transactional_db: None) -> User:
    """The administrator of a firm that is set up."""
    initialise(company="Harbour & Vale", practice=False, actor=console_actor(), now=clock.now())
    user = make_holder(Role.ADMIN, "Ada Min")
    user.set_password(PASSWORD)
    user.save()
    return user


@pytest.fixture
def signed_in(ada: User, sign_in: Callable[..., Page]) -> Page:
    """Ada, who has just proven her second factor."""
    page = sign_in(ada.email)
    page.goto("/account/second-factor/totp/activate/")
    page.get_by_label("Password").fill(PASSWORD)
    page.get_by_role("button", name="Confirm").click()
    secret = page.locator("#totp-key").inner_text()
    page.get_by_label("Six digits").fill(code_now(secret))
    page.get_by_role("button", name="Turn it on").click()
    expect(page.get_by_role("heading", level=1)).to_have_text("Recovery codes")
    recovery = page.locator(".pw-codes li").first.inner_text()
    page.goto("/account/second-factor/reauthenticate/?next=/settings/")
    page.get_by_label("Six digits").fill(recovery)
    page.get_by_role("button", name="Confirm").click()
    expect(page.get_by_role("heading", level=1)).to_have_text("Settings")
    return page


def test_roles_are_granted_and_taken_back_and_the_last_administrator_stays(
    signed_in: Page, axe: Callable[[Page, str], None], trouble: Trouble
) -> None:
    trouble.expected += ["409", "422"]
    page = signed_in
    page.goto("/settings/")
    axe(page, "settings")
    page.get_by_label("E-mail address").fill("hanna@harbour.example")
    page.get_by_label("Role", exact=True).select_option("hr")
    page.get_by_label("Department").fill("Sales")
    page.get_by_role("button", name="Grant the role").click()
    expect(page.get_by_role("status").first).to_contain_text("holds the role HR now")
    given = RoleGrant.objects.get(role="hr")
    assert (given.user.email, given.department) == ("hanna@harbour.example", "Sales")
    page.get_by_role("button", name="Take HR back from hanna@harbour.example").click()
    expect(page.get_by_role("status").first).to_contain_text("no longer holds")
    assert not RoleGrant.objects.filter(role="hr").exists()
    page.get_by_role("button", name="Take Administrator back from Ada Min").click()
    expect(page.get_by_text("is the last administrator")).to_be_visible()


def test_the_company_is_changed_and_wrong_values_stay_in_the_form(signed_in: Page, trouble: Trouble) -> None:
    trouble.expected += ["422"]
    page = signed_in
    page.goto("/settings/")
    page.get_by_role("textbox", name="Company").fill("Harbour, Vale & Sons")
    page.get_by_label("Timezone").fill("Europe/Atlantis")
    page.get_by_role("button", name="Keep").click()
    expect(page.get_by_role("alert")).to_contain_text("Europe/Atlantis")
    page.get_by_label("Timezone").fill("Europe/Berlin")
    page.get_by_role("button", name="Keep").click()
    expect(page.get_by_role("status").first).to_contain_text("kept")
    here = Installation.objects.get()
    assert (here.company_name, here.timezone) == ("Harbour, Vale & Sons", "Europe/Berlin")


def test_a_token_is_shown_once_works_and_dies_when_revoked(
    signed_in: Page, axe: Callable[[Page, str], None]
) -> None:
    page = signed_in
    page.goto("/tokens/")
    page.get_by_label("What is it for?").fill("payroll")
    page.get_by_role("button", name="Make the token").click()
    secret = page.locator("[data-token]").inner_text()
    axe(page, "tokens")
    api = Client(headers={"host": "localhost", "Authorization": f"Bearer {secret}"})
    assert api.get("/api/v1/me").json()["token"] == "payroll"
    page.goto("/tokens/")
    expect(page.get_by_text("payroll")).to_be_visible()
    assert secret not in page.content()
    page.get_by_role("button", name="Revoke payroll").click()
    expect(page.get_by_role("status").first).to_contain_text("is revoked")
    assert api.get("/api/v1/me").status_code == 401


def test_without_a_second_factor_nothing_is_granted(ada: User, sign_in: Callable[..., Page]) -> None:
    page = sign_in(ada.email)
    page.goto("/settings/")
    page.get_by_label("E-mail address").fill("hanna@harbour.example")
    page.get_by_label("Role", exact=True).select_option("hr")
    page.get_by_role("button", name="Grant the role").click()
    expect(page.get_by_text("needs a second factor")).to_be_visible()
    assert not RoleGrant.objects.filter(role="hr").exists()


def test_settings_never_show_what_a_setting_is_set_to(signed_in: Page) -> None:
    page = signed_in
    page.goto("/settings/")
    expect(page.get_by_role("rowheader", name="PARTWELL_SECRET_KEY", exact=True)).to_be_visible()
    assert settings.SECRET_KEY not in page.content()
