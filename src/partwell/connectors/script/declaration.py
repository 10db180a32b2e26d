"""How files with `kind: script` become connectors."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from partwell.connector_kit.contract import Reversibility, Verb
from partwell.connector_kit.declared import Finding, Kind
from partwell.connector_kit.declared_files import ENTRY
from partwell.connectors.script.connector import ScriptConnector, declared_class
from partwell.connectors.script.files import contents, mistakes_in, seal_of
from partwell.connectors.script.model import ScriptDeclaration

BUILT_IN = frozenset({"protected", "admin_groups", "settles_within_seconds"})
# What makes a program run other code than its own, or what Partwell sets itself.
KEPT_VARIABLES = (
    "PATH",
    "HOME",
    "TMPDIR",
    "LD_",
    "PYTHON",
    "PERL5",
    "RUBY",
    "NODE_",
    "BASH_ENV",
    "IFS",
)


def findings(declared: ScriptDeclaration, folder: Path) -> Iterator[Finding]:
    """Each mistake with its place."""
    if not (folder / ENTRY).is_file():
        yield (
            ("kind",),
            f"A script stands in a folder of its own, with its files: move this to NAME/{ENTRY}.",
        )
        return
    for mistake in mistakes_in(folder, declared.command):
        yield ("command",), mistake
    for name in sorted(BUILT_IN & set(declared.settings)):
        yield ("settings", name), "Every system has this setting already; give yours another name."
    for variable, name in declared.secrets.items():
        rule = declared.settings.get(name)
        if rule is None or not rule.secret:
            yield ("secrets", variable), f"“{name}” has to be one of “settings”, with “secret: true”."
    for name, rule in declared.settings.items():
        if rule.secret and name not in declared.secrets.values():
            yield (
                ("settings", name),
                "A secret reaches the command by “secrets” alone; name it there.",
            )
    for key, variables in (("environment", declared.environment), ("secrets", declared.secrets)):
        for variable in variables:
            if variable.startswith(KEPT_VARIABLES):
                yield (key, variable), "This variable is kept as it is; give yours another name."
    for variable in sorted(set(declared.environment) & set(declared.secrets)):
        yield ("environment", variable), "It is one of “secrets” too."
    deed = declared.verbs.get(Verb.DELETE)
    if deed and deed.undone is not Reversibility.NONE:
        yield ("verbs", "delete", "undone"), "What was deleted does not come back as the same account: none."


def capabilities(declared: ScriptDeclaration) -> Mapping[str, Any]:
    """What the file declares, as a manifest has it."""
    found: dict[str, Any] = {"discover": True, "snapshot": True, "verify": True}
    if declared.lists_accounts:
        found["list_accounts"] = True
    if any(deed.undone is not Reversibility.NONE for deed in declared.verbs.values()):
        found["restore"] = True
    for verb, deed in declared.verbs.items():
        found[verb.value] = {"reversibility": deed.undone.value}
    return found


def _build(declared: ScriptDeclaration, digest: str, folder: Path) -> type[ScriptConnector]:
    return declared_class(declared, digest, folder, seal_of(folder))


KIND = Kind(
    model=ScriptDeclaration,
    findings=findings,
    build=_build,
    parts=lambda declared, folder: contents(folder),
    capabilities=capabilities,
    limits=lambda declared: declared.limits.model_dump(exclude_defaults=False),
)
