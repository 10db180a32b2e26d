"""Connected systems, their accounts, plans and runs, cuts, alerts, ghosts, maps, shared
credentials, and what is handed over."""

from __future__ import annotations

from partwell.access.models.accounts import AccountRecord, Alert
from partwell.access.models.credentials import Credential, CredentialRotation, Holder
from partwell.access.models.cuts import Cut
from partwell.access.models.ghosts import Ghost, Reverification, Sweep, SystemSweep
from partwell.access.models.maps import AccessMap
from partwell.access.models.plans import Change, DryRun, Plan, Question, SystemRun
from partwell.access.models.systems import System
from partwell.access.models.transfers import Transfer

__all__ = [
    "AccessMap",
    "AccountRecord",
    "Alert",
    "Change",
    "Credential",
    "CredentialRotation",
    "Cut",
    "DryRun",
    "Ghost",
    "Holder",
    "Plan",
    "Question",
    "Reverification",
    "Sweep",
    "System",
    "SystemRun",
    "SystemSweep",
    "Transfer",
]
