"""A small Slack for the tests: what it has, without the interfaces (`slack_model.py`)."""

from __future__ import annotations

from itertools import count
from typing import Any

TEAM, OTHER_TEAM, ENTERPRISE = "T00000001", "T00000002", "E00000001"
OWN = "U0PARTWELL"
MISSING = "U0NOBODY00"


class Workspace:
    """People, groups, roles and sessions. `is_grid`: an organisation with two workspaces."""

    def __init__(self, *, is_grid: bool = False) -> None:
        self.is_grid = is_grid
        self._numbers = count(1)
        self.users: dict[str, dict[str, Any]] = {}
        self.user_groups: dict[str, dict[str, Any]] = {}
        self.provider_groups: dict[str, dict[str, Any]] = {}
        self.owners: dict[str, list[str]] = {TEAM: [], OTHER_TEAM: []}
        self.admins: dict[str, list[str]] = {TEAM: [], OTHER_TEAM: []}
        self.sessions: list[dict[str, Any]] = []
        self.logs: list[dict[str, Any]] = []
        self.add_user("partwell", user_id=OWN, is_owner=True, is_admin=True)

    def add_user(
        self, name: str, *, user_id: str = "", teams: tuple[str, ...] = (TEAM,), **given: Any
    ) -> str:
        """A member `name@firm.example`."""
        user_id = user_id or f"U{next(self._numbers):08d}"
        self.users[user_id] = {
            "name": name,
            "email": f"{name}@firm.example",
            "deleted": False,
            "active": True,  # as SCIM shows it
            "has_scim": True,
            "employee_number": f"E-{name}",
            "teams": list(teams),
            "is_admin": False,
            "is_owner": False,
            "is_primary_owner": False,
            "is_restricted": False,
            "is_ultra_restricted": False,
            "is_bot": False,
            "is_stranger": False,
            "org_owner": False,
        } | given
        return user_id

    def add_user_group(self, name: str, members: list[str], *, team: str = TEAM, **given: Any) -> str:
        group_id = f"S{next(self._numbers):08d}"
        self.user_groups[group_id] = {
            "name": name,
            "team": team,
            "members": members,
            "date_delete": 0,
        } | given
        return group_id

    def add_provider_group(self, name: str, members: list[str]) -> str:
        group_id = f"S{next(self._numbers):08d}"
        self.provider_groups[group_id] = {"name": name, "members": members}
        return group_id

    def add_session(self, user_id: str, *, team: str = TEAM) -> int:
        number = next(self._numbers)
        created = {"device_hardware": "Mac", "os": "macOS", "os_version": "15", "ip": "192.0.2.1"}
        self.sessions.append({"user_id": user_id, "team_id": team, "session_id": number, "created": created})
        return number

    def add_log(self, user_id: str, app: str, change: str, date: str) -> None:
        self.logs.append(
            {
                "user_id": user_id,
                "user_name": self.users[user_id]["name"],
                "date": date,
                "change_type": change,
                "app_type": app,
                "app_id": f"A{sum(map(ord, app)):08d}",
                "scope": "chat:write",
            }
        )

    def switch(self, user_id: str, active: bool) -> None:
        """What SCIM's `active` does, in both interfaces."""
        user = self.users[user_id]
        user["active"], user["deleted"] = active, not active
        if not active:
            self.sessions = [each for each in self.sessions if each["user_id"] != user_id]
