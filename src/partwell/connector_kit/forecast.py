"""How long a plan takes in a system at the least, from what its manifest says of the target. Pure functions.

A manifest's `limits` say how many requests a minute the target takes (`requests_per_minute`, `classes`), how
many calls at once (`concurrent`), and, under `requests`, what one call of the connector sends by class; what
it does not say of a call is taken to be `USUAL`.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from partwell.connector_kit.contract import PROTOCOLS, Verb
from partwell.connector_kit.limiter import DEFAULT_CLASS, rates_of

# A request and its answer over a network, as vendors' services usually take it.
SECONDS_EACH = 0.25
# Looking an account up by each of three facts; a verb reads before it writes.
USUAL: Mapping[str, int] = {"discover": 3, **{verb.value: 2 for verb in Verb}}


@dataclass(frozen=True)
class Load:
    """What is to be done in one system: to so many accounts, and how often each verb."""

    accounts: int
    verbs: Mapping[str, int]

    @property
    def changes(self) -> int:
        return sum(self.verbs.values())


@dataclass(frozen=True)
class Forecast:
    """So many requests, and the seconds that they take at the least: no limit lets them be fewer, and a
    target that is slow or asks us to wait takes longer."""

    requests: int
    seconds: float


def foretell(limits: Mapping[str, Any], load: Load) -> Forecast:
    """What it takes to look at each account, keep its state, do each verb and read it back."""
    sent: Counter[str] = Counter()
    for call, count in calls_of(load).items():
        for name, each in requests_of(limits, call).items():
            sent[name] += each * count
    rates = rates_of(limits)
    paced = max((count * 60 / rates[name] for name, count in sent.items() if name in rates), default=0.0)
    total = sent.total()
    answered = math.ceil(total / max(int(limits.get("concurrent", 1)), 1)) * SECONDS_EACH
    return Forecast(total, max(paced, answered))


def calls_of(load: Load) -> dict[str, int]:
    """How often the connector is called, by the call's name."""
    return {
        "discover": load.accounts,
        "snapshot": load.accounts if load.changes else 0,
        "verify": load.changes,
        **load.verbs,
    }


def requests_of(limits: Mapping[str, Any], call: str) -> Mapping[str, int]:
    """What one call sends, by class of endpoints."""
    declared: Mapping[str, Mapping[str, int]] = limits.get("requests") or {}
    return declared.get(call) or {DEFAULT_CLASS: USUAL.get(call, 1)}


def problems_of(limits: Mapping[str, Any]) -> list[str]:
    """What is wrong with what a manifest says of its requests; empty where nothing is."""
    declared = limits.get("requests") or {}
    found = [f"requests: there is no call {call!r}" for call in declared if call not in PROTOCOLS]
    return found + [
        f"requests of {call}: {count!r} is no number of requests"
        for call, by_class in declared.items()
        for count in by_class.values()
        if not isinstance(count, int) or count < 1
    ]
