"""Calls of practising one's own departure, for the matrix of who may do what: by somebody who has begun."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

from partwell.first_run import practice
from partwell.first_run.models import Practice
from partwell.people.actors import Actor
from tests.factories import LAST_DAY, NOW, make_person

# Who has no account has no practice either. The template is the stage's.
REACHED = {
    "practice.begin": {"not_in_register"},
    **{f"practice.{what}": {"no_practice"} for what in ("settle_step", "reopen_step", "move", "end")},
}
STEP = "inside"


def _in_register(actor: Actor) -> Actor:
    """The actor as somebody of the staff register, as whoever practises has to be."""
    if actor.user_id is None or actor.person_id is not None:
        return actor
    return replace(actor, person_id=make_person(f"Player {actor.user_id}").pk)


def _practising(actor: Actor, **settled: str) -> Actor:
    """The actor, with a practice that is under way unless they have no account."""
    actor = _in_register(actor)
    if actor.user_id is not None and actor.person_id is not None:
        Practice.objects.create(
            user_id=actor.user_id,
            person_id=actor.person_id,
            template=practice.known_template("two-sides"),
            notice_date=NOW.date(),
            last_working_date=LAST_DAY,
            settled=settled,
            begun_at=NOW,
            planned_at=NOW,
        )
    return actor


CALLS: dict[str, Callable[..., Any]] = {
    "practice.view": lambda actor, scene, key: practice.view_practice(actor=actor),
    "practice.begin": lambda actor, scene, key: practice.begin(
        template_id="two-sides", last_working_date=LAST_DAY, actor=_in_register(actor), now=NOW
    ),
    "practice.settle_step": lambda actor, scene, key: practice.settle_step(
        key=STEP, way="done", actor=_practising(actor), now=NOW
    ),
    "practice.reopen_step": lambda actor, scene, key: practice.reopen_step(
        key=STEP, actor=_practising(actor, **{STEP: "done"}), now=NOW
    ),
    "practice.move": lambda actor, scene, key: practice.move(
        last_working_date=LAST_DAY, actor=_practising(actor), now=NOW
    ),
    "practice.end": lambda actor, scene, key: practice.end(actor=_practising(actor), now=NOW),
}
