"""Writing down what happened to one change: each a move, its evidence, and the account's state, together."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from django.db import transaction

from partwell.access.models import AccountRecord, Change
from partwell.access.proposals import refresh_states
from partwell.access.states import SETTLED, AccessState, check_move
from partwell.connector_kit.contract import Proof, Receipt, Snapshot, Verb, Verdict
from partwell.evidence.operations import departure_scope, record


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


def move(
    change: Change, after: AccessState, *, actor: str, now: datetime, reason: str = "", **fields: Any
) -> None:
    """Bring a change to `after`, with its evidence, in one transaction of its own or of the caller's.

    Nothing is written when the recorder of evidence refuses: no event, no move.
    """
    with transaction.atomic():
        check_move(change.state, after)
        if after in SETTLED:
            fields["came_back_at"] = None
        before, change.state, change.reason = change.state, after, reason
        for name, value in fields.items():
            setattr(change, name, value)
        change.save(update_fields=["state", "reason", *fields])
        refresh_states([change.account])
        record(
            f"access.{after}",
            scope=departure_scope(change.account.departure_id),
            actor=actor,
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
                "reason": reason,
                "attempt": change.attempts,
                "receipt": change.receipt if after == AccessState.ACCEPTED else None,
                "proof": change.proof if after in (AccessState.VERIFIED, AccessState.FAILED) else None,
            },
        )


def note_reading(change: Change, proof: Proof, now: datetime) -> None:
    """Keep what a reading showed about the account itself, so that no page shows it as it was before."""
    seen: dict[str, Any] = {"last_read_at": now}
    if proof.still_open is not None:
        seen["open_sessions"] = proof.still_open
    if change.verb == Verb.SUSPEND and proof.verdict in (Verdict.CONFIRMED, Verdict.FAILED):
        seen["is_active"] = proof.verdict is Verdict.FAILED
    AccountRecord.objects.filter(pk=change.account_id).update(**seen)


def keep_snapshot(account: AccountRecord, snapshot: Snapshot) -> None:
    """Keep the state from before our first write. A later one would hold our own changes."""
    account.snapshot = {"taken_at": snapshot.taken_at.isoformat(), "state": dict(snapshot.state)}
    account.snapshot_taken_at = snapshot.taken_at
    AccountRecord.objects.filter(pk=account.pk, snapshot__isnull=True).update(
        snapshot=account.snapshot, snapshot_taken_at=account.snapshot_taken_at
    )


def snapshot_of(account: AccountRecord) -> Snapshot:
    """The kept snapshot, as the connector gave it."""
    kept = account.snapshot or {}
    return Snapshot(datetime.fromisoformat(kept["taken_at"]), kept["state"])
