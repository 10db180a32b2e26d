"""Receivers of signals: who is told when somebody's sessions end, and what became of each signal."""

from __future__ import annotations

from typing import Annotated
from uuid import UUID

from django.http import HttpRequest, HttpResponse
from ninja import Router
from pydantic import Field

from partwell import clock
from partwell.api.answers import listing, page_of, reply
from partwell.api.authentication import actor_of
from partwell.api.idempotency import idempotent, idempotent_outside
from partwell.api.shapes import Body, Cursor, Limit, Listing
from partwell.api.shapes.office import ReceiverShape, SignalShape, SigningKeyShape
from partwell.departures.policies import scopes_of_others
from partwell.paging import decode_place, encode_cursor
from partwell.signals import receivers
from partwell.signals.delivery import deliver_now
from partwell.signals.queries import (
    get_receiver,
    get_signal,
    key_dict,
    list_receivers,
    list_signals,
    receiver_dict,
    signal_dict,
)

router = Router(tags=["receivers"])
Address = Annotated[str, Field(max_length=receivers.LONGEST)]


class ReceiverChanges(Body):
    """What is given is changed. A secret only by reference: `env:NAME` or `file:PATH`."""

    title: Annotated[str, Field(max_length=120)] = ""
    endpoint: Address = ""
    audience: Address = ""
    authorization: Address = ""
    ca_file: Address = ""
    signals: list[str] = []
    subject_format: Annotated[str, Field(max_length=10)] = ""
    subject_issuer: Address = ""
    is_enabled: bool = True


class NewReceiver(ReceiverChanges):
    """A receiver to register."""

    name: Annotated[str, Field(max_length=60)]
    endpoint: Address
    audience: Address


@router.get("", response=Listing[ReceiverShape])
def list_all(request: HttpRequest, cursor: Cursor = None, limit: Limit = 50) -> HttpResponse:
    """Everybody who is told."""
    found = list_receivers(actor=actor_of(request))
    page, after = page_of(found, key=lambda receiver: receiver.name, cursor=cursor, limit=limit)
    return listing([receiver_dict(receiver) for receiver in page], after)


@router.post("", response={201: ReceiverShape})
@idempotent
def add(request: HttpRequest, body: NewReceiver) -> HttpResponse:
    """Register a receiver. Nothing is sent to it yet."""
    given = body.dict(exclude_unset=True)
    receiver = receivers.add_receiver(
        name=given.pop("name"), description=given, actor=actor_of(request), now=clock.now()
    )
    return reply(receiver_dict(receiver), 201)


@router.post("/signing-key/rotate", response=SigningKeyShape)
@idempotent
def rotate(request: HttpRequest) -> HttpResponse:
    """Put a new signing key in use; the one before it stays published for thirty days."""
    return reply(key_dict(receivers.rotate_signing_key(actor=actor_of(request), now=clock.now())))


@router.get("/{name}", response=ReceiverShape)
def show(request: HttpRequest, name: str) -> HttpResponse:
    """One receiver."""
    return reply(receiver_dict(get_receiver(name, actor=actor_of(request))))


@router.patch("/{name}", response=ReceiverShape)
@idempotent
def change(request: HttpRequest, name: str, body: ReceiverChanges) -> HttpResponse:
    """Change a receiver; switched off, it is told nothing more and what waits for it is given up."""
    actor = actor_of(request)
    receiver = receivers.change_receiver(
        receiver=get_receiver(name, actor=actor),
        changes=body.dict(exclude_unset=True),
        actor=actor,
        now=clock.now(),
    )
    return reply(receiver_dict(receiver))


@router.post("/{name}/test", response=SignalShape)
@idempotent_outside
def test(request: HttpRequest, name: str) -> HttpResponse:
    """Send the verification event, once, and say what came back."""
    actor = actor_of(request)
    event = receivers.test_receiver(receiver=get_receiver(name, actor=actor), actor=actor, now=clock.now())
    return reply(signal_dict(deliver_now(event)))


@router.get("/{name}/signals", response=Listing[SignalShape])
def list_of_one(request: HttpRequest, name: str, cursor: Cursor = None, limit: Limit = 50) -> HttpResponse:
    """What a receiver was told, newest first; not about whom."""
    actor = actor_of(request)
    found = list_signals(
        get_receiver(name, actor=actor),
        without=scopes_of_others(actor),
        limit=limit + 1,
        after=decode_place(cursor),
    )
    page = found[:limit]
    more = encode_cursor((page[-1].created_at.isoformat(), str(page[-1].pk))) if len(found) > limit else None
    return listing([signal_dict(event) for event in page], more)


@router.post("/{name}/signals/{signal_id}/send-again", response=SignalShape)
@idempotent
def send_again(request: HttpRequest, name: str, signal_id: UUID) -> HttpResponse:
    """Queue a signal that failed once more, as the same token."""
    actor = actor_of(request)
    event = get_signal(get_receiver(name, actor=actor), signal_id, without=scopes_of_others(actor))
    return reply(signal_dict(receivers.send_signal_again(event=event, actor=actor, now=clock.now())))
