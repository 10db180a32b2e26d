"""What the engine does for a round: start whom it is time for, withdraw whom it was recalled for.

Some at a time, each group in one transaction with its evidence: so progress can be read while it goes on,
and what a crash cuts short goes on from the rows, nobody twice and nobody lost.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime
from uuid import UUID

from django.db import transaction

from partwell.departures.models import Departure, Participant
from partwell.departures.states import DepartureState
from partwell.engine.operations import set_timer
from partwell.evidence.operations import record
from partwell.journeys.intake import Intake, draft_departure
from partwell.journeys.models import Round, RoundMember
from partwell.journeys.operations.ending import withdraw
from partwell.journeys.operations.starting import Draft, plan_draft, store_many
from partwell.journeys.owners import Owners, Register
from partwell.journeys.rounds.drift import NOT_IN_REGISTER
from partwell.journeys.rounds.letters import tell_owners
from partwell.journeys.rounds.operations import GO_ON, lock_round
from partwell.journeys.rounds.queries import round_scope
from partwell.journeys.rounds.states import MemberState, RoundState
from partwell.journeys.template_queries import load_version
from partwell.people.actors import Actor, actor_for_user, engine_actor
from partwell.people.authorisation import check_office, operation
from partwell.people.models import User
from partwell.people.operations import tie_accounts
from partwell.refusals import Conflict, Refusal
from partwell.rows import write_rows

AT_ONCE = 25
"""So many people in one transaction: short enough that others write meanwhile."""

# The same words for everybody in whose way a departure stands, so that they tell nobody of a secret one.
NOT_HERE = "Could not be started here. If no journey of theirs is under way, give notice for them."


def go_on(key: str, now: datetime) -> None:
    """Do for a round what is due. The engine's timer `rounds.go_on`; `key` is the round's id."""
    found = Round.objects.filter(pk=UUID(key)).first()
    if found is None:
        return
    while start_some(found=found, actor=engine_actor(f"round, by {found.prepared_by}"), now=now):
        """The next ones."""
    while withdraw_some(found=found, actor=engine_actor(f"recall, by {found.recalled_by}"), now=now):
        """The next ones."""


@operation("rounds.start_due")
def start_some(*, found: Round, actor: Actor, now: datetime) -> int:
    """Start the next people of an approved round whose moment has come; how many were looked at.

    Whoever cannot be started is left out by name. With the last of them their owners are told, and the timer
    is set for the next batch.
    """
    check_office(actor, "rounds.start_due")
    found = lock_round(found, actor)
    if found.state != RoundState.APPROVED:
        return 0
    due = found.members.filter(state=MemberState.WAITING, starts_at__lte=now)
    members = list(due.select_related("person").order_by("position")[:AT_ONCE])
    if members:
        _start(found, members, _as_starter(found, actor), now)
    else:
        _finish_batch(found, actor, now)
    return len(members)


def _start(found: Round, members: Sequence[RoundMember], actor: Actor, now: datetime) -> None:
    template = load_version(found.template)
    running = set(
        Departure.objects.filter(
            state=DepartureState.ACTIVE, person__in=[member.person_id for member in members]
        ).values_list("person_id", flat=True)
    )
    # Nobody owns a step of their own departure, by whichever of their accounts.
    people = [member.person for member in members if member.person is not None]
    tie_accounts(people)
    register = Register()
    register.know_accounts(people)
    planned: list[tuple[RoundMember, Draft]] = []
    for member in members:
        if member.person is None or member.person_id in running:
            member.state = MemberState.LEFT_OUT
            member.note = NOT_IN_REGISTER if member.person is None else NOT_HERE
            continue
        try:
            departure = draft_departure(_intake(found, member), template, now=now)
            owners = Owners(departure, now=now, may_create=True, starter_id=actor.user_id, register=register)
            draft = plan_draft(found.template, template, departure, actor=actor, now=now, owners=owners)
        except Refusal as refusal:
            member.state, member.note = MemberState.LEFT_OUT, refusal.message
        else:
            planned.append((member, draft))
    _store(found, planned, actor, now)
    _let_participants_in(
        found, [draft.departure for member, draft in planned if member.departure_id], register, now
    )
    write_rows(members, ["state", "note", "departure"])


def _store(found: Round, planned: Sequence[tuple[RoundMember, Draft]], actor: Actor, now: datetime) -> None:
    """All of them together; one by one where somebody else has just started one of them."""
    if not planned:
        return
    try:
        store_many(
            [draft for _, draft in planned],
            actor=actor,
            now=now,
            round_id=str(found.pk),
            round_approved_by=found.approved_by,
        )
    except Conflict:
        if len(planned) > 1:
            for each in planned:
                _store(found, [each], actor, now)
            return
        planned[0][0].state, planned[0][0].note = MemberState.LEFT_OUT, NOT_HERE
        return
    for member, draft in planned:
        member.state, member.departure = MemberState.STARTED, draft.departure


def _intake(found: Round, member: RoundMember) -> Intake:
    return Intake(
        person=member.person,
        last_working_date=member.last_working_date,
        notice_date=member.notice_date,
        reason=member.reason,
        jurisdiction=found.jurisdiction,
        confidentiality=found.confidentiality,
    )


def _as_starter(found: Round, actor: Actor) -> Actor:
    """The engine, in the place of whoever prepared the round where they can still sign in: they take part,
    and have their own role's steps, as if they had started each journey themselves."""
    user = User.objects.filter(pk=found.prepared_by_id or 0, is_active=True).first()
    return replace(actor, user_id=user.pk, grants=actor_for_user(user).grants) if user else actor


def _let_participants_in(
    found: Round, departures: Sequence[Departure], register: Register, now: datetime
) -> None:
    parts = list(found.participants.filter(user__is_active=True).select_related("user"))
    Participant.objects.bulk_create(
        (
            Participant(
                departure=departure,
                user=part.user,
                capacity=part.capacity,
                added_at=now,
                added_by=found.prepared_by,
            )
            for departure in departures
            for part in parts
            if register.entry_of(part.user) != departure.person_id
        ),
        ignore_conflicts=True,
    )


def _finish_batch(found: Round, actor: Actor, now: datetime) -> None:
    """Nobody is due: tell whom the new journeys give steps, and wait for the next ones, or end."""
    new = list(found.members.filter(state=MemberState.STARTED, is_told=False))
    waiting = found.members.filter(state=MemberState.WAITING)
    next_at = waiting.order_by("starts_at").values_list("starts_at", flat=True).first()
    if new:
        tell_owners(found, new, now=now)
        found.members.filter(pk__in=[member.pk for member in new]).update(is_told=True)
        record(
            "round.batch_started",
            scope=round_scope(found.pk),
            actor=actor.label,
            at=now,
            fields={"started": len(new), "waiting": waiting.count()},
        )
    if next_at is not None:
        set_timer(GO_ON, key=str(found.pk), due_at=next_at)
    else:
        found.state = RoundState.STARTED
        found.save(update_fields=["state"])


@operation("rounds.withdraw_recalled")
def withdraw_some(*, found: Round, actor: Actor, now: datetime) -> int:
    """Withdraw the next journeys that a recall named; how many were looked at. One that cannot be withdrawn
    stays, and its member says why."""
    check_office(actor, "rounds.withdraw_recalled")
    found = lock_round(found, actor)
    recalling = found.members.filter(state=MemberState.RECALLING)
    members = list(recalling.select_related("departure__journey").order_by("position")[:AT_ONCE])
    for member in members:
        _withdraw(found, member, actor, now)
    write_rows(members, ["state", "note", "outcome"])
    if members and not recalling.exists():
        _record_recall(found, actor, now)
    return len(members)


def _withdraw(found: Round, member: RoundMember, actor: Actor, now: datetime) -> None:
    departure = member.departure
    if departure is None:
        member.state, member.note = MemberState.STARTED, "Their journey is no longer on record here."
        return
    if departure.is_open and now >= departure.access_end_at:
        member.state = MemberState.STARTED
        member.note = "Their access has ended, so they are not recalled with others. Withdraw on their page."
        return
    try:
        with transaction.atomic():
            left = withdraw(departure=departure, reason=found.recall_reason, actor=actor, now=now)
    except Refusal as refusal:
        member.state, member.note = MemberState.STARTED, refusal.message
        return
    member.state = MemberState.RECALLED
    member.outcome = {
        "done": [step.title for step in left.done],
        "restorable": [f"{each['account']} in {each['system']}" for each in left.restorable],
        "given": len(left.given),
    }


def _record_recall(found: Round, actor: Actor, now: datetime) -> None:
    ran = found.members.filter(departure__isnull=False)
    record(
        "round.recall_finished",
        scope=round_scope(found.pk),
        actor=actor.label,
        at=now,
        fields={
            "withdrawn": ran.filter(state=MemberState.RECALLED).count(),
            "not_withdrawn": [
                {"email": member.email, "reason": member.note}
                for member in ran.filter(state=MemberState.STARTED).exclude(note="")
            ],
        },
    )
