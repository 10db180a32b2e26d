"""Whether everybody can use the page that a browser shows: what axe-core judges, and what it does not.

Axe judges WCAG 2.0 to 2.2, levels A and AA, and best practice. The script beside this file adds what a
rule about one element cannot see: sideways scrolling, the size of targets with the exceptions of the
standard, and where the keyboard's focus goes.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from playwright.sync_api import Page

DESKTOP, PHONE = (1440, 900), (390, 844)
SCRIPT = Path(__file__).with_suffix(".js").read_text(encoding="utf-8")


@dataclass(frozen=True)
class Look:
    """A theme, a window's width and height in CSS pixels, and how large text is shown, in per cent."""

    theme: str
    width: int
    height: int
    text: int = 100

    def __str__(self) -> str:
        return f"{self.theme}-{self.width}" + (f"-text-{self.text}" if self.text != 100 else "")


LOOKS = [Look(theme, *size) for theme in ("light", "dark") for size in (DESKTOP, PHONE)]
# The narrowest and the widest window that the pages are made for, and text at twice its size.
WIDER_LOOKS = [Look("light", 320, 640), Look("light", 1920, 1080), Look("light", *DESKTOP, text=200)]


def put_on(page: Page, look: Look) -> None:
    """Show the page in this look, without reading it again."""
    page.set_viewport_size({"width": look.width, "height": look.height})
    page.evaluate(
        """([theme, text]) => {
          document.documentElement.dataset.bsTheme = theme;
          document.documentElement.style.fontSize = text === 100 ? "" : `${text}%`;
        }""",
        [look.theme, look.text],
    )


def problems_of_page(page: Page, *, only_colours: bool = False) -> list[str]:
    """What stands in somebody's way on the page as it is shown now, one line each.

    Of axe's rules, only those for colours where the page was judged by all of them in the other theme.
    """
    return [*axe_violations(page, only_colours=only_colours), *sideways(page), *small_targets(page)]


def axe_violations(page: Page, *, only_colours: bool = False) -> list[str]:
    """Each element that breaks one of axe's rules, or one of those two that judge colours."""
    from axe_playwright_python.base import AXE_SCRIPT

    if page.evaluate("typeof window.axe") == "undefined":
        page.evaluate(AXE_SCRIPT)
    options: dict[str, Any] = {"resultTypes": ["violations"]}
    if only_colours:
        options["runOnly"] = {"type": "rule", "values": ["color-contrast", "link-in-text-block"]}
    # As text, and only what is asked for: Playwright checks every object that crosses over, one by one.
    found = page.evaluate(
        "options => axe.run(options).then((all) => JSON.stringify(all.violations))", options
    )
    return [
        f"{rule['id']}: {_advice(node['failureSummary'])} {node['html'][:200]}"
        for rule in json.loads(found)
        for node in rule["nodes"]
    ]


def _advice(summary: str) -> str:
    """Axe writes a heading, then a line for each thing that would mend it."""
    return "; ".join(line.strip() for line in summary.splitlines()[1:])


def sideways(page: Page) -> list[str]:
    """Whether the page has to be scrolled sideways to be read, and what sticks out."""
    found: list[str] = _checks(page, "sideways()")
    return found


def small_targets(page: Page) -> list[str]:
    """Targets under 24 by 24 CSS pixels without enough room around them (WCAG 2.2, 2.5.8)."""
    found: list[str] = _checks(page, "smallTargets()")
    return found


def problem_of_focus(page: Page) -> str:
    """What is wrong with how the page shows where the focus is now, or nothing."""
    found: str = _checks(page, "problemOfFocus()")
    return found


def on_paper(page: Page, pieces: str) -> dict[str, list[str]]:
    """What a sheet of paper would show that it should not (`controls`), what it would keep folded away
    (`folded`), how it would cut through one of the `pieces` (`split`), and all of these pieces."""
    found: dict[str, list[str]] = _checks(page, f"onPaper({json.dumps(pieces)})")
    return found


@dataclass(frozen=True)
class Walk:
    """Where the Tab key led: how many stops, and what was wrong at one of them."""

    stops: int
    problems: list[str]


def walk(page: Page) -> Walk:
    """Press Tab from the beginning of the page to its end (WCAG 2.1.1, 2.1.2, 2.4.7, 2.4.11).

    Wrong is a stop that is hidden behind something or does not show the focus, and what Tab does not reach.
    """
    presses = _checks(page, "beginWalk()")
    for _ in range(presses):
        page.keyboard.press("Tab")
    found = _checks(page, "endWalk()")
    for _ in range(presses):  # a list that scrolls may be a stop of its own, which nobody could count before
        if not found["missed"]:
            break
        page.keyboard.press("Tab")
        found = _checks(page, "endWalk()")
    missed = [f"Tab does not reach {name}" for name in found["missed"]]
    return Walk(found["stops"], [*missed, *found["problems"]])


def walk_back(page: Page) -> list[str]:
    """What is wrong with the focus on the way from the page's end to its beginning.

    The way back is where something that stays on top would hide it. The script moves the focus, after one
    press of a key so that it shows; the browser scrolls as it does for Tab.
    """
    page.keyboard.press("Tab")
    found: list[str] = _checks(page, "walkBack()")
    return found


def _checks(page: Page, call: str) -> Any:
    if page.evaluate("typeof window.pwChecks") == "undefined":
        page.evaluate(SCRIPT)
    return page.evaluate(f"window.pwChecks.{call}")
