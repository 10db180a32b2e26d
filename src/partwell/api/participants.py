"""Who takes part in a journey: list, let in, take out."""

from __future__ import annotations

from uuid import UUID

from django.http import HttpRequest, HttpResponse
from ninja import Path, Router

from partwell import clock
from partwell.api.answers import listing, page_of, reply
from partwell.api.authentication import actor_of
from partwell.api.idempotency import idempotent
from partwell.api.shapes import Body, Cursor, Limit, Line, Listing
from partwell.api.shapes.journeys import ParticipantShape
from partwell.journeys.operations.participating import add_participant, remove_participant
from partwell.journeys.participants import find_part, parts_of
from partwell.journeys.queries import get_departure

router = Router(tags=["participants"])


class LettingIn(Body):
    """Whom, by name, e-mail address, alias or employee number, and in the part of which role."""

    person: Line
    part: Line


@router.get("/{journey_id}/participants", response=Listing[ParticipantShape])
def list_participants(
    request: HttpRequest, journey_id: UUID, cursor: Cursor = None, limit: Limit = 200
) -> HttpResponse:
    """Everybody who takes part, with why; on a need-to-know journey the only ones for whom it exists."""
    parts = parts_of(get_departure(actor_of(request), journey_id))
    page, after = page_of(parts, key=lambda part: str(part.participant.pk), cursor=cursor, limit=limit)
    return listing([part.as_dict() for part in page], after)


@router.post("/{journey_id}/participants", response={201: ParticipantShape})
@idempotent
def let_in(request: HttpRequest, journey_id: UUID, body: LettingIn) -> HttpResponse:
    """Let somebody take part. Who does so already, in this part, stays."""
    actor = actor_of(request)
    departure = get_departure(actor, journey_id)
    participant = add_participant(
        departure=departure, person=body.person, part=body.part, actor=actor, now=clock.now()
    )
    return reply(find_part(departure, participant.pk).as_dict(), 201)


@router.delete("/{journey_id}/participants/{participant_id}", response=ParticipantShape)
@idempotent
def take_out(request: HttpRequest, journey_id: UUID, participant_id: Path[int]) -> HttpResponse:
    """Take a part back; answers with what it was."""
    actor = actor_of(request)
    part = find_part(get_departure(actor, journey_id), participant_id)
    shown = part.as_dict()
    remove_participant(participant=part.participant, actor=actor, now=clock.now())
    return reply(shown)
