"""Whether a reader may read a canary word, by the matrix file and the rules in its header; nothing else."""

from __future__ import annotations

from tests.authorisation_oracle import held, matrix
from tests.authorisation_stage import DEPARTMENT, Scene
from tests.reading.canaries import Canary
from tests.reading.readers import Reader

CAPACITIES = frozenset({"departing", "helper"})
NOTICE = "notice"

# What each audience's pack may hold, by place. The inside's own file holds what its exporter may read.
# Those who leave read of their own steps and accounts, never who on our side did what, or wrote what;
# auditors read which step, which secret, and who of us did it, neither free text nor whose departure it is.
PACKS: dict[str, frozenset[str]] = {
    "leaver": frozenset(
        {
            "subject's name",
            "own step's title",
            "own step's file",
            "own step's file's content",
            "account",
            "departing guest's address",
        }
    ),
    "auditor": frozenset(
        {"step's title", "own step's title", "helper's step's title"}
        | {"participant's name", "participant's address"}
        # That a secret was changed proves nothing to whoever does not read which.
        | {"secret to change"}
    ),
}
PACKS["client"] = PACKS["leaver"]


def may_read(reader: Reader, canary: Canary, scene: Scene | None) -> bool:
    """Whether any gate of the word is open to this reader."""
    parts = held(reader.player, scene)
    if scene is None and reader.office:
        parts |= {reader.office}
    return any(_is_open(gate, reader, parts, scene) for gate in canary.gates)


def may_find_in_pack(reader: Reader, canary: Canary, scene: Scene | None, audience: str) -> bool:
    """Whether a pack that this reader exports for an audience may hold the word."""
    if not _is_open("evidence.export", reader, held(reader.player, scene), scene):
        return False
    if audience == "internal":
        return may_read(reader, canary, scene)
    return canary.place in PACKS[audience]


def _is_open(gate: str, reader: Reader, parts: set[str], scene: Scene | None) -> bool:
    if gate == NOTICE:
        return _settles_notice(reader, parts, scene)
    if gate in CAPACITIES:
        return gate in parts
    if gate in matrix()["fields"]:
        return bool(parts & set(matrix()["fields"][gate]))
    row = matrix()["operations"][gate]
    if row["on"] in ("office", "credential"):
        parts = held(reader.player, None) | {reader.office}
    return bool(parts & set(row["allow"]))


def _settles_notice(reader: Reader, parts: set[str], scene: Scene | None) -> bool:
    """HR of the department settles it, unless it is about themselves, or about somebody whose departure is
    under way and does not exist for them."""
    is_hr = bool({("hr", ""), ("hr", DEPARTMENT)} & set(reader.player.grants))
    is_hidden = scene is not None and scene.is_restricted and not scene.is_closed and not parts
    return is_hr and "departing" not in parts and not is_hidden
