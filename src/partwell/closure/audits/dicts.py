"""Periods and samples as the API and the command line show them, and the population as a file."""

from __future__ import annotations

import csv
import io
from datetime import date, datetime
from typing import Any
from uuid import UUID

from partwell.closure.audits.controls import load_controls
from partwell.closure.audits.packs import person_dict
from partwell.closure.audits.population import Leaver
from partwell.closure.audits.samples import SampleView, view_audit, view_sample
from partwell.closure.audits.words import DOUBTS
from partwell.people.actors import Actor
from partwell.people.imports.values import mark


def audit_dict(*, since: date, until: date, actor: Actor, now: datetime) -> dict[str, Any]:
    """A period with everybody who left in it. Raises as `view_audit`."""
    view = view_audit(since=since, until=until, actor=actor, now=now)
    population = view.population
    return {
        "since": since.isoformat(),
        "until": until.isoformat(),
        "count": len(population.leavers),
        "population": population.digest,
        "without_journey": len(population.without_journey),
        "doubtful": len(population.doubtful),
        "leavers": [_leaver_dict(leaver) for leaver in population.leavers],
        "time_to_revoke": [times.as_dict() for times in view.times],
        "samples": [sample.as_dict() for sample in view.samples],
    }


def sample_dict(sample_id: UUID, *, actor: Actor, now: datetime) -> dict[str, Any]:
    """A sample with each control of each of its people. Raises as `view_sample`."""
    return _view_dict(view_sample(sample_id, actor=actor, now=now))


def population_csv(*, since: date, until: date, actor: Actor, now: datetime) -> bytes:
    """The population as a file, to hold against a list of one's own and to draw from again."""
    view = view_audit(since=since, until=until, actor=actor, now=now)
    text = io.StringIO(newline="")
    writer = csv.writer(text, lineterminator="\r\n", quoting=csv.QUOTE_ALL)
    writer.writerow(("ref", "name", "department", "left_on", "departure", "doubts"))
    for leaver in view.population.leavers:
        writer.writerow([mark(str(cell)) for cell in _row(leaver)])
    return text.getvalue().encode("utf-8")


def _row(leaver: Leaver) -> tuple[str, ...]:
    doubts = "; ".join(DOUBTS[doubt] for doubt in leaver.doubts)
    departure = str(leaver.departure_id or "")
    return (leaver.ref, leaver.name, leaver.department, leaver.left_on.isoformat(), departure, doubts)


def _leaver_dict(leaver: Leaver) -> dict[str, Any]:
    return {
        "ref": leaver.ref,
        "name": leaver.name,
        "department": leaver.department,
        "left_on": leaver.left_on.isoformat(),
        "departure": str(leaver.departure_id) if leaver.departure_id else None,
        "doubts": [DOUBTS[doubt] for doubt in leaver.doubts],
    }


def _view_dict(view: SampleView) -> dict[str, Any]:
    return {
        **view.sample.as_dict(),
        "population_is_the_same": view.is_same,
        "controls": [control.as_dict() for control in load_controls()[1]],
        "people": [person_dict(person, is_inside=True) for person in view.people],
    }
