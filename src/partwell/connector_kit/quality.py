"""Ten rules that a connector answers for in its `quality.yaml`, and the check of each against its code.

A rule is `done`, and then the check has to hold; or `exempt` with a reason that a reader can judge.
"""

from __future__ import annotations

import ast
import re
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import yaml

from partwell.connector_kit.secrets import secret_names

OWN_DOORS = {
    "socket",
    "requests",
    "urllib.request",
    "urllib3",
    "http.client",
    "httpx",
    "aiohttp",
    "subprocess",
}

# A method that tries to get in, however the target is entered.
_PROBE = re.compile(r"def (_?probe|_?try_)\w*\(")


def _manifest(folder: Path) -> Mapping[str, Any]:
    content: Mapping[str, Any] = yaml.safe_load((folder / "manifest.yaml").read_text())
    return content


def _code(folder: Path) -> str:
    return "\n".join(path.read_text() for path in sorted(folder.glob("*.py")))


def _tests(folder: Path) -> str:
    return "\n".join(path.read_text() for path in sorted((folder / "tests").glob("test_*.py")))


def _readme(folder: Path) -> str:
    return (folder / "README.md").read_text()


def _nodes(folder: Path) -> list[ast.AST]:
    return [node for path in sorted(folder.glob("*.py")) for node in ast.walk(ast.parse(path.read_text()))]


def _imports(folder: Path) -> set[str]:
    found: set[str] = set()
    for node in _nodes(folder):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module:
            found.add(node.module)
    return found


def _raises_errors_as_data(folder: Path) -> bool:
    """Whether everything raised is a `ConnectorError`, or made by a function that returns one: one of the
    connector's own, or of the kit's `failures`.

    `ValueError` may be raised within a connector; the contract suite sees to it that none gets out.
    """
    allowed = {"ConnectorError", "AddressRefused", "ValueError"}
    nodes = _nodes(folder)
    for node in nodes:
        if isinstance(node, ast.ImportFrom) and node.module == "partwell.connector_kit.failures":
            allowed |= {alias.name for alias in node.names}
        if isinstance(node, ast.FunctionDef) and isinstance(node.returns, ast.Name):
            allowed |= {node.name} if node.returns.id == "ConnectorError" else set()
    raised = [node.exc for node in nodes if isinstance(node, ast.Raise)]
    called = {exc.func.id for exc in raised if isinstance(exc, ast.Call) and isinstance(exc.func, ast.Name)}
    return called <= allowed


RULES: dict[str, tuple[str, Callable[[Path], bool]]] = {
    "contract": (
        "Runs the shared contract suite.",
        lambda folder: "(ConnectorContract)" in _tests(folder),
    ),
    "least_privilege": (
        "The README says how to make credentials with no more rights than needed; the manifest lists them.",
        lambda folder: bool(_manifest(folder)["scopes"]) and "## Least privilege" in _readme(folder),
    ),
    "secrets_by_reference": (
        "Every secret is a setting marked `secret`, resolved at the moment of use.",
        lambda folder: (
            bool(secret_names(_manifest(folder)["settings"])) and ".secrets.resolve(" in _code(folder)
        ),
    ),
    "guarded_transport": (
        "Reaches out by the guarded transport only.",
        lambda folder: not _imports(folder) & OWN_DOORS and "transport" in _code(folder),
    ),
    "fresh_read": (
        "Every write can be verified by a fresh read.",
        lambda folder: _manifest(folder)["capabilities"].get("verify") is True,
    ),
    "negative_probe": (
        "Verifying a suspension also tries to get in.",
        lambda folder: bool(_PROBE.search(_code(folder))) and "probe" in _tests(folder),
    ),
    "restore": (
        "What is reversible is restored from a snapshot, and a test does it.",
        lambda folder: (
            _manifest(folder)["capabilities"].get("restore") is True and ".restore(" in _tests(folder)
        ),
    ),
    "protected_accounts": (
        "Break-glass accounts and the last administrator are never touched.",
        lambda folder: (
            {"protected", "admin_groups"} <= set(_manifest(folder)["settings"]["properties"])
            and "is_protected" in _tests(folder)
        ),
    ),
    "errors_as_data": (
        "Raises nothing but ConnectorError.",
        _raises_errors_as_data,
    ),
    "real_server": (
        "Tested against a real server.",
        lambda folder: "pytest.mark.server(" in _tests(folder),
    ),
}


def quality_problems(folder: Path) -> list[str]:
    """What in a connector's `quality.yaml` is missing, unreasoned, or not so; empty when all is well."""
    declared = yaml.safe_load((folder / "quality.yaml").read_text())
    problems = [f"unknown rule {name}" for name in declared if name not in RULES]
    for name, (meaning, holds) in RULES.items():
        answer = declared.get(name)
        if answer == "done":
            if not holds(folder):
                problems.append(f"{name} is said to be done, and is not: {meaning}")
        elif not (isinstance(answer, dict) and len(str(answer.get("exempt", "")).strip()) >= 20):
            problems.append(f"{name} is neither 'done' nor 'exempt' with a reason")
    return problems
