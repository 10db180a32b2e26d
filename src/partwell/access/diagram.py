"""The diagram of the states, from the table that the code obeys."""

from __future__ import annotations

from partwell.access.states import SETTLED, TRANSITIONS


def mermaid() -> str:
    """The transitions as a Mermaid state diagram; settled states are marked."""
    lines = ["stateDiagram-v2", "    [*] --> planned", "    [*] --> ambiguous", "    [*] --> manual"]
    lines += ["    [*] --> unreachable"]
    for before, afters in TRANSITIONS.items():
        lines += [f"    {before} --> {after}" for after in sorted(afters) if after != before]
    lines += ["    classDef settled font-weight:bold"]
    lines += [f"    class {state} settled" for state in sorted(SETTLED)]
    return "\n".join(lines)
