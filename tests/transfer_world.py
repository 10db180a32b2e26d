"""What a leaver hands over in practice systems, for tests of it."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

from partwell import clock
from partwell.access.models import Change, Transfer
from partwell.access.transfers import ending, operations, receipts, running
from partwell.access.transfers.queries import get_transfer
from partwell.engine.models import Timer
from partwell.people.actors import Actor, actor_for_user
from partwell.people.models import Person, User
from tests.access_world import World

SAM = "sam@firm.example"


def successor() -> Actor:
    """Sam, who gets what Ada leaves."""
    person, _ = Person.objects.get_or_create(email=SAM, defaults={"name": "Sam Next", "department": "Sales"})
    user = User.objects.filter(person=person).first() or User.objects.create_user(SAM, person=person)
    return actor_for_user(user, is_fresh=True)


def of(world: World, kind: str = "mailbox", system: str = "") -> Transfer:
    """The one hand-over of that kind, as it is now."""
    rows = Transfer.objects.select_related("departure", "account__system", "system", "successor")
    rows = rows.filter(departure=world.departure, kind=kind)
    return (rows.filter(system__name=system) if system else rows).get()


def name(world: World, *kinds: str, **given: Any) -> None:
    """IT names Sam for these kinds."""
    successor()
    for kind in kinds:
        operations.name_successor(
            transfer=of(world, kind), email=SAM, actor=world.requester, now=clock.now(), **given
        )


def accept(world: World, *kinds: str, note: str = "") -> None:
    """Sam says that they have it."""
    for kind in kinds:
        sam = successor()
        found = get_transfer(sam, of(world, kind).pk, now=clock.now())
        receipts.accept(transfer=found, note=note, actor=sam, now=clock.now())


def hand_over(world: World, *kinds: str, rounds: int = 6) -> None:
    """Play the worker for these."""
    for kind in kinds:
        for _ in range(rounds):
            running.hand_over(str(of(world, kind).pk))


def end(world: World, kind: str) -> Transfer:
    """Play the worker when its time is over."""
    ending.take_back(str(of(world, kind).pk))
    return of(world, kind)


def state(world: World, kind: str = "mailbox") -> str:
    return of(world, kind).state


def held(world: World, system: str = "mail") -> Change:
    return world.change(system, "suspend")


def due_at(transfer: Transfer, timer: str) -> Any:
    """When the engine wakes this hand-over up."""
    return Timer.objects.get(name=timer, key=str(transfer.pk)).due_at


def an_hour_later(world: World) -> None:
    """Let the first wait have begun more than an hour ago."""
    Transfer.objects.filter(first_due_at__isnull=False).update(
        first_due_at=clock.now() - timedelta(minutes=61)
    )
    Change.objects.filter(next_attempt_at__isnull=False).update(next_attempt_at=clock.now())
