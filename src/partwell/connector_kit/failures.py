"""Several failures of one verb as one."""

from __future__ import annotations

from collections.abc import Sequence

from partwell.connector_kit.values import ConnectorError, ErrorKind

# What can be retried decides, so that the rest is tried again; of that, what says when comes first.
_FIRST = (ErrorKind.THROTTLED, ErrorKind.RETRYABLE)


def combined(
    failures: Sequence[tuple[str, ConnectorError]], *, done: int, total: int, what: str = ""
) -> ConnectorError:
    """One error for several things, each named with its failure. `what` is what they are: "groups"."""
    _, worst = min(failures, key=lambda f: _FIRST.index(f[1].kind) if f[1].kind in _FIRST else len(_FIRST))
    left = "; ".join(f"{name}: {error.message}" for name, error in failures)
    return ConnectorError(
        worst.kind,
        f"{done} of {total}{' ' + what if what else ''} are done. {left}",
        retry_at=worst.retry_at,
        request_id=worst.request_id,
    )
