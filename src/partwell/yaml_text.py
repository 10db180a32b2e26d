"""Reading YAML: plain values, and the line of each, from text that nobody vouches for.

The YAML that templates and declared connectors need is small: mappings, lists, text, numbers, true and
false. Everything that makes YAML dangerous or surprising is refused with its line before any value is built:
anchors and aliases (a few lines can stand for gigabytes), tags, several documents, deep nesting, a key that
comes twice.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, cast

import yaml

MAX_BYTES = 512 * 1024
# Scalars and collections together; 400 steps of 13 fields with a few list entries each stay well below.
MAX_NODES = 20_000

# The C parser is some ten times faster and reads the same language.
SafeLoader: Any = getattr(yaml, "CSafeLoader", yaml.SafeLoader)

_TEXT, _INT, _BOOL, _NULL, _FLOAT = (
    f"tag:yaml.org,2002:{kind}" for kind in ("str", "int", "bool", "null", "float")
)
_TRUE = frozenset({"true", "yes", "on"})

Path = tuple[str | int, ...]


@dataclass(frozen=True, order=True)
class Position:
    """Where something stands in the file; both count from 1, as editors do."""

    line: int
    column: int


@dataclass(frozen=True)
class Dialect:
    """What may be written: how deep, whether a number may have a fraction, and what the file is called."""

    name: str
    max_depth: int
    fractions: bool = False


@dataclass(frozen=True, order=True)
class Problem:
    """One thing to mend. `field` is a path such as `steps.cut-access.due`; lines count from 1."""

    file: str
    line: int
    field: str
    message: str

    def __str__(self) -> str:
        return f"{self.file}:{self.line}: {self.field + ': ' if self.field else ''}{self.message}"


class Unreadable(Exception):
    """The text is no YAML that is read here. `message` says why, `position` where."""

    def __init__(self, message: str, position: Position) -> None:
        super().__init__(message)
        self.message = message
        self.position = position


@dataclass(frozen=True)
class Loaded:
    """The plain value of a file, and where each part of it stands.

    Positions are kept per path, as in `("steps", 3, "due")`.
    """

    value: Any
    positions: dict[Path, Position]

    def position_of(self, path: Path) -> Position:
        """Where `path` stands, or the nearest thing around it when it is not in the file."""
        while path and path not in self.positions:
            path = path[:-1]
        return self.positions[path]


def load(text: str, dialect: Dialect) -> Loaded:
    """Read `text`; raises `Unreadable` with the place of what is wrong."""
    if len(text.encode("utf-8", errors="replace")) > MAX_BYTES:
        raise Unreadable(
            f"The file is larger than {MAX_BYTES // 1024} KB. Shorten it, or make two {dialect.name}s.",
            Position(1, 1),
        )
    try:
        _refuse_the_dangerous(text, dialect)
        node = yaml.compose(text, Loader=SafeLoader)
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        where = Position(mark.line + 1, mark.column + 1) if mark else Position(1, 1)
        raise Unreadable(f"This is not YAML: {error.problem or error.context}.", where) from error
    except yaml.YAMLError as error:
        raise Unreadable(f"This is not YAML: {error}.", Position(1, 1)) from error
    if node is None:
        raise Unreadable("The file is empty. Begin with “id:” and “title:”.", Position(1, 1))
    positions: dict[Path, Position] = {}
    return Loaded(_plain(node, (), positions, dialect), positions)


def _refuse_the_dangerous(text: str, dialect: Dialect) -> None:
    """Look through the events, which cost no memory, before anything is built from them."""
    depth = count = documents = 0
    for event in yaml.parse(text, Loader=SafeLoader):
        here = _position(event)
        if isinstance(event, yaml.DocumentStartEvent):
            documents += 1
            if documents > 1:
                raise Unreadable(
                    f"One file holds one {dialect.name}. Move what follows “---” to its own.", here
                )
        if isinstance(event, yaml.AliasEvent) or getattr(event, "anchor", None):
            raise Unreadable("Anchors (&) and aliases (*) are not read. Write the text out.", here)
        if tag := getattr(event, "tag", None):
            raise Unreadable(f"The tag {tag} is not read. Leave it away.", here)
        if isinstance(event, yaml.ScalarEvent | yaml.CollectionStartEvent):
            count += 1
            if count > MAX_NODES:
                raise Unreadable(f"The file holds more than {MAX_NODES} values. Split it.", here)
        if isinstance(event, yaml.CollectionStartEvent):
            depth += 1
            if depth > dialect.max_depth:
                raise Unreadable(f"Nested deeper than {dialect.max_depth} levels. Flatten it.", here)
        elif isinstance(event, yaml.CollectionEndEvent):
            depth -= 1


def _plain(node: yaml.Node, path: Path, positions: dict[Path, Position], dialect: Dialect) -> Any:
    positions[path] = _position(node)
    if isinstance(node, yaml.MappingNode):
        return {
            key: _plain(value, (*path, key), positions, dialect)
            for key, value in _entries(node, path, positions)
        }
    if isinstance(node, yaml.SequenceNode):
        return [_plain(item, (*path, index), positions, dialect) for index, item in enumerate(node.value)]
    return _scalar(cast(yaml.ScalarNode, node), dialect)


def _entries(
    node: yaml.MappingNode, path: Path, positions: dict[Path, Position]
) -> Iterator[tuple[str, yaml.Node]]:
    seen: dict[str, Position] = {}
    for key_node, value_node in node.value:
        here = _position(key_node)
        # A number is let through as text: phases are named by theirs in `empty_phases`.
        if not isinstance(key_node, yaml.ScalarNode) or key_node.tag not in (_TEXT, _INT):
            raise Unreadable("A key must be a plain word. Put it in quotes if it looks like more.", here)
        key = key_node.value
        if key in seen:
            raise Unreadable(
                f"“{key}” is here twice, first on line {seen[key].line}. Keep one of the two.", here
            )
        seen[key] = here
        yield key, value_node
        # A problem with the value is shown where the reader looks for it: at its key.
        positions[(*path, key)] = here


def _scalar(node: yaml.ScalarNode, dialect: Dialect) -> str | int | float | bool | None:
    text = node.value
    if node.tag == _BOOL:
        return text.lower() in _TRUE
    if node.tag == _NULL:
        return None
    if node.tag == _INT:
        try:
            return int(text)
        except ValueError:
            return str(text)  # 0x1f, 1:30 and the like are read as they are written
    if node.tag == _FLOAT and dialect.fractions:
        try:
            return float(text)
        except ValueError:
            return str(text)
    return str(text)  # dates are read as they are written


def _position(marked: yaml.Node | yaml.Event) -> Position:
    mark = cast(yaml.Mark, marked.start_mark)  # set on all that was read from text
    return Position(mark.line + 1, mark.column + 1)
