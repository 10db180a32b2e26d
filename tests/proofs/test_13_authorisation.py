"""Proof 13: who may do what. Every operation × every role and capacity × own, another's, closed and
need-to-know departures is tried for real; the answer must be what the matrix file says, and nothing else.

The oracle reads the file by itself and knows nothing of the code that it judges.
"""

from __future__ import annotations

import importlib
import pkgutil
from collections import Counter
from collections.abc import Callable
from typing import Any

import pytest
from django.db import transaction

import partwell
from partwell.people import authorisation
from partwell.people.authorisation import REGISTERED, load_matrix
from partwell.refusals import Conflict, FreshSignInNeeded, NotAllowed, NotFound, Refusal
from tests.authorisation_oracle import held, matrix
from tests.authorisation_stage import DEPARTMENT, INSIDE, OWN, Player, Scene, Stage, build, without_freshness
from tests.authorised_calls import CALLS, REACHED

pytestmark = pytest.mark.django_db

# Reads have no event and need no registration; each is asked where it reads, and called below by its row.
READS = {"journeys.view", "access.view", "evidence.view", "evidence.verify", "templates.view"}
READS |= {"credentials.view", "templates.view_drafts"}
# Pages decide these themselves; the page proofs of these rooms ask them.
PAGES = {"systems.view"}
# The product's own initiative: called by the worker alone, with no actor that anybody could be.
WITHOUT_ACTOR = {"journeys.advance", "access.end_own_sign_in", "access.miss_review"}
WITHOUT_ACTOR |= {"journeys.follow_access_end"}
# Whoever does these is another person than who asked; a token and the console are none.
SECOND_PERSON = {
    "access.approve",
    "access.approve_cut",
    "access.review_cut",
    "ghosts.approve_cut",
    "journeys.approve_override",
}

OF_NO_DEPARTURE = ("office", "credential")
ALLOWED, NOT_FOUND, NOT_ALLOWED, STALE, CLOSED = "allowed", "not found", "not allowed", "not fresh", "closed"


def test_every_row_has_code_and_every_operation_a_row() -> None:
    for found in pkgutil.walk_packages(partwell.__path__, "partwell."):
        if ".tests" not in found.name and "__main__" not in found.name and ".migrations" not in found.name:
            importlib.import_module(found.name)
    rows = set(matrix()["operations"])
    assert set(REGISTERED) <= rows
    assert rows - set(REGISTERED) == READS | PAGES
    assert set(CALLS) == rows - PAGES - WITHOUT_ACTOR


def test_every_operation_does_what_the_matrix_says_for_everybody(
    figure: Callable[[str], None], long: bool
) -> None:
    stage = build()
    wrong, seen = _try_all(stage, everything=long)
    outcomes = ", ".join(f"{count} {what}" for what, count in sorted(seen.items()))
    figure(f"proof 13: {sum(seen.values())} cases ({outcomes}), {len(wrong)} leaks or lock-outs")
    assert not wrong, "\n".join(wrong[:40])


@pytest.mark.parametrize(
    ("loosened", "row"),
    [
        ("allow", "journeys.edit"),
        ("on_closed", "steps.comment"),
        ("fresh", "access.approve"),
        ("scope", "steps.skip"),
    ],
)
def test_the_proof_sees_one_loosened_rule(loosened: str, row: str, monkeypatch: pytest.MonkeyPatch) -> None:
    stage = build()
    _loosen(row, loosened, monkeypatch)
    wrong, _ = _try_all(stage, only={row})
    assert wrong


def test_the_proof_sees_a_need_to_know_departure_that_shows_itself(monkeypatch: pytest.MonkeyPatch) -> None:
    from partwell.departures import policies

    stage = build()
    whole = policies.capacities
    monkeypatch.setattr(
        policies,
        "capacities",
        lambda actor, departure: whole(actor, departure) | {g.role.value for g in actor.grants},
    )
    wrong, _ = _try_all(stage, only={"journeys.view"})
    assert wrong


def _loosen(row: str, loosened: str, monkeypatch: pytest.MonkeyPatch) -> None:
    from dataclasses import replace

    matrix = load_matrix()
    changes: dict[str, Any] = {
        "allow": {"allow": matrix.operations[row].allow | {"finance"}},
        "on_closed": {"on_closed": True},
        "fresh": {"fresh": False},
        "scope": {"scope": "read"},
    }[loosened]
    loose = replace(matrix, operations={**matrix.operations, row: replace(matrix.operations[row], **changes)})
    monkeypatch.setattr(authorisation, "load_matrix", lambda: loose)
    monkeypatch.setattr("partwell.departures.policies.load_matrix", lambda: loose)


def _try_all(
    stage: Stage, only: set[str] | None = None, *, everything: bool = True
) -> tuple[list[str], Counter[str]]:
    """Try each case; without `everything`, leave out those that differ from another one in nothing that
    the rules ask about."""
    wrong, seen = [], Counter[str]()
    for name, row in matrix()["operations"].items():
        if name not in CALLS or (only is not None and name not in only):
            continue
        is_of_none = row["on"] in OF_NO_DEPARTURE
        scenes: list[Scene | None] = [None] if is_of_none else list(stage.scenes.values())
        players = [player for player in stage.players if everything or not _is_double(player, row)]
        if not everything:
            scenes = [scene for scene in scenes if scene is None or scene.name != "restricted and closed"]
        if row.get("fresh"):
            players += [without_freshness(p) for p in players if p.actor.is_fresh]
        keys = (INSIDE, OWN) if row["on"] == "step" else ("",)
        for player in players:
            for scene in scenes:
                is_outside = player.owns_step or player.leaves or player.linked_to
                for key in keys if everything or is_outside else keys[:1]:
                    meant = expected(name, row, player, scene, key)
                    got = _outcome(name, player, scene, key)
                    seen[got] += 1
                    if got != meant:
                        where = f" on {scene.name} {key}" if scene else ""
                        wrong.append(f"{name} by {player.name}{where}: {got}, the matrix says {meant}")
    return wrong, seen


def _is_double(player: Player, row: dict[str, Any]) -> bool:
    """Departments matter where the role does; of those whom a row does not name, one each will do."""
    roles = {role for role, _ in player.grants}
    is_scoped = any(department for _, department in player.grants)
    is_plain_leaver = player.name.startswith("leaver of")
    return (is_scoped and not roles & set(row["allow"])) or (is_plain_leaver and row["on"] in OF_NO_DEPARTURE)


def _outcome(name: str, player: Player, scene: Scene | None, key: str) -> str:
    mark = transaction.savepoint()
    try:
        CALLS[name](player.actor, scene, key)
    except FreshSignInNeeded:
        return STALE
    except NotFound:
        return NOT_FOUND
    except NotAllowed:
        return NOT_ALLOWED
    except Conflict as refusal:
        if refusal.code == "departure_ended":
            return CLOSED
        return ALLOWED if refusal.code in REACHED.get(name, ()) else f"refused: {refusal.code}"
    except Refusal as refusal:
        return ALLOWED if refusal.code in REACHED.get(name, ()) else f"refused: {refusal.code}"
    finally:
        transaction.savepoint_rollback(mark)
    return ALLOWED


# --- The oracle ---------------------------------------------------------------------------------------


def expected(name: str, row: dict[str, Any], player: Player, scene: Scene | None, key: str) -> str:
    """What the file says of this case, worked out from who the player was meant to be."""
    parts = held(player, scene)
    if row["on"] == "credential":
        parts |= {player.knows} - {""}
    if scene is not None and row["on"] == "step" and player.owns_step and key == INSIDE:
        parts |= {"step_owner"}
    if scene is not None and (not parts or (parts == {"departing"} and "departing" not in row["allow"])):
        return NOT_FOUND
    if row["on"] == "credential" and not parts & set(matrix()["operations"]["credentials.view"]["allow"]):
        return NOT_FOUND
    if not (parts | {"anybody"}) & set(row["allow"]):
        return NOT_ALLOWED
    scopes = player.actor.scopes
    scope = row.get("scope", "write")
    if scopes is not None and scope not in scopes:
        return NOT_ALLOWED
    is_sure = player.actor.is_fresh or parts & {"console"} or (scopes is not None and scope == "access")
    if row.get("fresh") and not is_sure:
        return STALE
    if scene is not None and scene.is_closed and not row.get("on_closed"):
        return CLOSED
    return _beyond_the_matrix(name, player, parts, key)


def _beyond_the_matrix(name: str, player: Player, parts: set[str], key: str) -> str:
    """The few rules that the issue states beside the matrix: a second person, what guests are shown,
    starting alone, one's own queue and one's own tokens."""
    is_person = player.actor.channel.value == "web"
    if name in SECOND_PERSON and not is_person:
        return NOT_ALLOWED
    is_hr_here = bool({("hr", ""), ("hr", DEPARTMENT)} & set(player.grants))
    if name == "journeys.start" and not is_hr_here and "console" not in parts:
        return NOT_ALLOWED
    if name.startswith("steps.") and name != "steps.add":
        is_outside = parts <= {"departing", "helper"}
        is_shown = key == OWN if parts == {"departing"} else key == INSIDE
        if is_outside and not is_shown:
            return NOT_FOUND
    if name == "steps.claim" and "hr" not in {role for role, _ in player.grants}:
        return NOT_ALLOWED
    return ALLOWED
