"""How each operation about rounds is called for real, with arguments that are valid."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from partwell.journeys.models import Round, RoundMember
from partwell.journeys.rounds import carrying_out, operations, queries
from partwell.journeys.rounds.drift import drift_of
from partwell.journeys.rounds.preview import Terms
from partwell.journeys.template_queries import latest
from partwell.people.actors import Actor
from tests.factories import LAST_DAY, NOW, make_person

REASON = "The site stays open after all."

# HR of one department starts nobody of another, which the list is told of line by line.
REACHED = {"rounds.prepare": {"lines_bad"}}


def round_of_one(actor: Actor, state: str = "prepared", **fields: Any) -> Round:
    """A round of somebody in a department where the actor's roles count, that somebody else prepared."""
    departments = sorted(grant.department for grant in actor.grants) or [""]
    person = make_person("Bo Round", department=departments[0])
    found = Round.objects.create(
        name="Closing Leeds",
        template=latest("small"),
        confidentiality="normal",
        state=state,
        digest="d" * 64,
        prepared_by="stage",
        prepared_by_id=0,
        prepared_at=NOW,
    )
    RoundMember.objects.create(
        round=found,
        position=1,
        person=person,
        name=person.name,
        email=person.email,
        department=person.department,
        last_working_date=LAST_DAY,
        reason="moving",
        steps=5,
        batch=0,
        starts_at=NOW,
        **fields,
    )
    return found


def _approve(actor: Actor) -> Round:
    found = round_of_one(actor)
    digest = drift_of(found, now=NOW).digest
    return operations.approve_round(found=found, digest=digest, actor=actor, now=NOW)


CALLS: dict[str, Callable[..., Any]] = {
    "rounds.view": lambda a, s, k: queries.list_rounds(actor=a),
    "rounds.prepare": lambda a, s, k: operations.prepare_round(
        terms=Terms("Closing Leeds", "small", last_working_date=LAST_DAY),
        data=make_person("Bo Round").email.encode(),
        actor=a,
        now=NOW,
    ),
    "rounds.approve": lambda a, s, k: _approve(a),
    "rounds.recall": lambda a, s, k: operations.recall_round(
        found=round_of_one(a), reason=REASON, actor=a, now=NOW
    ),
    "rounds.start_due": lambda a, s, k: carrying_out.start_some(
        found=round_of_one(a, "approved"), actor=a, now=NOW
    ),
    "rounds.withdraw_recalled": lambda a, s, k: carrying_out.withdraw_some(
        found=round_of_one(
            a,
            "recalled",
        ),
        actor=a,
        now=NOW,
    ),
}
