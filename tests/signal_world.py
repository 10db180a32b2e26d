"""Registering a receiver, ending somebody's access, and playing the worker, for tests of signals."""

from __future__ import annotations

from typing import Any

import httpx

from partwell import clock
from partwell.access import runs
from partwell.access.announcing import note_settled_signal
from partwell.access.models import SystemRun
from partwell.access.operations import cuts
from partwell.evidence.models import Event
from partwell.evidence.queries import fields_of
from partwell.people.actors import console_actor
from partwell.signals import delivery, receivers
from partwell.signals.models import Receiver, SecurityEvent
from tests.access_world import World
from tests.event_receiver import AUDIENCE, EventReceiver

SECRET = "Bearer canary-secret-7f3a9b"
WHY = "Their laptop was stolen, canary-reason-51."


def register(listening: EventReceiver, name: str = "gateway", **changes: Any) -> Receiver:
    """Register what is listening, as the console."""
    description = {
        "title": "Gateway",
        "endpoint": listening.url,
        "audience": AUDIENCE,
        "ca_file": listening.ca_file,
    }
    return receivers.add_receiver(
        name=name, description={**description, **changes}, actor=console_actor(), now=clock.now()
    )


def fire(world: World) -> None:
    """Shut the leaver out, without a worker."""
    cuts.order_cut(
        departures=[world.departure], title="Now", reason=WHY, actor=world.console, now=clock.now()
    )


def cut(world: World) -> None:
    """Shut the leaver out, and play the worker until nothing is due."""
    fire(world)
    for _ in range(6):
        due = SystemRun.objects.filter(plan__cut__isnull=False, state__in=("running", "waiting"))
        for cut_id, system_id in set(due.values_list("plan__cut_id", "system_id")):
            runs.run_cut(str(cut_id), str(system_id))


def deliver(receiver: Receiver) -> int:
    """Play the worker that sends what is due; how many were taken."""
    return delivery.deliver(str(receiver.pk), settled=note_settled_signal)


def verify(receiver: Receiver) -> SecurityEvent:
    """Send the verification event; what came of it."""
    queued = receivers.test_receiver(receiver=receiver, actor=console_actor(), now=clock.now())
    return delivery.deliver_now(queued)


def kinds(listening: EventReceiver) -> list[str]:
    """The event types that arrived and held."""
    return [next(iter(claims["events"])) for claims in listening.claims]


def read(listening: EventReceiver, path: str) -> Any:
    """What somebody without an account reads from us over HTTP."""
    answer = httpx.get(listening.transmitter + path)
    assert answer.status_code == 200
    return answer.json()


def said(kind: str) -> list[dict[str, Any]]:
    """What events of a kind say, oldest first."""
    events = Event.objects.filter(kind=kind).order_by("occurred_at")
    return [{name: value.value for name, value in fields_of(event).items()} for event in events]
