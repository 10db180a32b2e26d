"""A round's list, typed or from a file: everybody once, and every line that cannot be taken."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date
from typing import Any

from partwell.journeys.groups import NOBODY, persons_by
from partwell.people.imports import values
from partwell.people.imports.columns import Column
from partwell.people.imports.reading import Row, Unreadable, decode, read_rows
from partwell.people.imports.report import BadLine
from partwell.people.imports.values import BadValue, clean
from partwell.people.models import Person

LARGEST = 1000
COLUMNS = (
    Column("email", "Who leaves: any address that the register knows.", longest=254),
    Column("employee_number", "Who leaves, by number; either is enough.", longest=60),
    Column("last_working_day", "Their last working day, where it is another.", values.iso_date, empty=None),
    Column("notice_date", "The day of their notice, where it is another.", values.iso_date, empty=None),
    Column("reason", "Their reason code, where it is another.", longest=60),
)


@dataclass(frozen=True)
class Entry:
    """One line that names somebody, with what it says about them alone."""

    line: int
    person: Person
    last_working_date: date | None = None
    notice_date: date | None = None
    reason: str = ""


def read_list(data: bytes) -> tuple[list[Entry], list[BadLine]]:
    """Everybody whom a list or a CSV file names, in its order, and all lines that cannot be taken.

    A file begins with a header of `COLUMNS`; without one, each line is an address or a number. Few queries,
    whatever the length.
    """
    try:
        text = decode(data)
    except Unreadable as problem:
        return [], [problem.bad]
    rows, bad = _rows(data, text)
    if len(rows) > LARGEST:
        way_out = "Prepare several rounds."
        return [], [BadLine(0, "", "", f"it names {len(rows)} people, at most {LARGEST} fit", way_out)]
    entries: list[Entry] = []
    lines: dict[int, int] = {}
    known = persons_by({name for row in rows for name in _names(row)})
    for row in rows:
        found = _person(row, known)
        if isinstance(found, BadLine):
            bad.append(found)
        elif found.pk in lines:
            what = f"{found.name} stands in line {lines[found.pk]} already"
            bad.append(BadLine(row.line, "", " ".join(_names(row)), what, "Take one of the two out."))
        else:
            lines[found.pk] = row.line
            given = row.values
            entries.append(
                Entry(
                    row.line,
                    found,
                    given.get("last_working_day"),
                    given.get("notice_date"),
                    given.get("reason", ""),
                )
            )
    return entries, sorted(bad, key=lambda each: each.line)


def _rows(data: bytes, text: str) -> tuple[list[Row], list[BadLine]]:
    first = next((line for line in text.splitlines() if line.strip()), "")
    names = {column.name for column in COLUMNS}
    cells = {cell.strip().lower() for mark in ",;\t" for cell in first.split(mark)}
    if cells & names:
        rows, _, bad = read_rows(data, COLUMNS)
        return rows, bad
    return _typed(text)


def _typed(text: str) -> tuple[list[Row], list[BadLine]]:
    rows, bad = [], []
    for number, line in enumerate(text.splitlines(), 1):
        try:
            who = clean(line)
        except BadValue as problem:
            bad.append(BadLine(number, "", line[:200], problem.reason, problem.way_out))
            continue
        if any(mark in who for mark in ",;\t"):
            way_out = f"Begin with a header such as {','.join(c.name for c in COLUMNS[:3])}."
            bad.append(
                BadLine(number, "", who[:200], "it says more than who, and no header says what", way_out)
            )
        elif who:
            rows.append(Row(number, {"email": who}))
    if not rows and not bad:
        bad.append(BadLine(0, "", "", "it names nobody", "Write one address or number in each line."))
    return rows, bad


def _names(row: Row) -> list[str]:
    return [row.values[name] for name in ("email", "employee_number") if row.values.get(name)]


def _person(row: Row, known: Any) -> Person | BadLine:
    names = _names(row)
    if not names:
        return BadLine(row.line, "email", "", "it does not say who", "Give an address or a number.")
    meant: dict[int, Person] = {}
    for name in names:
        found = known[name.lower()]
        if not found:
            return BadLine(
                row.line, "", name, NOBODY.rstrip(".").lower(), "Correct it, or import them first."
            )
        meant |= found
    if len(meant) > 1:
        said = " or ".join(sorted(_called(list(meant.values()))))
        return BadLine(row.line, "", " ".join(names), f"this could mean {said}", "Use one address.")
    return next(iter(meant.values()))


def _called(people: Sequence[Person]) -> list[str]:
    return [f"{person.name} <{person.email}>" for person in people]
