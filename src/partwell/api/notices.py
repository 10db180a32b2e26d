"""Notices that wait for HR: list them, and settle one with the journey that answers it, or with none."""

from __future__ import annotations

from uuid import UUID

from django.http import HttpRequest, HttpResponse
from ninja import Router

from partwell import clock
from partwell.api.answers import listing, page_of, reply
from partwell.api.authentication import actor_of
from partwell.api.idempotency import idempotent
from partwell.api.shapes import Body, Cursor, Limit, Listing
from partwell.api.shapes.journeys import WaitingNotice
from partwell.departures.notices import get_notice, notice_dict, visible_notices
from partwell.journeys.operations.starting import settle_notice
from partwell.journeys.queries import get_departure
from partwell.people.authorisation import check_office

router = Router(tags=["notices"])


class Settlement(Body):
    """The journey that answers the notice; null when nothing follows from it."""

    journey: UUID | None


@router.get("", response=Listing[WaitingNotice])
def list_notices(request: HttpRequest, cursor: Cursor = None, limit: Limit = 50) -> HttpResponse:
    """The notices that the caller settles, oldest first."""
    actor = actor_of(request)
    check_office(actor, "notices.settle")
    waiting = list(visible_notices(actor).select_related("person", "client"))
    page, after = page_of(waiting, key=lambda notice: str(notice.pk), cursor=cursor, limit=limit)
    return listing([notice_dict(notice) for notice in page], after)


@router.post("/{notice_id}/settle", response=WaitingNotice)
@idempotent
def settle(request: HttpRequest, notice_id: UUID, body: Settlement) -> HttpResponse:
    """Say that a notice is answered by this journey, or declined."""
    actor = actor_of(request)
    check_office(actor, "notices.settle")
    journey = get_departure(actor, body.journey).journey if body.journey else None
    notice = settle_notice(notice=get_notice(actor, notice_id), journey=journey, actor=actor, now=clock.now())
    return reply(notice_dict(notice))
