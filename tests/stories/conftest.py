"""A browser, a server, and what every story checks on the way: no broken rule, no console error, no
accessibility violation."""

from __future__ import annotations

import os
import re
import shutil
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
from axe_playwright_python.sync_playwright import Axe
from django.core.cache import cache
from playwright.sync_api import Browser, BrowserContext, Page, Playwright, expect, sync_playwright

from partwell.people.models import User
from tests.signing_in import PASSWORD

# Playwright's synchronous interface runs an event loop of its own, which Django takes for ours.
os.environ.setdefault("DJANGO_ALLOW_ASYNC_UNSAFE", "true")

SCREENS = Path("test-results/screens")
DESKTOP, PHONE = (1440, 900), (390, 844)
FLAGS = [
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
]
LOOKS = [(theme, size) for theme in ("light", "dark") for size in (DESKTOP, PHONE)]

# Runs before any page script, so that nothing which the policy blocks goes unseen.
WATCH_POLICY = """
document.addEventListener("securitypolicyviolation", (event) =>
  console.error(`policy violation: ${event.violatedDirective} ${event.blockedURI} ${event.sample}`));
"""


@dataclass
class Trouble:
    """What went wrong in the browser. A story that expects an HTTP error names it in `expected`."""

    seen: list[str] = field(default_factory=list)
    expected: list[str] = field(default_factory=list)

    def unexpected(self) -> list[str]:
        """What no story asked for."""
        return [words for words in self.seen if not any(re.search(known, words) for known in self.expected)]


@pytest.fixture(scope="session")
def playwright_driver() -> Iterator[Playwright]:
    with sync_playwright() as driver:
        yield driver


@pytest.fixture(scope="session")
def browser(playwright_driver: Playwright) -> Iterator[Browser]:
    path = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
    assert path, "stories need Chromium: install the package `chromium`"
    browser = playwright_driver.chromium.launch(executable_path=path, args=FLAGS)
    yield browser
    browser.close()


@pytest.fixture(autouse=True)
def no_limits_left_over(transactional_db: None) -> None:
    """Sign-in limits are counted in a table of their own, which emptying the models leaves alone."""
    cache.clear()


@pytest.fixture
def trouble() -> Trouble:
    return Trouble()


@pytest.fixture
def address(live_server: Any) -> str:
    """Where the server listens that this story's browsers open."""
    return str(live_server.url)


@pytest.fixture
def open_context(browser: Browser, address: str, trouble: Trouble) -> Iterator[Callable[[], BrowserContext]]:
    """Opens further browsers of their own, each watched alike."""
    contexts = []

    def open_one() -> BrowserContext:
        context = browser.new_context(
            base_url=address.replace("127.0.0.1", "localhost"),
            viewport={"width": DESKTOP[0], "height": DESKTOP[1]},
            locale="en-GB",
            timezone_id="Europe/Berlin",
            reduced_motion="reduce",
        )
        context.add_init_script(WATCH_POLICY)
        context.set_default_timeout(15_000)
        context.on(
            "console", lambda entry: trouble.seen.append(entry.text) if entry.type == "error" else None
        )
        context.on("weberror", lambda error: trouble.seen.append(str(error.error)))
        contexts.append(context)
        return context

    yield open_one
    for context in contexts:
        context.close()


@pytest.fixture
def browser_page(open_context: Callable[[], BrowserContext], trouble: Trouble) -> Iterator[Page]:
    """A page at the running server; the story fails on any console error or policy violation."""
    page = open_context().new_page()
    yield page
    assert trouble.unexpected() == []


@pytest.fixture
def make_user(transactional_db: None) -> Callable[..., User]:
    """Makes an account with the kit's password."""

    def make(email: str, name: str = "") -> User:
        return User.objects.create_user(email, PASSWORD, name=name)

    return make


@pytest.fixture
def sign_in(browser_page: Page) -> Callable[..., Page]:
    """Signs the account with this address in through the form, and lands on Today."""

    def go(email: str, page: Page | None = None) -> Page:
        shown = page or browser_page
        shown.goto("/account/login/")
        shown.get_by_label("E-mail").fill(email)
        shown.get_by_label("Password").fill(PASSWORD)
        shown.get_by_role("button", name="Sign in").click()
        expect(shown.get_by_role("heading", level=1, name="Today")).to_be_visible()
        return shown

    return go


@pytest.fixture
def shot() -> Callable[[Page, str], Path]:
    """Keeps a picture of the whole page."""

    def keep(page: Page, name: str) -> Path:
        SCREENS.mkdir(parents=True, exist_ok=True)
        path = SCREENS / f"{name}.png"
        page.screenshot(path=path, full_page=True)
        return path

    return keep


@pytest.fixture
def axe(shot: Callable[[Page, str], Path]) -> Callable[[Page, str], None]:
    """Asserts no accessibility violation and no sideways scrolling, light and dark, desktop and phone."""

    def check(page: Page, name: str) -> None:
        for theme, (width, height) in LOOKS:
            page.set_viewport_size({"width": width, "height": height})
            page.evaluate("theme => { document.documentElement.dataset.bsTheme = theme; }", theme)
            look = f"{name}-{theme}-{width}"
            shot(page, look)
            results = Axe().run(page)
            assert results.violations_count == 0, f"{look}\n{results.generate_report()}"
            wide = page.evaluate(
                "document.documentElement.scrollWidth - document.documentElement.clientWidth"
            )
            assert wide <= 0, f"{look} scrolls {wide} px sideways"
        page.set_viewport_size({"width": DESKTOP[0], "height": DESKTOP[1]})
        page.evaluate("document.documentElement.dataset.bsTheme = 'light'")

    return check
