"""What goes from a leaver to a successor: naming them, handing over, and the successor's receipt."""

from __future__ import annotations

from datetime import date
from typing import Annotated
from uuid import UUID

from django.http import HttpRequest, HttpResponse
from ninja import Query, Router
from pydantic import Field

from partwell import clock
from partwell.access.models import Transfer
from partwell.access.queries import get_system
from partwell.access.transfers import operations, receipts
from partwell.access.transfers.queries import get_transfer, list_transfers, transfer_dict
from partwell.api.answers import listing, page_of, reply
from partwell.api.authentication import actor_of
from partwell.api.idempotency import idempotent
from partwell.api.shapes import Attested, Body, Cursor, Day, Limit, Line, Listing, Reason, Why
from partwell.api.shapes.transfers import TransferShape
from partwell.departures.policies import sees_inside
from partwell.journeys import queries

router = Router(tags=["handing over"])


class Opened(Body):
    """Something that has to be handed over in a journey."""

    journey: UUID
    kind: Annotated[
        str,
        Field(
            max_length=20,
            description="mailbox, auto_reply, files, calendar, repositories, groups, objects, tickets, "
            "other.",
        ),
    ]
    what: Annotated[str, Field(max_length=300, description="What it is, in a few words.")]
    system: Annotated[str, Field(max_length=60, description="Name of the system; empty for none.")] = ""


class Successor(Body):
    """Who gets it."""

    email: Line
    login: Annotated[Line, Field(description="What they are called in the system, if not by address.")] = ""
    ends_on: Annotated[
        Day | None, Field(description="Last day of a mailbox or an automatic reply; a month unless given.")
    ] = None
    text: Annotated[Reason, Field(description="What an automatic reply says.")] = ""


class Note(Body):
    note: Reason


class Receipt(Body):
    note: Reason = ""


@router.get("", response=Listing[TransferShape])
def list_(
    request: HttpRequest,
    state: Annotated[str, Query(max_length=20, description="open (the default) or all.")] = "open",
    journey: UUID | None = None,
    mine: Annotated[bool, Query(description="Only what comes to the token's user.")] = False,
    cursor: Cursor = None,
    limit: Limit = 50,
) -> HttpResponse:
    """What is handed over in departures whose access the token's user may read, and what comes to them."""
    actor = actor_of(request)
    found = list_transfers(actor, state=state, journey=journey, mine=mine, now=clock.now())
    page, after = page_of(found, key=lambda each: str(each.pk), cursor=cursor, limit=limit)
    inside = sees_inside(actor, page, to="access.view")
    return listing([transfer_dict(each, is_inside=each.departure_id in inside) for each in page], after)


@router.post("", response={201: TransferShape})
@idempotent
def open_(request: HttpRequest, body: Opened) -> HttpResponse:
    """Say that something has to be handed over."""
    actor, now = actor_of(request), clock.now()
    made = operations.open_transfer(
        departure=queries.get_departure(actor, body.journey),
        kind=body.kind,
        what=body.what,
        system=get_system(body.system) if body.system else None,
        actor=actor,
        now=now,
    )
    return _view(request, made, status=201)


@router.get("/{transfer_id}", response=TransferShape)
def show(request: HttpRequest, transfer_id: UUID) -> HttpResponse:
    """One of them."""
    return _view(request, _get(request, transfer_id))


@router.post("/{transfer_id}/successor", response=TransferShape)
@idempotent
def name_successor(request: HttpRequest, transfer_id: UUID, body: Successor) -> HttpResponse:
    """Say who gets it; said again after it failed, it is handed over anew."""
    ends_on: date | None = body.ends_on
    done = operations.name_successor(
        transfer=_get(request, transfer_id),
        email=body.email,
        login=body.login,
        ends_on=ends_on,
        text=body.text,
        actor=actor_of(request),
        now=clock.now(),
    )
    return _view(request, done)


@router.post("/{transfer_id}/hand-over", response=TransferShape)
@idempotent
def hand_over(request: HttpRequest, transfer_id: UUID) -> HttpResponse:
    """Have the system hand it over at once. It needs the scope access."""
    found = _get(request, transfer_id)
    done = operations.hand_over_now(transfer=found, actor=actor_of(request), now=clock.now())
    return _view(request, done)


@router.post("/{transfer_id}/attest", response=TransferShape)
@idempotent
def attest(request: HttpRequest, transfer_id: UUID, body: Attested) -> HttpResponse:
    """Say that it is handed over. It counts as said; the successor still has to accept it."""
    done = operations.attest_transfer(
        transfer=_get(request, transfer_id),
        note=body.note,
        link=body.link,
        actor=actor_of(request),
        now=clock.now(),
    )
    return _view(request, done)


@router.post("/{transfer_id}/leave", response=TransferShape)
@idempotent
def leave(request: HttpRequest, transfer_id: UUID, body: Why) -> HttpResponse:
    """Say, with the reason, that nobody needs it."""
    found, actor = _get(request, transfer_id), actor_of(request)
    done = operations.leave_transfer(transfer=found, reason=body.reason, actor=actor, now=clock.now())
    return _view(request, done)


@router.post("/{transfer_id}/accept", response=TransferShape)
@idempotent
def accept(request: HttpRequest, transfer_id: UUID, body: Receipt) -> HttpResponse:
    """The successor says that they have it."""
    found, actor = _get(request, transfer_id), actor_of(request)
    return _view(request, receipts.accept(transfer=found, note=body.note, actor=actor, now=clock.now()))


@router.post("/{transfer_id}/missing", response=TransferShape)
@idempotent
def report_missing(request: HttpRequest, transfer_id: UUID, body: Note) -> HttpResponse:
    """The successor says what is missing."""
    found, actor = _get(request, transfer_id), actor_of(request)
    done = receipts.report_missing(transfer=found, note=body.note, actor=actor, now=clock.now())
    return _view(request, done)


@router.post("/{transfer_id}/take-back", response=TransferShape)
@idempotent
def take_back(request: HttpRequest, transfer_id: UUID) -> HttpResponse:
    """Have the system take it back at once. It needs the scope access."""
    found = _get(request, transfer_id)
    done = operations.take_back_now(transfer=found, actor=actor_of(request), now=clock.now())
    return _view(request, done)


@router.post("/{transfer_id}/end", response=TransferShape)
@idempotent
def attest_end(request: HttpRequest, transfer_id: UUID, body: Note) -> HttpResponse:
    """Say that the successor has it no more."""
    found, actor = _get(request, transfer_id), actor_of(request)
    return _view(request, operations.attest_end(transfer=found, note=body.note, actor=actor, now=clock.now()))


@router.post("/{transfer_id}/mailbox", response=TransferShape)
@idempotent
def settle_mailbox(request: HttpRequest, transfer_id: UUID, body: Note) -> HttpResponse:
    """Say that a mailbox whose time is over is deleted, or why it stays."""
    found, actor = _get(request, transfer_id), actor_of(request)
    done = operations.settle_mailbox(transfer=found, note=body.note, actor=actor, now=clock.now())
    return _view(request, done)


def _get(request: HttpRequest, transfer_id: UUID) -> Transfer:
    return get_transfer(actor_of(request), transfer_id, now=clock.now())


def _view(request: HttpRequest, found: Transfer, *, status: int = 200) -> HttpResponse:
    is_inside = bool(sees_inside(actor_of(request), [found], to="access.view"))
    return reply(transfer_dict(found, is_inside=is_inside), status=status)
