"""One move of one hand-over: checked, written and put on record together."""

from __future__ import annotations

from collections.abc import Collection
from datetime import datetime

from partwell.access.models import Transfer
from partwell.access.transfers.states import TransferState, check_move
from partwell.engine.operations import poke
from partwell.evidence.operations import departure_scope, record


def locked(transfer: Transfer) -> Transfer:
    """The row as it is now, held until the transaction ends."""
    return (
        Transfer.objects.select_for_update(of=("self",))
        .select_related("departure", "account__system", "system", "successor")
        .get(pk=transfer.pk)
    )


def move_transfer(
    transfer: Transfer,
    after: TransferState,
    *,
    kind: str,
    by: str,
    now: datetime,
    fields: Collection[str] = (),
) -> None:
    """Bring it to a new state with the evidence of it, in the caller's transaction. `by` says who acts,
    `fields` which fields were changed beside. Raises `Conflict` where it cannot go there."""
    check_move(transfer.state, after)
    transfer.state = after
    transfer.save(update_fields=["state", *fields])
    record_transfer(transfer, kind=kind, by=by, now=now)
    poke(transfer.departure_id)


def record_transfer(transfer: Transfer, *, kind: str, by: str, now: datetime) -> None:
    """Put on record what happened to it."""
    record(
        kind,
        scope=departure_scope(transfer.departure_id),
        actor=by,
        at=now,
        fields={
            "handed": transfer.title,
            "transfer_kind": transfer.kind,
            "system": transfer.system.name if transfer.system else "",
            "system_title": transfer.system_title,
            "account": transfer.account.external_id if transfer.account else "",
            "login": transfer.account.login if transfer.account else "",
            "successor": transfer.successor_name,
            "reason": transfer.reason,
            "note": transfer.note,
            "proof": transfer.proof,
        },
    )
