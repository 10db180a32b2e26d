"""What the record holds of several departures, for judging controls: ten queries, however many there are."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable
from datetime import datetime
from uuid import UUID

from django.db.models import Count

from partwell.access.credentials.states import RotationState
from partwell.access.models import (
    AccountRecord,
    Alert,
    Change,
    CredentialRotation,
    Ghost,
    Plan,
    Reverification,
)
from partwell.access.states import AccessState, GhostState, Link
from partwell.access.timing import timing_of
from partwell.closure.audits.judging import (
    AccountFact,
    ChangeFact,
    DayFact,
    Facts,
    PlanFact,
    RotationFact,
    StepFact,
)
from partwell.departures.models import Departure
from partwell.journeys.models import Comment, Step
from partwell.journeys.planning import is_set_aside
from partwell.journeys.states import StepState


def read_facts(departures: Iterable[Departure], *, now: datetime) -> dict[UUID, Facts]:
    """The facts of each departure by its id. Whoever asks has been let in before."""
    of = {departure.pk: departure for departure in departures}
    ids = list(of)
    steps, accounts = _steps(ids), _accounts(of, now)
    changes, plans = _changes(ids), _plans(ids)
    rotations, days, alerts, ghosts = _rotations(ids), _days(ids), _alerts(ids), _ghosts(ids)
    return {
        key: Facts(
            now=now,
            access_end_at=departure.access_end_at,
            steps=tuple(steps[key]),
            accounts=tuple(accounts[key]),
            changes=tuple(changes[key]),
            plans=tuple(plans[key]),
            rotations=tuple(rotations[key]),
            days=tuple(days[key]),
            alerts=tuple(alerts[key]),
            ghosts=ghosts[key],
        )
        for key, departure in of.items()
    }


def _steps(ids: list[UUID]) -> dict[UUID, list[StepFact]]:
    said = dict(
        Comment.objects.filter(step__journey_id__in=ids).order_by("pk").values_list("step_id", "text")
    )
    rows = Step.objects.filter(journey_id__in=ids, is_own=False).annotate(files=Count("attachments"))
    found: dict[UUID, list[StepFact]] = defaultdict(list)
    for row in rows.order_by("phase", "position", "pk").defer("guidance"):
        found[row.journey_id].append(
            StepFact(
                key=row.key,
                title=row.title,
                state=StepState(row.state),
                due_at=row.due_at,
                settled_at=row.settled_at,
                reason=row.skip_reason or said.get(row.pk, ""),
                files=row.files,
                is_set_aside=is_set_aside(row),
            )
        )
    return found


def _accounts(of: dict[UUID, Departure], now: datetime) -> dict[UUID, list[AccountFact]]:
    rows = AccountRecord.objects.filter(departure__in=list(of)).exclude(link=Link.NOT_OURS)
    found: dict[UUID, list[AccountFact]] = defaultdict(list)
    for row in rows.select_related("system").defer("snapshot", "entitlements"):
        key = row.its_departure_id
        timing = timing_of(row, of[key], now=now)
        found[key].append(AccountFact(row.system.title, AccessState(row.state), timing))
    return found


def _changes(ids: list[UUID]) -> dict[UUID, list[ChangeFact]]:
    rows = Change.objects.filter(plan__departure__in=ids, is_current=True).exclude(
        account__link=Link.NOT_OURS
    )
    found: dict[UUID, list[ChangeFact]] = defaultdict(list)
    for key, verb, state, authority in rows.order_by("pk").values_list(
        "plan__departure_id", "verb", "state", "authority"
    ):
        found[key].append(ChangeFact(verb, AccessState(state), authority))
    return found


def _plans(ids: list[UUID]) -> dict[UUID, list[PlanFact]]:
    found: dict[UUID, list[PlanFact]] = defaultdict(list)
    for row in Plan.objects.filter(departure__in=ids).select_related("cut").order_by("version"):
        found[row.its_departure_id].append(
            PlanFact(
                kind=row.kind,
                made_by=row.made_by,
                approved_by=row.approved_by,
                made_at=row.made_at,
                answers=tuple(str(answer.get("found", "")) for answer in row.answers.values()),
                is_reviewed=bool(row.cut.reviewed_by) if row.cut else None,
            )
        )
    return found


def _rotations(ids: list[UUID]) -> dict[UUID, list[RotationFact]]:
    rows = CredentialRotation.objects.filter(departure__in=ids).order_by("pk")
    found: dict[UUID, list[RotationFact]] = defaultdict(list)
    for key, state, settled_at, reason in rows.values_list("departure_id", "state", "settled_at", "reason"):
        found[key].append(RotationFact(RotationState(state), settled_at, reason))
    return found


def _days(ids: list[UUID]) -> dict[UUID, list[DayFact]]:
    found: dict[UUID, list[DayFact]] = defaultdict(list)
    for row in Reverification.objects.filter(departure__in=ids).order_by("day"):
        day = DayFact(row.day, row.due_at, row.done_at is not None, row.came_back, row.unread)
        found[row.departure_id].append(day)
    return found


def _alerts(ids: list[UUID]) -> dict[UUID, list[str]]:
    found: dict[UUID, list[str]] = defaultdict(list)
    rows = Alert.objects.filter(departure__in=ids).order_by("pk")
    for key, text in rows.values_list("departure_id", "text"):
        found[key].append(text)
    return found


def _ghosts(ids: list[UUID]) -> dict[UUID, int]:
    rows = Ghost.objects.filter(departure__in=ids, state__in=(GhostState.OPEN, GhostState.CUTTING))
    counted = rows.order_by().values_list("departure_id").annotate(Count("pk"))
    return defaultdict(int, dict(counted))
