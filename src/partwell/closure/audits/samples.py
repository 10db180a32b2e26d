"""Random samples of leavers: drawing one, and reading those that were drawn.

A sample is its event on the signed record and nothing else, so that none can be taken away: who draws again
and again until it pleases is seen to. The order is that of `evidence.verifier.draw_sample`, which the pack's
own verifier repeats.
"""

from __future__ import annotations

import re
import secrets
from dataclasses import dataclass, replace
from datetime import date, datetime, timedelta
from typing import Any
from uuid import UUID

from partwell.clock import today_in
from partwell.closure.audits.controls import Control, load_controls
from partwell.closure.audits.facts import read_facts
from partwell.closure.audits.judging import Finding, judge
from partwell.closure.audits.population import Leaver, Population, read_population
from partwell.closure.audits.times import ClassTimes, times_to_revoke
from partwell.departures.models import Departure
from partwell.departures.policies import visible_departures
from partwell.evidence.models import Event
from partwell.evidence.operations import build, record_many
from partwell.evidence.queries import fields_of
from partwell.evidence.verifier import POPULATION_LISTED, SAMPLE_DRAWN, draw_sample
from partwell.people.actors import Actor
from partwell.people.authorisation import check_office, operation, reading
from partwell.refusals import Invalid, NotFound

SCOPE = "audits"
USUAL, MOST = 25, 200
LONGEST = timedelta(days=3660)
_SEED = re.compile(r"[A-Za-z0-9._-]{1,64}")


@dataclass(frozen=True)
class Sample:
    """One draw. `population` is the digest of who was drawn from, `count` how many those were, `drawn` the
    references drawn; `number` counts the draws of its period, of which there are `of`."""

    id: UUID
    drawn_at: datetime
    drawn_by: str
    since: date
    until: date
    seed: str
    seed_given: bool
    size: int
    population: str
    count: int
    drawn: tuple[str, ...]
    number: int = 1
    of: int = 1

    def as_dict(self) -> dict[str, Any]:
        """As the API and the command line show it."""
        return {
            **vars(self),
            "id": str(self.id),
            "drawn_at": self.drawn_at.isoformat(),
            "since": self.since.isoformat(),
            "until": self.until.isoformat(),
            "drawn": list(self.drawn),
        }


@dataclass(frozen=True)
class Drawn:
    """One of the people drawn, as a reader sees them: `leaver` is empty where the population has them no
    more, `departure` where there is none that the reader may read."""

    ref: str
    leaver: Leaver | None
    departure: Departure | None
    findings: tuple[tuple[Control, Finding], ...]


@dataclass(frozen=True)
class SampleView:
    """A sample with what the record holds of each of its people; `is_same` says whether the population is
    still the one that was drawn from."""

    sample: Sample
    people: tuple[Drawn, ...]
    is_same: bool


@dataclass(frozen=True)
class AuditView:
    """A period: who left, how soon access was gone, and the samples drawn of it, oldest first."""

    population: Population
    times: list[ClassTimes]
    samples: list[Sample]


@reading("audits.view")
def view_audit(*, since: date, until: date, actor: Actor, now: datetime) -> AuditView:
    """Who left in the period and how soon access was gone. Raises `NotAllowed`, `Invalid` for the period."""
    check_office(actor, "audits.view")
    _check_period(since, until, now)
    return AuditView(
        population=read_population(since, until, actor=actor),
        times=times_to_revoke(since, until, actor=actor, now=now),
        samples=[each for each in _all_samples() if (each.since, each.until) == (since, until)],
    )


def list_samples(*, actor: Actor) -> list[Sample]:
    """Every sample that was ever drawn, newest first. Raises `NotAllowed`."""
    check_office(actor, "audits.view")
    return _all_samples()[::-1]


def view_sample(sample_id: UUID, *, actor: Actor, now: datetime) -> SampleView:
    """A sample with each control of each of its people, as far as the actor may read their departures.
    Raises `NotAllowed`, `NotFound`."""
    check_office(actor, "audits.view")
    return read_sample(sample_id, actor=actor, now=now, to="evidence.view")


def read_sample(sample_id: UUID, *, actor: Actor, now: datetime, to: str) -> SampleView:
    """As `view_sample`, for one who has been let in, with the departures on which `to` is allowed them."""
    sample = next((each for each in _all_samples() if each.id == sample_id), None)
    if sample is None:
        raise NotFound("sample")
    population = read_population(sample.since, sample.until, actor=actor)
    leavers = {leaver.ref: leaver for leaver in population.leavers}
    mine = [leavers[ref].departure_id for ref in sample.drawn if ref in leavers]
    wanted = {key for key in mine if key is not None}
    departures = {each.pk: each for each in visible_departures(actor, to=to).filter(pk__in=wanted)}
    facts = read_facts(departures.values(), now=now)
    controls = load_controls()[1]
    people = []
    for ref in sample.drawn:
        leaver = leavers.get(ref)
        departure = departures.get(leaver.departure_id) if leaver and leaver.departure_id else None
        known = facts[departure.pk] if departure else None
        findings = tuple((control, judge(control, known)) for control in controls)
        people.append(Drawn(ref, leaver, departure, findings))
    return SampleView(sample, tuple(people), is_same=population.digest == sample.population)


@operation("audits.draw")
def draw(
    *, since: date, until: date, size: int = USUAL, seed: str = "", actor: Actor, now: datetime
) -> Sample:
    """Draw `size` leavers of the period at random, or all where there are fewer; on record with its seed,
    which is made where none is given.

    Raises `NotAllowed`, and `Invalid` for a period, a size or a seed that cannot be.
    """
    check_office(actor, "audits.draw")
    _check_period(since, until, now)
    if not 1 <= size <= MOST:
        raise Invalid("size_unusable", f"Draw from 1 to {MOST} people.", field="size")
    if seed and not _SEED.fullmatch(seed):
        raise Invalid(
            "seed_unusable",
            "A seed is up to 64 letters, digits, dots, hyphens and underscores.",
            field="seed",
        )
    population = read_population(since, until, actor=actor)
    refs = [leaver.ref for leaver in population.leavers]
    if not refs:
        raise Invalid("nobody_left", "Nobody left in this period, so there is nobody to draw.", field="since")
    used = seed or secrets.token_hex(8)
    drawn_from = {
        "since": since.isoformat(),
        "until": until.isoformat(),
        "population": population.digest,
    }
    listing = build(
        POPULATION_LISTED,
        scope=SCOPE,
        actor=actor.label,
        at=now,
        fields={**drawn_from, "refs": sorted(refs)},
    )
    drawing = build(
        SAMPLE_DRAWN,
        scope=SCOPE,
        actor=actor.label,
        at=now,
        fields={
            **drawn_from,
            "seed": used,
            "seed_given": bool(seed),
            "size": size,
            "count": len(refs),
            "drawn": draw_sample(refs, used, size),
            "controls": load_controls()[0],
        },
    )
    is_listed = Event.objects.filter(
        scope=SCOPE, kind=POPULATION_LISTED, fields__population__value=population.digest
    ).exists()
    record_many([drawing] if is_listed else [listing, drawing])
    return next(each for each in _all_samples() if each.id == drawing.pk)


def _check_period(since: date, until: date, now: datetime) -> None:
    if since > until:
        raise Invalid("period_backwards", "The period ends before it begins.", field="until")
    if until > today_in("UTC", now=now):
        raise Invalid(
            "period_to_come",
            "The period ends in the future, and who leaves is not a fact yet.",
            field="until",
        )
    if until - since > LONGEST:
        raise Invalid("period_too_long", "A period is ten years at most.", field="since")


def _all_samples() -> list[Sample]:
    """Every draw, oldest first, numbered within its period."""
    found: list[Sample] = []
    counts: dict[tuple[date, date], int] = {}
    for event in Event.objects.filter(scope=SCOPE, kind=SAMPLE_DRAWN).order_by("occurred_at", "pk"):
        sample = _as_sample(event)
        key = (sample.since, sample.until)
        counts[key] = counts.get(key, 0) + 1
        found.append(replace(sample, number=counts[key]))
    return [replace(each, of=counts[(each.since, each.until)]) for each in found]


def _as_sample(event: Event) -> Sample:
    said = {name: field.value for name, field in fields_of(event).items()}
    return Sample(
        id=event.pk,
        drawn_at=event.occurred_at,
        drawn_by=str(said["actor"] or "(erased)"),
        since=date.fromisoformat(said["since"]),
        until=date.fromisoformat(said["until"]),
        seed=said["seed"],
        seed_given=said["seed_given"],
        size=said["size"],
        population=said["population"],
        count=said["count"],
        drawn=tuple(said["drawn"]),
    )
