"""Dates, distances and initials read the same everywhere."""

from __future__ import annotations

from datetime import date, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from partwell.web.wording import day_in_words, distance_in_words, initials, moment_in_words

TODAY = date(2026, 11, 17)


def test_a_day_and_a_moment_read_as_the_letters_write_them() -> None:
    assert day_in_words(date(2026, 11, 27)) == "Fri 27 Nov 2026"
    assert day_in_words(date(2026, 11, 27), with_year=False) == "Fri 27 Nov"
    in_berlin = datetime(2026, 11, 27, 17, 30, tzinfo=ZoneInfo("Europe/Berlin"))
    assert moment_in_words(in_berlin) == "Fri 27 Nov 2026, 17:30 CET"


def test_a_zone_without_letters_says_its_offset() -> None:
    in_dubai = datetime(2026, 11, 27, 17, 30, tzinfo=ZoneInfo("Asia/Dubai"))
    assert moment_in_words(in_dubai) == "Fri 27 Nov 2026, 17:30 UTC+04"


@pytest.mark.parametrize(
    ("days", "words", "words_when_due"),
    [
        (3, "in 3 days", "in 3 days"),
        (1, "tomorrow", "tomorrow"),
        (0, "today", "today"),
        (-1, "yesterday", "1 day late"),
        (-2, "2 days ago", "2 days late"),
    ],
)
def test_a_distance_is_said_in_words(days: int, words: str, words_when_due: str) -> None:
    day = TODAY + timedelta(days=days)
    assert distance_in_words(day, TODAY) == words
    assert distance_in_words(day, TODAY, due=True) == words_when_due


@given(st.integers(1, 5000))
def test_only_what_is_past_is_ever_called_late(days: int) -> None:
    assert "late" in distance_in_words(TODAY - timedelta(days=days), TODAY, due=True)
    assert "late" not in distance_in_words(TODAY + timedelta(days=days), TODAY, due=True)


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("Marit Lindqvist", "ML"),
        ("Jean Paul de Groot", "JG"),
        ("Cher", "CH"),
        ("amara@hv.example", "AE"),
        ("", "?"),
    ],
)
def test_initials(name: str, expected: str) -> None:
    assert initials(name) == expected


@given(st.text(max_size=60))
def test_any_name_has_short_initials(name: str) -> None:
    # Some letters, such as ß, become two in capitals.
    assert 1 <= len(initials(name)) <= 6
