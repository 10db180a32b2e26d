"""Looking: one reader asks for addresses, and every planted word that comes back is judged."""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field

from django.http import HttpResponse
from django.test import Client

from tests.authorisation_stage import Stage
from tests.reading.asking import ask, text_of
from tests.reading.canaries import Canaries, Canary
from tests.reading.doors import Address
from tests.reading.oracle import may_find_in_pack, may_read
from tests.reading.readers import Reader, reading_as

_NEXT = re.compile(r'href="(\?[^"]*after=[^"]+)"')
_MOST_PAGES = 6


@dataclass
class Seen:
    """What came of looking: how much was read, what leaked, and which words each reader saw where they were
    meant to read them."""

    pages: int = 0
    leaks: list[str] = field(default_factory=list)
    words: dict[str, set[Canary]] = field(default_factory=lambda: defaultdict(set))


def look(reader: Reader, addresses: Iterable[Address], stage: Stage, canaries: Canaries, seen: Seen) -> None:
    """Read all of these addresses as one reader, and judge each word that they hold."""
    with reading_as(reader) as browser:
        for address in addresses:
            for path, answer in _pages(browser, reader, address.path):
                seen.pages += 1
                audience = address.audience if answer.status_code == 200 else ""
                # What was asked for by its name stands in an answer again; that tells nobody anything.
                for canary in canaries.found_in(text_of(answer)) - canaries.found_in(path):
                    judge(reader, canary, stage, seen, where=path, audience=audience)


def judge(
    reader: Reader, canary: Canary, stage: Stage, seen: Seen, *, where: str, audience: str = ""
) -> None:
    """Write down that a reader found a word, and whether that is a leak."""
    scene = stage.scenes.get(canary.scene)
    if audience:
        is_right = may_find_in_pack(reader, canary, scene, audience)
    else:
        is_right = may_read(reader, canary, scene)
        seen.words[reader.name].add(canary)
    if not is_right:
        seen.leaks.append(f"{reader.name} reads {_the(canary)} at {where}")


def lock_outs(
    reader: Reader, places: frozenset[str], scenes: set[str], stage: Stage, canaries: Canaries, seen: Seen
) -> list[str]:
    """The words of these places that a reader may read, and has not found anywhere."""
    missing = [
        canary
        for canary in canaries.at(places)
        if canary.scene in scenes | {""}
        and may_read(reader, canary, stage.scenes.get(canary.scene))
        and canary not in seen.words[reader.name]
    ]
    return [f"{reader.name} cannot find {_the(canary)}" for canary in missing]


def _the(canary: Canary) -> str:
    return f"the {canary.place} of {canary.scene or 'the office'}"


def _pages(browser: Client, reader: Reader, path: str) -> Iterator[tuple[str, HttpResponse]]:
    """An address and, where it is the first page of a list, the pages after it."""
    for _ in range(_MOST_PAGES):
        answer = ask(browser, reader, path)
        yield path, answer
        following = None if answer.streaming else _NEXT.search(answer.content.decode(errors="replace"))
        if following is None:
            return
        path = path.partition("?")[0] + following[1].replace("&amp;", "&")
