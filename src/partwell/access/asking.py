"""Asking a target for changes to accounts: the intent on record before, its answer after.

A crash between the two leaves an intent without an outcome, which the next attempt reads back before it asks
again.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

from django.db import transaction

from partwell import clock
from partwell.access import claims
from partwell.access.alerts import WAY_OUT
from partwell.access.connections import Session
from partwell.access.models import Change, SystemRun
from partwell.access.outcomes import Move, move_many, receipt_as_dict, snapshot_of
from partwell.access.states import AccessState, Authority
from partwell.connector_kit.contract import ConnectorError, ErrorKind, Receipt, Verb
from partwell.rows import write_rows

# How often a target is asked for one change before a person has to look.
MAX_ATTEMPTS = 6
# Until when an accepted change has to show, where the target names no time itself.
SHOWS_WITHIN = timedelta(hours=1)


def backoff(attempts: int) -> timedelta:
    """How long to wait after the given number of attempts at one change."""
    return timedelta(seconds=min(2 ** max(attempts - 1, 0), 300))


@dataclass
class Carrying:
    """Claimed runs of one system, by plan, with the open connection and who acts, as evidence names them.

    `silent` are accounts that the target did not answer for: their other changes wait with that one.
    `failed` are those of which something failed in this pass, `held` those whose suspension has waited for a
    hand-over.
    """

    runs: dict[int, SystemRun]
    token: str
    session: Session
    actors: dict[int, str]
    silent: set[int] = field(default_factory=set)
    failed: set[int] = field(default_factory=set)
    held: set[int] = field(default_factory=set)

    @property
    def capabilities(self) -> Any:
        return self.session.target.capabilities

    def actor(self, change: Change) -> str:
        """Who acts when this change is carried out."""
        return self.actors[change.plan_id]

    def move(self, moves: Sequence[Move], *, now: datetime) -> None:
        """`move_many`, noting of which accounts something failed."""
        move_many(moves, now=now)
        self.failed |= {each.change.account_id for each in moves if each.after is AccessState.FAILED}

    def hold(self, changes: Sequence[Change]) -> list[Change]:
        """Renew the claims for one round of calls; the changes that are still ours to carry out."""
        plans = {change.plan_id for change in changes} & self.runs.keys()
        target = self.session.target
        held = claims.renew(
            [self.runs[plan] for plan in plans],
            self.token,
            seconds=target.time_limit_seconds * max(math.ceil(len(changes) / target.at_once), 1),
            now=clock.now(),
        )
        lost = {plan for plan in plans if self.runs[plan].pk not in held}
        self.runs = {plan: run for plan, run in self.runs.items() if plan not in lost}
        return [change for change in changes if change.plan_id in self.runs]


class SystemGone(Exception):
    """The system stopped answering: what is left waits."""


def has_been_asked(change: Change) -> bool:
    """Whether the target was asked before and what came of it may be unknown."""
    return change.requested_at is not None and change.state in (
        AccessState.REQUESTED,
        AccessState.UNREACHABLE,
        AccessState.FAILED,
    )


def ask(work: Carrying, changes: Sequence[Change]) -> list[Change]:
    """Commit that we are about to ask, ask, commit what the target said; those to which it said yes."""
    with transaction.atomic():
        changes = write_intents(work, changes)
    if not changes:
        return []
    answers = call(work, changes)
    write_outcomes(work, [(c, a) for c, a in zip(changes, answers, strict=True) if isinstance(a, Receipt)])
    put_off(work, [(c, a) for c, a in zip(changes, answers, strict=True) if isinstance(a, ConnectorError)])
    check_system_answers(work, answers)
    return [change for change in changes if change.state == AccessState.ACCEPTED]


def write_intents(work: Carrying, changes: Sequence[Change]) -> list[Change]:
    """Write, in the caller's transaction, that these are about to be asked for; those that are still ours."""
    changes, now = work.hold(changes), clock.now()
    work.move(
        [
            Move(
                change,
                AccessState.REQUESTED,
                work.actor(change),
                fields={
                    "attempts": change.attempts + 1,
                    "requested_at": now,
                    "next_attempt_at": None,
                    "give_up_at": None,
                },
            )
            for change in changes
        ],
        now=now,
    )
    return changes


def call(work: Carrying, changes: Sequence[Change]) -> list[Receipt | ConnectorError]:
    """Ask the target for each of these."""
    return work.session.call_all([_call_for(change) for change in changes])


def _call_for(change: Change) -> Any:
    external_id, verb = change.account.external_id, Verb(change.verb)
    if change.authority == Authority.RESTORE:
        snapshot = snapshot_of(change.account)
        return lambda connector: connector.restore(external_id, verb, snapshot)
    return lambda connector: getattr(connector, verb.value)(external_id)


def write_outcomes(work: Carrying, answered: Sequence[tuple[Change, Receipt]]) -> None:
    """Commit what the target said yes to."""
    now = clock.now()
    work.move(
        [
            Move(
                change,
                AccessState.ACCEPTED,
                work.actor(change),
                fields={
                    "accepted_at": now,
                    "receipt": receipt_as_dict(receipt),
                    "give_up_at": now + SHOWS_WITHIN,
                },
            )
            for change, receipt in answered
        ],
        now=now,
    )


def put_off(work: Carrying, failed: Sequence[tuple[Change, ConnectorError]], *, counts: bool = True) -> None:
    """After errors: later again, or failed for good. What the kind of an error means is data."""
    now, moves, later = clock.now(), [], []
    for change, error in failed:
        attempts = max(change.attempts, 1)
        if error.is_permanent or (counts and attempts >= MAX_ATTEMPTS):
            if change.state != AccessState.FAILED:
                moves.append(
                    Move(
                        change,
                        AccessState.FAILED,
                        work.actor(change),
                        f"{error.message} {WAY_OUT}",
                        {"next_attempt_at": None},
                    )
                )
            continue
        when = now + backoff(attempts)
        if error.kind is ErrorKind.THROTTLED and error.retry_at is not None:
            when = error.retry_at
        work.silent.add(change.account_id)
        if change.state == AccessState.UNREACHABLE:
            change.next_attempt_at, change.reason = when, error.message
            later.append(change)
        else:
            fields = {"next_attempt_at": when}
            moves.append(Move(change, AccessState.UNREACHABLE, work.actor(change), error.message, fields))
    write_rows(later, ["next_attempt_at", "reason"])
    work.move(moves, now=now)


def check_system_answers(work: Carrying, answers: Sequence[object]) -> None:
    """Raise `SystemGone` where nothing but silence came back: the rest would meet the same."""
    if answers and all(isinstance(a, ConnectorError) and not a.is_permanent for a in answers):
        raise SystemGone
