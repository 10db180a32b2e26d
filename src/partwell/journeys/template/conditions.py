"""Conditions: small CEL expressions that decide whether a departure needs a step.

A condition reads the fields in `FIELDS` and nothing else. The reason for leaving is not among them: it is
HR's alone, and a step that appears for one reason would tell it to everybody who sees the list.

Only a part of CEL is allowed: comparisons, `in`, `&&`, `||`, `!`, `? :`, three text functions. No
arithmetic, no macros, no loops, no conversions. So an expression that passes `check_types` of
`condition_types.py` looks at each of its parts once and cannot fail while a journey is being planned.
"""

from __future__ import annotations

import threading
from collections import OrderedDict
from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from functools import cache, lru_cache
from types import MappingProxyType
from typing import Any

import celpy
from celpy.celparser import CELParseError
from celpy.evaluation import CELEvalError

from partwell.departures.states import Confidentiality, InitiatedBy, SubjectKind
from partwell.journeys.template.model import Template

MAX_LENGTH = 500
# Each bracket is a dozen nodes of the parse tree, which cel-python walks by recursion.
MAX_BRACKETS = 8
MAX_QUESTIONS = 4
MAX_CACHED = 64


class FieldType(StrEnum):
    """What a condition's parts can be; `LIST` only as the right side of `in`."""

    TEXT = "text"
    NUMBER = "number"
    FLAG = "flag"
    LIST = "list"


@dataclass(frozen=True)
class Field:
    """One fact that conditions may read. `choices` lists all its values where they are few."""

    name: str
    type: FieldType
    about: str
    audience: SubjectKind | None = None
    choices: tuple[str, ...] = ()


def _values(enum: type[StrEnum]) -> tuple[str, ...]:
    return tuple(member.value for member in enum)


FIELDS: dict[str, Field] = {
    field.name: field
    for field in (
        Field("departure.subject_kind", FieldType.TEXT, "Who leaves", choices=_values(SubjectKind)),
        Field("departure.scenario", FieldType.TEXT, "The template's id"),
        Field("departure.initiated_by", FieldType.TEXT, "Which side ends it", choices=_values(InitiatedBy)),
        Field("departure.jurisdiction", FieldType.TEXT, "Whose law applies, as in DE or US-CA; may be empty"),
        Field(
            "departure.confidentiality",
            FieldType.TEXT,
            "Who may know of it",
            choices=_values(Confidentiality),
        ),
        Field("departure.notice_days", FieldType.NUMBER, "Calendar days from notice to last working day"),
        Field("person.employment_type", FieldType.TEXT, "As imported, say contractor", SubjectKind.STAFF),
        Field("person.country", FieldType.TEXT, "Two letters, as in FR", SubjectKind.STAFF),
        Field("person.department", FieldType.TEXT, "As imported", SubjectKind.STAFF),
        Field("person.title", FieldType.TEXT, "The job title", SubjectKind.STAFF),
        Field(
            "person.tenure_years", FieldType.NUMBER, "Whole years at the last working day", SubjectKind.STAFF
        ),
        Field("person.manages_people", FieldType.FLAG, "Whether anybody reports to them", SubjectKind.STAFF),
        Field("client.tier", FieldType.TEXT, "As imported", SubjectKind.CLIENT),
        Field("client.country", FieldType.TEXT, "Two letters, as in FR", SubjectKind.CLIENT),
        Field("client.contacts", FieldType.NUMBER, "How many contacts are registered", SubjectKind.CLIENT),
    )
}

_EMPTY: dict[FieldType, str | int | bool] = {FieldType.TEXT: "", FieldType.NUMBER: 0, FieldType.FLAG: False}
_PYTHON: dict[FieldType, type] = {FieldType.TEXT: str, FieldType.NUMBER: int, FieldType.FLAG: bool}

Facts = Mapping[str, Mapping[str, Any]]


class ConditionError(ValueError):
    """The condition is none. The message names the part and the way out."""


@dataclass(frozen=True)
class Condition:
    """A compiled condition. `source` is what the template says, `tree` its parsed form."""

    source: str
    tree: Any
    program: celpy.Runner


@cache
def _environment() -> celpy.Environment:
    return celpy.Environment()


_parsing = threading.Lock()


# Whoever edits a template has all its conditions checked at each change, and all but one are as before.
@lru_cache(maxsize=1024)
def compile_condition(source: str) -> Condition:
    """Parse one condition; raises `ConditionError`. Types are `condition_types.check_types`' business."""
    if len(source) > MAX_LENGTH:
        raise ConditionError(f"The condition is longer than {MAX_LENGTH} characters. Make it two steps.")
    if _bracket_depth(source) > MAX_BRACKETS or source.count("?") > MAX_QUESTIONS or "!!" in source:
        raise ConditionError(
            f"The condition is nested too deeply: at most {MAX_BRACKETS} brackets and {MAX_QUESTIONS} “?”, "
            "no double “!”. Make it two steps."
        )
    try:
        # cel-python shares one parser between threads.
        with _parsing:
            tree = _environment().compile(source)
        return Condition(source, tree, _environment().program(tree))
    except CELParseError as error:
        where = f" at character {error.column}" if error.column else ""
        raise ConditionError(
            f"The condition does not compile{where}. Write it like “person.tenure_years >= 5 && "
            "person.country == 'DE'”."
        ) from error


def _bracket_depth(source: str) -> int:
    depth = deepest = 0
    for character in source:
        if character in "([{":
            depth += 1
            deepest = max(deepest, depth)
        elif character in ")]}":
            depth -= 1
    return deepest


_compiled: OrderedDict[str, Mapping[str, Condition]] = OrderedDict()
_cache = threading.Lock()


def compile_conditions(digest: str, template: Template) -> Mapping[str, Condition]:
    """The conditions of a template by step key, compiled once per digest in this process.

    Steps without a condition are not in it. Raises `ConditionError`, which no published template does.
    """
    with _cache:
        if digest in _compiled:
            _compiled.move_to_end(digest)
            return _compiled[digest]
    made = MappingProxyType({s.key: compile_condition(s.when) for s in template.steps if s.when.strip()})
    with _cache:
        _compiled[digest] = made
        while len(_compiled) > MAX_CACHED:
            _compiled.popitem(last=False)
    return made


class ReadyFacts(dict[str, Any]):
    """Facts as CEL reads them: made once for all conditions of a template."""


def ready(facts: Facts) -> ReadyFacts:
    """The facts in CEL's own types."""
    return ReadyFacts((group, celpy.json_to_cel(dict(facts[group]))) for group in facts)


def evaluate(condition: Condition, facts: Facts | ReadyFacts) -> bool:
    """Whether the condition holds for these facts, which `facts_for` makes complete.

    Raises `ConditionError` when a fact is missing or the answer is no yes or no.
    """
    given = facts if isinstance(facts, ReadyFacts) else ready(facts)
    try:
        answer = condition.program.evaluate(given)
    except CELEvalError as error:
        raise ConditionError(f"“{condition.source}” could not be decided: {error.args[0]}.") from error
    if not isinstance(answer, celpy.celtypes.BoolType):
        raise ConditionError(f"“{condition.source}” is neither true nor false. Compare it with something.")
    return bool(answer)


def facts_for(
    *,
    departure: Mapping[str, Any],
    person: Mapping[str, Any] | None = None,
    client: Mapping[str, Any] | None = None,
) -> dict[str, dict[str, Any]]:
    """Complete, checked facts: what is not given is empty (text), 0 (numbers) or false (flags).

    Raises `ValueError` for a field that `FIELDS` does not know, or a value of another type.
    """
    facts: dict[str, dict[str, Any]] = {"departure": {}, "person": {}, "client": {}}
    for name, field in FIELDS.items():
        group, key = name.split(".")
        facts[group][key] = _EMPTY[field.type]
    for group, given in (("departure", departure), ("person", person or {}), ("client", client or {})):
        for key, value in given.items():
            known = FIELDS.get(f"{group}.{key}")
            if known is None:
                raise ValueError(f"conditions know no {group}.{key}")
            if value is None:
                continue
            wanted = _PYTHON[known.type]
            if not isinstance(value, wanted) or (wanted is int and isinstance(value, bool)):
                raise ValueError(f"{group}.{key} must be a {known.type}, not {value!r}")
            facts[group][key] = str(value) if wanted is str else value
    return facts
