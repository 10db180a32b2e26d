"""The reference pages of the registers say what the code does."""

from __future__ import annotations

from pathlib import Path

import pytest

from partwell.journeys.rounds.lists import COLUMNS
from partwell.people.imports.columns import KINDS, Column
from partwell.people.imports.reading import LARGEST_BYTES, MOST_ROWS
from partwell.people.roles import GRANTABLE, ROLE_LABELS

DOCS = Path(__file__).parents[2] / "docs"


def line_for(column: Column) -> str:
    needed = "yes" if column.is_required else ""
    return f"| `{column.name}` | {needed} | {column.meaning} | {holds(column)} |"


def holds(column: Column) -> str:
    if column.parse is None:
        return f"text, at most {column.longest}"
    return {
        "email": "e-mail address",
        "emails": "e-mail addresses",
        "iso_date": "date, year-month-day",
        "country": "country code",
        "timezone": "timezone",
        "days": "whole number",
    }[getattr(column.parse, "__name__", "")]


TABLES = {**KINDS, "rounds": COLUMNS}


@pytest.mark.parametrize("kind", TABLES)
def test_every_column_is_documented_in_order(kind: str) -> None:
    page = (DOCS / "reference/csv-columns.md").read_text(encoding="utf-8")
    section = page.split(f"## {kind.capitalize()}\n")[1].split("\n## ")[0]
    lines = [line for line in section.splitlines() if line.startswith("| `")]
    assert lines == [line_for(column) for column in TABLES[kind]]
    assert ",".join(column.name for column in TABLES[kind]) in section


def test_the_limits_are_documented() -> None:
    page = (DOCS / "how-to/import-people-and-clients.md").read_text(encoding="utf-8")
    assert f"{LARGEST_BYTES // 1024 // 1024} MB and {MOST_ROWS:,} rows" in page


def test_every_role_is_documented_with_where_it_comes_from() -> None:
    page = (DOCS / "reference/roles.md").read_text(encoding="utf-8")
    rows = [line.split(" | ") for line in page.splitlines() if line.startswith("| `")]
    assert {row[0].strip("| `"): row[1] for row in rows} == {
        r.value: label for r, label in ROLE_LABELS.items()
    }
    granted = {row[0].strip("| `") for row in rows if "granted" in row[2]}
    assert granted == {role.value for role in GRANTABLE}
