"""How each operation about accounts of nobody is called for real, with arguments that are valid."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from typing import Any

from partwell.access.ghosts import cutting, keeping
from partwell.access.models import Ghost, Plan, System
from partwell.people.actors import Actor
from tests.factories import NOW, make_person

REASON = "Nobody knows what it was for."

REACHED = {
    "ghosts.restore": {"nothing_to_restore"},
}


def ghost() -> Ghost:
    """An account of nobody."""
    system = System.objects.create(name="practice", title="Practice", connector="fake", created_at=NOW)
    return Ghost.objects.create(
        system=system, external_id="g", login="g", kind="nobodys", first_seen_at=NOW, last_seen_at=NOW
    )


def _proposed(**fields: Any) -> Plan:
    given = {"version": 1, "kind": "ghost", "checksum": "c" * 64, "made_at": NOW, "requested_by_id": 0}
    return Plan.objects.create(ghost=ghost(), made_by="stage", **(given | fields))


def _call_off(actor: Actor) -> Ghost:
    plan = _proposed()
    assert plan.ghost is not None
    return cutting.call_off_cut(ghost=plan.ghost, actor=actor, now=NOW)


CALLS: dict[str, Callable[..., Any]] = {
    "ghosts.say_whose": lambda a, s, k: keeping.say_whose(
        ghost=ghost(), person=make_person("Ben Back"), actor=a, now=NOW
    ),
    "ghosts.keep": lambda a, s, k: keeping.keep_service_account(
        ghost=ghost(),
        owner=make_person("Ben Back"),
        reason=REASON,
        review_date=NOW.date() + timedelta(days=30),
        actor=a,
        now=NOW,
    ),
    "ghosts.propose_cut": lambda a, s, k: cutting.propose_cut(ghost=ghost(), reason=REASON, actor=a, now=NOW),
    "ghosts.look": lambda a, s, k: cutting._take_look(
        plan=_proposed(checksum=""), seen=None, actor=a, now=NOW
    ),
    "ghosts.approve_cut": lambda a, s, k: cutting.approve_cut(
        plan=_proposed(), checksum="c" * 64, actor=a, now=NOW
    ),
    "ghosts.call_off_cut": lambda a, s, k: _call_off(a),
    "ghosts.restore": lambda a, s, k: cutting.restore_ghost(ghost=ghost(), actor=a, now=NOW),
}
