"""What the checks of `vendor_csdl` share."""

from __future__ import annotations

from dataclasses import dataclass


class Broken(AssertionError):
    """A request or answer is not as the vendor's contract says."""


@dataclass(frozen=True)
class Shape:
    """A type, or a collection of it."""

    type: str
    is_many: bool = False
    nullable: bool = True
