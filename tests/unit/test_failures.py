"""Several failures told as one: what can be tried again decides, and each is named."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

from partwell.connector_kit.contract import ConnectorError, ErrorKind
from partwell.connector_kit.failures import together, try_each

LATER = datetime(2026, 11, 27, 17, 0, tzinfo=UTC)
DENIED = ("A", ConnectorError(ErrorKind.DENIED, "not allowed."))
UNSUPPORTED = ("B", ConnectorError(ErrorKind.UNSUPPORTED, "never"))
RETRYABLE = ("C", ConnectorError(ErrorKind.RETRYABLE, "broke", request_id="r"))
THROTTLED = ("D", ConnectorError(ErrorKind.THROTTLED, "slower", retry_at=LATER))


@pytest.mark.parametrize(
    ("failures", "kind"),
    [
        ([UNSUPPORTED], ErrorKind.UNSUPPORTED),
        ([UNSUPPORTED, DENIED], ErrorKind.DENIED),
        ([UNSUPPORTED, DENIED, RETRYABLE], ErrorKind.RETRYABLE),
        ([RETRYABLE, UNSUPPORTED, THROTTLED, DENIED], ErrorKind.THROTTLED),
    ],
)
def test_what_can_be_tried_again_decides(failures, kind):
    error = together("1 of 5 is done.", failures)
    assert error.kind is kind
    assert error.retry_at == (LATER if kind is ErrorKind.THROTTLED else None)


def test_each_failure_is_named_with_its_own_words():
    error = together("1 of 3 is done.", [DENIED, UNSUPPORTED])
    assert error.message == "1 of 3 is done. A: not allowed. B: never."


def steps(*fail):
    """Four named steps; those that are given fail so."""

    def step(name):
        async def act():
            if name in dict(fail):
                raise dict(fail)[name]
            return f"did {name}"

        return name, act

    return [step(name) for name in "ABCD"]


async def test_what_fails_does_not_stop_the_others():
    done, failures = await try_each(steps(DENIED))
    assert (done, failures) == ([("B", "did B"), ("C", "did C"), ("D", "did D")], [DENIED])


async def test_after_a_throttled_one_the_others_are_neither_done_nor_failed():
    throttled = ("B", THROTTLED[1])
    assert await try_each(steps(throttled)) == ([("A", "did A")], [throttled])
