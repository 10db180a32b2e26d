"""Changes that a target accepted for later: pending for a while, and failed after that."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import datetime, timedelta
from typing import Any

from partwell.connector_kit.values import Proof, Verb, Verdict

DEFAULT_SECONDS = 300


class Settling:
    """The setting `settles_within_seconds`, and what was accepted when; kept as long as the connector is."""

    def __init__(self, settings: Mapping[str, Any], now: Callable[[], datetime]) -> None:
        self._within = timedelta(seconds=float(settings.get("settles_within_seconds", DEFAULT_SECONDS)))
        self._now = now
        self._accepted: dict[tuple[str, Verb], datetime] = {}

    def accepted(self, external_id: str, verb: Verb) -> None:
        """The target took the change, and makes it later."""
        self._accepted[external_id, verb] = self._now()

    def forget(self, external_id: str, verb: Verb) -> None:
        """The change was put back: nothing is waited for any more."""
        self._accepted.pop((external_id, verb), None)

    def not_yet(self, external_id: str, verb: Verb, read: str) -> Proof:
        """What a reading that does not show the change means: pending while it may come, else failed."""
        accepted_at = self._accepted.get((external_id, verb))
        if accepted_at and self._now() < accepted_at + self._within:
            return Proof(Verdict.PENDING, read, retry_until=accepted_at + self._within)
        return Proof(Verdict.FAILED, read)
