"""What somebody does on a page before it is looked at, such as sending a form that is not complete."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager
from datetime import timedelta
from typing import Any
from unittest import mock
from urllib.parse import urlencode

from django.conf import settings
from django.test import override_settings
from django.urls import reverse
from playwright.sync_api import Page

from partwell import clock
from partwell.access.models import AccountRecord
from partwell.access.states import AccessState
from partwell.demo.firm import address as address_of
from partwell.demo.signin import PASSWORD
from tests.proofs.accessible_stage import Stage

Deed = Callable[[Page, Stage], None]

POST = """([action, token, fields]) => {
  const form = document.createElement("form");
  form.method = "post";
  form.action = action;
  for (const [name, value] of [["csrfmiddlewaretoken", token], ...fields]) {
    const input = document.createElement("input");
    input.name = name;
    input.value = value;
    form.append(input);
  }
  document.body.append(form);
  form.submit();
}"""
CODE = "Six digits, or a recovery code"
TOKEN = """document.querySelector("[name=csrfmiddlewaretoken]")?.value
  ?? JSON.parse(document.body.getAttribute("hx-headers"))["X-CSRFToken"]"""


def in_days(days: int) -> str:
    """A date as a date field takes it."""
    return (clock.now().date() + timedelta(days=days)).isoformat()


def fill(fields: Mapping[str, str], press: str) -> Deed:
    """Fill in fields by their labels, then press the button of this name."""

    def do(page: Page, stage: Stage) -> None:
        for label, value in fields.items():
            field = page.locator("main").get_by_label(label, exact=True)
            if field.evaluate("field => field.localName") == "select":
                field.select_option(value)
            else:
                field.fill(value)
        pressing(press)(page, stage)

    return do


def pressing(name: str) -> Deed:
    """Press the button of this name, and wait for the page that follows."""

    def do(page: Page, stage: Stage) -> None:
        with page.expect_navigation():
            page.locator("main").get_by_role("button", name=name, exact=True).first.click()

    return do


def unfold(words: str, then: Deed | None = None) -> Deed:
    """Open what is folded away under these words."""

    def do(page: Page, stage: Stage) -> None:
        page.locator("summary").filter(has_text=words).first.click()
        if then:
            then(page, stage)

    return do


def unfold_all(page: Page, stage: Stage) -> None:
    """Open everything that is folded away."""
    page.evaluate("document.querySelectorAll('details').forEach(details => { details.open = true; })")


def upload(label: str, name: str, content: bytes, press: str) -> Deed:
    """Choose a file, then press the button of this name."""

    def do(page: Page, stage: Stage) -> None:
        file: Any = {"name": name, "mimeType": "application/octet-stream", "buffer": content}
        page.get_by_label(label, exact=True).set_input_files(file)
        pressing(press)(page, stage)

    return do


def post(name: str, *args: str, token: str = "", fields: int = 0) -> Deed:
    """Send a form to an address that has no form of its own here; `token` is a forged one."""

    def do(page: Page, stage: Stage) -> None:
        where = reverse(name, args=[stage.things.get(each, each) for each in args])
        extra = [[f"field-{number}", ""] for number in range(fields)]
        with page.expect_navigation():
            page.evaluate(POST, [where, token or page.evaluate(TOKEN), extra])

    return do


def wrong_password(page: Page, stage: Stage) -> None:
    """Try to sign in with a password that is none."""
    fill({"E-mail": address_of("Mei Tanaka"), "Password": "not the password"}, "Sign in")(page, stage)


def half_signed_in(page: Page, stage: Stage) -> None:
    """The password of somebody who has a second factor."""
    fill({"E-mail": address_of("Helen Marsh"), "Password": PASSWORD}, "Sign in")(page, stage)


def confirm_password(page: Page, stage: Stage) -> None:
    """Say once more that it is oneself."""
    if page.get_by_label("Password").count():
        fill({"Password": PASSWORD}, "Confirm")(page, stage)


def confirm_code(page: Page, stage: Stage) -> None:
    """Prove the second factor once more, where it is asked for."""
    if page.get_by_label(CODE).count():
        fill({CODE: stage.code_of("Priya Raman")}, "Confirm")(page, stage)


def admin_confirms(page: Page, stage: Stage) -> None:
    """The administrator proves their second factor once more, where it is asked for."""
    if page.get_by_label(CODE).count():
        fill({CODE: stage.code_of("Tomasz Wrona")}, "Confirm")(page, stage)


def order_a_cut(page: Page, stage: Stage) -> None:
    """Prepare that somebody is shut out tomorrow, with the second factor once more where it is asked for."""
    confirm_code(page, stage)
    moment = f"{in_days(1)}T14:00"
    fields = {
        "Why can it not wait?": "Prepared for the meeting of tomorrow.",
        "At a time": moment,
        "Type Joon-ho Baek to confirm": "Joon-ho Baek",
    }
    for label, value in fields.items():
        page.get_by_label(label).fill(value)
    with page.expect_navigation():
        page.get_by_role("button", name="Shut out of").click()


def change_by_connector(page: Page, stage: Stage) -> None:
    """Have a practice system change a secret, with the second factor once more where it is asked for."""
    pressing("Change it now")(page, stage)
    if page.get_by_label(CODE).count():
        confirm_code(page, stage)
        pressing("Change it now")(page, stage)


def open_twice(page: Page, stage: Stage) -> None:
    """Open a link, lose the session it gave, and open it again."""
    pressing("Open my page")(page, stage)
    page.context.clear_cookies(name="partwell-guest")
    page.goto(reverse("web:guest_open", args=[stage.things["link spare"]]))
    pressing("Open my page")(page, stage)


def ask_for_a_new_link(page: Page, stage: Stage) -> None:
    """Find that a link was used already, and ask for another."""
    open_twice(page, stage)
    pressing("Send me a new link")(page, stage)


def leave(page: Page, stage: Stage) -> None:
    """Leave the guest's page; the button stands below its main part."""
    with page.expect_navigation():
        page.get_by_role("button", name="Leave this page").click()


def say_of(state: AccessState, what: str = "", then: Deed | None = None) -> Deed:
    """Say something of an account that only people can look after."""

    def do(page: Page, stage: Stage) -> None:
        departure, url = stage.things["luis"], reverse("web:access_say", args=[stage.things["luis"]])
        account = AccountRecord.objects.filter(departure=departure, state=state).first()
        assert account is not None
        words = {"system": account.system.name, "account": account.external_id, "as": what}
        page.goto(f"{url}?{urlencode(words)}")
        if then:
            then(page, stage)

    return do


def palette(page: Page, stage: Stage) -> None:
    """Open the palette and look for somebody."""
    page.keyboard.press("Control+k")
    page.keyboard.type("mar")
    page.get_by_role("option", name="Marit Lindqvist").first.wait_for()


def menu(page: Page, stage: Stage) -> None:
    """Open the menu as it is on a phone; on a desktop it is always there."""
    page.evaluate("document.documentElement.classList.add('pw-menu-open')")


@contextmanager
def broken() -> Iterator[None]:
    """The register cannot be read."""
    with mock.patch("partwell.people.queries.list_people", side_effect=RuntimeError("broken for this visit")):
        yield


def no_tries_left() -> AbstractContextManager[None]:
    """Nobody may ask for a new password any more."""
    limits = settings.ACCOUNT_RATE_LIMITS | {"reset_password": "0/m/ip"}
    return override_settings(ACCOUNT_RATE_LIMITS=limits)


def any_host() -> AbstractContextManager[None]:
    """The server answers to the name under which others reach it over the network."""
    return override_settings(ALLOWED_HOSTS=[*settings.ALLOWED_HOSTS, ".localhost"])


def open_a_load(page: Page, stage: Stage) -> None:
    """Open the steps of whoever carries most."""
    table = page.get_by_role("group", name="Who carries how much now")
    with page.expect_navigation():
        table.get_by_role("link").last.click()
