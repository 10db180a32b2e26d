"""Somebody at the keyboard alone. Nothing here uses a pointer, nor fills a field by script."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date
from typing import Any

from playwright.sync_api import Locator, Page

from tests.accessibility import problem_of_focus

MOST_STOPS = 400


@dataclass
class Keyboard:
    """A person, and the page in front of them."""

    page: Page

    def __post_init__(self) -> None:
        # The browser hands over dialogs for files only while somebody listens. Listening from the start
        # leaves no moment in which a key opens the dialog of the operating system, which nobody would see.
        self.page.on("filechooser", lambda _chooser: None)

    def press(self, *keys: str) -> None:
        """Press keys, one after the other."""
        for key in keys:
            self.page.keyboard.press(key)

    def write(self, text: str) -> None:
        """Type into whatever has the focus."""
        self.page.keyboard.type(text)

    def reach(self, target: Locator) -> None:
        """Press Tab until this has the focus, and see there that it has it."""
        for _ in range(MOST_STOPS):
            if target.evaluate("element => element === document.activeElement"):
                wrong = problem_of_focus(self.page)
                assert not wrong, wrong
                return
            self.press("Tab")
        raise AssertionError(f"Tab does not lead to {target}")

    def use(self, target: Locator) -> None:
        """Reach a link or a button, and press Enter."""
        self.reach(target)
        self.press("Enter")

    def follow(self, target: Locator) -> None:
        """Reach a link or a button that leads to another page, press Enter, and wait for the page."""
        self.reach(target)
        with self.page.expect_navigation():
            self.press("Enter")

    def open_link(self, name: str) -> None:
        """Follow the first link of this name."""
        self.follow(self.page.get_by_role("link", name=name).first)

    def push(self, name: str) -> None:
        """Push the first button of this name, and wait for the page that answers."""
        self.follow(self.page.get_by_role("button", name=name).first)

    def fill(self, label: str, text: str) -> None:
        """Reach a text field by its label and type."""
        self.reach(self.page.get_by_role("textbox", name=label))
        self.write(text)

    def choose(self, label: str, words: str) -> None:
        """Reach a list of choices by its label, and type the first words of one."""
        field = self.page.get_by_role("combobox", name=label)
        self.reach(field)
        self.write(words)
        chosen = field.evaluate("field => field.selectedOptions[0].label")
        assert chosen.startswith(words), f"{label} says {chosen}"

    def enter_date(self, label: str, day: date) -> None:
        """Reach a date by its label and type its parts. People see their order; here it is tried out, as it
        follows the language in which the browser is installed."""
        field = self.page.get_by_label(label, exact=True)
        self.reach(field)
        for order in ("%d%m%Y", "%m%d%Y"):
            self.press("ArrowLeft", "ArrowLeft")
            self.write(day.strftime(order))
            if field.input_value() == day.isoformat():
                return
        raise AssertionError(f"{label} says {field.input_value()}")

    def attach(self, label: str, files: Sequence[Any]) -> None:
        """Reach a file field, open the dialog of the operating system with Enter, and choose there."""
        self.reach(self.page.get_by_label(label, exact=True))
        with self.page.expect_file_chooser() as chooser:
            self.press("Enter")
        chooser.value.set_files(list(files))
