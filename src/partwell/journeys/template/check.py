"""Checking a template's text: everything that would go wrong later, with its line and the way out.

Three layers, each only when the one before is sound: the YAML, the shape of each value, and what the
values mean together (`rules.py`).
"""

from __future__ import annotations

from collections.abc import Iterable
from difflib import get_close_matches
from typing import Any

from pydantic import BaseModel, ValidationError
from pydantic_core import ErrorDetails

from partwell.journeys.template.model import Template, TemplateStep
from partwell.journeys.template.rules import Finding, findings_in
from partwell.yaml_text import Dialect, Loaded, Path, Position, Problem, Unreadable, load

# A template needs four levels.
DIALECT = Dialect("template", max_depth=8)


def check(text: str, *, file: str) -> list[Problem]:
    """All problems of a template's text, by line; none means that it can be published."""
    return read(text, file=file)[1]


def read(text: str, *, file: str) -> tuple[Template | None, list[Problem]]:
    """The template, None when its shape is broken, and all its problems by line."""
    try:
        loaded = load(text, DIALECT)
    except Unreadable as error:
        return None, [Problem(file, error.position.line, "", error.message)]
    if not isinstance(loaded.value, dict):
        return None, [Problem(file, 1, "", "A template is a mapping. Begin with “id:” and “title:”.")]
    try:
        template = Template.model_validate(loaded.value)
    except ValidationError as error:
        return None, _shape_problems(error, loaded, file)
    return template, _meaning_problems(findings_in(template), loaded, file)


def check_values(template: Template) -> list[Problem]:
    """All problems of a template that is being written and may break any rule; there are no lines yet.

    `template` may be one whose texts are still too short. What is wrong with a value and what values mean
    together is said at once, for whoever writes does not finish the one before the other.
    """
    values = template.model_dump(mode="json")
    # Nothing of it stands in a file, so everything is at the same place.
    nowhere = Loaded(values, {(): Position(0, 0)})
    problems = _meaning_problems(findings_in(template), nowhere, "")
    try:
        Template.model_validate(values)
    except ValidationError as error:
        problems += _shape_problems(error, nowhere, "")
    return problems


def parse(text: str) -> Template:
    """The template of a text that was checked when it was published; its rules are not asked again.

    Raises `Unreadable` or pydantic's `ValidationError` when its shape is broken after all.
    """
    return Template.model_validate(load(text, DIALECT).value)


def _meaning_problems(findings: Iterable[Finding], loaded: Loaded, file: str) -> list[Problem]:
    return sorted(
        {
            Problem(file, loaded.position_of(f.path).line, named_path(f.path, loaded.value), f.message)
            for f in findings
        }
    )


def _shape_problems(error: ValidationError, loaded: Loaded, file: str) -> list[Problem]:
    return sorted({_shape_problem(detail, loaded, file) for detail in error.errors()})


def _shape_problem(detail: ErrorDetails, loaded: Loaded, file: str) -> Problem:
    # A key of a mapping is located by pydantic as (…, key, "[key]"); readers know it as the key alone.
    path: Path = tuple(part for part in detail["loc"] if part != "[key]")
    return Problem(
        file, loaded.position_of(path).line, named_path(path, loaded.value), shape_message(detail, path)
    )


def shape_message(detail: ErrorDetails, path: Path) -> str:
    """What is wrong with the shape of the value at `path`, and the way out."""
    kind, value = detail["type"], detail["input"]
    name = str(path[-1]) if path else "template"
    if kind == "missing":
        return f"“{name}” is missing. Add it: {_about(path)}."
    if kind == "extra_forbidden":
        known = sorted(_model_at(path).model_fields)
        close = get_close_matches(name, known, n=1)
        hint = (
            f"Did you mean “{close[0]}”?"
            if close
            else (f"There are: {', '.join(known)}. If it was written for a newer Partwell, upgrade first.")
        )
        return f"There is no “{name}” here. {hint}"
    if kind == "enum":
        return f"“{value}” is not known here. Choose {detail['ctx']['expected']}."
    if kind == "value_error":
        return f"{detail['ctx']['error']}."
    if kind == "string_pattern_mismatch" and name == "due":
        return (
            f"“{value}” is no due date. Write an anchor (notice, last_working_day, access_end, contract_end) "
            "and a distance, as in “last_working_day -5 working_days”."
        )
    if kind == "string_pattern_mismatch":
        return (
            f"“{value}” is no key. Use small letters, digits and single hyphens, as in “return-the-laptop”."
        )
    shown = f"“{value}”: " if isinstance(value, str | int) else ""
    return f"{shown}{detail['msg']}. Write {_about(path)}."


_ABOUT = {
    "id": "a short key that never changes, as in “staff-resignation”",
    "key": "a short key that never changes, as in “return-the-laptop”",
    "title": "a short title that begins with a verb",
    "guidance": "text in quotes or after “|”",
    "summary": "two or three sentences on when to use the template",
    "audience": "staff or client",
    "initiated_by": "leaver, organisation, mutual or expiry",
    "reasons": "a list of reason codes, as in [pay, relocation]",
    "phase": "a number from 1 to 10",
    "role": "who owns the step, as in hr or line_manager",
    "due": "an anchor and a distance, as in “last_working_day -5 working_days”",
    "needs": "a list of step keys, as in [plan-handover]",
    "guide": "a list of guide ids, as in [M1, J1]",
    "steps": "a list of steps, each beginning with “- key:”",
    "required": "true or false",
}


def _about(path: Path) -> str:
    names = [part for part in path if isinstance(part, str)]
    return _ABOUT.get(names[-1] if names else "", "what the reference of templates describes")


def _model_at(path: Path) -> type[BaseModel]:
    return TemplateStep if path[0] == "steps" and len(path) > 2 else Template


def named_path(path: Path, value: Any) -> str:
    """The path with step keys for numbers: `steps.cut-access.due`."""
    parts: list[str] = []
    for depth, part in enumerate(path):
        if depth == 1 and path[0] == "steps" and isinstance(part, int):
            parts.append(_step_name(value, part))
        else:
            parts.append(str(part))
    return ".".join(parts)


def _step_name(value: Any, index: int) -> str:
    steps = value.get("steps")
    if isinstance(steps, list) and index < len(steps) and isinstance(steps[index], dict):
        return str(steps[index].get("key", index + 1))
    return str(index + 1)
