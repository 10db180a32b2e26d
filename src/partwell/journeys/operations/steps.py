"""What people do to steps: complete, undo, skip, reassign, claim, comment, attach, add."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from partwell import clock
from partwell.departures.models import Departure, Participant
from partwell.departures.policies import authorise, is_own_account
from partwell.documents.models import StoredFile
from partwell.engine import operations as engine
from partwell.evidence.operations import departure_scope, record
from partwell.journeys import messages
from partwell.journeys.models import Attachment, Comment, Step
from partwell.journeys.planning import refresh_blocks
from partwell.journeys.policies import check_can_complete, check_can_settle, check_shown, step_capacities
from partwell.journeys.states import PENDING, STEP_TRANSITIONS, StepState
from partwell.journeys.template.model import EvidenceKind, StepKind, Visibility
from partwell.people.actors import Actor
from partwell.people.authorisation import STEP_OWNER, operation
from partwell.people.models import User
from partwell.people.queries import role_holders
from partwell.people.roles import Role
from partwell.refusals import Conflict, Invalid, NotAllowed, NotFound
from partwell.rows import write_rows


@operation("steps.complete")
def complete_step(*, step: Step, actor: Actor, now: datetime, note: str = "", link: str = "") -> Step:
    """Mark an open step as done, with the evidence that it asks for.

    Files are attached before (`attach_file`). Raises `Conflict` while it waits for others or is settled,
    `Invalid` naming the evidence that is missing, `NotAllowed` for an approval by the same person.
    """
    step = lock_step(step, "steps.complete", actor)
    check_can_complete(step, actor, note=note, link=link)
    step.note, step.link = note or step.note, link or step.link
    return settle(step, StepState.DONE, actor=actor, now=now, kind="step.completed", note=note, link=link)


@operation("steps.undo")
def undo_step(*, step: Step, actor: Actor, now: datetime) -> Step:
    """Take back a completion or a skip. What had opened because of it is blocked again."""
    step = lock_step(step, "steps.undo", actor)
    if step.state not in (StepState.DONE, StepState.SKIPPED):
        raise Conflict(
            "step_not_settled", f"“{step.title}” is {_words(step.state)}; there is nothing to undo."
        )
    check_can_settle(step)
    before = step.state
    step.skip_reason = ""
    return settle(step, StepState.OPEN, actor=actor, now=now, kind="step.reopened", was=before)


@operation("steps.skip")
def skip_step(*, step: Step, reason: str, actor: Actor, now: datetime) -> Step:
    """Leave a step out, with a reason that stays on the record."""
    step = lock_step(step, "steps.skip", actor)
    reason = reason.strip()
    if len(reason) < 5:
        raise Invalid("reason_missing", "Say why this step is left out; the record keeps it.", field="reason")
    if step.state not in PENDING:
        raise Conflict("step_settled", f"“{step.title}” is {_words(step.state)} already.")
    check_can_settle(step)
    step.skip_reason = reason
    return settle(step, StepState.SKIPPED, actor=actor, now=now, kind="step.skipped", reason=reason)


@operation("steps.reassign")
def reassign_step(*, step: Step, to: User, actor: Actor, now: datetime) -> Step:
    """Give a pending step to somebody else, who thereby takes part in the departure. Whoever had it and owns
    no other step there takes no part as an owner any more."""
    step = lock_step(step, "steps.reassign", actor)
    _check_pending(step)
    _check_can_own(step, to, field="to")
    former, before = step.owner, step.owner_name
    _own(step, to, now)
    if former is not None and not step.journey.steps.filter(owner=former).exists():
        Participant.objects.filter(departure_id=step.journey_id, user=former, capacity=STEP_OWNER).delete()
    _record(step, "step.reassigned", actor, now, {"from": before, "to": str(to)})
    messages.tell_assigned(step, to=to, actor=actor, now=now)
    return step


@operation("steps.claim")
def claim_step(*, step: Step, actor: Actor, now: datetime) -> Step:
    """Take a step from the queue of a team that one belongs to."""
    step = lock_step(step, "steps.claim", actor)
    _check_pending(step)
    if step.owner_id is not None:
        raise Conflict("step_claimed", f"{step.owner_name} has this step already.")
    department = step.journey.departure.subject_department
    if not step.queue or Role(step.queue) not in actor.roles_in(department):
        raise NotAllowed("not_your_queue", f"Only the {step.owner_name or 'owning team'} claims this step.")
    if actor.user_id is None:
        raise NotAllowed("not_a_person", "A step is claimed by a person who signed in.")
    _own(step, User.objects.get(pk=actor.user_id), now)
    _record(step, "step.claimed", actor, now, {"to": step.owner_name})
    return step


@operation("steps.comment")
def comment_on_step(*, step: Step, text: str, actor: Actor, now: datetime) -> Comment:
    """Say something about a step to the others on the inside."""
    step = lock_step(step, "steps.comment", actor)
    text = text.strip()
    if not text:
        raise Invalid("comment_empty", "Write something first.", field="text")
    if len(text) > 5000:
        raise Invalid("comment_too_long", f"This has {len(text)} characters; 5,000 fit.", field="text")
    comment = Comment.objects.create(step=step, author=actor.label, text=text, written_at=now)
    _record(step, "step.commented", actor, now, {"text": text})
    return comment


@operation("steps.attach")
def attach_file(*, step: Step, file: StoredFile, actor: Actor, now: datetime) -> Attachment:
    """Attach a stored file to a step as its evidence."""
    step = lock_step(step, "steps.attach", actor)
    attachment = Attachment.objects.create(step=step, file=file, attached_by=actor.label, attached_at=now)
    _record(step, "step.attached", actor, now, {"file": file.name, "sha256": file.sha256, "size": file.size})
    return attachment


@operation("steps.add")
def add_step(
    *,
    departure: Departure,
    title: str,
    phase: int,
    due_at: datetime,
    owner: User,
    actor: Actor,
    now: datetime,
    guidance: str = "",
    is_required: bool = False,
) -> Step:
    """Add a step of one's own to a running journey."""
    authorise(actor, "steps.add", departure)
    title = title.strip()
    if not 3 <= len(title) <= 140:
        raise Invalid("title_length", "A title has 3 to 140 characters.", field="title")
    if not 1 <= phase <= 10:
        raise Invalid("phase_unknown", f"There are ten phases; {phase} is none of them.", field="phase")
    journey = departure.journey
    count = journey.steps.filter(is_own=True).count()
    step = Step(
        journey=journey,
        key=f"own-{count + 1}",
        position=1000 + count,
        phase=phase,
        title=title,
        guidance=guidance,
        role=_role_in(departure, owner),
        due_rule="",
        due_at=due_at,
        evidence=EvidenceKind.NONE,
        kind=StepKind.TASK,
        visibility=Visibility.INSIDE,
        is_required=is_required,
        is_own=True,
    )
    _check_can_own(step, owner, field="owner")
    step.owner, step.owner_name = owner, str(owner)
    step.save(force_insert=True)
    _take_part(departure, owner, now)
    _record(step, "step.added", actor, now, {"title": title, "to": str(owner), "due": due_at.isoformat()})
    messages.tell_assigned(step, to=owner, actor=actor, now=now)
    engine.poke(departure.pk)
    return step


def lock_step(step: Step, name: str, actor: Actor) -> Step:
    """The step afresh and locked, after asking the matrix. Raises as `departures.policies.authorise`."""
    fresh = (
        Step.objects.select_for_update(of=("self",))
        .select_related("journey__departure", "owner")
        .filter(pk=step.pk)
        .first()
    )
    if fresh is None:
        raise NotFound("step")
    authorise(actor, name, fresh.journey.departure, also=step_capacities(actor, fresh))
    check_shown(actor, fresh)
    return fresh


def settle(step: Step, state: StepState, *, actor: Actor, now: datetime, kind: str, **fields: Any) -> Step:
    """Move a locked step to `state`, and block or open what depends on it, with one evidence event."""
    if state not in STEP_TRANSITIONS[StepState(step.state)]:
        raise Conflict(
            "step_transition", f"“{step.title}” is {_words(step.state)}; it cannot become {state}."
        )
    is_over = state in (StepState.DONE, StepState.SKIPPED)
    step.state = state
    step.settled_at, step.settled_by = (now, actor.label) if is_over else (None, "")
    siblings = [step if other.pk == step.pk else other for other in step.journey.steps.all()]
    changed = {other.pk: other for other in refresh_blocks(siblings)}
    changed.pop(step.pk, None)
    step.save()
    write_rows(list(changed.values()), ["waits_for", "state"])
    opened = [other.key for other in changed.values() if other.state == StepState.OPEN]
    _record(step, kind, actor, now, {**{k: v for k, v in fields.items() if v}, "opened": opened})
    engine.poke(step.journey_id)
    return step


def default_due(departure: Departure, *, now: datetime) -> datetime:
    """What a new step of one's own is due when nobody says: the end of the last working day, or today."""
    day = max(departure.last_working_date, clock.today_in(departure.timezone, now=now))
    return clock.at_local(day, clock.DEFAULT_WORKDAY_END, departure.timezone)


def _check_pending(step: Step) -> None:
    if step.state not in PENDING:
        raise Conflict("step_settled", f"“{step.title}” is {_words(step.state)} already.")


def _check_can_own(step: Step, user: User, *, field: str) -> None:
    departure = step.journey.departure
    if not user.is_active:
        raise Invalid("owner_inactive", f"{user} cannot sign in any more. Choose somebody else.", field=field)
    if is_own_account(user, departure):
        raise Invalid(
            "owner_leaves", f"{user} is the one who leaves, and sees nothing of the inside.", field=field
        )
    if step.role == Role.DEPARTING:
        raise Conflict("step_of_leaver", "This step is the leaving side's own; it cannot be handed on.")


def _own(step: Step, user: User, now: datetime) -> None:
    step.owner, step.owner_name, step.queue = user, str(user), ""
    step.save(update_fields=["owner", "owner_name", "queue"])
    _take_part(step.journey.departure, user, now)


def _take_part(departure: Departure, user: User, now: datetime) -> None:
    Participant.objects.get_or_create(
        departure=departure, user=user, capacity=STEP_OWNER, defaults={"added_at": now}
    )


def _role_in(departure: Departure, user: User) -> str:
    """The role under which somebody's own step is listed: what they are here, else a fitting default."""
    mine = Participant.objects.filter(departure=departure, user=user).values_list("capacity", flat=True)
    for role in (Role.LINE_MANAGER, Role.ACCOUNT_MANAGER, Role.IT_SECURITY, Role.FINANCE, Role.HR):
        if role in mine or user in role_holders(role, departure.subject_department):
            return role.value
    return Role.LINE_MANAGER.value


def _record(step: Step, kind: str, actor: Actor, now: datetime, fields: Mapping[str, Any]) -> None:
    record(
        kind,
        scope=departure_scope(step.journey_id),
        actor=actor.label,
        at=now,
        fields={"step": step.key, "title": step.title, **fields},
    )


def _words(state: str) -> str:
    return StepState(state).value.replace("_", " ")
