"""The graph of steps and what they need."""

from __future__ import annotations

from collections.abc import Mapping, Sequence


def find_cycles(edges: Mapping[str, Sequence[str]]) -> list[list[str]]:
    """Rings of steps that wait for each other, as keys in waiting order; none means it can be planned.

    Names at least one ring of every group of steps that hang together in rings. `edges` maps each key to
    the keys it waits for; keys that are not themselves in `edges` are left out. Linear in steps and needs.
    """
    on_path: dict[str, int] = {}
    finished: set[str] = set()
    cycles: list[list[str]] = []
    for root in edges:
        if root in finished:
            continue
        path = [root]
        on_path[root] = 0
        # Own stack instead of recursion: a chain of 400 needs is allowed.
        remaining = [iter(edges[root])]
        while path:
            for key in remaining[-1]:
                if key in on_path:
                    cycles.append(path[on_path[key] :])
                elif key in edges and key not in finished:
                    on_path[key] = len(path)
                    path.append(key)
                    remaining.append(iter(edges[key]))
                    break
            else:
                done = path.pop()
                remaining.pop()
                del on_path[done]
                finished.add(done)
    return cycles
