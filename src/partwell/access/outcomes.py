"""Writing down what happened to changes: each a move, its evidence, and the account's state, together.

Many changes move in few statements, so that a hundred accounts cost hardly more than one.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from django.db import transaction

from partwell.access.account_states import refresh_states
from partwell.access.announcing import announce_disabled_accounts
from partwell.access.models import AccountRecord, Change
from partwell.access.states import SETTLED, AccessState, Authority, check_move
from partwell.access.transfers.receipts import forget_deleted
from partwell.connector_kit.contract import Proof, Receipt, Snapshot, Verb, Verdict
from partwell.evidence.models import Event
from partwell.evidence.operations import build, record_many
from partwell.rows import write_rows


@dataclass
class Move:
    """One change, where it goes, who acts as evidence names them, and what is written beside its state."""

    change: Change
    after: AccessState
    actor: str
    reason: str = ""
    fields: dict[str, Any] = field(default_factory=dict)


def proof_as_dict(proof: Proof, now: datetime) -> dict[str, Any]:
    """The shape in which a proof is kept."""
    return {
        "verdict": proof.verdict.value,
        "read": proof.read,
        "probe": proof.probe,
        "still_open": proof.still_open,
        "read_at": now.isoformat(),
    }


def receipt_as_dict(receipt: Receipt) -> dict[str, Any]:
    """The shape in which an answer to a write is kept; connectors have redacted it."""
    return {
        "outcome": receipt.outcome.value,
        "summary": receipt.summary,
        "request_id": receipt.request_id,
        "request": dict(receipt.request),
        "response": dict(receipt.response),
    }


def move_many(moves: Sequence[Move], *, now: datetime) -> None:
    """Bring changes to new states, with their evidence, in one transaction of its own or of the caller's.

    Nothing is written when the recorder of evidence refuses: no event, no move.
    """
    if not moves:
        return
    with transaction.atomic():
        events, names = [], {"state", "reason"}
        for each in moves:
            check_move(each.change.state, each.after)
            before, each.change.state, each.change.reason = each.change.state, each.after, each.reason
            if each.after in SETTLED:
                each.fields["came_back_at"] = None
            for name, value in each.fields.items():
                setattr(each.change, name, value)
            names |= each.fields.keys()
            events.append(_event(each, before, now))
        write_rows([each.change for each in moves], names)
        refresh_states(each.change.account for each in moves)
        record_many(events)
        deleted = [
            each.change.account
            for each in moves
            if each.after == AccessState.VERIFIED
            and each.change.verb == Verb.DELETE
            and each.change.authority != Authority.RESTORE
        ]
        forget_deleted(deleted, now=now)
        announce_disabled_accounts(
            [each.change for each in moves if each.after == AccessState.VERIFIED], now=now
        )


def _event(move: Move, before: str, now: datetime) -> Event:
    change, after = move.change, move.after
    return build(
        f"access.{after}",
        scope=change.account.scope,
        actor=move.actor,
        at=now,
        fields={
            "system": change.account.system.name,
            "system_title": change.account.system.title,
            "account": change.account.external_id,
            "login": change.account.login,
            "verb": change.verb,
            "restores": change.authority == "restore",
            "authority": change.authority,
            "before": before,
            "reason": change.reason,
            "attempt": change.attempts,
            "receipt": change.receipt if after == AccessState.ACCEPTED else None,
            "proof": change.proof if after in (AccessState.VERIFIED, AccessState.FAILED) else None,
        },
    )


def note_readings(readings: Iterable[tuple[Change, Proof]], *, now: datetime) -> None:
    """Keep what readings showed about the accounts themselves, so that no page shows them as before."""
    accounts: dict[int, AccountRecord] = {}
    for change, proof in readings:
        account = accounts.setdefault(change.account_id, change.account)
        account.last_read_at = now
        if proof.still_open is not None:
            account.open_sessions = proof.still_open
        if change.verb == Verb.SUSPEND and proof.verdict in (Verdict.CONFIRMED, Verdict.FAILED):
            account.is_active = proof.verdict is Verdict.FAILED
    write_rows(list(accounts.values()), ["last_read_at", "open_sessions", "is_active"])


def keep_snapshots(snapshots: Mapping[int, Snapshot], accounts: Mapping[int, AccountRecord]) -> None:
    """Keep the states from before our first write, by account. A later one would hold our own changes."""
    if not snapshots:
        return
    with transaction.atomic():
        lacking = AccountRecord.objects.filter(pk__in=snapshots, snapshot__isnull=True)
        without = set(lacking.values_list("pk", flat=True))
        for pk, snapshot in snapshots.items():
            account = accounts[pk]
            account.snapshot = {"taken_at": snapshot.taken_at.isoformat(), "state": dict(snapshot.state)}
            account.snapshot_taken_at = snapshot.taken_at
        write_rows([accounts[pk] for pk in snapshots if pk in without], ["snapshot", "snapshot_taken_at"])


def snapshot_of(account: AccountRecord) -> Snapshot:
    """The kept snapshot, as the connector gave it."""
    kept = account.snapshot or {}
    return Snapshot(datetime.fromisoformat(kept["taken_at"]), kept["state"])
