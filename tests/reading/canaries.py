"""Canary words: each is written in one place of one departure, and says who alone may read it.

A word is random, so a page that holds it can have it from nowhere else. `gates` are what the matrix file
calls the right to read it: rows (`access.view`), fields (`departure.reason`), or a capacity to which the
place belongs anyway (`departing`, `helper`). One gate is enough; without any, nobody may read it.
"""

from __future__ import annotations

import re
import secrets
from collections.abc import Iterable
from dataclasses import dataclass, field

PREFIX = "zq"
"""Every word begins with it, so that a search can look for all of them without saying one."""
_WORD = re.compile(rf"{PREFIX}[a-z]{{14}}")
_LETTERS = "abcdefghijklmnopqrstuvwxyz"


@dataclass(frozen=True)
class Canary:
    """A planted word: in which place of which scene (empty: of the office), and who may read it."""

    word: str
    place: str
    scene: str
    gates: frozenset[str]


@dataclass
class Canaries:
    """All words of a stage, found again in whatever somebody reads."""

    words: dict[str, Canary] = field(default_factory=dict)
    secrets: dict[str, Canary] = field(default_factory=dict)

    def plant(self, place: str, scene: str, *gates: str) -> str:
        """A new word for this place."""
        word = PREFIX + "".join(secrets.choice(_LETTERS) for _ in range(14))
        self.words[word] = Canary(word, place, scene, frozenset(gates))
        return word

    def plant_secret(self, place: str, text: str, *gates: str) -> None:
        """A secret that the product made, to be found wherever it is shown."""
        self.secrets[text.lower()] = Canary(text, place, "", frozenset(gates))

    def found_in(self, text: str) -> set[Canary]:
        """The planted words that a text holds, whatever their case."""
        text = text.lower()
        found = {self.words[word] for word in _WORD.findall(text) if word in self.words}
        return found | {canary for secret, canary in self.secrets.items() if secret in text}

    def at(self, places: Iterable[str]) -> list[Canary]:
        """The words of these places."""
        wanted = set(places)
        return [canary for canary in self.words.values() if canary.place in wanted]
