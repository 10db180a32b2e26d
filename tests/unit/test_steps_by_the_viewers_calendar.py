"""What is due today is said by the calendar of whoever reads it; what was not looked at is not counted."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from uuid import uuid4

import pytest
from django.utils import timezone

from partwell.journeys.models import Step
from partwell.journeys.queries import Around, PhaseCount
from partwell.journeys.states import StepState
from partwell.people.roles import Role
from partwell.web.home import LOOKED_AT, _lead
from partwell.web.presenting import groups_of
from partwell.web.steps import due_groups, in_words

# In Auckland it is half past eleven in the evening: what is due in an hour and a half is due tomorrow there.
NOW = datetime(2026, 11, 26, 10, 30, tzinfo=UTC)
SOON = NOW + timedelta(minutes=90)
JOURNEY = uuid4()


def step(due_at: datetime = SOON, state: StepState = StepState.OPEN) -> Step:
    return Step(
        journey_id=JOURNEY, key="badge", title="Badge", phase=1, role=Role.HR, due_at=due_at, state=state
    )


@pytest.mark.parametrize(
    ("zone", "group", "lead", "today"),
    [
        ("UTC", "Due today", "1 of your steps is due today.", 1),
        ("Pacific/Auckland", "This week", "1 of your steps can be done now; none is due today.", 0),
    ],
)
def test_due_today_is_today_where_the_viewer_is(zone: str, group: str, lead: str, today: int) -> None:
    around = {JOURNEY: Around("Marit Lindqvist", False, {})}
    with timezone.override(zone):
        (shown,) = due_groups([step()], around=around, now=NOW, viewer_id=None)
        (phase,) = groups_of([step()], [PhaseCount(1, "Notice", total=1)], viewer_id=None, role="", now=NOW)
        assert (shown["title"], _lead([step()], NOW), phase["today"]) == (group, lead, today)


def test_of_many_steps_it_says_how_many_were_looked_at() -> None:
    late = NOW - timedelta(days=1)
    few = [step(late), step(), step(state=StepState.BLOCKED)]
    with timezone.override("UTC"):
        assert _lead(few, NOW) == "1 of your steps is overdue, 1 is due today."
        assert in_words(few, of=LOOKED_AT) == "2 to do, 1 blocked, in 1 journey"
        many = few + [step(late) for _ in range(LOOKED_AT - len(few))]
        assert _lead(many, NOW) == f"38 of your next {LOOKED_AT} steps are overdue, 1 is due today."
        assert in_words(many, of=LOOKED_AT) == f"The next {LOOKED_AT}: 39 to do, 1 blocked, in 1 journey"
        assert (_lead([], NOW), in_words([], of=LOOKED_AT)) == ("Nothing waits for you.", "")


def test_a_restricted_journey_is_not_named_in_a_list_of_several() -> None:
    around = {JOURNEY: Around("Marit Lindqvist", True, {"keys": "Collect the keys"})}
    waiting = step(state=StepState.BLOCKED)
    waiting.waits_for = ["keys"]
    (group,) = due_groups([waiting], around=around, now=NOW, viewer_id=None)
    (row,) = group["rows"]
    assert row["truth"].startswith("Restricted journey · ") and "Marit" not in row["truth"]
    assert row["waits_for"] == "Collect the keys"
