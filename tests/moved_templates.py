"""A second version of the small template: a step more, one fewer, one that others do by another day."""

from __future__ import annotations

from typing import Any

import yaml

from partwell.journeys.template.check import parse
from partwell.journeys.template.model import Template, TemplateStep
from partwell.journeys.template.text import as_yaml
from partwell.people.roles import Role
from tests.factories import SMALL_TEMPLATE

RETURN_KEYS = {
    "key": "return-keys",
    "phase": 5,
    "title": "Take the keys back",
    "role": "hr",
    "due": "notice +3 working_days",
    "guide": ["J4"],
    "guidance": "Take the keys on the last day. Good is a receipt. Avoid posting them.",
}


def another_version(text: str) -> str:
    """A template with a step that hands the keys back, without the last step that nobody needs, and with its
    first step worded otherwise and a day later."""
    template = parse(text)
    needed = {key for step in template.steps for key in step.needs}
    first, *rest = template.steps
    last = next(step for step in reversed(rest) if step.key not in needed and _may_go(step, template))
    steps = [
        first.model_copy(update={"title": f"{first.title}, and say so", "due": "notice +3 working_days"}),
        *(step for step in rest if step is not last),
        TemplateStep.model_validate(RETURN_KEYS),
    ]
    return as_yaml(template.model_copy(update={"steps": tuple(steps)}))


def _may_go(step: TemplateStep, template: Template) -> bool:
    """Whether its phase and its role have other steps."""
    others = [each for each in template.steps if each is not step]
    return any(each.phase == step.phase for each in others) and any(each.role == step.role for each in others)


def second_version(*, without: str = "extra", **fields: Any) -> str:
    """The small template with a step `return-keys`, without one step, and with `initiate` given to HR."""
    shape = yaml.safe_load(SMALL_TEMPLATE) | fields
    steps = [step for step in shape["steps"] if step["key"] != without]
    for step in steps:
        if without in step.get("needs", ()):
            step["needs"].remove(without)
        if step["key"] == "initiate":
            step |= {"role": "hr", "due": "last_working_day -2 working_days"}
    steps.insert(-1, dict(RETURN_KEYS))
    phases, roles = {step["phase"] for step in steps}, {step["role"] for step in steps}
    shape["steps"] = steps
    shape["empty_phases"] = {n: "not needed in a test" for n in range(1, 11) if n not in phases}
    shape["empty_roles"] = {
        role.value: "not in a test" for role in Role if role.value not in roles and role is not Role.ADMIN
    }
    return yaml.safe_dump(shape, sort_keys=False, allow_unicode=True)
