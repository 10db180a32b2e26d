"""The authorisation matrix: reading it, and asking it.

`authorisation.yaml` beside this file has one row per operation: who may do it, on what kind of object,
whether a closed departure still allows it, and how sure we must be of the person. `operation` registers
the code that carries a row's name; a test compares the two, so that neither exists without the other.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass
from functools import lru_cache, wraps
from pathlib import Path
from typing import Any, ParamSpec, TypeVar

import yaml
from django.db import transaction

from partwell.people.actors import Actor, Channel
from partwell.people.roles import Role
from partwell.refusals import FreshSignInNeeded, NotAllowed
from partwell.yaml_text import SafeLoader

MATRIX_FILE = Path(__file__).with_name("authorisation.yaml")

# Capacities besides the roles: who one is to this very object.
STEP_OWNER = "step_owner"
HELPER = "helper"
ANYBODY = "anybody"
CREDENTIAL_OWNER = "credential_owner"
CREDENTIAL_HOLDER = "credential_holder"
SUCCESSOR = "successor"
# The one scope that needs a second factor to be given away.
ACCESS_SCOPE = "access"
CAPACITIES = frozenset(
    {STEP_OWNER, HELPER, ANYBODY, CREDENTIAL_OWNER, CREDENTIAL_HOLDER, SUCCESSOR, "console", "engine"}
)

P = ParamSpec("P")
R = TypeVar("R")


@dataclass(frozen=True)
class Row:
    """What the matrix says of one operation."""

    name: str
    on: str
    allow: frozenset[str]
    on_closed: bool
    fresh: bool
    scope: str
    about: str


@dataclass(frozen=True)
class Matrix:
    """The whole file: operations, and the fields that only some may read."""

    operations: dict[str, Row]
    fields: dict[str, frozenset[str]]


class _OnlyTrueAndFalse(SafeLoader):
    """YAML 1.1 reads the column name `on` as a truth value; here, as in YAML 1.2, only true and false are."""


_OnlyTrueAndFalse.yaml_implicit_resolvers = {
    first: [(tag, rule) for tag, rule in rules if tag != "tag:yaml.org,2002:bool"]
    for first, rules in yaml.SafeLoader.yaml_implicit_resolvers.items()
}
_OnlyTrueAndFalse.add_implicit_resolver("tag:yaml.org,2002:bool", re.compile(r"^(?:true|false)$"), list("tf"))


@lru_cache(maxsize=1)
def load_matrix(path: Path = MATRIX_FILE) -> Matrix:
    """Read the matrix; raises `ValueError` on an unknown role or a missing column."""
    known = {r.value for r in Role} | CAPACITIES
    raw = yaml.load(path.read_text(encoding="utf-8"), Loader=_OnlyTrueAndFalse)  # noqa: S506 (a safe loader)
    operations = {}
    for name, row in raw["operations"].items():
        allow = frozenset(row["allow"])
        if unknown := allow - known:
            raise ValueError(f"{path.name}: {name} allows unknown {sorted(unknown)}")
        operations[name] = Row(
            name=name,
            on=row["on"],
            allow=allow,
            on_closed=bool(row.get("on_closed", False)),
            fresh=bool(row.get("fresh", False)),
            scope=row.get("scope", "write"),
            about=row["about"],
        )
    fields = {name: frozenset(allowed) for name, allowed in raw["fields"].items()}
    return Matrix(operations=operations, fields=fields)


REGISTERED: dict[str, Callable[..., Any]] = {}


def operation(name: str) -> Callable[[Callable[P, R]], Callable[P, R]]:
    """Register a function as the one that does `name`, and run it in one transaction.

    The name must have its row in the matrix, or importing the module fails.
    """

    def register(function: Callable[P, R]) -> Callable[P, R]:
        @wraps(function)
        def run(*args: P.args, **kwargs: P.kwargs) -> R:
            with transaction.atomic():
                return function(*args, **kwargs)

        return reading(name)(run)

    return register


def reading(name: str) -> Callable[[Callable[P, R]], Callable[P, R]]:
    """Register a function that only reads as the one that does `name`; it needs no transaction.

    On SQLite a transaction takes the one place of the writer, so reading must not open one.
    """
    if name not in load_matrix().operations:
        raise LookupError(f"operation {name!r} has no row in {MATRIX_FILE.name}")

    def register(function: Callable[P, R]) -> Callable[P, R]:
        if name in REGISTERED:
            raise LookupError(f"operation {name!r} is registered twice")
        REGISTERED[name] = function
        return function

    return register


def check_allowed(actor: Actor, name: str, held: frozenset[str]) -> None:
    """Raise unless an actor who holds the roles and capacities `held` here may do `name`.

    The console may do what its row grants to `console`; an API token also needs the row's scope.
    Visibility is asked before this: see `departures.policies.authorise`.
    """
    row = load_matrix().operations[name]
    held = held | {ANYBODY}
    if actor.channel is Channel.CONSOLE:
        held = held | {"console"}
    elif actor.channel is Channel.ENGINE:
        held = held | {"engine"}
    if not held & row.allow:
        raise NotAllowed("not_allowed", f"{row.about} is for {_names(row.allow)}. Ask one of them.")
    if actor.scopes is not None and row.scope not in actor.scopes:
        raise NotAllowed(
            "scope_missing", f"This token lacks the scope “{row.scope}”. Create one that has it."
        )
    if row.fresh and actor.channel is not Channel.CONSOLE and not _is_sure_of(actor, row):
        raise FreshSignInNeeded


def _is_sure_of(actor: Actor, row: Row) -> bool:
    """Whether the person confirmed themselves: just now, or when they gave a token the scope of this row."""
    return actor.is_fresh or (actor.scopes is not None and row.scope == ACCESS_SCOPE)


def check_office(actor: Actor, name: str) -> None:
    """As `check_allowed`, for what belongs to no departure: registers, settings, templates, systems."""
    check_allowed(actor, name, frozenset(g.role.value for g in actor.grants))


def may_read_field(actor: Actor, field: str, held: frozenset[str]) -> bool:
    """Whether one who holds `held` may read `field` (`departure.reason`); unlisted fields are open."""
    allowed = load_matrix().fields.get(field)
    if allowed is None:
        return True
    if actor.channel is Channel.CONSOLE:
        return "console" in allowed
    return bool(held & allowed)


def _names(allow: frozenset[str]) -> str:
    words = {
        "step_owner": "the step's owner",
        "helper": "an invited helper",
        "console": "the console",
        "credential_owner": "whoever owns the credential",
        "credential_holder": "whoever knows the credential",
        "successor": "the successor",
    }
    return ", ".join(sorted(words.get(a, a.replace("_", " ")) for a in allow if a not in ("engine", ANYBODY)))
