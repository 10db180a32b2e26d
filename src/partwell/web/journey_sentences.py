"""What the events of departures, their journeys, steps and notices say, as sentences."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

Sentence = Callable[[str, dict[str, Any]], str]


def counted(number: int, noun: str) -> str:
    """“3 steps”."""
    return f"{number} {noun}{'' if number == 1 else 's'}"


def _changed(fields: dict[str, Any]) -> str:
    names = sorted({name.removesuffix("_after") for name in fields if name.endswith("_after")})
    return ", ".join(name.replace("_", " ") for name in names) or "a fact"


def _brought_forward(who: str, f: dict[str, Any]) -> str:
    moved = [
        f"“{row['title']}” from {row['due_before'][:10]} to {row['due_after'][:10]}" for row in f["steps"]
    ]
    more = f" and {len(moved) - 3} more" if len(moved) > 3 else ""
    dates = counted(len(moved), "due date")
    return f"Access ended sooner, so {dates} came forward: {', '.join(moved[:3])}{more}"


def _version_changed(who: str, f: dict[str, Any]) -> str:
    said = [
        f"{len(f[name])} {words}"
        for name, words in (
            ("added", "added"),
            ("changed", "changed"),
            ("fell_away", "fell away"),
            ("set_aside", "set aside"),
        )
        if f[name]
    ]
    steps = f"steps: {', '.join(said)}" if said else "no step changed"
    versions = f"from version {f['version_before']} of its template to {f['version_after']}"
    return f"{who} moved the journey {versions}; {steps}"


JOURNEYS: dict[str, tuple[str, Sentence]] = {
    "journey.started": ("accepted", lambda who, f: f"{who} started the journey with {len(f['steps'])} steps"),
    "journey.moved": ("accepted", lambda who, f: f"{who} moved the dates; {len(f['steps'])} steps changed"),
    "journey.brought_forward": ("accepted", _brought_forward),
    "journey.withdrawn": ("failed", lambda who, f: f"{who} withdrew the notice: {f['withdrawal_reason']}"),
    "journey.closed": ("verified", lambda who, f: f"{who} closed the journey"),
    "journey.closed_with_override": (
        "failed",
        lambda who, f: f"{who} approved closing with {len(f['open'])} things open: {f['override_reason']}",
    ),
    "journey.override_requested": (
        "failed",
        lambda who, f: f"{who} asked to close with {len(f['open'])} things open",
    ),
    "departure.edited": ("accepted", lambda who, f: f"{who} changed {_changed(f)}"),
    "step.completed": ("accepted", lambda who, f: f"{who} completed “{f['title']}”"),
    "step.settled": ("verified", lambda who, f: f"“{f['title']}” is proven: {f['note']}"),
    "step.reopened": ("accepted", lambda who, f: f"{who} opened “{f['title']}” again"),
    "step.skipped": ("failed", lambda who, f: f"{who} left out “{f['title']}”: {f['reason']}"),
    "step.reassigned": ("accepted", lambda who, f: f"{who} gave “{f.get('title', f['step'])}” to {f['to']}"),
    "step.claimed": ("accepted", lambda who, f: f"{who} claimed “{f['title']}”"),
    "step.commented": ("accepted", lambda who, f: f"{who} commented on “{f['title']}”"),
    "step.attached": ("accepted", lambda who, f: f"{who} attached {f['file']} to “{f['title']}”"),
    "step.added": ("accepted", lambda who, f: f"{who} added “{f['title']}”"),
    "journey.version_changed": ("accepted", _version_changed),
    "notice.given": ("accepted", lambda who, f: f"{who} gave notice for {f['subject']}"),
    "notice.started": ("accepted", lambda who, f: f"{who} started a journey from the notice"),
    "notice.declined": ("accepted", lambda who, f: f"{who} settled the notice: nothing follows"),
}
"""By kind: the mark, and the sentence made of who acted and what the event says."""
