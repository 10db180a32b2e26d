"""To which connection a plan is bound.

What somebody approves holds for the systems as they were connected when the plan was made. So each change
keeps the digest of its connection among what it expects, which the plan's checksum covers, and nothing is
done, or proven, through another one (docs/decisions/0016-changing-a-system.md).
"""

from __future__ import annotations

from typing import Any

from django.db.models.fields.json import KT

from partwell.access.connections import Target
from partwell.access.models import Change, Plan, System
from partwell.connector_kit import plan as rules
from partwell.connector_kit.contract import Account
from partwell.refusals import Conflict

CONNECTION = "connection"
CHANGED = "its connection was changed after this was planned"


def expectation(account: Account, target: Target) -> dict[str, Any]:
    """What a change expects: the account as it was seen, and by which connection."""
    return {**rules.expectation(account), CONNECTION: target.digest}


def is_elsewhere(change: Change, digest: str) -> bool:
    """Whether a change was planned with another connection than the one of this digest."""
    return change.expects.get(CONNECTION, digest) != digest


def changed_systems(plan: Plan) -> list[System]:
    """The systems whose connection is another one now than when the plan was made."""
    changes = plan.changes.filter(is_current=True).annotate(bound=KT(f"expects__{CONNECTION}"))
    bound = set(changes.order_by().values_list("account__system_id", "bound").distinct())
    systems = System.objects.in_bulk([system for system, _ in bound])
    changed = {pk for pk, digest in bound if digest and digest != systems[pk].connection_digest}
    return sorted((systems[pk] for pk in changed), key=lambda system: system.name)


def check_connections(plan: Plan) -> None:
    """Raise `Conflict` where a plan is about a connection that has been changed."""
    if changed := changed_systems(plan):
        names = ", ".join(system.title for system in changed)
        raise Conflict(
            "connection_changed",
            f"The connection of {names} was changed after this plan was made, and may lead to another "
            "server. Make a fresh plan first.",
        )


def hold_connections(plan: Plan) -> None:
    """Keep the connections that a plan is about from being changed until the transaction ends. To be called
    before the departure is locked: whoever changes one locks it first, and the departures after it."""
    systems = set(plan.changes.order_by().values_list("account__system_id", flat=True))
    list(System.objects.select_for_update(no_key=True).filter(pk__in=systems).order_by("pk"))


def bind(plan: Plan) -> None:
    """Bind what a plan holds to the connections as they are now: for what is done without being asked afresh,
    by somebody who asks for it now."""
    for system in System.objects.filter(pk__in=plan.changes.values("account__system_id")):
        plan.changes.filter(account__system=system).update(expects={CONNECTION: system.connection_digest})
