"""Several things to do, of which some may fail: each is tried, and what failed is told as one."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterable, Sequence
from typing import TypeVar

from partwell.connector_kit.values import ConnectorError, ErrorKind

T = TypeVar("T")

# What can be tried again decides, so that the rest is tried again.
_ORDER = (ErrorKind.THROTTLED, ErrorKind.RETRYABLE, ErrorKind.DENIED)


async def try_each(
    steps: Iterable[tuple[str, Callable[[], Awaitable[T]]]],
) -> tuple[list[tuple[str, T]], list[tuple[str, ConnectorError]]]:
    """Carry out named steps one after another: what was done, with what each gave, and what failed.

    A failure does not stop the others, unless the target wants to be asked less: it would refuse them too.
    Those were not tried, and count as neither.
    """
    done: list[tuple[str, T]] = []
    failures: list[tuple[str, ConnectorError]] = []
    for name, act in steps:
        try:
            done.append((name, await act()))
        except ConnectorError as error:
            failures.append((name, error))
            if error.kind is ErrorKind.THROTTLED:
                break
    return done, failures


def together(done: str, failures: Sequence[tuple[str, ConnectorError]]) -> ConnectorError:
    """One error for several things, each named with its own; `done` says what was done all the same."""
    _, worst = min(failures, key=lambda f: _ORDER.index(f[1].kind) if f[1].kind in _ORDER else len(_ORDER))
    left = " ".join(f"{name}: {error.message.rstrip('.')}." for name, error in failures)
    return ConnectorError(worst.kind, f"{done} {left}", retry_at=worst.retry_at, request_id=worst.request_id)
