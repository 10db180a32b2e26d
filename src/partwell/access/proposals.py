"""Turning what systems said into accounts and changes. Called inside the operations' transactions.

What one system said of many departures is written together: a cut of five hundred people asks for as many
statements as a cut of fifty.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Collection, Iterable, Sequence
from dataclasses import asdict, dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from django.forms.models import model_to_dict

from partwell.access.account_states import refresh_states
from partwell.access.alerts import forget_accounts
from partwell.access.bindings import expectation
from partwell.access.blast_guard import BlastGuard
from partwell.access.connections import Target, target_of
from partwell.access.discovery import Answer, Found, Known, account_from
from partwell.access.extras import Extras
from partwell.access.ghosts.said import said_to_be_of_leavers
from partwell.access.models import AccountRecord, Change, Plan, System
from partwell.access.states import AccessState, Authority, Link
from partwell.access.transfers.opening import is_handed_over, open_for_accounts
from partwell.access.transfers.receipts import forget_deleted
from partwell.connector_kit import plan as rules
from partwell.connector_kit.contract import Account, Verb
from partwell.departures.models import Departure
from partwell.rows import insert_values, write_rows

BY_HAND = "Look into this system by hand: remove what is there, and attest it with a note."
CARRIED = (AccessState.ATTESTED, AccessState.IMPOSSIBLE)
READ_FIELDS = (
    "login", "display_name", "matched_by", "is_active", "is_protected", "open_sessions", "entitlements",
    "last_read_at", "reason", "state",
)  # fmt: skip
NEW_FIELDS = (
    "plan_id", "account_id", "verb", "position", "reversibility", "expects", "authority", "state", "reason",
    "is_current", "attempts", "proof",
)  # fmt: skip


@dataclass(frozen=True)
class WithoutApproval:
    """A rule under which some of a plan's changes may run before anybody has approved it."""

    authority: Authority
    covers: Callable[[str, str], bool]
    waits: str


STANDING_RULE = WithoutApproval(
    Authority.STANDING,
    rules.is_under_standing_rule,
    "Waits for a second person: the standing rule does not cover it.",
)
KILL_SWITCH = WithoutApproval(
    Authority.CUT,
    rules.is_under_kill_switch,
    "Waits for a second person: it cannot be undone.",
)


def known_accounts(departure: Departure) -> dict[int, Known]:
    """What is on record, per system, before systems are asked again."""
    return {system: known for (_, system), known in known_accounts_of([departure.pk]).items()}


def known_accounts_of(departures: Collection[UUID], **where: Any) -> dict[tuple[UUID, int], Known]:
    """The same for many departures, by departure and system."""
    rows: dict[tuple[UUID, int], dict[str, set[str]]] = defaultdict(
        lambda: {"ours": set(), "not": set(), "matched": set()}
    )
    records = AccountRecord.objects.filter(departure_id__in=departures, **where).exclude(external_id="")
    for departure_id, system_id, external_id in said_to_be_of_leavers(departures, **where):
        rows[departure_id, system_id]["ours"].add(external_id)
    for record in records.only("departure_id", "system_id", "external_id", "link", "state"):
        row = rows[record.its_departure_id, record.system_id]
        if record.link == Link.OURS:
            row["ours"].add(record.external_id)
        elif record.link == Link.NOT_OURS:
            row["not"].add(record.external_id)
        elif record.state != AccessState.AMBIGUOUS:
            row["matched"].add(record.external_id)
    return {
        key: Known(frozenset(row["ours"]), frozenset(row["not"]), frozenset(row["matched"]))
        for key, row in rows.items()
    }


def checksum_of(answers: Iterable[tuple[Target, Answer]], extras: Extras) -> str:
    """The checksum of a plan that would be made of these answers."""
    return rules.checksum(
        row
        for target, answer in answers
        for account in answer.matched
        for row in _rows(target, account, asked_for=extras.verbs(target))
    )


def _rows(target: Target, account: Account, *, asked_for: Collection[Verb]) -> list[dict[str, Any]]:
    return [
        {
            "system": target.name,
            "account": account.external_id,
            "verb": action.verb.value,
            "expects": expectation(account, target),
        }
        for action in rules.actions_for(account, target.capabilities, asked_for=asked_for)
        if not action.manual_reason
    ]


def seal(plan: Plan) -> None:
    """Give the plan the checksum of what it holds now."""
    seal_all([plan])


def seal_all(plans: Sequence[Plan]) -> None:
    """`seal` for many plans at once."""
    rows: dict[int, list[dict[str, Any]]] = defaultdict(list)
    changes = (
        Change.objects.filter(plan__in=plans)
        .exclude(verb="")
        .exclude(state__in=(AccessState.MANUAL, *CARRIED))
    )
    for change in changes.select_related("account__system"):
        rows[change.plan_id].append(
            {
                "system": change.account.system.name,
                "account": change.account.external_id,
                "verb": change.verb,
                "expects": change.expects,
            }
        )
    for plan in plans:
        plan.checksum = rules.checksum(rows[plan.pk])
    write_rows(plans, ["checksum", "answers", "reason"])


def store_answer(
    plan: Plan,
    system: System,
    answer: Answer,
    *,
    now: datetime,
    rule: WithoutApproval | None = None,
    asked_for: Collection[Verb] = (),
) -> None:
    """`store_answers` for one plan."""
    store_answers([(plan, answer)], system, now=now, rule=rule, asked_for=asked_for)


def store_answers(
    answers: Sequence[tuple[Plan, Answer]],
    system: System,
    *,
    now: datetime,
    rule: WithoutApproval | None = None,
    asked_for: Collection[Verb] = (),
) -> None:
    """Write what one system said into plans, one of each departure: accounts as read, and changes in place
    of earlier ones. The plans' own rows are for the caller to seal and save.

    With a `rule`, what it covers may run at once.
    """
    writing = _Writing(system, target_of(system), [plan for plan, _ in answers], now, rule, asked_for)
    for plan, answer in answers:
        plan.answers[system.name] = answer.as_dict()
        writing.take(plan, answer)
    writing.finish()


class _Writing:
    """What is on record in one system for some departures, and what becomes of it."""

    def __init__(
        self,
        system: System,
        target: Target,
        plans: list[Plan],
        now: datetime,
        rule: WithoutApproval | None,
        asked_for: Collection[Verb],
    ) -> None:
        self.system, self.target, self.now, self.rule, self.asked_for = system, target, now, rule, asked_for
        departures = [plan.its_departure_id for plan in plans]
        self.records: dict[UUID, dict[str, AccountRecord]] = defaultdict(dict)
        for record in AccountRecord.objects.filter(departure_id__in=departures, system=system):
            self.records[record.its_departure_id][record.external_id] = record
        current = Change.objects.filter(
            account__departure_id__in=departures, account__system=system, is_current=True
        )
        self.earlier = {(change.account_id, change.verb): change for change in current}
        replaced = Change.objects.filter(pk__in=[change.pk for change in self.earlier.values()])
        replaced.filter(plan__in=plans).delete()
        replaced.update(is_current=False)
        self.guard = BlastGuard(system, plans, None if rule is None else rule.authority)
        self.read: list[AccountRecord] = []
        self.gone: list[AccountRecord] = []
        self.dropped: list[AccountRecord] = []
        self.changes: list[Change] = []
        self.to_hand_over: list[AccountRecord] = []
        self.by = {plan.its_departure_id: plan.made_by for plan in plans}

    def take(self, plan: Plan, answer: Answer) -> None:
        """What the system said of one departure."""
        records = self.records[plan.its_departure_id]
        is_fresh = answer.found is not Found.UNREACHABLE
        matched = list(answer.matched)
        if not is_fresh:
            # What was known stays planned for: being unreachable makes no account disappear.
            matched = [
                account_from(model_to_dict(record))
                for record in records.values()
                if record.external_id
                and record.link != Link.NOT_OURS
                and record.state != AccessState.AMBIGUOUS
            ]
        held = self.guard.held(plan, matched, records)
        hands_over = is_fresh and bool(self.target.transfers) and is_handed_over(plan.its_departure)
        for account in matched:
            record = self._keep(plan, account, self.now if is_fresh else None)
            if hands_over and not account.is_protected:
                self.to_hand_over.append(record)
            self.changes += [
                self._change(plan, record, account, action, held.get(account.external_id, ""))
                for action in rules.actions_for(account, self.target.capabilities, asked_for=self.asked_for)
            ]
        for account in answer.ambiguous:
            record = self._keep(plan, account, self.now)
            record.state, record.reason = AccessState.AMBIGUOUS, answer.reason
        self._placeholder(plan, answer)
        for external_id in answer.gone:
            record = records[external_id]
            record.state, record.reason = (
                AccessState.VERIFIED,
                "Read back: there is no such account any more.",
            )
            record.is_active, record.last_read_at = None, self.now
            record.revoked_at = record.revoked_at or self.now
            self.gone.append(record)

    def finish(self) -> None:
        """Write it all."""
        if self.dropped:
            AccountRecord.objects.filter(pk__in=[record.pk for record in self.dropped]).delete()
        new = [record for record in self.read if record.pk is None]
        write_rows([record for record in self.read if record.pk is not None], READ_FIELDS)
        AccountRecord.objects.bulk_create(new)
        write_rows(self.gone, ["state", "reason", "is_active", "last_read_at", "revoked_at"])
        for departure in {record.its_departure_id for record in self.gone}:
            gone = [record for record in self.gone if record.departure_id == departure]
            forget_accounts(departure, gone, now=self.now)
        forget_deleted(self.gone, now=self.now)
        for change in self.changes:
            change.account = change.account  # which has its key only now
        insert_values(
            Change, NEW_FIELDS, ([getattr(change, name) for name in NEW_FIELDS] for change in self.changes)
        )
        open_for_accounts(self.to_hand_over, self.target, by=self.by, now=self.now)
        refresh_states(change.account for change in self.changes if change.account.external_id)
        self.guard.tell(self.now)

    def _keep(self, plan: Plan, account: Account, read_at: datetime | None) -> AccountRecord:
        records = self.records[plan.its_departure_id]
        record = records.get(account.external_id)
        if record is None:
            record = AccountRecord(
                departure_id=plan.departure_id, system=self.system, external_id=account.external_id
            )
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
        self.read.append(record)
        return record

    def _change(
        self, plan: Plan, record: AccountRecord, account: Account, action: rules.Action, waits: str
    ) -> Change:
        change = Change(
            plan=plan,
            account=record,
            verb=action.verb,
            position=rules.position(action.verb),
            reversibility=action.reversibility,
            expects=expectation(account, self.target),
            state=AccessState.MANUAL if action.manual_reason else AccessState.PLANNED,
            reason=action.manual_reason,
        )
        if self.rule is not None and not action.manual_reason:
            if not waits and self.rule.covers(action.verb, action.reversibility):
                change.authority = self.rule.authority
            else:
                change.reason = waits or self.rule.waits
        if action.manual_reason:
            self._carry(change)
        return change

    def _carry(self, change: Change) -> None:
        """What a person has said about the same task stays said."""
        before = self.earlier.get((change.account.pk, change.verb)) if change.account.pk else None
        if before is not None and before.state in CARRIED:
            change.state, change.reason, change.proof = before.state, before.reason, before.proof

    def _placeholder(self, plan: Plan, answer: Answer) -> None:
        """The row that stands for a system itself, which only a person can look into or which is silent."""
        record = self.records[plan.its_departure_id].get("")
        if answer.found not in (Found.MANUAL, Found.UNREACHABLE):
            if record is not None:
                self.dropped.append(record)
            return
        if record is None:
            record = AccountRecord(departure_id=plan.departure_id, system=self.system)
        record.reason = answer.reason
        self.read.append(record)
        if answer.found is Found.UNREACHABLE:
            record.state = AccessState.UNREACHABLE
            return
        record.state = AccessState.MANUAL
        change = Change(
            plan=plan, account=record, position=rules.position(""), state=AccessState.MANUAL, reason=BY_HAND
        )
        self._carry(change)
        if change.state in CARRIED:
            record.state, record.reason = change.state, change.reason
        self.changes.append(change)
