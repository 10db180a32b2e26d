"""A round as one board: everybody of it with their state, what is next and late, and the sums."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from django.db.models import Count, Min, OuterRef, Q, Subquery

from partwell.access import summaries
from partwell.departures.states import DepartureState
from partwell.journeys.models import Round, RoundMember, Step
from partwell.journeys.queries import PhaseCount, count_phases
from partwell.journeys.rounds.drift import drift_of
from partwell.journeys.rounds.queries import members_of, round_dict
from partwell.journeys.rounds.states import MemberState, RoundState
from partwell.journeys.states import PENDING
from partwell.paging import decode_cursor, encode_cursor
from partwell.people.actors import Actor
from partwell.refusals import Invalid

PAGE = 50
LATE = "late"
"""What can be filtered for besides a member's state."""


@dataclass(frozen=True)
class Row:
    """One person of a round; without a journey there is no phase, no date and no access."""

    member: RoundMember
    phases: list[PhaseCount]
    next_due_at: datetime | None
    access: summaries.AtAGlance | None

    @property
    def late(self) -> int:
        return sum(phase.late for phase in self.phases)

    @property
    def current(self) -> PhaseCount | None:
        """The first phase with something left to do."""
        return next((phase for phase in self.phases if phase.total and phase.done < phase.total), None)

    def as_dict(self) -> dict[str, Any]:
        """As the API and the command line show it."""
        member, current = self.member, self.current
        return {
            "key": member.pk,
            "name": member.name,
            "email": member.email,
            "state": member.state,
            "starts_at": member.starts_at.isoformat() if member.starts_at else None,
            "last_working_day": _last_day(member).isoformat(),
            "journey": str(member.departure_id) if member.departure_id else None,
            "phase": current.title if current else None,
            "done": sum(phase.done for phase in self.phases),
            "total": sum(phase.total for phase in self.phases),
            "late": self.late,
            "next_due_at": self.next_due_at.isoformat() if self.next_due_at else None,
            "access": self.access.said if self.access else None,
            "note": member.note,
            "outcome": member.outcome,
        }


@dataclass(frozen=True)
class Board:
    """A page of a round, its sums over everybody, and the position after which the next page begins."""

    round: Round
    rows: list[Row]
    sums: dict[str, int]
    after: int | None

    @property
    def is_moving(self) -> bool:
        """Whether the engine is starting or withdrawing somebody at this moment, or has yet to tell the
        owners of those it started and to end the round."""
        is_ending = self.round.state == RoundState.APPROVED and not self.sums[MemberState.WAITING]
        return bool(self.sums["due"] or self.sums[MemberState.RECALLING] or is_ending)


def board_of(
    found: Round,
    actor: Actor,
    *,
    now: datetime,
    only: str = "",
    text: str = "",
    after: int = 0,
    limit: int = PAGE,
) -> Board:
    """A page of a round that the actor sees, in the order of the list. Four queries, whatever the size.

    Somebody whose departure does not exist for the actor is not on it, and not in the sums. `only` is a
    member's state or `LATE`; `text` is looked for in name and department.
    """
    # Asked for the first date of each journey, and not whether one has passed: for that, SQLite reads every
    # late step of the installation once for each member.
    pending = Step.objects.filter(journey=OuterRef("departure_id"), state__in=PENDING)
    first_due = pending.order_by().values("journey").annotate(first=Min("due_at")).values("first")
    members = members_of(found, actor).annotate(next_due_at=Subquery(first_due))
    is_late = Q(state=MemberState.STARTED, departure__state=DepartureState.ACTIVE, next_due_at__lt=now)
    sums = members.aggregate(
        people=Count("pk"),
        **{state.value: Count("pk", filter=Q(state=state)) for state in MemberState},
        due=Count("pk", filter=Q(state=MemberState.WAITING, starts_at__lte=now)),
        closed=Count("pk", filter=Q(departure__state=DepartureState.CLOSED)),
        late=Count("pk", filter=is_late),
    )
    shown = members.filter(position__gt=after)
    if only:
        shown = shown.filter(is_late if only == LATE else Q(state=only))
    if text:
        shown = shown.filter(Q(name__icontains=text) | Q(department__icontains=text))
    page = list(shown.select_related("departure").order_by("position")[: limit + 1])
    rows = _rows(page[:limit], now)
    return Board(found, rows, sums, page[limit - 1].position if len(page) > limit else None)


def round_view(
    found: Round,
    actor: Actor,
    *,
    now: datetime,
    only: str = "",
    text: str = "",
    cursor: str | None = None,
    limit: int = PAGE,
) -> dict[str, Any]:
    """A round with its sums and a page of its people, as the API and the command line show it."""
    place = decode_cursor(cursor, 1)
    if place and not (place[0].isascii() and place[0].isdigit() and len(place[0]) < 9):
        raise Invalid("cursor_unknown", "This cursor is not one of ours. Begin without one.", field="cursor")
    after = int(place[0]) if place else 0
    board = board_of(found, actor, now=now, only=only, text=text, after=after, limit=limit)
    drift = drift_of(found, now=now) if found.state == RoundState.PREPARED else None
    return {
        **round_dict(found),
        "sums": board.sums,
        "overview": found.overview,
        "drift": drift
        and {
            "obstacles": list(drift.obstacles),
            "leaving_out": [
                {"name": member.name, "email": member.email, "reason": reason}
                for member, reason in drift.leaving_out
            ],
        },
        "people": [row.as_dict() for row in board.rows],
        "next": encode_cursor((board.after,)) if board.after else None,
    }


def _rows(members: Iterable[RoundMember], now: datetime) -> list[Row]:
    members = list(members)
    ids = [member.departure_id for member in members if member.departure_id is not None]
    phases = count_phases(ids, now=now)
    access = summaries.at_a_glance(ids)
    return [
        Row(
            member,
            phases.get(member.departure_id, []) if member.departure_id else [],
            getattr(member, "next_due_at", None),
            access.get(member.departure_id) if member.departure_id else None,
        )
        for member in members
    ]


def _last_day(member: RoundMember) -> Any:
    return member.departure.last_working_date if member.departure else member.last_working_date
