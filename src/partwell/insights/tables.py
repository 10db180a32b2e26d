"""The tables of the process as files, in the same figures as the page."""

from __future__ import annotations

import csv
import io
from collections.abc import Callable, Iterable
from typing import Any

from partwell.insights.report import Report, report_dict
from partwell.people.imports.values import mark
from partwell.refusals import NotFound

Row = dict[str, Any]


def _phases(found: dict[str, Any]) -> Iterable[Row]:
    for phase in found["phases"]:
        yield {"phase": phase["phase"], "title": phase["title"]} | {
            f"{measure}_{name}": value
            for measure in ("worked_on", "finished_after_start", "running_now")
            for name, value in phase[measure].items()
        }


TABLES: dict[str, Callable[[dict[str, Any]], Iterable[Row]]] = {
    "late-by-role": lambda found: found["late_by_role"],
    "late-by-step": lambda found: found["late_by_step"],
    "skipped": lambda found: found["skipped_steps"],
    "reasons": lambda found: found["skipped_newest"],
    "overrides": lambda found: [*found["closed_with_override"], *found["override_asked"]],
    "cuts": lambda found: found["cuts"],
    "phases": _phases,
    "loads": lambda found: [*found["people"], *found["queues"]],
    "templates": lambda found: [row | {"lacks": "; ".join(row["lacks"])} for row in found["templates"]],
}


def table_csv(report: Report, table: str) -> bytes:
    """One table as CSV, with no cell that a spreadsheet would run. Raises `NotFound` for an unknown table."""
    if table not in TABLES:
        raise NotFound("table")
    rows = list(TABLES[table](report_dict(report)))
    names = list(dict.fromkeys(name for row in rows for name in row))
    text = io.StringIO(newline="")
    writer = csv.writer(text, lineterminator="\r\n", quoting=csv.QUOTE_ALL)
    writer.writerow(names)
    for row in rows:
        writer.writerow(["" if row.get(name) is None else mark(str(row[name])) for name in names])
    return text.getvalue().encode("utf-8")
