"""When to ask a target again, where its next page is, and many requests side by side."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from partwell.connector_kit.pacing import LONGEST_PAUSE, next_link, resets_at, side_by_side

NOW = datetime(2026, 11, 27, 16, 30, tzinfo=UTC)
SECOND = timedelta(seconds=1)


@pytest.mark.parametrize(
    ("seconds", "date", "pause"),
    [
        (40, "", 40),
        (340, "Fri, 27 Nov 2026 16:35:00 GMT", 40),
        (-260, "Fri, 27 Nov 2026 16:25:00 GMT", 40),
        (-5, "", 0),
        (10**9, "", 24 * 3600),
    ],
)
def test_a_limits_reset_is_counted_by_the_targets_clock(seconds, date, pause):
    header = str(int(NOW.timestamp()) + seconds)
    assert resets_at(header, date=date, now=NOW) == NOW + pause * SECOND


@given(st.text(max_size=30), st.text(max_size=40))
def test_no_reset_makes_us_wait_for_ever_or_go_back_in_time(header, date):
    assert NOW <= resets_at(header, date=date, now=NOW) <= NOW + LONGEST_PAUSE


@pytest.mark.parametrize(
    ("header", "link"),
    [
        ('<https://a/x?after=1>; rel="next"', "https://a/x?after=1"),
        ('<https://a/x>; rel="self", <https://a/y,z>; rel="next"', "https://a/y,z"),
        ("<https://a/x>;rel=next", "https://a/x"),
        ('<https://a/x>; title="a, b"; rel="prev next"', "https://a/x"),
        ('<https://a/x>; rel="self"', ""),
        ('<https://a/x>; rel="nextish"', ""),
        ("", ""),
        ("rel=next", ""),
    ],
)
def test_the_next_page_is_what_the_link_header_calls_so(header, link):
    assert next_link(header) == link


@given(st.text(max_size=200))
def test_no_link_header_is_too_odd_to_read(header):
    assert isinstance(next_link(header), str)


async def test_results_keep_their_order_and_no_more_run_at_once_than_allowed():
    running, most = 0, 0

    async def double(number: int) -> int:
        nonlocal running, most
        running += 1
        most = max(most, running)
        for _ in range(10 - number):
            await asyncio.sleep(0)
        running -= 1
        return 2 * number

    assert await side_by_side(double, range(10), at_once=3) == [2 * n for n in range(10)]
    assert most == 3
    assert await side_by_side(double, [], at_once=3) == []


async def test_the_first_failure_comes_out_as_it_is_and_stops_the_rest():
    begun: list[int] = []

    async def fail_at_two(number: int) -> int:
        begun.append(number)
        await asyncio.sleep(0)
        if number == 2:
            raise ValueError("two")
        return number

    with pytest.raises(ValueError, match="two"):
        await side_by_side(fail_at_two, range(100), at_once=2)
    assert len(begun) < 10
