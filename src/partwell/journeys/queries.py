"""Reading journeys: always through the eyes of an actor, and with a fixed number of queries."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import date, datetime
from typing import Any
from uuid import UUID

from django.db.models import Count, Exists, FilteredRelation, OuterRef, Q, QuerySet, Subquery

from partwell.departures.models import Departure
from partwell.departures.policies import authorise, can_read, visible_departures
from partwell.departures.states import Confidentiality, DepartureState
from partwell.journeys.models import Step, TemplateVersion
from partwell.journeys.states import PENDING, SETTLED, StepState
from partwell.journeys.template.model import PHASES
from partwell.paging import decode_cursor
from partwell.people.actors import Actor
from partwell.refusals import Invalid, NotFound

PAGE = 25
# Where a step stands in a list by due date.
StepPlace = tuple[datetime, UUID]
# The key of no step: a join takes no empty list.
_NO_KEY = ""


@dataclass
class PhaseCount:
    """How far one phase of one journey is."""

    number: int
    title: str
    done: int = 0
    total: int = 0
    late: int = 0
    due_today: int = 0

    @property
    def state(self) -> str:
        """`none` without steps, `done`, `now` when begun or late, else `later`."""
        if not self.total:
            return "none"
        if self.done == self.total:
            return "done"
        return "now" if self.done or self.late else "later"

    @property
    def percent(self) -> int:
        return round(100 * self.done / self.total) if self.total else 0


@dataclass
class Row:
    """One departure in a list, with its ten phases."""

    departure: Departure
    phases: list[PhaseCount] = field(default_factory=list)

    @property
    def done(self) -> int:
        return sum(phase.done for phase in self.phases)

    @property
    def total(self) -> int:
        return sum(phase.total for phase in self.phases)

    @property
    def late(self) -> int:
        return sum(phase.late for phase in self.phases)


def get_departure(actor: Actor, departure_id: UUID | str) -> Departure:
    """The departure with its journey, for somebody who sees its inside; else `NotFound`."""
    return open_departure(actor, departure_id)[0]


def open_departure(actor: Actor, departure_id: UUID | str) -> tuple[Departure, frozenset[str]]:
    """As `get_departure`, with what the actor is to it, for those who go on to ask what they may do."""
    departure = (
        Departure.objects.select_related("journey__template", "person", "client")
        .annotate(newer_version_at=_newer_version_at())
        .filter(pk=_uuid(departure_id))
        .first()
    )
    if departure is None:
        raise NotFound("departure")
    return departure, authorise(actor, "journeys.view", departure)


def newer_version_at(departure: Departure) -> datetime | None:
    """When the latest version of the template was published, where the journey follows an earlier one; of a
    departure that `open_departure` or `get_departure` found."""
    found: datetime | None = getattr(departure, "newer_version_at", None)
    return found


def _newer_version_at() -> Subquery:
    newer = TemplateVersion.objects.filter(
        template_id=OuterRef("journey__template__template_id"),
        version__gt=OuterRef("journey__template__version"),
    )
    return Subquery(newer.order_by("-version").values("published_at")[:1])


def get_step(actor: Actor, departure_id: UUID | str, key: str) -> Step:
    """One step of a departure that the actor sees, by its key; else `NotFound`."""
    departure = get_departure(actor, departure_id)
    step = departure.journey.steps.select_related("journey__departure").filter(key=key).first()
    if step is None:
        raise NotFound("step")
    return step


def list_departures(
    actor: Actor,
    *,
    now: datetime,
    states: Iterable[str] = (DepartureState.ACTIVE,),
    kind: str = "",
    text: str = "",
    after: tuple[date, UUID] | None = None,
    limit: int = PAGE,
) -> tuple[list[Row], tuple[date, UUID] | None]:
    """A page of visible departures, nearest last day first, and the key of the next page or None.

    `text` is looked for in the subject's name and department. Three queries, whatever the size.
    """
    found = visible_departures(actor).filter(state__in=list(states))
    if kind:
        found = found.filter(subject_kind=kind)
    if text:
        found = found.filter(Q(subject_name__icontains=text) | Q(subject_department__icontains=text))
    if after is not None:
        day, pk = after
        found = found.filter(
            Q(last_working_date__gt=day) | Q(last_working_date=day, pk__gt=pk), last_working_date__gte=day
        )
    page = list(found.order_by("last_working_date", "pk")[: limit + 1])
    more = len(page) > limit
    page = page[:limit]
    counts = count_phases([departure.pk for departure in page], now=now)
    rows = [Row(departure, counts[departure.pk]) for departure in page]
    return rows, (page[-1].last_working_date, page[-1].pk) if more else None


def read_cursor(cursor: str | None) -> tuple[date, UUID] | None:
    """Where a page of `list_departures` begins. Raises `Invalid` for a cursor that is not one of ours."""
    key = decode_cursor(cursor, 2)
    if key is None:
        return None
    try:
        return date.fromisoformat(key[0]), UUID(key[1])
    except ValueError as error:
        raise Invalid(
            "cursor_unknown", "This page of the list is not there. Begin again.", field="cursor"
        ) from error


def row_dict(row: Row) -> dict[str, Any]:
    """One departure of a list as the API and the command line show it."""
    return {
        "id": str(row.departure.pk),
        "subject": row.departure.subject_name,
        "template": row.departure.scenario,
        "state": row.departure.state,
        "last_working_day": row.departure.last_working_date.isoformat(),
        "done": row.done,
        "total": row.total,
        "late": row.late,
    }


def count_phases(ids: Iterable[UUID], *, now: datetime) -> dict[UUID, list[PhaseCount]]:
    """The ten phases of each of these journeys, counted in one query."""
    ids = list(ids)
    counts = {pk: [PhaseCount(number, title) for number, title in PHASES.items()] for pk in ids}
    grouped = (
        Step.objects.filter(journey_id__in=ids)
        .exclude(state__in=[StepState.NOT_NEEDED, StepState.WITHDRAWN])
        .values("journey_id", "phase")
        .annotate(
            total=Count("pk"),
            done=Count("pk", filter=Q(state__in=SETTLED)),
            late=Count("pk", filter=Q(state__in=PENDING, due_at__lt=now)),
        )
        .order_by()
    )
    for row in grouped:
        phase = counts[row["journey_id"]][row["phase"] - 1]
        phase.total, phase.done, phase.late = row["total"], row["done"], row["late"]
    return counts


def phases_of(steps: Iterable[Step], *, now: datetime) -> list[PhaseCount]:
    """The same as `count_phases`, from steps that are loaded already."""
    phases = [PhaseCount(number, title) for number, title in PHASES.items()]
    for step in steps:
        if step.state in (StepState.NOT_NEEDED, StepState.WITHDRAWN):
            continue
        phase = phases[step.phase - 1]
        phase.total += 1
        phase.done += step.state in SETTLED
        phase.late += step.state in PENDING and step.due_at < now
    return phases


def steps_of(departure: Departure) -> list[Step]:
    """All steps of a journey in their order, each with its owner, comments and files counted."""
    return list(
        departure.journey.steps.select_related("owner")
        .annotate(
            comment_count=Count("comments", distinct=True), file_count=Count("attachments", distinct=True)
        )
        .order_by("phase", "position", "pk")
    )


def my_steps(actor: Actor, *, limit: int = 100, after: StepPlace | None = None) -> list[Step]:
    """Pending steps that the actor owns, soonest first, blocked ones included; at most `limit`, those that
    come `after` a place in that order."""
    if actor.user_id is None:
        return []
    return _soonest([steps_of_mine(actor, state) for state in sorted(PENDING)], limit, after)


def steps_of_mine(actor: Actor, state: StepState) -> QuerySet[Step]:
    """Steps in this state that the actor owns in running journeys, never those of their own departure."""
    running = Departure.objects.filter(state=DepartureState.ACTIVE)
    if actor.person_id is not None:
        running = running.exclude(person_id=actor.person_id)
    return _steps_in(running).filter(owner_id=actor.user_id, state=state)


def claimable_steps(actor: Actor, *, limit: int = 50, after: StepPlace | None = None) -> list[Step]:
    """Open steps in the queues of the actor's teams that nobody has claimed; in the order of `my_steps`."""
    roles = {grant.role.value for grant in actor.grants}
    if not roles:
        return []
    running = visible_departures(actor).filter(state=DepartureState.ACTIVE)
    free = _steps_in(running).filter(owner__isnull=True, state=StepState.OPEN)
    return _soonest([free.filter(queue=role) for role in sorted(roles)], limit, after)


def waiting_for_others(departures: Iterable[UUID], actor: Actor, *, limit: int = 8) -> list[Step]:
    """Open steps of others in these departures, which run; longest overdue first."""
    open_steps = Step.objects.filter(journey_id__in=list(departures), state=StepState.OPEN)
    return list(open_steps.exclude(owner_id=actor.user_id).order_by("due_at", "pk")[:limit])


@dataclass(frozen=True)
class Around:
    """What stands around a step in a list over several journeys: whose journey it is, whether only
    participants know of that, and the titles of the steps that are waited for, by their keys."""

    subject: str
    is_restricted: bool
    titles: dict[str, str]


def around(steps: Iterable[Step]) -> dict[UUID, Around]:
    """For steps of any journeys, what stands around them, by journey. One query, whatever their number."""
    steps = list(steps)
    keys = {key for step in steps for key in step.waits_for}
    awaited = FilteredRelation("journey__steps", condition=Q(journey__steps__key__in=keys or {_NO_KEY}))
    rows = (
        Departure.objects.filter(pk__in={step.journey_id for step in steps})
        .annotate(awaited=awaited)
        .order_by()
        .values_list("pk", "subject_name", "confidentiality", "awaited__key", "awaited__title")
    )
    found: dict[UUID, Around] = {}
    for journey_id, subject, confidentiality, key, title in rows:
        if journey_id not in found:
            found[journey_id] = Around(subject, confidentiality == Confidentiality.NEED_TO_KNOW, {})
        if key is not None:
            found[journey_id].titles[key] = title
    return found


def count_open_by_role(steps: Iterable[Step]) -> Counter[str]:
    """How many steps each role has in a journey, unneeded ones left out."""
    return Counter(
        step.role for step in steps if step.state not in (StepState.NOT_NEEDED, StepState.WITHDRAWN)
    )


def step_dict(step: Step) -> dict[str, Any]:
    """A step as the API and the command line show it."""
    return {
        "key": step.key,
        "phase": step.phase,
        "title": step.title,
        "role": step.role,
        "owner": step.owner_name or None,
        "due_at": step.due_at.isoformat(),
        "state": step.state,
        "blocked_by": list(step.waits_for),
        "kind": step.kind,
        "evidence": step.evidence,
        "required": step.is_required,
        "note": step.note,
        "skip_reason": step.skip_reason,
        "settled_at": step.settled_at.isoformat() if step.settled_at else None,
        "settled_by": step.settled_by or None,
    }


def departure_dict(departure: Departure, held: frozenset[str], actor: Actor) -> dict[str, Any]:
    """A departure's own facts, without the fields that this actor may not read."""
    facts: dict[str, Any] = {
        "id": str(departure.pk),
        "subject": {
            "kind": departure.subject_kind,
            "name": departure.subject_name,
            "email": departure.subject_email,
        },
        "template": f"{departure.journey.template.template_id}",
        "template_version": departure.journey.template.version,
        "state": departure.journey.state,
        "notice_date": departure.notice_date.isoformat(),
        "last_working_day": departure.last_working_date.isoformat(),
        "access_end": departure.access_end_at.isoformat(),
        "timezone": departure.timezone,
        "contract_end": departure.contract_end_date.isoformat(),
        "jurisdiction": departure.jurisdiction,
        "initiated_by": departure.initiated_by,
        "confidentiality": departure.confidentiality,
        "revision": departure.revision,
    }
    for name in ("reason", "rehire"):
        if can_read(actor, f"departure.{name}", held):
            facts[name] = getattr(departure, name)
    return facts


def journey_dict(
    departure: Departure, actor: Actor, *, steps: Iterable[Step] | None = None
) -> dict[str, Any]:
    """A journey with its steps as the API and the command line show it.

    Raises as `departures.policies.authorise` for who may not see it.
    """
    held = authorise(actor, "journeys.view", departure)
    steps = steps_of(departure) if steps is None else steps
    return {**departure_dict(departure, held, actor), "steps": [step_dict(step) for step in steps]}


def _soonest(parts: Iterable[QuerySet[Step]], limit: int, after: StepPlace | None) -> list[Step]:
    """The first `limit` of several sets of steps by due date, from the place `after` on.

    Each is asked by itself: for one owner or queue in one state an index holds the steps in this order, so
    that a database reads `limit` of them, and never all that somebody has.
    """
    if after is not None:
        due_at, pk = after
        later = Q(due_at__gt=due_at) | Q(due_at=due_at, pk__gt=pk)
        parts = [part.filter(later, due_at__gte=due_at) for part in parts]
    found = [step for part in parts for step in part.order_by("due_at", "pk")[:limit]]
    return sorted(found, key=lambda step: (step.due_at, step.pk))[:limit]


def _steps_in(departures: QuerySet[Departure]) -> QuerySet[Step]:
    """Steps of these departures. Each step is asked by itself: with a condition on a joined departure, SQLite
    first reads all departures to filter by, and a page of a few steps grows with the years."""
    return Step.objects.filter(Exists(departures.filter(pk=OuterRef("journey_id"))))


def _uuid(value: UUID | str) -> UUID:
    if isinstance(value, UUID):
        return value
    try:
        return UUID(value)
    except ValueError as error:
        raise NotFound("departure") from error
