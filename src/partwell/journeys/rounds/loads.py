"""What a round asks of whom, and where that cannot go well. Pure: from planned steps to figures."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Collection, Iterable, Mapping
from dataclasses import dataclass
from datetime import date, timedelta
from enum import StrEnum

MOST_A_DAY = 10
"""So many steps of one owner that are due on one day are still said to be possible."""


@dataclass(frozen=True)
class Planned:
    """One step that a round would make: of whose departure, who does it (`owner` is "" for a queue, for the
    leaver and where there is nobody), and the day there by which it is due."""

    who: str
    role: str
    day: date
    owner: str = ""
    queue: str = ""
    is_leavers: bool = False


@dataclass(frozen=True)
class Totals:
    """Where the steps of a round go. The four parts make up the whole."""

    steps: int
    owned: int
    queued: int
    leavers: int
    nobodys: int


@dataclass(frozen=True)
class Load:
    """What one owner would have: their steps of this round and for how many people; and, with what they have
    open already, their fullest day and their fullest week, which begins on a Monday."""

    owner: str
    steps: int
    people: int
    already_open: int
    busiest_day: date
    on_busiest_day: int
    busiest_week: date
    in_busiest_week: int


class ClashKind(StrEnum):
    """Why a date, or an owner, does not fit."""

    DAY_OFF = "day_off"
    OWNER_LEAVES = "owner_leaves"
    TOO_MANY = "too_many"


@dataclass(frozen=True)
class Clash:
    """Something that does not fit: `about` is a leaver (a day off) or an owner, `steps` how many it is about
    (none where it is a date of the departure itself)."""

    kind: ClashKind
    about: str
    day: date
    what: str
    steps: int = 0


def totals_of(planned: Iterable[Planned]) -> Totals:
    """How many steps there are, and how many of each kind of owner."""
    found: Counter[str] = Counter()
    for step in planned:
        kind = "leavers" if step.is_leavers else "owned" if step.owner else "queued" if step.queue else ""
        found[kind or "nobodys"] += 1
    return Totals(found.total(), found["owned"], found["queued"], found["leavers"], found["nobodys"])


def loads_of(planned: Iterable[Planned], already: Mapping[str, Collection[date]]) -> tuple[Load, ...]:
    """Everybody who gets steps, most first. `already` holds the due days of what each of them has open."""
    days: dict[str, list[date]] = {}
    people: dict[str, set[str]] = {}
    for step in planned:
        if step.owner:
            days.setdefault(step.owner, []).append(step.day)
            people.setdefault(step.owner, set()).add(step.who)
    loads = [_load(owner, mine, len(people[owner]), already.get(owner, ())) for owner, mine in days.items()]
    return tuple(sorted(loads, key=lambda load: (-load.steps, load.owner)))


def _load(owner: str, mine: list[date], people: int, already: Collection[date]) -> Load:
    by_day = Counter([*mine, *already])
    by_week: Counter[date] = Counter()
    for day, count in by_day.items():
        by_week[day - timedelta(days=day.weekday())] += count
    # Of days that are as full, the first: it is the one to look at.
    busiest_day, on_day = min(by_day.items(), key=lambda pair: (-pair[1], pair[0]))
    busiest_week, in_week = min(by_week.items(), key=lambda pair: (-pair[1], pair[0]))
    return Load(owner, len(mine), people, len(already), busiest_day, on_day, busiest_week, in_week)


def queues_of(planned: Iterable[Planned]) -> dict[str, int]:
    """How many steps wait to be claimed in each queue."""
    return dict(sorted(Counter(step.queue for step in planned if step.queue and not step.owner).items()))


def roles_without_owner(planned: Iterable[Planned]) -> dict[str, int]:
    """How many steps of each role nobody would own and nobody could claim."""
    nobodys = (s.role for s in planned if not (s.owner or s.queue or s.is_leavers))
    return dict(sorted(Counter(nobodys).items()))


def days_off(
    dates: Iterable[tuple[str, str, date, str]], is_working_day: Callable[[date, str], bool]
) -> list[Clash]:
    """Of `(who, what, day, country)`, those days on which nobody works there."""
    return [
        Clash(ClashKind.DAY_OFF, who, day, what)
        for who, what, day, country in dates
        if not is_working_day(day, country)
    ]


def owners_who_leave(planned: Iterable[Planned], last_days: Mapping[str, date]) -> list[Clash]:
    """Owners whose own last working day comes before steps of theirs are due: one line for each, with the
    number of such steps."""
    late = Counter(s.owner for s in planned if s.owner in last_days and s.day > last_days[s.owner])
    return [
        Clash(ClashKind.OWNER_LEAVES, owner, last_days[owner], "leaves before steps are due", count)
        for owner, count in sorted(late.items())
    ]


def days_too_full(
    planned: Iterable[Planned], already: Mapping[str, Collection[date]], *, most: int = MOST_A_DAY
) -> list[Clash]:
    """Days on which one owner would have more than `most` steps due, with what they have open already; only
    days to which this round adds."""
    new = Counter((s.owner, s.day) for s in planned if s.owner)
    before = {owner: Counter(days) for owner, days in already.items()}
    found = []
    for (owner, day), count in sorted(new.items()):
        whole = count + before.get(owner, Counter())[day]
        if whole > most:
            found.append(Clash(ClashKind.TOO_MANY, owner, day, "steps due on one day", whole))
    return found
