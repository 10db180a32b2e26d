"""Connectors that an operator declares in a file: what every such file says, and how it is checked.

A kind of declared connector (`http`, `script`) is a folder of `partwell.connectors` with a `declaration.py`
that offers a `KIND`. The operator's files are read from disk at the start of each process; nothing that
comes over the web or the API can become one.
"""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from difflib import get_close_matches
from pathlib import Path
from typing import Annotated, Any, Generic, Literal, TypeVar

from pydantic import (
    BaseModel,
    ConfigDict,
    Field,
    StrictBool,
    StrictInt,
    StringConstraints,
    ValidationError,
    field_validator,
)
from pydantic_core import ErrorDetails

from partwell.yaml_text import Dialect, Loaded, Problem, Unreadable, load
from partwell.yaml_text import Path as Place

DIALECT = Dialect("declaration", max_depth=24, fractions=True)
KEY = r"^[a-z][a-z0-9]*(-[a-z0-9]+)*$"
NAME = r"^[a-z][a-z0-9_]*$"

Text = Annotated[str, StringConstraints(min_length=1, max_length=1000)]
Finding = tuple[Place, str]


class Part(BaseModel):
    """A part of a declaration: no key but the known ones, nothing changed after reading."""

    model_config = ConfigDict(extra="forbid", frozen=True)


class Setting(Part):
    """A setting that each system of this type has, beside those that all of its kind have."""

    description: Text = Field(description="What it is for and what to write.")
    secret: StrictBool = Field(
        default=False, description="`true`: the system holds a reference, env:NAME or file:/path."
    )
    required: StrictBool = Field(default=True, description="`false` where it may be left out.")
    pattern: str = Field(default="", description="A regular expression that the value has to match.")

    @field_validator("pattern")
    @classmethod
    def _compiles(cls, pattern: str) -> str:
        try:
            re.compile(pattern)
        except re.error as error:
            raise ValueError(f"“{pattern}” is no regular expression: {error}") from None
        return pattern


class Limits(Part):
    """How often the target may be asked."""

    requests_per_minute: StrictInt = Field(ge=1, le=100_000, description="For all that is asked there.")
    concurrent: StrictInt = Field(default=1, ge=1, le=50, description="How many accounts at once.")
    note: str = Field(default="", description="Where the limit is published.")


class Declaration(Part):
    """What every declared connector says of itself."""

    kind: Literal["http", "script"] = Field(description="What reads this file.")
    id: Annotated[str, StringConstraints(pattern=KEY, max_length=40)] = Field(
        description="A short key that never changes. Systems name `connector: KIND:ID`."
    )
    title: Annotated[str, StringConstraints(min_length=1, max_length=100)] = Field(
        description="What people read."
    )
    summary: Text = Field(description="One or two sentences: what it is, what is done there.")
    scopes: list[Text] = Field(
        default_factory=list, description="The rights that the credentials need, and no more."
    )
    sessions_note: str = Field(default="", description="What becomes of sessions that are open.")
    settings: dict[Annotated[str, StringConstraints(pattern=NAME, max_length=40)], Setting] = Field(
        default_factory=dict, description="Settings of each system of this type, by name."
    )


D = TypeVar("D", bound=Declaration)


@dataclass(frozen=True)
class Kind(Generic[D]):
    """A kind of declared connector. `findings` says what is wrong beyond the shape; `build` makes the class
    from the declaration, its digest and the folder that it stands in; `parts` are the contents of the files
    that belong to it."""

    model: type[D]
    findings: Callable[[D, Path], Iterable[Finding]]
    build: Callable[[D, str, Path], type]
    parts: Callable[[D, Path], Iterable[bytes]]
    capabilities: Callable[[D], Mapping[str, Any]]
    limits: Callable[[D], Mapping[str, Any]]


def read(text: str, *, file: Path, kind: Kind[D]) -> tuple[D | None, list[Problem]]:
    """The declaration, None when its shape is broken, and all its problems by line."""
    name = str(file)
    try:
        loaded = load(text, DIALECT)
    except Unreadable as error:
        return None, [Problem(name, error.position.line, "", error.message)]
    try:
        found = kind.model.model_validate(loaded.value)
    except ValidationError as error:
        return None, sorted({_shape_problem(detail, loaded, name, kind.model) for detail in error.errors()})
    said = {*kind.findings(found, file.parent)}
    return found, sorted(
        Problem(name, loaded.position_of(place).line, _dotted(place), message) for place, message in said
    )


def kind_in(text: str, *, file: Path) -> tuple[str, list[Problem]]:
    """What `kind` a text names, or why that cannot be told."""
    try:
        value = load(text, DIALECT).value
    except Unreadable as error:
        return "", [Problem(str(file), error.position.line, "", error.message)]
    if not isinstance(value, dict) or not isinstance(value.get("kind"), str):
        return "", [Problem(str(file), 1, "kind", "Begin with “kind: http” or “kind: script”.")]
    return value["kind"], []


def digest_of(declaration: Declaration, *parts: bytes) -> str:
    """SHA-256 over what is declared, and over the `parts` that belong to it, as 64 hex digits. Layout and
    comments do not count."""
    content = declaration.model_dump(mode="json", exclude_defaults=True)
    text = json.dumps(content, sort_keys=True, separators=(",", ":"), ensure_ascii=False)
    whole = hashlib.sha256(hashlib.sha256(text.encode()).digest())
    for part in parts:
        whole.update(hashlib.sha256(part).digest())
    return whole.hexdigest()


def settings_schema(kind: Mapping[str, Any], declared: Mapping[str, Setting]) -> dict[str, Any]:
    """The JSON Schema of a system's settings: those of the kind, and those that the file declares."""
    properties = dict(kind["properties"])
    for name, rule in declared.items():
        properties[name] = {"type": "string", "minLength": 1, "description": rule.description}
        if rule.secret:
            properties[name]["secret"] = True
        elif rule.pattern:
            properties[name]["pattern"] = rule.pattern
    required = [*kind.get("required", []), *(name for name, rule in declared.items() if rule.required)]
    return {**kind, "properties": properties, "required": required}


def schema_text(model: type[Declaration]) -> str:
    """The text that the schema file of a kind must hold."""
    schema = {"$schema": "https://json-schema.org/draft/2020-12/schema", **model.model_json_schema()}
    return json.dumps(schema, indent=2, ensure_ascii=False, sort_keys=True) + "\n"


def _shape_problem(detail: ErrorDetails, loaded: Loaded, file: str, model: type[BaseModel]) -> Problem:
    place: Place = tuple(part for part in detail["loc"] if part != "[key]")
    return Problem(file, loaded.position_of(place).line, _dotted(place), _shape_message(detail, place, model))


def _shape_message(detail: ErrorDetails, place: Place, model: type[BaseModel]) -> str:
    kind, value = detail["type"], detail["input"]
    name = str(place[-1]) if place else "declaration"
    if kind == "missing":
        return f"“{name}” is missing. Add it."
    if kind == "extra_forbidden":
        known = sorted(_fields_at(place[:-1], model))
        close = get_close_matches(name, known, n=1)
        hint = f"Did you mean “{close[0]}”?" if close else f"There are: {', '.join(known)}."
        return f"There is no “{name}” here. {hint}"
    if kind == "int_type" and isinstance(value, str):
        return f"“{value}” is text. Write the number without quotes: a status is compared as a number."
    if kind == "value_error":
        return f"{detail['ctx']['error']}."
    shown = f"“{value}”: " if isinstance(value, str | int) else ""
    return f"{shown}{detail['msg']}."


def _fields_at(place: Place, model: type[BaseModel]) -> Iterable[str]:
    """The keys that are known at `place`, by the model's own schema."""
    schema = model.model_json_schema()
    here: Any = schema
    for part in place:
        here = _resolved(here, schema)
        if isinstance(part, int):
            here = here.get("items", {})
        else:
            here = here.get("properties", {}).get(part) or here.get("additionalProperties") or {}
        if not isinstance(here, dict):
            return ()
    return _resolved(here, schema).get("properties", {})


def _resolved(here: dict[str, Any], schema: dict[str, Any]) -> dict[str, Any]:
    for choice in here.get("anyOf", []):
        if "$ref" in choice:
            here = choice
    if "$ref" in here:
        found: dict[str, Any] = schema["$defs"][here["$ref"].rpartition("/")[2]]
        return found
    return here


def _dotted(place: Place) -> str:
    return ".".join(str(part) for part in place)
