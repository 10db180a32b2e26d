"""Reading back what a target was asked for: what it shows, not what it said."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Any

from partwell import clock
from partwell.access.alerts import WAY_OUT
from partwell.access.asking import (
    SHOWS_WITHIN,
    Carrying,
    ask,
    backoff,
    check_system_answers,
    has_been_asked,
    put_off,
)
from partwell.access.models import Change
from partwell.access.outcomes import Move, note_readings, proof_as_dict
from partwell.access.states import AccessState, Authority
from partwell.connector_kit.contract import ConnectorError, Proof, Verb, Verdict
from partwell.connector_kit.plan import REPEATABLE
from partwell.rows import write_rows

# A target that says "done" and shows otherwise is asked this often in all.
MAX_REPEATS = 3
CANNOT_READ = "This connection cannot be read back: look, and attest what you see."
LOST_ANSWER = {"outcome": "done", "summary": "The answer was lost; reading showed that it was done."}


def leave_what_is_done(work: Carrying, changes: Sequence[Change]) -> list[Change]:
    """Read those that were asked for before and settle the ones that were done after all; the others."""
    again = [change for change in changes if has_been_asked(change)]
    if not again or "verify" not in work.capabilities:
        return list(changes)
    read = _read(work, again)
    now, moves, settled = clock.now(), [], set()
    failed = []
    for change, proof in read:
        if isinstance(proof, ConnectorError):
            failed.append((change, proof))
            settled.add(change.pk)
        elif _shows(change, proof):
            settled.add(change.pk)
            fields = {"verified_at": now, "next_attempt_at": None, "proof": proof_as_dict(proof, now)}
            if change.receipt is None:
                # It is ours: the intent is on record, and nobody else was asked. A restore has to know.
                fields["receipt"] = dict(LOST_ANSWER)
            moves.append(Move(change, AccessState.VERIFIED, work.actor(change), fields=fields))
    done = {move.change.pk for move in moves}
    note_readings([(c, p) for c, p in read if isinstance(p, Proof) and c.pk in done], now=now)
    work.move(moves, now=now)
    put_off(work, failed, counts=False)
    check_system_answers(work, [proof for _, proof in read])
    return [change for change in changes if change.pk not in settled]


def read_back(work: Carrying, changes: Sequence[Change]) -> None:
    """Read what was accepted. What a target said and does not show is asked for again, a few times."""
    if "verify" not in work.capabilities:
        _ask_people(work, [(change, CANNOT_READ) for change in changes])
        return
    waiting = [change for change in changes if change.account_id not in work.silent]
    while waiting := work.hold(waiting):
        waiting = ask(work, _judge(work, _read(work, waiting)))


def _judge(work: Carrying, read: Sequence[tuple[Change, Proof | ConnectorError]]) -> list[Change]:
    """Write down what each reading means; those that have to be asked for again."""
    now = clock.now()
    moves: list[Move] = []
    people: list[tuple[Change, str]] = []
    pending: list[tuple[Change, str, datetime | None]] = []
    repeat: list[Change] = []
    note_readings([(change, proof) for change, proof in read if isinstance(proof, Proof)], now=now)
    for change, proof in read:
        if isinstance(proof, ConnectorError):
            work.silent.add(change.account_id)
            pending.append((change, proof.message, None))
            continue
        kept = proof_as_dict(proof, now)
        if _shows(change, proof):
            fields: dict[str, Any] = {"verified_at": now, "next_attempt_at": None, "proof": kept}
            moves.append(Move(change, AccessState.VERIFIED, work.actor(change), fields=fields))
        elif proof.verdict is Verdict.UNVERIFIABLE:
            change.proof = kept
            why = f"The target cannot show this ({proof.read}): look, and attest what you see."
            people.append((change, why))
        elif proof.verdict is Verdict.PENDING:
            pending.append((change, proof.read, proof.retry_until))
        elif change.attempts < MAX_REPEATS and Verb(change.verb) in REPEATABLE:
            repeat.append(change)
        else:
            why = f"The target said that it is done, but reading back shows: {proof.read}."
            fields = {"next_attempt_at": None, "proof": kept}
            moves.append(Move(change, AccessState.FAILED, work.actor(change), f"{why} {WAY_OUT}", fields))
    work.move(moves, now=now)
    _ask_people(work, people)
    _wait_for_proofs(work, pending)
    check_system_answers(work, [proof for _, proof in read])
    return repeat


def _read(work: Carrying, changes: Sequence[Change]) -> list[tuple[Change, Proof | ConnectorError]]:
    answers: list[Proof | ConnectorError] = work.session.call_all(
        [_verify_call(change.account.external_id, Verb(change.verb)) for change in changes]
    )
    return list(zip(changes, answers, strict=True))


def _verify_call(external_id: str, verb: Verb) -> Any:
    return lambda connector: connector.verify(external_id, verb)


def _shows(change: Change, proof: Proof) -> bool:
    """Whether a proof shows what the change wanted; a restore wants the opposite of the cut."""
    wanted = Verdict.FAILED if change.authority == Authority.RESTORE else Verdict.CONFIRMED
    return proof.verdict is wanted


def _ask_people(work: Carrying, changes: Sequence[tuple[Change, str]]) -> None:
    work.move(
        [
            Move(change, AccessState.MANUAL, work.actor(change), why, {"proof": change.proof})
            for change, why in changes
        ],
        now=clock.now(),
    )


def _wait_for_proofs(work: Carrying, pending: Sequence[tuple[Change, str, datetime | None]]) -> None:
    """Accepted, but not seen yet: look again later, until the stated time."""
    now, moves, later = clock.now(), [], []
    for change, read, until in pending:
        # The first stated time holds: a target that moves it on and on would never be called late.
        reads = int((change.proof or {}).get("reads", 0)) + 1
        give_up_at = change.give_up_at or now + SHOWS_WITHIN
        if until is not None and reads == 1:
            give_up_at = until
        if now >= give_up_at:
            why = f"Accepted, but it did not show until the stated time: {read}. {WAY_OUT}"
            moves.append(Move(change, AccessState.FAILED, work.actor(change), why, {"next_attempt_at": None}))
            continue
        change.proof = {"verdict": "pending", "read": read, "read_at": now.isoformat(), "reads": reads}
        pause: timedelta = backoff(reads)
        change.next_attempt_at, change.give_up_at = min(now + pause, give_up_at), give_up_at
        change.reason = read
        later.append(change)
    write_rows(later, ["proof", "next_attempt_at", "give_up_at", "reason"])
    work.move(moves, now=now)
