"""A round before it exists: everybody's dates and steps, what that asks of whom, and what stands in its way.

Stores nothing. Preparing a round stores exactly what a preview at that moment would show.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import date, datetime
from typing import Any
from zoneinfo import ZoneInfo

from partwell import clock
from partwell.departures.models import Departure
from partwell.departures.policies import visible_departures
from partwell.departures.states import Confidentiality, DepartureState, SubjectKind
from partwell.journeys.intake import Intake, draft_departure
from partwell.journeys.models import RoundMember, TemplateVersion
from partwell.journeys.operations.starting import Draft, known_template, may_start_alone, plan_draft
from partwell.journeys.owners import Owners, Register
from partwell.journeys.rounds.lists import LARGEST, Entry, read_list
from partwell.journeys.rounds.overview import overview_of
from partwell.journeys.rounds.queries import visible_rounds
from partwell.journeys.rounds.states import MemberState, RoundState
from partwell.journeys.states import PENDING
from partwell.journeys.template.model import Template
from partwell.journeys.template_queries import load_version
from partwell.people.actors import Actor
from partwell.people.authorisation import check_office
from partwell.people.imports.report import BadLine
from partwell.people.queries import usual_place
from partwell.refusals import Invalid, Refusal


@dataclass(frozen=True)
class Terms:
    """What holds for everybody of a round, unless their own line says otherwise.

    `starts_at` is the moment of the first start, None for the approval's; `batch_size` how many start on
    one working day, None for all at once. `approvers` are the accounts that may approve it.
    """

    name: str
    template_id: str
    last_working_date: date | None = None
    notice_date: date | None = None
    reason: str = ""
    jurisdiction: str = ""
    confidentiality: str = ""
    starts_at: datetime | None = None
    batch_size: int | None = None


@dataclass(frozen=True)
class Planned:
    """One person of a round as they would start: their line, batch and moment, and the plan."""

    entry: Entry
    batch: int
    starts_at: datetime
    draft: Draft

    @property
    def departure(self) -> Departure:
        return self.draft.departure

    @property
    def steps(self) -> int:
        """How many steps there would be to do."""
        return sum(step.state in PENDING for step in self.draft.steps)


@dataclass(frozen=True)
class Preview:
    """All that preparing this round would mean. With a bad line nothing can be prepared."""

    terms: Terms
    version: TemplateVersion
    confidentiality: str
    members: tuple[Planned, ...]
    bad_lines: tuple[BadLine, ...]
    left_out: tuple[tuple[str, str], ...]
    overview: dict[str, Any] = field(default_factory=dict)

    @property
    def digest(self) -> str:
        """Names exactly these people, dates and terms, and the version of the template."""
        terms = self.terms
        return _digest(
            {
                "name": terms.name,
                "template": self.version.digest,
                "reason": terms.reason,
                "jurisdiction": terms.jurisdiction.upper(),
                "confidentiality": self.confidentiality,
                "starts_at": terms.starts_at.isoformat() if terms.starts_at else None,
                "batch_size": terms.batch_size,
                "people": [
                    [
                        each.departure.person_id,
                        each.departure.last_working_date.isoformat(),
                        each.entry.notice_date.isoformat() if each.entry.notice_date else None,
                        each.departure.access_end_at.isoformat(),
                        each.departure.reason,
                        each.batch,
                        each.steps,
                    ]
                    for each in self.members
                ],
                "notice_date": terms.notice_date.isoformat() if terms.notice_date else None,
            }
        )

    def as_dict(self) -> dict[str, Any]:
        """The shape that programs read."""
        return {
            "name": self.terms.name,
            "template": self.version.template_id,
            "template_version": self.version.version,
            "confidentiality": self.confidentiality,
            "digest": self.digest,
            "people": [
                {
                    "line": each.entry.line,
                    "name": each.departure.subject_name,
                    "email": each.departure.subject_email,
                    "starts_on": each.starts_at.date().isoformat(),
                    "notice_date": each.departure.notice_date.isoformat(),
                    "last_working_day": each.departure.last_working_date.isoformat(),
                    "access_end": each.departure.access_end_at.isoformat(),
                    "steps": each.steps,
                }
                for each in self.members
            ],
            "bad_lines": [bad.as_dict() for bad in self.bad_lines],
            "left_out": [{"name": name, "reason": reason} for name, reason in self.left_out],
            "overview": self.overview,
        }


def preview_round(*, terms: Terms, data: bytes, actor: Actor, now: datetime) -> Preview:
    """What this round would be: every bad line, who is left out and why, and everybody's plan.

    Whoever leaves already, in a departure that the actor sees, is left out; of one that they cannot know,
    nothing is said. Raises `Invalid` for terms that cannot be, `NotAllowed` for who may not prepare rounds.
    """
    check_office(actor, "rounds.prepare")
    version, template = _check_terms(terms)
    entries, bad = read_list(data)
    entries, left_out = _who_stays_out(entries, actor)
    confidentiality = terms.confidentiality or template.confidentiality
    moments = start_moments(
        len(entries),
        terms.batch_size,
        first=max(terms.starts_at or now, now),
        jurisdiction=terms.jurisdiction,
    )
    register, members = Register(), []
    for index, entry in enumerate(entries):
        try:
            draft = plan_member(
                version,
                template,
                intake_of(terms, confidentiality, entry),
                actor=actor,
                now=moments[index],
                register=register,
            )
        except Refusal as refusal:
            bad.append(
                BadLine(entry.line, refusal.field, entry.person.email, refusal.message.rstrip("."), "")
            )
        else:
            members.append(Planned(entry, _batch(index, terms.batch_size), moments[index], draft))
    preview = Preview(
        terms=terms,
        version=version,
        confidentiality=confidentiality,
        members=tuple(members),
        bad_lines=tuple(sorted(bad, key=lambda each: each.line)),
        left_out=tuple(left_out),
    )
    preview.overview.update(overview_of([each.draft for each in members], register, actor))
    return preview


def plan_member(
    version: TemplateVersion,
    template: Template,
    intake: Intake,
    *,
    actor: Actor,
    now: datetime,
    register: Register,
) -> Draft:
    """The plan of one person of a round. Refusals as for a journey that is started alone."""
    departure = draft_departure(intake, template, now=now)
    if departure.person_id == actor.person_id and actor.person_id is not None:
        raise Invalid("own_departure", "This is you. Somebody else prepares a round with you in it.")
    if not may_start_alone(actor, departure):
        raise Invalid("not_theirs", f"HR of “{departure.subject_department}” starts this journey.")
    owners = Owners(departure, now=now, may_create=False, starter_id=actor.user_id, register=register)
    return plan_draft(version, template, departure, actor=actor, now=now, owners=owners)


def intake_of(terms: Terms, confidentiality: str, entry: Entry) -> Intake:
    """What is said about one person: their own line first, then the round's terms.

    Raises `Invalid` where neither says the last working day.
    """
    last_day = entry.last_working_date or terms.last_working_date
    if last_day is None:
        raise Invalid(
            "last_day_missing",
            "Neither this line nor the round says their last working day.",
            field="last_day",
        )
    return Intake(
        person=entry.person,
        last_working_date=last_day,
        notice_date=entry.notice_date or terms.notice_date,
        reason=entry.reason or terms.reason,
        jurisdiction=terms.jurisdiction,
        confidentiality=confidentiality,
    )


def start_moments(
    count: int, batch_size: int | None, *, first: datetime, jurisdiction: str
) -> list[datetime]:
    """When each of `count` people starts, in the list's order: `batch_size` on each working day from the
    first moment on, at its hour on the wall; all at that moment without one."""
    usual = usual_place()
    zone, country = usual.timezone, jurisdiction[:2].upper() or usual.country
    local = first.astimezone(ZoneInfo(zone))
    moments: dict[int, datetime] = {0: first}
    day = local.date()
    for batch in range(1, _batch(max(count - 1, 0), batch_size) + 1):
        day = clock.add_working_days(day, 1, country)
        moments[batch] = clock.at_local(day, local.time(), zone)
    return [moments[_batch(index, batch_size)] for index in range(count)]


def _batch(index: int, size: int | None) -> int:
    return index // size if size else 0


def _check_terms(terms: Terms) -> tuple[TemplateVersion, Template]:
    if not terms.name.strip():
        raise Invalid(
            "name_missing", "Give the round a name by which its participants know it.", field="name"
        )
    version = known_template(terms.template_id)
    template = load_version(version)
    if template.audience != SubjectKind.STAFF:
        raise Invalid(
            "template_audience", "A round is of colleagues. Choose another template.", field="template"
        )
    if terms.confidentiality and terms.confidentiality not in list(Confidentiality):
        known = ", ".join(Confidentiality)
        raise Invalid("confidentiality_unknown", f"Known are: {known}.", field="confidentiality")
    if terms.batch_size is not None and not 1 <= terms.batch_size <= LARGEST:
        raise Invalid("batch_size", f"Start 1 to {LARGEST} people on a working day.", field="batch_size")
    if terms.starts_at is not None and terms.starts_at.tzinfo is None:
        raise Invalid(
            "zone_missing", "Say the time with its zone, as 2026-11-27T14:00+01:00.", field="starts_at"
        )
    return version, template


def _who_stays_out(entries: Sequence[Entry], actor: Actor) -> tuple[list[Entry], list[tuple[str, str]]]:
    leaving = set(
        visible_departures(actor)
        .filter(state=DepartureState.ACTIVE, person__in=[entry.person.pk for entry in entries])
        .values_list("person_id", flat=True)
    )
    waiting = dict(
        RoundMember.objects.filter(
            round__in=visible_rounds(actor),
            round__state__in=(RoundState.PREPARED, RoundState.APPROVED),
            state=MemberState.WAITING,
            person__in=[entry.person.pk for entry in entries],
        ).values_list("person_id", "round__name")
    )
    kept, out = [], []
    for entry in entries:
        person = entry.person
        if person.pk in leaving:
            out.append((person.name, "Is leaving already."))
        elif person.pk in waiting:
            out.append((person.name, f"Waits in the round “{waiting[person.pk]}”."))
        elif person.left_on_date is not None:
            out.append((person.name, f"Left on {person.left_on_date}."))
        else:
            kept.append(entry)
    return kept, out


def _digest(content: dict[str, Any]) -> str:
    return hashlib.sha256(json.dumps(content, sort_keys=True, separators=(",", ":")).encode()).hexdigest()
