"""Whatever the rooms record, the timeline can say: an event without a sentence is a sentence to write."""

from __future__ import annotations

from partwell.web.sentences import SENTENCES
from partwell.web.wording import STATES
from tests.agreement.recorded_events import PUT_TOGETHER, Reader


def recorded() -> set[str]:
    """Every kind that the source records, those that are put together at full length."""
    return {whole for kind in Reader().read().kinds for whole in PUT_TOGETHER.get(kind, {kind})}


def test_every_kind_that_a_room_records_has_a_sentence() -> None:
    kinds = recorded()
    assert {"step.completed", "journey.closed", "access.verified", "evidence.erased"} <= kinds
    assert sorted(kinds - SENTENCES.keys()) == []


def test_marks_are_of_the_vocabulary() -> None:
    assert {mark for mark, _ in SENTENCES.values()} <= STATES.keys()
