"""What can be done about access. Each operation is one transaction with its evidence; what asks systems does
so before, and opens its transaction afterwards."""

from partwell.access.alerts import raise_alert, resolve_alerts
from partwell.access.descriptions import read_system_file
from partwell.access.operations.accounts import attest_account, link_accounts, mark_impossible
from partwell.access.operations.dry_runs import dry_run_plan
from partwell.access.operations.enforcement import (
    enforce_access_end,
    escalate,
    schedule,
    unschedule,
)
from partwell.access.operations.plans import apply_plan, approve_plan, make_plan, restore_plan
from partwell.access.operations.system_changes import change_system, draft_change
from partwell.access.operations.systems import add_system, test_system
from partwell.access.operations.verification import verify_plan

__all__ = [
    "add_system",
    "apply_plan",
    "approve_plan",
    "attest_account",
    "change_system",
    "draft_change",
    "dry_run_plan",
    "enforce_access_end",
    "escalate",
    "link_accounts",
    "make_plan",
    "mark_impossible",
    "raise_alert",
    "read_system_file",
    "resolve_alerts",
    "restore_plan",
    "schedule",
    "test_system",
    "unschedule",
    "verify_plan",
]
