"""Everybody whose work here ended in a period: by the staff register, or by a departure.

Both are held against each other. Who left without a departure is in it, and so is everybody of whom the two
say different things: that is named, never decided here. A need-to-know departure brings nobody in, so that
the population is the same for everybody who asks and tells nothing; the register does, once it says that they
have left.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import date
from enum import StrEnum
from typing import NamedTuple
from uuid import UUID

from partwell.departures.models import Departure
from partwell.departures.policies import visible_departures
from partwell.departures.states import Confidentiality, DepartureState, SubjectKind
from partwell.evidence.verifier import population_digest
from partwell.people.actors import Actor
from partwell.people.models import Person


class Doubt(StrEnum):
    """Where register and departure do not say the same, or it is unclear who is meant."""

    OTHER_DAY = "other_day"
    NOT_IN_REGISTER = "not_in_register"
    NO_ENTRY = "no_entry"
    TAKEN_BACK = "taken_back"
    SAME_NAME = "same_name"


class Entry(NamedTuple):
    """One person of the register, as far as leaving is concerned."""

    id: int
    name: str
    folded: str
    department: str
    left_on: date | None
    started_on: date | None


class Ending(NamedTuple):
    """One departure of somebody of the staff."""

    id: UUID
    person_id: int | None
    name: str
    department: str
    last_day: date
    state: str


class Leaver(NamedTuple):
    """One end of somebody's work here. `ref` names it in samples: no name, and always the same one.

    `departure_id` is empty where they left without a departure that the reader may read.
    """

    ref: str
    name: str
    department: str
    left_on: date
    person_id: int | None
    departure_id: UUID | None
    doubts: tuple[Doubt, ...] = ()


@dataclass(frozen=True)
class Population:
    """All leavers from `since` to `until`, both included, in the order of their days."""

    since: date
    until: date
    leavers: tuple[Leaver, ...]

    @property
    def digest(self) -> str:
        """SHA-256 of who is in it: another population has another one."""
        return population_digest([leaver.ref for leaver in self.leavers])

    @property
    def without_journey(self) -> list[Leaver]:
        return [leaver for leaver in self.leavers if leaver.departure_id is None]

    @property
    def doubtful(self) -> list[Leaver]:
        return [leaver for leaver in self.leavers if leaver.doubts]


def read_population(since: date, until: date, *, actor: Actor) -> Population:
    """The population of a period, with the need-to-know departures that `actor` takes part in; in five
    queries."""
    entry_fields = ("pk", "name", "name_folded", "department", "left_on_date", "start_date")
    left_in_it = Person.objects.order_by().filter(left_on_date__range=(since, until))
    entries = [Entry._make(row) for row in left_in_it.values_list(*entry_fields)]
    normal = Departure.objects.filter(
        subject_kind=SubjectKind.STAFF, confidentiality=Confidentiality.NORMAL
    ).order_by()
    ended = normal.exclude(state=DepartureState.WITHDRAWN).filter(last_working_date__range=(since, until))
    endings = [Ending._make(row) for row in ended.values_list(*_ENDING)]
    untold = Person.objects.order_by().filter(pk__in=ended.values("person_id"))
    untold = untold.exclude(left_on_date__range=(since, until))
    entries += [Entry._make(row) for row in untold.values_list(*entry_fields)]
    mine = {ending.id for ending in endings}
    left = normal.filter(person__left_on_date__range=(since, until))
    others = [
        ending
        for row in left.exclude(last_working_date__range=(since, until), state=DepartureState.CLOSED)
        .values_list(*_ENDING)
        if (ending := Ending._make(row)).id not in mine
    ]  # fmt: skip
    leavers = reconcile(since, until, entries, endings, others)
    return Population(since, until, tuple(_with_own(leavers, since, until, actor)))


_ENDING = ("pk", "person_id", "subject_name", "subject_department", "last_working_date", "state")


def reconcile(
    since: date, until: date, entries: Iterable[Entry], endings: Iterable[Ending], others: Iterable[Ending]
) -> list[Leaver]:
    """Who left, from the register's entries and the departures of the period (`endings`); `others` are
    departures of the same people that ended on another day or were taken back."""
    of_person: dict[int | None, list[Ending]] = defaultdict(list)
    for ending in endings:
        of_person[ending.person_id].append(ending)
    outside: dict[int | None, list[Ending]] = defaultdict(list)
    for ending in others:
        outside[ending.person_id].append(ending)
    found = [_gone_from_register(ending) for ending in of_person.pop(None, [])]
    folded: dict[str, set[int]] = defaultdict(set)
    for entry in entries:
        folded[entry.folded].add(entry.id)
        found += _of_one(since, until, entry, of_person.get(entry.id, []), outside.get(entry.id, []))
    shared = set().union(*(ids for name, ids in folded.items() if name and len(ids) > 1))
    named = (
        each._replace(doubts=(*each.doubts, Doubt.SAME_NAME)) if each.person_id in shared else each
        for each in found
    )
    return sorted(named, key=lambda each: (each.left_on, each.ref))


def _gone_from_register(ending: Ending) -> Leaver:
    ref = f"D{ending.id}/{ending.last_day}"
    doubts = (Doubt.NO_ENTRY,)
    return Leaver(ref, ending.name, ending.department, ending.last_day, None, ending.id, doubts)


def _of_one(
    since: date, until: date, entry: Entry, endings: list[Ending], others: list[Ending]
) -> list[Leaver]:
    """One person's ends in the period."""
    if len(endings) == 1 and endings[0].last_day == entry.left_on:
        # Nearly everybody: both say the same.
        return [_leaver(entry, endings[0].last_day, endings[0].id, ())]
    days = {ending.last_day for ending in endings}
    found = [
        _leaver(entry, ending.last_day, ending.id, _doubts(entry, ending.last_day, days))
        for ending in endings
    ]
    is_met = entry.left_on in days or any(Doubt.OTHER_DAY in each.doubts for each in found)
    left_on = entry.left_on
    if left_on is None or not since <= left_on <= until or is_met:
        return found
    of_this_end = [
        ending for ending in others if entry.started_on is None or ending.last_day >= entry.started_on
    ]
    kept = [ending for ending in of_this_end if ending.state != DepartureState.WITHDRAWN]
    if kept:
        nearest = min(kept, key=lambda ending: (abs(ending.last_day - left_on), str(ending.id)))
        return [*found, _leaver(entry, left_on, nearest.id, (Doubt.OTHER_DAY,))]
    return [*found, _leaver(entry, left_on, None, (Doubt.TAKEN_BACK,) if of_this_end else ())]


def _doubts(entry: Entry, last_day: date, days: set[date]) -> tuple[Doubt, ...]:
    """What is unclear about an end by departure, from what the register says of the same person."""
    if entry.left_on == last_day or (entry.started_on is not None and entry.started_on > last_day):
        return ()
    if entry.left_on is None:
        return (Doubt.NOT_IN_REGISTER,)
    return () if entry.left_on in days else (Doubt.OTHER_DAY,)


def _leaver(entry: Entry, day: date, departure_id: UUID | None, doubts: tuple[Doubt, ...]) -> Leaver:
    ref = f"P{entry.id}/{day}"
    return Leaver(ref, entry.name, entry.department, day, entry.id, departure_id, doubts)


def _with_own(leavers: list[Leaver], since: date, until: date, actor: Actor) -> list[Leaver]:
    """Who else has a departure, for one who takes part in it: need-to-know ones exist for nobody else."""
    own = visible_departures(actor, to="evidence.view").filter(
        confidentiality=Confidentiality.NEED_TO_KNOW,
        subject_kind=SubjectKind.STAFF,
        person__left_on_date__range=(since, until),
    )
    known: dict[int | None, UUID] = dict(
        own.exclude(state=DepartureState.WITHDRAWN)
        .order_by("last_working_date", "pk")
        .values_list("person_id", "pk")
    )
    if not known:
        return leavers
    return [
        each._replace(departure_id=known.get(each.person_id)) if each.departure_id is None else each
        for each in leavers
    ]
