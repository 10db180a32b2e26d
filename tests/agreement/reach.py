"""Which operations of the matrix a function leads to, as far as its code can be followed.

Followed are the names that its code looks up, through every function of the product. An operation is reached
where the function that is registered for it comes up, or where its name stands in the code, as where a read
asks `authorise(actor, "journeys.view", …)`.
"""

from __future__ import annotations

import importlib
import inspect
import re
from collections.abc import Callable, Iterator
from functools import cache
from types import CodeType, FunctionType, ModuleType
from typing import Any

from partwell.people.authorisation import REGISTERED, load_matrix

PRODUCT = "partwell"
# A module that a function imports when it is called.
MODULE = re.compile(rf"{PRODUCT}(\.[a-z_]+)+")


def reached_from(function: Callable[..., Any]) -> frozenset[str]:
    """The names of all operations that this function may come to."""
    found: set[str] = set()
    waiting, seen, rows = [inspect.unwrap(function)], set(), _registered()
    while waiting:
        each = waiting.pop()
        if each in seen or not isinstance(each, FunctionType):
            continue
        seen.add(each)
        if each in rows:
            # What it calls in turn is the operation's own doing, and not its caller's.
            found.add(rows[each])
            continue
        named, called = _follow(each)
        found |= named
        waiting += called
    return frozenset(found)


@cache
def _follow(function: FunctionType) -> tuple[frozenset[str], tuple[FunctionType, ...]]:
    """The operations that a function names, and the product's own functions that it looks up."""
    texts: set[str] = set()
    names: set[str] = set()
    for code in _codes(function.__code__):
        texts |= {text for text in code.co_consts if isinstance(text, str)}
        names |= set(code.co_names)
    here = [function.__globals__[name] for name in names & function.__globals__.keys()]
    here += [importlib.import_module(text) for text in texts | names if MODULE.fullmatch(text)]
    called: list[FunctionType] = []
    for thing in here:
        for found in _behind(thing, names):
            if isinstance(found, str):
                texts.add(found)
            else:
                called.append(found)
    return frozenset(texts & load_matrix().operations.keys()), tuple(called)


def _codes(code: CodeType) -> Iterator[CodeType]:
    yield code
    for inner in code.co_consts:
        if isinstance(inner, CodeType):
            yield from _codes(inner)


def _behind(thing: Any, names: set[str]) -> Iterator[FunctionType | str]:
    """The product's functions behind something that is looked up, and the texts of a table; of a module or an
    object, what these `names` are in it."""
    if isinstance(thing, dict):
        for value in thing.values():
            yield from [value] if isinstance(value, str) else _behind(value, names)
    elif _has_names(thing):
        for name in names & vars(thing).keys():
            if not isinstance(inner := vars(thing)[name], ModuleType):
                yield from _behind(inner, names)
    elif callable(thing) and not inspect.isclass(thing):
        plain = inspect.unwrap(thing)
        if isinstance(plain, FunctionType) and plain.__module__.startswith(PRODUCT):
            yield plain


def _has_names(thing: Any) -> bool:
    """Whether this is a module or an object of the product."""
    if isinstance(thing, ModuleType):
        return thing.__name__.startswith(PRODUCT)
    return not callable(thing) and hasattr(thing, "__dict__") and type(thing).__module__.startswith(PRODUCT)


@cache
def _registered() -> dict[Any, str]:
    return {inspect.unwrap(function): name for name, function in REGISTERED.items()}
