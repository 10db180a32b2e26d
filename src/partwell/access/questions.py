"""Asking systems for somebody who looks at a page: the engine asks, the page shows what came.

Systems answer within their own limits, which may be two minutes. So the question is a row, asked for in the
transaction that writes it, and the engine's workflow calls the operation that the console calls directly.
The person is looked up again then: roles taken away meanwhile count.
"""

from __future__ import annotations

from collections.abc import Collection
from datetime import datetime

from django.db import transaction

from partwell import clock
from partwell.access.connections import target_of
from partwell.access.discovery import Found
from partwell.access.extras import NOTHING_MORE, Extras
from partwell.access.models import Question, System
from partwell.access.operations.dry_runs import dry_run_plan
from partwell.access.operations.mapping import take_map
from partwell.access.operations.plans import lock, make_plan
from partwell.access.operations.systems import test_system
from partwell.access.operations.verification import verify_plan
from partwell.access.queries import latest_plan
from partwell.access.states import QuestionKind, QuestionState
from partwell.departures.models import Departure
from partwell.departures.policies import authorise
from partwell.engine.operations import enqueue
from partwell.evidence.operations import departure_scope, record
from partwell.people.actors import Actor, actor_for_user
from partwell.people.authorisation import check_office
from partwell.people.models import Client, Person, User
from partwell.refusals import Conflict, NotAllowed, Refusal

ANSWER = "access.answer"
_ABOUT = {
    QuestionKind.PLAN: "access.plan",
    QuestionKind.READ_BACK: "access.verify",
    QuestionKind.DRY_RUN: "access.dry_run",
    QuestionKind.TEST: "systems.test",
    QuestionKind.MAP: "access.take_map",
}


def ask_for_plan(
    *,
    departure: Departure,
    actor: Actor,
    now: datetime,
    delete_in: Collection[str] = (),
    release_in: Collection[str] = (),
) -> Question:
    """Ask for `make_plan`. A question that is open already is returned instead: two clicks ask once.

    Raises `Invalid` as `make_plan`, before anything is asked.
    """
    extras = Extras(release_in=tuple(sorted(release_in)), delete_in=tuple(sorted(delete_in)))
    extras.check(target_of(system) for system in System.objects.filter(is_enabled=True))
    return _ask_about(departure, QuestionKind.PLAN, actor, now, extras)


def ask_for_reading(*, departure: Departure, actor: Actor, now: datetime) -> Question:
    """Ask for `verify_plan`; as `ask_for_plan` otherwise."""
    return _ask_about(departure, QuestionKind.READ_BACK, actor, now)


def ask_for_dry_run(*, departure: Departure, actor: Actor, now: datetime) -> Question:
    """Ask for `dry_run_plan` of the latest plan; as `ask_for_plan` otherwise."""
    return _ask_about(departure, QuestionKind.DRY_RUN, actor, now)


def ask_for_test(*, system: System, actor: Actor, now: datetime) -> Question:
    """Ask for `test_system`; as `ask_for_plan` otherwise."""
    check_office(actor, _ABOUT[QuestionKind.TEST])
    with transaction.atomic():
        System.objects.select_for_update().get(pk=system.pk)
        found = Question.objects.filter(
            system=system, kind=QuestionKind.TEST, state=QuestionState.OPEN
        ).first()
        return found or _write(actor, now, kind=QuestionKind.TEST, system=system)


def ask_for_map(
    *, person: Person | None = None, client: Client | None = None, actor: Actor, now: datetime
) -> Question:
    """Ask for `take_map`; as `ask_for_plan` otherwise."""
    check_office(actor, _ABOUT[QuestionKind.MAP])
    with transaction.atomic():
        # Two who press at once meet here, and ask once.
        (Person if person else Client).objects.select_for_update().get(pk=(person or client).pk)  # type: ignore[union-attr]
        found = open_map_question(person=person, client=client)
        return found or _write(actor, now, kind=QuestionKind.MAP, person=person, client=client)


def open_map_question(*, person: Person | None = None, client: Client | None = None) -> Question | None:
    """Whether systems are being asked at this moment what somebody has."""
    asked = Question.objects.filter(kind=QuestionKind.MAP, state=QuestionState.OPEN)
    return asked.filter(person=person, client=client).first()


def _ask_about(
    departure: Departure, kind: QuestionKind, actor: Actor, now: datetime, extras: Extras = NOTHING_MORE
) -> Question:
    authorise(actor, _ABOUT[kind], departure)
    with transaction.atomic():
        lock(departure)
        found = open_question(departure)
        if found is not None and found.kind == kind:
            return found
        if found is not None:
            raise Conflict("being_asked", "The systems are being asked already. Wait for their answers.")
        return _write(
            actor,
            now,
            kind=kind,
            departure=departure,
            delete_in=list(extras.delete_in),
            release_in=list(extras.release_in),
        )


def _write(actor: Actor, now: datetime, **fields: object) -> Question:
    if actor.user_id is None:
        raise NotAllowed(
            "person_needed", "A question is kept for the person who asked it; sign in, or ask directly."
        )
    question = Question.objects.create(
        asked_at=now, asked_by=actor.label, asked_by_id=actor.user_id, **fields
    )
    if question.kind != QuestionKind.MAP:  # what came of that is on record, with who asked
        name = "" if question.system is None else question.system.name
        scope = f"system:{name}" if question.departure is None else departure_scope(question.departure.pk)
        record(
            "system.asked" if name else "access.asked",
            scope=scope,
            actor=actor.label,
            at=now,
            fields={"question": question.kind, "name": name},
        )
    _enqueue(question, now)
    return question


def _enqueue(question: Question, now: datetime) -> None:
    enqueue(ANSWER, str(question.pk), key=f"{question.pk}:{now.isoformat()}")


def open_question(departure: Departure) -> Question | None:
    """What systems are being asked about this departure at this moment."""
    return Question.objects.filter(departure=departure, state=QuestionState.OPEN).first()


def latest_question(departure: Departure) -> Question | None:
    """What was last asked about this departure, open or not."""
    return Question.objects.filter(departure=departure).first()


def answer(question_id: str) -> None:
    """Ask the systems what the question asks. The engine's workflow `access.answer`; run twice, it asks
    again only while nothing was answered, and nothing that can be asked here writes to a system."""
    question = (
        Question.objects.select_related("departure", "system", "person", "client")
        .filter(pk=int(question_id), state=QuestionState.OPEN)
        .first()
    )
    if question is None:
        return
    user = User.objects.filter(pk=question.asked_by_id, is_active=True).first()
    if user is None:
        _end(question, QuestionState.REFUSED, f"{question.asked_by} cannot sign in any more.")
        return
    try:
        said = _carry_out(question, actor_for_user(user))
    except Refusal as refusal:
        _end(question, QuestionState.REFUSED, refusal.message)
    else:
        _end(question, QuestionState.ANSWERED, said)


def _carry_out(question: Question, actor: Actor) -> str:
    now = clock.now()
    if question.system is not None:
        return test_system(system=question.system, actor=actor, now=now).summary
    if question.kind == QuestionKind.MAP:
        taken = take_map(person=question.person, client=question.client, actor=actor, now=now)
        silent = sum(each["found"] == Found.UNREACHABLE for each in taken.systems)
        return f"{len(taken.systems) - silent} of {len(taken.systems)} systems answered."
    departure = question.departure
    if departure is None:
        raise LookupError(f"question {question.pk} is about nothing")
    if question.kind == QuestionKind.PLAN:
        plan = make_plan(
            departure=departure,
            actor=actor,
            now=now,
            delete_in=question.delete_in,
            release_in=question.release_in,
        )
        if plan.made_at < question.asked_at:
            return f"Nothing has changed since plan {plan.version}."
        return f"Plan {plan.version} says what the systems answered."
    if question.kind == QuestionKind.DRY_RUN:
        return _try_latest(question, departure, actor, now)
    read = verify_plan(departure=departure, actor=actor, now=now)
    if silent := sum(result.proof is None for result in read):
        return f"{len(read) - silent} of {len(read)} effects were read back; {silent} could not be read."
    return f"All {len(read)} effects were read back."


def _try_latest(question: Question, departure: Departure, actor: Actor, now: datetime) -> str:
    plan = latest_plan(departure)
    if plan is None:
        raise Conflict("no_plan", "There is no plan yet. Make one first.")

    def tell(done: int, total: int) -> None:
        Question.objects.filter(pk=question.pk).update(progress=f"{done} of {total} systems have answered.")

    tried = dry_run_plan(plan=plan, actor=actor, now=now, progress=tell)
    calls = sum(row["calls"] for row in tried.systems)
    return f"Plan {plan.version} would send {calls} call{'' if calls == 1 else 's'}. Nothing was changed."


def _end(question: Question, state: QuestionState, said: str) -> None:
    Question.objects.filter(pk=question.pk, state=QuestionState.OPEN).update(
        state=state, answer=said, ended_at=clock.now()
    )


def reconcile() -> None:
    """Ask again for every question without an answer, when a worker starts."""
    now = clock.now()
    with transaction.atomic():
        for question in Question.objects.filter(state=QuestionState.OPEN):
            _enqueue(question, now)
