"""What a round asks of whom: sums agree with the plan, whatever the plan."""

from __future__ import annotations

from collections import Counter
from datetime import date, timedelta

from hypothesis import given
from hypothesis import strategies as st

from partwell.journeys.rounds.loads import (
    ClashKind,
    Planned,
    days_off,
    days_too_full,
    loads_of,
    owners_who_leave,
    queues_of,
    roles_without_owner,
    totals_of,
)

MONDAY = date(2026, 11, 2)
days = st.integers(0, 40).map(lambda n: MONDAY + timedelta(days=n))
owners = st.sampled_from(["ann", "bo", "cy"])


@st.composite
def steps(draw: st.DrawFn) -> Planned:
    kind = draw(st.sampled_from(["owner", "queue", "leaver", "nobody"]))
    return Planned(
        who=draw(st.sampled_from(["mei", "noa", "ola"])),
        role=draw(st.sampled_from(["hr", "legal"])),
        day=draw(days),
        owner=draw(owners) if kind == "owner" else "",
        queue=draw(st.sampled_from(["hr", "it_security"])) if kind == "queue" else "",
        is_leavers=kind == "leaver",
    )


plans = st.lists(steps(), max_size=60)
open_already = st.dictionaries(owners, st.lists(days, max_size=8))


@given(plans, open_already)
def test_every_step_is_counted_once_and_only_once(
    planned: list[Planned], already: dict[str, list[date]]
) -> None:
    totals, loads = totals_of(planned), loads_of(planned, already)
    assert totals.owned + totals.queued + totals.leavers + totals.nobodys == totals.steps == len(planned)
    assert sum(load.steps for load in loads) == totals.owned
    assert sum(queues_of(planned).values()) == totals.queued
    assert sum(roles_without_owner(planned).values()) == totals.nobodys
    assert sum(load.people for load in loads) == len({(s.owner, s.who) for s in planned if s.owner})


@given(plans, open_already)
def test_the_fullest_day_and_week_hold_what_is_open_already_and_none_is_fuller(
    planned: list[Planned], already: dict[str, list[date]]
) -> None:
    for load in loads_of(planned, already):
        due = [s.day for s in planned if s.owner == load.owner] + list(already.get(load.owner, []))
        by_day = Counter(due)
        by_week = Counter(day - timedelta(days=day.weekday()) for day in due)
        assert load.on_busiest_day == by_day[load.busiest_day] == max(by_day.values())
        assert load.in_busiest_week == by_week[load.busiest_week] == max(by_week.values())
        assert load.busiest_week.weekday() == 0
        assert load.on_busiest_day <= load.in_busiest_week <= load.steps + load.already_open == len(due)


@given(plans, open_already, st.randoms())
def test_the_order_of_the_plan_changes_no_figure(planned, already, chance) -> None:
    shuffled = list(planned)
    chance.shuffle(shuffled)
    assert loads_of(planned, already) == loads_of(shuffled, already)
    assert days_too_full(planned, already, most=2) == days_too_full(shuffled, already, most=2)
    assert totals_of(planned) == totals_of(shuffled)


@given(plans, open_already, st.integers(1, 6))
def test_a_day_is_too_full_exactly_when_this_round_takes_it_over_the_limit(
    planned: list[Planned], already: dict[str, list[date]], most: int
) -> None:
    found = {(c.about, c.day): c.steps for c in days_too_full(planned, already, most=most)}
    new = Counter((s.owner, s.day) for s in planned if s.owner)
    for (owner, day), count in new.items():
        whole = count + list(already.get(owner, [])).count(day)
        assert found.get((owner, day)) == (whole if whole > most else None)
    assert found.keys() <= new.keys()


@given(plans, st.dictionaries(owners, days))
def test_an_owner_who_leaves_clashes_with_what_is_due_later_and_with_nothing_else(
    planned: list[Planned], last_days: dict[str, date]
) -> None:
    found = {clash.about: clash.steps for clash in owners_who_leave(planned, last_days)}
    late = Counter(s.owner for s in planned if s.owner in last_days and s.day > last_days[s.owner])
    assert found == dict(late)


def test_a_day_on_which_nobody_works_is_named_with_whose_it_is() -> None:
    saturday = MONDAY + timedelta(days=5)
    dates = [("mei", "notice", MONDAY, "DE"), ("mei", "last working day", saturday, "DE")]
    [clash] = days_off(dates, lambda day, country: day.weekday() < 5 and country == "DE")
    assert (clash.kind, clash.about, clash.day, clash.what) == (
        ClashKind.DAY_OFF,
        "mei",
        saturday,
        "last working day",
    )
