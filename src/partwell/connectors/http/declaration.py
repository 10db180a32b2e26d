"""How files with `kind: http` become connectors."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from partwell.connector_kit.contract import Reversibility
from partwell.connector_kit.declared import Kind
from partwell.connectors.http.connector import declared_class
from partwell.connectors.http.findings import findings
from partwell.connectors.http.model import HttpDeclaration


def capabilities(declared: HttpDeclaration) -> Mapping[str, Any]:
    """What the file declares, as a manifest has it."""
    found: dict[str, Any] = {"discover": True, "snapshot": True, "verify": True}
    if declared.list_accounts:
        found["list_accounts"] = True
    if any(deed.restore for deed in declared.verbs.values()):
        found["restore"] = True
    for verb, deed in declared.verbs.items():
        undone = (deed.undone or Reversibility.REVERSIBLE) if deed.restore else Reversibility.NONE
        found[verb.value] = {"reversibility": undone.value}
    return found


KIND = Kind(
    model=HttpDeclaration,
    findings=findings,
    build=lambda declared, digest, folder: declared_class(declared, digest),
    parts=lambda declared, folder: (),
    capabilities=capabilities,
    limits=lambda declared: declared.limits.model_dump(exclude_defaults=False),
)
