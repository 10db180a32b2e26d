"""Holds a conversation to Google's published contracts: the discovery documents of its APIs.

They ship inside google-api-python-client, which nothing here calls. In front of a small in-memory model of
the vendor every request of the connector is validated (address, method, path, query, body), and so is every
answer of the model; `tests.vendor_openapi.ValidatedHttp` takes this contract as it takes an OpenAPI one.
Names that the contract does not have are deviations, as the vendor ignores a misspelt one without a word.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from importlib import resources
from typing import Any
from urllib.parse import unquote

import httpx

from tests.vendor_openapi import Deviation

Document = dict[str, Any]
SCHEMES = {
    "string": str,
    "boolean": bool,
    "object": dict,
    "array": list,
    "integer": int,
    "number": (int, float),
}
_FORMATS = {
    "int64": re.compile(r"-?\d{1,19}"),
    "uint64": re.compile(r"\d{1,20}"),
    "date-time": re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?(Z|[+-]\d\d:\d\d)"),
}


def shipped(name: str) -> Document:
    """One of the documents that ship with Google's client, such as `gmail.v1`."""
    folder = resources.files("googleapiclient") / "discovery_cache" / "documents"
    document: Document = json.loads((folder / f"{name}.json").read_text(encoding="utf-8"))
    return document


@dataclass(frozen=True)
class Method:
    """One method of one API, as its document describes it."""

    document: Document
    described: Document

    @property
    def name(self) -> str:
        return str(self.described["id"])

    @property
    def address(self) -> re.Pattern[str]:
        path = self.described.get("flatPath") or self.described["path"]
        parts = re.split(r"\{\+?(\w+)\}", self.document["rootUrl"] + self.document["servicePath"] + path)
        return re.compile(
            "".join(f"(?P<{part}>[^/]+)" if i % 2 else re.escape(part) for i, part in enumerate(parts))
        )

    def parameters(self, location: str) -> Document:
        given = {**self.document.get("parameters", {}), **self.described.get("parameters", {})}
        return {name: rule for name, rule in given.items() if rule["location"] == location}


class DiscoveryContract:
    """The contracts of some Google APIs together."""

    def __init__(self, documents: Iterable[Document]) -> None:
        self._methods = [
            (method, method.address)
            for document in documents
            for method in (Method(document, each) for each in _methods(document))
        ]

    def method(self, request: httpx.Request) -> Method:
        """Which method a request is. Raises `Deviation`."""
        address = _address(request)
        here = [method for method, pattern in self._methods if pattern.fullmatch(address)]
        fitting = [method for method in here if method.described["httpMethod"] == request.method]
        if not fitting:
            raise Deviation(
                f"{request.method} {address}: the contracts have "
                + ("no such method here" if here else "no such address")
            )
        # A literal segment is meant before a template.
        return min(fitting, key=lambda method: method.described["path"].count("{"))

    def scopes(self, request: httpx.Request) -> set[str]:
        """The OAuth scopes of which one suffices."""
        return set(self.method(request).described.get("scopes", ()))

    def check_request(self, request: httpx.Request) -> None:
        """Raises `Deviation`."""
        method = self.method(request)
        found = method.address.fullmatch(_address(request))
        assert found is not None
        for name, rule in method.parameters("path").items():
            _check_text(unquote(found[name]), rule, f"{method.name}: {name}")
        self._check_query(method, request)
        schema = method.described.get("request")
        if schema is None:
            if request.content:
                raise Deviation(f"{method.name}: the contract takes no body")
            return
        if request.headers.get("content-type", "").partition(";")[0] != "application/json":
            raise Deviation(f"{method.name}: the body is not sent as JSON")
        checked = _Values(method)
        body = json.loads(request.content)
        checked.check(body, schema, method.name, is_request=True)

    def _check_query(self, method: Method, request: httpx.Request) -> None:
        known, given = method.parameters("query"), request.url.params.multi_items()
        if unknown := {name for name, _ in given} - set(known):
            raise Deviation(f"{method.name}: the contract has no query parameter {sorted(unknown)}")
        for name, value in given:
            _check_text(value, known[name], f"{method.name}: {name}")
        if (mask := request.url.params.get("fields")) is not None:
            self._check_mask(method, mask_tree(mask), method.described.get("response", {}))
        for name, rule in known.items():
            times = sum(each == name for each, _ in given)
            if rule.get("required") and not times:
                raise Deviation(f"{method.name}: {name} is required")
            if times > 1 and not rule.get("repeated"):
                raise Deviation(f"{method.name}: {name} is given {times} times")

    def _check_mask(self, method: Method, tree: Document, schema: Document) -> None:
        """`fields` asks for a part of the answer; a name that it does not have would be refused."""
        while "$ref" in schema or schema.get("type") == "array":
            schema = method.document["schemas"][schema["$ref"]] if "$ref" in schema else schema["items"]
        if schema.get("type") == "any":
            return
        for name, below in tree.items():
            rule = schema.get("properties", {}).get(name, schema.get("additionalProperties"))
            if rule is None:
                raise Deviation(f"{method.name}: fields names {name!r}, which the answer does not have")
            if below:
                self._check_mask(method, below, rule)

    def check_response(self, request: httpx.Request, response: httpx.Response) -> None:
        """Raises `Deviation`, for an answer of the model that the vendor could not give."""
        method = self.method(request)
        where = f"{response.status_code} to {method.name}"
        if response.status_code >= 400:
            _check_failure(response, where)
            return
        schema = method.described.get("response")
        if schema is None:
            if response.content:
                raise Deviation(f"{where}: the contract gives no body")
            return
        if response.status_code != 200:
            raise Deviation(f"{where}: an answer with a body is a 200")
        _Values(method).check(response.json(), schema, where, is_request=False)


class _Values:
    """JSON held to the schemas of one document."""

    def __init__(self, method: Method) -> None:
        self._schemas = method.document["schemas"]
        self._method = method.name

    def check(self, value: Any, schema: Document, where: str, *, is_request: bool) -> None:
        while "$ref" in schema:
            schema = self._schemas[schema["$ref"]]
        kind = schema["type"]
        if kind == "any":
            return
        is_boolean = isinstance(value, bool)
        if not isinstance(value, SCHEMES[kind]) or (is_boolean and kind != "boolean"):
            raise Deviation(f"{where}: {value!r} is no {kind}")
        if kind == "object":
            self._check_object(value, schema, where, is_request=is_request)
        elif kind == "array":
            for each in value:
                self.check(each, schema["items"], where, is_request=is_request)
        elif kind == "string":
            _check_text(value, schema, where)

    def _check_object(self, value: Document, schema: Document, where: str, *, is_request: bool) -> None:
        known, others = schema.get("properties", {}), schema.get("additionalProperties")
        for name, each in value.items():
            rule = known.get(name, others)
            if rule is None:
                raise Deviation(f"{where}: the contract has no property {name!r}")
            if is_request and rule.get("readOnly"):
                raise Deviation(f"{where}: {name!r} can only be read")
            self.check(each, rule, f"{where}: {name}", is_request=is_request)
        if is_request:
            for name, rule in known.items():
                if self._method in rule.get("annotations", {}).get("required", ()) and name not in value:
                    raise Deviation(f"{where}: {name!r} is required")


def mask_tree(text: str) -> Document:
    """A `fields` parameter such as `kind,items(id,name/first)` as nested names. Raises `Deviation`."""
    tree: Document = {}
    open_trees, here, is_path = [tree], tree, False
    for name, mark in re.findall(r"(\w+)|([,/()])", text):
        if name:
            here = (here if is_path else open_trees[-1]).setdefault(name, {})
            is_path = False
        elif mark == "/":
            is_path = True
        elif mark == "(":
            open_trees.append(here)
        elif mark == ")" and len(open_trees) > 1:
            here = open_trees.pop()
        elif mark == ")":
            raise Deviation(f"fields closes what it did not open: {text!r}")
    if len(open_trees) > 1 or is_path:
        raise Deviation(f"fields breaks off: {text!r}")
    return tree


def _methods(node: Document) -> Iterator[Document]:
    yield from node.get("methods", {}).values()
    for each in node.get("resources", {}).values():
        yield from _methods(each)


def _address(request: httpx.Request) -> str:
    path = request.url.raw_path.decode("ascii").partition("?")[0]
    return f"{request.url.scheme}://{request.headers['host']}{path}"


def _check_text(value: str, rule: Document, where: str) -> None:
    """A value that is written as text: in an address, or as JSON."""
    if "enum" in rule and value not in rule["enum"]:
        raise Deviation(f"{where}: {value!r} is none of {rule['enum']}")
    if "pattern" in rule and not re.fullmatch(rule["pattern"], value):
        raise Deviation(f"{where}: {value!r} is not written as {rule['pattern']}")
    if rule.get("type") == "boolean" and value not in ("true", "false"):
        raise Deviation(f"{where}: {value!r} is no boolean")
    if rule.get("type") in ("integer", "number") and not re.fullmatch(r"-?\d+", value):
        raise Deviation(f"{where}: {value!r} is no number")
    if rule.get("format") in _FORMATS and not _FORMATS[rule["format"]].fullmatch(value):
        raise Deviation(f"{where}: {value!r} is not written as {rule['format']}")


def _check_failure(response: httpx.Response, where: str) -> None:
    """Google's errors look alike in all its APIs; the documents do not describe them."""
    error = response.json().get("error")
    if not isinstance(error, dict) or error.get("code") != response.status_code or "message" not in error:
        raise Deviation(f"{where}: this is not an error as Google gives it")
    if not all({"reason", "message"} <= set(each) for each in error.get("errors", ())):
        raise Deviation(f"{where}: an error without its reason")
