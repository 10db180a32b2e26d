"""Handing over what needs the account alive: after sign-in is blocked and sessions are ended, and before the
account is suspended.

The suspension waits for it, but not for long: nothing stays open for want of a hand-over. It does not wait
where sign-in could not be blocked first, and under the kill switch nothing waits and nothing is asked for.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Sequence
from datetime import datetime, timedelta
from enum import Enum

from django.db import transaction
from django.db.models import Min

from partwell import clock
from partwell.access.asking import Carrying, backoff, has_been_asked
from partwell.access.models import Change, System, Transfer
from partwell.access.states import AccessState, Authority
from partwell.access.transfers import running
from partwell.access.transfers.opening import SUSPENSION_WAITS
from partwell.access.transfers.recording import locked
from partwell.access.transfers.states import IN_HAND, TransferState
from partwell.connector_kit.contract import Verb
from partwell.connector_kit.plan import position
from partwell.rows import write_rows

ON_THE_WAY = (AccessState.PLANNED, AccessState.REQUESTED, AccessState.ACCEPTED, AccessState.UNREACHABLE)
LATE = (
    "The account was suspended before this was handed over: a suspension waits a while for it, no longer. "
    "Hand it over by hand, or restore the account first."
)


class Shut(Enum):
    """Whether somebody could still come in while a suspension waits."""

    OUT = "out"  # sign-in is blocked and sessions are ended, read back
    SOON = "soon"  # that is on its way
    NOT = "not"  # it cannot be blocked, or blocking failed


def longest_wait(system: System) -> timedelta:
    """How long a suspension waits here: an hour, and less where waiting alone would make the account late."""
    return min(SUSPENSION_WAITS, timedelta(minutes=system.sla_minutes) * 2 / 3)


def hold_for_transfers(work: Carrying, changes: Sequence[Change]) -> list[Change]:
    """Hand over what has to be before these changes; those of them that need not wait for it any longer."""
    kinds = {kind.value for kind in work.session.target.transfers_before_suspension}
    concerned = [change for change in changes if _is_concerned(change)] if kinds else []
    waiting = _waiting({change.account_id for change in concerned}, kinds)
    if not waiting:
        return list(changes)
    shut = _shut(waiting)
    _note_first_due([row for pk, rows in waiting.items() if shut[pk] is not Shut.NOT for row in rows])
    now = clock.now()
    asked = [row for pk, rows in waiting.items() if shut[pk] is not Shut.SOON for row in rows]
    running.go_on(work.session, [row for row in asked if row.next_at is None or row.next_at <= now])
    waiting, since = _waiting(waiting, kinds), _since(waiting)
    held = []
    for change in concerned:
        rows = waiting.get(change.account_id, [])
        if not rows or shut[change.account_id] is Shut.NOT:
            continue
        now = clock.now()
        until = since[change.account_id] + longest_wait(change.account.system)
        if until <= now:
            _say_too_late(rows)
            continue
        # A block that was only accepted is read back in this very pass, so look again at once, once.
        pause = backoff(2) if change.next_attempt_at else timedelta(0)
        moments = [row.next_at or now + pause for row in rows]
        change.next_attempt_at = min(max(min(moments), now), until)
        what = ", ".join(row.title for row in rows)
        change.reason = f"Waits until this is handed over: {what}. At {until:%H:%M} UTC it waits no longer."
        held.append(change)
    write_rows(held, ["next_attempt_at", "reason"])
    work.held |= {change.account_id for change in held}
    return [change for change in changes if change not in held]


def _is_concerned(change: Change) -> bool:
    return (
        change.position >= position(Verb.SUSPEND)
        and change.authority not in (Authority.RESTORE, Authority.CUT)
        and change.plan.cut_id is None
        and not has_been_asked(change)
    )


def _waiting(accounts: Collection[int], kinds: Collection[str]) -> dict[int, list[Transfer]]:
    """What these accounts hand over while they live, and have not yet, by account."""
    found: dict[int, list[Transfer]] = defaultdict(list)
    if accounts:
        rows = Transfer.objects.filter(
            account__in=accounts, kind__in=kinds, state__in={TransferState.WAITING, *IN_HAND}
        )
        for row in rows.select_related("departure", "account__system"):
            found[row.account_id or 0].append(row)
    return dict(found)


def _shut(accounts: Collection[int]) -> dict[int, Shut]:
    """For each account whether somebody could still come in."""
    states: dict[int, dict[str, str]] = {pk: {} for pk in accounts}
    changes = Change.objects.filter(
        account__in=accounts, is_current=True, verb__in=(Verb.BLOCK_SIGN_IN, Verb.REVOKE_SESSIONS)
    )
    for pk, verb, state in changes.exclude(authority=Authority.NONE).values_list("account", "verb", "state"):
        states[pk][verb] = state
    return {pk: _judge(by_verb) for pk, by_verb in states.items()}


def _judge(by_verb: dict[str, str]) -> Shut:
    block = by_verb.get(Verb.BLOCK_SIGN_IN, "")
    if block in ON_THE_WAY:
        return Shut.SOON
    if block not in (AccessState.VERIFIED, AccessState.ATTESTED):
        return Shut.NOT
    return Shut.SOON if by_verb.get(Verb.REVOKE_SESSIONS) in ON_THE_WAY else Shut.OUT


def _note_first_due(rows: Sequence[Transfer]) -> None:
    new = [row for row in rows if row.first_due_at is None]
    for row in new:
        row.first_due_at = clock.now()
    write_rows(new, ["first_due_at"])


def _since(accounts: Collection[int]) -> dict[int, datetime]:
    """Since when each account's suspension has waited for anything, also for what is handed over by now."""
    rows = Transfer.objects.filter(account__in=accounts, first_due_at__isnull=False).order_by()
    return dict(rows.values_list("account").annotate(since=Min("first_due_at")))


@transaction.atomic
def _say_too_late(rows: Sequence[Transfer]) -> None:
    """The account is suspended now. What the system has begun it may still finish; its job is asked about."""
    for each in rows:
        row, now = locked(each), clock.now()
        row.proof = {**(row.proof or {}), "late": LATE}
        if row.state in running.OPEN_JOBS:
            row.save(update_fields=["proof"])
        elif row.state in (TransferState.WAITING, TransferState.REQUESTED):
            # Asked, and no answer on record: it may have been handed over or not.
            is_asked = row.state == TransferState.REQUESTED
            row.reason = LATE
            running.fail(row, TransferState.UNKNOWN if is_asked else TransferState.FAILED, now=now)


def forget_waiting(account_ids: Collection[int]) -> None:
    """These accounts live again, so that a later suspension may wait anew."""
    Transfer.objects.filter(account__in=account_ids, first_due_at__isnull=False).update(first_due_at=None)
