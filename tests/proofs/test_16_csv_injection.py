"""Promise: no exported cell is a formula to a spreadsheet, and none of them changes by going out and in."""

from __future__ import annotations

import csv
import io
from collections.abc import Callable, Iterator
from datetime import UTC, datetime

import pytest

from partwell.people import operations
from partwell.people.actors import console_actor
from partwell.people.exports import EXPORTS
from partwell.people.imports.values import mark
from partwell.people.models import Client, Contact, Contract, Person, PersonAlias

pytestmark = pytest.mark.django_db

NOW = datetime(2026, 11, 2, 9, 0, tzinfo=UTC)
STARTS = ["=", "+", "-", "@", "\t", "\r", "\n", " =", "\t=", "＝", "'=", "''@", "='"]
RISKY = tuple("=+-@\t\r\n＝＋－＠")


def fill(start: str, n: int) -> None:
    """One entry whose every text begins with `start`."""
    text = f"{start}cmd|' /C calc'!A{n}"
    person = Person.objects.create(
        email=f"=p{n}@example.com",
        name=text,
        department=text,
        title=text,
        employment_type=text,
        username=text,
        employee_number=text,
    )
    PersonAlias.objects.create(person=person, email=f"+a{n}@example.com")
    PersonAlias.objects.create(person=person, email=f"-b{n}@example.com")
    client = Client.objects.create(name=text, client_ref=text, tier=text, account_manager=person)
    Contact.objects.create(client=client, name=text, email=f"=c{n}@example.com")
    Contract.objects.create(client=client, title=text, governing_law=text)


def exported(kind: str) -> bytes:
    return EXPORTS[kind](actor=console_actor(), now=NOW)


def cells(data: bytes) -> Iterator[str]:
    """Every cell, also as a spreadsheet that separates by semicolons would find it."""
    for row in csv.reader(io.StringIO(data.decode(), newline="")):
        for cell in row:
            yield from [cell, *(cell.split(";") if "@example.com" in cell else [])]


def test_every_exported_cell_is_harmless(long: bool, figure: Callable[[str], None]) -> None:
    for n in range(len(STARTS) * (50 if long else 1)):
        fill(STARTS[n % len(STARTS)], n)
    tried = 0
    for kind in EXPORTS:
        for cell in cells(exported(kind)):
            tried += 1
            assert not cell.lstrip(" \u00a0").startswith(RISKY), cell
            assert "\x00" not in cell
    figure(f"proof 16: {tried} exported cells, all of them neutralised")


def test_what_an_import_can_store_comes_back_unchanged() -> None:
    for n, start in enumerate(start for start in STARTS if start.strip() == start):
        fill(start, n)
    for kind in EXPORTS:
        report = operations.IMPORTS[kind](data=exported(kind), actor=console_actor(), now=NOW)
        assert [str(bad) for bad in report.bad_lines] == []
        assert report.changes == []
        assert report.unchanged > 5


def test_nul_never_leaves() -> None:
    assert mark("a\x00b") == "a\ufffdb"
    assert mark("\x00=1") == "\ufffd=1"
