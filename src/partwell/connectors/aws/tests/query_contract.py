"""The contract of a service that speaks AWS's Query protocol, as AWS publishes it inside botocore.

Requests are read by it, so that one which the contract does not have, or with a parameter that it does not
have, is an error of the test. Answers are written by it, so that none can hold what AWS would not say.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from datetime import datetime
from functools import cache
from typing import Any
from urllib.parse import parse_qsl
from xml.sax.saxutils import escape

from botocore.loaders import Loader
from botocore.model import ServiceModel, Shape
from botocore.validate import ParamValidator


class QueryContract:
    """One service: `iam` or `sts`."""

    def __init__(self, name: str) -> None:
        self.model = ServiceModel(Loader().load_service_model(name, "service-2"), name)
        self.version = self.model.metadata["apiVersion"]

    def read(self, body: bytes) -> tuple[str, dict[str, Any]]:
        """The action and its parameters. Raises `AssertionError` for what the contract forbids."""
        pairs = parse_qsl(body.decode(), keep_blank_values=True, strict_parsing=True)
        flat = dict(pairs)
        assert len(flat) == len(pairs), "a parameter is given twice"
        action, version = flat.pop("Action"), flat.pop("Version")
        assert version == self.version, version
        assert action in self.model.operation_names, f"the contract has no action {action}"
        shape = self.model.operation_model(action).input_shape
        left = dict(flat)
        given = {} if shape is None else _read(shape, "", left) or {}
        assert not left, f"{action} has no parameters {sorted(left)}"
        if shape is not None:
            report = ParamValidator().validate(given, shape)
            assert not report.has_errors(), f"{action}: {report.generate_report()}"
        return action, given

    def write(self, action: str, result: Mapping[str, Any]) -> bytes:
        """The answer's XML. Raises `AssertionError` for what the contract does not have."""
        operation = self.model.operation_model(action)
        inner = ""
        if operation.output_shape is not None:
            inner = f"<{action}Result>{_write(operation.output_shape, result, action)}</{action}Result>"
        else:
            assert not result, f"{action} answers nothing"
        space = self.model.metadata["xmlNamespace"]
        metadata = "<ResponseMetadata><RequestId>request-of-the-model</RequestId></ResponseMetadata>"
        return f'<{action}Response xmlns="{space}">{inner}{metadata}</{action}Response>'.encode()


@cache
def contract(name: str) -> QueryContract:
    """The contract of a service, loaded once."""
    return QueryContract(name)


def _read(shape: Shape, name: str, left: dict[str, str]) -> Any:
    """The value of a shape; what it uses is taken out of `left`. None where nothing is given."""
    if shape.type_name == "structure":
        found = {}
        for member, inner in shape.members.items():
            path = f"{name}.{member}" if name else member
            if any(key == path or key.startswith(f"{path}.") for key in left):
                found[member] = _read(inner, path, left)
        return found
    if shape.type_name == "list":
        items, number = [], 1
        while any(f"{key}.".startswith(f"{name}.member.{number}.") for key in left):
            items.append(_read(shape.member, f"{name}.member.{number}", left))
            number += 1
        return items
    text = left.pop(name)
    most = shape.metadata.get("max")  # botocore looks at the least alone
    size = int(text) if shape.type_name == "integer" else len(text)
    assert most is None or size <= most, f"{name} has {size}, and at most {most}"
    if shape.type_name == "boolean":
        assert text in ("true", "false"), f"{name} is {text}"
        return text == "true"
    if shape.type_name == "integer":
        return int(text)
    pattern, choices = shape.metadata.get("pattern"), shape.metadata.get("enum")
    assert not pattern or re.fullmatch(pattern, text), f"{name} does not look like {pattern}: {text!r}"
    assert not choices or text in choices, f"{name} is none of {choices}: {text!r}"
    return text


def _write(shape: Shape, value: Any, where: str) -> str:
    if shape.type_name == "structure":
        unknown = set(value) - set(shape.members)
        assert not unknown, f"{where} has no {sorted(unknown)}"
        lacking = set(shape.required_members) - set(value)
        assert not lacking, f"{where} lacks {sorted(lacking)}"
        return "".join(
            f"<{name}>{_write(inner, value[name], f'{where}.{name}')}</{name}>"
            for name, inner in shape.members.items()
            if value.get(name) is not None
        )
    if shape.type_name == "list":
        return "".join(f"<member>{_write(shape.member, each, where)}</member>" for each in value)
    if shape.type_name == "boolean":
        return "true" if value else "false"
    if shape.type_name == "timestamp":
        assert isinstance(value, datetime), where
        return value.strftime("%Y-%m-%dT%H:%M:%SZ")
    choices = shape.metadata.get("enum")
    assert not choices or value in choices, f"{where} is none of {choices}: {value!r}"
    return escape(str(value))
