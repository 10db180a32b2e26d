"""Whether a request says only what an OData service's own metadata (EDMX, CSDL) knows.

A connector whose service cannot run here is tried against a model of it. The model lets no request and no
answer past that this does not accept: paths, actions and their parameters, names and types of properties,
members of enumerations, and what `$select`, `$expand`, `$orderby` and `$filter` name.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from functools import lru_cache
from pathlib import Path
from typing import Any
from urllib.parse import parse_qsl, unquote

from defusedxml.ElementTree import parse

from tests.vendor_csdl_filter import check_filter
from tests.vendor_csdl_shapes import Broken, Shape

EDM = "{http://docs.oasis-open.org/odata/ns/edm}"
PRIMITIVES = {
    "Edm.String": re.compile(r".*", re.DOTALL),
    "Edm.Guid": re.compile(r"[0-9a-fA-F]{8}(-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}"),
    "Edm.DateTimeOffset": re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d{1,7})?(Z|[+-]\d\d:\d\d)"),
    "Edm.Date": re.compile(r"\d{4}-\d\d-\d\d"),
    "Edm.Duration": re.compile(r"-?P.+"),
    "Edm.TimeOfDay": re.compile(r"\d\d:\d\d(:\d\d(\.\d+)?)?"),
    "Edm.Binary": re.compile(r"[A-Za-z0-9+/_=-]*"),
}
OPTIONS = {"$select", "$expand", "$filter", "$orderby", "$top", "$count", "$skiptoken"}


@dataclass(frozen=True)
class Operation:
    """An action or function that belongs to a type."""

    name: str
    is_action: bool
    on: Shape
    parameters: Mapping[str, Shape]
    required: frozenset[str]
    returns: Shape | None


@dataclass(frozen=True)
class Place:
    """Where a path leads: a value of some shape, a reference to it, or an operation.

    What is only pointed at (`is_elsewhere`) is unlinked by its reference: a DELETE without `$ref` would
    delete the thing itself.
    """

    shape: Shape | None
    is_reference: bool = False
    is_elsewhere: bool = False
    operation: Operation | None = None


@dataclass
class Structure:
    """An entity or complex type: what it has, and what it is based on."""

    base: str
    properties: dict[str, Shape] = field(default_factory=dict)
    navigation: dict[str, Shape] = field(default_factory=dict)
    contained: set[str] = field(default_factory=set)


@lru_cache(maxsize=2)
def read_contract(path: Path) -> Contract:
    """The contract in an EDMX file."""
    return Contract(parse(path).getroot())


class Contract:
    """What the metadata says, and the checks against it. Every check raises `Broken`."""

    def __init__(self, root: Any) -> None:
        self.structures: dict[str, Structure] = {}
        self.enumerations: dict[str, set[str]] = {}
        self.operations: dict[str, list[Operation]] = {}
        self.roots: dict[str, Shape] = {}
        self._alias: dict[str, str] = {}
        self._members: dict[tuple[str, bool], dict[str, Shape]] = {}
        for schema in root.iter(f"{EDM}Schema"):
            self._namespace = schema.get("Namespace")
            self._alias = {"graph": "microsoft.graph", schema.get("Alias") or "": self._namespace}
            for element in schema:
                self._read(element)

    # -- reading the metadata ------------------------------------------------------------------------

    def _read(self, element: Any) -> None:
        kind, name = element.tag.removeprefix(EDM), f"{self._namespace}.{element.get('Name')}"
        if kind == "EnumType":
            self.enumerations[name] = {member.get("Name") for member in element.iter(f"{EDM}Member")}
        elif kind in ("EntityType", "ComplexType"):
            base = element.get("BaseType")
            structure = Structure(self._full(base) if base else "")
            structure.properties = {p.get("Name"): self._shape(p) for p in element.iter(f"{EDM}Property")}
            links = list(element.iter(f"{EDM}NavigationProperty"))
            structure.navigation = {p.get("Name"): self._shape(p) for p in links}
            structure.contained = {p.get("Name") for p in links if p.get("ContainsTarget") == "true"}
            self.structures[name] = structure
        elif kind in ("Action", "Function") and element.get("IsBound") == "true":
            on, *given = list(element.iter(f"{EDM}Parameter"))
            optional = {p.get("Name") for p in given if _is_optional(p)}
            parameters = {p.get("Name"): self._shape(p) for p in given}
            returns = element.find(f"{EDM}ReturnType")
            self.operations.setdefault(element.get("Name"), []).append(
                Operation(
                    name=element.get("Name"),
                    is_action=kind == "Action",
                    on=self._shape(on),
                    parameters=parameters,
                    required=frozenset(
                        n for n, s in parameters.items() if not s.nullable and n not in optional
                    ),
                    returns=None if returns is None else self._shape(returns),
                )
            )
        elif kind == "EntityContainer":
            for child in element:
                if child.tag == f"{EDM}EntitySet":
                    self.roots[child.get("Name")] = Shape(self._full(child.get("EntityType")), True)
                elif child.tag == f"{EDM}Singleton":
                    self.roots[child.get("Name")] = Shape(self._full(child.get("Type")))

    def _shape(self, element: Any) -> Shape:
        written = element.get("Type")
        is_many = written.startswith("Collection(")
        inner = written[len("Collection(") : -1] if is_many else written
        return Shape(self._full(inner), is_many, element.get("Nullable") != "false")

    def _full(self, name: str) -> str:
        space, _, short = name.rpartition(".")
        return f"{self._alias.get(space, space)}.{short}"

    # -- types ---------------------------------------------------------------------------------------

    def lineage(self, name: str) -> Iterator[str]:
        """The type and all that it is based on."""
        while name:
            yield name
            name = self.structures[name].base if name in self.structures else ""

    def members(self, name: str, *, derived: bool = False) -> dict[str, Shape]:
        """All properties of a type, navigation included; with `derived`, those of types based on it too."""
        if (name, derived) not in self._members:
            found: dict[str, Shape] = {}
            names = [n for n in self.structures if name in self.lineage(n)] if derived else [name]
            for each in (a for n in names for a in self.lineage(n)):
                found |= self.structures[each].properties | self.structures[each].navigation
            self._members[name, derived] = found
        return self._members[name, derived]

    def follow(self, shape: Shape, path: str) -> Shape:
        """Where a property path (`a/b`) leads from a type."""
        for name in path.split("/"):
            known = self.members(shape.type, derived=True) if shape.type in self.structures else {}
            if name not in known:
                raise Broken(f"{shape.type} has no property {name!r}")
            shape = known[name]
        return shape

    # -- requests ------------------------------------------------------------------------------------

    def check_request(
        self, method: str, path: str, query: str, headers: Mapping[str, str], body: Any
    ) -> Place:
        """The place that the request is for. `path` is without the service's root."""
        place = self.resolve(path)
        self._check_method(method, place, body)
        self._check_query(method, place, parse_qsl(query, keep_blank_values=True), headers)
        return place

    def resolve(self, path: str) -> Place:
        """Where a path leads."""
        first, *rest = [unquote(part) for part in path.strip("/").split("/")]
        if first not in self.roots:
            raise Broken(f"there is no entity set or singleton {first!r}")
        place = Place(self.roots[first])
        for segment in rest:
            place = self._step(place, segment)
        return place

    def _step(self, place: Place, segment: str) -> Place:
        shape = place.shape
        if shape is None or place.is_reference or place.operation:
            raise Broken(f"nothing can follow before {segment!r}")
        if segment == "$ref":
            return Place(shape, is_reference=True, is_elsewhere=place.is_elsewhere)
        if segment == "$count" and shape.is_many:
            return Place(Shape("Edm.Int32"))
        if "." in segment and self._full(segment) in self.structures:
            cast = self._full(segment)
            if shape.type not in self.lineage(cast):
                raise Broken(f"{cast} is not a {shape.type}")
            return Place(Shape(cast, shape.is_many), is_elsewhere=place.is_elsewhere)
        if operation := self._operation(shape, segment):
            return Place(operation.returns, operation=operation)
        if shape.is_many:
            if not segment or segment.startswith("$"):
                raise Broken(f"{segment!r} is no key")
            return Place(Shape(shape.type), is_elsewhere=place.is_elsewhere)
        known = self.members(shape.type) if shape.type in self.structures else {}
        if segment not in known:
            raise Broken(f"{shape.type} has no {segment!r}")
        owners = [self.structures[name] for name in self.lineage(shape.type)]
        is_link = any(segment in owner.navigation for owner in owners)
        is_contained = any(segment in owner.contained for owner in owners)
        return Place(known[segment], is_elsewhere=is_link and not is_contained)

    def _operation(self, shape: Shape, segment: str) -> Operation | None:
        short = segment.removeprefix("microsoft.graph.").partition("(")[0]
        for operation in self.operations.get(short, []):
            if operation.on.is_many == shape.is_many and operation.on.type in self.lineage(shape.type):
                return operation
        return None

    def _check_method(self, method: str, place: Place, body: Any) -> None:
        operation = place.operation
        if operation is not None:
            if method != ("POST" if operation.is_action else "GET"):
                raise Broken(f"{operation.name} is not called by {method}")
            if operation.is_action:
                self._check_parameters(operation, body or {})
            return
        assert place.shape is not None
        is_key = not place.shape.is_many
        allowed = {"GET"} if not place.is_reference else set()
        if place.is_reference:
            allowed |= {"DELETE"} if is_key else {"POST", "GET"}
        else:
            allowed |= {"PATCH", "DELETE"} if is_key else {"POST"}
        if method not in allowed or (place.is_elsewhere and not place.is_reference and method != "GET"):
            raise Broken(f"{method} is not for {place}")
        if method in ("GET", "DELETE"):
            if body is not None:
                raise Broken(f"{method} carries no body")
        elif place.is_reference:
            if set(body or {}) != {"@odata.id"} or not str(body["@odata.id"]).startswith("https://"):
                raise Broken("a reference is given as '@odata.id' alone")
        else:
            self.check_value(Shape(place.shape.type, nullable=False), body, "body")

    def _check_parameters(self, operation: Operation, body: Mapping[str, Any]) -> None:
        if unknown := set(body) - set(operation.parameters):
            raise Broken(f"{operation.name} has no parameter {sorted(unknown)}")
        if missing := operation.required - set(body):
            raise Broken(f"{operation.name} needs {sorted(missing)}")
        for name, value in body.items():
            self.check_value(operation.parameters[name], value, name)

    def _check_query(
        self, method: str, place: Place, options: list[tuple[str, str]], headers: Mapping[str, str]
    ) -> None:
        if len({name for name, _ in options}) != len(options):
            raise Broken("an option is given twice")
        given = dict(options)
        if unknown := set(given) - OPTIONS:
            raise Broken(f"unknown options {sorted(unknown)}")
        if given and (method != "GET" or place.shape is None):
            raise Broken(f"{method} takes no options here")
        shape = place.shape or Shape("")
        if not shape.is_many and set(given) - {"$select", "$expand"}:
            raise Broken("a single thing is not filtered, ordered or counted")
        for name in _listed(given.get("$select", "")):
            self.follow(shape, name)
        for item in _listed(given.get("$expand", "")):
            self._check_expand(shape, item)
        for item in _listed(given.get("$orderby", "")):
            self.follow(shape, item.removesuffix(" desc").removesuffix(" asc"))
        if "$filter" in given:
            check_filter(self, shape, given["$filter"])
        if not re.fullmatch(r"\d{1,3}", given.get("$top", "1")) or given.get("$count", "true") != "true":
            raise Broken(f"$top or $count is wrong: {given}")
        if "$count" in given and headers.get("consistencylevel") != "eventual":
            raise Broken("$count on directory objects needs the header ConsistencyLevel: eventual")

    def _check_expand(self, shape: Shape, item: str) -> None:
        name, _, inner = item.partition("(")
        target = self.members(shape.type, derived=True).get(name)
        if target is None or not any(name in s.navigation for s in self.structures.values()):
            raise Broken(f"{shape.type} has nothing to expand called {name!r}")
        if inner:
            option, _, names = inner.removesuffix(")").partition("=")
            if option != "$select":
                raise Broken(f"{option} inside $expand is not known here")
            for each in _listed(names):
                self.follow(target, each)

    # -- values --------------------------------------------------------------------------------------

    def check_answer(self, place: Place, content: Any) -> None:
        """Whether `content` is what the place may answer with."""
        shape = place.shape
        if shape is None:
            raise Broken("this answers with nothing")
        many = shape.is_many
        if many or (place.operation and shape.type not in self.structures):
            if not isinstance(content, dict) or "value" not in content:
                raise Broken("the answer has no 'value'")
            extra = {name for name in content if name != "value" and not name.startswith("@odata.")}
            if extra:
                raise Broken(f"the answer has {sorted(extra)} beside 'value'")
            self.check_value(shape, content["value"], "value")
        else:
            self.check_value(shape, content, "answer")

    def check_value(self, shape: Shape, value: Any, where: str) -> None:
        """Whether a value is of a shape, with every name and type in it known."""
        if shape.is_many:
            if not isinstance(value, list):
                raise Broken(f"{where} is not a list")
            for item in value:
                self.check_value(Shape(shape.type, nullable=False), item, where)
        elif value is None:
            if not shape.nullable:
                raise Broken(f"{where} may not be null")
        elif shape.type in self.enumerations:
            if not isinstance(value, str) or not set(value.split(",")) <= self.enumerations[shape.type]:
                raise Broken(f"{where} is {value!r}, which is no {shape.type}")
        elif shape.type in self.structures:
            self._check_structure(shape.type, value, where)
        elif not _is_primitive(shape.type, value):
            raise Broken(f"{where} is {value!r}, which is no {shape.type}")

    def _check_structure(self, name: str, value: Any, where: str) -> None:
        if not isinstance(value, dict):
            raise Broken(f"{where} is not an object")
        if given := value.get("@odata.type"):
            actual = self._full(str(given).removeprefix("#"))
            if name not in self.lineage(actual):
                raise Broken(f"{where} is a {actual}, which is no {name}")
            name = actual
        known = self.members(name)
        for key, inner in value.items():
            if key.startswith("@odata."):
                continue
            if key.partition("@")[0] not in known:
                raise Broken(f"{name} has no property {key!r} ({where})")
            if "@" not in key:
                self.check_value(known[key], inner, f"{where}.{key}")


def _is_optional(parameter: Any) -> bool:
    annotations = parameter.iter(f"{EDM}Annotation")
    return any(a.get("Term") == "Org.OData.Core.V1.OptionalParameter" for a in annotations)


def _is_primitive(name: str, value: Any) -> bool:
    if name == "Edm.Boolean":
        return isinstance(value, bool)
    if name.startswith("Edm.Int"):
        return isinstance(value, int) and not isinstance(value, bool)
    if name in ("Edm.Double", "Edm.Single", "Edm.Decimal"):
        return isinstance(value, int | float) and not isinstance(value, bool)
    pattern = PRIMITIVES.get(name)
    return pattern is not None and isinstance(value, str) and pattern.fullmatch(value) is not None


def _listed(text: str) -> list[str]:
    return re.findall(r"[^,(]+(?:\([^)]*\))?", text)
