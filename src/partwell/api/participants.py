"""Who takes part in a departure: list, let in, take out. On need-to-know ones nobody else sees anything."""

from __future__ import annotations

from typing import Annotated
from uuid import UUID

from django.http import HttpRequest, HttpResponse
from ninja import Body as JsonBody
from ninja import Path, Router

from partwell import clock
from partwell.api.answers import listing, page_of, reply
from partwell.api.authentication import actor_of
from partwell.api.idempotency import idempotent
from partwell.api.shapes import Body, Cursor, Limit, Line, Listing
from partwell.api.shapes.journeys import ParticipantShape
from partwell.departures.participation import (
    add_participant,
    get_participant,
    participant_dict,
    participants_of,
    remove_participant,
)
from partwell.journeys.queries import get_departure
from partwell.people.queries import find_user

router = Router(tags=["participants"])
RowId = Annotated[int, Path(ge=1, le=2**62)]


class NewParticipant(Body):
    """Who takes part, by e-mail address, and in the part of which role."""

    user: Line
    capacity: Annotated[str, JsonBody(max_length=20)]


@router.get("/{journey_id}/participants", response=Listing[ParticipantShape])
def list_participants(
    request: HttpRequest, journey_id: UUID, cursor: Cursor = None, limit: Limit = 200
) -> HttpResponse:
    """Who takes part, and as what; the one who leaves is not among them."""
    found = participants_of(get_departure(actor_of(request), journey_id))
    page, after = page_of(found, key=lambda part: str(part.pk), cursor=cursor, limit=limit)
    return listing([participant_dict(part) for part in page], after)


@router.post("/{journey_id}/participants", response={201: ParticipantShape})
@idempotent
def add(request: HttpRequest, journey_id: UUID, body: NewParticipant) -> HttpResponse:
    """Let somebody in. Who takes part so already stays."""
    actor = actor_of(request)
    part = add_participant(
        departure=get_departure(actor, journey_id),
        user=find_user(body.user, field="user"),
        capacity=body.capacity,
        actor=actor,
        now=clock.now(),
    )
    return reply(participant_dict(part), 201)


@router.post("/{journey_id}/participants/{participant_id}/remove", response=ParticipantShape)
@idempotent
def remove(request: HttpRequest, journey_id: UUID, participant_id: RowId) -> HttpResponse:
    """Take a part back; steps are given to somebody else first."""
    actor = actor_of(request)
    part = get_participant(get_departure(actor, journey_id), participant_id)
    said = participant_dict(part)
    remove_participant(participant=part, actor=actor, now=clock.now())
    return reply(said)
