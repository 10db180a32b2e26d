"""Reading about access: plans as people and programs see them, and whether anything is left."""

from __future__ import annotations

from collections import Counter
from datetime import datetime
from typing import Any

from django.db.models import QuerySet

from partwell.access.forecasting import in_all, time_of_changes
from partwell.access.models import AccountRecord, Alert, Change, DryRun, Plan, System, SystemRun
from partwell.access.states import SETTLED, AccessState, Link, PlanKind
from partwell.access.timing import Timing, by_class, timing_of
from partwell.connector_kit.contract import Outcome
from partwell.departures.models import Departure
from partwell.departures.policies import authorise, visibility
from partwell.people.actors import Actor
from partwell.refusals import Invalid, NotFound

NO_VERB = {
    AccessState.AMBIGUOUS: "choose_account",
    AccessState.UNREACHABLE: "ask_again",
    AccessState.MANUAL: "by_hand",
}


def latest_plan(departure: Departure) -> Plan | None:
    """The newest plan of a departure, of whatever kind."""
    return Plan.objects.filter(departure=departure).order_by("-version").first()


def get_system(name: str) -> System:
    """The connected system of this name. Raises `NotFound`."""
    system = System.objects.filter(name=name).first()
    if system is None:
        raise NotFound("system")
    return system


def get_account(departure: Departure, system: System, name: str, *, actor: Actor) -> AccountRecord:
    """The leaver's account in a system by login or identifier; without a name, the only one there.

    Raises as `departures.policies.authorise`, `NotFound`, and `Invalid` when several fit.
    """
    authorise(actor, "access.view", departure)
    found = [
        account
        for account in accounts_in(departure, system)
        if not name or name in (account.external_id, account.login)
    ]
    if not found:
        raise NotFound("account")
    if len(found) > 1:
        names = ", ".join(account.external_id or account.login for account in found)
        raise Invalid("which_account", f"Say which account: {names}.", field="account")
    return found[0]


def find_account(departure: Departure, *, system: str, external_id: str) -> AccountRecord | None:
    """One account by where it is; an empty `external_id` is the system itself."""
    return AccountRecord.objects.filter(
        departure=departure, system__name=system, external_id=external_id
    ).first()


def accounts_in(departure: Departure, system: System) -> list[AccountRecord]:
    """The departure's accounts in one system, without those that a person has set aside."""
    accounts = AccountRecord.objects.filter(departure=departure, system=system).select_related("system")
    return list(accounts.exclude(link=Link.NOT_OURS))


def accounts_on_record(system: System, *, actor: Actor) -> QuerySet[AccountRecord]:
    """The accounts in one system that are in the access plans this actor may read."""
    mine = visibility(actor, prefix="departure__", to="access.view")
    return system.accounts.filter(mine).exclude(external_id="")


def live_accounts(departure: Departure) -> QuerySet[AccountRecord]:
    """Accounts that are not settled, and systems that did not answer or that a person has to look into."""
    return (
        AccountRecord.objects.filter(departure=departure)
        .exclude(state__in=SETTLED)
        .exclude(link=Link.NOT_OURS)
        .select_related("system")
    )


def is_settled(departure: Departure) -> bool:
    """Whether all access is gone, by proof or by a person's word.

    Never while an enabled system has not been asked, never with an account alive.
    """
    return not live_accounts(departure).exists() and not unasked_systems(departure)


def unasked_systems(departure: Departure) -> list[str]:
    """Enabled systems of which no plan of this departure has an answer; unknown is not "no account"."""
    answers = latest_answers(departure)
    enabled = System.objects.filter(is_enabled=True).values_list("name", flat=True)
    return [name for name in enabled if name not in answers]


def latest_answers(departure: Departure) -> dict[str, dict[str, str]]:
    """What each system said when it was last asked for a plan, by the system's name: `found`, `reason`."""
    answers: dict[str, dict[str, str]] = {}
    for given in (
        Plan.objects.filter(departure=departure)
        .exclude(kind=PlanKind.RESTORE)
        .order_by("version")
        .values_list("answers", flat=True)
    ):
        answers.update(given)
    return answers


def effects_to_restore(departure: Departure) -> list[Change]:
    """What Partwell changed in the departure's accounts and keeps the state from before of."""
    return effects_on(AccountRecord.objects.filter(departure=departure))


def effects_on(accounts: QuerySet[AccountRecord]) -> list[Change]:
    """The same of these accounts, whosever they are."""
    return [
        change
        for change in Change.objects.filter(
            account__in=accounts,
            account__snapshot__isnull=False,
            receipt__isnull=False,
            is_current=True,
        )
        .exclude(plan__kind=PlanKind.RESTORE)
        .select_related("account__system")
        if (change.receipt or {}).get("outcome") != Outcome.ALREADY_DONE
    ]


def plan_view(departure: Departure, *, actor: Actor, now: datetime) -> dict[str, Any]:
    """The latest plan with everything that is current, in at most eight queries.

    A change that an earlier plan made and nothing replaced is in it too, with that plan's version. What is
    late is so at `now`.
    """
    authorise(actor, "access.view", departure)
    plan = latest_plan(departure)
    changes = list(
        Change.objects.filter(account__departure=departure, is_current=True)
        .exclude(account__link=Link.NOT_OURS)
        .select_related("account__system", "plan")
    )
    covered = {change.account_id for change in changes}
    others = list(
        AccountRecord.objects.filter(departure=departure)
        .exclude(link=Link.NOT_OURS)
        .exclude(pk__in=covered)
        .select_related("system")
    )
    accounts = {account.pk: account for account in [*others, *(change.account for change in changes)]}
    timings = {pk: timing_of(account, departure, now=now) for pk, account in accounts.items()}
    rows = [_change_row(change, timings[change.account_id]) for change in changes]
    rows += [_account_row(account, timings[account.pk]) for account in others]
    rows.sort(key=lambda row: (row["system"], row["account"], row["position"]))
    counts = Counter(row["state"] for row in rows)
    runs = SystemRun.objects.filter(plan__departure=departure).order_by("pk").select_related("system", "plan")
    return {
        "id": None if plan is None else plan.pk,
        "version": None if plan is None else plan.version,
        "kind": None if plan is None else plan.kind,
        "state": None if plan is None else plan.state,
        "reason": "" if plan is None else plan.reason,
        "checksum": None if plan is None else plan.checksum,
        "made_by": "" if plan is None else plan.made_by,
        "made_at": None if plan is None else plan.made_at.isoformat(),
        "approved_by": "" if plan is None else plan.approved_by,
        "approved_at": None if plan is None else _iso(plan.approved_at),
        "applied_at": None if plan is None else _iso(plan.applied_at),
        "ended_at": None if plan is None else _iso(plan.ended_at),
        "systems": {} if plan is None else plan.answers,
        "runs": [
            {
                "system": run.system.name,
                "plan": run.plan.version,
                "state": run.state,
                "reason": run.reason,
                "next_at": run.next_at.isoformat() if run.next_at else None,
            }
            for run in runs
        ],
        "changes": rows,
        "counts": dict(counts),
        "is_settled": is_settled(departure),
        "access_end_at": departure.access_end_at.isoformat(),
        "takes": in_all(
            time_of_changes(rows, {a.system.name: a.system.connector for a in accounts.values()})
        ),
        "time_to_revoke": [
            found.as_dict()
            for found in by_class(
                timings[pk] for pk, account in accounts.items() if account.state != AccessState.AMBIGUOUS
            )
        ],
    }


def dry_run_view(departure: Departure, *, actor: Actor) -> dict[str, Any] | None:
    """The dry run of the latest plan; None where there is none. `is_current` says whether the plan is still
    the one that was tried."""
    authorise(actor, "access.view", departure)
    plan = latest_plan(departure)
    tried = DryRun.objects.filter(plan=plan).first() if plan else None
    if plan is None or tried is None:
        return None
    return {
        "plan": plan.version,
        "checksum": tried.checksum,
        "is_current": tried.checksum == plan.checksum,
        "made_at": tried.made_at.isoformat(),
        "made_by": tried.made_by,
        "calls": sum(row["calls"] for row in tried.systems),
        "systems": tried.systems,
    }


def _change_row(change: Change, timing: Timing) -> dict[str, Any]:
    account = change.account
    restores = change.authority == "restore"
    action = f"restore:{change.verb}" if restores else change.verb or "by_hand"
    name = account.login or account.external_id or account.system.title
    return {
        **_of_account(account, timing),
        "action": action,
        "call": f"{account.system.connector}: {action.replace('_', ' ')} {name} ({account.external_id})"
        if change.verb
        else "",
        "position": change.position,
        "state": change.state,
        "reason": change.reason,
        "plan": change.plan.version,
        "authority": change.authority,
        "reversibility": change.reversibility,
        "attempts": change.attempts,
        "next_attempt_at": _iso(change.next_attempt_at),
        "requested_at": _iso(change.requested_at),
        "accepted_at": _iso(change.accepted_at),
        "verified_at": _iso(change.verified_at),
        "proof": change.proof,
        "request_id": (change.receipt or {}).get("request_id", ""),
    }


def _account_row(account: AccountRecord, timing: Timing) -> dict[str, Any]:
    return {
        **_of_account(account, timing),
        "action": NO_VERB.get(AccessState(account.state), "none"),
        "call": "",
        "position": 99,
        "state": account.state,
        "reason": account.reason,
    }


def _of_account(account: AccountRecord, timing: Timing) -> dict[str, Any]:
    return {
        "system": account.system.name,
        "title": account.system.title,
        "sla": account.system.sla_class,
        "account": account.external_id,
        "login": account.login,
        "display_name": account.display_name,
        "matched_by": account.matched_by,
        "is_active": account.is_active,
        "is_protected": account.is_protected,
        "open_sessions": account.open_sessions,
        "entitlements": [held["name"] for held in account.entitlements],
        "last_read_at": _iso(account.last_read_at),
        **timing.as_dict(),
    }


def _iso(moment: Any) -> str | None:
    return None if moment is None else moment.isoformat()


def has_pending_runs(departure: Departure) -> bool:
    """Whether anything is being cut, or waits for a system."""
    return SystemRun.objects.filter(plan__departure=departure, state__in=("running", "waiting")).exists()


def open_alerts(actor: Actor) -> QuerySet[Alert]:
    """What people must be told, of the departures whose access this actor may read about."""
    return Alert.objects.filter(
        visibility(actor, prefix="departure__", to="access.view"), resolved_at__isnull=True
    ).select_related("departure")


def systems_list() -> list[dict[str, Any]]:
    """All connected systems, without their settings."""
    return [
        {
            "name": system.name,
            "title": system.title,
            "connector": system.connector,
            "sla": system.sla_class,
            "sla_minutes": system.sla_minutes,
            "most_accounts": system.most_accounts,
            "most_percent": system.most_percent,
            "is_enabled": system.is_enabled,
            "revision": system.revision,
        }
        for system in System.objects.all()
    ]
