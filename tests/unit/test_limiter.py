"""A target is never asked more often than its manifest allows."""

from __future__ import annotations

import asyncio

import pytest
from hypothesis import given
from hypothesis import strategies as st

from partwell.connector_kit.limiter import Limiter, rates_of


class Watch:
    """A clock that the test moves."""

    def __init__(self) -> None:
        self.now = 100.0

    def __call__(self) -> float:
        return self.now


@given(
    rate=st.floats(min_value=1, max_value=6000),
    pauses=st.lists(st.floats(min_value=0, max_value=3), min_size=1, max_size=100),
)
def test_no_minute_holds_more_than_its_share_and_a_seconds_burst(rate: float, pauses: list[float]) -> None:
    watch = Watch()
    limiter = Limiter({"write": rate}, monotonic=watch)
    starts = []
    for pause in pauses:
        watch.now += pause
        starts.append(watch.now + limiter.reserve("write"))
    for first in starts:
        within = sum(first <= start < first + 60 - 1e-6 for start in starts)
        assert within <= rate + rate / 60 + 1


def test_whoever_came_before_goes_before_and_nobody_waits_without_need() -> None:
    watch = Watch()
    limiter = Limiter({"write": 30}, monotonic=watch)
    assert [limiter.reserve("write") for _ in range(3)] == [0, 2, 4]
    watch.now += 60
    assert limiter.reserve("write") == 0


def test_classes_do_not_hold_up_each_other_and_what_has_no_limit_is_free() -> None:
    limiter = Limiter({"write": 1}, monotonic=Watch())
    assert limiter.reserve("write") == 0
    assert limiter.reserve("write") == 60
    assert limiter.reserve("read") == limiter.reserve() == 0
    asyncio.run(limiter.wait("read"))


def test_the_manifest_says_the_rates() -> None:
    limits = {"requests_per_minute": 600, "note": "…", "classes": {"update": {"requests_per_minute": 180}}}
    assert rates_of(limits) == {"default": 600, "update": 180}
    assert rates_of({}) == {}


@pytest.mark.parametrize("count", [0, 1, 2, 61, 600])
def test_a_plan_tells_the_time_that_it_will_take(count: int) -> None:
    told = Limiter({"default": 90}).seconds_for(count)
    limiter = Limiter({"default": 90}, monotonic=Watch())
    waits = [limiter.reserve() for _ in range(count)]
    assert told == pytest.approx(waits[-1] if waits else 0)
