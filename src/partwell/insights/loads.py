"""Who carries how much now: open steps by owner, and those that nobody has claimed."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from statistics import median
from typing import Any

from django.db.models import Count, Min, Q, QuerySet

from partwell import clock
from partwell.departures.models import Departure
from partwell.departures.states import DepartureState
from partwell.journeys.models import Step
from partwell.journeys.states import PENDING, StepState
from partwell.people.queries import usual_place
from partwell.people.roles import ROLE_LABELS, Role

SOON_DAYS = 5
# Fewer than this many steps late or due soon are nobody's overload.
LEAST = 5


@dataclass(frozen=True)
class Load:
    """The pending steps of one owner, or of one queue that nobody has claimed from.

    `open` can be done now, `blocked` wait for others; `late` and `soon` are of those that can be done:
    late, or due within the next working days.
    """

    owner_id: int | None
    queue: str
    name: str
    open: int
    blocked: int
    late: int
    soon: int
    oldest_due_at: datetime | None
    is_overloaded: bool = False

    @property
    def pressing(self) -> int:
        return self.late + self.soon

    @property
    def total(self) -> int:
        return self.open + self.blocked

    def as_dict(self) -> dict[str, Any]:
        """As the API and the command line show it."""
        return {
            "owner": self.owner_id,
            "queue": self.queue or None,
            "name": self.name,
            "open": self.open,
            "late": self.late,
            "due_soon": self.soon,
            "blocked": self.blocked,
            "oldest_due_at": self.oldest_due_at.isoformat() if self.oldest_due_at else None,
            "overloaded": self.is_overloaded,
        }


@dataclass(frozen=True)
class Loads:
    """People and queues, those with the most that is late or due soon first; `until` is the end of the
    working days that count as soon."""

    people: list[Load]
    queues: list[Load]
    until: datetime

    @property
    def overloaded(self) -> list[Load]:
        return [load for load in self.people if load.is_overloaded]


def read_loads(departures: QuerySet[Departure], *, timezone: str, now: datetime) -> Loads:
    """In two queries. Working days are those of the firm's country."""
    until = soon_until(timezone, now=now)
    can = Q(state=StepState.OPEN)
    rows = (
        pending_steps(departures)
        .order_by()
        .values_list("owner_id", "owner__name", "owner__email", "queue", "role")
        .annotate(
            open=Count("pk", filter=can),
            blocked=Count("pk", filter=Q(state=StepState.BLOCKED)),
            late=Count("pk", filter=can & Q(due_at__lt=now)),
            soon=Count("pk", filter=can & Q(due_at__gte=now, due_at__lt=until)),
            oldest=Min("due_at", filter=can),
        )
    )
    merged: dict[tuple[int | None, str], Load] = {}
    for owner_id, name, email, queue, role, *figures in rows:
        open_, blocked, late, soon, oldest = figures
        if owner_id is None:
            # Without an owner and a queue, nobody is there for the role; the leaving side's are its own.
            if not queue and role == Role.DEPARTING:
                continue
            key: tuple[int | None, str] = (None, queue or role)
            title = ROLE_LABELS[Role(queue or role)]
        else:
            key, title = (owner_id, ""), name or email
        before = merged.get(key, Load(key[0], key[1], title, 0, 0, 0, 0, None))
        dues = [due for due in (before.oldest_due_at, oldest) if due is not None]
        merged[key] = Load(
            key[0],
            key[1],
            title,
            before.open + open_,
            before.blocked + blocked,
            before.late + late,
            before.soon + soon,
            min(dues, default=None),
        )
    loads = sorted(merged.values(), key=lambda load: (-load.pressing, -load.late, -load.total, load.name))
    return Loads(
        people=marked([load for load in loads if load.owner_id is not None]),
        queues=[load for load in loads if load.owner_id is None],
        until=until,
    )


def marked(people: list[Load]) -> list[Load]:
    """The same, with those marked who carry more than twice the middle of everybody who has steps, and no
    fewer than a handful."""
    middle = median(load.pressing for load in people) if people else 0
    return [
        Load(**(vars(load) | {"is_overloaded": load.pressing >= LEAST and load.pressing > 2 * middle}))
        for load in people
    ]


def soon_until(timezone: str, *, now: datetime) -> datetime:
    """The end of the working day that is the last of the next few."""
    today = clock.today_in(timezone, now=now)
    last = clock.add_working_days(today, SOON_DAYS, usual_place().country)
    return clock.at_local(last, clock.DEFAULT_WORKDAY_END, timezone)


def pending_steps(departures: QuerySet[Departure]) -> QuerySet[Step]:
    """All pending steps of the running ones among these departures."""
    running = departures.filter(state=DepartureState.ACTIVE)
    return Step.objects.filter(state__in=PENDING, journey__in=running.values("pk"))
