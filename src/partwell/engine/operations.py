"""Asking the engine for work, in the caller's own transaction.

Domain rows are the only truth; the engine can be rebuilt from them. What is asked here commits or rolls
back with the rows that it is about.
"""

from __future__ import annotations

from datetime import datetime
from uuid import UUID


def poke(departure_id: UUID) -> None:
    """Ask that the journey of this departure looks at itself once this transaction has committed."""


def enqueue(workflow: str, *args: str, key: str, lane: str = "actions", partition: str = "") -> None:
    """Ask for one run of a registered workflow with string arguments, once per `key`, after commit.

    It runs at least once: a run that a crash cut short begins again, so it must read before it acts.
    """


def set_timer(name: str, *, key: str, due_at: datetime) -> None:
    """Ask that `name` fires for `key` at `due_at`, once; asking again moves it."""


def cancel_timer(name: str, *, key: str) -> None:
    """Ask that the timer does not fire. One that has fired, or never was, is left as it is."""
