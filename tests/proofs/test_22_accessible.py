"""Proof 22: everybody can use every page.

Every address is opened by somebody to whom it matters, with the demo firm behind it: light and dark, on a
desktop and on a phone. Axe finds nothing to mend; nothing scrolls sideways; every target is large enough; Tab
reaches everything, and the focus is always in sight; the browser reports no error and no broken policy. What
people print is whole. `test_22_by_keyboard` goes each role's main path.

What a page looks like does not depend on the database, so this runs on SQLite alone.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest
from django.test.signals import template_rendered
from django.urls import URLPattern, URLResolver, get_resolver, resolve, reverse
from playwright.sync_api import Browser, BrowserContext, Error, Page

import partwell.web
from tests.accessibility import (
    LOOKS,
    WIDER_LOOKS,
    on_paper,
    problems_of_page,
    put_on,
    sideways,
    small_targets,
    walk,
    walk_back,
)
from tests.browser import Trouble, keep_picture
from tests.proofs.accessible_no_pages import NO_PAGE
from tests.proofs.accessible_pages import VISITS
from tests.proofs.accessible_stage import NOBODY, Stage, step_of
from tests.proofs.accessible_visits import AStep, Visit

pytestmark = [
    pytest.mark.django_db(transaction=True),
    pytest.mark.server("chromium"),
    # One worker builds the firm, once for all these tests.
    pytest.mark.xdist_group("accessible"),
]


def test_every_address_is_visited_or_says_why_it_is_no_page() -> None:
    names = set(_names(get_resolver()))
    visited = {visit.page for visit in VISITS if visit.page and not visit.is_extra} | {"web:welcome"}
    assert names - visited - set(NO_PAGE) == set(), "neither visited nor excused"
    assert visited & set(NO_PAGE) == set(), "visited and excused"
    assert set(NO_PAGE) - names == set(), "excused, and not there any more"


def test_everybody_can_use_every_page(
    open_firm: Callable[[], Stage],
    open_context: Callable[[], BrowserContext],
    trouble: Trouble,
    figure: Callable[[str], None],
    long: bool,
) -> None:
    survey = Survey(trouble, long)
    newcomer = open_context().new_page()
    survey.go(newcomer, Visit(NOBODY, "web:welcome"), reverse("web:welcome"), None)
    stage = open_firm()
    for visit in (each for each in VISITS if long or not each.is_extra):
        survey.go(stage.page_of(visit.by), visit, _path(stage, visit), stage)
    survey.problems += [f"no visit shows {name}" for name in sorted(_pages() - survey.shown)]
    figure(survey.says())
    assert not survey.problems, "\n".join(survey.problems)


BROKEN = """<!doctype html><html lang="en"><head><title>Broken</title><style>
  button, a { outline: 2px solid #000; font: 16px/1 sans-serif; }
  .small { width: 14px; height: 14px; padding: 0; border: 0; } .alone { margin: 40px; }
  .bare { outline: 0; } .faint { outline-color: #ddd; }
  header { position: sticky; top: 0; height: 60px; background: #eee; }
  .wide { width: 3000px; }
</style></head><body><header>Always on top</header>
<div class="wide">A picture</div>
<button class="small">One</button><button class="small">Two</button>
<button class="small alone">Alone</button>
<p>In a sentence <a href="#x">a link</a> is as high as its line.</p>
<button class="bare">Bare</button><button class="faint">Faint</button>
""" + "".join(f"<p><button>Row {row}</button></p>" for row in range(60))
TRAP = "<script>addEventListener('keydown', event => event.preventDefault())</script>"


def test_the_checks_see_what_stands_in_the_way(browser: Browser) -> None:
    page = browser.new_page()
    page.set_content(BROKEN)
    assert [words for words in sideways(page) if "A picture" in words]
    small = small_targets(page)
    assert [re.findall("“(.*?)”", words)[0] for words in small] == ["One", "Two"]
    walked = walk(page)
    assert walked.stops == 66
    assert walked.problems == [
        "<button.bare> “Bare” does not show that it has the focus",
        "<button.faint> “Faint” shows its focus with a contrast of 1.4 only",
    ]
    assert [words for words in walk_back(page) if "has the focus behind <header>" in words]
    page.set_content(BROKEN + TRAP)
    assert "Tab does not reach <a> “a link”" in walk(page).problems
    page.close()


@dataclass
class Survey:
    """What was looked at, and what was wrong with it."""

    trouble: Trouble
    long: bool
    addresses: set[str] = field(default_factory=set)
    visits: int = 0
    looks: int = 0
    stops: int = 0
    shown: set[str] = field(default_factory=set)
    problems: list[str] = field(default_factory=list)

    def says(self) -> str:
        """The figure."""
        return (
            f"proof 22: {self.visits} pages at {len(self.addresses)} addresses in {self.looks} looks, "
            f"{self.stops} stops of the keyboard, {len(self.problems)} violations"
        )

    def go(self, page: Page, visit: Visit, path: str, stage: Stage | None) -> None:
        """Open the page, do what comes first, and look at it in every look."""
        templates: set[str] = set()

        def note(template: Any, **_: Any) -> None:
            templates.add(str(template.name))

        self.trouble.seen.clear()
        found: list[str] = []
        put_on(page, LOOKS[0])
        template_rendered.connect(note)
        try:
            with visit.around():
                page.goto(path)
                if visit.do and stage:
                    visit.do(page, stage)
                found += self._arrived(page, visit)
                found += self._look_at(page, visit)
        except Error as error:
            found.append(f"could not be shown: {error.message.splitlines()[0]}")
        finally:
            template_rendered.disconnect(note)
        # A page that says no is answered with its status, which the browser reports as an error.
        refusal = f"status of {visit.status} ("
        if visit.status >= 400 and not any(refusal in words for words in self.trouble.seen):
            found.append(f"was not answered with {visit.status}")
        found += [words for words in self.trouble.seen if visit.status < 400 or refusal not in words]
        self.trouble.seen.clear()
        self.addresses.add(visit.page or visit.path)
        self.shown |= templates
        self.visits += 1
        self.problems += [f"{visit}: {problem}" for problem in found]

    def _arrived(self, page: Page, visit: Visit) -> list[str]:
        """Whether this is the page that was meant, and not one that they were sent to instead."""
        where = urlsplit(page.url).path
        if not visit.page or _is_at(where, visit.page):
            return []
        return [f"ended at {where}, “{page.title()}”"]

    def _look_at(self, page: Page, visit: Visit) -> list[str]:
        found: list[str] = []
        for look in LOOKS:
            put_on(page, look)
            # Of what the theme changes, axe judges the colours alone.
            only_colours = look.theme == "dark" and not self.long
            here = problems_of_page(page, only_colours=only_colours)
            if self.long or look == LOOKS[0]:
                walked = walk(page)
                here += walked.problems
                self.stops += walked.stops
            if self.long or look == LOOKS[-1]:
                here += walk_back(page)
            if here or self.long:
                keep_picture(page, f"{visit}-{look}")
            found += [f"{look}: {problem}" for problem in here]
            self.looks += 1
        for look in WIDER_LOOKS if self.long else ():
            put_on(page, look)
            found += [f"{look}: {problem}" for problem in sideways(page)]
            self.looks += 1
        return found


def _is_at(path: str, name: str) -> bool:
    return str(resolve(path).view_name) == name


def _names(resolver: URLResolver, prefix: str = "") -> Iterator[str]:
    """The name of every address; all of the API count as one."""
    for each in resolver.url_patterns:
        if isinstance(each, URLResolver):
            if each.namespace == "api":
                yield "api"
            else:
                yield from _names(each, prefix + (f"{each.namespace}:" if each.namespace else ""))
        elif isinstance(each, URLPattern) and each.name:
            yield prefix + each.name


def _pages() -> set[str]:
    """Every template that is a page of its own: whole, and not the frame of others."""
    folder = Path(partwell.web.__path__[0]) / "templates"
    texts = {str(path.relative_to(folder)): path.read_text("utf-8") for path in folder.rglob("*.html")}
    whole = {name for name, text in texts.items() if text.startswith("{% extends") or "<!doctype" in text}
    frames = {base for text in texts.values() for base in re.findall(r'\{% extends .*?"([^"]+)"', text)}
    return whole - frames


def _path(stage: Stage, visit: Visit) -> str:
    if visit.path:
        return f"http://{visit.host}:{stage.port}{visit.path}"
    name, *args = visit.start or (visit.page, *visit.args)
    words = [_word(stage, each) for each in args]
    return reverse(str(name), args=words) + visit.query


def _word(stage: Stage, part: str | AStep) -> str:
    if isinstance(part, AStep):
        return step_of(part.whose, **dict(part.wanted)).key
    return stage.things.get(part, part)


# What a person reads on paper, and what has to stay in one piece there.
ON_PAPER = (
    ("Amara Osei", ("web:journey", "marit"), ".pw-step"),
    ("Amara Osei", ("web:my_steps",), ".pw-step"),
    ("Helen Marsh", ("web:evidence_departure", "hannah"), ".pw-tl > li"),
    ("Priya Raman", ("web:access_plan", "marit"), ".pw-plan tr"),
    ("Priya Raman", ("web:access_plan", "ana"), ".pw-plan tr"),
    ("Amara Osei", ("web:templates_compare",), ".pw-outline tr"),
    ("Amara Osei", ("web:process",), "tbody tr"),
)


def test_what_is_printed_is_whole_and_without_buttons(stage: Stage) -> None:
    for who, (name, *args), pieces in ON_PAPER:
        page = stage.page_of(who)
        page.goto(reverse(name, args=[stage.things[each] for each in args]))
        assert on_paper(page, pieces)["controls"], "what is looked for is there on a screen"
        page.emulate_media(media="print")
        printed = on_paper(page, pieces)
        keep_picture(page, f"accessible-paper-{name.rpartition(':')[2]}-{'-'.join(args)}")
        page.emulate_media(media="screen")
        assert printed["controls"] == [], f"{name} prints what only a screen needs"
        assert printed["folded"] == [], f"{name} prints less than there is"
        assert printed["pieces"]
        assert printed["split"] == [], f"{name} splits a line over two sheets"
