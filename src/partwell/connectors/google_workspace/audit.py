"""Google's log of what administrators did: the one place that shows a new password and ended sessions."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from partwell.connectors.google_workspace.people import login_of
from partwell.connectors.google_workspace.service import REPORTS, Google, moment

AUDIT = "admin.reports.audit.readonly"
PASSWORD_CHANGED = "CHANGE_PASSWORD"  # noqa: S105 - the name of an event
SIGNED_OUT = "RESET_SIGNIN_COOKIES"
NOT_ASKED = "The log is not asked (settings: audit_log: false)."


@dataclass(frozen=True)
class Event:
    """When it happened, and who did it."""

    at: datetime
    actor: str


class AuditLog:
    """The administrators' log of one customer; `is_asked` is off where the settings say so."""

    def __init__(self, google: Google, *, is_asked: bool) -> None:
        self._google = google
        self.is_asked = is_asked

    async def latest(self, event: str, user: Mapping[str, Any]) -> Event | None:
        """The last time that this was done to the user, as far as the log shows it (half a year)."""
        if not self.is_asked:
            return None
        login = login_of(user)
        listed = await self._google.all(
            f"{REPORTS}/activity/users/all/applications/admin",
            "items",
            scope=AUDIT,
            params={"eventName": event, "filters": f"USER_EMAIL=={login}", "maxResults": "1000"},
            limit="reports",
        )
        found = [seen for each in listed if (seen := _read(each, event, login)) is not None]
        return max(found, key=lambda seen: seen.at, default=None)


def _read(activity: Mapping[str, Any], event: str, login: str) -> Event | None:
    """The activity, when it is this event of this user: a log may give more than was asked for."""
    at = moment((activity.get("id") or {}).get("time"))
    for each in activity.get("events") or []:
        told = {p.get("name"): p.get("value") for p in each.get("parameters") or []}
        is_theirs = str(told.get("USER_EMAIL") or "").lower() == login.lower()
        if at is not None and each.get("name") == event and is_theirs:
            return Event(at, str((activity.get("actor") or {}).get("email") or ""))
    return None
