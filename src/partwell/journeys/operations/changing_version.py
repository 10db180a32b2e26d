"""Moving a running journey to another version of its template, after looking at what that changes."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from django.db import OperationalError

from partwell.departures.models import Departure, Participant
from partwell.departures.policies import authorise
from partwell.engine import operations as engine
from partwell.evidence.operations import departure_scope, record
from partwell.journeys import messages
from partwell.journeys.models import Step
from partwell.journeys.operations.moving import lock_departure
from partwell.journeys.queries import get_departure
from partwell.journeys.template_queries import version_of
from partwell.journeys.version_change import WRITTEN, Fate, StepChange
from partwell.journeys.version_drafts import Surroundings, VersionChange, changed_hands, draft_for
from partwell.people.actors import Actor
from partwell.people.authorisation import STEP_OWNER, check_office, operation
from partwell.refusals import Conflict, Refusal
from partwell.rows import write_rows

# What PostgreSQL says where a row is locked and nobody waits for it.
LOCK_NOT_AVAILABLE = "55P03"


@operation("journeys.change_version")
def change_version(
    *, departure: Departure, seen: str, actor: Actor, now: datetime, version: int | None = None
) -> VersionChange:
    """Move a journey to a version of its template, the latest unless one is named.

    `seen` is the digest of the difference that was looked at. Refusals as for `draft_version_change`, and
    `Conflict` where the difference is another by now (`difference_changed`) or somebody is changing a step
    at this moment (`steps_busy`).
    """
    departure = lock_departure(departure)
    authorise(actor, "journeys.change_version", departure)
    target = version_of(departure.journey.template.template_id, version)
    surroundings = Surroundings.of([departure], _lock_steps(departure), now=now)
    change = draft_for(departure, target, surroundings, actor=actor, now=now, may_create=True)
    if change.digest != seen:
        raise Conflict(
            "difference_changed",
            "What would change is not what you looked at any more. Look at the difference again.",
            field="seen",
        )
    _write(change)
    _let_owners_in(change, now)
    _let_former_owners_out(departure)
    _record(change, actor, now)
    messages.tell_all_assigned(
        departure,
        changed_hands(change),
        holders=change.owners.holders,
        actor=actor,
        now=now,
        occasion=f"version:{now.isoformat()}",
    )
    engine.poke(departure.pk)
    return change


@dataclass(frozen=True)
class Outcome:
    """What came of one of several journeys. `subject` is empty where the journey does not exist for whoever
    asked; `refusal` is None where it was moved."""

    departure_id: UUID
    subject: str
    change: VersionChange | None
    refusal: Refusal | None

    def as_dict(self) -> dict[str, Any]:
        """The outcome as the API and the command line show it."""
        return {
            "id": str(self.departure_id),
            "subject": self.subject,
            "moved": self.change is not None,
            "changed": self.change.count if self.change else 0,
            "code": self.refusal.code if self.refusal else "",
            "message": self.refusal.message if self.refusal else "",
        }


def change_versions(
    *,
    template_id: str,
    seen: Mapping[UUID, str],
    actor: Actor,
    now: datetime,
    version: int | None = None,
) -> list[Outcome]:
    """Move several journeys of a template to a version of it, the latest unless one is named; each by itself,
    so that one that is refused holds up no other.

    `seen` gives for each the digest of its difference. Raises `NotFound` for a version that there is not.
    """
    check_office(actor, "templates.view")
    version = version_of(template_id, version).version
    outcomes = []
    for departure_id, digest in seen.items():
        subject = ""
        try:
            departure = get_departure(actor, departure_id)
            subject = departure.subject_name
            if departure.journey.template.template_id != template_id:
                raise Conflict("other_template", f"{subject} does not leave by this template.")
            change = change_version(departure=departure, seen=digest, actor=actor, now=now, version=version)
        except Refusal as refusal:
            outcomes.append(Outcome(departure_id, subject, None, refusal))
        else:
            outcomes.append(Outcome(departure_id, subject, change, None))
    return outcomes


def _lock_steps(departure: Departure) -> list[Step]:
    """The journey's steps, locked. Whoever settles one holds its row and then wants others, so this waits for
    none: it would wait for somebody who waits for it."""
    steps = departure.journey.steps.select_for_update(of=("self",), nowait=True).select_related("owner")
    try:
        return list(steps)
    except OperationalError as error:
        if getattr(error.__cause__, "sqlstate", "") != LOCK_NOT_AVAILABLE:
            raise
        raise Conflict(
            "steps_busy", "Somebody is changing a step of this journey at this moment. Try again."
        ) from error


def _write(change: VersionChange) -> None:
    journey = change.departure.journey
    journey.template, journey.template_digest = change.new, change.new.digest
    journey.save(update_fields=["template", "template_digest"])
    journey.steps.filter(pk__in=[step.pk for step in change.gone]).delete()
    added = {each.step.pk for each in change.merged.of(Fate.ADDED)}
    write_rows([step for step in change.merged.steps if step.pk not in added], WRITTEN)
    Step.objects.bulk_create([step for step in change.merged.steps if step.pk in added])
    change.departure.revision += 1
    change.departure.save(update_fields=["revision"])


def _let_owners_in(change: VersionChange, now: datetime) -> None:
    """Whoever was given a step takes part, in the role that the step has."""
    owners = {(step.owner_id, step.role) for step in changed_hands(change) if step.owner_id is not None}
    parts = Participant.objects.filter(departure=change.departure)
    known = set(parts.values_list("user_id", "capacity"))
    Participant.objects.bulk_create(
        Participant(departure=change.departure, user_id=user, capacity=role, added_at=now)
        for user, role in sorted(owners - known)
    )


def _let_former_owners_out(departure: Departure) -> None:
    """Whoever takes part as an owner alone, and owns nothing any more, takes no part any more."""
    owners = departure.journey.steps.filter(owner__isnull=False).values("owner_id")
    parts = Participant.objects.filter(departure=departure, capacity=STEP_OWNER)
    parts.exclude(user_id__in=owners).delete()


def _record(change: VersionChange, actor: Actor, now: datetime) -> None:
    record(
        "journey.version_changed",
        scope=departure_scope(change.departure.pk),
        actor=actor.label,
        at=now,
        fields={
            "template": change.new.template_id,
            "version_before": change.old.version,
            "version_after": change.new.version,
            "digest_before": change.old.digest,
            "digest_after": change.new.digest,
            "seen": change.digest,
            "added": _named(change, Fate.ADDED),
            "changed": [_changed(each) for each in change.merged.of(Fate.CHANGED)],
            "owners": [_handed_on(each) for each in change.merged.of(Fate.CHANGED) if each.is_handed_on],
            "fell_away": _named(change, Fate.FALLS_AWAY),
            "set_aside": _named(change, Fate.SET_ASIDE),
            "stayed": _named(change, Fate.STAYS),
        },
    )


def _named(change: VersionChange, fate: Fate) -> list[dict[str, str]]:
    return [
        {"step": each.step.key, "title": each.step.title} | ({"why": each.why} if each.why else {})
        for each in change.merged.of(fate)
    ]


def _changed(each: StepChange) -> dict[str, Any]:
    said: dict[str, Any] = {
        "step": each.step.key,
        "title": each.step.title,
        "fields": [change.field for change in each.fields],
    }
    before, after = _standings(each)
    for name in ("state", "due_at"):
        if before[name] != after[name]:
            said |= {f"{name}_before": before[name], f"{name}_after": after[name]}
    return said


def _handed_on(each: StepChange) -> dict[str, str]:
    before, after = _standings(each)
    return {"step": each.step.key, "before": before["owner"], "after": after["owner"]}


def _standings(each: StepChange) -> tuple[dict[str, str], dict[str, str]]:
    return (each.before.as_dict() if each.before else {}), (each.after.as_dict() if each.after else {})
