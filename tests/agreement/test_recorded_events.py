"""The reader that compares events with their page sees every way in which the source names a kind."""

from __future__ import annotations

from pathlib import Path

from tests.agreement.recorded_events import Reader

SOURCE = """
from partwell.evidence.operations import record

CLOSED = "room.closed"

def close(at):
    fields = {"door": 1}
    record(CLOSED, scope="x", actor="y", at=at, fields=fields)

def open_(at, wide):
    _note("room.opened_wide" if wide else "room.opened", at, **{})
    settle(kind="room.aired", at=at, minutes=5)

def _note(kind, at):
    record(kind, scope="x", actor="y", at=at, fields={"window": 1, **_more()})

def _more():
    return {"floor": 2}

def settle(*, kind, at, **fields):
    _note(kind, at)
    record(f"mail.{at}", scope="x", actor="y", at=at)

def hide(at, made):
    record(made(), scope="x", actor="y", at=at)
"""


def test_reads_constants_parameters_choices_and_patterns(tmp_path: Path) -> None:
    (tmp_path / "room.py").write_text(SOURCE)
    reader = Reader(tmp_path).read()
    assert reader.kinds == {
        "room.closed": {"door"},
        "room.opened": {"window", "floor"},
        "room.opened_wide": {"window", "floor"},
        "room.aired": {"window", "floor", "minutes"},
        "mail.{}": set(),
    }


def test_names_a_kind_that_cannot_be_read(tmp_path: Path) -> None:
    (tmp_path / "room.py").write_text(SOURCE)
    assert Reader(tmp_path).read().unreadable == ["partwell.room:25"]
