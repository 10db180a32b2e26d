"""What people say about single accounts: which is meant, that one is gone, that one cannot be cut."""

from __future__ import annotations

from collections.abc import Collection
from datetime import datetime

from partwell.access.account_states import refresh_states
from partwell.access.alerts import forget_accounts, resolve_alerts, review_accounts
from partwell.access.discovery import Answer, Found, account_from
from partwell.access.models import AccountRecord, Change, Plan, System
from partwell.access.operations.plans import lock, new_plan, record_plan, start_runs
from partwell.access.proposals import STANDING_RULE, seal, store_answer
from partwell.access.states import AccessState, AlertKind, Link, PlanKind, PlanState, check_move
from partwell.departures.models import Departure
from partwell.departures.policies import authorise
from partwell.engine.operations import poke
from partwell.evidence.operations import departure_scope, record
from partwell.people.actors import Actor, engine_actor
from partwell.people.authorisation import operation
from partwell.refusals import Conflict, Invalid


@operation("access.link")
def link_accounts(
    *, departure: Departure, system: System, external_ids: Collection[str], actor: Actor, now: datetime
) -> Plan:
    """Say which of the accounts that match in `system` are the leaver's; the others are set aside.

    The choice goes into a plan that waits for approval: the latest proposal, or a new one beside a plan
    that has been approved already. An empty choice says that none is theirs.
    """
    authorise(actor, "access.link", departure)
    lock(departure)
    unclear = {
        record.external_id: record
        for record in AccountRecord.objects.filter(
            departure=departure, system=system, state=AccessState.AMBIGUOUS
        )
    }
    if not unclear:
        raise Conflict("nothing_ambiguous", f"Nothing is unclear in {system.title} any more.")
    if strangers := set(external_ids) - set(unclear):
        raise Invalid(
            "no_such_account",
            f"{sorted(strangers)[0]!r} is not among the accounts that match in {system.title}.",
            field="external_ids",
        )
    for external_id, account in unclear.items():
        account.link = Link.OURS if external_id in external_ids else Link.NOT_OURS
        account.state, account.reason = AccessState.PLANNED, ""
        account.save()
    resolve_alerts(departure, kind=AlertKind.AMBIGUOUS, key=system.name, now=now)
    set_aside = [account for account in unclear.values() if account.link == Link.NOT_OURS]
    forget_accounts(departure.pk, set_aside, now=now)
    latest = departure.access_plans.order_by("-version").first()
    if latest is not None and latest.state == PlanState.PROPOSED:
        plan = latest
    else:
        plan = new_plan(departure, kind=PlanKind.DELTA, actor=actor, now=now, parent=latest)
        plan.requested_by_id = actor.user_id
        plan.reason = f"It was said which account in {system.title} is meant."
        plan.save()
    ours = AccountRecord.objects.filter(departure=departure, system=system).exclude(external_id="")
    matched = tuple(account_from(_values(account)) for account in ours.exclude(link=Link.NOT_OURS))
    answer = Answer(system.pk, Found.FOUND if matched else Found.NONE, matched=matched)
    is_past_end = now >= departure.access_end_at
    store_answer(plan, system, answer, now=now, rule=STANDING_RULE if is_past_end else None)
    seal(plan)
    record(
        "access.account_linked",
        scope=departure_scope(departure.pk),
        actor=actor.label,
        at=now,
        fields={
            "system": system.name,
            "system_title": system.title,
            "ours": sorted(external_ids),
            "logins": [unclear[pk].login for pk in sorted(external_ids)],
            "not_ours": sorted(set(unclear) - set(external_ids)),
        },
    )
    record_plan(plan, actor, now)
    if is_past_end and matched:
        start_runs(plan, actor=engine_actor("standing rule"), now=now, systems=[system])
    poke(departure.pk)
    return plan


def _values(account: AccountRecord) -> dict[str, object]:
    return {field.name: getattr(account, field.name) for field in account._meta.concrete_fields}


@operation("access.attest")
def attest_account(
    *, account: AccountRecord, note: str, actor: Actor, now: datetime, evidence: str = ""
) -> AccountRecord:
    """A person says that what was left to do on this account is done. It is shown as said, not as proven.

    It is about what is by hand; about everything left only where the system cannot be asked, refuses, or
    has nothing by hand. `evidence` refers to a file or a link.
    """
    return _say(account, AccessState.ATTESTED, "access.attest", note, actor, now, evidence, field="note")


@operation("access.mark_impossible")
def mark_impossible(*, account: AccountRecord, reason: str, actor: Actor, now: datetime) -> AccountRecord:
    """A person says, with the reason, that this account cannot be cut by anybody."""
    return _say(account, AccessState.IMPOSSIBLE, "access.mark_impossible", reason, actor, now, field="reason")


def _say(
    account: AccountRecord,
    state: AccessState,
    name: str,
    text: str,
    actor: Actor,
    now: datetime,
    evidence: str = "",
    *,
    field: str,
) -> AccountRecord:
    departure = account.its_departure
    authorise(actor, name, departure)
    if not text.strip():
        raise Invalid("note_missing", "Say in a sentence how you know; it becomes evidence.", field=field)
    lock(departure)
    account.refresh_from_db()
    if account.state == AccessState.AMBIGUOUS:
        raise Conflict("ambiguous", "Say first which of the matching accounts is meant.")
    left = _left_to_a_person(account, state)
    for change in left:
        check_move(change.state, state)
        change.state, change.reason, change.came_back_at = state, text.strip(), None
        change.proof = {"said_by": actor.label, "said_at": now.isoformat(), "evidence": evidence}
        change.save(update_fields=["state", "reason", "proof", "came_back_at"])
    if left:
        refresh_states([account])
    elif account.state in (AccessState.UNREACHABLE, AccessState.MANUAL):
        account.state, account.reason = state, text.strip()
        account.save(update_fields=["state", "reason"])
    else:
        raise Conflict("nothing_left", "Nothing is left to be said about this account.")
    record(
        f"access.{state}",
        scope=departure_scope(departure.pk),
        actor=actor.label,
        at=now,
        fields={
            "system": account.system.name,
            "system_title": account.system.title,
            "account": account.external_id,
            "login": account.login,
            "verbs": [change.verb for change in left],
            "note": text.strip(),
            "evidence": evidence,
        },
    )
    review_accounts(departure.pk, [account], by=actor.label, now=now)
    poke(departure.pk)
    return account


def _left_to_a_person(account: AccountRecord, state: AccessState) -> list[Change]:
    """The changes that a person's word is about.

    While the system answers, it is about what is by hand: nobody who ends open sessions thereby says that
    what Partwell has yet to cut is cut. Where asking it fails, it is about all that is left.
    """
    current = Change.objects.filter(account=account, is_current=True)
    left = [change for change in current if change.state not in (AccessState.VERIFIED, state)]
    by_hand = [change for change in left if change.state == AccessState.MANUAL]
    if account.state in (AccessState.FAILED, AccessState.UNREACHABLE) or not by_hand:
        return left
    return by_hand
