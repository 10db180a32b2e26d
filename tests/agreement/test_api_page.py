"""The API's reference page names every call, scope and limit that there is, and no other."""

from __future__ import annotations

import importlib
import json
import pkgutil
import re
from collections import Counter
from pathlib import Path

from django.test import RequestFactory
from django.urls import resolve
from ninja import Schema

import partwell.api
from partwell.api.authentication import CALLS_PER_MINUTE
from partwell.api.idempotency import KEPT_FOR, LONGEST_KEY
from partwell.people.authorisation import load_matrix
from partwell.people.token_operations import DEFAULT_DAYS, MOST_DAYS, Scope

PAGE = (Path(__file__).parents[2] / "docs/reference/api.md").read_text(encoding="utf-8")


def described() -> set[str]:
    address = "/api/v1/openapi.json"
    schema = json.loads(resolve(address).func(RequestFactory().get(address)).content)
    return {
        f"{method.upper()} {re.sub(r'{[a-z]+_id}', '{id}', path.removeprefix('/api/v1'))}"
        for path, methods in schema["paths"].items()
        for method in methods
    }


def test_every_call_is_on_the_page_and_no_other() -> None:
    table = PAGE.split("## Calls")[1].split("\n`POST /journeys`")[0]
    assert set(re.findall(r"`((?:GET|POST|PATCH|DELETE) /[^`]*)`", table)) == described()


def test_no_two_shapes_have_one_name() -> None:
    """The description has one place for each name: of two, one would be told of where the other is meant."""
    for module in pkgutil.walk_packages(partwell.api.__path__, "partwell.api."):
        importlib.import_module(module.name)
    shapes = (shape for shape in _all_below(Schema) if shape.__module__.startswith("partwell.api"))
    names = Counter(shape.__name__ for shape in shapes)
    assert [name for name, count in names.items() if count > 1] == []


def _all_below(parent: type) -> set[type]:
    return {parent}.union(*map(_all_below, parent.__subclasses__()))


def test_scopes_of_the_matrix_are_those_of_tokens_and_all_are_explained() -> None:
    assert {row.scope for row in load_matrix().operations.values()} == set(Scope)
    assert all(f"| `{scope}` |" in PAGE for scope in Scope)


def test_limits_are_the_code_s() -> None:
    hours = int(KEPT_FOR.total_seconds() // 3600)
    for said in (
        f"more than {CALLS_PER_MINUTE} calls within a minute",
        f"1 to {LONGEST_KEY} printable characters",
        f"for {hours} hours",
        f"lives {DEFAULT_DAYS} days unless said otherwise, {MOST_DAYS} at most",
    ):
        assert said in PAGE
