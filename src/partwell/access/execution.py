"""Carrying out one system's changes, many accounts at a time: verb after verb, then reading back.

What the accounts need is written down together, and asked of the target side by side, as far as it takes
calls at once.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import groupby
from typing import Any

from django.db.models import Q

from partwell import clock
from partwell.access import readings
from partwell.access.account_states import refresh_states
from partwell.access.alerts import WAY_OUT
from partwell.access.asking import (
    MAX_ATTEMPTS,
    Carrying,
    SystemGone,
    ask,
    check_system_answers,
    has_been_asked,
    put_off,
)
from partwell.access.bindings import is_elsewhere
from partwell.access.models import AccountRecord, Change, SystemRun
from partwell.access.outcomes import Move, keep_snapshots
from partwell.access.states import AccessState, Authority, PlanKind, weakest
from partwell.access.transfers.before_suspension import forget_waiting, hold_for_transfers
from partwell.access.transfers.receipts import leave_what_waits_for_receipts
from partwell.connector_kit.contract import ConnectorError, ErrorKind, Verb
from partwell.connector_kit.plan import ASKED_FOR, REPEATABLE
from partwell.rows import write_rows

# How many accounts move together. More would make one write hold up all the others for longer.
BATCH = 50
# A batch takes no more rounds of calls than this, so that claims stay short.
ROUNDS = 4
TO_DO = (AccessState.PLANNED, AccessState.REQUESTED, AccessState.UNREACHABLE, AccessState.FAILED)
ELSEWHERE = (
    "The connection was changed after this was asked for, and may lead to another server. Look at it, then "
    "try again what failed."
)


def stop_what_is_elsewhere(work: Carrying) -> None:
    """Let what is put back without asking the system afresh fail where it was asked for by another
    connection."""
    restoring = [plan for plan, run in work.runs.items() if run.plan.kind == PlanKind.RESTORE]
    if not restoring:
        return
    digest = work.session.target.digest
    moves = [
        Move(
            change,
            AccessState.FAILED,
            work.actor(change),
            ELSEWHERE,
            {"attempts": max(change.attempts, 1), "next_attempt_at": None},
        )
        for change in due(work, (*TO_DO, AccessState.ACCEPTED), at_any_time=True)
        if change.plan_id in restoring and is_elsewhere(change, digest)
    ]
    work.move(moves, now=clock.now())


def carry_out_first(work: Carrying) -> None:
    """Do the first change of each account that is due, such as blocking the sign-in, and nothing after it."""
    try:
        for batch in _batches(work, due(work, TO_DO, only_first=True)):
            _do(work, batch)
    except SystemGone:
        return


def carry_out(work: Carrying) -> None:
    """Do what is due among these runs' changes, then read back what was accepted."""
    try:
        _do_and_read_back(work)
        # Again for each verb that waits until everything before it on its account was read back, and where a
        # suspension has waited until a blocked sign-in was.
        last = Change.objects.filter(plan__in=list(work.runs), verb__in=ASKED_FOR, state__in=TO_DO)
        for _ in range(len(set(last.values_list("verb", flat=True))) + bool(work.held)):
            _do_and_read_back(work)
    except SystemGone:
        return
    for plan_id, run in work.runs.items():
        if run.plan.kind == PlanKind.RESTORE:
            _finish_restore(plan_id, run)


def _do_and_read_back(work: Carrying) -> None:
    for batch in _batches(work, due(work, TO_DO)):
        _do(work, batch)
    for batch in _batches(work, due(work, (AccessState.ACCEPTED,))):
        readings.read_back(work, batch)


def due(
    work: Carrying,
    states: tuple[AccessState, ...],
    *,
    at_any_time: bool = False,
    only_first: bool = False,
) -> list[Change]:
    """This system's changes that may be carried out now, or at any time, in the order of their verbs; of each
    account all, or only the first."""
    if not work.runs:
        return []
    now = clock.now()
    system = next(iter(work.runs.values())).system
    changes = Change.objects.filter(
        plan__in=list(work.runs), account__system=system, is_current=True, state__in=states
    ).exclude(authority=Authority.NONE)
    # A failed change is tried again only after `apply` was asked for again, which resets the count.
    changes = changes.exclude(state=AccessState.FAILED, attempts__gt=0)
    if not at_any_time:
        changes = changes.filter(Q(next_attempt_at__isnull=True) | Q(next_attempt_at__lte=now))
    changes = changes.order_by("position", "account_id", "pk")
    if only_first:
        # Keys before rows: of four changes to an account three are not looked at now.
        keys = changes.values_list("account_id", "pk")
        first = dict(reversed(list(keys)))
        changes = changes.filter(pk__in=list(first.values()))
    found = list(changes)
    # One object for each account, so that what one change learns of it the next one knows.
    accounts = AccountRecord.objects.in_bulk({change.account_id for change in found})
    for change in found:
        change.account = accounts[change.account_id]
        change.account.system, change.plan = system, work.runs[change.plan_id].plan
    return found


def _batches(work: Carrying, changes: Sequence[Change]) -> Iterator[list[Change]]:
    """Verb after verb, so many accounts at once."""
    size = min(BATCH, work.session.target.at_once * ROUNDS)
    for _, same_verb in groupby(changes, key=lambda change: change.position):
        rows = list(same_verb)
        for start in range(0, len(rows), size):
            yield rows[start : start + size]


def _do(work: Carrying, changes: list[Change]) -> None:
    """Carry out one verb on several accounts, as far as it comes now. Raises `SystemGone`."""
    changes = work.hold([change for change in changes if change.account_id not in work.silent])
    changes = readings.leave_what_is_done(work, changes)
    changes = _leave_what_must_not_be_repeated(work, changes)
    changes = _leave_what_comes_last(changes)
    changes = leave_what_waits_for_receipts(changes)
    changes = hold_for_transfers(work, changes)
    changes = _with_snapshots(work, changes)
    ask(work, changes)


def _leave_what_must_not_be_repeated(work: Carrying, changes: Sequence[Change]) -> list[Change]:
    """A deletion whose outcome is unknown is a person's to judge; the others go on."""
    stay = [c for c in changes if has_been_asked(c) and Verb(c.verb) not in REPEATABLE]
    failed = [change for change in stay if change.state == AccessState.FAILED]
    for change in failed:
        change.attempts = MAX_ATTEMPTS
    write_rows(failed, ["attempts"])
    work.move(
        [
            Move(
                change,
                AccessState.FAILED,
                work.actor(change),
                f"Whether the deletion was done is unknown, and it is never asked for twice. {WAY_OUT}",
                {"attempts": MAX_ATTEMPTS},
            )
            for change in stay
            if change not in failed
        ],
        now=clock.now(),
    )
    return [change for change in changes if change not in stay]


def _leave_what_comes_last(changes: Sequence[Change]) -> list[Change]:
    """A licence is released, and an account deleted, only after all before it on the account was read back:
    data may go with either."""
    last = [change for change in changes if change.verb in ASKED_FOR]
    if not last:
        return list(changes)
    unread: dict[int, int] = {}
    others = Change.objects.filter(account__in=[c.account_id for c in last], is_current=True)
    for account_id, where in others.exclude(state=AccessState.VERIFIED).values_list("account_id", "position"):
        unread[account_id] = min(where, unread.get(account_id, where))
    waiting = {
        change.pk for change in last if unread.get(change.account_id, change.position) < change.position
    }
    return [change for change in changes if change.pk not in waiting]


def _with_snapshots(work: Carrying, changes: Sequence[Change]) -> list[Change]:
    """Keep the state from before the first write; a change whose account cannot be read waits."""
    accounts = {c.account_id: c.account for c in changes if c.account.snapshot is None}
    if "snapshot" not in work.capabilities or not accounts:
        return list(changes)
    ids = list(accounts)
    answers = work.session.call_all([_snapshot_call(accounts[pk].external_id) for pk in ids])
    taken, refused = {}, {}
    for pk, answer in zip(ids, answers, strict=True):
        if not isinstance(answer, ConnectorError):
            taken[pk] = answer
        # An account that has just gone leaves nothing to restore, and is still cut and read back.
        elif answer.kind is not ErrorKind.NOT_FOUND:
            refused[pk] = answer
    keep_snapshots(taken, accounts)
    put_off(work, [(c, refused[c.account_id]) for c in changes if c.account_id in refused])
    check_system_answers(work, answers)
    return [change for change in changes if change.account_id not in refused]


def _snapshot_call(external_id: str) -> Any:
    return lambda connector: connector.snapshot(external_id)


def _finish_restore(plan_id: int, run: SystemRun) -> None:
    """An account whose every effect was put back, or never could be, is a living account again."""
    for account in AccountRecord.objects.filter(changes__plan=plan_id, system=run.system).distinct():
        states = set(account.changes.filter(plan=plan_id).values_list("state", flat=True))
        if not states <= {AccessState.VERIFIED, AccessState.IMPOSSIBLE}:
            refresh_states([account])
            continue
        AccountRecord.objects.filter(pk=account.pk).update(
            state=weakest(()),
            reason="Restored; the account can be used.",
            snapshot=None,
            snapshot_taken_at=None,
        )
        forget_waiting([account.pk])
