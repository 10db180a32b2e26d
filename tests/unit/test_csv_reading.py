"""What a CSV file may look like, and what its cells may hold."""

from __future__ import annotations

import codecs
from datetime import date

import pytest
from hypothesis import given
from hypothesis import strategies as st

from partwell.people.imports import reading, values
from partwell.people.imports.columns import CONTRACTS, KINDS, PEOPLE
from partwell.people.imports.reading import read_rows
from partwell.people.imports.writing import as_ranges

GOOD = "email,name\na@example.com,Zoë\n"


def read(data: str | bytes) -> tuple[list[dict], list[str]]:
    rows, _, bad = read_rows(data.encode() if isinstance(data, str) else data, PEOPLE)
    return [row.values for row in rows], [str(problem) for problem in bad]


@pytest.mark.parametrize(
    "data",
    [
        GOOD,
        codecs.BOM_UTF8 + GOOD.encode(),
        GOOD.replace("\n", "\r\n"),
        GOOD.replace("\n", "\r"),
        GOOD.replace(",", ";"),
        GOOD.replace(",", "\t"),
        "\n\n Email , NAME \n,\n  A@Example.com ,\u00a0Zoe\u0308 \n,\n\n",
        '"email","name"\n"a@example.com","Zoë"',
    ],
)
def test_a_file_is_read_whatever_program_wrote_it(data: str | bytes) -> None:
    assert read(data) == ([{"email": "a@example.com", "name": "Zoë"}], [])


@pytest.mark.parametrize(
    ("data", "says"),
    [
        (GOOD.encode("latin-1"), "line 2: byte 0xEB is not UTF-8. Save the file as “CSV UTF-8”"),
        (GOOD.encode("utf-16"), "line 1: it is encoded as UTF-16"),
        (GOOD.encode("utf-32"), "line 1: it is encoded as UTF-32"),
        (b"email,name\na@example.com,Z\x00\n", "line 2: byte 27 is NUL"),
        (b"", "line 1: it is empty"),
        (b"\n \n", "line 1: it is empty"),
        (b"email,name\n", "a header and no rows"),
        (b"hello world\nx\n", "does not begin with a header"),
        (b"a@example.com,Ada\n", "does not begin with a header"),
        (b"email,nmae\nx,y\n", "header “nmae”: it is no known column. Did you mean name?"),
        (b"email,name,salary\nx,y,z\n", "header “salary”: it is no known column"),
        (b"email,name,Email\nx,y,z\n", "header “email”: the column comes twice"),
        (b"email,title\nx,y\n", "header “name”: the column is missing"),
        (b'email,name\na@example.com,A\nb@example.com,"B\nc,d\n', "line 3: a double quote opens here"),
        (b'email,name\na@example.com,"A"x\n', "line 2: a quoted cell goes on"),
        (b'email,name\na@example.com,"' + b"x" * 200_000 + b'"\n', "line 2: a double quote opens here"),
        (b"email,name\na@example.com,A,extra\n", "line 2: it has 3 cells, the header has 2"),
        (b"email,name\na@example.com\n", "line 2: it has 1 cells, the header has 2"),
    ],
)
def test_a_file_that_cannot_be_read_says_why_and_where(data: bytes, says: str) -> None:
    rows, bad = read(data)
    assert rows == []
    assert len(bad) == 1
    assert says in bad[0]


def test_a_file_that_is_too_large_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(reading, "LARGEST_BYTES", 50)
    assert "more than the 50" in read(GOOD + "#" * 50)[1][0]
    monkeypatch.setattr(reading, "LARGEST_BYTES", 500)
    monkeypatch.setattr(reading, "MOST_ROWS", 2)
    assert "more than 2 rows" in read(GOOD + "b@example.com,B\nc@example.com,C\n")[1][0]


@pytest.mark.parametrize(
    "text",
    [
        "01.02.2026",
        "2026-2-1",
        "20260201",
        "2026-W05-1",
        "2026-02-30",
        "0001-01-01",
        "9999-01-01",
        "٢٠٢٦-01-01",
    ],
)
def test_a_date_that_can_be_misread_is_refused(text: str) -> None:
    with pytest.raises(values.BadValue):
        values.iso_date(text)


def test_cells_become_values() -> None:
    assert values.iso_date("2024-02-29") == date(2024, 2, 29)
    assert values.country("de") == "DE"
    assert values.timezone("America/Argentina/Buenos_Aires")
    assert values.email("Ada@Example.COM") == "ada@example.com"
    assert values.emails("B@x.org; a@x.org;;b@X.org ;") == ("b@x.org", "a@x.org")
    assert values.days("0") == 0


@pytest.mark.parametrize(
    ("parse", "text"),
    [
        (values.country, "UK"),
        (values.country, "DEU"),
        (values.timezone, "CEST!"),
        (values.timezone, "../../etc/passwd"),
        (values.email, "a@b"),
        (values.email, "a b@example.com"),
        (values.email, "Ada <ada@example.com>"),
        (values.email, "a@" + "x" * 250 + ".com"),
        (values.emails, "a@example.com,b@example.com"),
        (values.days, "-1"),
        (values.days, "²"),
        (values.clean, "in\u200bvisible"),
        (values.clean, "a\tb"),
        (values.clean, "\u202eturned"),
    ],
)
def test_a_bad_cell_says_what_to_write_instead(parse: object, text: str) -> None:
    with pytest.raises(values.BadValue) as bad:
        parse(text)
    assert bad.value.reason
    assert bad.value.way_out


def test_the_spaceless_joiners_of_persian_names_are_kept() -> None:
    assert values.clean("علی\u200cرضا") == "علی\u200cرضا"


@given(st.text(alphabet=st.sampled_from("=+-@'\t\r\n \u00a0＝abc\u00e9;,\""), max_size=12))
def test_marking_is_undone_by_reading(text: str) -> None:
    marked = values.mark(text)
    assert values.unmark(marked) == text
    assert marked.lstrip(" \u00a0")[:1] not in tuple(values.FORMULA_STARTS)


@given(st.binary(max_size=200))
def test_no_bytes_break_the_reading(data: bytes) -> None:
    for columns in KINDS.values():
        read_rows(data, columns)
        read_rows(b"client_ref,title,email,name\n" + data, columns)
        read_rows(",".join(column.name for column in columns).encode() + b"\n" + data, columns)


def test_the_order_of_columns_does_not_matter() -> None:
    rows, _, bad = read_rows(b"title,client_ref\nSupport,C1\n", CONTRACTS)
    assert bad == []
    assert rows[0].values == {"title": "Support", "client_ref": "C1"}


@given(st.sets(st.integers(1, 60)))
def test_ranges_name_exactly_the_ids(ids: set[int]) -> None:
    found: set[int] = set()
    for part in filter(None, as_ranges(ids).split(",")):
        first, _, last = part.partition("-")
        found |= set(range(int(first), int(last or first) + 1))
    assert found == ids
