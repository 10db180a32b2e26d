"""What people must be told of hand-overs until it is solved, in the transaction of what it is about."""

from __future__ import annotations

from datetime import datetime

from partwell.access.alerts import raise_alert, resolve_alerts
from partwell.access.models import Transfer
from partwell.access.states import AlertKind
from partwell.access.transfers.queries import mailbox_key
from partwell.people.actors import Actor


def key_of(transfer: Transfer) -> str:
    """Under which key what is told of one hand-over is kept."""
    return str(transfer.pk)


def tell_trouble(transfer: Transfer, *, actor: Actor, now: datetime) -> None:
    """It failed, or nobody can tell what came of it."""
    unknown = transfer.state == "unknown"
    came = "it cannot be told what came of it" if unknown else "it failed"
    _raise(
        transfer,
        AlertKind.HANDOVER_FAILED,
        f"Handing over {transfer} of {transfer.departure.subject_name} to {transfer.successor_name}: {came}. "
        f"{transfer.reason} Way out: put right what it says and hand it over again, or do it by hand and "
        "say so.",
        actor,
        now,
    )


def tell_missing(transfer: Transfer, *, actor: Actor, now: datetime) -> None:
    """The successor says what is missing."""
    _raise(
        transfer,
        AlertKind.HANDOVER_MISSING,
        f"{transfer.successor_name} says that something is missing of {transfer} of "
        f"{transfer.departure.subject_name}: {transfer.note} Way out: hand it over, and say so.",
        actor,
        now,
    )


def tell_not_taken_back(transfer: Transfer, *, actor: Actor, now: datetime, why: str) -> None:
    """Its time is over, and the successor may have it still."""
    _raise(
        transfer,
        AlertKind.NOT_TAKEN_BACK,
        f"{transfer.successor_name} was given {transfer} of {transfer.departure.subject_name} for a time "
        f"that is over, and may have it still: {why} Way out: take it away in the system, and say so on its "
        "page.",
        actor,
        now,
    )


def tell_mailbox_due(transfer: Transfer, *, actor: Actor, now: datetime) -> None:
    """Nobody has the mailbox any more: it is to be deleted."""
    raise_alert(
        transfer.departure,
        kind=AlertKind.MAILBOX_DUE,
        key=mailbox_key(transfer),
        text=(
            f"The {transfer} of {transfer.departure.subject_name} is due for deletion: its time is over. "
            "Way out: on its page, plan the deletion, which a second person approves, or delete it by hand "
            "and say so."
        ),
        actor=actor,
        now=now,
    )


def settle_mailbox(transfer: Transfer, *, now: datetime) -> int:
    """The mailbox is deleted, or stays for a reason; returns whether that was waited for."""
    key = mailbox_key(transfer)
    return resolve_alerts(transfer.departure, kind=AlertKind.MAILBOX_DUE, key=key, now=now)


def resolve(transfer: Transfer, *, now: datetime) -> None:
    """What was told of this hand-over is solved."""
    for kind in (AlertKind.HANDOVER_FAILED, AlertKind.HANDOVER_MISSING, AlertKind.NOT_TAKEN_BACK):
        resolve_alerts(transfer.departure, kind=kind, key=key_of(transfer), now=now)


def _raise(transfer: Transfer, kind: AlertKind, text: str, actor: Actor, now: datetime) -> None:
    raise_alert(transfer.departure, kind=kind, key=key_of(transfer), text=text, actor=actor, now=now)
