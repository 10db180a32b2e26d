"""An httpx transport that holds a conversation to a vendor's published OpenAPI contract.

In front of a small in-memory model of the vendor: every request of the connector is validated by openapi-core
(method, path, query, headers, body), and so is every answer of the model. What deviates fails the test, also
where the connector would swallow the failure. Beyond JSON Schema, names that the contract does not have are
deviations: a misspelt parameter is valid to a schema, and ignored by the vendor.
"""

from __future__ import annotations

import copy
import json
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlsplit

import httpx
import yaml
from openapi_core import Config, OpenAPI
from openapi_core.datatypes import RequestParameters
from openapi_core.exceptions import OpenAPIError
from openapi_core.testing import MockResponse
from werkzeug.datastructures import Headers, ImmutableMultiDict

JSON_TOO = ("application/scim+json",)
METHODS = ("get", "put", "post", "delete", "patch", "head")
Document = dict[str, Any]


class Deviation(AssertionError):
    """What was sent or answered is not what the contract says."""


@dataclass(frozen=True)
class Erratum:
    """Where a contract contradicts itself: why we read it otherwise, and how."""

    why: str
    mend: Callable[[Document], None]


def read_document(text: str) -> Document:
    """A contract from its YAML or JSON text, dates left as the text that they are."""
    if text.lstrip().startswith("{"):
        document: Document = json.loads(text)
        return document

    class Loader(yaml.CSafeLoader):
        pass

    Loader.yaml_implicit_resolvers = {
        first: [(tag, pattern) for tag, pattern in found if tag != "tag:yaml.org,2002:timestamp"]
        for first, found in yaml.CSafeLoader.yaml_implicit_resolvers.items()
    }
    return dict(yaml.load(text, Loader))


def pruned(document: Document, paths: Iterable[str]) -> Document:
    """The contract of these paths alone, with the components that they refer to."""
    chosen = {path: copy.deepcopy(document["paths"][path]) for path in paths}
    small = {key: value for key, value in document.items() if key not in ("paths", "components")}
    small |= {"paths": chosen, "components": {}}
    schemes = document.get("components", {}).get("securitySchemes")
    if schemes:
        small["components"]["securitySchemes"] = schemes
    waiting, done = list(_references(chosen)), set()
    while waiting:
        reference = waiting.pop()
        if reference in done:
            continue
        done.add(reference)
        kind, _, name = reference.removeprefix("#/components/").partition("/")
        found = copy.deepcopy(document["components"][kind][name])
        small["components"].setdefault(kind, {})[name] = found
        waiting += _references(found)
    return small


def _references(node: Any) -> Iterator[str]:
    if isinstance(node, dict):
        for key, value in node.items():
            if key == "$ref" and isinstance(value, str):
                yield value
            elif key == "mapping" and isinstance(value, dict):
                yield from (each for each in value.values() if str(each).startswith("#/components/"))
            else:
                yield from _references(value)
    elif isinstance(node, list):
        for each in node:
            yield from _references(each)


class _Request:
    """A request as openapi-core reads one."""

    def __init__(self, request: httpx.Request) -> None:
        self.host_url = f"{request.url.scheme}://{request.headers['host']}"
        self.path = request.url.raw_path.decode("ascii").partition("?")[0]
        self.method = request.method.lower()
        self.content_type = request.headers.get("content-type", "application/json").partition(";")[0]
        self.body = request.content or None
        self.parameters = RequestParameters(
            query=ImmutableMultiDict(request.url.params.multi_items()),
            header=Headers(dict(request.headers)),
        )


def _words_of(message: httpx.Request | httpx.Response) -> tuple[Any, ...]:
    start = (message.method, str(message.url)) if isinstance(message, httpx.Request) else ()
    return (*start, *message.headers.multi_items(), message.content)


class VendorContract:
    """A vendor's contract, for the paths that a connector uses.

    `validates_itself` is off for a document that openapi-spec-validator refuses although it reads well.
    """

    def __init__(
        self,
        document: Document,
        *,
        paths: Sequence[str],
        errata: Sequence[Erratum] = (),
        validates_itself: bool = True,
    ) -> None:
        self.document = pruned(document, paths)
        for erratum in errata:
            erratum.mend(self.document)
        itself: dict[str, Any] = {} if validates_itself else {"spec_validator_cls": None}
        config = Config(extra_media_type_deserializers=dict.fromkeys(JSON_TOO, json.loads), **itself)
        self._api = OpenAPI.from_dict(self.document, config=config)
        # What was found to keep the contract: conversations repeat themselves, and judging each takes 10 ms.
        self._kept: set[tuple[Any, ...]] = set()

    def check_request(self, request: httpx.Request) -> None:
        """Raises `Deviation`."""
        said = _words_of(request)
        if said not in self._kept:
            self._judge_request(request)
            self._kept.add(said)

    def check_response(self, request: httpx.Request, response: httpx.Response) -> None:
        """Raises `Deviation`, for an answer of the model that the vendor could not give."""
        said = (*_words_of(request), response.status_code, *_words_of(response))
        if said not in self._kept:
            self._judge_response(request, response)
            self._kept.add(said)

    def _judge_request(self, request: httpx.Request) -> None:
        seen = _Request(request)
        where = f"{request.method} {seen.path}"
        operation, item = self._operation(seen, where)
        try:
            self._api.validate_request(seen)
        except OpenAPIError as error:
            raise Deviation(f"{where}: {_in_words(error)}") from None
        if unknown := set(request.url.params) - self._query_names(operation, item):
            raise Deviation(f"{where}: the contract has no query parameter {sorted(unknown)}")
        body = self._resolve(operation.get("requestBody"))
        if request.content and not body:
            raise Deviation(f"{where}: the contract takes no body")
        if request.content:
            schema = body["content"][seen.content_type].get("schema", {})
            self._check_names(json.loads(request.content), schema, where)

    def _judge_response(self, request: httpx.Request, response: httpx.Response) -> None:
        seen = _Request(request)
        where = f"{response.status_code} to {request.method} {seen.path}"
        operation, _ = self._operation(seen, where)
        if str(response.status_code) not in operation["responses"]:
            raise Deviation(f"{where}: the contract has no such status here")
        described = self._resolve(operation["responses"][str(response.status_code)])
        media = response.headers.get("content-type", "").partition(";")[0]
        if not described.get("content"):
            if response.content:
                raise Deviation(f"{where}: the contract gives no body")
            return
        try:
            self._api.validate_response(
                seen,
                MockResponse(
                    response.content,
                    status_code=response.status_code,
                    headers=dict(response.headers),
                    content_type=media,
                ),
            )
        except OpenAPIError as error:
            raise Deviation(f"{where}: {_in_words(error)}") from None
        self._check_names(response.json(), described["content"][media].get("schema", {}), where)

    def example(self, method: str, path: str, status: int = 200) -> Any:
        """The first example that the contract gives of an answer, for a model to fill in."""
        described = self._resolve(self.document["paths"][path][method]["responses"][str(status)])
        (content,) = described["content"].values()
        given = [self._resolve(each) for each in content.get("examples", {}).values()]
        return copy.deepcopy(given[0]["value"] if given else content["example"])

    def has_body(self, request: httpx.Request, status: int) -> bool:
        """Whether the contract gives the answer of this status a body."""
        seen = _Request(request)
        operation, _ = self._operation(seen, f"{request.method} {seen.path}")
        return bool(self._resolve(operation["responses"].get(str(status))).get("content"))

    def query_names(self, request: httpx.Request) -> set[str]:
        """The query parameters that the contract has here, by which a model knows whether to give pages."""
        seen = _Request(request)
        return self._query_names(*self._operation(seen, f"{request.method} {seen.path}"))

    def _query_names(self, operation: Document, item: Document) -> set[str]:
        given = (*item.get("parameters", ()), *operation.get("parameters", ()))
        return {found["name"] for each in given if (found := self._resolve(each))["in"] == "query"}

    def scopes(self, request: httpx.Request) -> set[str]:
        """The OAuth scopes that the contract asks for."""
        seen = _Request(request)
        operation, _ = self._operation(seen, f"{request.method} {seen.path}")
        return {scope for way in operation.get("security", ()) for scopes in way.values() for scope in scopes}

    def _operation(self, seen: _Request, where: str) -> tuple[Document, Document]:
        parts = seen.path.split("/")
        fitting = [
            path
            for path in self.document["paths"]
            if len(path.split("/")) == len(parts)
            and all(a == b or (a[:1] == "{" and b) for a, b in zip(path.split("/"), parts, strict=True))
        ]
        if not fitting:
            raise Deviation(f"{where}: no such path among those that the test took from the contract")
        # A literal segment is meant before a template (`/groups/rules` before `/groups/{groupId}`).
        item = self.document["paths"][min(fitting, key=lambda path: path.count("{"))]
        if seen.method not in item or seen.method not in METHODS:
            raise Deviation(f"{where}: the contract has no such method here")
        return item[seen.method], item

    def _resolve(self, node: Any) -> Document:
        while isinstance(node, dict) and "$ref" in node:
            found: Any = self.document
            for part in node["$ref"].removeprefix("#/").split("/"):
                found = found[part]
            node = found
        return node or {}

    def _check_names(self, value: Any, schema: Any, where: str) -> None:
        if isinstance(value, list):
            for each in value:
                self._check_names(each, self._items(schema), where)
        elif isinstance(value, dict):
            names, is_open = self._names(schema)
            if not is_open and (unknown := set(value) - set(names)):
                raise Deviation(f"{where}: the contract has no property {sorted(unknown)}")
            for name, each in value.items():
                if name in names:
                    self._check_names(each, {"anyOf": names[name]}, where)

    def _items(self, schema: Any) -> Document:
        schema = self._resolve(schema)
        found = [schema["items"]] if "items" in schema else []
        for word in ("allOf", "anyOf", "oneOf"):
            found += [items for each in schema.get(word, ()) if (items := self._items(each))]
        return {"anyOf": found} if found else {}

    def _names(self, schema: Any) -> tuple[dict[str, list[Any]], bool]:
        """The properties that a schema names, and whether it takes others too."""
        schema = self._resolve(schema)
        names: dict[str, list[Any]] = {}
        for name, each in schema.get("properties", {}).items():
            names.setdefault(name, []).append(each)
        inner = [self._names(each) for word in ("allOf", "anyOf", "oneOf") for each in schema.get(word, ())]
        for more, _ in inner:
            for name, each in more.items():
                names.setdefault(name, []).extend(each)
        extra = schema.get("additionalProperties", False)
        is_open = bool(extra) or not names or any(other for _, other in inner)
        return names, is_open


def _in_words(error: BaseException) -> str:
    """openapi-core wraps what matters: the innermost reason is said."""
    found = [str(error)]
    cause: BaseException | None = error
    while cause is not None:
        found += [str(each) for each in getattr(cause, "schema_errors", ())]
        found.append(str(cause))
        cause = cause.__cause__
    return "; ".join(dict.fromkeys(text.splitlines()[0] for text in found if text))


# An answer of the model that real services give and that their contract leaves out: a 401, a 429.
UNDOCUMENTED = {"undocumented": True}

Answering = Callable[[httpx.Request], httpx.Response]
Fault = Callable[[httpx.Request], httpx.Response | None]


class ValidatedHttp(httpx.AsyncBaseTransport):
    """Answers from a model, both directions validated; for `Transport(http=…)`.

    `outside` are paths that the vendor's document leaves out, and that the model checks itself. `faults` may
    answer first: they stand for what no contract promises (a page of HTML, a proxy's 502), so their answer is
    not validated; the request is. Whoever makes one calls `close` at the end: it raises what was swallowed.
    """

    def __init__(self, contract: VendorContract, answer: Answering, *, outside: Iterable[str] = ()) -> None:
        self.contract = contract
        self.faults: list[Fault] = []
        self.requests: list[httpx.Request] = []
        self._answer = answer
        self._outside = frozenset(outside)
        self._deviations: list[Deviation] = []

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        await request.aread()
        named = _as_named(request)
        self.requests.append(named)
        try:
            response = self._converse(named)
        except Deviation as deviation:
            self._deviations.append(deviation)
            raise
        return httpx.Response(
            response.status_code, headers=response.headers, stream=httpx.ByteStream(response.content)
        )

    def _converse(self, request: httpx.Request) -> httpx.Response:
        is_inside = request.url.path not in self._outside
        if is_inside:
            self.contract.check_request(request)
        for fault in self.faults:
            if (response := fault(request)) is not None:
                return response
        response = self._answer(request)
        if is_inside and not response.extensions.get("undocumented"):
            self.contract.check_response(request, response)
        return response

    def writes(self) -> list[str]:
        """What was written, in order: `POST /path`."""
        return [
            f"{each.method} {each.url.raw_path.decode().partition('?')[0]}"
            for each in self.requests
            if each.method != "GET" and each.url.path not in self._outside
        ]

    def close(self) -> None:
        """Raise the first deviation, whatever became of it in the connector."""
        for deviation in self._deviations:
            raise deviation


def _as_named(request: httpx.Request) -> httpx.Request:
    """The request with the name in its address: the transport dials the address that it checked."""
    url = request.url.copy_with(host=urlsplit(f"//{request.headers['host']}").hostname)
    return httpx.Request(request.method, url, headers=request.headers, content=request.content)
