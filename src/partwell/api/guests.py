"""Guests of a departure: list their links, invite by mail, take a link back.

A link is a bearer's paper, so no answer carries what opens it: it goes by mail, to the one it is for.
"""

from __future__ import annotations

from typing import Annotated
from uuid import UUID

from django.http import HttpRequest, HttpResponse
from ninja import Body as JsonBody
from ninja import Router

from partwell import clock
from partwell.api.answers import listing, page_of, reply
from partwell.api.authentication import actor_of
from partwell.api.idempotency import idempotent
from partwell.api.shapes import Body, Cursor, Limit, Line, Listing
from partwell.api.shapes.journeys import GuestShape
from partwell.departures.guests import get_link, link_dict, links_of
from partwell.departures.states import GuestCapacity
from partwell.journeys.guests import invite_guest, revoke_guest
from partwell.journeys.queries import get_departure

router = Router(tags=["guests"])


class NewGuest(Body):
    """Whom to invite, and as what; a helper needs the keys of their steps."""

    email: Line
    name: Annotated[str, JsonBody(max_length=200)] = ""
    capacity: GuestCapacity = GuestCapacity.DEPARTING
    steps: Annotated[list[Line], JsonBody(max_length=100)] = []


@router.get("/{journey_id}/guests", response=Listing[GuestShape])
def list_guests(
    request: HttpRequest, journey_id: UUID, cursor: Cursor = None, limit: Limit = 50
) -> HttpResponse:
    """All links of a departure, latest first, without what opens them."""
    actor = actor_of(request)
    links = links_of(get_departure(actor, journey_id), actor=actor)
    page, after = page_of(links, key=lambda link: str(link.pk), cursor=cursor, limit=limit)
    return listing([link_dict(link, now=clock.now()) for link in page], after)


@router.post("/{journey_id}/guests", response={201: GuestShape})
@idempotent
def invite(request: HttpRequest, journey_id: UUID, body: NewGuest) -> HttpResponse:
    """Make a link and mail it. Without a mail server it waits in the outbox, where the console reads it."""
    actor, now = actor_of(request), clock.now()
    invitation = invite_guest(
        departure=get_departure(actor, journey_id),
        email=body.email,
        name=body.name,
        capacity=body.capacity,
        step_keys=body.steps,
        actor=actor,
        now=now,
    )
    return reply(link_dict(invitation.link, now=now), 201)


@router.post("/{journey_id}/guests/{link_id}/revoke", response=GuestShape)
@idempotent
def revoke(request: HttpRequest, journey_id: UUID, link_id: UUID) -> HttpResponse:
    """Take a link back; the session opened from it ends too."""
    actor, now = actor_of(request), clock.now()
    link = get_link(get_departure(actor, journey_id), link_id)
    return reply(link_dict(revoke_guest(link=link, actor=actor, now=now), now=now))
