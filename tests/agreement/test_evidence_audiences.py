"""The tables of what leaves the house know every event, so that a new one is thought about."""

from __future__ import annotations

import pytest

from partwell.closure.audiences import ELSEWHERE, EVENTS
from tests.agreement.recorded_events import Reader, recorded_events

FREE_TEXT = {
    "note",
    "text",
    "reason",
    "link",
    "withdrawal_reason",
    "override_reason",
    "answer",
    "what",
    "open",
}
TELLS_WHOSE = {"subject", "account", "accounts", "login", "logins", "user", "guest"}
TELLS_WHOSE |= {"file", "proof", "receipt"}


def test_every_recorded_kind_is_in_one_of_the_tables() -> None:
    recorded = set(recorded_events())
    assert sorted(recorded - set(EVENTS) - ELSEWHERE) == [], "say in closure/audiences.py who reads of it"
    assert sorted((set(EVENTS) | ELSEWHERE) - recorded) == [], "nothing records these any more"
    assert not set(EVENTS) & ELSEWHERE


def test_every_listed_field_is_one_that_is_recorded() -> None:
    kinds = Reader().read().kinds
    patterns = {
        start: kinds[start + "{}"] for start in ("access.", "mail.", "credential.rotation_", "transfer.")
    }
    for kind, fields in recorded_events().items():
        if kind not in EVENTS:
            continue
        known = fields | next((more for start, more in patterns.items() if kind.startswith(start)), set())
        listed = EVENTS[kind].auditor | (EVENTS[kind].other_side or frozenset())
        assert listed <= known, f"{kind} has no field {sorted(listed - known)}"


@pytest.mark.parametrize("kind", sorted(EVENTS))
def test_nobody_outside_reads_free_text_and_no_auditor_whose_it_was(kind: str) -> None:
    shown = EVENTS[kind]
    assert not (shown.other_side or frozenset()) & (FREE_TEXT | {"actor", "from", "to", "initiated_by"})
    assert not shown.auditor & (FREE_TEXT | TELLS_WHOSE)
