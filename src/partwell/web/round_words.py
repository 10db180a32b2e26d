"""What the overview of a round says, as pages show it: dates as dates, and what does not fit in few lines."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import date
from typing import Any

from partwell.journeys.rounds.loads import ClashKind
from partwell.web.wording import day_in_words

MOST_LINES = 60


def overview_rows(overview: dict[str, Any]) -> dict[str, Any]:
    """The overview with real dates; its clashes one line for each owner and each day off."""
    loads = [
        {
            **load,
            "busiest_day": date.fromisoformat(load["busiest_day"]),
            "busiest_week": date.fromisoformat(load["busiest_week"]),
        }
        for load in overview.get("loads", [])
    ]
    lines = _clash_lines(overview.get("clashes", []))
    return {
        **overview,
        "loads": loads,
        "clashes": lines[:MOST_LINES],
        "more_clashes": len(lines[MOST_LINES:]),
    }


def _clash_lines(clashes: Iterable[dict[str, Any]]) -> list[str]:
    full: dict[str, list[tuple[int, date]]] = {}
    lines = []
    for clash in clashes:
        day = date.fromisoformat(clash["day"])
        match clash["kind"]:
            case ClashKind.TOO_MANY:
                full.setdefault(clash["about"], []).append((clash["steps"], day))
            case ClashKind.DAY_OFF:
                lines.append(
                    f"{clash['about']}: the {clash['what']}, {day_in_words(day)}, is no working day there"
                )
            case _:
                are = "is" if clash["steps"] == 1 else "are"
                lines.append(
                    f"{clash['about']} leaves on {day_in_words(day)}; "
                    f"{clash['steps']} of their steps {are} due later"
                )
    return lines + [_full_days(owner, days) for owner, days in full.items()]


def _full_days(owner: str, days: list[tuple[int, date]]) -> str:
    steps, day = max(days, key=lambda each: (each[0], -each[1].toordinal()))
    if len(days) == 1:
        return f"{owner} would have {steps} steps due on {day_in_words(day)}"
    return f"{owner} would have too much due on {len(days)} days, most on {day_in_words(day)}: {steps} steps"
