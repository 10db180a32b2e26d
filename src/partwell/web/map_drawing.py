"""Where everything stands in the drawing of an access map: somebody, their systems, their accounts there.

Only places and words are computed; the template draws. The list beside it says the same in words.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

ROW, TOP = 34, 12
PERSON_X, SYSTEM_X, ACCOUNT_X = 10, 250, 560
PERSON_W, SYSTEM_W, ACCOUNT_W = 150, 200, 330
WIDTH = ACCOUNT_X + ACCOUNT_W + 10
MOST_ROWS = 80
SAYS = {"high": "high risk", "raised": "raised risk", "ordinary": "ordinary", "closed": "closed"}
LONGEST = {"person": 20, "system": 25, "account": 44}


@dataclass(frozen=True)
class Node:
    """A box with words. `kind` and `level` choose its looks; the level is said in words too."""

    x: int
    y: int
    width: int
    words: str
    kind: str
    level: str = ""

    @property
    def text_x(self) -> int:
        return self.x + 12

    @property
    def text_y(self) -> int:
        return self.y + 17

    @property
    def middle(self) -> int:
        return self.y + 13


@dataclass
class Drawing:
    """Boxes and the lines between them, and how many accounts there was no room for."""

    nodes: list[Node] = field(default_factory=list)
    lines: list[tuple[str, str]] = field(default_factory=list)
    height: int = 0
    width: int = WIDTH
    left_out: int = 0


def drawing(name: str, systems: list[dict[str, Any]]) -> Drawing:
    """The drawing of these systems, those with accounts first; the list alone names those without any."""
    made = Drawing()
    shown = [system for system in systems if system["found"] != "none"]
    shown.sort(key=lambda system: (not system["accounts"], system["title"]))
    row = 0
    tops: list[tuple[Node, bool]] = []
    for system in shown:
        words = _account_words(system)
        room = max(MOST_ROWS - row, 0)
        made.left_out += len(words[room:])
        if not room:
            continue
        words = words[:room]
        first, last = row, row + len(words) - 1
        is_known = bool(system["accounts"])
        box = Node(
            SYSTEM_X,
            TOP + (first + last) * ROW // 2,
            SYSTEM_W,
            _short(system["title"], "system"),
            "system" if is_known else "unknown",
        )
        tops.append((box, is_known))
        for offset, (said, level) in enumerate(words):
            y = TOP + (first + offset) * ROW
            leaf = Node(
                ACCOUNT_X, y, ACCOUNT_W, _short(said, "account"), "account" if level else "unknown", level
            )
            made.nodes.append(leaf)
            made.lines.append((_curve(box, leaf), "" if is_known else "unknown"))
        row += len(words)
    made.height = TOP * 2 + max(row, 1) * ROW
    somebody = Node(PERSON_X, made.height // 2 - 13, PERSON_W, _short(name, "person"), "person")
    made.nodes += [somebody, *(box for box, _ in tops)]
    made.lines += [(_curve(somebody, box), "" if is_known else "unknown") for box, is_known in tops]
    return made


def _account_words(system: dict[str, Any]) -> list[tuple[str, str]]:
    words = [
        (f"{account['login'] or account['account']}, {SAYS[account['risk']]}", account["risk"])
        for account in system["accounts"]
    ]
    words += [(f"{account['login']}: theirs?", "") for account in system["ambiguous"]]
    return words or [("Not known", "")]


def _curve(start: Node, end: Node) -> str:
    x1, x2 = start.x + start.width, end.x
    bend = (x2 - x1) // 2
    return f"M{x1} {start.middle}C{x1 + bend} {start.middle} {x2 - bend} {end.middle} {x2} {end.middle}"


def _short(words: str, kind: str) -> str:
    longest = LONGEST[kind]
    return words if len(words) <= longest else f"{words[: longest - 1]}…"
