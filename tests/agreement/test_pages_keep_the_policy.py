"""What the Content-Security-Policy would block must not be in a template to begin with."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

WEB = Path(__file__).resolve().parents[2] / "src/partwell/web"
TEMPLATES = sorted(WEB.rglob("templates/**/*.html"))
BLOCKED = {
    "a style attribute": re.compile(r"""\sstyle\s*=""", re.I),
    "a style element": re.compile(r"<style\b", re.I),
    "an inline script": re.compile(r"<script\b(?![^>]*\bsrc=)", re.I),
    "an inline handler": re.compile(r"""\son[a-z]+\s*=""", re.I),
    "hx-on": re.compile(r"\bhx-on\b", re.I),
    "a javascript: address": re.compile(r"\bjavascript:|\bjs:", re.I),
    "another host": re.compile(r"""(?:src|href)=["']?(?:https?:)?//""", re.I),
}


def broken_rules(text: str) -> list[str]:
    return [name for name, pattern in BLOCKED.items() if pattern.search(text)]


@pytest.mark.parametrize("template", TEMPLATES, ids=lambda path: str(path.relative_to(WEB)))
def test_a_template_needs_nothing_inline_and_nothing_from_elsewhere(template: Path) -> None:
    assert broken_rules(template.read_text()) == []


@pytest.mark.parametrize(
    "text",
    [
        '<p style="color:red">',
        "<style>p{}</style>",
        "<script>go()</script>",
        '<b onclick="go()">',
        '<b hx-on:click="go()">',
        '<a href="javascript:go()">',
        '<b hx-vals="js:{a: 1}">',
        '<script src="https://elsewhere.example/a.js"></script>',
    ],
)
def test_each_rule_catches_its_example(text: str) -> None:
    assert broken_rules(text)


def test_every_icon_that_a_page_names_is_in_the_font() -> None:
    kept = set((WEB / "static/vendor/icons.txt").read_text().split())
    sources = [*TEMPLATES, *WEB.glob("*.py"), *WEB.glob("templatetags/*.py")]
    named = {
        name
        for path in sources
        for pattern in (
            r"""\bicon "([a-z0-9-]+)\"""",
            r"""\bti-([a-z0-9-]+)""",
            r"""icon_name="([a-z0-9-]+)\"""",
        )
        for name in re.findall(pattern, path.read_text())
    }
    assert named
    assert named <= kept


def test_every_vendored_file_has_its_package_in_the_list_of_licences() -> None:
    listed = (WEB / "static/vendor/LICENCES.md").read_text()
    for package in (
        "@tabler/core",
        "@tabler/icons-webfont",
        "htmx.org",
        "inter",
        "source-serif-4",
        "jetbrains-mono",
    ):
        assert package in listed
