"""Markdown from people becomes HTML that cannot do anything."""

from __future__ import annotations

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from partwell.documents.markdown import TAGS, render_markdown


def test_guidance_keeps_its_form() -> None:
    html = render_markdown("# Keys\n\n1. **Ask** for `badge`\n\n| a | b |\n|:--|--:|\n| 1 | 2 |\n")
    assert "<h3>Keys</h3>" in html
    assert "<strong>Ask</strong>" in html
    assert "<td>1</td>" in html


def test_the_deepest_heading_stays_one() -> None:
    assert render_markdown("###### x") == "<h6>x</h6>\n"


def test_links_to_the_web_and_to_mail_are_kept_and_leave_no_door_open() -> None:
    html = render_markdown("[a](https://example.com/?a=1&b=2) <mailto:x@example.com>")
    assert 'href="https://example.com/?a=1&amp;b=2"' in html
    assert 'href="mailto:x@example.com"' in html
    assert html.count('rel="noopener noreferrer nofollow"') == 2


@pytest.mark.parametrize(
    "text",
    [
        "<script>alert(1)</script>",
        "<img src=x onerror=alert(1)>",
        "[x](javascript:alert(1))",
        "[x](JaVaScRiPt:alert(1))",
        "[x](data:text/html;base64,PHNjcmlwdD4=)",
        "[x](//evil.example)",
        "[x](/settings)",
        "[x][1]\n\n[1]: vbscript:x",
        "![x](https://evil.example/pixel.png)",
        "![<script>](x)",
        '<https://x.example/"onmouseover=alert(1)>',
        "`<svg onload=alert(1)>`",
    ],
)
def test_nothing_runs_and_nothing_is_loaded(text: str) -> None:
    html = render_markdown(text)
    assert not re.search(r"<(script|img|svg|iframe|style)|<[^>]*\son\w+=|style=", html)
    assert not re.search(r'href="(?!https?:|mailto:)', html)


def test_a_picture_is_its_description() -> None:
    assert render_markdown("![the <b> badge](https://x.example/p.png)") == "<p>the &lt;b&gt; badge</p>\n"


@given(st.text(alphabet=st.sampled_from("<>[]()!`*_#&\"'\n\\ :/ajscriptonload=hdt|-"), max_size=120))
def test_no_text_makes_a_tag_that_is_not_allowed(text: str) -> None:
    html = render_markdown(text)
    tags = set(re.findall(r"</?([a-z0-9]+)", html))
    assert tags <= TAGS
