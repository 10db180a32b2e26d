"""The JSON Schema of the files, for editors. Generated: `python -m partwell.connectors.http.schema`."""

from __future__ import annotations

from pathlib import Path

from partwell.connector_kit.declared import schema_text
from partwell.connectors.http.model import HttpDeclaration

SCHEMA_FILE = Path(__file__).parent / "declaration.schema.json"

if __name__ == "__main__":
    SCHEMA_FILE.write_text(schema_text(HttpDeclaration), encoding="utf-8")
