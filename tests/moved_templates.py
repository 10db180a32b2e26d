"""A second version of the small template: a step more, one fewer, one that others do by another day."""

from __future__ import annotations

from typing import Any

import yaml

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
