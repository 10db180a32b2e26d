"""Reading every account back, at any time."""

from __future__ import annotations

from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from partwell.access.account_states import refresh_states
from partwell.access.alerts import review_accounts
from partwell.access.bindings import is_elsewhere
from partwell.access.connections import Target, limited, open_connector, run_together, target_of
from partwell.access.models import AccountRecord, Change, System
from partwell.access.operations.plans import lock
from partwell.access.outcomes import note_readings, proof_as_dict
from partwell.access.states import AccessState, Link, PlanKind, check_move
from partwell.connector_kit.contract import ConnectorError, Proof, Verb, Verdict
from partwell.departures.models import Departure
from partwell.departures.policies import authorise
from partwell.engine.operations import poke
from partwell.evidence.operations import departure_scope, record
from partwell.people.actors import Actor
from partwell.people.authorisation import operation

ELSEWHERE = "The connection was changed after this was planned. Make a fresh plan, then read it back."


@dataclass(frozen=True)
class ReadBack:
    """What reading one change back gave: a proof, or why there is none."""

    change_id: int
    proof: Proof | None
    problem: str = ""


def verify_plan(*, departure: Departure, actor: Actor, now: datetime) -> list[ReadBack]:
    """Read all accounts of the departure afresh, whatever is on record about them.

    What was verified and is no longer so becomes failed, and is alarmed; what somebody attested becomes
    verified only by this. A system that cannot be asked changes nothing, and the result says so.
    """
    authorise(actor, "access.verify", departure)
    changes = list(
        Change.objects.filter(account__departure=departure, is_current=True)
        .exclude(verb="")
        .exclude(plan__kind=PlanKind.RESTORE)
        .exclude(account__link=Link.NOT_OURS)
        .select_related("account")
    )
    systems = {s.pk: s for s in System.objects.filter(pk__in={c.account.system_id for c in changes})}
    by_system: dict[int, list[Change]] = {}
    for change in changes:
        by_system.setdefault(change.account.system_id, []).append(change)
    read = run_together([_read(target_of(systems[pk]), rows) for pk, rows in by_system.items()])
    results = [result for rows in read for result in rows]
    _store_reads(departure=departure, results=results, actor=actor, now=now)
    return results


async def _read(target: Target, changes: list[Change]) -> list[ReadBack]:
    results = []
    problem = "" if "verify" in target.capabilities else "This system cannot be read back."
    if problem:
        return [ReadBack(change.pk, None, problem) for change in changes]
    try:
        connector: Any = open_connector(target)
    except ConnectorError as error:
        return [ReadBack(change.pk, None, error.message) for change in changes]
    for change in changes:
        if change.state != AccessState.VERIFIED and is_elsewhere(change, target.digest):
            # What another connection shows proves nothing that was not proven before.
            results.append(ReadBack(change.pk, None, ELSEWHERE))
            continue
        if not problem and change.verb in target.capabilities:
            try:
                call = connector.verify(change.account.external_id, Verb(change.verb))
                results.append(ReadBack(change.pk, await limited(call, target.time_limit_seconds)))
                continue
            except ConnectorError as error:
                problem = error.message
        results.append(ReadBack(change.pk, None, problem or "This connection cannot read that back."))
    with suppress(ConnectorError):  # what was read stays read
        await limited(connector.close(), target.time_limit_seconds)
    return results


@operation("access.verify")
def _store_reads(*, departure: Departure, results: list[ReadBack], actor: Actor, now: datetime) -> None:
    authorise(actor, "access.verify", departure)
    lock(departure)
    changes = {
        change.pk: change
        for change in Change.objects.filter(pk__in=[r.change_id for r in results]).select_related(
            "account__system"
        )
    }
    rows, worse = [], set()
    for result in results:
        change = changes[result.change_id]
        before = change.state
        if result.proof is not None:
            _take(change, result.proof, now)
        if change.state == AccessState.FAILED != before:
            worse.add(change.account_id)
        rows.append(
            {
                "system": change.account.system.name,
                "account": change.account.external_id,
                "login": change.account.login,
                "verb": change.verb,
                "before": before,
                "after": change.state,
                "read": result.proof.read if result.proof else "",
                "probe": result.proof.probe if result.proof else "",
                "problem": result.problem,
            }
        )
    touched: dict[int, AccountRecord] = {}
    for result in results:
        account = changes[result.change_id].account
        touched[account.pk] = account
    note_readings([(changes[r.change_id], r.proof) for r in results if r.proof is not None], now=now)
    refresh_states(touched.values())
    record(
        "access.read_back",
        scope=departure_scope(departure.pk),
        actor=actor.label,
        at=now,
        fields={"accounts": rows},
    )
    review_accounts(departure.pk, touched.values(), by=actor.label, now=now, worse=worse)
    poke(departure.pk)


def _take(change: Change, proof: Proof, now: datetime) -> None:
    """Move a change to where a fresh reading puts it. What is on its way keeps to its run."""
    if change.state in (AccessState.REQUESTED, AccessState.ACCEPTED):
        return
    if proof.verdict is Verdict.CONFIRMED:
        if change.state != AccessState.VERIFIED:
            change.verified_at = now
        after = AccessState.VERIFIED
        change.came_back_at, change.reason = None, ""
    elif proof.verdict is Verdict.FAILED and change.state in (AccessState.VERIFIED, AccessState.ATTESTED):
        after = AccessState.FAILED
        change.came_back_at = now
        change.reason = (
            f"Read back, and it is not so any more: {proof.read}. Make a fresh plan and cut it again."
        )
    else:
        return
    if after != change.state:
        check_move(change.state, after)
    change.state = after
    change.proof = proof_as_dict(proof, now)
    change.save(update_fields=["state", "reason", "proof", "verified_at", "came_back_at"])
