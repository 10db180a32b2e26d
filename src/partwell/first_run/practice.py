"""Practice: somebody walks through their own departure, and nothing of it happens.

A practice is no departure. There is no row that a timer, a sweep, a list, a count or an auditor could find:
its plan is made by the same planning as a real one, each time that it is looked at, and is never stored. So
nothing has to be told to leave it alone.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import date, datetime

from django.db import IntegrityError, transaction
from django.db.models import QuerySet

from partwell import clock
from partwell.departures.models import Departure
from partwell.departures.states import SubjectKind
from partwell.evidence.operations import record
from partwell.first_run.models import Practice
from partwell.journeys.intake import Intake, draft_departure
from partwell.journeys.models import Step, TemplateVersion
from partwell.journeys.operations.shutting_out import URGENT
from partwell.journeys.operations.starting import known_template, plan_draft
from partwell.journeys.owners import Owner, Owners
from partwell.journeys.planning import refresh_blocks
from partwell.journeys.states import PENDING, StepState
from partwell.journeys.template.model import Template
from partwell.journeys.template_queries import load_version
from partwell.people.actors import Actor
from partwell.people.authorisation import check_office, operation, reading
from partwell.people.models import Person, User
from partwell.people.queries import usual_place
from partwell.people.roles import Role
from partwell.refusals import Conflict, Invalid

WAYS = frozenset({StepState.DONE.value, StepState.SKIPPED.value})
"""What can be done with a step."""


@dataclass(frozen=True)
class PracticePlan:
    """A practice as it stands: its unsaved departure and unsaved steps, those done and left out included."""

    practice: Practice
    departure: Departure
    steps: list[Step]

    def step(self, key: str) -> Step:
        """The step of this key. Raises `Invalid` for another one."""
        found = next((step for step in self.steps if step.key == key), None)
        if found is None:
            raise Invalid("step_unknown", f"This practice has no step “{key}”.", field="step")
        return found


class _Oneself(Owners):
    """Every step is one's own, whatever its role."""

    def __init__(self, departure: Departure, user: User, *, now: datetime) -> None:
        super().__init__(departure, now=now, may_create=False)
        self._user = user

    def of(self, role: Role) -> Owner:
        return Owner(self._user, str(self._user))


def can_be_practised(version: TemplateVersion, template: Template) -> bool:
    """Whether somebody can try this on themselves: an ending of staff in which the one who leaves has a step,
    and not the kill switch."""
    return (
        version.audience == SubjectKind.STAFF
        and version.template_id not in URGENT
        and any(step.role is Role.DEPARTING for step in template.steps)
    )


def latest_to_practise() -> list[TemplateVersion]:
    """The newest version of each template that can be practised, by title."""
    newest: dict[str, TemplateVersion] = {}
    for version in TemplateVersion.objects.order_by("template_id", "-version"):
        newest.setdefault(version.template_id, version)
    return sorted(
        (version for version in newest.values() if can_be_practised(version, load_version(version))),
        key=lambda version: version.title,
    )


@reading("practice.view")
def view_practice(*, actor: Actor) -> PracticePlan | None:
    """The actor's own practice as it stands; None where they have none."""
    check_office(actor, "practice.view")
    practice = _open_of(actor).select_related("person", "template", "user").first()
    return None if practice is None else _plan(practice, actor)


@operation("practice.begin")
def begin(*, template_id: str, last_working_date: date, actor: Actor, now: datetime) -> PracticePlan:
    """Begin to practise one's own departure, with notice today.

    Raises `Invalid` for a template that cannot be practised, for dates that do not fit, and for somebody who
    is not in the register; `Conflict` while another practice of theirs is open.
    """
    check_office(actor, "practice.begin")
    person = Person.objects.filter(pk=actor.person_id or 0).first()
    user = User.objects.filter(pk=actor.user_id or 0).first()
    if person is None or user is None:
        raise Invalid(
            "not_in_register",
            "The register has no entry with your address, and a plan needs your manager and your country. "
            "Import yourself with your people, then come back.",
        )
    version = known_template(template_id)
    if not can_be_practised(version, load_version(version)):
        raise Invalid(
            "not_to_practise",
            f"“{version.title}” is nothing that you could try on yourself. Choose another template.",
            field="template",
        )
    practice = Practice(
        user=user,
        person=person,
        template=version,
        notice_date=clock.today_in(person.timezone or usual_place().timezone, now=now),
        last_working_date=last_working_date,
        begun_at=now,
        planned_at=now,
    )
    planned = _plan(practice, actor)
    try:
        with transaction.atomic():
            practice.save(force_insert=True)
    except IntegrityError:
        raise Conflict("practice_open", "You are practising already. End that practice first.") from None
    _record(
        "practice.begun", practice, actor, now, template=str(version), last_working_day=str(last_working_date)
    )
    return planned


@operation("practice.settle_step")
def settle_step(*, key: str, way: str, actor: Actor, now: datetime) -> PracticePlan:
    """Do a step that is open (`done`), or leave one out that waits or is open (`skipped`).

    Nothing is asked for as evidence. Raises `Conflict` for a step that waits for others or is settled.
    """
    check_office(actor, "practice.settle_step")
    if way not in WAYS:
        raise Invalid("way_unknown", f"“{way}” is none of: {', '.join(sorted(WAYS))}.", field="way")
    practice = _mine(actor)
    step = _plan(practice, actor).step(key)
    if step.state not in PENDING:
        raise Conflict(
            "step_settled", f"“{step.title}” is settled already. Open it again first.", field="step"
        )
    if step.state == StepState.BLOCKED and way == StepState.DONE:
        raise Conflict("step_blocked", f"“{step.title}” waits for other steps.", field="step")
    practice.settled[key] = way
    practice.save(update_fields=["settled"])
    _record("practice.step_settled", practice, actor, now, step=key, title=step.title, way=way)
    return _plan(practice, actor)


@operation("practice.reopen_step")
def reopen_step(*, key: str, actor: Actor, now: datetime) -> PracticePlan:
    """Open a step again. Raises `Conflict` for one that is not done and not left out."""
    check_office(actor, "practice.reopen_step")
    practice = _mine(actor)
    step = _plan(practice, actor).step(key)
    if practice.settled.pop(key, None) is None:
        raise Conflict("step_not_settled", f"“{step.title}” is not done and not left out.", field="step")
    practice.save(update_fields=["settled"])
    _record("practice.step_reopened", practice, actor, now, step=key, title=step.title)
    return _plan(practice, actor)


@operation("practice.move")
def move(*, last_working_date: date, actor: Actor, now: datetime) -> PracticePlan:
    """Move the last day; every date that hangs on it follows. Raises `Invalid` for one that does not fit."""
    check_office(actor, "practice.move")
    practice = _mine(actor)
    practice.last_working_date, practice.planned_at = last_working_date, now
    planned = _plan(practice, actor)
    practice.save(update_fields=["last_working_date", "planned_at"])
    _record("practice.moved", practice, actor, now, last_working_day=str(last_working_date))
    return planned


@operation("practice.end")
def end(*, actor: Actor, now: datetime) -> None:
    """Throw the practice away. What is left is that there was one, from when to when."""
    check_office(actor, "practice.end")
    practice = _mine(actor)
    settled = len(practice.settled)
    practice.settled, practice.ended_at = {}, now
    practice.save(update_fields=["settled", "ended_at"])
    _record("practice.ended", practice, actor, now, settled=settled)


def _open_of(actor: Actor) -> QuerySet[Practice]:
    return Practice.objects.filter(user_id=actor.user_id or 0, ended_at__isnull=True)


def _mine(actor: Actor) -> Practice:
    practice = (
        _open_of(actor).select_for_update(of=("self",)).select_related("person", "template", "user").first()
    )
    if practice is None:
        raise Conflict("no_practice", "You are not practising. Begin a practice first.")
    return practice


def _plan(practice: Practice, actor: Actor) -> PracticePlan:
    """The plan as the real one would be, made when it was last planned, with what was done meanwhile."""
    template, planned_at = load_version(practice.template), practice.planned_at
    intake = Intake(
        person=practice.person,
        notice_date=practice.notice_date,
        last_working_date=practice.last_working_date,
    )
    departure = draft_departure(intake, template, now=planned_at)
    owners = _Oneself(departure, practice.user, now=planned_at)
    planned = plan_draft(practice.template, template, departure, actor=actor, now=planned_at, owners=owners)
    _settle(planned.steps, practice)
    return PracticePlan(practice, departure, planned.steps)


def _settle(steps: Iterable[Step], practice: Practice) -> None:
    steps = list(steps)
    for step in steps:
        if step.state in PENDING and step.key in practice.settled:
            step.state, step.waits_for = practice.settled[step.key], []
    refresh_blocks(steps)


def _record(kind: str, practice: Practice, actor: Actor, now: datetime, **fields: object) -> None:
    record(kind, scope=f"practice:{practice.pk}", actor=actor.label, at=now, fields=fields)
