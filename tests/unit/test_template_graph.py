"""Rings of steps that wait for each other."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from partwell.journeys.template.graph import find_cycles

KEYS = [f"k{n}" for n in range(12)]
edges = st.dictionaries(st.sampled_from(KEYS), st.lists(st.sampled_from(KEYS), max_size=4), max_size=12)


def _opens_everything(graph: dict[str, list[str]]) -> bool:
    """Whether all steps open one after the other: what planning would see."""
    left = {key: {n for n in needs if n in graph} for key, needs in graph.items()}
    while ready := [key for key, needs in left.items() if not needs]:
        for key in ready:
            del left[key]
        for needs in left.values():
            needs.difference_update(ready)
    return not left


@given(edges)
def test_cycles_are_found_exactly_when_something_cannot_open(graph: dict[str, list[str]]) -> None:
    cycles = find_cycles(graph)
    assert bool(cycles) is not _opens_everything(graph)
    for cycle in cycles:
        for key, needed in zip(cycle, [*cycle[1:], cycle[0]], strict=True):
            assert needed in graph[key]


def test_every_separate_ring_is_named() -> None:
    graph = {"a": ["b"], "b": ["a"], "c": ["d"], "d": ["e"], "e": ["c"], "f": ["f"], "g": ["a"]}
    assert sorted(sorted(c) for c in find_cycles(graph)) == [["a", "b"], ["c", "d", "e"], ["f"]]


def test_a_chain_of_400_steps_is_no_cycle() -> None:
    assert find_cycles({f"s{n}": [f"s{n + 1}"] for n in range(400)}) == []
