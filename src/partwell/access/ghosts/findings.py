"""Keeping what a sweep finds: a row for an account while it is seen, an event and an alert when it is new."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import date, datetime
from typing import Any

from django.db import transaction
from django.db.models import Q

from partwell import clock
from partwell.access import claims
from partwell.access.alerts import raise_alert, resolve_alerts
from partwell.access.ghosts.matching import BY_WORD, Difference, GhostKind, Index, as_said, differences
from partwell.access.models import AccountRecord, Ghost, Plan, SystemRun, SystemSweep
from partwell.access.states import AccessState, AlertKind, GhostState, KeptAs, PlanKind, PlanState
from partwell.connector_kit.contract import Account
from partwell.departures.models import Departure
from partwell.evidence.models import Event
from partwell.evidence.operations import build, departure_scope, record_many
from partwell.people.actors import Actor, engine_actor
from partwell.rows import write_rows

# Those of nobody, and guesses, can be as many as a system has accounts; more than this nobody looks at.
MOST_KEPT = 1000
WEAK = (GhostKind.NOBODYS, GhostKind.SUGGESTED)
SAID = (GhostState.DISMISSED, GhostState.KEPT)
LIVE = (GhostState.OPEN, GhostState.CUTTING, GhostState.DISMISSED, GhostState.KEPT)
SAYS = {
    GhostKind.CAME_BACK: "was cut, and is active again",
    GhostKind.STILL_USED: "was used after access had ended",
    GhostKind.NEVER_KNOWN: "is active, and no departure knew of it",
    GhostKind.SUGGESTED: "is of nobody, and spelled almost as somebody who has left",
    GhostKind.NOBODYS: "is of nobody who is here or has left",
}


class Findings:
    """What one sweep finds in one system."""

    def __init__(self, row: SystemSweep) -> None:
        self.row = row
        self.actor: Actor = engine_actor("ghost sweep")
        self.left_out = 0
        waiting = Ghost.objects.filter(system=row.system, kind__in=WEAK, state__in=LIVE)
        self._kept = waiting.exclude(state=GhostState.KEPT).count()

    def keep(self, index: Index, page: Sequence[Account], *, now: datetime) -> None:
        """Keep what differs among these accounts, in a transaction; where none does, it costs none."""
        found = list(differences(index, page, system_id=self.row.system_id))
        if not found:
            return
        with transaction.atomic():
            self._keep(index, found, now)

    def _keep(self, index: Index, found: list[Difference], now: datetime) -> None:
        live = {
            ghost.external_id: ghost
            for ghost in Ghost.objects.filter(
                system=self.row.system,
                external_id__in=[each.account.external_id for each in found],
                state__in=LIVE,
            ).select_related("system", "person")
        }
        new, seen = [], []
        for each in found:
            ghost = said = live.get(each.account.external_id)
            if ghost is not None and _is_said(ghost):
                each = self._as_said(ghost, each, index, now)
            if ghost is not None and _is_settled_otherwise(ghost, each):
                ghost.state, ghost.settled_at = GhostState.GONE, now
                ghost.save(update_fields=["state", "settled_at"])
                ghost = None
            if ghost is not None:
                is_worse = ghost.state == GhostState.OPEN and ghost.kind != each.kind
                _describe(ghost, each, self.row, now)
                seen.append(ghost)
                if is_worse:
                    new.append(ghost)
            elif each.kind in WEAK and self._kept >= MOST_KEPT:
                self.left_out += 1
            else:
                ghost = Ghost(system=self.row.system, external_id=each.account.external_id, first_seen_at=now)
                _describe(ghost, each, self.row, now)
                if said is not None and each.by == BY_WORD:
                    # The next sweep has to know by whose word it is theirs.
                    ghost.kept_as, ghost.person, ghost.person_name = (
                        said.kept_as,
                        said.person,
                        said.person_name,
                    )
                # A system that lists an account twice is told of it once.
                live[ghost.external_id] = ghost
                self._kept += each.kind in WEAK
                new.append(ghost)
        Ghost.objects.bulk_create([ghost for ghost in new if ghost.pk is None])
        write_rows(seen, _DESCRIBED)
        self._tell(new, now)

    def _as_said(self, ghost: Ghost, found: Difference, index: Index, now: datetime) -> Difference:
        """What is found, given what a person said of the account; where that holds no longer, the account is
        on the list again, in the caller's transaction."""
        if found.kind not in WEAK:
            return found  # somebody who has left is known by it now, which is no guess
        found = Difference(found.account, GhostKind.NOBODYS)
        why = _why_again(ghost, index, clock.today_in("UTC", now=now))
        if not why:
            return found
        if ghost.kept_as == KeptAs.THEIRS and (who := index.leaver(ghost.person_id or 0)) is not None:
            return as_said(found.account, who)
        if ghost.state != GhostState.KEPT:
            return found
        ghost.state, ghost.reason, ghost.settled_by, ghost.settled_at = GhostState.OPEN, why, "", None
        ghost.save(update_fields=["state", "reason", "settled_by", "settled_at"])
        record_many([ghost_event("system.ghost_again", ghost, self.actor, now, note=why)])
        return found

    def _tell(self, ghosts: list[Ghost], now: datetime) -> None:
        """Evidence of each, and an alert where it is of somebody who has left."""
        departures = Departure.objects.in_bulk({g.departure_id for g in ghosts if g.departure_id})
        events: list[Event] = []
        for ghost in ghosts:
            events.append(
                ghost_event(
                    "access.ghost_found" if ghost.departure_id else "system.ghost_found",
                    ghost,
                    self.actor,
                    now,
                )
            )
            if ghost.kind not in WEAK and ghost.departure_id is not None:
                raise_alert(
                    departures[ghost.departure_id],
                    kind=AlertKind.GHOST,
                    key=str(ghost.pk),
                    text=f"{ghost} {SAYS[GhostKind(ghost.kind)]}. Cut it, or say why it is no ghost.",
                    actor=self.actor,
                    now=now,
                )
        record_many(events)

    def let_go_of_unseen(self, *, now: datetime) -> None:
        """After a reading to the end, in the caller's transaction: what it did not show as a ghost is none.

        One that is being cut is over only once its account is proven closed; of nobody's account this reading
        is the proof, unless Partwell is still at work on it.
        """
        unseen = list(
            Ghost.objects.filter(system=self.row.system, state__in=LIVE)
            .exclude(seen_in=self.row)
            .select_related("system", "departure")
        )
        proven = set(
            AccountRecord.objects.filter(
                system=self.row.system,
                state=AccessState.VERIFIED,
                external_id__in=[g.external_id for g in unseen if g.state == GhostState.CUTTING],
            ).values_list("departure_id", "external_id")
        )
        # Only a cut of nobody's account hangs on its ghost.
        runs = SystemRun.objects.filter(plan__ghost__in=unseen)
        of_nobody = set(runs.values_list("plan__ghost_id", flat=True))
        at_work = set(runs.filter(state__in=claims.LIVE).values_list("plan__ghost_id", flat=True))
        gone = [
            ghost
            for ghost in unseen
            if ghost.state != GhostState.CUTTING
            or (ghost.departure_id, ghost.external_id) in proven
            or ghost.pk in of_nobody - at_work
        ]
        settle(gone, actor=self.actor, now=now, reason="A reading to the end of the list shows it no more.")


def settle(ghosts: Sequence[Ghost], *, actor: Actor, now: datetime, reason: str) -> None:
    """These are gone, with their evidence, in the caller's transaction."""
    for ghost in ghosts:
        if ghost.state not in SAID:
            ghost.settled_by, ghost.reason = actor.label, reason
        ghost.state, ghost.settled_at = GhostState.GONE, now
        if ghost.departure is not None:
            resolve_alerts(ghost.departure, kind=AlertKind.GHOST, key=str(ghost.pk), now=now)
    write_rows(list(ghosts), ["state", "settled_at", "settled_by", "reason"])
    drop_proposals(ghosts)
    record_many(
        ghost_event(
            "access.ghost_gone" if ghost.departure_id else "system.ghost_gone", ghost, actor, now, note=reason
        )
        for ghost in ghosts
    )


def drop_proposals(ghosts: Iterable[Ghost]) -> None:
    """Nobody need approve that these are cut any more, in the caller's transaction."""
    proposed = Plan.objects.filter(kind=PlanKind.GHOST, state=PlanState.PROPOSED)
    proposed.filter(ghost__in=[ghost.pk for ghost in ghosts]).update(state=PlanState.SUPERSEDED)


def settle_proven(accounts: Iterable[AccountRecord], *, now: datetime) -> None:
    """Ghosts that were being cut and whose accounts are proven closed now are gone, in the caller's
    transaction. One query where there are none."""
    proven = {
        (a.departure_id, a.system_id, a.external_id) for a in accounts if a.state == AccessState.VERIFIED
    }
    theirs = Q(departure_id__in={departure for departure, _, _ in proven if departure})
    # One of nobody may have come to be somebody's while it was cut, so its own plan says that it is meant.
    nobodys = Q(plans__isnull=False, external_id__in={each for departure, _, each in proven if not departure})
    cutting = Ghost.objects.filter(theirs | nobodys, state=GhostState.CUTTING).select_related(
        "system", "departure"
    )
    over = [
        ghost
        for ghost in cutting.distinct()
        if any((pk, ghost.system_id, ghost.external_id) in proven for pk in (ghost.departure_id, None))
    ]
    settle(over, actor=engine_actor("ghost sweep"), now=now, reason="It was cut, and read back.")


_DESCRIBED = (
    "kind", "departure_id", "by", "login", "display_name", "is_active", "last_used_at", "last_seen_at",
    "seen_in_id",
)  # fmt: skip


def _describe(ghost: Ghost, found: Difference, row: SystemSweep, now: datetime) -> None:
    account = found.account
    ghost.kind = found.kind
    ghost.departure_id = None if found.departed is None else found.departed.departure_id
    ghost.by = found.by[:400]
    ghost.login, ghost.display_name = account.login[:320], account.display_name[:320]
    ghost.is_active, ghost.last_used_at = account.is_active, account.last_used_at
    ghost.last_seen_at, ghost.seen_in = now, row


def _why_again(ghost: Ghost, index: Index, today: date) -> str:
    """Why what a person said of the account holds no longer; empty while it does."""
    person = ghost.person
    if person is None:
        return f"{ghost.person_name} is in the register no more."
    has_left = person.left_on_date is not None and person.left_on_date <= today
    if has_left or index.leaver(person.pk) is not None:
        return f"{ghost.person_name} has left."
    if ghost.review_date is not None and ghost.review_date <= today:
        return f"Kept until {ghost.review_date:%Y-%m-%d}; {ghost.person_name} answers for it: {ghost.reason}"
    return ""


def _is_said(ghost: Ghost) -> bool:
    """Whether a person's word says whose it is, or who answers for it; or that it was theirs who has left."""
    return ghost.state == GhostState.KEPT or (
        ghost.kept_as == KeptAs.THEIRS and ghost.departure_id is not None and ghost.by == BY_WORD
    )


def _is_settled_otherwise(ghost: Ghost, found: Difference) -> bool:
    """Whether a person's word, that this is no ghost, was about something else than what is found now."""
    whose = None if found.departed is None else found.departed.departure_id
    return ghost.state in SAID and (ghost.kind, ghost.departure_id) != (found.kind, whose)


def ghost_event(kind: str, ghost: Ghost, actor: Actor, now: datetime, **fields: Any) -> Event:
    """An event about a ghost: in its departure's record, or in its system's where it is of nobody."""
    scope = f"system:{ghost.system.name}"
    if ghost.departure_id is not None and kind.startswith("access."):
        scope = departure_scope(ghost.departure_id)
    return build(
        kind,
        scope=scope,
        actor=actor.label,
        at=now,
        fields={
            "system": ghost.system.name,
            "system_title": ghost.system.title,
            "account": ghost.external_id,
            "login": ghost.login,
            "ghost": ghost.kind,
            "by": ghost.by,
            **fields,
        },
    )
