"""Taking back what was given for a time, when that is over; and then the mailbox that nobody has any more."""

from __future__ import annotations

from datetime import datetime, timedelta
from uuid import UUID

from django.db import transaction

from partwell import clock
from partwell.access.asking import MAX_ATTEMPTS
from partwell.access.connections import Session, target_of
from partwell.access.models import Transfer
from partwell.access.transfers import alerting, letters, waking
from partwell.access.transfers.operations import can_take_back
from partwell.access.transfers.receipts import let_go
from partwell.access.transfers.recording import locked, move_transfer
from partwell.access.transfers.states import HandedKind, TransferState
from partwell.connector_kit.contract import ConnectorError, ErrorKind, Job, JobState
from partwell.departures.states import DepartureState
from partwell.people.actors import engine_actor

ENGINE = engine_actor("the time is over")
TRIES_AGAIN_AFTER = timedelta(minutes=15)
NO_CONNECTOR = "no connection can take it away."


def wake(key: str, now: datetime) -> None:
    """The time of something is over. The engine's timer `access.transfer_ends`; `key` is the hand-over's
    id. It asks and does not do, because a stalled system must not hold up the other timers."""
    with transaction.atomic():
        waking.take_back(UUID(key), at=now)


def take_back(transfer_id: str) -> None:
    """Take it back and read that it is gone. The workflow `access.take_back`; run twice, it reads again.

    Where no connection can, people are told, once.
    """
    rows = Transfer.objects.select_related("departure", "account__system")
    transfer = rows.filter(pk=UUID(transfer_id)).first()
    if transfer is None or not transfer.is_still_with_successor:
        return
    if transfer.account is None or not can_take_back(transfer):
        _tell(transfer, NO_CONNECTOR)
        return
    came: Job | ConnectorError
    handle = transfer.handle
    try:
        with Session(target_of(transfer.account.system)) as session:
            came = session.call(lambda connector: connector.end_transfer(handle))
    except ConnectorError as error:
        came = error
    _write(transfer, came)


@transaction.atomic
def _tell(transfer: Transfer, why: str) -> None:
    row, now = locked(transfer), clock.now()
    if row.is_still_with_successor:
        alerting.tell_not_taken_back(row, actor=ENGINE, now=now, why=why)


@transaction.atomic
def _write(transfer: Transfer, came: Job | ConnectorError) -> None:
    """Commit what the system said. Only what was read to be gone has ended."""
    row, now = locked(transfer), clock.now()
    if not row.is_still_with_successor:
        return
    if isinstance(came, Job) and came.state is JobState.DONE:
        row.ended_at, row.reason, row.settled_by = now, came.summary, ENGINE.label
        row.proof = {**(row.proof or {}), "ended": came.summary, "ended_at": now.isoformat()}
        fields = ["ended_at", "reason", "settled_by", "proof"]
        move_transfer(
            row, TransferState.ENDED, kind="transfer.ended", by=ENGINE.label, now=now, fields=fields
        )
        waking.forget(row)
        letters.drop_waiting(row, now=now)
        let_go(row, now=now)
        if row.kind == HandedKind.MAILBOX and row.departure.state != DepartureState.WITHDRAWN:
            alerting.tell_mailbox_due(row, actor=ENGINE, now=now)
        return
    tries = int((row.proof or {}).get("end_tries", 0)) + 1
    row.proof = {**(row.proof or {}), "end_tries": tries}
    row.save(update_fields=["proof"])
    if isinstance(came, ConnectorError):
        said, is_final = came.message, came.is_permanent
    else:
        said, is_final = came.summary, came.state is JobState.FAILED
    if is_final or tries >= MAX_ATTEMPTS:
        alerting.tell_not_taken_back(row, actor=ENGINE, now=now, why=said)
    if not is_final:
        again = now + TRIES_AGAIN_AFTER
        if isinstance(came, ConnectorError) and came.kind is ErrorKind.THROTTLED and came.retry_at:
            again = came.retry_at
        waking.take_back_again_at(row, again)
