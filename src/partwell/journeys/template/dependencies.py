"""What waits for what in a template: whole chains, the longest of them, and which steps hold up most."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from partwell.journeys.template.graph import find_cycles
from partwell.journeys.template.model import Template


@dataclass(frozen=True)
class Links:
    """What a step hangs together with, as keys in the template's order.

    `needs` and `opens` are its neighbours; `before` is all that has to be settled first, `after` all that
    waits for it, over however many steps.
    """

    needs: tuple[str, ...]
    opens: tuple[str, ...]
    before: tuple[str, ...]
    after: tuple[str, ...]

    def as_dict(self) -> dict[str, list[str]]:
        """The links as the API and the command line show them."""
        return {
            "needs": [*self.needs],
            "opens": [*self.opens],
            "before": [*self.before],
            "after": [*self.after],
        }


@dataclass(frozen=True)
class Dependencies:
    """The links of every step, and what follows from them.

    `longest` is the chain of most steps, in the order in which they open. `holding_up` are the steps that
    others wait for, those with most behind them first. `rings` are steps that wait for each other, which only
    a draft can have; no chain goes through them.
    """

    links: Mapping[str, Links]
    longest: tuple[str, ...]
    holding_up: tuple[str, ...]
    rings: tuple[tuple[str, ...], ...]

    def as_dict(self) -> dict[str, Any]:
        """The dependencies as the API and the command line show them."""
        return {
            "steps": [{"key": key, **links.as_dict()} for key, links in self.links.items()],
            "longest": [*self.longest],
            "holding_up": [{"key": key, "steps": len(self.links[key].after)} for key in self.holding_up],
            "rings": [[*ring] for ring in self.rings],
        }


def dependencies_of(template: Template) -> Dependencies:
    """The dependencies of a template. Needs that name no step of it are left out."""
    keys = [step.key for step in template.steps]
    places = {key: place for place, key in enumerate(keys)}
    needs = {step.key: [key for key in step.needs if key in places] for step in template.steps}
    opens: dict[str, list[str]] = {key: [] for key in keys}
    for key, needed in needs.items():
        for other in needed:
            opens[other].append(key)

    def in_order(found: set[str] | Sequence[str]) -> tuple[str, ...]:
        return tuple(sorted(found, key=places.__getitem__))

    links = {
        key: Links(
            in_order(needs[key]),
            in_order(opens[key]),
            in_order(_reached(key, needs)),
            in_order(_reached(key, opens)),
        )
        for key in keys
    }
    holding = sorted((key for key in keys if links[key].after), key=lambda key: -len(links[key].after))
    rings = tuple(tuple(ring) for ring in find_cycles(needs))
    return Dependencies(links, _longest(keys, needs), tuple(holding), rings)


def _reached(key: str, edges: Mapping[str, Sequence[str]]) -> set[str]:
    found: set[str] = set()
    waiting = list(edges[key])
    while waiting:
        other = waiting.pop()
        if other not in found:
            found.add(other)
            waiting += edges[other]
    return found - {key}


def _longest(keys: Sequence[str], needs: Mapping[str, Sequence[str]]) -> tuple[str, ...]:
    """The chain of most steps among those that can open at all; of several the one that begins first."""
    chains: dict[str, tuple[str, ...]] = {}
    left = list(keys)
    while ready := [key for key in left if all(other in chains for other in needs[key])]:
        for key in ready:
            chains[key] = (*max((chains[other] for other in needs[key]), key=len, default=()), key)
        left = [key for key in left if key not in chains]
    longest = max(chains.values(), key=len, default=())
    return longest if len(longest) > 1 else ()
