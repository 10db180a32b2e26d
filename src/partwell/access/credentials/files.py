"""From an uploaded file to rows for the register, and back to the register's own CSV file.

The file is recognised by what it begins with. Its bytes are hostile: they are bounded, and nothing that they
hold is ever repeated in what is said about them, because it may be a secret.
"""

from __future__ import annotations

import codecs
import csv
import io
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from partwell.access.credentials import vaults
from partwell.access.credentials.details import COLUMNS, as_text, used_at, value_of
from partwell.access.credentials.vaults import Entry, Unreadable
from partwell.people.imports.columns import Column
from partwell.people.imports.report import BadLine
from partwell.people.imports.values import BadValue, mark

LARGEST_BYTES = 5 * 1024 * 1024
MOST_ROWS = 5_000
OWN = "Partwell (CSV)"
NAMES = tuple(column.name for column in COLUMNS)


@dataclass(frozen=True)
class Row:
    """One entry for the register: values by the names of `COLUMNS`, for what the file says."""

    line: int
    values: dict[str, Any]


@dataclass
class Reading:
    """What a file holds for the register. `left_out` counts entries that are no shared login."""

    read_as: str = ""
    rows: list[Row] = field(default_factory=list)
    bad: list[BadLine] = field(default_factory=list)
    left_out: int = 0


def read(data: bytes) -> Reading:
    """Everything that `data` says, without any secret in it. Bad lines name no value."""
    reading = Reading()
    try:
        _read(data, reading)
    except Unreadable as problem:
        reading.bad.append(BadLine(problem.line, "", "", problem.reason, problem.way_out))
    if not reading.rows and not reading.bad:
        reading.bad.append(BadLine(0, "", "", "it holds no entry", "Export the file again."))
    return reading


def _read(data: bytes, reading: Reading) -> None:
    if len(data) > LARGEST_BYTES:
        raise Unreadable(
            f"it is larger than {LARGEST_BYTES // 1024 // 1024} MB", "Export fewer entries at once."
        )
    start = data.removeprefix(codecs.BOM_UTF8).lstrip()[:1]
    if start == b"<":
        reading.read_as = "KeePass 2 (XML)"
        _take(vaults.read_keepass(data), reading)
        return
    text = _decode(data)
    if start == b"{":
        reading.read_as = "Bitwarden (JSON)"
        _take(vaults.read_bitwarden(text), reading)
        return
    header, separator = _header(text)
    rows = vaults.records(text, separator)
    next(rows)
    if vault := vaults.vault_of(header):
        reading.read_as = vault.title
        _take(vaults.read_csv(vault, header, rows), reading)
        return
    reading.read_as = OWN
    _read_own(header, rows, reading)


def _decode(data: bytes) -> str:
    way_out = "Save or export it as UTF-8."
    if data.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)):
        raise Unreadable("it is encoded as UTF-16, not as UTF-8", way_out)
    if b"\0" in data:
        raise Unreadable("it contains NUL, which no text has", way_out)
    try:
        return data.removeprefix(codecs.BOM_UTF8).decode("utf-8")
    except UnicodeDecodeError:
        raise Unreadable("it is not UTF-8", way_out) from None


def _header(text: str) -> tuple[list[str], str]:
    """The names in the first record, in small letters, and what separates them."""
    best: list[str] = []
    chosen = ","
    for separator in vaults.SEPARATORS:
        try:
            _, cells = next(vaults.records(text, separator), (0, []))
        except Unreadable:
            continue  # quotes before this mark say that it separates nothing here
        header = [cell.strip().lower() for cell in cells]
        if len(header) > len(best):
            best, chosen = header, separator
    if vaults.vault_of(best) is None and "name" not in best:
        known = ", ".join((OWN, *vaults.TITLES))
        raise Unreadable("it is no export that is known here", f"These are known: {known}.", line=1)
    return best, chosen


def _take(entries: Iterable[Entry | None], reading: Reading) -> None:
    """The logins of a vault. The same name, place and login twice is one shared secret."""
    seen: set[tuple[str, str, str]] = set()
    for entry in entries:
        if entry is None:
            reading.left_out += 1
            continue
        _check_count(reading, entry.line)
        address = _bare(entry.address)
        given = {"kind": entry.kind, "used_at": address, "login": entry.login}
        row = _row(entry.line, {"name": entry.name.strip() or _named_by(address), **given}, reading)
        if row is None:
            continue
        key = (row.values["name"], row.values["used_at"], row.values["login"])
        if key in seen:
            reading.left_out += 1
        else:
            seen.add(key)
            reading.rows.append(row)


def _named_by(address: str) -> str:
    """A name for an entry without a title."""
    try:
        return used_at(address) or "Untitled"
    except BadValue:
        return "Untitled"


def _bare(address: str) -> str:
    """The address as one, so that its host alone is kept: people leave the scheme out, and a path is secret
    all the same."""
    address = address.strip().partition(",")[0]
    return f"https://{address}" if address and "://" not in address else address


def _read_own(header: list[str], rows: Iterator[tuple[int, list[str]]], reading: Reading) -> None:
    known = {column.name: column for column in COLUMNS}
    for place, name in enumerate(header, 1):
        if name not in known:
            raise Unreadable(
                f"column {place} is none of the register’s",
                f"Take it out, above all if it holds secrets. Known are {', '.join(NAMES)}.",
                line=1,
            )
        if header.count(name) > 1:
            raise Unreadable(f"the column {name} comes twice", "Take one out.", line=1)
    for line, cells in rows:
        _check_count(reading, line)
        if len(cells) != len(header):
            reason = f"it has {len(cells)} cells, the header has {len(header)}"
            way_out = "Put cells that contain the separator in double quotes."
            reading.bad.append(BadLine(line, "", "", reason, way_out))
            continue
        if (row := _row(line, dict(zip(header, cells, strict=True)), reading)) is not None:
            reading.rows.append(row)


def _check_count(reading: Reading, line: int) -> None:
    if len(reading.rows) + len(reading.bad) >= MOST_ROWS:
        raise Unreadable(f"it has more than {MOST_ROWS:,} entries", "Export fewer at once.", line=line)


def _row(line: int, given: Mapping[str, str], reading: Reading) -> Row | None:
    """The row, or None where a cell of it cannot be taken, which is noted."""
    columns = {column.name: column for column in COLUMNS}
    values: dict[str, Any] = {}
    is_good = True
    for name, text in given.items():
        if columns[name].keeps_blank and not text.strip():
            continue
        try:
            values[name] = value_of(columns[name], text)
        except BadValue as bad:
            is_good = False
            reading.bad.append(BadLine(line, name, "", bad.reason, bad.way_out))
    return Row(line, values) if is_good else None


def write(rows: Iterable[Mapping[str, Any]], columns: tuple[Column, ...] = COLUMNS) -> bytes:
    """The register's own file, which `read` takes again. What a spreadsheet would run is marked."""
    text = io.StringIO(newline="")
    writer = csv.writer(text, lineterminator="\r\n", quoting=csv.QUOTE_ALL)
    writer.writerow([column.name for column in columns])
    for row in rows:
        writer.writerow([_cell(row.get(column.name)) for column in columns])
    return text.getvalue().encode("utf-8")


def _cell(value: Any) -> str:
    return ";".join(mark(part) for part in value) if isinstance(value, tuple) else mark(as_text(value))


def columns_of(rows: Iterable[Row]) -> tuple[Column, ...]:
    """The columns that any of the rows has."""
    present = {name for row in rows for name in row.values}
    return tuple(column for column in COLUMNS if column.name in present)
