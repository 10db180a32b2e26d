"""What changed in a text, word by word."""

from __future__ import annotations

import re
from collections import Counter
from dataclasses import dataclass
from difflib import SequenceMatcher
from enum import StrEnum

# How many pairs of equal words are weighed against each other. Guidance of a thousand words stays far below;
# a text of one word a thousand times over is shown as replaced instead of making a reader wait.
MOST_PAIRS = 50_000
_WORDS = re.compile(r"\s*\S+|\s+\Z")


class Fate(StrEnum):
    """What became of a run of words."""

    KEPT = "kept"
    REMOVED = "removed"
    ADDED = "added"


@dataclass(frozen=True)
class Words:
    """A run of words with the blanks before them, and what became of it."""

    fate: Fate
    text: str


def words_between(old: str, new: str) -> tuple[Words, ...]:
    """The runs of both texts in reading order.

    What was kept or removed makes up `old`, what was kept or added makes up `new`, letter by letter.
    """
    before, after = _WORDS.findall(old), _WORDS.findall(new)
    counts = Counter(after)
    if sum(counts[word] for word in before) > MOST_PAIRS:
        return _runs([(Fate.REMOVED, before), (Fate.ADDED, after)] if old != new else [(Fate.KEPT, before)])
    found: list[tuple[Fate, list[str]]] = []
    for tag, i1, i2, j1, j2 in SequenceMatcher(None, before, after, autojunk=False).get_opcodes():
        if tag == "equal":
            found.append((Fate.KEPT, before[i1:i2]))
        else:
            found += [(Fate.REMOVED, before[i1:i2]), (Fate.ADDED, after[j1:j2])]
    return _runs(found)


def _runs(found: list[tuple[Fate, list[str]]]) -> tuple[Words, ...]:
    return tuple(Words(fate, "".join(words)) for fate, words in found if words)
