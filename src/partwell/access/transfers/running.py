"""Having systems hand over: the intent on record before a system is asked, its answer after.

A job that the system took is asked about by its handle and never begun twice. A crash before there is one
leaves an intent without an outcome: then the connector is asked again, which by its contract finds the same
job, or shows that it is done, before it begins anything.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

from django.db import transaction
from django.db.models import Q

from partwell import clock
from partwell.access.asking import MAX_ATTEMPTS, backoff
from partwell.access.connections import Session, target_of
from partwell.access.models import Transfer
from partwell.access.states import AccessState
from partwell.access.transfers import alerting, letters, waking
from partwell.access.transfers.opening import needs_active
from partwell.access.transfers.recording import locked, move_transfer
from partwell.access.transfers.states import GIVEN, IN_HAND, TransferBy, TransferState
from partwell.connector_kit.contract import (
    ConnectorError,
    ErrorKind,
    Job,
    JobState,
    TransferKind,
    TransferRequest,
    Verb,
)
from partwell.departures.states import DepartureState
from partwell.people.actors import Actor, engine_actor

# So long another asking waits for one whose answer is not on record: longer than any call may take.
UNDER_WAY = timedelta(minutes=3)
# A system that has not finished by then is a person's to look into.
GIVES_UP_AFTER = timedelta(days=7)
OPEN_JOBS = (TransferState.QUEUED, TransferState.RUNNING)
ANSWERS = {
    JobState.QUEUED: TransferState.QUEUED,
    JobState.RUNNING: TransferState.RUNNING,
    JobState.DONE: TransferState.DONE,
    JobState.FAILED: TransferState.FAILED,
    JobState.UNKNOWN: TransferState.UNKNOWN,
}
SUSPENDED = (
    "The account is suspended, and this can be handed over only before that. Hand it over by hand, or "
    "restore the account first."
)
ENGINE = engine_actor("handing over")


@dataclass(frozen=True)
class Asked:
    """What was asked of a system, and what it said."""

    transfer: Transfer
    answer: Job | ConnectorError


def hand_over(transfer_id: str) -> None:
    """Go on with one hand-over, as far as it comes now. The workflow `access.hand_over`."""
    rows = Transfer.objects.select_related("departure", "account__system")
    transfer = rows.filter(pk=UUID(transfer_id), account__isnull=False).first()
    if transfer is None or transfer.account is None or not is_due(transfer, clock.now()):
        return
    try:
        session = Session(target_of(transfer.account.system))
    except ConnectorError as error:
        if begin(transfer):
            write_answer(Asked(transfer, error))
        return
    with session:
        go_on(session, [transfer])


def is_due(transfer: Transfer, now: datetime) -> bool:
    """Whether something can be asked of the system now."""
    if transfer.departure.state == DepartureState.WITHDRAWN and transfer.state == TransferState.WAITING:
        return False
    if transfer.state == TransferState.WAITING:
        return transfer.is_early or now >= transfer.departure.access_end_at
    return transfer.state in IN_HAND and (transfer.next_at is None or transfer.next_at <= now)


def go_on(session: Session, transfers: Sequence[Transfer]) -> None:
    """Begin those that were not begun, ask of the others how far they have come, and write down what the
    system said. Whatever somebody else is at is left to them."""
    asked = [transfer for transfer in transfers if transfer.state in OPEN_JOBS or begin(transfer)]
    answers = session.call_all([_call_for(transfer) for transfer in asked])
    for transfer, answer in zip(asked, answers, strict=True):
        write_answer(Asked(transfer, answer))


@transaction.atomic
def begin(transfer: Transfer) -> bool:
    """Commit that the system is about to be asked; whether it is ours to ask, and can be done still."""
    row, now = locked(transfer), clock.now()
    if row.state != TransferState.WAITING and not (
        row.state == TransferState.REQUESTED and again_at(row) <= now
    ):
        return False
    if needs_active(row) and is_suspended(row):
        row.reason = SUSPENDED
        fail(row, TransferState.FAILED, now=now)
        return False
    row.asked_at, row.attempts, row.by, row.next_at = now, row.attempts + 1, TransferBy.CONNECTOR, None
    fields = ["asked_at", "attempts", "by", "next_at"]
    move_transfer(
        row, TransferState.REQUESTED, kind="transfer.requested", by=ENGINE.label, now=now, fields=fields
    )
    waking.hand_over_at([(row.pk, now + UNDER_WAY)])
    transfer.state = row.state
    return True


def again_at(transfer: Transfer) -> datetime:
    """When it may be asked for again, where the last asking has no answer on record."""
    return transfer.next_at or (transfer.asked_at or transfer.opened_at) + UNDER_WAY


def is_suspended(transfer: Transfer) -> bool:
    """Whether the account was suspended by us, or its system was last read to say so."""
    account = transfer.account
    if account is None:
        return False
    shut = (AccessState.ACCEPTED, AccessState.VERIFIED, AccessState.REQUESTED)
    ours = account.changes.filter(verb=Verb.SUSPEND, is_current=True, state__in=shut)
    return account.is_active is False or ours.exclude(authority="restore").exists()


def _call_for(transfer: Transfer) -> Any:
    if transfer.state in OPEN_JOBS:
        handle = transfer.handle
        return lambda connector: connector.job(handle)
    assert transfer.account is not None  # noqa: S101 - `hand_over` asks for no other
    external_id = transfer.account.external_id
    request = TransferRequest(
        kind=TransferKind(transfer.kind),
        successor=transfer.successor_login or transfer.successor_email,
        ends_at=transfer.ends_at,
        text=transfer.text,
    )
    return lambda connector: connector.transfer(external_id, request)


@transaction.atomic
def write_answer(asked: Asked) -> None:
    """Commit what the system said, unless a person has settled it meanwhile."""
    row, now, answer = locked(asked.transfer), clock.now(), asked.answer
    if row.state not in IN_HAND:
        return
    if isinstance(answer, ConnectorError):
        _write_error(row, answer, now)
        return
    row.handle, row.reason = answer.handle, answer.summary
    looks = int((row.proof or {}).get("looks", 0)) + 1
    row.proof = {
        **(row.proof or {}),
        "read": answer.summary,
        "read_at": now.isoformat(),
        "request_id": answer.request_id,
        "details": dict(answer.details),
        "looks": looks,
    }
    state = ANSWERS[answer.state]
    if state in OPEN_JOBS:
        _look_again(row, state, looks, now)
    elif state is TransferState.DONE:
        _given(row, now)
    else:
        fail(row, state, now=now)


def _write_error(row: Transfer, error: ConnectorError, now: datetime) -> None:
    row.reason = error.message
    started = row.asked_at or now
    is_open_job = row.state in OPEN_JOBS
    gives_up = now - started >= GIVES_UP_AFTER if is_open_job else row.attempts >= MAX_ATTEMPTS
    if error.is_permanent:
        fail(row, TransferState.FAILED, now=now)
    elif gives_up:
        fail(row, TransferState.UNKNOWN, now=now)
    else:
        looks = int((row.proof or {}).get("looks", 0)) + 1
        row.proof = {**(row.proof or {}), "looks": looks}
        row.next_at = now + backoff(max(row.attempts, looks))
        if error.kind is ErrorKind.THROTTLED and error.retry_at is not None:
            row.next_at = error.retry_at
        row.save(update_fields=["reason", "proof", "next_at"])
        waking.hand_over_at([(row.pk, row.next_at)])


def _look_again(row: Transfer, state: TransferState, looks: int, now: datetime) -> None:
    if row.asked_at is not None and now - row.asked_at >= GIVES_UP_AFTER:
        row.reason = f"It has not finished for {GIVES_UP_AFTER.days} days. The system last said: {row.reason}"
        fail(row, TransferState.UNKNOWN, now=now)
        return
    row.next_at = now + backoff(looks)
    fields = ["handle", "reason", "proof", "next_at"]
    if row.state == state:
        row.save(update_fields=fields)
    else:
        kind = f"transfer.{state}"
        move_transfer(row, state, kind=kind, by=ENGINE.label, now=now, fields=fields)
    waking.hand_over_at([(row.pk, row.next_at)])


def _given(row: Transfer, now: datetime) -> None:
    row.next_at, row.given_at = None, now
    if row.is_for_a_time and row.ends_on_date is None:
        # What was given until a day stays so, also when access end is moved afterwards.
        row.ends_on_date = row.last_day
    move_transfer(
        row,
        TransferState.DONE,
        kind="transfer.done",
        by=ENGINE.label,
        now=now,
        fields=["handle", "reason", "proof", "next_at", "given_at", "ends_on_date"],
    )
    waking.take_back_at(row)
    letters.tell_successor(row, now=now)
    alerting.resolve(row, now=now)


def fail(row: Transfer, state: TransferState, *, now: datetime, actor: Actor = ENGINE) -> None:
    """It failed, or nobody can tell: say so, and tell people, in the caller's transaction."""
    row.next_at = None
    kind = f"transfer.{state}"
    fields = ["handle", "reason", "proof", "next_at"]
    move_transfer(row, state, kind=kind, by=actor.label, now=now, fields=fields)
    alerting.tell_trouble(row, actor=actor, now=now)


def wake(key: str, now: datetime) -> None:
    """Something is to be asked of a system. The engine's timer `access.transfer_due`; `key` is the
    hand-over's id. It asks and does not do, because a stalled system must not hold up the other timers."""
    with transaction.atomic():
        waking.hand_over(UUID(key), at=now)


def reconcile() -> None:
    """Ask again for all that is under way or due, when a worker starts."""
    now = clock.now()
    due = Q(state__in=IN_HAND) | Q(state=TransferState.WAITING, departure__access_end_at__lte=now)
    due |= Q(state=TransferState.WAITING, is_early=True)
    with transaction.atomic():
        rows = Transfer.objects.filter(due, account__isnull=False)
        waking.hand_over_at(
            [(row.pk, max(now, again_at(row) if row.state in IN_HAND else now)) for row in rows]
        )
        given = Transfer.objects.filter(state__in=GIVEN, given_at__isnull=False, ended_at=None)
        for row in given.select_related("departure"):
            if row.ends_at is not None and row.ends_at <= now:
                waking.take_back(row.pk, at=now)
            else:
                waking.take_back_at(row)
