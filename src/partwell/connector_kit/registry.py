"""Which connectors there are. Each folder of `partwell.connectors` is one; adding one touches no other file.

A folder holds `connector.py` with `CONNECTOR` (a class built from a `Connection`) and `manifest.yaml`. What
the manifest declares is compared with what the class can do: neither may promise more than the other.

A folder whose manifest says `declared: true` is a kind: no connector by itself, but what reads the files in
which operators declare theirs. `install` adds those, once, when a process starts.
"""

from __future__ import annotations

import importlib
import pkgutil
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import cache, wraps
from importlib import resources
from threading import RLock
from typing import Any, TypeVar

import jsonschema
import yaml

from partwell.connector_kit.contract import (
    PROTOCOLS,
    Connection,
    Connector,
    Reversibility,
    TransferKind,
    Verb,
)
from partwell.connector_kit.declared import Kind
from partwell.connector_kit.forecast import problems_of
from partwell.connector_kit.secrets import secret_names, secrets_in
from partwell.yaml_text import SafeLoader

PACKAGE = "partwell.connectors"
CHOICES = ("oneOf", "anyOf", "not")
T = TypeVar("T")
_reading = RLock()
REFERENCE = re.compile(r"^(env:[A-Za-z_][A-Za-z0-9_]*|file:/.+)$")


class BrokenConnector(Exception):
    """A connector's folder contradicts itself. A programming error, found by the tests of the kit."""


@dataclass(frozen=True)
class Manifest:
    """What a connector says of itself. `capabilities` maps each to its reversibility, where it has one.

    `transfers` are the kinds that can be given to a successor; those of `transfers_before_suspension` only
    while the account is not suspended. One that `shows_calls` makes every write through the transport, so
    that a dry run can show each without making it.
    """

    id: str
    title: str
    summary: str
    capabilities: Mapping[str, Reversibility | None]
    settings: Mapping[str, Any]
    scopes: tuple[str, ...] = ()
    docs: str = ""
    limits: Mapping[str, Any] = field(default_factory=dict)
    sessions_note: str = ""
    transfers: tuple[TransferKind, ...] = ()
    transfers_before_suspension: frozenset[TransferKind] = frozenset()
    shows_calls: bool = False

    @property
    def needed_settings(self) -> tuple[str, ...]:
        """What a description to start from has: the settings that are required, and the first of those
        that the manifest lets people choose between."""
        choices = self.settings.get("oneOf") or self.settings.get("anyOf") or [{}]
        names = [*self.settings.get("required", []), *choices[0].get("required", [])]
        return tuple(dict.fromkeys(names))

    @property
    def secret_settings(self) -> frozenset[str]:
        """Names of the settings that hold references to secrets."""
        properties = self.settings.get("properties", {})
        return frozenset(name for name, schema in properties.items() if schema.get("secret"))


@dataclass(frozen=True)
class Registered:
    """A connector that can be used: its manifest, and the class behind it. One that an operator declared
    has the `digest` of what the file says, and its path as `source`."""

    manifest: Manifest
    build: Any
    digest: str = ""
    source: str = ""

    def open(self, connection: Connection) -> Connector:
        """A connector for one connection. Whoever opens it also closes it."""
        connector: Connector = self.build(connection)
        return connector


def connectors(package: str = PACKAGE) -> Mapping[str, Registered]:
    """All connectors that can be used, by id: those of the package, and those that were installed. Raises
    `BrokenConnector`."""
    return {**_built_in(package), **_installed}


def _once(read: Callable[[str], Mapping[str, T]]) -> Callable[[str], Mapping[str, T]]:
    """Read once for each package in a process. Of several threads that ask at once, as when a cut in many
    systems follows a start, one reads and the others wait: else each of them would read everything."""
    kept = cache(read)

    @wraps(read)
    def read_once(package: str) -> Mapping[str, T]:
        with _reading:
            return kept(package)

    return read_once


@_once
def _built_in(package: str) -> Mapping[str, Registered]:
    found: dict[str, Registered] = {}
    for module, raw in _manifests(package).items():
        registered = _load(module, raw)
        if registered.manifest.id in found:
            raise BrokenConnector(f"two connectors call themselves {registered.manifest.id!r}")
        found[registered.manifest.id] = registered
    return {name: each for name, each in found.items() if name not in kinds(package)}


def kinds(package: str = PACKAGE) -> Mapping[str, tuple[Mapping[str, Any], Kind[Any]]]:
    """The kinds of declared connectors, each with its raw manifest."""
    return _kinds(package)


@_once
def _kinds(package: str) -> Mapping[str, tuple[Mapping[str, Any], Kind[Any]]]:
    found = {}
    for module, raw in _manifests(package).items():
        if raw.get("declared") is True:
            found[str(raw["id"])] = (raw, importlib.import_module(f"{module}.declaration").KIND)
    return found


_installed: dict[str, Registered] = {}


def install(found: Mapping[str, Registered]) -> None:
    """Let these declared connectors be used in this process, in place of those before."""
    _installed.clear()
    _installed.update(found)


@_once
def _manifests(package: str) -> Mapping[str, Mapping[str, Any]]:
    root = importlib.import_module(package)
    modules = [f"{package}.{module.name}" for module in pkgutil.iter_modules(root.__path__) if module.ispkg]
    return {
        module: raw_manifest(module)
        for module in modules
        if (resources.files(module) / "manifest.yaml").is_file()
    }


def raw_manifest(package: str) -> Mapping[str, Any]:
    """What the manifest of a connector's or a kind's package says, unread."""
    text = (resources.files(package) / "manifest.yaml").read_text(encoding="utf-8")
    raw: Mapping[str, Any] = yaml.load(text, Loader=SafeLoader)  # noqa: S506 (a safe loader)
    return raw


def find(connector_id: str) -> Registered | None:
    """The connector with this id, if there is one."""
    return _installed.get(connector_id) or _built_in(PACKAGE).get(connector_id)


def _load(package: str, raw: Mapping[str, Any]) -> Registered:
    manifest = read_manifest(raw, where=package)
    build = importlib.import_module(f"{package}.connector").CONNECTOR
    if problems := mismatches(manifest, build):
        raise BrokenConnector(f"{package}: {'; '.join(problems)}")
    return Registered(manifest, build)


def read_manifest(raw: Mapping[str, Any], *, where: str) -> Manifest:
    """A manifest from its YAML. Raises `BrokenConnector` naming what is wrong with it."""
    if missing := {"id", "title", "summary", "capabilities", "settings"} - set(raw):
        raise BrokenConnector(f"{where}: the manifest lacks {', '.join(sorted(missing))}")
    capabilities: dict[str, Reversibility | None] = {}
    for name, value in (raw["capabilities"] or {}).items():
        if name not in PROTOCOLS:
            raise BrokenConnector(f"{where}: unknown capability {name!r}")
        if value is False:
            continue
        declared = value.get("reversibility") if isinstance(value, Mapping) else None
        if name in set(Verb) and declared is None:
            raise BrokenConnector(f"{where}: {name} does not say how far it can be undone")
        capabilities[name] = None if declared is None else Reversibility(declared)
    jsonschema.Draft202012Validator.check_schema(raw["settings"])
    if problems := problems_of(raw.get("limits") or {}):
        raise BrokenConnector(f"{where}: {'; '.join(problems)}")
    transfers, before_suspension = _transfers((raw["capabilities"] or {}).get("transfer"), where=where)
    return Manifest(
        id=raw["id"],
        title=raw["title"],
        summary=raw["summary"],
        capabilities=capabilities,
        settings=raw["settings"],
        scopes=tuple(raw.get("scopes") or ()),
        docs=raw.get("docs") or "",
        limits=raw.get("limits") or {},
        sessions_note=raw.get("sessions_note") or "",
        transfers=transfers,
        transfers_before_suspension=before_suspension,
        shows_calls=raw.get("shows_calls") is True,
    )


def _transfers(raw: Any, *, where: str) -> tuple[tuple[TransferKind, ...], frozenset[TransferKind]]:
    """What `transfer: {kinds: […], needs_active: …}` says; `needs_active` is true, false or the kinds."""
    if not raw:
        return (), frozenset()
    try:
        kinds = tuple(TransferKind(kind) for kind in raw["kinds"])
        named = raw["needs_active"]
        active = frozenset(kinds if named is True else map(TransferKind, named or ()))
    except (TypeError, KeyError, ValueError) as error:
        raise BrokenConnector(f"{where}: transfer does not say which kinds and what they need") from error
    if not active <= set(kinds):
        raise BrokenConnector(f"{where}: transfer needs the account for a kind that it does not give")
    return kinds, active


def mismatches(manifest: Manifest, build: type) -> list[str]:
    """Where the manifest and the class disagree about what the connector can do."""
    problems = []
    for name, protocol in PROTOCOLS.items():
        can = issubclass(build, protocol)
        if name in manifest.capabilities and not can:
            problems.append(f"{name} is declared, but {build.__name__} has no such method")
        if can and name not in manifest.capabilities:
            problems.append(f"{build.__name__} can {name}, but the manifest does not declare it")
    return problems


def settings_problems(manifest: Manifest, settings: Mapping[str, Any]) -> list[tuple[str, str]]:
    """What is wrong with the settings of a connection: (setting, problem) pairs, in a stable order.

    A secret's value is never repeated in the problem: it may be the secret itself. Where the manifest lets
    people choose (`oneOf`, `anyOf`), the `description` of its settings says between what.
    """
    secret = dict(sorted(secrets_in(manifest.settings, settings)))
    problems = [
        (name, "write where the secret is kept, env:NAME or file:/PATH, never the secret itself")
        for name, value in secret.items()
        if not (isinstance(value, str) and REFERENCE.match(value))
    ]
    validator = jsonschema.Draft202012Validator(dict(manifest.settings))
    for error in sorted(validator.iter_errors(dict(settings)), key=lambda e: [str(p) for p in e.path]):
        name = ".".join(str(part) for part in error.path)
        if not name and error.validator in CHOICES:
            problems.append((name, str(manifest.settings.get("description", "These do not go together."))))
        elif name not in secret:
            problems.append((name, _said(error, manifest.settings)))
    return problems


def _said(error: jsonschema.ValidationError, schema: Mapping[str, Any]) -> str:
    """What is wrong in the validator's words, or in ours where those would repeat what may be a secret."""
    rule = schema.get("properties", {}).get(error.path[0] if error.path else "", {})
    is_about_names = error.validator in ("required", "additionalProperties")
    if secret_names(rule.get("items", {})) and len(error.path) < 3 and not is_about_names:
        return f"write a list of {', '.join(rule['items'].get('required', ()))} for each."
    return error.message
