"""Reminding people of their steps: what is due soon, what is late, what has been late for days.

Nothing here remembers what was sent. Each mail's key says what it is about (departure, owner, due date,
which reminder), and the outbox takes a key once; so this may run at any time, twice at once, or again after
a crash. Steps of one owner that are due on the same day share one mail.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from datetime import date, datetime, time, timedelta
from uuid import UUID
from zoneinfo import ZoneInfo

from django.db.models import F

from partwell import clock
from partwell.departures.models import Departure, Participant
from partwell.departures.states import DepartureState
from partwell.journeys import messages
from partwell.journeys.models import Step
from partwell.journeys.states import StepState
from partwell.people.actors import register_entry
from partwell.people.models import RoleGrant, User
from partwell.people.queries import usual_place
from partwell.people.roles import Role
from partwell.signals.outbox import Mail, known_keys, queue_mails

MORNING = time(8)
ESCALATE_AFTER = timedelta(days=5)
# Longer than any run of holidays between two working days.
LOOK_AHEAD = timedelta(days=12)


@dataclass
class _Batch:
    """Steps of one owner (or of nobody) in one departure that are due on one day, and which reminder of
    them it is time for."""

    departure: Departure
    owner: User | None
    due_date: date
    turn: str
    steps: list[Step] = field(default_factory=list)

    @property
    def key(self) -> str:
        """What the reminder is about, without to whom it goes."""
        return f"{self.turn}:{self.owner.pk if self.owner else 'nobody'}:{self.due_date}"


def remind(*, now: datetime) -> None:
    """Queue every reminder of steps whose time has come and that was not queued before.

    A fixed number of queries, and one more for each 500 mails.
    """
    country = usual_place().country
    for kind in (messages.DUE, messages.OVERDUE, messages.ESCALATED):
        queue_new(_candidates(kind, country, now), now=now)


def queue_new(candidates: dict[str, Callable[[], Mail]], *, now: datetime) -> None:
    """Compose and queue those mails whose keys the outbox does not know yet."""
    known = known_keys(candidates)
    queue_mails((compose() for key, compose in candidates.items() if key not in known), now=now)


def answerable(role: Role, departures: Iterable[Departure]) -> dict[UUID, list[User]]:
    """Who answers for `role` in each of these departures: participants, else the nearest holders.

    A need-to-know departure has participants alone, and never does the one who leaves answer. Two queries,
    and two more for each account that the register does not know yet.
    """
    by_id = {departure.pk: departure for departure in departures}
    taking_part: dict[UUID, list[User]] = {}
    participants = Participant.objects.filter(
        departure_id__in=list(by_id), capacity=role, user__is_active=True
    ).select_related("user")
    for participant in participants:
        taking_part.setdefault(participant.departure_id, []).append(participant.user)
    grants = list(RoleGrant.objects.filter(role=role, user__is_active=True).select_related("user"))
    entries = {grant.user.pk: register_entry(grant.user) for grant in grants}
    found: dict[UUID, list[User]] = {}
    for pk, departure in by_id.items():
        users = taking_part.get(pk, [])
        if not users and not departure.is_restricted:
            own = [g.user for g in grants if g.department and g.department == departure.subject_department]
            users = own or [g.user for g in grants if not g.department]
        leaver = departure.person_id
        found[pk] = [
            user for user in users if leaver is None or entries.get(user.pk, user.person_id) != leaver
        ]
    return found


def _candidates(kind: str, usual_country: str, now: datetime) -> dict[str, Callable[[], Mail]]:
    """Every reminder of a kind that is in season, by its key."""
    batches = _batches(kind, usual_country, now)
    if kind == messages.ESCALATED:
        hr = answerable(Role.HR, {batch.departure.pk: batch.departure for batch in batches}.values())
        pairs = [(b, user) for b in batches for user in hr[b.departure.pk] if user != b.owner]
    else:
        pairs = [(batch, batch.owner) for batch in batches if batch.owner is not None]
    return {
        messages.key_of(kind, batch.departure, f"{batch.key}:{user.pk}"): _composer(kind, batch, user, now)
        for batch, user in pairs
    }


def _composer(kind: str, batch: _Batch, user: User, now: datetime) -> Callable[[], Mail]:
    compose = {
        messages.DUE: messages.due_soon,
        messages.OVERDUE: messages.overdue,
        messages.ESCALATED: messages.escalated,
    }[kind]
    return lambda: compose(user, batch.departure, batch.steps, key=f"{batch.key}:{user.pk}", now=now)


def _batches(kind: str, usual_country: str, now: datetime) -> list[_Batch]:
    horizon = {
        messages.DUE: now + LOOK_AHEAD,
        messages.OVERDUE: now,
        # Days count by the owner's mornings, which may come a little before so many times 24 hours.
        messages.ESCALATED: now - ESCALATE_AFTER + timedelta(days=1),
    }[kind]
    steps = Step.objects.filter(
        state=StepState.OPEN, due_at__lt=horizon, journey__departure__state=DepartureState.ACTIVE
    ).select_related("owner__person", "journey__departure")
    if kind == messages.DUE:
        steps = steps.filter(due_at__gt=now)
    if kind != messages.ESCALATED:
        # The one who leaves is never written to about the inside of their own departure.
        steps = steps.filter(owner__is_active=True).exclude(
            owner__person_id=F("journey__departure__person_id"), owner__person_id__isnull=False
        )
    found: dict[tuple[UUID, int | None, date, str], _Batch] = {}
    for step in steps.defer("guidance", "note", "skip_reason").order_by("due_at", "pk").iterator():
        if (when := _turn(kind, step, usual_country, now)) is None:
            continue
        departure = step.journey.departure
        group = (departure.pk, step.owner_id, *when)
        found.setdefault(group, _Batch(departure, step.owner, *when)).steps.append(step)
    return list(found.values())


def _turn(kind: str, step: Step, usual_country: str, now: datetime) -> tuple[date, str] | None:
    """The due date where the owner lives, and which reminder it is time for; None when for none."""
    zone, country = _whereabouts(step.owner, step.journey.departure, usual_country)
    due_date = clock.today_in(zone, now=step.due_at)
    if kind == messages.DUE:
        morning = clock.at_local(clock.add_working_days(due_date, -1, country), MORNING, zone)
        return (due_date, "first") if now >= morning else None
    # What was due yesterday is called late from this morning on, never in the night.
    is_early = now.astimezone(ZoneInfo(zone)).time() < MORNING
    days = (clock.today_in(zone, now=now) - due_date).days - is_early
    if kind == messages.OVERDUE:
        return (due_date, f"week-{(days - 1) // 7}") if days >= 1 else None
    return (due_date, "first") if days >= ESCALATE_AFTER.days else None


def _whereabouts(owner: User | None, departure: Departure, usual_country: str) -> tuple[str, str]:
    """The timezone and country whose mornings and working days count for an owner."""
    person = owner.person if owner else None
    names = (owner.timezone if owner else "", person.timezone if person else "", departure.timezone)
    zone = next((name for name in names if name and clock.is_timezone(name)), "UTC")
    country = (person.country if person else "") or departure.jurisdiction[:2] or usual_country
    return zone, country
