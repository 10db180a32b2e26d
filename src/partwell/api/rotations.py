"""Shared secrets that have to be changed because somebody leaves. Changing one by a connector shows the new
secret once, so that is for people."""

from __future__ import annotations

from typing import Annotated
from uuid import UUID

from django.http import HttpRequest, HttpResponse
from ninja import Query, Router

from partwell import clock
from partwell.access.credentials import settling
from partwell.access.credentials.rotation_queries import (
    get_rotation,
    list_rotations,
    rotation_dict,
)
from partwell.access.models import CredentialRotation
from partwell.api.answers import listing, page_of, reply
from partwell.api.authentication import actor_of
from partwell.api.idempotency import idempotent
from partwell.api.shapes import Attested, Cursor, Limit, Listing, Why
from partwell.api.shapes.credentials import RotationShape
from partwell.departures.policies import sees_inside

router = Router(tags=["shared credentials"])


@router.get("", response=Listing[RotationShape])
def list_(
    request: HttpRequest,
    state: Annotated[str, Query(max_length=20, description="open (the default) or all.")] = "open",
    journey: UUID | None = None,
    cursor: Cursor = None,
    limit: Limit = 50,
) -> HttpResponse:
    """Secrets to be changed that the token's user owns, or in departures whose access they may read."""
    actor = actor_of(request)
    found = list_rotations(actor, state=state, journey=journey, now=clock.now())
    page, after = page_of(found, key=lambda each: str(each.pk), cursor=cursor, limit=limit)
    named = sees_inside(actor, page, to="access.view")
    items = [rotation_dict(each, names_departure=each.departure_id in named) for each in page]
    return listing(items, after)


@router.get("/{rotation_id}", response=RotationShape)
def show(request: HttpRequest, rotation_id: UUID) -> HttpResponse:
    """One of them."""
    return _view(request, get_rotation(actor_of(request), rotation_id, now=clock.now()))


@router.post("/{rotation_id}/attest", response=RotationShape)
@idempotent
def attest(request: HttpRequest, rotation_id: UUID, body: Attested) -> HttpResponse:
    """Say that it is changed. It counts as said by the caller, not as verified."""
    actor, now = actor_of(request), clock.now()
    found = get_rotation(actor, rotation_id, now=now)
    done = settling.attest_rotation(rotation=found, note=body.note, link=body.link, actor=actor, now=now)
    return _view(request, done)


@router.post("/{rotation_id}/leave", response=RotationShape)
@idempotent
def leave(request: HttpRequest, rotation_id: UUID, body: Why) -> HttpResponse:
    """Say, with the reason, that it need not be changed."""
    actor, now = actor_of(request), clock.now()
    found = get_rotation(actor, rotation_id, now=now)
    return _view(request, settling.leave_rotation(rotation=found, reason=body.reason, actor=actor, now=now))


def _view(request: HttpRequest, found: CredentialRotation) -> HttpResponse:
    named = bool(sees_inside(actor_of(request), [found], to="access.view"))
    return reply(rotation_dict(found, names_departure=named))
