"""Evidence events as sentences. An event that nobody taught us to say is shown by its kind, never hidden."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterable
from typing import Any

from partwell.evidence.models import Event
from partwell.web.presenting import name_of

Sentence = Callable[[str, dict[str, Any]], str]

SENTENCES: dict[str, tuple[str, Sentence]] = {
    "journey.started": ("accepted", lambda who, f: f"{who} started the journey with {len(f['steps'])} steps"),
    "journey.moved": ("accepted", lambda who, f: f"{who} moved the dates; {len(f['steps'])} steps changed"),
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
    "user.ended": ("verified", lambda who, f: f"The Partwell account {f['user']} ended"),
}


def timeline(events: Iterable[Event]) -> list[dict[str, Any]]:
    """Events for the timeline, in the order given: mark, moment, short hash and a sentence."""
    return [describe(event) for event in events]


def describe(event: Event) -> dict[str, Any]:
    """One event. Erased values are said to be erased."""
    fields = {name: field.get("value", "(erased)") for name, field in event.fields.items()}
    mark, sentence = SENTENCES.get(event.kind, ("accepted", _plain))
    who = name_of(str(fields.get("actor", "")))
    try:
        said = sentence(who, {"kind": event.kind, **fields})
    except (KeyError, TypeError):
        said = _plain(who, {"kind": event.kind, **fields})
    return {"mark": mark, "at": event.occurred_at, "said": said, "hash": _short(event), "id": event.pk}


def _plain(who: str, fields: dict[str, Any]) -> str:
    noun, _, verb = str(fields["kind"]).partition(".")
    said = f"{noun.capitalize()} {verb.replace('_', ' ')}"
    about = fields.get("account") or fields.get("system") or fields.get("title")
    about = f": {about}" if about else ""
    return f"{said}{about}, by {who}"


def _short(event: Event) -> str:
    digest = hashlib.sha256(b"\0" + bytes(event.leaf)).hexdigest()
    return f"{digest[:4]}…{digest[-4:]}"


def _changed(fields: dict[str, Any]) -> str:
    names = sorted({name.removesuffix("_after") for name in fields if name.endswith("_after")})
    return ", ".join(name.replace("_", " ") for name in names) or "a fact"
