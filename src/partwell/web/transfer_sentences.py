"""What the events of handing over say, as sentences."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

Sentence = Callable[[str, dict[str, Any]], str]


def _thing(f: dict[str, Any]) -> str:
    """“mailbox in Mail”."""
    return f"{f['handed']} in {f['system_title']}" if f["system_title"] else str(f["handed"])


def _why(f: dict[str, Any]) -> str:
    return f": {f['reason']}" if f.get("reason") else ""


def _to(f: dict[str, Any]) -> str:
    return str(f.get("successor") or "the successor")


TRANSFERS: dict[str, tuple[str, Sentence]] = {
    "transfer.opened": ("accepted", lambda who, f: f"To be handed over: {_thing(f)}"),
    "transfer.successor_named": ("accepted", lambda who, f: f"{who} named {_to(f)} for {_thing(f)}"),
    "transfer.asked": ("accepted", lambda who, f: f"{who} had {_thing(f)} handed over at once"),
    "transfer.requested": ("accepted", lambda who, f: f"Asked to give {_thing(f)} to {_to(f)}"),
    "transfer.queued": ("accepted", lambda who, f: f"Taken by the system, {_thing(f)}{_why(f)}"),
    "transfer.running": ("accepted", lambda who, f: f"The system is at it, {_thing(f)}{_why(f)}"),
    "transfer.done": ("verified", lambda who, f: f"Read back, {_to(f)} has {_thing(f)}{_why(f)}"),
    "transfer.failed": ("failed", lambda who, f: f"Not handed over, {_thing(f)}{_why(f)}"),
    "transfer.unknown": (
        "unreachable",
        lambda who, f: f"Nobody can tell whether {_to(f)} has {_thing(f)}{_why(f)}",
    ),
    "transfer.attested": (
        "accepted",
        lambda who, f: f"{who} said that {_to(f)} has {_thing(f)}{_why(f)}",
    ),
    "transfer.accepted": (
        "accepted",
        lambda who, f: f"{who} accepted {_thing(f)}{': ' + f['note'] if f['note'] else ''}",
    ),
    "transfer.missing": ("failed", lambda who, f: f"{who} misses something of {_thing(f)}: {f['note']}"),
    "transfer.not_needed": ("failed", lambda who, f: f"{who} said that nobody needs {_thing(f)}{_why(f)}"),
    "transfer.taking_back": ("accepted", lambda who, f: f"{who} had {_thing(f)} taken back from {_to(f)}"),
    "transfer.ended": ("verified", lambda who, f: f"Read back, {_to(f)} has {_thing(f)} no more{_why(f)}"),
    "transfer.end_attested": (
        "accepted",
        lambda who, f: f"{who} said that {_to(f)} has {_thing(f)} no more{_why(f)}",
    ),
    "transfer.mailbox_settled": (
        "accepted",
        lambda who, f: f"{who} settled the {_thing(f)} whose time is over: {f['note']}",
    ),
}
"""By kind: the mark, and the sentence made of who acted and what the event says."""
