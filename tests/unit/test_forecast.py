"""How long a plan will take: never less than the limits allow, and more when there is more to do."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from partwell.access.forecasting import SystemTime, about, in_all
from partwell.connector_kit import registry
from partwell.connector_kit.contract import Verb
from partwell.connector_kit.forecast import Load, calls_of, foretell, problems_of, requests_of
from partwell.connector_kit.limiter import rates_of

loads = st.builds(
    Load,
    st.integers(0, 2000),
    st.dictionaries(st.sampled_from([verb.value for verb in Verb]), st.integers(0, 2000)),
)
manifests = st.sampled_from(sorted(registry.connectors()))
limits = st.one_of(
    manifests.map(lambda name: dict(registry.connectors()[name].manifest.limits)),
    st.fixed_dictionaries(
        {
            "requests_per_minute": st.integers(1, 10_000),
            "concurrent": st.integers(1, 100),
            "classes": st.fixed_dictionaries(
                {"writes": st.fixed_dictionaries({"requests_per_minute": st.integers(1, 10_000)})}
            ),
            "requests": st.dictionaries(
                st.sampled_from(["discover", "suspend", "verify"]),
                st.dictionaries(st.sampled_from(["default", "writes"]), st.integers(1, 30), min_size=1),
            ),
        }
    ),
)


@given(limits, loads, st.integers(0, 500))
def test_more_accounts_never_take_less(given_limits: dict[str, Any], load: Load, more: int) -> None:
    bigger = Load(load.accounts + more, load.verbs)
    assert foretell(given_limits, bigger).seconds >= foretell(given_limits, load).seconds
    assert foretell(given_limits, bigger).requests >= foretell(given_limits, load).requests


@given(limits, loads, st.sampled_from([verb.value for verb in Verb]))
def test_one_more_change_never_takes_less(given_limits: dict[str, Any], load: Load, verb: str) -> None:
    bigger = Load(load.accounts, {**load.verbs, verb: load.verbs.get(verb, 0) + 1})
    assert foretell(given_limits, bigger).seconds >= foretell(given_limits, load).seconds


@given(limits, loads)
def test_it_is_never_less_than_the_requests_of_a_class_by_its_limit(
    given_limits: dict[str, Any], load: Load
) -> None:
    seconds = foretell(given_limits, load).seconds
    for name, rate in rates_of(given_limits).items():
        sent = sum(
            count * requests_of(given_limits, call).get(name, 0) for call, count in calls_of(load).items()
        )
        assert seconds >= sent / (rate / 60) - 1e-6


@given(st.lists(st.tuples(limits, loads), max_size=8))
def test_the_whole_takes_as_long_as_the_slowest_system(given_all: list[tuple[dict[str, Any], Load]]) -> None:
    times = [
        SystemTime(f"s{number}", f"S{number}", load, foretell(each, load))
        for number, (each, load) in enumerate(given_all)
    ]
    told = in_all(times)
    assert told["seconds"] == max((row["seconds"] for row in told["systems"]), default=0)
    assert [row["seconds"] for row in told["systems"]] == sorted(
        (row["seconds"] for row in told["systems"]), reverse=True
    )


def test_nothing_to_do_takes_no_time() -> None:
    assert foretell({"requests_per_minute": 1}, Load(0, {})).seconds == 0


def test_a_slow_class_decides() -> None:
    given_limits = {
        "requests_per_minute": 6000,
        "classes": {"writes": {"requests_per_minute": 60}},
        "concurrent": 10,
        "requests": {"suspend": {"default": 1, "writes": 2}},
    }
    assert foretell(given_limits, Load(30, {"suspend": 30})).seconds == 60


@pytest.mark.parametrize(
    ("seconds", "words"),
    [(0, "less than a minute"), (59.9, "less than a minute"), (61, "about 2 min"), (3600, "about 1 h")],
)
def test_it_is_said_in_words_that_promise_no_more_than_is_known(seconds: float, words: str) -> None:
    assert about(seconds) == words


def test_a_manifest_that_names_no_call_is_refused() -> None:
    assert problems_of({"requests": {"fly": {"default": 1}}}) == ["requests: there is no call 'fly'"]
    assert problems_of({"requests": {"suspend": {"default": 0}}})
    assert not problems_of({"requests": {"suspend": {"default": 2}}})
