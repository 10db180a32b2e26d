"""Who is what to a departure, worked out from the matrix file and from who somebody was meant to be.

Both halves of the proof of authorisation judge by it; it knows nothing of the code that it judges.
"""

from __future__ import annotations

import re
from functools import lru_cache
from typing import Any

import yaml

from partwell.people.authorisation import MATRIX_FILE
from tests.authorisation_stage import DEPARTMENT, Player, Scene


@lru_cache(maxsize=1)
def matrix() -> dict[str, Any]:
    """The file as text: `on` would be a truth value to YAML 1.1, so the column is renamed first."""
    text = re.sub(r"\{on: ", '{"on": ', MATRIX_FILE.read_text(encoding="utf-8"))
    return dict(yaml.safe_load(text))


def held(player: Player, scene: Scene | None) -> set[str]:
    """The roles and capacities that count here; none where the departure does not exist for the player."""
    channel = player.actor.channel.value
    if channel in ("console", "engine"):
        return {channel}
    if scene is None:
        return {role for role, _ in player.grants}
    if player.leaves == scene.name:
        return {"departing"}
    if channel == "guest":
        return {player.actor.guest_capacity} if player.linked_to == scene.name else set()
    takes_part = player.only_in in ("", scene.name)
    found = {player.part} - {""} if takes_part else set()
    if not scene.is_restricted:
        found |= {
            role
            for role, department in player.grants
            if department in ("", DEPARTMENT) and (role != "account_manager" or scene.is_client)
        }
    return found
