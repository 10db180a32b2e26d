"""What does not fit in a round, in as few lines as it takes."""

from __future__ import annotations

from typing import Any

from partwell.web.round_words import MOST_LINES, overview_rows


def clash(kind: str, about: str, day: str, steps: int = 0, what: str = "") -> dict[str, Any]:
    return {"kind": kind, "about": about, "day": day, "steps": steps, "what": what}


def test_an_owner_s_full_days_are_one_line_with_the_fullest() -> None:
    found = overview_rows(
        {
            "clashes": [
                clash("too_many", "Joon", "2026-12-07", 12),
                clash("too_many", "Amara", "2026-12-08", 20),
                clash("too_many", "Joon", "2026-12-09", 40),
                clash("owner_leaves", "Bea", "2026-12-01", 1),
                clash("day_off", "Mei", "2026-12-25", what="last working day"),
            ]
        }
    )
    assert found["clashes"] == [
        "Bea leaves on Tue 1 Dec 2026; 1 of their steps is due later",
        "Mei: the last working day, Fri 25 Dec 2026, is no working day there",
        "Joon would have too much due on 2 days, most on Wed 9 Dec 2026: 40 steps",
        "Amara would have 20 steps due on Tue 8 Dec 2026",
    ]
    assert found["more_clashes"] == 0


def test_what_is_not_shown_is_counted() -> None:
    many = [clash("owner_leaves", f"Owner {n}", "2026-12-01", 2) for n in range(MOST_LINES + 3)]
    found = overview_rows({"clashes": many})
    assert (len(found["clashes"]), found["more_clashes"]) == (MOST_LINES, 3)
