"""What the OpenAPI description says beyond the endpoints: refusals, keys, the type of problems."""

from __future__ import annotations

from typing import Any

from partwell.api.answers import PROBLEM_TYPE
from partwell.api.idempotency import HEADER, LONGEST_KEY
from partwell.api.shapes import Problem

READING = {
    401: "There is no token, or it is not alive",
    403: "The token's user, or its scopes, do not allow this",
    404: "There is no such thing for this caller",
    409: "Not in the present state of things",
    422: "The input is wrong in itself; `field` says which",
    429: "Too many calls within a minute; `Retry-After` says when to come back",
}
CHANGING = {
    400: "The body cannot be read",
    413: "The body is too large",
    415: "The body is of a type that is not read here",
    **READING,
}
# Calls that change nothing, so that repeating them is safe anyway.
KEYLESS = ("check_text", "access_approve", "verify_sent")
KEY_PARAMETER = {
    "in": "header",
    "name": HEADER,
    "required": False,
    "description": "Makes it safe to repeat the call: the same key and body get the same answer, once done.",
    "schema": {"type": "string", "minLength": 1, "maxLength": LONGEST_KEY, "pattern": "^[!-~]+$"},
}


def complete_description(schema: Any) -> Any:
    """Add the refusals that each operation may answer with, and the idempotency key where it counts."""
    for path in schema["paths"].values():
        for method, operation in path.items():
            refusals = READING if method == "get" else CHANGING
            operation["responses"] = {
                **operation["responses"],
                **{status: {"$ref": f"#/components/responses/{status}"} for status in refusals},
            }
            if method != "get" and not operation["operationId"].endswith(KEYLESS):
                operation["parameters"] = [*operation["parameters"], KEY_PARAMETER]
    components = schema["components"]
    components.setdefault("schemas", {})["Problem"] = Problem.model_json_schema()
    components["responses"] = {
        str(status): {
            "description": words,
            "content": {PROBLEM_TYPE: {"schema": {"$ref": "#/components/schemas/Problem"}}},
        }
        for status, words in CHANGING.items()
    }
    return schema
