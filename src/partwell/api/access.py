"""A departure's access: plan, read, apply, read back, say what no system can show, restore. Approving is
for people."""

from __future__ import annotations

from typing import Annotated
from uuid import UUID

from django.conf import settings
from django.http import HttpRequest, HttpResponse
from django.urls import reverse
from ninja import Body as JsonBody
from ninja import Query, Router

from partwell import clock
from partwell.access import operations, queries
from partwell.access.models import AccountRecord, Plan
from partwell.api.answers import problem, reply
from partwell.api.authentication import actor_of
from partwell.api.idempotency import idempotent, idempotent_outside
from partwell.api.shapes import Body, Reason
from partwell.api.shapes.access import AccessShape, DryRunShape
from partwell.departures.models import Departure
from partwell.departures.policies import authorise
from partwell.journeys.queries import get_departure
from partwell.people.actors import Actor
from partwell.refusals import Conflict, NotFound

router = Router(tags=["access"])

SystemName = Annotated[str, JsonBody(max_length=60, description="As in `GET /systems`.")]
AccountName = Annotated[str, JsonBody(max_length=320, description="Its login or identifier.")]
Systems = Annotated[list[str], Query(max_length=200, description="As in `GET /systems`; repeat for more.")]
NOWHERE: list[str] = []
Chosen = Annotated[str, JsonBody(min_length=1, max_length=320)]


class Attestation(Body):
    """What somebody did or saw about an account. `account` is needed only where the system has several."""

    system: SystemName
    account: AccountName = ""
    note: Reason
    link: Annotated[str, JsonBody(max_length=1000)] = ""


class Impossibility(Body):
    """Why nobody can cut an account. `account` is needed only where the system has several."""

    system: SystemName
    account: AccountName = ""
    reason: Reason


class Choice(Body):
    """Which of several matching accounts are the leaver's; an empty list says that none is."""

    system: SystemName
    accounts: Annotated[list[Chosen], JsonBody(max_length=200, description="Their logins or identifiers.")]


@router.get("/{journey_id}/access", response=AccessShape)
def show(request: HttpRequest, journey_id: UUID) -> HttpResponse:
    """The latest plan, with the state of every account."""
    return _view(request, get_departure(actor_of(request), journey_id))


@router.post("/{journey_id}/access/plan", response={201: AccessShape})
@idempotent_outside
def plan(
    request: HttpRequest, journey_id: UUID, release_in: Systems = NOWHERE, delete_in: Systems = NOWHERE
) -> HttpResponse:
    """Ask every system for the leaver's accounts, and propose what to do about each. Licences are
    released, and accounts deleted, only in systems that are named, last, once a second person approved."""
    actor = actor_of(request)
    departure = get_departure(actor, journey_id)
    operations.make_plan(
        departure=departure,
        actor=actor,
        now=clock.now(),
        release_in=release_in,
        delete_in=delete_in,
    )
    return _view(request, departure, 201)


@router.get("/{journey_id}/access/dry-run", response=DryRunShape)
def show_dry_run(request: HttpRequest, journey_id: UUID) -> HttpResponse:
    """What the latest plan would send, as its systems were when it was tried last; 404 where it was not."""
    actor = actor_of(request)
    found = queries.dry_run_view(get_departure(actor, journey_id), actor=actor)
    if found is None:
        raise NotFound("dry run")
    return reply(found)


@router.post("/{journey_id}/access/dry-run", response={201: DryRunShape})
@idempotent_outside
def dry_run(request: HttpRequest, journey_id: UUID) -> HttpResponse:
    """Show each call that the latest plan would send. Systems are read; nothing is changed in them."""
    actor = actor_of(request)
    departure = get_departure(actor, journey_id)
    operations.dry_run_plan(plan=_latest(departure), actor=actor, now=clock.now())
    return reply(queries.dry_run_view(departure, actor=actor) or {}, 201)


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


@router.post("/{journey_id}/access/attest", response=AccessShape)
@idempotent
def attest(request: HttpRequest, journey_id: UUID, body: Attestation) -> HttpResponse:
    """Say that what was left to do on an account is done. It counts as said by the caller, not as proven."""
    actor = actor_of(request)
    departure = get_departure(actor, journey_id)
    operations.attest_account(
        account=_account(departure, body.system, body.account, actor),
        note=body.note,
        evidence=body.link,
        actor=actor,
        now=clock.now(),
    )
    return _view(request, departure)


@router.post("/{journey_id}/access/impossible", response=AccessShape)
@idempotent
def impossible(request: HttpRequest, journey_id: UUID, body: Impossibility) -> HttpResponse:
    """Say, with the reason, that an account cannot be cut by anybody."""
    actor = actor_of(request)
    departure = get_departure(actor, journey_id)
    account = _account(departure, body.system, body.account, actor)
    operations.mark_impossible(account=account, reason=body.reason, actor=actor, now=clock.now())
    return _view(request, departure)


@router.post("/{journey_id}/access/link", response=AccessShape)
@idempotent
def link(request: HttpRequest, journey_id: UUID, body: Choice) -> HttpResponse:
    """Say which of several matching accounts are meant; the plan with that choice waits for approval."""
    actor = actor_of(request)
    departure = get_departure(actor, journey_id)
    operations.link_accounts(
        departure=departure,
        system=queries.get_system(body.system),
        external_ids=[_account(departure, body.system, name, actor).external_id for name in body.accounts],
        actor=actor,
        now=clock.now(),
    )
    return _view(request, departure)


@router.post("/{journey_id}/access/restore", response={202: AccessShape})
@idempotent
def restore(request: HttpRequest, journey_id: UUID) -> HttpResponse:
    """Start putting back what was cut, as far as it can be put back."""
    actor = actor_of(request)
    departure = get_departure(actor, journey_id)
    operations.restore_plan(departure=departure, actor=actor, now=clock.now())
    return _view(request, departure, 202)


def _account(departure: Departure, system: str, name: str, actor: Actor) -> AccountRecord:
    return queries.get_account(departure, queries.get_system(system), name, actor=actor)


def _latest(departure: Departure) -> Plan:
    found = queries.latest_plan(departure)
    if found is None:
        raise Conflict("no_plan", "There is no access plan yet. Make one first.")
    return found


def _view(request: HttpRequest, departure: Departure, status: int = 200) -> HttpResponse:
    return reply(queries.plan_view(departure, actor=actor_of(request), now=clock.now()), status)
