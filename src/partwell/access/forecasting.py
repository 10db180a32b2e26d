"""How long a plan, or a cut of many, will take: per system, and in all. Systems run side by side, so that the
slowest decides. What people do by hand is not in it."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

from partwell.access.connections import target_of
from partwell.access.models import System
from partwell.access.states import AccessState
from partwell.access.timing import duration
from partwell.connector_kit import registry
from partwell.connector_kit.contract import Reversibility, Verb
from partwell.connector_kit.forecast import Forecast, Load, foretell
from partwell.connector_kit.plan import ASKED_FOR, ORDER, is_under_kill_switch

# What has not come to its proof yet.
AHEAD = frozenset({AccessState.PLANNED, AccessState.REQUESTED, AccessState.ACCEPTED, AccessState.UNREACHABLE})


@dataclass(frozen=True)
class SystemTime:
    """What one system is foretold to take for this load."""

    system: str
    title: str
    load: Load
    forecast: Forecast

    def as_dict(self) -> dict[str, Any]:
        """As the API and the command line show it; seconds are whole, and rounded up."""
        return {
            "system": self.system,
            "title": self.title,
            "accounts": self.load.accounts,
            "changes": self.load.changes,
            "requests": self.forecast.requests,
            "seconds": _up(self.forecast.seconds),
            "says": about(self.forecast.seconds),
        }


def in_all(times: Iterable[SystemTime]) -> dict[str, Any]:
    """The whole, and each system, the slowest first."""
    rows = sorted(times, key=lambda each: (-each.forecast.seconds, each.system))
    seconds = max((each.forecast.seconds for each in rows), default=0.0)
    return {
        "seconds": _up(seconds),
        "says": about(seconds) if rows else "",
        "systems": [each.as_dict() for each in rows],
    }


def about(seconds: float) -> str:
    """“less than a minute”, “about 12 min”: limits are known to the second, answers are not."""
    if seconds < 60:
        return "less than a minute"
    minutes = -(-_up(seconds) // 60)
    return f"about {duration(timedelta(minutes=minutes))}"


def time_of_changes(rows: Iterable[Mapping[str, Any]], connectors: Mapping[str, str]) -> list[SystemTime]:
    """For the changes of a plan as `queries.plan_view` has them; `connectors` says which each system has."""
    verbs: dict[tuple[str, str], Counter[str]] = defaultdict(Counter)
    accounts: dict[tuple[str, str], set[str]] = defaultdict(set)
    for row in rows:
        if row["call"] and row["state"] in AHEAD:
            name = row["system"], row["title"]
            verbs[name][row["action"].removeprefix("restore:")] += 1
            accounts[name].add(row["account"])
    return [
        _time(system, title, connectors.get(system, ""), Load(len(accounts[system, title]), counts))
        for (system, title), counts in verbs.items()
    ]


def time_of_cut(people: int) -> dict[str, Any]:
    """For the kill switch on so many people (a client's contacts each count), before any system is asked:
    each is taken to have one account in each connected system, on which is done what one may order alone."""
    found = []
    for system in System.objects.filter(is_enabled=True):
        target = target_of(system)
        if "discover" not in target.capabilities:
            continue
        verbs = [verb for verb in ORDER if verb not in ASKED_FOR and _runs(verb, target.capabilities)]
        load = Load(people, dict.fromkeys(verbs, people))
        found.append(_time(system.name, system.title, system.connector, load))
    return in_all(found)


def _runs(verb: Verb, capabilities: Mapping[str, Reversibility | None]) -> bool:
    return verb in capabilities and is_under_kill_switch(verb, capabilities[verb] or Reversibility.NONE)


def _time(system: str, title: str, connector: str, load: Load) -> SystemTime:
    registered = registry.find(connector)
    limits = {} if registered is None else registered.manifest.limits
    return SystemTime(system, title, load, foretell(limits, load))


def _up(seconds: float) -> int:
    return -int(-seconds // 1)
