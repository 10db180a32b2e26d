"""Turning what systems said into accounts and changes. Called inside the operations' transactions."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Iterable
from dataclasses import asdict
from datetime import datetime
from typing import Any

from django.forms.models import model_to_dict

from partwell.access.alerts import forget_accounts
from partwell.access.connections import Target, target_of
from partwell.access.discovery import Answer, Found, Known, account_from
from partwell.access.models import AccountRecord, Change, Plan, System
from partwell.access.states import AccessState, Authority, Link, weakest
from partwell.connector_kit import plan as rules
from partwell.connector_kit.contract import Account, Outcome, Verdict
from partwell.departures.models import Departure

BY_HAND = "Look into this system by hand: remove what is there, and attest it with a note."
CARRIED = (AccessState.ATTESTED, AccessState.IMPOSSIBLE)


def known_accounts(departure: Departure) -> dict[int, Known]:
    """What is on record, per system, before systems are asked again."""
    rows: dict[int, dict[str, set[str]]] = defaultdict(
        lambda: {"ours": set(), "not": set(), "matched": set()}
    )
    for record in AccountRecord.objects.filter(departure=departure).exclude(external_id=""):
        if record.link == Link.OURS:
            rows[record.system_id]["ours"].add(record.external_id)
        elif record.link == Link.NOT_OURS:
            rows[record.system_id]["not"].add(record.external_id)
        elif record.state != AccessState.AMBIGUOUS:
            rows[record.system_id]["matched"].add(record.external_id)
    return {
        system_id: Known(frozenset(row["ours"]), frozenset(row["not"]), frozenset(row["matched"]))
        for system_id, row in rows.items()
    }


def checksum_of(answers: Iterable[tuple[Target, Answer]], *, delete_in: Collection[str] = ()) -> str:
    """The checksum of a plan that would be made of these answers."""
    return rules.checksum(
        row
        for target, answer in answers
        for account in answer.matched
        for row in _rows(target, account, delete=target.name in delete_in)
    )


def _rows(target: Target, account: Account, *, delete: bool) -> list[dict[str, Any]]:
    return [
        {
            "system": target.name,
            "account": account.external_id,
            "verb": action.verb.value,
            "expects": rules.expectation(account),
        }
        for action in rules.actions_for(account, target.capabilities, delete=delete)
        if not action.manual_reason
    ]


def seal(plan: Plan) -> None:
    """Give the plan the checksum of what it holds now."""
    plan.checksum = rules.checksum(
        {
            "system": change.account.system.name,
            "account": change.account.external_id,
            "verb": change.verb,
            "expects": change.expects,
        }
        for change in plan.changes.select_related("account__system")
        if change.verb and change.state not in (AccessState.MANUAL, *CARRIED)
    )
    plan.save(update_fields=["checksum", "answers", "reason"])


def store_answer(
    plan: Plan, system: System, answer: Answer, *, now: datetime, standing: bool = False, delete: bool = False
) -> list[Change]:
    """Write what one system said into the plan: accounts as read, and changes in place of earlier ones.

    With `standing`, what the standing rule covers may run at once. Returns the new changes.
    """
    plan.answers[system.name] = answer.as_dict()
    target = target_of(system)
    records = {
        r.external_id: r for r in AccountRecord.objects.filter(departure_id=plan.departure_id, system=system)
    }
    earlier = {
        (change.account_id, change.verb): change
        for change in Change.objects.filter(
            account__departure_id=plan.departure_id, account__system=system, is_current=True
        )
    }
    replaced = Change.objects.filter(pk__in=[change.pk for change in earlier.values()])
    replaced.filter(plan=plan).delete()
    replaced.update(is_current=False)
    matched = list(answer.matched)
    if answer.found is Found.UNREACHABLE:
        # What was known stays planned for: being unreachable makes no account disappear.
        matched = [
            account_from(model_to_dict(record))
            for record in records.values()
            if record.external_id and record.link != Link.NOT_OURS and record.state != AccessState.AMBIGUOUS
        ]
    changes: list[Change] = []
    for account in matched:
        record = _keep(plan, system, account, records, now if answer.found is not Found.UNREACHABLE else None)
        for action in rules.actions_for(account, target.capabilities, delete=delete):
            change = Change(
                plan=plan,
                account=record,
                verb=action.verb,
                position=rules.position(action.verb),
                reversibility=action.reversibility,
                expects=rules.expectation(account),
                state=AccessState.MANUAL if action.manual_reason else AccessState.PLANNED,
                reason=action.manual_reason,
            )
            if standing and not action.manual_reason:
                if rules.is_under_standing_rule(action.verb, action.reversibility):
                    change.authority = Authority.STANDING
                else:
                    change.reason = "Waits for a second person: the standing rule does not cover it."
            before = earlier.get((record.pk, action.verb))
            if action.manual_reason and before is not None and before.state in CARRIED:
                change.state, change.reason, change.proof = before.state, before.reason, before.proof
            changes.append(change)
    for account in answer.ambiguous:
        record = _keep(plan, system, account, records, now)
        record.state, record.reason = AccessState.AMBIGUOUS, answer.reason
        record.save()
    changes += _placeholder(plan, system, answer, records, earlier)
    Change.objects.bulk_create(changes)
    for external_id in answer.gone:
        record = records[external_id]
        record.state, record.reason = AccessState.VERIFIED, "Read back: there is no such account any more."
        record.is_active, record.last_read_at = None, now
        record.revoked_at = record.revoked_at or now
        record.save()
    forget_accounts(plan.departure_id, [records[pk] for pk in answer.gone], now=now)
    refresh_states([change.account for change in changes if change.account.external_id])
    return changes


def _keep(
    plan: Plan, system: System, account: Account, records: dict[str, AccountRecord], read_at: datetime | None
) -> AccountRecord:
    record = records.get(account.external_id)
    if record is None:
        record = AccountRecord(departure_id=plan.departure_id, system=system, external_id=account.external_id)
        records[account.external_id] = record
    record.login = account.login
    record.display_name = account.display_name
    record.matched_by = account.matched_by or record.matched_by
    record.is_active = account.is_active
    record.is_protected = account.is_protected
    record.open_sessions = account.open_sessions
    record.entitlements = [asdict(held) for held in account.entitlements]
    record.last_read_at = read_at or record.last_read_at
    record.reason = ""
    if record.state in (AccessState.AMBIGUOUS, ""):
        record.state = AccessState.PLANNED
    record.save()
    return record


def _placeholder(
    plan: Plan,
    system: System,
    answer: Answer,
    records: dict[str, AccountRecord],
    earlier: dict[tuple[int, str], Change],
) -> list[Change]:
    """The row that stands for a system itself, which only a person can look into or which is silent."""
    record = records.get("")
    if answer.found not in (Found.MANUAL, Found.UNREACHABLE):
        if record is not None:
            record.delete()
        return []
    if record is None:
        record = AccountRecord(departure_id=plan.departure_id, system=system)
    record.reason = answer.reason
    if answer.found is Found.UNREACHABLE:
        record.state = AccessState.UNREACHABLE
        record.save()
        return []
    record.state = AccessState.MANUAL
    record.save()
    before = earlier.get((record.pk, ""))
    change = Change(
        plan=plan, account=record, position=rules.position(""), state=AccessState.MANUAL, reason=BY_HAND
    )
    if before is not None and before.state in CARRIED:
        change.state, change.reason, change.proof = before.state, before.reason, before.proof
        record.state, record.reason = before.state, before.reason
        record.save()
    return [change]


def refresh_states(accounts: Iterable[AccountRecord]) -> None:
    """Give each account the state of the weakest of its current changes, and the time at which all of it was
    proven gone."""
    wanted = {account.pk: account for account in accounts}
    current: dict[int, list[Change]] = defaultdict(list)
    for change in Change.objects.filter(account_id__in=wanted, is_current=True).select_related("account"):
        current[change.account_id].append(change)
    for pk, account in wanted.items():
        changes = current[pk]
        state = weakest(change.state for change in changes)
        reason = next((change.reason for change in changes if change.state == state), "")
        account.state, account.reason = state, reason
        kept = changes[0].account.revoked_at if changes else account.revoked_at
        account.revoked_at = _revoked_at(kept, state, changes)
        AccountRecord.objects.filter(pk=pk).update(state=state, reason=reason, revoked_at=account.revoked_at)


def _revoked_at(kept: datetime | None, state: AccessState, changes: list[Change]) -> datetime | None:
    """When all of an account was proven gone, given when that was `kept` to be before its changes moved."""
    if any(change.authority == Authority.RESTORE for change in changes):
        return kept
    if any(_shows_access(change) for change in changes):
        return None
    if state != AccessState.VERIFIED:
        return kept
    moments = [change.verified_at for change in changes if change.verified_at is not None]
    # What was found to be so already has been so since the time that is known.
    new = [c.verified_at for c in changes if c.verified_at is not None and not _was_so_before(c)]
    return max(moments if kept is None else new, default=kept)


def _shows_access(change: Change) -> bool:
    """Whether a reading found access where it was, or had to be, gone."""
    return change.state == AccessState.FAILED and (change.proof or {}).get("verdict") == Verdict.FAILED


def _was_so_before(change: Change) -> bool:
    """Whether nothing had to be done in the system for it."""
    if change.receipt is None:
        return True
    return change.receipt.get("outcome") == Outcome.ALREADY_DONE and change.attempts <= 1
