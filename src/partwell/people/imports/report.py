"""What an import did or would do, and what stands in its way."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any


@dataclass(frozen=True)
class BadLine:
    """A line that cannot be taken; `line` counts as an editor does, the header being line 1."""

    line: int
    field: str
    value: str
    reason: str
    way_out: str

    def as_dict(self) -> dict[str, Any]:
        """For JSON."""
        return {
            "line": self.line,
            "field": self.field,
            "value": self.value,
            "reason": self.reason,
            "way_out": self.way_out,
        }

    def __str__(self) -> str:
        where = f"line {self.line}" if self.line else "the file"
        cell = f", {self.field} “{self.value}”" if self.field else ""
        return f"{where}{cell}: {self.reason}. {self.way_out}"


@dataclass(frozen=True)
class FieldChange:
    """One field of a row, before and after, as a cell would show it."""

    field: str
    old: str
    new: str


@dataclass(frozen=True)
class Change:
    """One entry that is created or updated."""

    line: int
    what: str
    key: str
    fields: tuple[FieldChange, ...]

    @property
    def is_new(self) -> bool:
        """Whether the entry is not in the register yet."""
        return self.what == "created"

    def as_dict(self) -> dict[str, Any]:
        """For JSON."""
        fields = [{"field": f.field, "old": f.old, "new": f.new} for f in self.fields]
        return {"line": self.line, "what": self.what, "key": self.key, "fields": fields}


@dataclass
class ImportReport:
    """All changes and all bad lines of one file. With a single bad line nothing is applied."""

    kind: str
    digest: str
    is_dry_run: bool
    rows: int = 0
    unchanged: int = 0
    changes: list[Change] = field(default_factory=list)
    bad_lines: list[BadLine] = field(default_factory=list)
    is_applied: bool = False

    @property
    def created(self) -> int:
        """How many entries are new."""
        return sum(change.is_new for change in self.changes)

    @property
    def updated(self) -> int:
        """How many entries change."""
        return len(self.changes) - self.created

    @property
    def is_ok(self) -> bool:
        """Whether the file can be applied, or was."""
        return not self.bad_lines

    def as_dict(self) -> dict[str, Any]:
        """For JSON."""
        return {
            "kind": self.kind,
            "digest": self.digest,
            "dry_run": self.is_dry_run,
            "applied": self.is_applied,
            "rows": self.rows,
            "created": self.created,
            "updated": self.updated,
            "unchanged": self.unchanged,
            "changes": [change.as_dict() for change in self.changes],
            "bad_lines": [bad.as_dict() for bad in self.bad_lines],
        }
