"""What the successor says of what they were given: that they have it, or what is missing; and which
destructive changes wait for that word."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import datetime

from partwell.access import wake
from partwell.access.models import AccountRecord, Change, SystemRun, Transfer
from partwell.access.states import AccessState, Authority, RunState
from partwell.access.transfers import alerting, letters
from partwell.access.transfers.queries import also_of
from partwell.access.transfers.recording import locked, move_transfer
from partwell.access.transfers.states import SETTLED, TransferState
from partwell.connector_kit.plan import ASKED_FOR
from partwell.departures.policies import authorise
from partwell.people.actors import Actor
from partwell.people.authorisation import operation
from partwell.refusals import Invalid
from partwell.rows import write_rows


@operation("transfers.accept")
def accept(*, transfer: Transfer, note: str = "", actor: Actor, now: datetime) -> Transfer:
    """The successor says that they have it: the receipt. Raises `Conflict` where nothing was given yet."""
    transfer = locked(transfer)
    authorise(actor, "transfers.accept", transfer.departure, also=also_of(actor, transfer, now))
    transfer.note, transfer.answered_at, transfer.settled_by = note.strip(), now, actor.label
    move_transfer(
        transfer,
        TransferState.ACCEPTED,
        kind="transfer.accepted",
        by=actor.label,
        now=now,
        fields=["note", "answered_at", "settled_by"],
    )
    letters.drop_waiting(transfer, now=now)
    let_go(transfer, now=now)
    return transfer


@operation("transfers.report_missing")
def report_missing(*, transfer: Transfer, note: str, actor: Actor, now: datetime) -> Transfer:
    """The successor says what is missing, also after they had accepted it. It goes back to whoever hands
    over, who are told."""
    transfer = locked(transfer)
    authorise(actor, "transfers.report_missing", transfer.departure, also=also_of(actor, transfer, now))
    if len(note.strip()) < 10:
        raise Invalid("note_missing", "Say in a sentence what is missing.", field="note")
    transfer.note, transfer.answered_at, transfer.settled_by = note.strip(), now, ""
    move_transfer(
        transfer,
        TransferState.MISSING,
        kind="transfer.missing",
        by=actor.label,
        now=now,
        fields=["note", "answered_at", "settled_by"],
    )
    alerting.tell_missing(transfer, actor=actor, now=now)
    return transfer


def let_go(transfer: Transfer, *, now: datetime) -> None:
    """It is settled: resolve what was told of it, and go on with what waited for this account's receipts."""
    alerting.resolve(transfer, now=now)
    if transfer.account is None or _unsettled([transfer.account_id]):
        return
    changes = Change.objects.filter(
        account=transfer.account, is_current=True, verb__in=ASKED_FOR, state=AccessState.PLANNED
    ).exclude(authority__in=(Authority.NONE, Authority.RESTORE))
    for plan_id in set(changes.values_list("plan_id", flat=True)):
        runs = SystemRun.objects.filter(plan=plan_id, system=transfer.account.system)
        # A run that is still at it comes to these changes by itself.
        if runs.filter(state=RunState.ENDED).update(
            state=RunState.RUNNING, reason="", attempts=0, next_at=None, ended_at=None
        ):
            wake.start(runs.select_related("plan").get(), at=now)


def leave_what_waits_for_receipts(changes: Sequence[Change]) -> list[Change]:
    """Those that may be carried out; what would take data away waits for all receipts of its account."""
    # With these the data of an account may go, and nobody could look for what is missing any more.
    gated = [c for c in changes if c.verb in ASKED_FOR and c.authority != Authority.RESTORE]
    if not gated:
        return list(changes)
    waiting = _unsettled({change.account_id for change in gated})
    stay = [change for change in gated if change.account_id in waiting]
    for change in stay:
        of = ", ".join(sorted(waiting[change.account_id]))
        change.reason = f"Waits until the successor has accepted what is handed over of this account: {of}."
    write_rows(stay, ["reason"])
    return [change for change in changes if change not in stay]


def _unsettled(accounts: Iterable[int | None]) -> dict[int, list[str]]:
    found: dict[int, list[str]] = {}
    rows = Transfer.objects.filter(account__in=[pk for pk in accounts if pk]).exclude(state__in=SETTLED)
    for row in rows:
        found.setdefault(row.account_id or 0, []).append(row.title)
    return found


def forget_deleted(accounts: Sequence[AccountRecord], *, now: datetime) -> None:
    """These accounts are deleted, and their mailboxes with them. No query where there are none."""
    if not accounts:
        return
    for transfer in Transfer.objects.filter(account__in=accounts).select_related("departure", "account"):
        alerting.settle_mailbox(transfer, now=now)
