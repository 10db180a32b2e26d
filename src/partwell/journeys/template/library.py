"""The templates that come with Partwell, as files."""

from __future__ import annotations

from pathlib import Path

LIBRARY_DIR = Path(__file__).parent.parent / "library"


def library_files() -> list[Path]:
    """The library's YAML files by name."""
    return sorted(LIBRARY_DIR.glob("*.yaml"))
