"""The figure of the first page: how long access outlived its end in the latest departures, a dot for each."""

from __future__ import annotations

from datetime import timedelta
from math import log
from typing import Any

from partwell.access.states import SLA_MINUTES, SlaClass
from partwell.access.timing import Recent, duration

LIMIT = SLA_MINUTES[SlaClass.CRITICAL]
# Minutes grow by ratios: one minute and fifteen, an hour and four, are all to be told apart.
_ONE_MINUTE, _PER_RATIO, _LEFT, _RIGHT = 55.4, 43.18, 12.0, 284.0
_GROUND, _RISE, _WIDTH = 66.0, 8.0, 7.2
_TICKS = ((1, "1 min"), (5, "5"), (LIMIT, f"{LIMIT}"), (60, "1 h"), (240, "4 h"))


def figure_of(recent: Recent) -> dict[str, Any] | None:
    """Median, what it is about, and the chart; None where no departure has anything to count."""
    if not recent.times and not recent.unproven:
        return None
    count = len(recent.times)
    said = f"{count - recent.late} of {count} within {LIMIT} minutes" if count else ""
    open_ = f"{recent.unproven} not proven yet" if recent.unproven else ""
    median = recent.median
    return {
        "median": _parts(duration(median)) if median is not None else [],
        "count": count,
        "more": ", ".join(filter(None, (said, open_))),
        "is_late": bool(recent.late),
        "label": f"Time to revoke, one dot per departure. {said}. Median {duration(median)}."
        if median is not None
        else "",
        "dots": _dots(recent.times),
        "median_x": _number(_x(median)) if median is not None else "",
        "limit_x": _number(_x(timedelta(minutes=LIMIT))),
        "limit_text_x": _number(_x(timedelta(minutes=LIMIT)) + 5),
        "limit": f"limit {LIMIT} min",
        "ticks": [{"x": _number(_x(timedelta(minutes=each))), "words": words} for each, words in _TICKS],
    }


def _parts(words: str) -> list[tuple[str, str]]:
    """“3 min 40 s” as its numbers, each with its unit."""
    each = words.split()
    return list(zip(each[::2], each[1::2], strict=True))


def _x(span: timedelta) -> float:
    minutes = max(span.total_seconds() / 60, 0.01)
    return min(max(_ONE_MINUTE + _PER_RATIO * log(minutes), _LEFT), _RIGHT)


def _dots(times: tuple[timedelta, ...]) -> list[dict[str, Any]]:
    """A dot for each time, laid upon those that it would cover."""
    laid: list[tuple[float, float]] = []
    for time in times:
        x = _x(time)
        taken = {y for other, y in laid if abs(other - x) < _WIDTH}
        y = _GROUND
        while y in taken:
            y -= _RISE
        laid.append((x, y))
    late = sum(time > timedelta(minutes=LIMIT) for time in times)
    return [
        {
            "x": _number(x),
            "y": _number(y),
            "left": _number(x - _WIDTH / 2),
            "top": _number(y - _WIDTH / 2),
            "is_late": time > timedelta(minutes=LIMIT),
            # Of several, the words would lie upon one another.
            "words": duration(timedelta(minutes=round(time.total_seconds() / 60))) if late == 1 else "",
            "words_x": _number(x + 8 if x < 230 else x - 8),
            "anchor": "start" if x < 230 else "end",
            "words_y": _number(y + 4),
        }
        for time, (x, y) in zip(times, laid, strict=True)
    ]


def _number(value: float) -> str:
    """As SVG reads numbers, whatever the language of the page."""
    return f"{value:.1f}"
