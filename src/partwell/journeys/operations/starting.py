"""Starting a journey: an intake becomes a departure with planned steps, in one transaction."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any

from django.db import IntegrityError, transaction

from partwell.access.credentials import rotations
from partwell.access.operations import enforcement
from partwell.departures.models import Departure, Notice, Participant
from partwell.departures.notices import hidden_departures
from partwell.departures.policies import visible_departures
from partwell.departures.states import DepartureState, NoticeState
from partwell.engine import operations as engine
from partwell.evidence.operations import build, departure_scope, record, record_many
from partwell.journeys import messages
from partwell.journeys.intake import Intake, draft_departure
from partwell.journeys.models import Journey, Step, TemplateVersion
from partwell.journeys.owners import Owners
from partwell.journeys.planning import needed_in, plan_steps
from partwell.journeys.queries import step_dict
from partwell.journeys.states import StepState
from partwell.journeys.template.model import Template
from partwell.journeys.template_queries import latest, load_version
from partwell.people.actors import Actor, Channel, Grant
from partwell.people.authorisation import check_office, operation
from partwell.people.operations import tie_account
from partwell.people.roles import Role
from partwell.refusals import Conflict, Invalid, NotAllowed, NotFound
from partwell.rows import insert_rows

GIVE_NOTICE = "give_notice_instead"


@dataclass(frozen=True)
class Draft:
    """A journey as it would start: nothing of it is stored yet."""

    departure: Departure
    journey: Journey
    steps: list[Step]
    owners: Owners

    @property
    def vacancies(self) -> dict[Role, int]:
        """The roles that nobody holds who could do their steps, and how many steps wait for that."""
        waiting = Counter(Role(step.role) for step in self.steps if step.state != StepState.NOT_NEEDED)
        vacant = {role for role, owner in self.owners.resolved().items() if owner.is_vacant}
        return {role: waiting[role] for role in Role if role in vacant and waiting[role]}

    @property
    def unowned(self) -> list[Step]:
        """The steps that nobody is named for although somebody holds the role: where few may know, a queue
        would tell all who hold it."""
        vacant = self.vacancies
        return [
            step
            for step in self.steps
            if not step.owner_name and step.role not in vacant and step.state != StepState.NOT_NEEDED
        ]

    def as_dict(self) -> dict[str, Any]:
        """The plan as the API and the command line show it; it has no id yet."""
        departure = self.departure
        return {
            "id": None,
            "template": self.journey.template.template_id,
            "state": "draft",
            "subject": {
                "kind": departure.subject_kind,
                "name": departure.subject_name,
                "email": departure.subject_email,
            },
            "last_working_day": departure.last_working_date.isoformat(),
            "access_end": departure.access_end_at.isoformat(),
            "timezone": departure.timezone,
            "contract_end": departure.contract_end_date.isoformat(),
            "steps": [step_dict(step) for step in self.steps],
            "vacant_roles": [{"role": role.value, "steps": count} for role, count in self.vacancies.items()],
        }


def draft_journey(*, template_id: str, intake: Intake, actor: Actor, now: datetime) -> Draft:
    """Plan without storing: the dry run. It looks the same whether or not a departure that the actor cannot
    know of is under way, so that nobody finds out by looking, which leaves no trace.

    Raises `NotFound` for an unknown template, `Invalid` for wrong input, `Conflict` when the person leaves
    already and the actor may know it, `NotAllowed` for who may not start this journey alone.
    """
    return _draft(template_id, intake, actor, now, may_create=False)


def _draft(template_id: str, intake: Intake, actor: Actor, now: datetime, *, may_create: bool) -> Draft:
    check_office(_as_register_role(actor, intake), "journeys.start")
    version = known_template(template_id)
    template = load_version(version)
    departure = draft_departure(intake, template, now=now)
    _check_may_start_alone(actor, departure)
    _refuse_who_leaves(actor, departure, also_hidden=may_create)
    return plan_draft(version, template, departure, actor=actor, now=now, may_create=may_create)


def plan_draft(
    version: TemplateVersion,
    template: Template,
    departure: Departure,
    *,
    actor: Actor,
    now: datetime,
    may_create: bool = False,
    owners: Owners | None = None,
) -> Draft:
    """Plan the journey of an unsaved departure. Whoever calls this has asked whether it may be started.

    The registers say who owns what, and with `may_create` who has no account gets one, unless other `owners`
    are given, who know that themselves.
    """
    journey = Journey(
        departure=departure,
        template=version,
        template_digest=version.digest,
        started_at=now,
        started_by=actor.label,
    )
    if owners is None:
        owners = Owners(departure, now=now, may_create=may_create, starter_id=actor.user_id)
    is_needed = needed_in(departure, template, version.digest)
    steps = plan_steps(template, journey, owners=owners, is_needed=is_needed, now=now)
    return Draft(departure, journey, steps, owners)


@operation("journeys.start")
def start(*, template_id: str, intake: Intake, actor: Actor, now: datetime) -> Journey:
    """Start the journey of one departure, and return it.

    Refusals as for `draft_journey`; `NotAllowed` too while a departure that the actor cannot know of is
    under way: then they give notice, as everybody does who may not start alone. The departure, its
    participants, all steps and the evidence event commit together, with one wake-up for the engine and its
    access timers.
    """
    # Nobody owns a step of their own departure, by whichever of their accounts.
    account = tie_account(intake.person) if intake.person is not None else None
    draft = _draft(template_id, intake, actor, now, may_create=True)
    if intake.person is not None:
        draft.owners.register.know_account(intake.person, account)
    return store(draft, actor=actor, now=now)


def store(draft: Draft, *, actor: Actor, now: datetime) -> Journey:
    """Write a planned journey, in the caller's transaction, and tell everybody who has a step in it. Raises
    `Conflict` when they leave already."""
    store_many([draft], actor=actor, now=now)
    messages.tell_all_assigned(
        draft.departure, draft.steps, holders=draft.owners.holders, actor=actor, now=now
    )
    return draft.journey


def store_many(
    drafts: Sequence[Draft],
    *,
    actor: Actor,
    now: datetime,
    round_id: str = "",
    round_approved_by: str = "",
) -> None:
    """Write planned journeys, in the caller's transaction and all or none, with hardly more statements than
    one takes. Nobody is told of their steps. Of a round, its id and who approved it stand in their evidence.

    Raises `Conflict` when one of them leaves already, before anything else is written.
    """
    departures = [draft.departure for draft in drafts]
    try:
        with transaction.atomic():
            Departure.objects.bulk_create(departures)
    except IntegrityError as error:
        raise _leaves_already(*departures) from error
    Journey.objects.bulk_create([draft.journey for draft in drafts])
    insert_rows([step for draft in drafts for step in draft.steps])
    Participant.objects.bulk_create([part for draft in drafts for part in _participants(draft, actor, now)])
    record_many(
        build(
            "journey.started",
            scope=departure_scope(draft.departure.pk),
            actor=actor.label,
            at=now,
            fields={
                **_started_fields(draft),
                **(_of_round(round_id, round_approved_by) if round_id else {}),
            },
        )
        for draft in drafts
    )
    enforcement.schedule_all(departures, now=now)
    rotations.open_first(departures, actor=actor, now=now)
    for departure in departures:
        engine.poke(departure.pk)


def start_or_give_notice(
    *, template_id: str, intake: Intake, actor: Actor, now: datetime
) -> Journey | Notice:
    """Start the journey where the actor may, else give notice to HR; what the faces call.

    Whoever cannot know that a departure is under way gets the same neutral notice as everybody else who
    may not start alone.
    """
    try:
        return start(template_id=template_id, intake=intake, actor=actor, now=now)
    except NotAllowed as refusal:
        if refusal.code != GIVE_NOTICE:
            raise
    return give_notice(template_id=template_id, intake=intake, actor=actor, now=now)


@operation("notices.give")
def give_notice(*, template_id: str, intake: Intake, actor: Actor, now: datetime) -> Notice:
    """Tell HR that somebody leaves. The answer is the same whether or not they are leaving already."""
    check_office(_as_register_role(actor, intake), "notices.give")
    template = load_version(known_template(template_id))
    departure = draft_departure(intake, template, now=now)
    notice = Notice.objects.create(
        person=departure.person,
        client=departure.client,
        subject_name=departure.subject_name,
        scenario=template.id,
        notice_date=departure.notice_date,
        last_working_date=departure.last_working_date,
        reason=departure.reason,
        given_by=actor.label,
        given_at=now,
    )
    record(
        "notice.given",
        scope=f"notice:{notice.pk}",
        actor=actor.label,
        at=now,
        fields={"subject": notice.subject_name, "template": template.id, **_dates(departure)},
    )
    return notice


@operation("notices.settle")
def settle_notice(*, notice: Notice, journey: Journey | None, actor: Actor, now: datetime) -> Notice:
    """Mark a waiting notice as started (with the journey that answers it) or declined (None)."""
    check_office(actor, "notices.settle")
    if notice.state != NoticeState.WAITING:
        raise Conflict("notice_settled", f"{notice.settled_by} has settled this notice already.")
    notice.state = NoticeState.STARTED if journey else NoticeState.DECLINED
    notice.departure = journey.departure if journey else None
    notice.settled_by, notice.settled_at = actor.label, now
    notice.save(update_fields=["state", "departure", "settled_by", "settled_at"])
    record(f"notice.{notice.state}", scope=f"notice:{notice.pk}", actor=actor.label, at=now, fields={})
    return notice


def known_template(template_id: str) -> TemplateVersion:
    """The latest version of a template that somebody named. Raises `Invalid` when there is none."""
    try:
        return latest(template_id)
    except NotFound as error:
        known = (
            TemplateVersion.objects.order_by("template_id").values_list("template_id", flat=True).distinct()
        )
        raise Invalid(
            "template_unknown",
            f"There is no template “{template_id}”. Known are: {', '.join(known) or 'none yet'}.",
            field="template",
        ) from error


def may_start_alone(actor: Actor, departure: Departure) -> bool:
    """HR and the console start any journey, an account manager those of their own clients.

    Everybody else gives notice, and HR starts: so that the answer never tells whether a need-to-know
    departure is under way.
    """
    if actor.channel is Channel.CONSOLE or Role.HR in actor.roles_in(departure.subject_department):
        return True
    return _manages_client(actor, departure.client) and not departure.is_restricted


def _manages_client(actor: Actor, client: Any) -> bool:
    return bool(client and actor.person_id and client.account_manager_id == actor.person_id)


def _as_register_role(actor: Actor, intake: Intake) -> Actor:
    """The actor with the role that the register gives them towards this person or client."""
    grants = set(actor.grants)
    if intake.person and actor.person_id and intake.person.manager_id == actor.person_id:
        grants.add(Grant(Role.LINE_MANAGER))
    if _manages_client(actor, intake.client):
        grants.add(Grant(Role.ACCOUNT_MANAGER))
    return replace(actor, grants=frozenset(grants))


def _check_may_start_alone(actor: Actor, departure: Departure) -> None:
    if departure.person_id is not None and departure.person_id == actor.person_id:
        raise NotAllowed("own_departure", "Your own departure is started by HR. Give your notice to them.")
    if not may_start_alone(actor, departure):
        raise _give_notice()


def _refuse_who_leaves(actor: Actor, departure: Departure, *, also_hidden: bool) -> None:
    """Raise where the same person's departure is under way: `Conflict` for who may know it, and with
    `also_hidden` the same as for everybody who may not start alone."""
    if departure.person_id is None:
        return
    running = Departure.objects.filter(person_id=departure.person_id, state=DepartureState.ACTIVE)
    found = list(running.values_list("pk", flat=True))
    if found and visible_departures(actor).filter(pk__in=found).exists():
        raise _leaves_already(departure)
    if found and also_hidden and hidden_departures(actor).filter(pk__in=found).exists():
        raise _give_notice()


def _give_notice() -> NotAllowed:
    return NotAllowed(GIVE_NOTICE, "HR starts this journey. Give notice, and they will see it at once.")


def _leaves_already(*departures: Departure) -> Conflict:
    names = " or ".join(departure.subject_name for departure in departures)
    return Conflict(
        "already_leaving",
        f"{names} is leaving already. Open that journey, or withdraw it first.",
        field="person",
    )


def _participants(draft: Draft, actor: Actor, now: datetime) -> list[Participant]:
    """The owners, whoever starts it, and the one who leaves (who sees their own page only)."""
    departure = draft.departure
    found = {
        (owner.user.pk, role.value)
        for role, owner in draft.owners.resolved().items()
        if owner.user is not None
    }
    if actor.user_id is not None:
        mine = [role for role in (Role.HR, Role.IT_SECURITY) if actor.has_role(role)]
        found.add((actor.user_id, (mine or [Role.ACCOUNT_MANAGER])[0].value))
    leaver = draft.owners.register.user_of(departure.person) if departure.person else None
    if leaver is not None:
        found = {(user, capacity) for user, capacity in found if user != leaver.pk}
        found.add((leaver.pk, Role.DEPARTING.value))
    return [
        Participant(departure=departure, user_id=user, capacity=capacity, added_at=now)
        for user, capacity in sorted(found)
    ]


def _dates(departure: Departure) -> dict[str, str]:
    return {
        "notice_date": departure.notice_date.isoformat(),
        "last_working_day": departure.last_working_date.isoformat(),
        "access_end": departure.access_end_at.isoformat(),
        "contract_end": departure.contract_end_date.isoformat(),
    }


def _started_fields(draft: Draft) -> dict[str, Any]:
    departure, version = draft.departure, draft.journey.template
    return {
        "subject": departure.subject_name,
        "reason": departure.reason,
        "initiated_by": departure.initiated_by,
        "confidentiality": departure.confidentiality,
        "template": f"{version.template_id} v{version.version}",
        "template_digest": version.digest,
        "steps": [step.key for step in draft.steps],
        **_dates(departure),
    }


def _of_round(round_id: str, approved_by: str) -> dict[str, str]:
    return {"round": round_id, "round_approved_by": approved_by}
