"""When a step may be settled, and by whom, beyond what the matrix says."""

from __future__ import annotations

from urllib.parse import urlsplit

from partwell.departures.policies import is_leaver
from partwell.journeys.models import Step
from partwell.journeys.states import StepState
from partwell.journeys.step_kinds import rule_of
from partwell.journeys.template.model import EvidenceKind, Visibility
from partwell.people.actors import Actor, Channel
from partwell.people.authorisation import STEP_OWNER
from partwell.people.roles import Role
from partwell.refusals import Conflict, Invalid, NotAllowed, NotFound


def step_capacities(actor: Actor, step: Step) -> frozenset[str]:
    """What the actor is to this very step, beside what they are to the departure."""
    if actor.user_id is not None and step.owner_id == actor.user_id:
        return frozenset({STEP_OWNER})
    return frozenset()


def check_shown(actor: Actor, step: Step) -> None:
    """Raise `NotFound` where the step is not for somebody from outside: the one who leaves has their own
    steps that everybody sees, a helper those that the link names."""
    departure = step.journey.departure
    if is_leaver(actor, departure):
        is_shown = step.role == Role.DEPARTING and step.visibility == Visibility.EVERYBODY
    else:
        is_shown = actor.channel is not Channel.GUEST or step.key in actor.guest_steps
    if not is_shown:
        raise NotFound("step")


def check_can_settle(step: Step) -> None:
    """Raise when the product settles this kind of step, and no person does."""
    rule = rule_of(step.kind)
    if not rule.by_hand:
        raise Conflict("step_settles_itself", f"“{step.title}” is never ticked by hand. {rule.way}")


def check_can_complete(step: Step, actor: Actor, *, note: str, link: str) -> None:
    """Raise unless the step is open, its evidence is there, and an approval comes from somebody else."""
    check_can_settle(step)
    if step.state == StepState.BLOCKED:
        raise Conflict("step_blocked", f"“{step.title}” waits for {', '.join(blocking_titles(step))}.")
    if step.state != StepState.OPEN:
        raise Conflict("step_settled", f"“{step.title}” is {step.state.replace('_', ' ')} already.")
    if rule_of(step.kind).second_person:
        _check_second_person(step, actor)
    _check_evidence(step, note=note, link=link)


def blocking_titles(step: Step) -> list[str]:
    """The titles of the steps that this one waits for, for people to read."""
    titles = dict(step.journey.steps.filter(key__in=step.waits_for).values_list("key", "title"))
    return [titles.get(key, key) for key in step.waits_for]


def _check_second_person(step: Step, actor: Actor) -> None:
    if not actor.can_be_second_person:
        raise NotAllowed(
            "second_person_needed",
            "An approval is given by a person who signed in to the web; a token or the console is none.",
        )
    earlier = step.journey.steps.filter(key__in=step.needs, settled_by=actor.label).first()
    if earlier is not None:
        raise NotAllowed(
            "same_person", f"You completed “{earlier.title}”, so somebody else has to approve it."
        )


def _check_evidence(step: Step, *, note: str, link: str) -> None:
    kind = EvidenceKind(step.evidence)
    if kind is EvidenceKind.NOTE and not note.strip():
        raise Invalid("note_missing", "This step asks for a note: say what was done.", field="note")
    if link and (urlsplit(link).scheme not in ("http", "https") or not urlsplit(link).hostname):
        raise Invalid("link_invalid", f"“{link}” is no web address; it starts with https://.", field="link")
    if kind is EvidenceKind.LINK and not link.strip():
        raise Invalid("link_missing", "This step asks for a link to what proves it.", field="link")
    if kind is EvidenceKind.FILE and not step.attachments.exists():
        raise Invalid("file_missing", "This step asks for a file: attach it first.", field="file")
    if len(note) > 5000:
        raise Invalid("note_too_long", f"This has {len(note)} characters; 5,000 fit.", field="note")
