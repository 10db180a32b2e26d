"""What happened to a round, as a sentence each."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

ROUNDS: dict[str, tuple[str, Callable[[str, dict[str, Any]], str]]] = {
    "round.prepared": (
        "accepted",
        lambda who, f: f"{who} prepared the round “{f['name']}” of {len(f['people'])} people",
    ),
    "round.approved": ("approval", lambda who, f: f"{who} approved the round of {f['people']} people"),
    "round.batch_started": (
        "accepted",
        lambda who, f: f"{who} started {f['started']} journeys; {f['waiting']} wait",
    ),
    "round.recalled": (
        "failed",
        lambda who, f: (
            f"{who} recalled {f['not_started'] + f['to_withdraw']} departures of the round: {f['reason']}"
        ),
    ),
    "round.recall_finished": (
        "accepted",
        lambda who, f: (
            f"{who} withdrew {f['withdrawn']} journeys; {len(f['not_withdrawn'])} could not be withdrawn"
        ),
    ),
}
