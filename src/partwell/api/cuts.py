"""The kill switch: order, read, fire, call off, stop. Approving and reviewing are for people."""

from __future__ import annotations

from typing import Annotated
from uuid import UUID

from django.http import HttpRequest, HttpResponse
from ninja import Router
from pydantic import Field

from partwell import clock
from partwell.access.cut_queries import cut_dict, cut_view, get_cut, visible_cuts
from partwell.access.operations.cuts import Stages, cancel_cut, fire_cut, stop_cut
from partwell.api.answers import listing, page_of, reply
from partwell.api.authentication import actor_of
from partwell.api.idempotency import idempotent
from partwell.api.shapes import Body, Cursor, Limit, Line, Listing, Moment, Reason
from partwell.api.shapes.access import CutShape, CutView, GroupShape
from partwell.journeys.groups import read_group, time_to_cut
from partwell.journeys.operations.following import ahead_of_a_cut
from partwell.journeys.operations.shutting_out import find_subjects, shut_out

router = Router(tags=["kill switch"])


class CutOrder(Body):
    """Whom to shut out: people by e-mail address or number, clients by reference; why, and when."""

    people: Annotated[list[Line], Field(max_length=1000)] = []
    clients: Annotated[list[Line], Field(max_length=1000)] = []
    reason: Reason
    fire_at: Moment | None = None
    stage_size: Annotated[int, Field(ge=1, le=1000)] | None = None
    hold_above_percent: Annotated[int, Field(ge=0, le=100)] | None = None


class GroupOrder(Body):
    """A list of addresses, numbers, references and clients' names, and a filter of the staff register."""

    who: Annotated[list[Line], Field(max_length=1000)] = []
    department: Line | None = None
    employment_type: Line | None = None


@router.get("", response=Listing[CutShape])
def list_cuts(request: HttpRequest, cursor: Cursor = None, limit: Limit = 50) -> HttpResponse:
    """Cuts of departures that the token's user sees, newest first."""
    found = list(visible_cuts(actor_of(request)))
    page, after = page_of(found, key=lambda cut: str(cut.pk), cursor=cursor, limit=limit)
    return listing([cut_dict(cut) for cut in page], after)


@router.post("", response={201: CutView})
@idempotent
def order(request: HttpRequest, body: CutOrder) -> HttpResponse:
    """Shut people out: now or at `fire_at`; more than five wait for a second person on the web."""
    people, clients = find_subjects(people=body.people, clients=body.clients)
    cut = shut_out(
        people=people,
        clients=clients,
        reason=body.reason,
        fire_at=body.fire_at,
        stages=Stages(body.stage_size, body.hold_above_percent),
        actor=actor_of(request),
        now=clock.now(),
    )
    return reply(cut_view(cut), 201)


@router.post("/group", response=GroupShape)
def group(request: HttpRequest, body: GroupOrder) -> HttpResponse:
    """Say whom a list and a filter mean, how long it would take, and which due dates would come forward.
    Nobody is shut out by asking."""
    actor, now = actor_of(request), clock.now()
    found = read_group(
        list(enumerate(body.who, 1)),
        department=body.department or "",
        employment_type=body.employment_type or "",
        actor=actor,
        now=now,
    )
    ahead = ahead_of_a_cut(people=found.people, clients=found.clients, actor=actor, now=now)
    return reply(
        {**found.as_dict(), "takes": time_to_cut(found), "due_dates": [each.as_dict() for each in ahead]}
    )


@router.get("/{cut_id}", response=CutView)
def show(request: HttpRequest, cut_id: UUID) -> HttpResponse:
    """One cut, with what became of everybody's accounts."""
    return reply(cut_view(get_cut(actor_of(request), cut_id)))


@router.post("/{cut_id}/fire", response=CutView)
@idempotent
def fire(request: HttpRequest, cut_id: UUID) -> HttpResponse:
    """Fire a prepared cut now."""
    actor = actor_of(request)
    return reply(cut_view(fire_cut(cut=get_cut(actor, cut_id), actor=actor, now=clock.now())))


@router.post("/{cut_id}/cancel", response=CutView)
@idempotent
def cancel(request: HttpRequest, cut_id: UUID) -> HttpResponse:
    """Call a prepared cut off."""
    actor = actor_of(request)
    return reply(cut_view(cancel_cut(cut=get_cut(actor, cut_id), actor=actor, now=clock.now())))


@router.post("/{cut_id}/stop", response=CutView)
@idempotent
def stop(request: HttpRequest, cut_id: UUID) -> HttpResponse:
    """Stop a cut that is running: nothing more is asked for."""
    actor = actor_of(request)
    return reply(cut_view(stop_cut(cut=get_cut(actor, cut_id), actor=actor, now=clock.now())))
