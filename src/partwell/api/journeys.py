"""Departures and their journeys: list, start, read, move, edit, withdraw, close."""

from __future__ import annotations

from typing import Annotated, Literal
from uuid import UUID

from django.http import HttpRequest, HttpResponse
from ninja import Query, Router

from partwell import clock
from partwell.api.answers import listing, reply
from partwell.api.authentication import actor_of
from partwell.api.idempotency import idempotent
from partwell.api.shapes import Body, Cursor, Day, Limit, Line, Listing, Moment, Why
from partwell.api.shapes.journeys import (
    ClosedShape,
    JourneyRow,
    JourneyShape,
    MoveShape,
    NoticeShape,
    OverrideShape,
    VersionChangeShape,
    WithdrawalShape,
)
from partwell.closure.statements import closing_statement
from partwell.departures.models import Notice
from partwell.departures.states import DepartureState
from partwell.journeys import queries
from partwell.journeys.intake import Intake
from partwell.journeys.operations import changing_version, ending, moving, starting
from partwell.journeys.version_drafts import draft_version_change
from partwell.paging import encode_cursor
from partwell.people.queries import find_client, find_person

router = Router(tags=["journeys"])

States = Literal["active", "closed", "withdrawn", "all"]


class Start(Body):
    """Who leaves and when; all that is not said has a default. Exactly one of `person` and `client`."""

    template: Line
    person: Line = ""
    client: Line = ""
    last_working_day: Day
    notice_date: Day | None = None
    access_end: Moment | None = None
    contract_end: Day | None = None
    reason: Line = ""
    jurisdiction: Annotated[str, Query(max_length=10)] = ""
    confidentiality: Line = ""


class Move(Body):
    """New dates; what is not given moves along or stays."""

    last_working_day: Day
    access_end: Moment | None = None
    contract_end: Day | None = None
    revision: Annotated[int, Query(ge=0, le=2**31 - 1)] | None = None


class Edit(Body):
    """Facts other than dates; only those that are given change."""

    reason: Line | None = None
    initiated_by: Line | None = None
    confidentiality: Line | None = None
    rehire: Line | None = None
    jurisdiction: Annotated[str, Query(max_length=10)] | None = None
    timezone: Annotated[str, Query(max_length=64)] | None = None


class ChangeVersion(Body):
    """The version, or the latest; and the digest of the difference that was looked at."""

    version: Annotated[int, Query(ge=1, le=2**31 - 1)] | None = None
    seen: Annotated[str, Query(max_length=64)] = ""


@router.get("", response=Listing[JourneyRow])
def list_journeys(
    request: HttpRequest,
    state: States = "active",
    kind: Literal["", "staff", "client"] = "",
    search: Annotated[str, Query(max_length=100)] = "",
    cursor: Cursor = None,
    limit: Limit = 50,
) -> HttpResponse:
    """Journeys that exist for the caller, nearest last day first."""
    rows, after = queries.list_departures(
        actor_of(request),
        now=clock.now(),
        states=list(DepartureState) if state == "all" else [state],
        kind=kind,
        text=search,
        after=queries.read_cursor(cursor),
        limit=limit,
    )
    return listing([queries.row_dict(row) for row in rows], encode_cursor(after))


@router.post("", response={200: JourneyShape, 201: JourneyShape, 202: NoticeShape})
@idempotent
def start(request: HttpRequest, body: Start, dry_run: bool = False) -> HttpResponse:
    """Start a journey (201), see what it would be (`dry_run`, 200), or, where HR has to start it, give
    notice to them (202)."""
    actor, now = actor_of(request), clock.now()
    intake = Intake(
        person=find_person(body.person) if body.person else None,
        client=find_client(body.client) if body.client else None,
        last_working_date=body.last_working_day,
        notice_date=body.notice_date,
        access_end_at=body.access_end,
        contract_end_date=body.contract_end,
        reason=body.reason,
        jurisdiction=body.jurisdiction,
        confidentiality=body.confidentiality,
    )
    if dry_run:
        draft = starting.draft_journey(template_id=body.template, intake=intake, actor=actor, now=now)
        return reply(draft.as_dict())
    begun = starting.start_or_give_notice(template_id=body.template, intake=intake, actor=actor, now=now)
    if isinstance(begun, Notice):
        return reply({"notice": str(begun.pk)}, 202)
    return reply(queries.journey_dict(queries.get_departure(actor, begun.pk), actor), 201)


@router.get("/{journey_id}", response=JourneyShape)
def show(request: HttpRequest, journey_id: UUID) -> HttpResponse:
    """One journey with its steps."""
    actor = actor_of(request)
    return reply(queries.journey_dict(queries.get_departure(actor, journey_id), actor))


@router.patch("/{journey_id}", response=MoveShape)
@idempotent
def edit(request: HttpRequest, journey_id: UUID, body: Edit) -> HttpResponse:
    """Change facts other than dates, and see which steps change because of it."""
    actor = actor_of(request)
    changes = {name: value for name, value in body.dict().items() if value is not None}
    draft = moving.edit(
        departure=queries.get_departure(actor, journey_id), changes=changes, actor=actor, now=clock.now()
    )
    return reply(draft.as_dict())


@router.post("/{journey_id}/move", response=MoveShape)
@idempotent
def move(request: HttpRequest, journey_id: UUID, body: Move, dry_run: bool = False) -> HttpResponse:
    """Move the last day and plan again what is still open; with `dry_run` only the difference."""
    actor = actor_of(request)
    departure = queries.get_departure(actor, journey_id)
    dates = {
        "last_working_date": body.last_working_day,
        "access_end_at": body.access_end,
        "contract_end_date": body.contract_end,
    }
    if dry_run:
        draft = moving.draft_move(departure=departure, actor=actor, now=clock.now(), **dates)  # type: ignore[arg-type]
    else:
        draft = moving.move(
            departure=departure,
            actor=actor,
            now=clock.now(),
            expected_revision=body.revision,
            **dates,  # type: ignore[arg-type]
        )
    return reply(draft.as_dict())


@router.post("/{journey_id}/version", response=VersionChangeShape)
@idempotent
def change_version(
    request: HttpRequest, journey_id: UUID, body: ChangeVersion, dry_run: bool = False
) -> HttpResponse:
    """Move a journey to another version of its template; with `dry_run` only the difference. `seen` confirms
    the difference that a dry run showed, by its `digest`."""
    actor, now = actor_of(request), clock.now()
    departure = queries.get_departure(actor, journey_id)
    if dry_run:
        shown = draft_version_change(departure=departure, actor=actor, now=now, version=body.version)
        return reply(shown.as_dict())
    moved = changing_version.change_version(
        departure=departure, seen=body.seen, actor=actor, now=now, version=body.version
    )
    return reply(moved.as_dict())


@router.post("/{journey_id}/withdraw", response=WithdrawalShape)
@idempotent
def withdraw(request: HttpRequest, journey_id: UUID, body: Why) -> HttpResponse:
    """End a journey because the notice was taken back; lists what was done, what can be restored and what
    successors were given."""
    actor = actor_of(request)
    result = ending.withdraw(
        departure=queries.get_departure(actor, journey_id), reason=body.reason, actor=actor, now=clock.now()
    )
    return reply(
        {
            "id": str(result.journey.pk),
            "state": result.journey.state,
            "done": [step.key for step in result.done],
            "restorable": list(result.restorable),
            "given": list(result.given),
        }
    )


@router.post("/{journey_id}/close", response=ClosedShape)
@idempotent
def close(request: HttpRequest, journey_id: UUID) -> HttpResponse:
    """Close a journey in which nothing is open; answers with the head of the record to keep."""
    actor = actor_of(request)
    departure = queries.get_departure(actor, journey_id)
    journey = ending.close(departure=departure, actor=actor, now=clock.now())
    return reply(
        {
            "id": str(journey.pk),
            "state": journey.state,
            "ended_at": journey.ended_at,
            "evidence": closing_statement(departure),
        }
    )


@router.post("/{journey_id}/override", response=OverrideShape)
@idempotent
def request_override(request: HttpRequest, journey_id: UUID, body: Why) -> HttpResponse:
    """Ask a second person, who signs in on the web, to let it close with things open."""
    actor = actor_of(request)
    departure = queries.get_departure(actor, journey_id)
    journey = ending.request_override(departure=departure, reason=body.reason, actor=actor, now=clock.now())
    return reply({"id": str(journey.pk), "state": journey.state, "override": "requested"})
