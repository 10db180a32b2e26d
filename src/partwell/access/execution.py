"""One system's changes, one after another: intent, call, outcome, then reading back."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

from django.db import transaction

from partwell import clock
from partwell.access import claims
from partwell.access.alerts import WAY_OUT
from partwell.access.connections import Session
from partwell.access.models import AccountRecord, Change, SystemRun
from partwell.access.outcomes import (
    keep_snapshot,
    move,
    note_reading,
    proof_as_dict,
    receipt_as_dict,
    snapshot_of,
)
from partwell.access.proposals import refresh_states
from partwell.access.states import AccessState, Authority, weakest
from partwell.connector_kit.contract import ConnectorError, ErrorKind, Proof, Receipt, Verb, Verdict
from partwell.connector_kit.plan import REPEATABLE

# How often a target is asked for one change before a person has to look.
MAX_ATTEMPTS = 6
# A target that says "done" and shows otherwise is asked this often in all.
MAX_REPEATS = 3
# Until when an accepted change has to show, where the target names no time itself.
SHOWS_WITHIN = timedelta(hours=1)
TO_DO = (AccessState.PLANNED, AccessState.REQUESTED, AccessState.UNREACHABLE, AccessState.FAILED)


def backoff(attempts: int) -> timedelta:
    """How long to wait after the given number of attempts at one change."""
    return timedelta(seconds=min(2 ** max(attempts - 1, 0), 300))


@dataclass
class Carrying:
    """One claimed run, with its open connection, and who acts as evidence names them.

    `failed` are the ids of the accounts of which something failed in this pass.
    """

    run: SystemRun
    token: str
    session: Session
    actor: str
    failed: set[int] = field(default_factory=set)

    @property
    def capabilities(self) -> Any:
        return self.session.target.capabilities


class _SystemGone(Exception):
    """The system stopped answering: what is left of this run waits."""


def carry_out(work: Carrying) -> None:
    """Do what is due among this run's changes, then read back what was accepted."""
    try:
        # Twice, because a deletion waits until everything else on its account was read back.
        for _ in range(2):
            for change in _due(work, TO_DO):
                _do(work, change)
            for change in _due(work, (AccessState.ACCEPTED,)):
                _read_back(work, change)
    except _SystemGone:
        return
    if work.run.plan.kind == "restore":
        _finish_restore(work)


def _due(work: Carrying, states: tuple[AccessState, ...]) -> list[Change]:
    now = clock.now()
    changes = (
        Change.objects.filter(
            plan=work.run.plan, account__system=work.run.system, is_current=True, state__in=states
        )
        .exclude(authority=Authority.NONE)
        .select_related("account__system", "account__departure", "plan")
        .order_by("account_id", "position", "pk")
    )
    return [
        change
        for change in changes
        if (change.next_attempt_at is None or change.next_attempt_at <= now)
        # A failed change is tried again only after `apply` was asked for again, which resets the count.
        and (change.state != AccessState.FAILED or change.attempts == 0)
    ]


def _do(work: Carrying, change: Change) -> None:
    verb = Verb(change.verb)
    has_been_asked = change.requested_at is not None and change.state in (
        AccessState.REQUESTED,
        AccessState.UNREACHABLE,
        AccessState.FAILED,
    )
    if has_been_asked and _is_done_already(work, change, verb):
        return
    if has_been_asked and verb not in REPEATABLE:
        if change.state == AccessState.FAILED:
            Change.objects.filter(pk=change.pk).update(attempts=MAX_ATTEMPTS)
            return
        reason = f"Whether the deletion was done is unknown, and it is never asked for twice. {WAY_OUT}"
        _move(work, change, AccessState.FAILED, reason=reason, attempts=MAX_ATTEMPTS)
        return
    if verb is Verb.DELETE and not _others_are_verified(change):
        return
    try:
        if change.account.snapshot is None and "snapshot" in work.capabilities:
            keep_snapshot(
                change.account,
                work.session.call(lambda connector: connector.snapshot(change.account.external_id)),
            )
    except ConnectorError as error:
        # An account that has just gone leaves nothing to restore, and is still cut and read back.
        if error.kind is not ErrorKind.NOT_FOUND:
            _put_off(work, change, error)
            return
    write_intent(work, change)
    try:
        receipt = call(work, change, verb)
    except ConnectorError as error:
        _put_off(work, change, error)
        return
    write_outcome(work, change, receipt)


def _others_are_verified(change: Change) -> bool:
    """A deletion comes last: it waits until all else on the account was read back."""
    others = Change.objects.filter(account=change.account, is_current=True).exclude(pk=change.pk)
    return not others.exclude(state=AccessState.VERIFIED).exists()


def write_intent(work: Carrying, change: Change) -> None:
    """Commit that we are about to ask, before we ask. Raises `ClaimLost`."""
    now = clock.now()
    with transaction.atomic():
        claims.renew(work.run, work.token, now=now)
        move(
            change,
            AccessState.REQUESTED,
            actor=work.actor,
            now=now,
            attempts=change.attempts + 1,
            requested_at=now,
            next_attempt_at=None,
            give_up_at=None,
        )


def call(work: Carrying, change: Change, verb: Verb) -> Receipt:
    """Ask the target. Raises `ConnectorError`."""
    external_id = change.account.external_id
    if change.authority == Authority.RESTORE:
        snapshot = snapshot_of(change.account)
        receipt: Receipt = work.session.call(lambda c: c.restore(external_id, verb, snapshot))
    else:
        receipt = work.session.call(lambda c: getattr(c, verb.value)(external_id))
    return receipt


def write_outcome(work: Carrying, change: Change, receipt: Receipt) -> None:
    """Commit what the target said."""
    now = clock.now()
    # The first answer that says "done" is kept over a later "was so before": a restore goes by it.
    kept = receipt_as_dict(receipt)
    move(
        change,
        AccessState.ACCEPTED,
        actor=work.actor,
        now=now,
        accepted_at=now,
        receipt=kept,
        give_up_at=now + SHOWS_WITHIN,
    )


def _is_done_already(work: Carrying, change: Change, verb: Verb) -> bool:
    """After an unknown outcome: whether reading shows that it was done after all."""
    if "verify" not in work.capabilities:
        return False
    try:
        proof = work.session.call(lambda c: c.verify(change.account.external_id, verb))
    except ConnectorError as error:
        _put_off(work, change, error, counts=False)
        return True
    if not _shows(change, proof):
        return False
    now = clock.now()
    note_reading(change, proof, now)
    if change.receipt is None:
        # It is ours: the intent is on record, and nobody else was asked. A restore has to know.
        change.receipt = {
            "outcome": "done",
            "summary": "The answer was lost; reading showed that it was done.",
        }
        change.save(update_fields=["receipt"])
    move(
        change,
        AccessState.VERIFIED,
        actor=work.actor,
        now=now,
        verified_at=now,
        next_attempt_at=None,
        proof=proof_as_dict(proof, now),
    )
    return True


def _shows(change: Change, proof: Proof) -> bool:
    """Whether a proof shows what the change wanted; a restore wants the opposite of the cut."""
    wanted = Verdict.FAILED if change.authority == Authority.RESTORE else Verdict.CONFIRMED
    return proof.verdict is wanted


def _put_off(work: Carrying, change: Change, error: ConnectorError, *, counts: bool = True) -> None:
    """After an error: later again, or failed for good. What the kind of error means is data."""
    now = clock.now()
    attempts = max(change.attempts, 1)
    if error.is_permanent or (counts and attempts >= MAX_ATTEMPTS):
        state, when = AccessState.FAILED, None
        reason = f"{error.message} {WAY_OUT}"
    else:
        state, when = AccessState.UNREACHABLE, now + backoff(attempts)
        reason = error.message
        if error.kind is ErrorKind.THROTTLED and error.retry_at is not None:
            when = error.retry_at
    if change.state == state == AccessState.UNREACHABLE:
        Change.objects.filter(pk=change.pk).update(next_attempt_at=when, reason=reason)
    elif not (change.state == state == AccessState.FAILED):
        _move(work, change, state, reason=reason, next_attempt_at=when)
    if state is AccessState.UNREACHABLE:
        # Its other changes would meet the same silence: they stay planned, and wait with this one.
        raise _SystemGone


def _read_back(work: Carrying, change: Change) -> None:
    verb = Verb(change.verb)
    if "verify" not in work.capabilities:
        _ask_a_person(work, change, "This connection cannot be read back: look, and attest what you see.")
        return
    while True:
        claims.renew(work.run, work.token, now=clock.now())
        try:
            proof = work.session.call(lambda c: c.verify(change.account.external_id, verb))
        except ConnectorError as error:
            _wait_for_proof(work, change, error.message, None)
            raise _SystemGone from error
        now = clock.now()
        note_reading(change, proof, now)
        kept = proof_as_dict(proof, now)
        if _shows(change, proof):
            move(
                change,
                AccessState.VERIFIED,
                actor=work.actor,
                now=now,
                verified_at=now,
                next_attempt_at=None,
                proof=kept,
            )
            return
        if proof.verdict is Verdict.UNVERIFIABLE:
            change.proof = kept
            _ask_a_person(
                work, change, f"The target cannot show this ({proof.read}): look, and attest what you see."
            )
            return
        if proof.verdict is Verdict.PENDING:
            _wait_for_proof(work, change, proof.read, proof.retry_until)
            return
        if change.attempts >= MAX_REPEATS or verb not in REPEATABLE:
            reason = f"The target said that it is done, but reading back shows: {proof.read}. {WAY_OUT}"
            _move(work, change, AccessState.FAILED, reason=reason, next_attempt_at=None, proof=kept)
            return
        write_intent(work, change)
        try:
            write_outcome(work, change, call(work, change, verb))
        except ConnectorError as error:
            _put_off(work, change, error)
            return


def _move(work: Carrying, change: Change, after: AccessState, *, reason: str, **fields: Any) -> None:
    """Move a change as this run does, and note of which account something failed."""
    move(change, after, actor=work.actor, now=clock.now(), reason=reason, **fields)
    if after == AccessState.FAILED:
        work.failed.add(change.account_id)


def _ask_a_person(work: Carrying, change: Change, reason: str) -> None:
    _move(work, change, AccessState.MANUAL, reason=reason, proof=change.proof)


def _wait_for_proof(work: Carrying, change: Change, read: str, until: datetime | None) -> None:
    """Accepted, but not seen yet: look again later, until the stated time."""
    now = clock.now()
    # The first stated time holds: a target that moves it on and on would never be called late.
    reads = int((change.proof or {}).get("reads", 0)) + 1
    give_up_at = change.give_up_at or now + SHOWS_WITHIN
    if until is not None and reads == 1:
        give_up_at = until
    if now >= give_up_at:
        reason = f"Accepted, but it did not show until the stated time: {read}. {WAY_OUT}"
        _move(work, change, AccessState.FAILED, reason=reason, next_attempt_at=None)
        return
    change.proof = {"verdict": "pending", "read": read, "read_at": now.isoformat(), "reads": reads}
    change.next_attempt_at, change.give_up_at = min(now + backoff(reads), give_up_at), give_up_at
    change.reason = read
    change.save(update_fields=["proof", "next_attempt_at", "give_up_at", "reason"])


def _finish_restore(work: Carrying) -> None:
    """An account whose every effect was put back, or never could be, is a living account again."""
    for account in AccountRecord.objects.filter(
        changes__plan=work.run.plan, system=work.run.system
    ).distinct():
        states = set(account.changes.filter(plan=work.run.plan).values_list("state", flat=True))
        if not states <= {AccessState.VERIFIED, AccessState.IMPOSSIBLE}:
            refresh_states([account])
            continue
        AccountRecord.objects.filter(pk=account.pk).update(
            state=weakest(()),
            reason="Restored; the account can be used.",
            snapshot=None,
            snapshot_taken_at=None,
        )
