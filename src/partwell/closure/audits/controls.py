"""The controls of auditors as data: `controls.yaml` beside this file, with source and certainty of each."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any

import yaml

FILE = Path(__file__).with_name("controls.yaml")


@dataclass(frozen=True)
class Control:
    """One question of an auditor. `judge` names the function that answers it, `steps` are patterns of the
    keys of steps that it looks at, `certainty` is A (the text itself was read), B (secondary) or C."""

    id: str
    standard: str
    title: str
    expects: str
    limit: str
    source: str
    certainty: str
    judge: str
    steps: tuple[str, ...] = ()

    def as_dict(self) -> dict[str, Any]:
        """As packs, the API and the command line show it."""
        names = ("id", "standard", "title", "expects", "limit", "source", "certainty")
        return {name: getattr(self, name) for name in names}


@lru_cache(maxsize=1)
def load_controls() -> tuple[int, tuple[Control, ...]]:
    """The version of the list, and its controls in order."""
    raw = yaml.safe_load(FILE.read_text(encoding="utf-8"))
    rows = [{**row, "steps": tuple(row.get("steps", ()))} for row in raw["controls"]]
    return int(raw["version"]), tuple(Control(**row) for row in rows)
