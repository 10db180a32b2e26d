"""Blocking libraries behind a thread and a time limit."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any, TypeVar

from partwell.connector_kit.values import ConnectorError, ErrorKind

T = TypeVar("T")


async def in_thread(work: Callable[..., T], *arguments: Any, seconds: float) -> T:
    """Run blocking `work` in a thread; RETRYABLE when it takes longer than `seconds`.

    The thread cannot be stopped from here: the library's own time limits have to end it.
    """
    try:
        async with asyncio.timeout(seconds):
            return await asyncio.to_thread(work, *arguments)
    except TimeoutError:
        raise ConnectorError(ErrorKind.RETRYABLE, f"It did not answer within {seconds:g} seconds.") from None
