"""The library's templates as values, and what has to be settled before one of their steps."""

from __future__ import annotations

from partwell.journeys.template.check import parse
from partwell.journeys.template.library import library_files
from partwell.journeys.template.model import Template

FILES = {path.stem: path for path in library_files()}
TEMPLATES: dict[str, Template] = {name: parse(path.read_text("utf-8")) for name, path in FILES.items()}


def needed_by(template: Template, key: str) -> set[str]:
    """All that must be settled before `key`, however far back."""
    found: set[str] = set()
    left = list(template.step(key).needs)
    while left:
        needed = left.pop()
        if needed not in found:
            found.add(needed)
            left.extend(template.step(needed).needs)
    return found
