"""JSON in the shape that a service promised, or a failure that says so: of another one nothing is known."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from partwell.connector_kit.values import ConnectorError, ErrorKind


@dataclass(frozen=True)
class Shapes:
    """What the answers of one service have to look like; `service` is its name for people. Each raises
    RETRYABLE for anything else."""

    service: str

    def as_object(self, content: Any) -> dict[str, Any]:
        """The answer as an object."""
        if not isinstance(content, dict):
            raise self._not(f"not what {self.service} gives here")
        return content

    def as_list(self, content: Any) -> list[dict[str, Any]]:
        """The answer as a list of objects."""
        if not isinstance(content, list) or not all(isinstance(each, dict) for each in content):
            raise self._not(f"not a list as {self.service} gives one")
        return content

    def identifier(self, thing: Mapping[str, Any]) -> str:
        """Its `id`: nothing can be concluded about something without one."""
        found = thing.get("id")
        if not isinstance(found, str) or not found:
            raise ConnectorError(
                ErrorKind.RETRYABLE, f"{self.service} listed something without an identifier."
            )
        return found

    def _not(self, shape: str) -> ConnectorError:
        return ConnectorError(ErrorKind.RETRYABLE, f"The answer is JSON, but {shape}.")
