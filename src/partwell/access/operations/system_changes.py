"""Changing a connected system: what would change, and changing it.

What is not named stays, and a setting that is given as nothing is taken out. Name and connector stay: all
that is on record hangs on the one, and only the other can read what it has written down.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from django.db.models import Exists, OuterRef

from partwell.access import descriptions, wake
from partwell.access.alerts import raise_many
from partwell.access.models import Change, Plan, System, SystemRun, Transfer
from partwell.access.operations.plans import lock_all
from partwell.access.states import AccessState, AlertKind, Authority, PlanState, RunState
from partwell.access.transfers.recording import locked
from partwell.access.transfers.running import fail
from partwell.access.transfers.states import IN_HAND, TransferState
from partwell.connector_kit import registry
from partwell.departures.policies import visible_departures
from partwell.engine.operations import poke
from partwell.evidence.operations import build, departure_scope, record, record_many
from partwell.people.actors import Actor
from partwell.people.authorisation import check_office, operation
from partwell.refusals import Conflict, Invalid

# After these an earlier test says nothing any more.
TESTED = frozenset({"settings", "time_limit_seconds"})
BOUND = frozenset({"settings", "without"})
STAYS = {
    "name": "the accounts and the evidence on record hang on it",
    "connector": "what is on record was read by it, and another one would read it otherwise",
}
LOST = (
    "The connection was changed while the system was at it, so nobody can ask how far it has come. Look into "
    "the system."
)


@dataclass(frozen=True)
class Changed:
    """One field, or one setting as `settings.NAME`, before and after. Of a secret only that its place
    changed."""

    field: str
    before: Any
    after: Any
    is_secret: bool = False

    def as_dict(self) -> dict[str, Any]:
        """The shape that faces show."""
        return {
            "field": self.field,
            "before": self.before,
            "after": self.after,
            "is_secret": self.is_secret,
        }


@dataclass(frozen=True)
class SystemChange:
    """What a change of a system comes to. `plans` are those that the actor may read, approved and not carried
    out there, which need a new approval."""

    system: System
    changed: tuple[Changed, ...]
    needs_test: bool
    needs_approval: bool
    plans: tuple[Plan, ...] = ()

    def as_dict(self) -> dict[str, Any]:
        """The shape that faces show."""
        return {
            "name": self.system.name,
            "revision": self.system.revision,
            "changed": [each.as_dict() for each in self.changed],
            "needs_test": self.needs_test,
            "needs_approval": [
                {
                    "departure": str(plan.departure_id),
                    "subject": plan.its_departure.subject_name,
                    "plan": plan.version,
                }
                for plan in self.plans
            ],
        }


def draft_change(
    *, system: System, changes: Mapping[str, Any], actor: Actor, revision: str = ""
) -> SystemChange:
    """What `change_system` would do, with all its refusals; nothing is written."""
    check_office(actor, "systems.change")
    return _draft(System.objects.get(pk=system.pk), changes, actor, revision)


@operation("systems.change")
def change_system(
    *, system: System, changes: Mapping[str, Any], actor: Actor, now: datetime, revision: str = ""
) -> SystemChange:
    """Change what `changes` names, as a description names it (`descriptions.FIELDS`). Nothing is asked of the
    system, but every address must be one that Partwell may reach.

    Where what is asked changes, approved plans that are not carried out there need a new approval, what was
    being handed over there becomes unknown, and what waits for the system goes on at once.

    With a `revision`, raises `Conflict` when the system is another one by now. Raises `Invalid` naming the
    field.
    """
    check_office(actor, "systems.change")
    # Not its key: whoever writes rows about it meanwhile holds a departure that is locked after this.
    row = System.objects.select_for_update(no_key=True).get(pk=system.pk)
    draft = _draft(row, changes, actor, revision)
    if not draft.changed:
        return draft
    if draft.needs_test:
        row.connection_changed_at = now
    row.save()
    told = [each for each in draft.changed if not each.is_secret]
    record(
        "system.changed",
        scope=f"system:{row.name}",
        actor=actor.label,
        at=now,
        fields={
            "name": row.name,
            "before": {each.field: each.before for each in told},
            "after": {each.field: each.after for each in told},
            "references": [each.field for each in draft.changed if each.is_secret],
        },
    )
    if draft.needs_approval:
        _end_approvals(row, actor=actor, now=now)
        _lose_sight(row, actor=actor, now=now)
        _ask_again(row, now=now)
    return draft


def _draft(row: System, changes: Mapping[str, Any], actor: Actor, revision: str) -> SystemChange:
    """Put the changes into the row, unsaved, and say what they come to."""
    if revision and revision != row.revision:
        raise Conflict(
            "changed_meanwhile",
            f"Somebody has changed {row.title} since you looked. Look at what it says now, then change it.",
        )
    descriptions.check_fields(changes)
    for field, why in STAYS.items():
        if field in changes and changes[field] != getattr(row, field):
            raise Invalid(
                f"{field}_stays",
                f"The {field} stays {getattr(row, field)!r}, because {why}. Connect another system instead.",
                field=field,
            )
    details = descriptions.read_details(changes)
    words = {stored: name for name, (stored, _) in descriptions.DETAILS.items()}
    changed = [
        Changed(words[stored], getattr(row, stored), value)
        for stored, value in details.items()
        if value != getattr(row, stored)
    ]
    different = {stored for stored, value in details.items() if value != getattr(row, stored)}
    settings, of_settings = _settings(row, changes.get("settings"))
    changed += of_settings
    different |= {"settings"} if of_settings else set()
    for stored, value in {**details, "settings": settings}.items():
        setattr(row, stored, value)
    needs_approval = bool(different & BOUND)
    return SystemChange(
        system=row,
        changed=tuple(changed),
        needs_test=bool(different & TESTED),
        needs_approval=needs_approval,
        plans=tuple(_visible(row, actor)) if needs_approval else (),
    )


def _settings(row: System, given: object) -> tuple[dict[str, Any], list[Changed]]:
    """The settings as they would be, checked as a whole where any of them changes."""
    wanted = {} if given is None else descriptions.read_settings(given)
    settings = {**row.settings, **wanted}
    settings = {name: value for name, value in settings.items() if value is not None or name not in wanted}
    names = [name for name in wanted if settings.get(name) != row.settings.get(name)]
    if not names:
        return dict(row.settings), []
    registered = registry.find(row.connector)
    if registered is None:
        raise Invalid(
            "unknown_connector",
            f"The connector {row.connector!r} is not installed here, so nobody can tell which settings it "
            "takes. Install it first.",
            field="settings",
        )
    descriptions.check_settings(registered.manifest, settings)
    secret = registered.manifest.secret_settings
    return settings, [
        Changed(f"settings.{name}", None, None, is_secret=True)
        if name in secret
        else Changed(f"settings.{name}", _sayable(row.settings.get(name)), settings.get(name))
        for name in sorted(names)
    ]


def _sayable(value: Any) -> Any:
    """A setting from before such addresses were refused may hold a password."""
    return "an address with a password" if descriptions.holds_credentials(value) else value


def _bound_plans(system: System) -> Any:
    """Plans that somebody has approved, with something left to do in this system."""
    left = Change.objects.filter(
        plan=OuterRef("pk"),
        account__system=system,
        is_current=True,
        authority=Authority.APPROVAL,
        state__in=(AccessState.PLANNED, AccessState.UNREACHABLE, AccessState.REQUESTED, AccessState.ACCEPTED),
    )
    approved = Plan.objects.filter(state__in=(PlanState.APPROVED, PlanState.APPLYING))
    return approved.filter(Exists(left)).select_related("departure").order_by("departure_id", "version")


def _visible(system: System, actor: Actor) -> list[Plan]:
    visible = visible_departures(actor, to="access.view")
    return list(_bound_plans(system).filter(departure__in=visible))


def _end_approvals(system: System, *, actor: Actor, now: datetime) -> None:
    """Take back what was approved and not begun. What has begun stops by itself before its next call, as
    drift, and proposes afresh."""
    approved = _bound_plans(system).filter(state=PlanState.APPROVED)
    lock_all(approved.values_list("departure_id", flat=True))
    plans = list(approved)
    events, texts = [], {}
    for plan in plans:
        events.append(
            build(
                "access.approval_ended",
                scope=departure_scope(plan.departure_id),
                actor=actor.label,
                at=now,
                fields={
                    "plan": plan.version,
                    "checksum": plan.checksum,
                    "approved_by": plan.approved_by,
                    "system": system.name,
                    "system_title": system.title,
                },
            )
        )
        texts[plan.departure] = (
            f"Plan {plan.version} for {plan.departure.subject_name} is not approved any more: the connection "
            f"of {system.title} was changed, and may lead to another server. Make a fresh plan, and have it "
            "approved."
        )
        plan.state = _unapproved(plan)
        plan.approved_at, plan.approved_by = None, ""
        plan.save(update_fields=["state", "approved_at", "approved_by"])
        plan.changes.filter(authority=Authority.APPROVAL, state=AccessState.PLANNED).update(
            authority=Authority.NONE
        )
    record_many(events)
    raise_many(texts, kind=AlertKind.NO_APPROVED_PLAN, key=f"system:{system.name}", actor=actor, now=now)
    for plan in plans:
        poke(plan.departure_id)


def _unapproved(plan: Plan) -> PlanState:
    """Where a plan stands without its approval; one that a rule had begun before goes on under the rule."""
    if plan.applied_at is None:
        return PlanState.PROPOSED
    live = SystemRun.objects.filter(plan=plan, state__in=(RunState.RUNNING, RunState.WAITING))
    return PlanState.APPLYING if live.exists() else PlanState.APPLIED


def _lose_sight(system: System, *, actor: Actor, now: datetime) -> None:
    """What the system was handing over was asked for through another connection, which alone could tell."""
    for transfer in Transfer.objects.filter(account__system=system, state__in=IN_HAND):
        row = locked(transfer)
        if row.state in IN_HAND:
            row.reason = LOST
            fail(row, TransferState.UNKNOWN, now=now, actor=actor)


def _ask_again(system: System, *, now: datetime) -> None:
    """Let what waits for a silent system find out at once whether it answers now."""
    waiting = SystemRun.objects.filter(system=system, state=RunState.WAITING)
    runs = list(waiting.select_related("plan", "system"))
    waiting.filter(pk__in=[run.pk for run in runs]).update(next_at=now)
    # Of a cut, one run stands for all in the same system.
    for run in {run.plan.cut_id or run.plan_id: run for run in runs}.values():
        wake.start(run, at=now)
