"""Evidence: the record of a departure, packs of it, and whether the whole record still holds."""

from __future__ import annotations

from typing import Annotated, Any
from uuid import UUID

from django.http import HttpRequest, HttpResponse
from ninja import Query, Router

from partwell import clock
from partwell.api.answers import listing, reply
from partwell.api.authentication import actor_of
from partwell.api.shapes import Cursor, EventShape, Limit, Listing, VerificationShape
from partwell.closure.audiences import Audience
from partwell.closure.operations import export_pack
from partwell.closure.queries import events_as_dicts, verify_record
from partwell.journeys.queries import get_departure

router = Router(tags=["evidence"])

PACK: dict[str, Any] = {
    "responses": {
        200: {
            "description": "The pack, which verifies by itself",
            "content": {"application/zip": {"schema": {"type": "string", "format": "binary"}}},
        }
    }
}


@router.get("/evidence/verify", response=VerificationShape)
def verify(request: HttpRequest, head: Annotated[str | None, Query(max_length=300)] = None) -> HttpResponse:
    """Verify the whole record; with `head`, as printed at a closing, also that nothing was cut off."""
    return reply(verify_record(actor=actor_of(request), now=clock.now(), head=head).as_dict())


@router.get("/journeys/{journey_id}/events", response=Listing[EventShape])
def events(request: HttpRequest, journey_id: UUID, cursor: Cursor = None, limit: Limit = 50) -> HttpResponse:
    """What happened in a departure, newest first."""
    actor = actor_of(request)
    rows, after = events_as_dicts(
        departure=get_departure(actor, journey_id), actor=actor, after=cursor, limit=limit
    )
    return listing(rows, after)


@router.get("/journeys/{journey_id}/pack", openapi_extra=PACK)
def export(request: HttpRequest, journey_id: UUID, audience: Audience = Audience.INTERNAL) -> HttpResponse:
    """The evidence of one departure as a zip. That it was handed out goes on the record too."""
    actor = actor_of(request)
    content = export_pack(
        departure=get_departure(actor, journey_id), audience=audience, actor=actor, now=clock.now()
    )
    return HttpResponse(
        content,
        content_type="application/zip",
        headers={
            "Content-Disposition": f'attachment; filename="evidence-{journey_id}.zip"',
            "Cache-Control": "private, no-store",
        },
    )
