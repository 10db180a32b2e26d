"""Whatever the rooms record, the timeline can say: an event without a sentence is a sentence to write."""

from __future__ import annotations

import re
from pathlib import Path

from partwell.access.states import TRANSITIONS
from partwell.departures.states import NoticeState
from partwell.web.sentences import SENTENCES
from partwell.web.wording import STATES

SRC = Path(__file__).resolve().parents[2] / "src/partwell"
RECORDING = re.compile(r"""\b_?(?:record|build)\(\s*(?:\w+,\s*)?(f?)"([a-z_]+\.[a-z_{}.\[\]']+)\"""")
BY_NAME = re.compile(r"""\bkind="([a-z_]+\.[a-z_]+)\"|\bKEY_MADE = "([a-z_.]+)\"|\bERASED = "([a-z_.]+)\"""")
REGISTERS = ("people", "clients", "contracts")
# What stands in the braces of a kind that is put together; a new one has to be added here.
FILLED = {
    "access.{state}": {f"access.{state}" for moves in TRANSITIONS.values() for state in moves},
    "access.{after}": {f"access.{state}" for moves in TRANSITIONS.values() for state in moves},
    "notice.{notice.state}": {"notice.started", "notice.declined"},
    "mail.{changes['state']}": {"mail.sent", "mail.failed"},
    "{kind}.imported": {f"{name}.imported" for name in REGISTERS},
    "{kind}.exported": {f"{name}.exported" for name in REGISTERS},
}


def recorded() -> set[str]:
    found: set[str] = set()
    for path in SRC.rglob("*.py"):
        text = path.read_text(encoding="utf-8")
        for is_made, kind in RECORDING.findall(text):
            found |= FILLED[kind] if is_made else {kind}
        if any(sign in text for sign in ("evidence.operations", "operations.record", "ERASED", "kind: str")):
            found |= {name for names in BY_NAME.findall(text) for name in names if name}
        for kind in re.findall(r'record\(\s*(f"\{kind\}\.[a-z]+")', text):
            found |= FILLED[kind[2:-1]]
        for kind in re.findall(r'"((?:access|system)\.asked)"', text):
            found.add(kind)
    return found


def test_every_kind_that_a_room_records_has_a_sentence() -> None:
    kinds = recorded()
    assert {"step.completed", "journey.closed", "access.verified", "evidence.erased"} <= kinds
    assert {"people.imported", "notice.given", "system.asked", "evidence.key_made"} <= kinds
    assert sorted(kinds - SENTENCES.keys()) == []


def test_marks_are_of_the_vocabulary_and_notices_end_in_known_states() -> None:
    assert {mark for mark, _ in SENTENCES.values()} <= STATES.keys()
    assert {s.value for s in NoticeState} >= {"started", "declined"}
