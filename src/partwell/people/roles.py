"""The parts that people play in a departure."""

from __future__ import annotations

from enum import StrEnum


class Role(StrEnum):
    """Owner roles of steps and grants. `DEPARTING` is the one who leaves, or the client's contact."""

    HR = "hr"
    IT_SECURITY = "it_security"
    LINE_MANAGER = "line_manager"
    ACCOUNT_MANAGER = "account_manager"
    EXECUTIVE = "executive"
    FINANCE = "finance"
    LEGAL = "legal"
    DEPARTING = "departing"
    ADMIN = "admin"


ROLE_LABELS: dict[Role, str] = {
    Role.HR: "HR",
    Role.IT_SECURITY: "IT/Security",
    Role.LINE_MANAGER: "Line manager",
    Role.ACCOUNT_MANAGER: "Account manager",
    Role.EXECUTIVE: "Executive",
    Role.FINANCE: "Finance",
    Role.LEGAL: "Legal",
    Role.DEPARTING: "The one who leaves",
    Role.ADMIN: "Administrator",
}

# Roles that somebody is granted for a department or the whole firm. The line manager and the account
# manager follow from the register, the departing side from the departure itself.
GRANTABLE = frozenset(
    {Role.HR, Role.IT_SECURITY, Role.EXECUTIVE, Role.FINANCE, Role.LEGAL, Role.ADMIN, Role.ACCOUNT_MANAGER}
)
