"""Saying of an account of nobody whose it is, or who answers for it. It is a person's word, and kept as that.

It holds while the account is seen and the person is here; that of a service account until a day, on which
somebody looks again. Then the account is on the list once more.
"""

from __future__ import annotations

from datetime import date, datetime, timedelta

from partwell import clock
from partwell.access.ghosts.findings import drop_proposals, ghost_event
from partwell.access.ghosts.operations import live_ghost_of_nobody
from partwell.access.models import Ghost
from partwell.access.states import GhostState, KeptAs
from partwell.evidence.operations import record_many
from partwell.people.actors import Actor
from partwell.people.authorisation import check_office, operation
from partwell.people.models import Person
from partwell.refusals import Invalid

LONGEST_REVIEW = timedelta(days=366)
UNDECIDED = (GhostState.OPEN, GhostState.DISMISSED, GhostState.KEPT)


@operation("ghosts.say_whose")
def say_whose(*, ghost: Ghost, person: Person, actor: Actor, now: datetime) -> Ghost:
    """Say that the account is this person's. It leaves the list, and is cut with theirs when they leave.

    Raises `Invalid` for somebody who has left, `Conflict` for an account that is settled, being cut, or of
    somebody who has left.
    """
    check_office(actor, "ghosts.say_whose")
    _check_is_here(person, now, field="person")
    ghost = live_ghost_of_nobody(ghost, *UNDECIDED)
    _keep(ghost, KeptAs.THEIRS, person, now=now, actor=actor)
    record_many([ghost_event("system.ghost_said_whose", ghost, actor, now, person=person.name)])
    return ghost


@operation("ghosts.keep")
def keep_service_account(
    *, ghost: Ghost, owner: Person, reason: str, review_date: date, actor: Actor, now: datetime
) -> Ghost:
    """Say that the account is nobody's on purpose, with who answers for it and when that is looked at again.

    It leaves the list until that day, or until `owner` has left. Raises `Invalid` without a reason, for a day
    that has passed or is more than a year away, and for an owner who has left; `Conflict` as `say_whose`.
    """
    check_office(actor, "ghosts.keep")
    if len(reason.strip()) < 10:
        raise Invalid(
            "reason_missing", "Say in a sentence what it is for; it becomes evidence.", field="reason"
        )
    today = clock.today_in("UTC", now=now)
    if not today < review_date <= today + LONGEST_REVIEW:
        raise Invalid(
            "review_date",
            "Choose a day from tomorrow on, within a year: nothing is kept for ever.",
            field="review",
        )
    _check_is_here(owner, now, field="owner")
    ghost = live_ghost_of_nobody(ghost, *UNDECIDED)
    _keep(ghost, KeptAs.SERVICE, owner, now=now, actor=actor, reason=reason.strip(), review_date=review_date)
    record_many(
        [
            ghost_event(
                "system.ghost_kept",
                ghost,
                actor,
                now,
                owner=owner.name,
                note=ghost.reason,
                review=review_date.isoformat(),
            )
        ]
    )
    return ghost


def _keep(
    ghost: Ghost,
    kept_as: KeptAs,
    person: Person,
    *,
    now: datetime,
    actor: Actor,
    reason: str = "",
    review_date: date | None = None,
) -> None:
    ghost.state, ghost.kept_as, ghost.reason, ghost.review_date = (
        GhostState.KEPT,
        kept_as,
        reason,
        review_date,
    )
    ghost.person, ghost.person_name = person, person.name
    ghost.settled_at, ghost.settled_by = now, actor.label
    drop_proposals([ghost])
    ghost.save(
        update_fields=[
            "state", "kept_as", "reason", "review_date", "person", "person_name", "settled_at", "settled_by",
        ]
    )  # fmt: skip


def _check_is_here(person: Person, now: datetime, *, field: str) -> None:
    if person.left_on_date is not None and person.left_on_date <= clock.today_in("UTC", now=now):
        raise Invalid(
            "has_left",
            f"{person.name} left on {person.left_on_date:%Y-%m-%d}. Name somebody who is here, or have the "
            "account cut.",
            field=field,
        )
