"""A template as YAML that `check` accepts and a person likes to read.

What comes out is read back to the same digest. Defaults are left out, steps stand under the name of their
phase, and long texts are folded, as in the library.
"""

from __future__ import annotations

from typing import Any

import yaml

from partwell.journeys.template.model import PHASES, Template, TemplateStep

_WIDTH = 110
_FOLD_FROM = 80


class _Dumper(yaml.SafeDumper):
    """Writes no anchors, which are not read, lists on one line, and long texts as blocks."""

    def ignore_aliases(self, data: Any) -> bool:
        """Equal values are written out each time."""
        return True


def _text(dumper: _Dumper, text: str) -> yaml.Node:
    style = "|" if "\n" in text else ">" if len(text) > _FOLD_FROM else None
    # Inside a block other marks that end a line would be read as plain ends of lines; empty lines at its end
    # would end the file.
    if any(mark in text for mark in "\x85\u2028\u2029") or text.endswith("\n\n") or text == "\n":
        style = '"'
    return dumper.represent_scalar("tag:yaml.org,2002:str", text, style=style)


def _list(dumper: _Dumper, values: list[Any]) -> yaml.Node:
    return dumper.represent_sequence("tag:yaml.org,2002:seq", values, flow_style=True)


_Dumper.add_representer(str, _text)
_Dumper.add_representer(list, _list)


def as_yaml(template: Template) -> str:
    """The template's text. `parse` reads it to an equal template."""
    parts = [_dump({"id": template.id, **_differing(template, without={"id", "steps"})})]
    parts.append("steps:\n")
    phase = 0
    for step in template.steps:
        if step.phase != phase:
            phase = step.phase
            parts.append(f"  # {phase} {PHASES[phase]}\n")
        parts.append(_item(step))
    return "".join(parts)


def _item(step: TemplateStep) -> str:
    # A step says first what it is and last, at length, how it is done.
    fields = _differing(step, without=set())
    guidance = fields.pop("guidance", None)
    text = _dump(fields if guidance is None else {**fields, "guidance": guidance})
    lines = text.split("\n")
    return "\n".join(["  - " + lines[0], *(f"    {line}" if line else "" for line in lines[1:])])


def _differing(value: Template | TemplateStep, *, without: set[str]) -> dict[str, Any]:
    dumped = value.model_dump(mode="json", exclude_defaults=True, exclude=without)
    # JSON has only text for keys; phases are written as the numbers that they are. No database keeps
    # their order.
    if "empty_phases" in dumped:
        dumped["empty_phases"] = dict(sorted((int(n), why) for n, why in dumped["empty_phases"].items()))
    if "empty_roles" in dumped:
        dumped["empty_roles"] = dict(sorted(dumped["empty_roles"].items()))
    return dumped


def _dump(value: dict[str, Any]) -> str:
    return str(
        yaml.dump(
            value,
            Dumper=_Dumper,
            sort_keys=False,
            allow_unicode=True,
            width=_WIDTH,
            default_flow_style=False,
        )
    )
