"""A browser for stories and proofs, watched on the way: no console error, nothing that the policy blocks.

Where it browses is the fixture `address`, which each folder of tests brings. Nothing here imports Playwright
before a browser is asked for, as this is read at the start of every test run.
"""

from __future__ import annotations

import os
import re
import shutil
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, TypeVar

import pytest

from tests.accessibility import DESKTOP, LOOKS, problems_of_page, put_on

if TYPE_CHECKING:
    from playwright.sync_api import Browser, BrowserContext, Locator, Page, Playwright

Result = TypeVar("Result")
SCREENS = Path("test-results/screens")
FLAGS = [
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
]

# Runs before any page script, so that nothing which the policy blocks goes unseen.
WATCH_POLICY = """
document.addEventListener("securitypolicyviolation", (event) =>
  console.error(`policy violation: ${event.violatedDirective} ${event.blockedURI} ${event.sample}`));
"""


@dataclass
class Trouble:
    """What went wrong in the browser. A test that expects an HTTP error names it in `expected`."""

    seen: list[str] = field(default_factory=list)
    expected: list[str] = field(default_factory=list)

    def unexpected(self) -> list[str]:
        """What no test asked for."""
        return [words for words in self.seen if not any(re.search(known, words) for known in self.expected)]


def watched_context(browser: Browser, address: str, trouble: Trouble) -> BrowserContext:
    """A browser of its own, as if on another computer, whose errors are kept in `trouble`."""
    context = browser.new_context(
        base_url=address.replace("127.0.0.1", "localhost"),
        viewport={"width": DESKTOP[0], "height": DESKTOP[1]},
        locale="en-GB",
        timezone_id="Europe/Berlin",
        reduced_motion="reduce",
    )
    context.add_init_script(WATCH_POLICY)
    context.set_default_timeout(15_000)
    context.on("console", lambda entry: trouble.seen.append(entry.text) if entry.type == "error" else None)
    context.on("weberror", lambda error: trouble.seen.append(str(error.error)))
    return context


def follow(link: Locator) -> None:
    """Press what leads to another page, and wait until that page is there.

    A press alone may return before the browser has left the old page, and what is asked then is lost.
    """
    with link.page.expect_navigation():
        link.click()


def beside_the_browser(work: Callable[[], Result]) -> Result:
    """Do what a worker does where a worker does it: in a thread without the browser's event loop."""
    from django.db import connections

    def run() -> Result:
        try:
            return work()
        finally:
            connections.close_all()

    with ThreadPoolExecutor(1) as pool:
        return pool.submit(run).result()


def keep_picture(page: Page, name: str) -> None:
    """Keep a picture of the whole page."""
    SCREENS.mkdir(parents=True, exist_ok=True)
    # Hiding the caret would take a style of its own, which the policy refuses.
    page.screenshot(path=SCREENS / f"{name}.png", full_page=True, caret="initial")


def show_picture(page: Page, name: str) -> None:
    """Keep a picture of the whole page where somebody wants to look at it: PARTWELL_PICTURES=1."""
    if os.environ.get("PARTWELL_PICTURES"):
        keep_picture(page, name)


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--every-look", action="store_true", help="judge stories' pages in all their looks")


@pytest.fixture(scope="session")
def playwright_driver() -> Iterator[Playwright]:
    from playwright.sync_api import sync_playwright

    # Its synchronous interface runs an event loop of its own, which Django takes for ours.
    os.environ.setdefault("DJANGO_ALLOW_ASYNC_UNSAFE", "true")
    with sync_playwright() as driver:
        yield driver


@pytest.fixture(scope="session")
def browser(playwright_driver: Playwright) -> Iterator[Browser]:
    names = ("chromium-headless-shell", "chromium", "chromium-browser", "google-chrome")
    path = next(filter(None, map(shutil.which, names)), None)
    assert path, "this needs Chromium: install the package `chromium`"
    browser = playwright_driver.chromium.launch(executable_path=path, args=FLAGS)
    yield browser
    browser.close()


@pytest.fixture
def trouble() -> Trouble:
    return Trouble()


@pytest.fixture
def open_context(browser: Browser, address: str, trouble: Trouble) -> Iterator[Callable[[], BrowserContext]]:
    """Opens further browsers of their own, each watched alike."""
    contexts = []

    def open_one() -> BrowserContext:
        contexts.append(watched_context(browser, address, trouble))
        return contexts[-1]

    yield open_one
    for context in contexts:
        context.close()


@pytest.fixture
def browser_page(open_context: Callable[[], BrowserContext], trouble: Trouble) -> Iterator[Page]:
    """A page at the running server; the test fails on any console error or policy violation."""
    page = open_context().new_page()
    yield page
    assert trouble.unexpected() == []


@pytest.fixture
def shot() -> Callable[[Page, str], None]:
    """Keeps a picture of the whole page."""
    return show_picture


@pytest.fixture
def axe(request: pytest.FixtureRequest) -> Callable[[Page, str], None]:
    """Asserts that everybody can use the page, light on a desktop and dark on a phone.

    With `--every-look`, as `.ci/run` does once, also dark on a desktop and light on a phone: judging a page
    is half of what a story takes.
    """
    looks = LOOKS if request.config.getoption("--every-look") else [LOOKS[0], LOOKS[-1]]

    def check(page: Page, name: str) -> None:
        judged = set()
        for look in looks:
            put_on(page, look)
            show_picture(page, f"{name}-{look}")
            # What is no colour is the same in both themes.
            problems = problems_of_page(page, only_colours=look.width in judged)
            judged.add(look.width)
            if problems:
                keep_picture(page, f"{name}-{look}")
            assert problems == [], f"{name}-{look}"
        put_on(page, LOOKS[0])

    return check
