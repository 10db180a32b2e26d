"""Evidence: the record of a departure, packs of it, and whether the whole record still holds."""

from __future__ import annotations

from typing import Annotated, Any
from uuid import UUID

from django.http import HttpRequest, HttpResponse
from ninja import Query, Router

from partwell import clock
from partwell.api.answers import listing, reply
from partwell.api.authentication import actor_of
from partwell.api.bodies import UPLOAD, file_of
from partwell.api.shapes import Cursor, Limit, Listing
from partwell.api.shapes.access import EventShape, StatementShape, VerificationShape
from partwell.closure.audiences import Audience
from partwell.closure.operations import export_pack
from partwell.closure.queries import events_as_dicts, verify_record
from partwell.closure.sent_packs import verify_sent_pack
from partwell.closure.statements import closing_statement, head_to_keep
from partwell.evidence.heads import head_text
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


@router.post("/evidence/packs/verify", response=VerificationShape, openapi_extra=UPLOAD)
def verify_sent(
    request: HttpRequest, head: Annotated[str | None, Query(max_length=400)] = None
) -> HttpResponse:
    """Verify a pack that is sent as the part `file` of a multipart body. It is not kept."""
    report = verify_sent_pack(pack=file_of(request), head=head, actor=actor_of(request), field="file")
    return reply(report.as_dict())


@router.get("/journeys/{journey_id}/statement", response=StatementShape)
def statement(request: HttpRequest, journey_id: UUID) -> HttpResponse:
    """The head over all that has happened in a departure, to keep outside; null while it is being signed."""
    departure = get_departure(actor_of(request), journey_id)
    head = head_to_keep(departure)
    return reply({"statement": closing_statement(departure), "head": head_text(head) if head else None})


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
