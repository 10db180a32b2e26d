"""Every operation of the matrix can be done by web, API and command line, or the page of faces says why not.

What the page says is held against the code: the way that it names exists and comes to the operation, and
where it names none, nothing of that face comes to it.
"""

from __future__ import annotations

import inspect
import re
from collections.abc import Callable, Iterator
from functools import lru_cache
from pathlib import Path
from typing import Any

import pytest
from typer.main import get_command

from partwell.api.application import build
from partwell.cli.main import app, load_commands
from partwell.people.authorisation import ACCESS_SCOPE, REGISTERED, Row, load_matrix
from partwell.web.urls import urlpatterns
from partwell.worker.register import register_all
from tests.agreement.reach import _follow, reached_from

PAGE = (Path(__file__).parents[2] / "docs/reference/faces.md").read_text(encoding="utf-8")
FACES = ("web", "api", "cli")
# Building the demo plays people, each as themselves; it is no face of its own.
PLAYING = "demo "

# An operation that is done as a part of another one alone, and of which.
WITHIN = {"access.cut": "access.shut_out"}


def _parts_of(name: str) -> frozenset[str]:
    """The operations that another one comes to by itself."""
    called = _follow(inspect.unwrap(REGISTERED[name]))[1]
    return frozenset().union(*map(reached_from, called))


# When a reason is one, by the matrix itself.
IS_A_REASON: dict[str, Callable[[Row], bool]] = {
    "second person": lambda row: row.fresh and "console" not in row.allow,
    "fresh sign-in": lambda row: row.fresh and row.scope != ACCESS_SCOPE,
    "engine": lambda row: row.allow <= {"engine", "console"},
    "first run": lambda row: row.name == "installation.initialise",
    "whole register": lambda row: row.name in ("people.view", "clients.view"),
    "within": lambda row: row.name in WITHIN and row.name in _parts_of(WITHIN[row.name]),
    "oneself": lambda row: row.name.startswith("practice.") and "console" not in row.allow,
    "no page": lambda row: "console" in row.allow,
}
# What the engine wakes up to do is done on the way by commands that settle something at once.
ON_THE_WAY = {"journeys.advance"}


def table() -> dict[str, dict[str, str]]:
    """The page's rows: for each operation the cell of each face."""
    rows = [[cell.strip() for cell in line.split("|")[1:-1]] for line in PAGE.splitlines() if "|" in line]
    return {
        row[0].strip("`"): dict(zip(FACES, row[1:], strict=True))
        for row in rows
        if re.fullmatch(r"`[a-z]+\.[a-z_]+`", row[0])
    }


@lru_cache(maxsize=1)
def ways() -> dict[str, dict[str, Callable[..., Any]]]:
    """Everything that can be called by each face, as the page names it."""
    load_commands()
    return {
        "web": {_address(str(found.pattern)): found.callback for found in urlpatterns},
        "api": dict(_api_calls()),
        "cli": dict(_commands("", get_command(app))),
    }


def _address(pattern: str) -> str:
    named = re.sub(r"<slug:key>", "KEY", re.sub(r"<slug:(name|system|receiver)>", "NAME", pattern))
    return "/" + re.sub(r"<\w+:\w+>", "ID", named)


def _api_calls() -> Iterator[tuple[str, Callable[..., Any]]]:
    for prefix, router in build()._routers:
        for path, view in router.path_operations.items():
            for operation in view.operations:
                for method in operation.methods:
                    yield f"{method} {re.sub(r'{[a-z]+_id}', '{id}', prefix + path)}", operation.view_func


def _commands(path: str, command: Any) -> Iterator[tuple[str, Callable[..., Any]]]:
    if hasattr(command, "commands"):
        for name, inner in command.commands.items():
            yield from _commands(f"{path} {name}".strip(), inner)
    else:
        yield path, command.callback


def named_in(cell: str) -> list[str]:
    """The ways that a cell names."""
    return re.findall(r"`([^`]+)`", cell)


def test_every_operation_has_its_row_and_no_other() -> None:
    assert set(table()) == set(load_matrix().operations)


@pytest.mark.parametrize("face", FACES)
def test_a_way_that_is_named_exists_and_comes_to_the_operation(face: str) -> None:
    known = ways()[face]
    wrong = [
        f"{name}: {way}"
        for name, cells in table().items()
        for way in named_in(cells[face])
        if way not in known or name not in reached_from(known[way])
    ]
    assert wrong == []


@pytest.mark.parametrize("face", FACES)
def test_where_no_way_is_named_there_is_none_and_the_reason_holds(face: str) -> None:
    matrix, wrong = load_matrix().operations, []
    for name, cells in table().items():
        if named_in(cells[face]):
            continue
        reason = cells[face]
        if reason not in IS_A_REASON or not IS_A_REASON[reason](matrix[name]):
            wrong.append(f"{name}: “{reason}” is no reason")
        ways_there = [
            way
            for way, function in ways()[face].items()
            if name in reached_from(function) and not way.startswith(PLAYING)
        ]
        if ways_there and name not in ON_THE_WAY:
            wrong.append(f"{name}: {', '.join(ways_there)} can do it")
    assert wrong == []


def test_every_reason_is_explained_and_used() -> None:
    explained = set(re.findall(r"^\| ([a-z -]+) \| [A-Z]", PAGE, re.M))
    used = {cell for cells in table().values() for cell in cells.values() if not named_in(cell)}
    assert explained == used == set(IS_A_REASON)


def test_what_the_engine_does_is_done_by_the_worker() -> None:
    by_itself = {name for name, cells in table().items() if set(cells.values()) == {"engine"}}
    assert by_itself <= reached_from(register_all)


def test_nothing_that_changes_something_is_left_out() -> None:
    """Each way that is no reading one comes to an operation, so that none goes past the matrix."""
    unsafe = [way for way in ways()["api"] if not way.startswith("GET ")]
    assert [way for way in unsafe if not reached_from(ways()["api"][way])] == []
