"""The reference pages say what the code does, and every page can be found."""

from __future__ import annotations

import importlib.machinery
import importlib.util
import re
from pathlib import Path
from types import ModuleType

import pytest

from partwell.config.env import SETTINGS
from partwell.departures.states import DepartureState, NoticeState
from partwell.journeys.rounds.states import MemberState, RoundState
from partwell.journeys.states import JourneyState, StepState
from partwell.journeys.template.model import StepKind
from partwell.signals.states import MailState, SignalState
from tests.agreement.recorded_events import recorded_events

ROOT = Path(__file__).parents[2]
DOCS = ROOT / "docs"
REFERENCE = DOCS / "reference"
FRONT_PAGES = ("README.md", "ARCHITECTURE.md", "CONTRIBUTING.md", "SECURITY.md", "CHANGELOG.md")
LINK = re.compile(r"!?\[[^\]]*\]\(([^)\s]+)\)|(?:src|srcset|href)=\"([^\"]+)\"")


@pytest.fixture(scope="module")
def generator() -> ModuleType:
    loader = importlib.machinery.SourceFileLoader("docs_script", str(ROOT / "scripts" / "docs"))
    spec = importlib.util.spec_from_loader(loader.name, loader)
    assert spec is not None
    module = importlib.util.module_from_spec(spec)
    loader.exec_module(module)
    return module


@pytest.fixture(scope="module")
def recorded() -> dict[str, set[str]]:
    """Every kind of event that the source records, with the fields that can be read there."""
    return recorded_events()


def documented_events() -> dict[str, set[str]]:
    rows = [line.split("|") for line in (REFERENCE / "events.md").read_text().splitlines()]
    return {
        row[1].strip(" `"): set(re.findall(r"`(\w+)`", row[3]))
        for row in rows
        if len(row) == 5 and "." in row[1]
    }


def test_generated_parts_are_what_the_code_has_now(generator: ModuleType) -> None:
    assert len(generator.pages()) >= 3
    differing = [p.name for p in generator.pages() if generator.renewed(p.read_text()) != p.read_text()]
    assert differing == [], "run scripts/docs"


def test_every_generated_part_stands_on_a_page(generator: ModuleType) -> None:
    placed = [match["name"] for p in generator.pages() for match in generator.BLOCK.finditer(p.read_text())]
    assert sorted(placed) == sorted(generator.GENERATED)


def test_every_setting_is_documented() -> None:
    page = (REFERENCE / "settings.md").read_text()
    assert [s.name for s in SETTINGS if f"| `{s.name}` |" not in page] == []


def test_no_setting_is_read_past_the_table() -> None:
    known = {s.name for s in SETTINGS}
    named = {
        (name, path.name)
        for path in (ROOT / "src").rglob("*.py")
        for name in re.findall(r"[\"'](PARTWELL_[A-Z_]+)[\"']", path.read_text())
    }
    assert {(name, file) for name, file in named if name not in known} == set()


def test_every_recorded_event_is_documented(recorded: dict[str, set[str]]) -> None:
    assert sorted(recorded.keys() - documented_events().keys()) == []


def test_no_event_is_documented_that_nothing_records(recorded: dict[str, set[str]]) -> None:
    assert sorted(documented_events().keys() - recorded.keys()) == []


def test_the_fields_of_events_are_documented(recorded: dict[str, set[str]]) -> None:
    documented = documented_events()
    missing = {kind: sorted(fields - documented.get(kind, set())) for kind, fields in recorded.items()}
    assert {kind: names for kind, names in missing.items() if names} == {}


@pytest.mark.parametrize(
    "states",
    [
        DepartureState,
        JourneyState,
        StepState,
        RoundState,
        MemberState,
        NoticeState,
        MailState,
        SignalState,
        StepKind,
    ],
)
def test_every_state_and_kind_of_step_is_explained(states: type) -> None:
    page = (REFERENCE / "states.md").read_text()
    assert [str(state) for state in states if f"| `{state}` |" not in page] == []


def links_of(page: Path) -> list[str]:
    """What a page links to, other sites left out."""
    found = [one or other for one, other in LINK.findall(page.read_text())]
    return [link for link in found if "://" not in link and not link.startswith("mailto:")]


def written_pages() -> list[Path]:
    return [*(ROOT / name for name in FRONT_PAGES), *sorted(DOCS.rglob("*.md"))]


@pytest.mark.parametrize("page", written_pages(), ids=lambda p: str(p.relative_to(ROOT)))
def test_every_link_leads_somewhere(page: Path) -> None:
    broken = []
    for link in links_of(page):
        name, _, anchor = link.partition("#")
        target = (page.parent / name).resolve() if name else page
        if not target.exists() or (anchor and anchor not in anchors(target)):
            broken.append(link)
    assert broken == []


def anchors(page: Path) -> set[str]:
    """The anchors that GitHub gives to a page's headings."""
    headings = re.findall(r"^#+ (.+)$", page.read_text(), re.M)
    return {re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in headings}


def test_every_page_is_reached_from_the_index() -> None:
    index = DOCS / "README.md"
    listed = {(DOCS / link.partition("#")[0]).resolve() for link in links_of(index)}
    unlisted = [str(p.relative_to(DOCS)) for p in sorted(DOCS.rglob("*.md")) if p not in listed | {index}]
    assert unlisted == []
