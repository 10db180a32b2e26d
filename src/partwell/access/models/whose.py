"""Rows that are of a departure, or of an account of nobody."""

from __future__ import annotations

from typing import Protocol
from uuid import UUID

from partwell.departures.models import Departure


class _MayBeOfADeparture(Protocol):
    @property
    def departure(self) -> Departure | None: ...
    @property
    def departure_id(self) -> UUID | None: ...


class OfADeparture:
    """Gives a row with a `departure` that may be empty the same without the doubt."""

    @property
    def its_departure(self: _MayBeOfADeparture) -> Departure:
        """The departure that it is of. Raises `LookupError` for what is of an account of nobody."""
        if self.departure is None:
            raise LookupError(f"{self} is of no departure")
        return self.departure

    @property
    def its_departure_id(self: _MayBeOfADeparture) -> UUID:
        """As `its_departure`, without reading it."""
        if self.departure_id is None:
            raise LookupError(f"{self} is of no departure")
        return self.departure_id
