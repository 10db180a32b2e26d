"""Inviting guests to a journey, and what a guest is shown of it.

A guest's page is made of its own few values, picked one by one. Nothing else of a departure or a step is
handed to the templates, so that nothing from the inside can slip through.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import date, datetime
from zoneinfo import ZoneInfo

from django.db import transaction
from django.db.models import Exists, OuterRef, Q, QuerySet

from partwell import clock
from partwell.departures import guests
from partwell.departures.guests import Invitation
from partwell.departures.models import Departure, GuestLink
from partwell.departures.policies import authorise, is_leaver
from partwell.departures.states import (
    Confidentiality,
    DepartureState,
    GuestCapacity,
    InitiatedBy,
    SubjectKind,
)
from partwell.journeys import messages
from partwell.journeys.models import Step
from partwell.journeys.policies import check_shown
from partwell.journeys.reminders import answerable
from partwell.journeys.states import PENDING, StepState
from partwell.journeys.step_kinds import rule_of
from partwell.journeys.template.model import EvidenceKind, Visibility
from partwell.people.actors import Actor, Channel
from partwell.people.roles import ROLE_LABELS, Role
from partwell.refusals import Invalid, NotFound

SETTLEMENT = 7
"""The phase whose steps are what we owe the leaving side."""

_HELPS_WITH = {
    SubjectKind.STAFF: {
        Role.HR: "Pay, leave, papers, anything",
        Role.IT_SECURITY: "Laptop, phone, accounts",
        Role.LINE_MANAGER: "Your handover",
    },
    SubjectKind.CLIENT: {Role.ACCOUNT_MANAGER: "Anything about the hand-back", Role.FINANCE: "Invoices"},
}


@dataclass(frozen=True)
class GuestTask:
    """A step of the guest's own, as they see it. `files` are the names of what was attached."""

    key: str
    title: str
    guidance: str
    due_at: datetime
    state: StepState
    evidence: str
    by_hand: bool
    files: tuple[str, ...] = ()

    @property
    def is_open(self) -> bool:
        return self.state == StepState.OPEN

    @property
    def is_done(self) -> bool:
        return self.state == StepState.DONE

    @property
    def needs_file(self) -> bool:
        """Whether a file is asked for and none is there yet."""
        return self.evidence == EvidenceKind.FILE and not self.files


@dataclass(frozen=True)
class Ahead:
    """One thing that happens, and when: a date of the departure, or a step of ours that everybody sees."""

    day: date
    title: str
    more: str = ""
    is_done: bool = False
    is_next: bool = False


@dataclass(frozen=True)
class HelpfulPerson:
    """Somebody to ask."""

    name: str
    email: str
    about: str


@dataclass(frozen=True)
class GuestPage:
    """All that a guest sees."""

    name: str
    is_helper: bool
    is_client: bool
    is_closed: bool
    timezone: str
    last_working_date: date
    access_end_at: datetime
    contract_end_date: date
    days_left: int
    about: str = ""
    tasks: list[GuestTask] = field(default_factory=list)
    ahead: list[Ahead] = field(default_factory=list)
    owed: list[Ahead] = field(default_factory=list)
    people: list[HelpfulPerson] = field(default_factory=list)

    @property
    def done_count(self) -> int:
        return sum(task.is_done for task in self.tasks)


@transaction.atomic
def invite_guest(
    *,
    departure: Departure,
    email: str,
    capacity: GuestCapacity | str = GuestCapacity.DEPARTING,
    name: str = "",
    step_keys: Iterable[str] = (),
    actor: Actor,
    now: datetime,
) -> Invitation:
    """Make a guest's link and mail it. Raises as `departures.guests.invite`, and `Invalid` for a helper's
    step that does not exist, is settled, or is not one that a person from outside could do, and for the
    leaving side where the journey has no page for it."""
    authorise(actor, "guests.invite", departure)
    if capacity == GuestCapacity.DEPARTING and not has_leavers_page(departure):
        raise Invalid(
            "no_page_to_open",
            "Nothing of this journey is for the one who leaves, so there is no page to invite them to. "
            "Invite a helper for single steps, or speak with whoever it is about.",
            field="capacity",
        )
    wanted = list(dict.fromkeys(step_keys))
    offered = {step.key for step in steps_for_helpers(departure)}
    if unknown := [key for key in wanted if key not in offered]:
        raise Invalid(
            "step_not_for_helpers",
            f"“{unknown[0]}” is no open step that a helper could do. Choose among the pending tasks that are "
            "not the leaving side's own.",
            field="steps",
        )
    invitation = guests.invite(
        departure=departure,
        email=email,
        capacity=capacity,
        name=name,
        step_keys=wanted,
        actor=actor,
        now=now,
    )
    messages.send_guest_link(invitation, now=now)
    return invitation


@transaction.atomic
def revoke_guest(*, link: GuestLink, actor: Actor, now: datetime) -> GuestLink:
    """End a guest's link and session, and take back the mail if it still waits."""
    link = guests.revoke(link=link, actor=actor, now=now)
    messages.drop_guest_link(link.pk, link.departure, now=now)
    return link


@transaction.atomic
def renew_link(*, token: str, source: str, now: datetime) -> None:
    """Mail a new link to where a spent one was sent. Raises as `departures.guests.renew`."""
    messages.send_guest_link(guests.renew(token=token, source=source, now=now), now=now)


def steps_for_helpers(departure: Departure) -> list[Step]:
    """The steps that a helper can be invited to do."""
    pending = departure.journey.steps.filter(state__in=PENDING).exclude(role=Role.DEPARTING)
    return [step for step in pending if rule_of(step.kind).by_hand and not rule_of(step.kind).second_person]


def find_own_departure(actor: Actor) -> Departure:
    """The departure of somebody who is still signed in, for their own page. Raises `NotFound`.

    It is there once they are sure to know: when they gave the notice, or somebody has invited them. A
    dismissal is told in person, never by a page that appears. A journey with nothing for them has no page.
    """
    departure = own_departures(actor).select_related("journey").first()
    if departure is None:
        raise NotFound("page")
    return departure


def own_departures(actor: Actor) -> QuerySet[Departure]:
    """The departure with a page of its own for this signed-in person, as a query for `find_own_departure`."""
    if actor.person_id is None or actor.channel is not Channel.WEB:
        return Departure.objects.none()
    gave_notice = Q(
        initiated_by__in=(InitiatedBy.LEAVER, InitiatedBy.MUTUAL, InitiatedBy.EXPIRY),
        confidentiality=Confidentiality.NORMAL,
    )
    invited = GuestLink.objects.filter(
        departure=OuterRef("pk"), capacity=GuestCapacity.DEPARTING, revoked_at__isnull=True
    )
    return Departure.objects.filter(
        gave_notice | Q(Exists(invited)),
        Exists(Step.objects.filter(journey_id=OuterRef("pk"), visibility=Visibility.EVERYBODY)),
        person_id=actor.person_id,
        state=DepartureState.ACTIVE,
    )


def has_leavers_page(departure: Departure) -> bool:
    """Whether anything of the journey is for the one who leaves. After a death nothing is: the page would
    speak to the family in the name of the one who died."""
    return departure.journey.steps.filter(visibility=Visibility.EVERYBODY).exists()


def guest_page(departure: Departure, actor: Actor, *, now: datetime) -> GuestPage:
    """What this guest, or the leaver who is still signed in, sees. Raises `NotFound` for anybody else."""
    is_own = is_leaver(actor, departure)
    if not is_own and not (actor.channel is Channel.GUEST and actor.departure_id == departure.pk):
        raise NotFound("page")
    steps = list(
        departure.journey.steps.exclude(
            state__in=[StepState.NOT_NEEDED, StepState.WITHDRAWN, StepState.SKIPPED]
        ).prefetch_related("attachments__file")
    )
    is_client = departure.subject_kind == SubjectKind.CLIENT
    today = clock.today_in(departure.timezone, now=now)
    page = GuestPage(
        name=departure.subject_name if is_own else "",
        is_helper=not is_own,
        is_client=is_client,
        is_closed=not departure.is_open,
        timezone=departure.timezone,
        last_working_date=departure.last_working_date,
        access_end_at=departure.access_end_at,
        contract_end_date=departure.contract_end_date,
        days_left=((departure.contract_end_date if is_client else departure.last_working_date) - today).days,
        about="" if is_own or departure.is_restricted else departure.subject_name,
        tasks=[_task(step) for step in steps if _is_own(step, actor, is_own=is_own)],
    )
    if not is_own:
        return page
    shared = [
        step for step in steps if step.visibility == Visibility.EVERYBODY and step.role != Role.DEPARTING
    ]
    page.ahead.extend(_ahead(departure, [s for s in shared if s.phase != SETTLEMENT], today))
    page.owed.extend(_item(step, departure) for step in shared if step.phase == SETTLEMENT)
    page.people.extend(_people(departure))
    return page


def guest_step(departure: Departure, key: str, actor: Actor) -> Step:
    """One of the guest's own steps. Raises `NotFound` for every other."""
    if not is_leaver(actor, departure) and actor.departure_id != departure.pk:
        raise NotFound("step")
    step = departure.journey.steps.select_related("journey__departure").filter(key=key).first()
    if step is None or step.state in (StepState.NOT_NEEDED, StepState.WITHDRAWN, StepState.SKIPPED):
        raise NotFound("step")
    check_shown(actor, step)
    return step


def task_of(step: Step) -> GuestTask:
    """A step as its guest sees it."""
    return _task(step)


def _is_own(step: Step, actor: Actor, *, is_own: bool) -> bool:
    if is_own:
        return step.role == Role.DEPARTING and step.visibility == Visibility.EVERYBODY
    return step.key in actor.guest_steps


def _task(step: Step) -> GuestTask:
    return GuestTask(
        key=step.key,
        title=step.title,
        guidance=step.guidance,
        due_at=step.due_at,
        state=StepState(step.state),
        evidence=step.evidence,
        by_hand=rule_of(step.kind).by_hand,
        files=tuple(attachment.file.name for attachment in step.attachments.all()),
    )


def _ahead(departure: Departure, shared: list[Step], today: date) -> list[Ahead]:
    """The way from notice to the end, in order, with the next thing marked."""
    is_client = departure.subject_kind == SubjectKind.CLIENT
    local_end = departure.access_end_at.astimezone(ZoneInfo(departure.timezone))
    closes = f"Your accounts close at {local_end:%H:%M}."
    dates = [Ahead(departure.notice_date, "Notice was given", is_done=departure.notice_date <= today)]
    if not is_client:
        last = departure.last_working_date
        same_day = closes if local_end.date() == last else ""
        dates.append(Ahead(last, "Your last working day", same_day, is_done=last < today))
    if is_client or local_end.date() != departure.last_working_date:
        what = "Your access to our systems ends" if is_client else "Your access ends"
        dates.append(
            Ahead(local_end.date(), what, f"At {local_end:%H:%M}.", is_done=local_end.date() < today)
        )
    ends = departure.contract_end_date
    dates.append(
        Ahead(ends, "The contract ends" if is_client else "Your contract ends", is_done=ends < today)
    )
    items = sorted([*dates, *(_item(step, departure) for step in shared)], key=lambda item: item.day)
    following = next((item for item in items if not item.is_done), None)
    return [Ahead(i.day, i.title, i.more, i.is_done, is_next=i is following) for i in items]


def _item(step: Step, departure: Departure) -> Ahead:
    """A step of ours that everybody sees: its title, its date and which of us does it, nothing else."""
    day = clock.today_in(departure.timezone, now=step.due_at)
    return Ahead(day, step.title, ROLE_LABELS[Role(step.role)], is_done=step.state == StepState.DONE)


def _people(departure: Departure) -> list[HelpfulPerson]:
    """Whom to ask. Of a need-to-know departure only HR: who else is in it stays inside."""
    helps = _HELPS_WITH[SubjectKind(departure.subject_kind)]
    if departure.is_restricted:
        helps = {role: about for role, about in helps.items() if role in (Role.HR, Role.ACCOUNT_MANAGER)}
    found: dict[str, HelpfulPerson] = {}
    for role, about in helps.items():
        for user in answerable(role, [departure])[departure.pk][:1]:
            found.setdefault(user.email, HelpfulPerson(user.name or user.email, user.email, about))
    return list(found.values())
