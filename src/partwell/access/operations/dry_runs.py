"""Trying a plan without carrying it out: what would be sent where, call by call."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor, as_completed
from datetime import datetime
from typing import Any

from django.db.models import QuerySet

from partwell.access.bindings import check_connections
from partwell.access.connections import target_of
from partwell.access.dry_runs import Asked, Shown, try_in
from partwell.access.models import Change, DryRun, Plan, System
from partwell.access.operations.plans import lock
from partwell.access.states import AccessState, PlanKind
from partwell.departures.policies import authorise
from partwell.evidence.operations import departure_scope, record
from partwell.people.actors import Actor
from partwell.people.authorisation import operation
from partwell.refusals import Conflict

TO_SEND = (AccessState.PLANNED, AccessState.UNREACHABLE, AccessState.FAILED)
SIDE_BY_SIDE = 8


def _nobody(done: int, total: int) -> None:
    """Tell nobody how far it is."""


def dry_run_plan(
    *, plan: Plan, actor: Actor, now: datetime, progress: Callable[[int, int], None] = _nobody
) -> DryRun:
    """Show each call that this plan would send, with nothing written anywhere but here.

    Systems are asked side by side, and only read; `progress` hears how many of how many have answered. Raises
    `Conflict` where the plan has nothing left to send, puts back what was cut, or is about a connection that
    was changed.
    """
    departure = plan.its_departure
    authorise(actor, "access.dry_run", departure)
    checksum, asked = plan.checksum, _asked(plan)
    check_connections(plan)
    systems = System.objects.in_bulk(list(asked))
    shown: dict[int, Shown] = {}
    with ThreadPoolExecutor(SIDE_BY_SIDE) as pool:
        trying = {pool.submit(try_in, target_of(systems[pk]), rows): pk for pk, rows in asked.items()}
        for done in as_completed(trying):
            shown[trying[done]] = done.result()
            progress(len(shown), len(trying))
    in_order = sorted(shown, key=lambda pk: systems[pk].name)
    rows = [shown[pk].as_dict(title=systems[pk].title) for pk in in_order]
    return _keep(plan=plan, checksum=checksum, rows=rows, actor=actor, now=now)


def is_left_to_send(plan: Plan) -> bool:
    """Whether a dry run of this plan would show anything."""
    return plan.kind != PlanKind.RESTORE and _left(plan).exists()


def _left(plan: Plan) -> QuerySet[Change]:
    return plan.changes.filter(is_current=True, state__in=TO_SEND).exclude(verb="")


def _asked(plan: Plan) -> dict[int, list[Asked]]:
    """What is left to send, by system."""
    if plan.kind == PlanKind.RESTORE:
        raise Conflict("plan_restores", "This plan puts back what was cut; a dry run is of a cut.")
    changes = _left(plan)
    asked: dict[int, list[Asked]] = defaultdict(list)
    for change in changes.select_related("account").order_by("account__login", "account_id", "position"):
        account = change.account
        asked[account.system_id].append(Asked(account.external_id, account.login, change.verb))
    if not asked:
        raise Conflict(
            "nothing_to_send", f"Plan {plan.version} has nothing left that Partwell would send to a system."
        )
    return asked


@operation("access.dry_run")
def _keep(*, plan: Plan, checksum: str, rows: list[dict[str, Any]], actor: Actor, now: datetime) -> DryRun:
    departure = plan.its_departure
    lock(departure)
    authorise(actor, "access.dry_run", departure)
    kept, _ = DryRun.objects.update_or_create(
        plan=plan,
        defaults={"checksum": checksum, "systems": rows, "made_at": now, "made_by": actor.label},
    )
    record(
        "access.tried",
        scope=departure_scope(departure.pk),
        actor=actor.label,
        at=now,
        fields={
            "plan": plan.version,
            "checksum": checksum,
            "calls": sum(row["calls"] for row in rows),
            "systems": [row["system"] for row in rows],
            "not_shown": [row["system"] for row in rows if row["reason"]],
        },
    )
    return kept
