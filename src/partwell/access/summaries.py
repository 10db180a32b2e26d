"""What other rooms and pages say about a departure's access, in one line or a few figures."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any
from uuid import UUID

from django.db.models import Count

from partwell.access.credentials.rotations import unsettled
from partwell.access.models import (
    AccountRecord,
    Alert,
    Change,
    CredentialRotation,
    Plan,
    System,
    Transfer,
)
from partwell.access.queries import is_settled
from partwell.access.states import SETTLED, AccessState, AlertKind, Link, PlanKind, PlanState
from partwell.access.transfers import opening
from partwell.departures.models import Departure


@dataclass(frozen=True)
class Overview:
    """A departure's access at a glance: the newest plan, one sentence, accounts per state."""

    plan_version: int | None
    summary: str
    counts: dict[str, int] = field(default_factory=dict)


@dataclass(frozen=True)
class Picture:
    """All of a departure's access that a page says, read in five queries."""

    accounts: list[AccountRecord]
    plans: list[Plan]
    enabled: list[str]
    rotations: list[CredentialRotation]
    transfers: list[Transfer]

    @property
    def overview(self) -> Overview:
        """One sentence that never says more than was read back."""
        if not self.plans:
            return Overview(None, "No plan yet: no system has been asked what they have.")
        return _say(self.plans[-1].version, Counter(account.state for account in self.accounts))

    @property
    def live(self) -> list[dict[str, str]]:
        """What is alive or unknown: accounts, and systems that nobody has asked yet."""
        rows = [
            {
                "account": account.login or account.external_id or "not asked",
                "system": account.system.title,
                "state": AccessState(account.state).value,
            }
            for account in self.accounts
            if not account.is_settled
        ]
        asked = {name for plan in self.plans if plan.kind != PlanKind.RESTORE for name in plan.answers}
        return rows + [
            {"account": "not asked", "system": name, "state": "unknown"}
            for name in self.enabled
            if name not in asked
        ]

    @property
    def secrets(self) -> list[dict[str, str]]:
        """Shared secrets that the leaver knows and that nobody has settled yet."""
        return [
            {
                "id": str(rotation.pk),
                "credential": rotation.credential.name,
                "state": rotation.state.replace("_", " "),
            }
            for rotation in self.rotations
        ]

    @property
    def handovers(self) -> list[dict[str, str]]:
        """What is handed over, and nobody has accepted yet or said that it is not needed."""
        return [
            {"id": str(each.pk), "what": str(each), "state": each.state.replace("_", " ")}
            for each in self.transfers
        ]


def picture(departure: Departure) -> Picture:
    """The accounts of a departure, its plans in the order of versions, the systems to be asked, the shared
    secrets that have still to be changed, and what has still to be handed over."""
    accounts = AccountRecord.objects.filter(departure=departure).exclude(link=Link.NOT_OURS)
    return Picture(
        accounts=list(accounts.select_related("system")),
        plans=list(Plan.objects.filter(departure=departure).order_by("version")),
        enabled=list(System.objects.filter(is_enabled=True).values_list("name", flat=True)),
        rotations=unsettled(departure),
        transfers=opening.unsettled(departure),
    )


def _say(version: int, states: Counter[str]) -> Overview:
    total, settled = sum(states.values()), sum(n for state, n in states.items() if state in SETTLED)
    if not total:
        return Overview(version, "Every system was asked, and none knows them.")
    verified = states[AccessState.VERIFIED]
    if settled < total:
        said = f"{total} account{'s' if total > 1 else ''}, {verified} proven closed."
        return Overview(version, said, dict(sorted(states.items())))
    if verified < total:
        said = f"{verified} of {total} accounts are proven closed; the rest is attested or explained."
        return Overview(version, said)
    return Overview(version, f"All {total} accounts are proven closed.")


@dataclass(frozen=True)
class AtAGlance:
    """A departure's access in a list: how it stands (`AccessState`, `approval` or `none`), in two or three
    words and a line more."""

    state: str
    said: str
    more: str = ""


def at_a_glance(departure_ids: Iterable[UUID]) -> dict[UUID, AtAGlance]:
    """Access of each of these departures for a list, in one query whatever their number."""
    ids = list(departure_ids)
    newest: dict[UUID, tuple[int, str]] = {}
    counted: dict[UUID, Counter[str]] = {pk: Counter() for pk in ids}
    # Each plan comes with the departure's accounts, in the order of versions: the last one stays.
    rows = (
        Plan.objects.filter(departure_id__in=ids)
        .values_list(
            "departure_id",
            "version",
            "state",
            "departure__access_accounts__state",
            "departure__access_accounts__link",
        )
        .annotate(count=Count("departure__access_accounts__pk"))
        .order_by("departure_id", "version")
    )
    for departure_id, version, plan_state, state, link, count in rows:
        if newest.get(departure_id, (0, ""))[0] != version:
            newest[departure_id], counted[departure_id] = (version, plan_state), Counter()
        if state is not None and link != Link.NOT_OURS:
            counted[departure_id][state] += count
    return {pk: _glance(newest.get(pk, (0, None))[1], counted[pk]) for pk in ids}


def _glance(plan_state: str | None, states: Counter[str]) -> AtAGlance:
    total, settled = sum(states.values()), sum(n for state, n in states.items() if state in SETTLED)
    if plan_state is None:
        return AtAGlance("none", "Plan not made yet")
    if plan_state == PlanState.PROPOSED:
        return AtAGlance("approval", "Needs approval", f"{total} accounts")
    for trouble in (AccessState.FAILED, AccessState.UNREACHABLE):
        if states[trouble]:
            return AtAGlance(trouble, f"{states[trouble]} of {total} {trouble}", f"{settled} settled")
    if plan_state == PlanState.APPROVED:
        return AtAGlance(AccessState.PLANNED, "Ready to run", f"{total} accounts")
    if settled < total:
        return AtAGlance(AccessState.ACCEPTED, f"{settled} of {total} settled")
    if states[AccessState.VERIFIED] == total:
        return AtAGlance(AccessState.VERIFIED, f"{total} of {total} verified")
    return AtAGlance(
        AccessState.ATTESTED, f"{total} of {total} settled", f"{states[AccessState.VERIFIED]} verified"
    )


def with_plan(departure_ids: Iterable[UUID]) -> set[UUID]:
    """Those of these departures for which an access plan was made, whatever became of it. One query."""
    plans = Plan.objects.filter(departure_id__in=list(departure_ids)).order_by()
    return set(plans.values_list("departure_id", flat=True).distinct())


def settled_summary(departure: Departure) -> str | None:
    """What was proven, once all access is settled after a plan was applied; None before.

    "No account anywhere" also needs an applied or standing plan: a proposal proves nothing.
    """
    newest = (
        Plan.objects.filter(departure=departure).exclude(kind=PlanKind.RESTORE).order_by("-version").first()
    )
    if newest is None or newest.applied_at is None or newest.ended_at is None or not is_settled(departure):
        return None
    return picture(departure).overview.summary


def approval_summary(departure: Departure) -> str | None:
    """Who approved the newest plan, or None while it waits for a second person."""
    plan = (
        Plan.objects.filter(departure=departure).exclude(kind=PlanKind.RESTORE).order_by("-version").first()
    )
    if plan is None or plan.approved_at is None:
        return None
    return f"Plan {plan.version} was made by {plan.made_by} and approved by {plan.approved_by}."


def restorable(departure: Departure) -> list[dict[str, str]]:
    """Accounts that Partwell changed and whose state before is kept."""
    changed = (
        Change.objects.filter(
            account__departure=departure,
            account__snapshot__isnull=False,
            receipt__isnull=False,
            is_current=True,
        )
        .exclude(plan__kind=PlanKind.RESTORE)
        .select_related("account__system")
    )
    accounts = {change.account_id: change.account for change in changed}
    return [
        {
            "account": account.login or account.external_id,
            "system": account.system.title,
            "name": account.system.name,
        }
        for account in accounts.values()
    ]


ALERTS: dict[str, tuple[str, str, str]] = {
    AlertKind.ACCESS_BACK: ("Account came back", "failed", "failed"),
    AlertKind.AMBIGUOUS: ("Which account is meant?", "approval", "care"),
    AlertKind.CUT_HELD: ("Kill switch held", "late", "care"),
    AlertKind.CUT_NOT_REVIEWED: ("Second person needed", "approval", "care"),
    AlertKind.CUT_FAILED: ("Not cut, though access has ended", "failed", "failed"),
    AlertKind.DRIFTED: ("The system changed", "unreachable", "care"),
    AlertKind.GHOST: ("Ghost account", "failed", "failed"),
    AlertKind.HANDOVER_FAILED: ("Not handed over", "failed", "care"),
    AlertKind.HANDOVER_MISSING: ("Something is missing", "todo", "care"),
    AlertKind.MAILBOX_DUE: ("Mailbox due for deletion", "late", "care"),
    AlertKind.MANY_ACCOUNTS: ("Second person needed: many accounts", "approval", "care"),
    AlertKind.NOT_TAKEN_BACK: ("Not taken back", "failed", "failed"),
    AlertKind.NO_APPROVED_PLAN: ("Second person needed", "approval", "care"),
    AlertKind.SIGNAL_FAILED: ("A receiver was not told", "failed", "care"),
    AlertKind.UNREACHABLE: ("The system does not answer", "unreachable", "care"),
}


def alert_row(alert: Alert) -> dict[str, Any]:
    """An alert as a card on the first page."""
    title, mark, tone = ALERTS.get(
        alert.kind, (alert.kind.replace("_", " ").capitalize(), "failed", "failed")
    )
    return {
        "title": title,
        "mark": mark,
        "tone": tone,
        "subject": alert.departure.subject_name,
        "text": alert.text,
        "departure_id": alert.departure_id,
        "raised_at": alert.raised_at,
    }
