"""How the operations of handing over are called for real; part of `authorised_calls`.

The successor is nobody who tries: that they alone accept is proven with the hand-overs.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from partwell.access.models import Alert, Transfer
from partwell.access.transfers import operations, receipts
from partwell.access.transfers.queries import mailbox_key
from partwell.departures.models import Departure
from partwell.people.actors import Actor
from tests.authorisation_stage import Scene
from tests.factories import NOW, make_person

REASON = "This is a reason that is long enough."

# Refusals that come only after the question who may: no connection hands over on the stage.
REACHED = {"transfers.hand_over": {"by_hand"}, "transfers.take_back": {"by_hand"}}


def _departure(scene: Scene | None) -> Departure:
    assert scene is not None
    return Departure.objects.get(pk=scene.departure.pk)


def _transfer(scene: Scene | None, state: str = "waiting", **fields: Any) -> Transfer:
    successor = make_person("Sam Next")
    return Transfer.objects.create(
        departure=_departure(scene),
        kind="mailbox",
        what="Mailbox",
        state=state,
        successor=successor,
        successor_name=successor.name,
        successor_email=successor.email,
        opened_at=NOW,
        **fields,
    )


def _due_mailbox(scene: Scene | None) -> Transfer:
    transfer = _transfer(scene, "ended")
    Alert.objects.create(
        departure=transfer.departure,
        kind="mailbox_due",
        key=mailbox_key(transfer),
        text="Due.",
        raised_at=NOW,
    )
    return transfer


CALLS: dict[str, Callable[[Actor, Scene | None, str], Any]] = {
    "transfers.open": lambda a, s, k: operations.open_transfer(
        departure=_departure(s), kind="tickets", what="Tickets", actor=a, now=NOW
    ),
    "transfers.name_successor": lambda a, s, k: operations.name_successor(
        transfer=_transfer(s), email="sam.next@harbour.example", actor=a, now=NOW
    ),
    "transfers.hand_over": lambda a, s, k: operations.hand_over_now(transfer=_transfer(s), actor=a, now=NOW),
    "transfers.attest": lambda a, s, k: operations.attest_transfer(
        transfer=_transfer(s), note=REASON, actor=a, now=NOW
    ),
    "transfers.leave": lambda a, s, k: operations.leave_transfer(
        transfer=_transfer(s), reason=REASON, actor=a, now=NOW
    ),
    "transfers.accept": lambda a, s, k: receipts.accept(
        transfer=_transfer(s, "attested", given_at=NOW), actor=a, now=NOW
    ),
    "transfers.report_missing": lambda a, s, k: receipts.report_missing(
        transfer=_transfer(s, "attested", given_at=NOW), note=REASON, actor=a, now=NOW
    ),
    "transfers.take_back": lambda a, s, k: operations.take_back_now(
        transfer=_transfer(s, "attested", given_at=NOW), actor=a, now=NOW
    ),
    "transfers.attest_end": lambda a, s, k: operations.attest_end(
        transfer=_transfer(s, "attested", given_at=NOW), note=REASON, actor=a, now=NOW
    ),
    "transfers.settle_mailbox": lambda a, s, k: operations.settle_mailbox(
        transfer=_due_mailbox(s), note=REASON, actor=a, now=NOW
    ),
}
