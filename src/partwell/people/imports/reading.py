"""From the bytes of a CSV file to checked rows, each with the line where it begins."""

from __future__ import annotations

import codecs
import csv
import io
from collections.abc import Callable
from dataclasses import dataclass
from difflib import get_close_matches
from typing import Any

from partwell.people.imports.columns import Column
from partwell.people.imports.report import BadLine
from partwell.people.imports.values import BadValue, clean

LARGEST_BYTES = 25 * 1024 * 1024
MOST_ROWS = 200_000
DELIMITERS = {",": "comma", ";": "semicolon", "\t": "tab"}
OTHER_ENCODINGS = (
    (codecs.BOM_UTF32_LE, "UTF-32"),
    (codecs.BOM_UTF32_BE, "UTF-32"),
    (codecs.BOM_UTF16_LE, "UTF-16"),
    (codecs.BOM_UTF16_BE, "UTF-16"),
)
SAVE_AS_UTF8 = "Save the file as “CSV UTF-8” and import that."

Progress = Callable[[str, int, int], None]


def no_progress(what: str, done: int, total: int) -> None:
    """For callers who do not watch."""


@dataclass(frozen=True, slots=True)
class Row:
    """One entry of the file: parsed values by column name, for the columns that the file has."""

    line: int
    values: dict[str, Any]


class Unreadable(Exception):
    """The file as a whole cannot be read."""

    def __init__(self, reason: str, way_out: str, *, line: int = 0, field: str = "", value: str = "") -> None:
        super().__init__(reason)
        self.bad = BadLine(line, field, value, reason, way_out)


def read_rows(
    data: bytes, columns: tuple[Column, ...], on_progress: Progress = no_progress
) -> tuple[list[Row], list[Row], list[BadLine]]:
    """The good rows of `data`, what was understood of the others, and the bad lines.

    A file that cannot be read at all is one bad line.
    """
    try:
        text = decode(data)
        return _rows(text, columns, on_progress)
    except Unreadable as problem:
        return [], [], [problem.bad]


def decode(data: bytes) -> str:
    """The text of a file as spreadsheets save it. Raises `Unreadable` for anything but UTF-8 text."""
    if len(data) > LARGEST_BYTES:
        raise Unreadable(
            f"it has {len(data):,} bytes, more than the {LARGEST_BYTES:,} that one import takes",
            "Split it into several files.",
        )
    for start, name in OTHER_ENCODINGS:
        if data.startswith(start):
            raise Unreadable(f"it is encoded as {name}, not as UTF-8", SAVE_AS_UTF8, line=1)
    data = data.removeprefix(codecs.BOM_UTF8)
    if (at := data.find(b"\x00")) >= 0:
        raise Unreadable(
            f"byte {at + 1} is NUL, which no text has", "Export the file again.", line=_line_at(data, at)
        )
    try:
        return data.decode("utf-8")
    except UnicodeDecodeError as error:
        raise Unreadable(
            f"byte 0x{data[error.start]:02X} is not UTF-8", SAVE_AS_UTF8, line=_line_at(data, error.start)
        ) from None


def _line_at(data: bytes, at: int) -> int:
    return data.count(b"\n", 0, at) + 1


def _rows(
    text: str, columns: tuple[Column, ...], on_progress: Progress
) -> tuple[list[Row], list[Row], list[BadLine]]:
    header, delimiter = _header(text, columns)
    lines = text.count("\n") + 1
    known = {column.name: column for column in columns}
    named = [known[name] for name in header]
    rows: list[Row] = []
    partial: list[Row] = []
    bad: list[BadLine] = []
    is_header = True
    for line, cells in _records(text, delimiter):
        if not any(cell.strip() for cell in cells):
            continue  # spreadsheets leave empty rows behind
        if is_header:
            is_header = False
            continue
        if len(rows) + len(bad) >= MOST_ROWS:
            raise Unreadable(
                f"it has more than {MOST_ROWS:,} rows", "Split it into several files.", line=line
            )
        if len(cells) != len(named):
            reason = f"it has {len(cells)} cells, the header has {len(named)}"
            way_out = "Put cells that contain the delimiter in double quotes."
            bad.append(BadLine(line, "", "", reason, way_out))
            continue
        row, problems = _parse(line, cells, named)
        bad += problems
        (partial if problems else rows).append(row)
        if len(rows) % 1000 == 0:
            on_progress("read", line, lines)
    if not rows and not bad:
        raise Unreadable("it has a header and no rows", "Add one row for each entry.", line=1)
    return rows, partial, bad


def _parse(line: int, cells: list[str], columns: list[Column]) -> tuple[Row, list[BadLine]]:
    values: dict[str, Any] = {}
    bad = []
    for column, cell in zip(columns, cells, strict=True):
        try:
            values[column.name] = _value(column, cell)
        except BadValue as problem:
            value = cell if problem.value is None else problem.value
            bad.append(BadLine(line, column.name, value[:200], problem.reason, problem.way_out))
    return Row(line, values), bad


def _value(column: Column, cell: str) -> Any:
    text = clean(cell)
    if not text:
        if column.is_required:
            raise BadValue("it is blank, and must not be", "Fill it in.")
        return column.empty
    if column.parse is not None:
        return column.parse(text)
    if len(text) > column.longest:
        raise BadValue(f"it has {len(text)} characters, at most {column.longest} fit", "Shorten it.")
    return text


def _records(text: str, delimiter: str) -> Any:
    reader = csv.reader(io.StringIO(text, newline=""), delimiter=delimiter, strict=True)
    while True:
        line = reader.line_num + 1
        try:
            cells = next(reader)
        except StopIteration:
            return
        except csv.Error as error:
            if "unexpected end" in str(error) or "field limit" in str(error):
                reason = "a double quote opens here and is never closed"
            else:
                reason = "a quoted cell goes on after its closing double quote"
            way_out = "Close it; a double quote inside a quoted cell is written twice."
            raise Unreadable(reason, way_out, line=line) from None
        yield line, cells


def _header(text: str, columns: tuple[Column, ...]) -> tuple[list[str], str]:
    """The file's column names and its delimiter: the one that makes most of the names known."""
    names = [column.name for column in columns]
    first = next((line for line in text.splitlines() if line.strip()), "")
    if not first:
        raise Unreadable("it is empty", f"Begin with the header {','.join(names)}.", line=1)
    candidates = {
        mark: [cell.strip().lower() for cell in next(csv.reader([first], delimiter=mark))]
        for mark in DELIMITERS
    }
    delimiter = max(candidates, key=lambda mark: sum(cell in names for cell in candidates[mark]))
    header = candidates[delimiter]
    at = text[: text.index(first)].count("\n") + 1
    whole = f"The header names some of: {', '.join(names)}."
    if not set(header) & set(names):
        raise Unreadable(
            "it does not begin with a header that names known columns", whole, line=at, value=first[:200]
        )
    for cell in header:
        if cell not in names:
            close = get_close_matches(cell, names, n=1)
            hint = f"Did you mean {close[0]}? " if close else "Take the column out, or rename it. "
            raise Unreadable("it is no known column", hint + whole, line=at, field="header", value=cell)
        if header.count(cell) > 1:
            raise Unreadable("the column comes twice", "Take one out.", line=at, field="header", value=cell)
    for column in columns:
        if column.is_required and column.name not in header:
            raise Unreadable(
                "the column is missing", f"Add it. {whole}", line=at, field="header", value=column.name
            )
    return header, delimiter
