"""Connected systems, the accounts found in them, plans with their changes and runs, cuts, alerts, and
shared credentials."""

from __future__ import annotations

from partwell.access.models.accounts import AccountRecord, Alert
from partwell.access.models.credentials import Credential, CredentialRotation, Holder
from partwell.access.models.cuts import Cut
from partwell.access.models.plans import Change, Plan, Question, SystemRun
from partwell.access.models.systems import System

__all__ = [
    "AccountRecord",
    "Alert",
    "Change",
    "Credential",
    "CredentialRotation",
    "Cut",
    "Holder",
    "Plan",
    "Question",
    "System",
    "SystemRun",
]
