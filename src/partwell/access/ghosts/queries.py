"""Reading about ghosts, through the eyes of an actor, and how far each system was read."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from django.db.models import Case, Exists, IntegerField, OuterRef, Q, QuerySet, Subquery, Value, When

from partwell.access.ghosts.findings import LIVE, SAYS
from partwell.access.ghosts.matching import GhostKind
from partwell.access.models import (
    AccountRecord,
    Change,
    Ghost,
    Plan,
    Sweep,
    System,
    SystemRun,
    SystemSweep,
)
from partwell.access.queries import effects_on
from partwell.access.states import AccessState, GhostState, PlanKind, PlanState, RunState, SweepState
from partwell.departures.policies import visibility
from partwell.people.actors import Actor
from partwell.people.authorisation import check_office, reading
from partwell.refusals import Invalid, NotFound

# What somebody may use against us first, then what nobody asked for, then guesses.
URGENCY = {kind: number for number, kind in enumerate(GhostKind)}
SHOWN = {
    "live": LIVE,
    "open": ("open", "cutting"),
    "kept": ("kept",),
    "dismissed": ("dismissed",),
    "gone": ("gone",),
}


@reading("ghosts.view")
def visible_ghosts(actor: Actor, *, kind: str = "", system: str = "", state: str = "open") -> QuerySet[Ghost]:
    """The ghosts that this actor may see, the worst first: those of departures that exist for them, and
    those of nobody. `state` is `open` (being cut included), `kept`, `dismissed`, `gone`, or `live` for all
    but the last. `is_proposed` says of each whether its cut waits for a second person.

    Raises `NotAllowed`, and `Invalid` for a kind or state that there is not.
    """
    check_office(actor, "ghosts.view")
    if state not in SHOWN:
        raise Invalid("unknown_state", f"Use one of {', '.join(SHOWN)}.", field="state")
    if kind and kind not in set(GhostKind):
        raise Invalid("unknown_kind", f"Use one of {', '.join(GhostKind)}.", field="kind")
    found = Ghost.objects.filter(
        Q(departure=None)
        | (Q(departure__isnull=False) & visibility(actor, prefix="departure__", to="access.view")),
        state__in=SHOWN[state],
    ).select_related("system", "departure", "owner", "person")
    proposed = Plan.objects.filter(ghost=OuterRef("pk"), state=PlanState.PROPOSED)
    found = found.annotate(is_proposed=Exists(proposed))
    if kind:
        found = found.filter(kind=kind)
    if system:
        found = found.filter(system__name=system)
    worst = Case(
        *(When(kind=each, then=Value(number)) for each, number in URGENCY.items()),
        output_field=IntegerField(),
    )
    return found.order_by(worst, "-first_seen_at", "pk")


def get_ghost(actor: Actor, ghost_id: int) -> Ghost:
    """One ghost, whatever became of it. Raises `NotFound` where it does not exist for the actor."""
    for state in ("live", "gone"):
        found = visible_ghosts(actor, state=state).filter(pk=ghost_id).first()
        if found is not None:
            return found
    raise NotFound("ghost")


@dataclass(frozen=True)
class Coverage:
    """How far one system was read when it was last looked through. `read_at` is when it was last read to the
    end; empty means never, and then nothing is known of what it does not show."""

    system: System
    state: SweepState | None
    reason: str
    accounts: int
    left_out: int
    source: str
    read_at: datetime | None

    @property
    def is_whole(self) -> bool:
        return self.state is SweepState.READ

    def as_dict(self) -> dict[str, Any]:
        """As the API and the command line show it."""
        return {
            "system": self.system.name,
            "title": self.system.title,
            "read": None if self.state is None else self.state.value,
            "reason": self.reason,
            "accounts": self.accounts,
            "left_out": self.left_out,
            "source": self.source,
            "read_to_the_end_at": None if self.read_at is None else self.read_at.isoformat(),
        }


def coverage(actor: Actor) -> list[Coverage]:
    """Every enabled system, with how far it was read last; those that were not read wholly first."""
    check_office(actor, "ghosts.view")
    sweeps = SystemSweep.objects.filter(system=OuterRef("pk"))
    # Of a list that was uploaded after the last sweep, that sweep's "cannot list" says nothing new.
    told = sweeps.exclude(state=SweepState.CANNOT_LIST).order_by("-sweep_id")
    whole = sweeps.filter(state=SweepState.READ).order_by("-sweep_id")
    systems = list(
        System.objects.filter(is_enabled=True).annotate(
            told=Subquery(told.values("pk")[:1]),
            newest=Subquery(sweeps.order_by("-sweep_id").values("pk")[:1]),
            read_at=Subquery(whole.values("ended_at")[:1]),
        )
    )
    rows = SystemSweep.objects.in_bulk([pk for s in systems for pk in (s.told or s.newest,) if pk])
    found = []
    for system in systems:
        row = rows.get(system.told or system.newest)
        found.append(
            Coverage(
                system,
                None if row is None else SweepState(row.state),
                "" if row is None else row.reason,
                0 if row is None else row.accounts,
                0 if row is None else row.left_out,
                "" if row is None else row.source,
                system.read_at,
            )
        )
    return sorted(found, key=lambda each: (each.is_whole, each.system.name))


def latest_sweep() -> Sweep | None:
    """The sweep that began last, over or not."""
    return Sweep.objects.first()


def sweep_view(sweep: Sweep, actor: Actor) -> dict[str, Any]:
    """One sweep with how far each system was read, and the ghosts that are open now."""
    check_office(actor, "ghosts.view")
    rows = sweep.systems.select_related("system")
    systems = [
        {
            "system": row.system.name,
            "title": row.system.title,
            "read": row.state,
            "accounts": row.accounts,
            "left_out": row.left_out,
            "reason": row.reason,
            "source": row.source,
        }
        for row in rows
    ]
    return {
        "id": sweep.pk,
        "started_at": sweep.started_at.isoformat(),
        "started_by": sweep.started_by,
        "ended_at": None if sweep.ended_at is None else sweep.ended_at.isoformat(),
        "is_whole": bool(systems) and all(row["read"] == SweepState.READ for row in systems),
        "not_wholly_read": [row["system"] for row in systems if row["read"] != SweepState.READ],
        "systems": systems,
        "ghosts": [ghost_dict(ghost) for ghost in visible_ghosts(actor)],
    }


def ghost_dict(ghost: Ghost) -> dict[str, Any]:
    """A ghost as the API and the command line show it."""
    return {
        "id": ghost.pk,
        "kind": ghost.kind,
        "says": f"{ghost} {SAYS[GhostKind(ghost.kind)]}.",
        "system": ghost.system.name,
        "title": ghost.system.title,
        "account": ghost.external_id,
        "login": ghost.login,
        "display_name": ghost.display_name,
        "is_active": ghost.is_active,
        "last_used_at": _iso(ghost.last_used_at),
        "matched_by": ghost.by,
        "departure_id": None if ghost.departure is None else str(ghost.departure.pk),
        "subject": "" if ghost.departure is None else ghost.departure.subject_name,
        "access_end_at": None if ghost.departure is None else ghost.departure.access_end_at.isoformat(),
        "owner": "" if ghost.owner is None else ghost.owner.email,
        "state": ghost.state,
        "first_seen_at": ghost.first_seen_at.isoformat(),
        "last_seen_at": ghost.last_seen_at.isoformat(),
        "kept_as": ghost.kept_as if ghost.state == GhostState.KEPT else "",
        "person": ghost.person_name if ghost.state == GhostState.KEPT else "",
        "review_date": None if ghost.review_date is None else ghost.review_date.isoformat(),
        "cut_id": None if ghost.cut_id is None else str(ghost.cut_id),
        "reason": ghost.reason,
        "settled_at": _iso(ghost.settled_at),
        "settled_by": ghost.settled_by,
    }


def waiting_for_approval(actor: Actor) -> QuerySet[Plan]:
    """The proposals to cut accounts of nobody that a second person can approve, the oldest first."""
    check_office(actor, "ghosts.view")
    proposed = Plan.objects.filter(kind=PlanKind.GHOST, state=PlanState.PROPOSED, ghost__departure=None)
    return proposed.exclude(checksum="").select_related("ghost__system").order_by("made_at", "pk")


def ghost_view(ghost: Ghost) -> dict[str, Any]:
    """One ghost, with how the cut of an account of nobody stands; `plan` is None where nobody proposed it."""
    return {**ghost_dict(ghost), "plan": _plan_view(ghost)}


def _plan_view(ghost: Ghost) -> dict[str, Any] | None:
    plan = ghost.plans.exclude(state=PlanState.SUPERSEDED).order_by("-version").first()
    if plan is None:
        return None
    changes = list(plan.changes.select_related("account"))
    answer = plan.answers.get(ghost.system.name, {})
    run = plan.runs.first()
    changes.sort(key=lambda change: change.position)
    return {
        "id": plan.pk,
        "version": plan.version,
        "restores": plan.kind == PlanKind.RESTORE,
        "state": _stands(plan, changes, run),
        "reason": plan.reason,
        "checksum": plan.checksum,
        "found": answer.get("found", ""),
        "note": answer.get("reason", "") or ("" if run is None else run.reason),
        "proposed_by": plan.made_by,
        "proposed_at": plan.made_at.isoformat(),
        "approved_by": plan.approved_by,
        "approved_at": _iso(plan.approved_at),
        "ended_at": _iso(plan.ended_at),
        "entitlements": [held["name"] for held in changes[0].account.entitlements] if changes else [],
        "open_sessions": changes[0].account.open_sessions if changes else None,
        "changes": [
            {
                "verb": change.verb,
                "reversibility": change.reversibility,
                "state": change.state,
                "reason": change.reason,
                "read": (change.proof or {}).get("read", ""),
                "verified_at": _iso(change.verified_at),
            }
            for change in changes
        ],
        "can_be_restored": run is not None and not _is_live(run) and bool(effects_on(records_of(ghost))),
    }


def records_of(ghost: Ghost) -> QuerySet[AccountRecord]:
    """The account as one of nobody, once it was proposed that it is cut."""
    return AccountRecord.objects.filter(
        departure=None, system_id=ghost.system_id, external_id=ghost.external_id
    )


def _stands(plan: Plan, changes: Sequence[Change], run: SystemRun | None) -> str:
    """`asking`, `not seen`, `proposed`, `running`, `waiting`, `read back`, `in part` or `changed`."""
    if plan.state == PlanState.PROPOSED:
        return "proposed" if plan.checksum else "not seen" if plan.answers else "asking"
    if plan.state == PlanState.DRIFTED:
        return "changed"
    if run is not None and _is_live(run):
        return "waiting" if run.state == RunState.WAITING else "running"
    # Ended sessions do not come back: what cannot be put back says so beside it.
    settled = {AccessState.VERIFIED} | ({AccessState.IMPOSSIBLE} if plan.kind == PlanKind.RESTORE else set())
    return "read back" if {each.state for each in changes} <= settled else "in part"


def _is_live(run: SystemRun) -> bool:
    return run.state in (RunState.RUNNING, RunState.WAITING)


def _iso(moment: datetime | None) -> str | None:
    return None if moment is None else moment.isoformat()
