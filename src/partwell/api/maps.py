"""What somebody has in every connected system: asked, and read."""

from __future__ import annotations

from typing import Annotated

from django.http import HttpRequest, HttpResponse
from ninja import Path, Router

from partwell import clock
from partwell.access.map_queries import latest_map, map_view
from partwell.access.operations.mapping import take_map
from partwell.api.answers import reply
from partwell.api.authentication import actor_of
from partwell.api.idempotency import idempotent
from partwell.api.shapes.access import MapShape
from partwell.people import queries
from partwell.refusals import NotFound

router = Router(tags=["access maps"])
RowId = Annotated[int, Path(ge=1, le=2**62)]


@router.get("/people/{person_id}/access-map", response=MapShape)
def show_person(request: HttpRequest, person_id: RowId) -> HttpResponse:
    """The newest map of a colleague. 404 while nobody has asked."""
    actor = actor_of(request)
    found = latest_map(actor, person=queries.view_person(person_id, actor=actor))
    if found is None:
        raise NotFound("access map")
    return reply(map_view(found))


@router.post("/people/{person_id}/access-map", response=MapShape)
@idempotent
def take_person(request: HttpRequest, person_id: RowId) -> HttpResponse:
    """Ask every connected system what a colleague has, and wait for the answers. Changes nothing there."""
    actor = actor_of(request)
    person = queries.view_person(person_id, actor=actor)
    return reply(map_view(take_map(person=person, actor=actor, now=clock.now())))


@router.get("/clients/{client_id}/access-map", response=MapShape)
def show_client(request: HttpRequest, client_id: RowId) -> HttpResponse:
    """The newest map of a client's contacts. 404 while nobody has asked."""
    actor = actor_of(request)
    found = latest_map(actor, client=queries.view_client(client_id, actor=actor))
    if found is None:
        raise NotFound("access map")
    return reply(map_view(found))


@router.post("/clients/{client_id}/access-map", response=MapShape)
@idempotent
def take_client(request: HttpRequest, client_id: RowId) -> HttpResponse:
    """Ask every connected system what a client's contacts have, and wait for the answers."""
    actor = actor_of(request)
    client = queries.view_client(client_id, actor=actor)
    return reply(map_view(take_map(client=client, actor=actor, now=clock.now())))
