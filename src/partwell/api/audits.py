"""Audits: who left in a period, samples of them, and the pack of a sample."""

from __future__ import annotations

from typing import Annotated
from uuid import UUID

from django.http import HttpRequest, HttpResponse
from ninja import Query, Router

from partwell import clock
from partwell.api.answers import listing, page_of, reply
from partwell.api.authentication import actor_of
from partwell.api.evidence import PACK
from partwell.api.shapes import Cursor, Day, Limit, Listing
from partwell.api.shapes.audits import AuditShape, SampleBody, SampleShape, SampleViewShape
from partwell.closure.audits.dicts import audit_dict, sample_dict
from partwell.closure.audits.packs import export_sample
from partwell.closure.audits.samples import draw, list_samples

router = Router(tags=["audits"])


@router.get("/population", response=AuditShape)
def population(
    request: HttpRequest, since: Annotated[Day, Query()], until: Annotated[Day, Query()]
) -> HttpResponse:
    """Everybody who left in a period, by the register or by a departure, and how soon access was gone."""
    return reply(audit_dict(since=since, until=until, actor=actor_of(request), now=clock.now()))


@router.get("/samples", response=Listing[SampleShape])
def samples(request: HttpRequest, cursor: Cursor = None, limit: Limit = 50) -> HttpResponse:
    """Every sample that was ever drawn, newest first."""
    found = list_samples(actor=actor_of(request))
    page, after = page_of(found, key=lambda sample: str(sample.id), cursor=cursor, limit=limit)
    return listing([sample.as_dict() for sample in page], after)


@router.post("/samples", response={201: SampleShape})
def draw_sample(request: HttpRequest, body: SampleBody) -> HttpResponse:
    """Draw a random sample; it stays on the record with its seed."""
    found = draw(**body.dict(), actor=actor_of(request), now=clock.now())
    return reply(found.as_dict(), status=201)


@router.get("/samples/{sample_id}", response=SampleViewShape)
def sample(request: HttpRequest, sample_id: UUID) -> HttpResponse:
    """A sample with each control of each of its people."""
    return reply(sample_dict(sample_id, actor=actor_of(request), now=clock.now()))


@router.post("/samples/{sample_id}/pack", openapi_extra=PACK)
def pack(request: HttpRequest, sample_id: UUID) -> HttpResponse:
    """The evidence of a sample as a zip. That it was handed out goes on the record too."""
    content = export_sample(sample_id=sample_id, actor=actor_of(request), now=clock.now())
    headers = {
        "Content-Disposition": f'attachment; filename="sample-{sample_id}.zip"',
        "Cache-Control": "private, no-store",
    }
    return HttpResponse(content, content_type="application/zip", headers=headers)
