"""Asking the engine to go on with handing something over, at once or at a time. The worker room registers
the names."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime
from uuid import UUID

from partwell.access.models import Transfer
from partwell.engine.operations import cancel_timer, enqueue, set_mixed_timers, set_timer

HAND_OVER, TAKE_BACK = "access.hand_over", "access.take_back"
DUE, ENDS = "access.transfer_due", "access.transfer_ends"


def hand_over(transfer_id: UUID, *, at: datetime) -> None:
    """Ask that this goes on now; `at` tells one request from the next."""
    enqueue(HAND_OVER, str(transfer_id), key=f"{transfer_id}:{at.isoformat()}")


def hand_over_at(moments: Iterable[tuple[UUID, datetime]]) -> None:
    """Ask that each of these goes on at its moment."""
    set_mixed_timers({(DUE, str(pk)): moment for pk, moment in moments})


def take_back(transfer_id: UUID, *, at: datetime) -> None:
    """Ask that what was given for a time is taken back now."""
    enqueue(TAKE_BACK, str(transfer_id), key=f"{transfer_id}:{at.isoformat()}")


def take_back_at(transfer: Transfer) -> None:
    """Ask that what was given for a time is taken back when that is over; nothing for what stays."""
    if transfer.ends_at is not None:
        set_timer(ENDS, key=str(transfer.pk), due_at=transfer.ends_at)


def take_back_again_at(transfer: Transfer, moment: datetime) -> None:
    """Ask that taking it back is tried again at `moment`."""
    set_timer(ENDS, key=str(transfer.pk), due_at=moment)


def forget(transfer: Transfer) -> None:
    """Ask for none of this any more."""
    for name in (DUE, ENDS):
        cancel_timer(name, key=str(transfer.pk))
