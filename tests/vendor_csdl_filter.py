"""The part of OData's `$filter` that our connectors write, checked against a contract's types."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from tests.vendor_csdl_shapes import Broken, Shape

if TYPE_CHECKING:
    from tests.vendor_csdl import Contract

_TOKEN = re.compile(
    r"\s*(?:(?P<text>'(?:[^']|'')*')"
    r"|(?P<guid>[0-9a-fA-F]{8}(?:-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12})"
    r"|(?P<date>\d{4}-\d\d-\d\dT[^\s),]+)"
    r"|(?P<number>-?\d+)"
    r"|(?P<word>[A-Za-z_][\w.]*(?:/[\w.$]+)*)"
    r"|(?P<sign>[():,]))"
)
_COMPARISONS = {"eq", "ne", "gt", "ge", "lt", "le"}
_FUNCTIONS = {"startswith", "endswith", "contains"}
_KINDS = {"Edm.String": "text", "Edm.Guid": "guid", "Edm.DateTimeOffset": "date"}


def check_filter(contract: Contract, shape: Shape, text: str) -> None:
    """Raise `Broken` unless every name, operator and literal of the filter fits the type."""
    _Filter(contract, shape, text).check()


class _Filter:
    def __init__(self, contract: Contract, shape: Shape, text: str) -> None:
        self._contract, self._shape, self._text = contract, shape, text
        self._variables: dict[str, Shape] = {}
        self._tokens: list[tuple[str, str]] = []
        position = 0
        while position < len(text.rstrip()):
            match = _TOKEN.match(text, position)
            if match is None:
                raise self._broken(f"cannot be read from {text[position:]!r}")
            kind = str(match.lastgroup)
            self._tokens.append((kind, match[kind]))
            position = match.end()

    def check(self) -> None:
        self._any_of()
        if self._tokens:
            raise self._broken(f"goes on with {self._tokens[0][1]!r}")

    def _any_of(self) -> None:
        self._one()
        while self._tokens and self._tokens[0] in (("word", "or"), ("word", "and")):
            self._tokens.pop(0)
            self._one()

    def _one(self) -> None:
        kind, word = self._take()
        if word == "not":
            self._one()
        elif word == "(":
            self._any_of()
            self._expect(")")
        elif kind != "word":
            raise self._broken(f"has {word!r} where a property belongs")
        elif word.endswith(("/any", "/all")):
            self._lambda(word.rpartition("/")[0])
        elif word in _FUNCTIONS:
            self._expect("(")
            target = self._path(self._take()[1])
            if target.type != "Edm.String" or target.is_many:
                raise self._broken(f"calls {word} on what is no text")
            self._expect(",")
            self._literal(target)
            self._expect(")")
        else:
            target = self._path(word)
            if target.is_many:
                raise self._broken(f"compares the collection {word!r} as if it were one value")
            operator = self._take()[1]
            if operator not in _COMPARISONS:
                raise self._broken(f"has no operator {operator!r}")
            self._literal(target)

    def _lambda(self, path: str) -> None:
        target = self._path(path)
        if not target.is_many:
            raise self._broken(f"asks any or all of {path!r}, which is one value")
        self._expect("(")
        variable = self._take()[1]
        self._expect(":")
        self._variables[variable] = Shape(target.type)
        self._any_of()
        del self._variables[variable]
        self._expect(")")

    def _path(self, path: str) -> Shape:
        first, _, rest = path.partition("/")
        if first in self._variables:
            start = self._variables[first]
            return self._contract.follow(start, rest) if rest else start
        return self._contract.follow(self._shape, path)

    def _literal(self, target: Shape) -> None:
        kind, value = self._take()
        if value == "null" and target.nullable:
            return
        if target.type in self._contract.enumerations:
            if value.strip("'") not in self._contract.enumerations[target.type]:
                raise self._broken(f"names {value}, which is no {target.type}")
            return
        if target.type == "Edm.Boolean":
            fits = value in ("true", "false")
        else:
            fits = kind == _KINDS.get(target.type, "number")
        if not fits:
            raise self._broken(f"compares {target.type} with {value}")

    def _expect(self, sign: str) -> None:
        if self._take() != ("sign", sign):
            raise self._broken(f"lacks {sign!r}")

    def _take(self) -> tuple[str, str]:
        if not self._tokens:
            raise self._broken("ends too soon")
        return self._tokens.pop(0)

    def _broken(self, what: str) -> Broken:
        return Broken(f"the filter {self._text!r} {what}")
