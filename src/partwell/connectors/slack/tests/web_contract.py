"""Whether a request or an answer is as Slack's published contract of the Web API says (Swagger 2, of 2021).

The contract is old and loose: methods of `admin.*` answer with anything. What Slack added since and we use is
written down here by hand, from its documentation.
"""

from __future__ import annotations

import json
from functools import lru_cache
from pathlib import Path
from typing import Any

import jsonschema

# Arguments that came later. On Enterprise Grid a workspace has to be named.
ADDED_ARGUMENTS = {
    "users.list": {"team_id": "string"},
    "usergroups.list": {"team_id": "string"},
    "usergroups.users.list": {"team_id": "string"},
    "usergroups.users.update": {"team_id": "string"},
}
# Methods that came later: their verb, their arguments, and the schema of their success.
ADDED_METHODS: dict[str, tuple[str, dict[str, str], dict[str, Any]]] = {
    "admin.users.session.list": (
        "get",
        {"cursor": "string", "limit": "integer", "team_id": "string", "user_id": "string"},
        {
            "type": "object",
            "required": ["ok", "active_sessions", "response_metadata"],
            "properties": {
                "active_sessions": {
                    "type": "array",
                    "items": {
                        "type": "object",
                        "required": ["user_id", "team_id", "session_id", "created"],
                        "properties": {"session_id": {"type": "integer"}, "created": {"type": "object"}},
                    },
                },
                "response_metadata": {"type": "object"},
            },
        },
    ),
}


class Broken(AssertionError):
    """A request or answer is not as Slack's contract says."""


@lru_cache(maxsize=1)
def read_contract(path: Path) -> WebContract:
    """The contract in a file."""
    return WebContract(json.loads(path.read_text()))


class WebContract:
    """What the contract says of each method."""

    def __init__(self, raw: dict[str, Any]) -> None:
        content = _readable(raw)
        self._paths, self._definitions = content["paths"], content["definitions"]

    def check_request(self, verb: str, method: str, arguments: dict[str, str]) -> None:
        """Raise `Broken` unless verb, names and types of arguments are the contract's."""
        known, needed = self._arguments(verb.lower(), method)
        if unknown := set(arguments) - set(known):
            raise Broken(f"{method} has no argument {sorted(unknown)}")
        if missing := needed - set(arguments):
            raise Broken(f"{method} needs {sorted(missing)}")
        for name, value in arguments.items():
            fits = {"boolean": value in ("true", "false"), "integer": value.isdecimal()}.get(
                known[name], bool(value)
            )
            if not fits:
                raise Broken(f"{method}: {name} is {value!r}, which is no {known[name]}")
        if method == "admin.users.session.list" and ("team_id" in arguments) != ("user_id" in arguments):
            raise Broken("admin.users.session.list takes a user and a workspace together, or neither")

    def check_answer(self, method: str, content: dict[str, Any]) -> None:
        """Raise `Broken` unless a success has the contract's schema. Reasons of failures have grown since."""
        if not content["ok"]:
            if not isinstance(content.get("error"), str):
                raise Broken(f"{method} fails without a reason")
            return
        if method in ADDED_METHODS:
            schema = ADDED_METHODS[method][2]
        else:
            (operation,) = self._paths[f"/{method}"].values()
            schema = operation["responses"]["200"]["schema"]
        validator = jsonschema.Draft4Validator({**schema, "definitions": self._definitions})
        for error in validator.iter_errors(content):
            raise Broken(f"{method} answers {'/'.join(map(str, error.path))}: {error.message[:300]}")

    def _arguments(self, verb: str, method: str) -> tuple[dict[str, str], set[str]]:
        if method in ADDED_METHODS:
            expected, known, _ = ADDED_METHODS[method]
            if verb != expected:
                raise Broken(f"{method} is not called by {verb}")
            return known, set()
        operation = self._paths.get(f"/{method}", {}).get(verb)
        if operation is None:
            raise Broken(f"there is no {verb} {method}")
        # The token goes into the header, as Slack asks for today.
        given = [p for p in operation.get("parameters", []) if p["name"] != "token"]
        known = {p["name"]: p["type"] for p in given} | ADDED_ARGUMENTS.get(method, {})
        return known, {p["name"] for p in given if p.get("required")}


def _readable(node: Any) -> Any:
    """The contract as JSON Schema reads it: it writes "one of" as a list of `items`; empty lists are real."""
    if isinstance(node, list):
        return [_readable(each) for each in node]
    if not isinstance(node, dict):
        return node
    found = {key: _readable(value) for key, value in node.items() if key != "minItems"}
    if isinstance(found.get("items"), list) and "type" not in found:
        found["anyOf"] = found.pop("items")
    return found
