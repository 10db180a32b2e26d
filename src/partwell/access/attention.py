"""Which departures' access needs somebody: for the page that IT/security begins with."""

from __future__ import annotations

from collections import Counter, defaultdict
from dataclasses import dataclass
from datetime import datetime, timedelta

from django.db.models import Count, OuterRef, Subquery

from partwell.access.models import AccountRecord, Plan, SystemRun
from partwell.access.states import AccessState, Link, PlanKind, PlanState, RunState
from partwell.departures.models import Departure
from partwell.departures.policies import visible_departures
from partwell.departures.states import DepartureState
from partwell.people.actors import Actor

SOON = timedelta(hours=48)
NEEDS_A_PERSON = (AccessState.FAILED, AccessState.AMBIGUOUS, AccessState.MANUAL)


@dataclass(frozen=True)
class Attention:
    """One departure and what its access needs; `state` is a status of the vocabulary."""

    departure: Departure
    state: str
    says: str
    why: str
    verified: int
    total: int
    rank: int


def needing_attention(actor: Actor, *, now: datetime, limit: int = 100) -> tuple[list[Attention], int]:
    """Departures whose access needs something, most urgent first, of the `limit` that end soonest; and how
    many of those looked at need nothing now. Four queries, whatever the size."""
    newest = Plan.objects.filter(departure=OuterRef("pk")).order_by("-version").values("pk")[:1]
    departures = list(
        visible_departures(actor, to="access.view")
        .filter(state=DepartureState.ACTIVE)
        .annotate(newest_plan=Subquery(newest))
        .order_by("access_end_at", "pk")[:limit]
    )
    plans = Plan.objects.in_bulk([d.newest_plan for d in departures if d.newest_plan])
    counts: dict[object, Counter[str]] = defaultdict(Counter)
    for departure_id, state, count in (
        AccountRecord.objects.filter(departure__in=departures)
        .exclude(link=Link.NOT_OURS)
        .values_list("departure_id", "state")
        .annotate(count=Count("pk"))
        .order_by()
    ):
        counts[departure_id][state] = count
    running = set(
        SystemRun.objects.filter(
            plan__departure__in=departures, state__in=(RunState.RUNNING, RunState.WAITING)
        ).values_list("plan__departure_id", flat=True)
    )
    found, quiet = [], 0
    for departure in departures:
        plan = plans.get(departure.newest_plan) if departure.newest_plan else None
        needs = _need(departure, plan, counts[departure.pk], departure.pk in running, now)
        if needs is None:
            quiet += 1
            continue
        state, says, why, rank = needs
        total = sum(counts[departure.pk].values())
        found.append(
            Attention(departure, state, says, why, counts[departure.pk][AccessState.VERIFIED], total, rank)
        )
    found.sort(key=lambda each: (each.rank, each.departure.access_end_at))
    return found, quiet


def _need(
    departure: Departure, plan: Plan | None, states: Counter[str], is_running: bool, now: datetime
) -> tuple[str, str, str, int] | None:
    """State, words, why and rank; None when nothing is needed now."""
    ends_soon = departure.access_end_at - now <= SOON
    failed, silent = states[AccessState.FAILED], states[AccessState.UNREACHABLE]
    has_run = plan is not None and (plan.applied_at is not None or is_running)
    if failed:
        return "failed", f"{failed} failed", "Read the reason, put it right, then try again.", 0
    if is_running:
        return "running", "Being cut now", "Follow it until every account is read back.", 1
    if has_run and silent:
        return "unreachable", f"{silent} did not answer", "What is there is unknown.", 2
    people = sum(states[state] for state in NEEDS_A_PERSON)
    if plan is None:
        why = "No system has been asked what they have."
        return ("late", "No plan, ends soon", why, 2) if ends_soon else ("todo", "No plan yet", why, 5)
    is_unsigned = plan.kind == PlanKind.STANDING and plan.approved_at is None and states[AccessState.PLANNED]
    if plan.state == PlanState.PROPOSED or is_unsigned:
        why = f"Plan {plan.version} waits for a second person."
        return "approval", "Needs approval", why, 2 if ends_soon else 4
    if people:
        return "manual", f"{people} by hand", "A person has to do it, or to say which account is meant.", 3
    if plan.state == PlanState.DRIFTED:
        return "unreachable", "The systems changed", "Read again, and approve what differs.", 3
    if silent:
        return "unreachable", f"{silent} did not answer", "What is there is unknown.", 4
    if ends_soon and not has_run:
        return "waits", "Ends soon", f"Plan {plan.version} is approved and runs when access ends.", 4
    return None
