"""Failures of several things at once, told as one."""

from __future__ import annotations

from collections.abc import Sequence

from partwell.connector_kit.values import ConnectorError, ErrorKind

# What can be tried again decides, so that the rest is tried again.
_ORDER = (ErrorKind.THROTTLED, ErrorKind.RETRYABLE, ErrorKind.DENIED)


def together(done: str, failures: Sequence[tuple[str, ConnectorError]]) -> ConnectorError:
    """One error for several things, each named with its own; `done` says what was done all the same."""
    _, worst = min(failures, key=lambda f: _ORDER.index(f[1].kind) if f[1].kind in _ORDER else len(_ORDER))
    left = " ".join(f"{name}: {error.message.rstrip('.')}." for name, error in failures)
    return ConnectorError(worst.kind, f"{done} {left}", retry_at=worst.retry_at, request_id=worst.request_id)
