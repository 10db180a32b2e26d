"""The JSON Schema of templates, for editors. Generated: `python -m partwell.journeys.template.schema`."""

from __future__ import annotations

import json
from pathlib import Path

from partwell.journeys.template.model import Template

SCHEMA_FILE = Path(__file__).parent.parent / "template.schema.json"


def schema_text() -> str:
    """The text that the schema file must hold."""
    schema = {"$schema": "https://json-schema.org/draft/2020-12/schema", **Template.model_json_schema()}
    return json.dumps(schema, indent=2, ensure_ascii=False, sort_keys=True) + "\n"


if __name__ == "__main__":
    SCHEMA_FILE.write_text(schema_text(), encoding="utf-8")
