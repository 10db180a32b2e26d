"""The set-up: how far it is, and what is not for now."""

from __future__ import annotations

from django.http import HttpRequest, HttpResponse
from ninja import Router

from partwell import clock
from partwell.api.answers import reply
from partwell.api.authentication import actor_of
from partwell.api.idempotency import idempotent
from partwell.api.shapes.office import SetUpShape
from partwell.first_run import operations
from partwell.first_run.guide import view_guide

router = Router(tags=["set-up"])


@router.get("", response=SetUpShape)
def show(request: HttpRequest) -> HttpResponse:
    """Every part of the set-up, what is there, and what comes next."""
    return reply(view_guide(actor=actor_of(request)).as_dict())


@router.post("/{key}/put-aside", response=SetUpShape)
@idempotent
def put_aside(request: HttpRequest, key: str) -> HttpResponse:
    """Say that a part is not for now."""
    actor = actor_of(request)
    operations.put_aside(part=key, actor=actor, now=clock.now())
    return reply(view_guide(actor=actor).as_dict())


@router.post("/{key}/take-up", response=SetUpShape)
@idempotent
def take_up(request: HttpRequest, key: str) -> HttpResponse:
    """Take a part up again that was put aside."""
    actor = actor_of(request)
    operations.take_up(part=key, actor=actor, now=clock.now())
    return reply(view_guide(actor=actor).as_dict())
