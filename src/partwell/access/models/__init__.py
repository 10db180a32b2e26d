"""Connected systems, the accounts found in them, plans with changes and runs, cuts, alerts and ghosts."""

from __future__ import annotations

from partwell.access.models.accounts import AccountRecord, Alert
from partwell.access.models.cuts import Cut
from partwell.access.models.ghosts import Ghost, Reverification, Sweep, SystemSweep
from partwell.access.models.maps import AccessMap
from partwell.access.models.plans import Change, Plan, Question, SystemRun
from partwell.access.models.systems import System

__all__ = [
    "AccessMap",
    "AccountRecord",
    "Alert",
    "Change",
    "Cut",
    "Ghost",
    "Plan",
    "Question",
    "Reverification",
    "Sweep",
    "System",
    "SystemRun",
    "SystemSweep",
]
