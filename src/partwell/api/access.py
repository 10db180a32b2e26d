"""A departure's access: plan, read, apply, read back, restore. Approving is for people."""

from __future__ import annotations

from uuid import UUID

from django.conf import settings
from django.http import HttpRequest, HttpResponse
from django.urls import reverse
from ninja import Router

from partwell import clock
from partwell.access import operations, queries
from partwell.access.models import Plan
from partwell.api.answers import problem, reply
from partwell.api.authentication import actor_of
from partwell.api.idempotency import idempotent, idempotent_outside
from partwell.api.shapes import AccessShape
from partwell.departures.models import Departure
from partwell.departures.policies import authorise
from partwell.journeys.queries import get_departure
from partwell.refusals import Conflict

router = Router(tags=["access"])


@router.get("/{journey_id}/access", response=AccessShape)
def show(request: HttpRequest, journey_id: UUID) -> HttpResponse:
    """The latest plan, with the state of every account."""
    return _view(request, get_departure(actor_of(request), journey_id))


@router.post("/{journey_id}/access/plan", response={201: AccessShape})
@idempotent_outside
def plan(request: HttpRequest, journey_id: UUID) -> HttpResponse:
    """Ask every system for the leaver's accounts, and propose what to do about each."""
    actor = actor_of(request)
    departure = get_departure(actor, journey_id)
    operations.make_plan(departure=departure, actor=actor, now=clock.now())
    return _view(request, departure, 201)


@router.post("/{journey_id}/access/approve")
def approve(request: HttpRequest, journey_id: UUID) -> HttpResponse:
    """Always refused: a token is not a second person. The refusal says where a person approves."""
    actor = actor_of(request)
    departure = get_departure(actor, journey_id)
    authorise(actor, "access.view", departure)
    return problem(
        403,
        "second_person_needed",
        "An approval needs a person who signs in on the web; a token is not one. Send them the link.",
        approve_at=f"{settings.BASE_URL}{reverse('web:access_plan', args=[departure.pk])}",
    )


@router.post("/{journey_id}/access/apply", response={202: AccessShape})
@idempotent
def apply(request: HttpRequest, journey_id: UUID) -> HttpResponse:
    """Start cutting what was approved; each account says when it was read back."""
    actor = actor_of(request)
    departure = get_departure(actor, journey_id)
    operations.apply_plan(plan=_latest(departure), actor=actor, now=clock.now())
    return _view(request, departure, 202)


@router.post("/{journey_id}/access/verify", response=AccessShape)
@idempotent_outside
def verify(request: HttpRequest, journey_id: UUID) -> HttpResponse:
    """Read every account back now, whatever is on record about it."""
    actor = actor_of(request)
    departure = get_departure(actor, journey_id)
    operations.verify_plan(departure=departure, actor=actor, now=clock.now())
    return _view(request, departure)


@router.post("/{journey_id}/access/restore", response={202: AccessShape})
@idempotent
def restore(request: HttpRequest, journey_id: UUID) -> HttpResponse:
    """Start putting back what was cut, as far as it can be put back."""
    actor = actor_of(request)
    departure = get_departure(actor, journey_id)
    operations.restore_plan(departure=departure, actor=actor, now=clock.now())
    return _view(request, departure, 202)


def _latest(departure: Departure) -> Plan:
    found = queries.latest_plan(departure)
    if found is None:
        raise Conflict("no_plan", "There is no access plan yet. Make one first.")
    return found


def _view(request: HttpRequest, departure: Departure, status: int = 200) -> HttpResponse:
    return reply(queries.plan_view(departure, actor=actor_of(request), now=clock.now()), status)
