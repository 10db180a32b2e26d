"""Guidance and comments, written in markdown by people, as HTML that cannot do anything."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Any

import nh3
from django.utils.html import escape
from django.utils.safestring import SafeString, mark_safe
from markdown_it import MarkdownIt
from markdown_it.token import Token

# Pages have their own first and second level.
LOWER_HEADINGS_BY = 2
_TAGS = "a blockquote br code del em h3 h4 h5 h6 hr li ol p pre s strong table tbody td th thead tr ul"
TAGS = set(_TAGS.split())
_SAFE_LINK = re.compile(r"(?:https?://|mailto:)[^\s]+", re.IGNORECASE)


def _only_the_words(self: Any, tokens: Sequence[Token], at: int, options: Any, env: Any) -> str:
    """A picture as its description: loading it would tell somebody else who reads this."""
    return escape(tokens[at].content)


def _parser() -> MarkdownIt:
    parser = MarkdownIt("commonmark", {"html": False}).enable(["table", "strikethrough"])
    parser.validateLink = lambda url: _SAFE_LINK.fullmatch(url) is not None  # type: ignore[method-assign]
    parser.add_render_rule("image", _only_the_words)
    parser.core.ruler.push("lower_headings", _lower_headings)
    return parser


def _lower_headings(state: Any) -> None:
    for token in state.tokens:
        if token.type in ("heading_open", "heading_close"):
            token.tag = f"h{min(int(token.tag[1:]) + LOWER_HEADINGS_BY, 6)}"


_PARSER = _parser()


def render_markdown(text: str) -> SafeString:
    """`text` as HTML: no markup of its own, no pictures, links to the web and to mail only."""
    html = nh3.clean(
        _PARSER.render(text),
        tags=TAGS,
        attributes={"a": {"href", "title"}, "ol": {"start"}},
        url_schemes={"http", "https", "mailto"},
        link_rel="noopener noreferrer nofollow",
    )
    return mark_safe(html)  # noqa: S308 (nh3 has just cleaned it)
