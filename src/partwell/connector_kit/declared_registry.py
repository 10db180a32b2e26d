"""From an operator's files to connectors in the registry."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from partwell.connector_kit import registry
from partwell.connector_kit.declared import Declaration, Kind, digest_of, kind_in, read, settings_schema
from partwell.connector_kit.declared_files import declarations_in, text_in
from partwell.connector_kit.registry import Registered
from partwell.yaml_text import Problem


@dataclass(frozen=True)
class Found:
    """What a folder holds: connectors by id (`http:jira`), and what is wrong with the rest."""

    connectors: Mapping[str, Registered] = field(default_factory=dict)
    problems: tuple[Problem, ...] = ()


def find_declared(folder: Path) -> Found:
    """Everything that is declared in `folder`. A file with a problem is refused whole; the others count."""
    found: dict[str, Registered] = {}
    problems: list[Problem] = []
    if not folder.exists():
        return Found({}, (Problem(str(folder), 1, "", "There is no such file or folder."),))
    for path in declarations_in(folder):
        registered, wrong = read_declared(path)
        problems += wrong
        if registered is None:
            continue
        if other := found.get(registered.manifest.id):
            message = f"“{registered.manifest.id}” is declared by {other.source} already."
            problems.append(Problem(str(path), 1, "id", message))
            continue
        found[registered.manifest.id] = registered
    return Found(found, tuple(problems))


def read_declared(path: Path) -> tuple[Registered | None, list[Problem]]:
    """The connector that a file declares, or all that is wrong with it."""
    text, problems = text_in(path)
    if problems:
        return None, problems
    name, problems = kind_in(text, file=path)
    if problems:
        return None, problems
    if name not in registry.kinds():
        known = " or ".join(sorted(registry.kinds()))
        return None, [Problem(str(path), 1, "kind", f"There is no kind “{name}”. Write {known}.")]
    raw, kind = registry.kinds()[name]
    declared, problems = read(text, file=path, kind=kind)
    if declared is None or problems:
        return None, problems
    return _registered(raw, kind, declared, path), []


def _registered(raw: Mapping[str, Any], kind: Kind[Any], declared: Declaration, path: Path) -> Registered:
    digest = digest_of(declared, *kind.parts(declared, path.parent))
    manifest = registry.read_manifest(
        {
            "id": f"{declared.kind}:{declared.id}",
            "title": declared.title,
            "summary": declared.summary,
            "capabilities": kind.capabilities(declared),
            "settings": settings_schema(raw["settings"], declared.settings),
            "scopes": declared.scopes,
            "docs": str(path),
            "limits": {**_usual_requests(raw), **kind.limits(declared)},
            "sessions_note": declared.sessions_note,
            "shows_calls": raw.get("shows_calls", False),
        },
        where=str(path),
    )
    build = kind.build(declared, digest, path.parent)
    if wrong := registry.mismatches(manifest, build):
        raise registry.BrokenConnector(f"{path}: {'; '.join(wrong)}")
    return Registered(manifest, build, digest=digest, source=str(path))


def _usual_requests(raw: Mapping[str, Any]) -> dict[str, Any]:
    """What one call of a connector of this kind usually sends."""
    limits = raw.get("limits") or {}
    return {"requests": limits["requests"]} if "requests" in limits else {}
