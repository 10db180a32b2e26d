"""The figures of the process add up, whatever is counted."""

from __future__ import annotations

from collections import Counter
from datetime import UTC, date, datetime, timedelta
from statistics import median

import pytest
from hypothesis import given
from hypothesis import strategies as st

from partwell.insights.lateness import IN_TIME, OPEN_LATE, Counted, by_role, by_step
from partwell.insights.loads import LEAST, Load, marked
from partwell.insights.phases import Days, PhaseTimes
from partwell.insights.questions import Question, check_question, usual_period
from partwell.refusals import Invalid
from partwell.web.process_drawing import LEFT, WIDTH, draw_phases

counted = st.lists(
    st.builds(
        Counted,
        key=st.sampled_from(["own", "collect", "cut"]),
        role=st.sampled_from(["hr", "it_security"]),
        standing=st.sampled_from([IN_TIME, OPEN_LATE, 1, 2, 9]),
        steps=st.integers(1, 40),
    )
)


@given(counted)
def test_by_role_and_by_step_every_step_is_counted_once(rows: list[Counted]) -> None:
    roles, steps = by_role(rows), by_step(rows, {})
    total = sum(row.steps for row in rows)
    assert sum(line.total for line in roles) == sum(line.total for line in steps) == total
    for line in (*roles, *steps):
        assert line.in_time + line.missed == line.total
        assert 0 <= line.share <= 100
    assert sum(line.missed for line in steps) == sum(r.steps for r in rows if r.standing != IN_TIME)


@given(counted)
def test_the_middle_of_days_late_is_that_of_the_steps_settled_late(rows: list[Counted]) -> None:
    late = [row.standing for row in rows if row.standing > 0 for _ in range(row.steps)]
    [line] = by_role([row._replace(role="hr") for row in rows]) or [None]
    if line is not None:
        assert line.median_days == (median(late) if late else None)


@given(st.lists(st.integers(0, 400), min_size=1))
def test_middle_and_nine_in_ten_are_those_of_the_list_itself(values: list[int]) -> None:
    days = Days(Counter(values))
    assert days.count == len(values)
    assert days.median == median(values)
    assert sum(value <= days.p90 for value in values) >= 0.9 * len(values)  # type: ignore[operator]
    assert days.p90 in values


def test_of_no_journeys_nothing_is_said() -> None:
    assert (Days().median, Days().p90) == (None, None)
    assert draw_phases([PhaseTimes(1)], 0).bars == ()


@given(st.lists(st.integers(0, 90), min_size=1, max_size=60), st.integers(0, 6))
def test_a_drawing_stays_on_its_sheet_and_leaves_out_what_is_too_few(values: list[int], fewest: int) -> None:
    drawing = draw_phases([PhaseTimes(3, finished=Days(Counter(values)))], fewest)
    assert len(drawing.bars) == (len(values) >= max(fewest, 1))
    for bar in drawing.bars:
        assert LEFT < LEFT + bar.median_width <= bar.end_x <= LEFT + WIDTH


def test_a_period_begins_and_ends_with_the_days_of_its_own_timezone() -> None:
    berlin = Question(date(2026, 3, 29), date(2026, 10, 25), "Europe/Berlin")
    assert berlin.begins_at == datetime(2026, 3, 28, 23, tzinfo=UTC)
    # The clocks go back on the last day, so it has an hour more.
    assert berlin.ends_at == datetime(2026, 10, 25, 23, tzinfo=UTC)
    assert Question(date(2026, 5, 1), date(2026, 5, 1), "Asia/Tokyo").begins_at == datetime(
        2026, 4, 30, 15, tzinfo=UTC
    )


@given(st.timedeltas(timedelta(), timedelta(days=30_000)))
def test_the_usual_period_is_twelve_months_up_to_today(later: timedelta) -> None:
    now = datetime(2000, 1, 1, tzinfo=UTC) + later
    since, until = usual_period("Pacific/Auckland", now=now)
    assert until - since == timedelta(days=364)
    check_question(Question(since, until, "Pacific/Auckland"), now=now)


@pytest.mark.parametrize(
    ("changes", "field"),
    [
        ({"since": date(2026, 6, 2)}, "until"),
        ({"until": date(2026, 6, 3)}, "until"),
        ({"since": date(2010, 1, 1)}, "since"),
        ({"timezone": "Mars/Olympus"}, "timezone"),
        ({"audience": "everybody"}, "audience"),
    ],
)
def test_a_question_that_cannot_be_is_refused_at_its_field(changes: dict[str, object], field: str) -> None:
    values = {"since": date(2026, 1, 1), "until": date(2026, 6, 1), "timezone": "UTC"} | changes
    with pytest.raises(Invalid) as refused:
        check_question(Question(**values), now=datetime(2026, 6, 2, 9, tzinfo=UTC))  # type: ignore[arg-type]
    assert refused.value.field == field


def carrying(name: str, pressing: int) -> Load:
    return Load(len(name), "", name, pressing, 0, pressing, 0, None)


def test_overloaded_is_who_carries_more_than_twice_the_middle_and_no_fewer_than_a_handful() -> None:
    loads = marked([carrying("a", 2), carrying("bb", 3), carrying("ccc", 7), carrying("dddd", 6)])
    assert [load.is_overloaded for load in loads] == [False, False, False, False]
    loads = marked([carrying("a", 2), carrying("bb", 3), carrying("ccc", 7)])
    assert [load.name for load in loads if load.is_overloaded] == ["ccc"]
    few = marked([carrying("a", 0), carrying("bb", 0), carrying("ccc", LEAST - 1)])
    assert not any(load.is_overloaded for load in few)
