"""Changing a departure's facts while its journey runs: what is still open is planned again.

The difference is shown before it applies: `draft_move` computes it, `move` applies exactly what a draft
would show at that moment.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, datetime
from enum import StrEnum
from typing import Any
from zoneinfo import ZoneInfo

from partwell import clock
from partwell.access.operations import enforcement
from partwell.departures.models import Departure
from partwell.departures.policies import authorise
from partwell.departures.states import Confidentiality, InitiatedBy, Rehire
from partwell.engine import operations as engine
from partwell.evidence.operations import departure_scope, record
from partwell.journeys.facts import facts_of
from partwell.journeys.intake import access_end_moment
from partwell.journeys.models import Step
from partwell.journeys.planning import calendar_of, is_set_aside, redate, refresh_blocks
from partwell.journeys.states import StepState
from partwell.journeys.template.conditions import compile_condition, evaluate, ready
from partwell.journeys.template_queries import load_version
from partwell.people.actors import Actor
from partwell.people.authorisation import operation
from partwell.refusals import Conflict, Invalid
from partwell.rows import write_rows


@dataclass(frozen=True)
class DateChange:
    """One of the departure's own dates, before and after."""

    field: str
    before: str
    after: str

    @property
    def label(self) -> str:
        """The field in words."""
        return self.field.replace("_", " ").capitalize()


@dataclass(frozen=True)
class StepChange:
    """A pending step whose due date or need changes."""

    step: Step
    due_before: datetime
    due_after: datetime
    state_before: str
    state_after: str


@dataclass(frozen=True)
class MoveDraft:
    """All that moving the dates would change. `warnings` say what no date can undo."""

    departure: Departure
    dates: tuple[DateChange, ...]
    steps: tuple[StepChange, ...]
    warnings: tuple[str, ...]

    def as_dict(self) -> dict[str, Any]:
        """The difference as the API and the command line show it."""
        return {
            "id": str(self.departure.pk),
            "dates": [vars(change) for change in self.dates],
            "steps": [
                {
                    "key": change.step.key,
                    "title": change.step.title,
                    "due_before": change.due_before.isoformat(),
                    "due_after": change.due_after.isoformat(),
                    "state_before": change.state_before,
                    "state_after": change.state_after,
                }
                for change in self.steps
            ],
            "warnings": list(self.warnings),
        }


def draft_move(
    *,
    departure: Departure,
    last_working_date: date,
    actor: Actor,
    now: datetime,
    access_end_at: datetime | None = None,
    contract_end_date: date | None = None,
) -> MoveDraft:
    """What moving the last day would change. Stores nothing.

    The access end keeps its hour and moves with the last day, unless it is given; the contract end moves
    along when it was the same day, and never stays before the last day.

    Raises `Invalid` for a last day before the notice, else as `departures.policies.authorise`.
    """
    authorise(actor, "journeys.move", departure)
    if last_working_date < departure.notice_date:
        raise Invalid(
            "last_day_before_notice",
            f"The last working day {last_working_date} is before the notice of {departure.notice_date}.",
            field="last_day",
        )
    before = _dates(departure)
    warnings = _warnings(departure, now)
    contract_end_date = contract_end_date or (
        last_working_date
        if departure.contract_end_date == departure.last_working_date
        else max(departure.contract_end_date, last_working_date)
    )
    if access_end_at is None:
        wall = departure.access_end_at.astimezone(ZoneInfo(departure.timezone))
        gap = wall.date() - departure.last_working_date
        departure.access_end_at = clock.at_local(last_working_date + gap, wall.time(), departure.timezone)
    else:
        departure.access_end_at = access_end_moment(access_end_at, last_working_date, departure.timezone)
    departure.last_working_date, departure.contract_end_date = last_working_date, contract_end_date
    after = _dates(departure)
    return MoveDraft(
        departure=departure,
        dates=tuple(
            DateChange(name, before[name], after[name]) for name in before if before[name] != after[name]
        ),
        steps=tuple(_replan(departure, now)),
        warnings=warnings,
    )


@operation("journeys.move")
def move(
    *,
    departure: Departure,
    last_working_date: date,
    actor: Actor,
    now: datetime,
    access_end_at: datetime | None = None,
    contract_end_date: date | None = None,
    expected_revision: int | None = None,
) -> MoveDraft:
    """Move the last day, and plan again what is still open. Refusals as for `draft_move`.

    With `expected_revision`, raises `Conflict` when somebody changed the departure since the draft was
    shown.
    """
    departure = lock_departure(departure)
    _check_revision(departure, expected_revision)
    draft = draft_move(
        departure=departure,
        last_working_date=last_working_date,
        actor=actor,
        now=now,
        access_end_at=access_end_at,
        contract_end_date=contract_end_date,
    )
    if not draft.dates:
        raise Conflict("nothing_moves", "These are the dates that it has already.", field="last_day")
    _apply(draft)
    record(
        "journey.moved",
        scope=departure_scope(departure.pk),
        actor=actor.label,
        at=now,
        fields={
            "dates": [vars(change) for change in draft.dates],
            "steps": [change.step.key for change in draft.steps],
        },
    )
    enforcement.schedule(departure, now=now)
    engine.poke(departure.pk)
    return draft


EDITABLE = frozenset({"reason", "initiated_by", "confidentiality", "rehire", "jurisdiction", "timezone"})


CODES: dict[str, type[StrEnum]] = {
    "initiated_by": InitiatedBy,
    "confidentiality": Confidentiality,
    "rehire": Rehire,
}


@operation("journeys.edit")
def edit(*, departure: Departure, changes: dict[str, str], actor: Actor, now: datetime) -> MoveDraft:
    """Change facts other than dates (`EDITABLE`); conditions and working days are looked at again.

    Raises `Invalid` for an unknown field or value.
    """
    departure = lock_departure(departure)
    authorise(actor, "journeys.edit", departure)
    before = {}
    for field, value in changes.items():
        if field not in EDITABLE:
            raise Invalid("field_unknown", f"“{field}” cannot be edited here.", field=field)
        _check_value(departure, field, value)
        before[field] = getattr(departure, field)
        setattr(departure, field, value)
    changed = {field: value for field, value in changes.items() if before[field] != value}
    draft = MoveDraft(
        departure=departure,
        dates=tuple(DateChange(field, before[field], value) for field, value in changed.items()),
        steps=tuple(_replan(departure, now)),
        warnings=(),
    )
    _apply(draft, *changed)
    record(
        "departure.edited",
        scope=departure_scope(departure.pk),
        actor=actor.label,
        at=now,
        fields={
            f"{field}_{when}": value
            for field in changed
            for when, value in (("before", before[field]), ("after", changes[field]))
        },
    )
    engine.poke(departure.pk)
    return draft


def lock_departure(departure: Departure) -> Departure:
    """The departure afresh, locked until the transaction ends, with what planning reads."""
    return (
        Departure.objects.select_for_update(of=("self",))
        .select_related("person", "client", "journey__template")
        .get(pk=departure.pk)
    )


def _replan(departure: Departure, now: datetime) -> list[StepChange]:
    """Changes of pending steps under the departure's present (perhaps unsaved) values, set on the steps."""
    journey = departure.journey
    journey.departure = departure
    steps = list(journey.steps.all())
    states = {step.key: step.state for step in steps}
    _reconsider_conditions(departure, steps)
    dates = {step.key: (old, new) for step, old, new in redate(steps, calendar_of(departure, now=now))}
    refresh_blocks(steps)
    changes = []
    for step in steps:
        old, new = dates.get(step.key, (step.due_at, step.due_at))
        if old != new or states[step.key] != step.state:
            step.due_at = new
            changes.append(StepChange(step, old, new, states[step.key], step.state))
    return changes


def _reconsider_conditions(departure: Departure, steps: list[Step]) -> None:
    """A pending step may become unneeded, an unneeded one needed; what is done stays done, and what another
    version of the template set aside stays aside.

    Each step's own condition counts: of a step that stayed from an earlier version, the present one has none.
    """
    facts = ready(facts_of(departure))
    for step in steps:
        if not step.condition or step.is_own or is_set_aside(step):
            continue
        needed = evaluate(compile_condition(step.condition), facts)
        if step.state == StepState.NOT_NEEDED and needed:
            step.state = StepState.OPEN
        elif step.state in (StepState.OPEN, StepState.BLOCKED) and not needed:
            step.state = StepState.NOT_NEEDED


def _apply(draft: MoveDraft, *fields: str) -> None:
    departure = draft.departure
    departure.revision += 1
    departure.save(
        update_fields=["last_working_date", "access_end_at", "contract_end_date", "revision", *fields]
    )
    write_rows([c.step for c in draft.steps], ["due_at", "state", "waits_for"])


def _check_revision(departure: Departure, expected: int | None) -> None:
    if expected is not None and expected != departure.revision:
        raise Conflict(
            "changed_meanwhile",
            "Somebody changed this departure since you looked. Look at the difference again.",
        )


def _check_value(departure: Departure, field: str, value: str) -> None:
    if field == "timezone":
        if not clock.is_timezone(value):
            raise Invalid(
                "timezone_unknown", f"“{value}” is no timezone; write one like Europe/Berlin.", field=field
            )
    elif field == "reason":
        known = load_version(departure.journey.template).reasons
        # A version that the journey was moved to may not have the reason that it was started with.
        if value not in (*known, "not_stated", departure.reason):
            raise Invalid(
                "reason_unknown", f"“{value}” is not known. Known are: {', '.join(known)}.", field=field
            )
    elif field != "jurisdiction":
        known_codes = [code.value for code in CODES[field]]
        if value not in known_codes:
            raise Invalid(
                f"{field}_unknown",
                f"“{value}” is not known. Known are: {', '.join(known_codes)}.",
                field=field,
            )


def _dates(departure: Departure) -> dict[str, str]:
    return {
        "last_working_day": departure.last_working_date.isoformat(),
        "access_end": departure.access_end_at.isoformat(),
        "contract_end": departure.contract_end_date.isoformat(),
    }


def _warnings(departure: Departure, now: datetime) -> tuple[str, ...]:
    if departure.access_end_at <= now:
        return (
            "Access has ended already. Moving the day does not bring it back: restore the accounts on the "
            "access page.",
        )
    return ()
