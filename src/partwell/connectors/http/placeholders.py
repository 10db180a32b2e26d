"""Putting values into requests, so that no value can change what is asked.

A value of a person stands in a path as one whole segment, percent-encoded; in a query as one whole value,
or quoted as JSON text; in a body as one whole text, a whole number, or quoted. Keys, headers, methods, the
host and everything else come from the file alone.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Iterator, Mapping
from json import dumps
from typing import Any
from urllib.parse import quote

from partwell.connector_kit.values import ConnectorError, ErrorKind

_PLACEHOLDER = re.compile(r"\{(?P<name>[a-z_]+(?:\.[a-z0-9_]+)?)(?:\|(?P<form>[a-z]+))?\}")
FORMS = ("json", "integer")
LONGEST_VALUE = 500


def path_of(template: str, values: Mapping[str, str]) -> str:
    """The path with its values. Raises INVALID for one that no path can carry without becoming another."""
    return "/".join(_segment(part, values) for part in template.split("/"))


def _segment(part: str, values: Mapping[str, str]) -> str:
    match = _PLACEHOLDER.fullmatch(part)
    if match is None:
        return part
    value = _value(match, values)
    # Many servers decode %2F before they look at the path, so that encoding alone would not hold it.
    if value in ("", ".", "..") or any(c in "/\\" or c < " " or c == "\x7f" for c in value):
        raise ConnectorError(
            ErrorKind.INVALID,
            f"The {_spoken(match)} cannot stand in an address: it holds a slash, a control character, or is "
            "made of dots. Nothing was asked.",
        )
    return quote(value, safe="")


def text_of(template: str, values: Mapping[str, str]) -> str:
    """A query value with its values."""
    return str(_filled(template, values))


def body_of(template: Any, values: Mapping[str, str]) -> Any:
    """A body with its values in its texts; keys, lists and numbers stay as they are."""
    if isinstance(template, str):
        return _filled(template, values)
    if isinstance(template, list):
        return [body_of(each, values) for each in template]
    if isinstance(template, dict):
        return {key: body_of(each, values) for key, each in template.items()}
    return template


def _filled(template: str, values: Mapping[str, str]) -> str | int:
    if match := _PLACEHOLDER.fullmatch(template):
        value = _value(match, values)
        if match["form"] == "integer":
            return _integer(value, match)
        return dumps(value) if match["form"] == "json" else value
    return _PLACEHOLDER.sub(lambda match: dumps(_value(match, values)), template)


def _integer(value: str, match: re.Match[str]) -> int:
    if not re.fullmatch(r"-?[0-9]{1,18}", value):
        raise ConnectorError(
            ErrorKind.INVALID, f"The {_spoken(match)} is no whole number. Nothing was asked."
        )
    return int(value)


def _value(match: re.Match[str], values: Mapping[str, str]) -> str:
    value = values[match["name"]]
    if len(value) > LONGEST_VALUE:
        raise ConnectorError(
            ErrorKind.INVALID,
            f"The {_spoken(match)} is longer than {LONGEST_VALUE} characters. Nothing was asked.",
        )
    return value


def _spoken(match: re.Match[str]) -> str:
    return {"value": "fact that people are looked up by", "account.id": "identifier of the account"}.get(
        match["name"], match["name"]
    )


def mistakes_in_path(template: str, known: Collection[str]) -> Iterator[str]:
    """What is wrong with a path as the file has it."""
    for part in template.split("/"):
        if _PLACEHOLDER.fullmatch(part):
            yield from _unknown(part, known)
            if "|" in part:
                yield f"“{part}”: in a path there is no |json and no |integer"
        elif "{" in part or "}" in part:
            yield f"“{part}”: a placeholder is a whole segment of the path, as in /users/{{account.id}}"
        elif part in (".", "..") or "%" in part:
            yield f"“{part}”: write the path without dots and without percent signs"


def mistakes_in_text(template: str, known: Collection[str], *, body: bool) -> Iterator[str]:
    """What is wrong with a query value, or with a text of a body."""
    whole = _PLACEHOLDER.fullmatch(template)
    for match in _PLACEHOLDER.finditer(template):
        yield from _unknown(match[0], known)
        form = match["form"]
        if form and form not in FORMS:
            yield f"“{match[0]}”: there are |json and |integer"
        if form == "integer" and not (whole and body):
            yield f"“{match[0]}”: |integer stands alone, in a body"
        if form is None and not whole:
            yield (
                f"“{match[0]}” stands within other text, where a person's data could change what is asked. "
                f"Write {{{match['name']}|json}}, which quotes it"
            )
    if re.search(r"[{}]", _PLACEHOLDER.sub("", template)):
        yield "Braces are for placeholders: {account.id}, {value|json}"


def _unknown(text: str, known: Collection[str]) -> Iterator[str]:
    match = _PLACEHOLDER.fullmatch(text)
    if match and match["name"] not in known:
        yield f"“{match[0]}” is not known here. There are: {', '.join(sorted(known)) or 'none'}"
