"""What a JSON document shows: pointers (RFC 6901), and comparisons that keep types apart."""

from __future__ import annotations

from collections.abc import Iterable
from json import dumps
from typing import Any

from partwell.connector_kit.contract import ConnectorError
from partwell.connector_kit.transport import Answer
from partwell.connectors.http.model import Condition, Test

MISSING: Any = object()


def at(document: Any, pointer: str) -> Any:
    """What `pointer` leads to, or `MISSING`."""
    here = document
    for step in pointer.split("/")[1:]:
        name = step.replace("~1", "/").replace("~0", "~")
        if isinstance(here, dict) and name in here:
            here = here[name]
        elif isinstance(here, list) and name.isascii() and name.isdecimal() and int(name) < len(here):
            here = here[int(name)]
        else:
            return MISSING
    return here


def same(one: Any, other: Any) -> bool:
    """Whether two JSON values are equal and of one type: 1 is not true, and "200" is not 200."""
    if isinstance(one, bool) or isinstance(other, bool):
        return one is other
    if isinstance(one, list) and isinstance(other, list):
        return len(one) == len(other) and all(map(same, one, other))
    if isinstance(one, dict) and isinstance(other, dict):
        return one.keys() == other.keys() and all(same(one[key], other[key]) for key in one)
    return bool(one == other)


def holds(test: Test, document: Any) -> bool | None:
    """Whether the document shows it. None when it holds nothing that could be compared."""
    found = at(document, test.at)
    if "exists" in test.model_fields_set:
        return (found is not MISSING) == test.exists
    if found is MISSING:
        return None
    wanted = test.one_of if "one_of" in test.model_fields_set else [test.equals]
    return any(same(found, each) for each in wanted)


def all_hold(tests: Iterable[Test], document: Any) -> bool | None:
    """Whether all hold: no as soon as one does not, unknown when one cannot be told."""
    answers = [holds(test, document) for test in tests]
    if False in answers:
        return False
    return None if None in answers else True


def meets(condition: Condition, answer: Answer) -> bool:
    """Whether an answer is the one that `condition` describes. An answer that is no JSON meets no `where`."""
    if condition.never or answer.status not in condition.status:
        return False
    if not condition.where:
        return True
    document = document_of(answer)
    return document is not MISSING and all_hold(condition.where, document) is True


def document_of(answer: Answer) -> Any:
    """The answer's JSON, or `MISSING` when there is none."""
    try:
        return answer.json() if answer.body else MISSING
    except ConnectorError:
        return MISSING


def in_words(test: Test) -> str:
    """A test as a person reads it."""
    place = test.at or "the whole answer"
    if "exists" in test.model_fields_set:
        return f"{place} {'is there' if test.exists else 'is not there'}"
    if "one_of" in test.model_fields_set:
        return f"{place} is one of {', '.join(map(_json, test.one_of))}"
    return f"{place} is {_json(test.equals)}"


def _json(value: Any) -> str:
    return dumps(value, ensure_ascii=False)
