"""What the events of the set-up and of practice say; part of `sentences.SENTENCES`."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any


def _part(f: dict[str, Any]) -> str:
    return str(f["part"]).replace("_", " ")


FIRST_RUN: dict[str, tuple[str, Callable[[str, dict[str, Any]], str]]] = {
    "practice.begun": (
        "accepted",
        lambda who, f: (
            f"{who} began to practise their own departure by {f['template']}; nothing of it happens"
        ),
    ),
    "practice.step_settled": (
        "accepted",
        lambda who, f: f"{who} practised “{f['title']}”: {'left out' if f['way'] == 'skipped' else 'done'}",
    ),
    "practice.step_reopened": ("accepted", lambda who, f: f"{who} opened “{f['title']}” again in practice"),
    "practice.moved": (
        "accepted",
        lambda who, f: f"{who} moved the last day in practice to {f['last_working_day']}",
    ),
    "practice.ended": (
        "accepted",
        lambda who, f: f"{who} ended the practice, with {f['settled']} steps settled",
    ),
    "setup.put_aside": (
        "accepted",
        lambda who, f: f"{who} put a part of the set-up aside: {_part(f)}",
    ),
    "setup.taken_up": (
        "accepted",
        lambda who, f: f"{who} took a part of the set-up up again: {_part(f)}",
    ),
}
