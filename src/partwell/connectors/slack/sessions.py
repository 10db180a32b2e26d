"""Sessions, which Slack shows and ends on Enterprise Grid only; and what people installed, elsewhere."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from partwell.connector_kit.contract import ConnectorError, ErrorKind, Holding, HoldingKind
from partwell.connector_kit.transport import Answer
from partwell.connectors.slack.people import teams_of
from partwell.connectors.slack.web import SlackWeb

MAX_LOG_PAGES = 100
_ENDED = {"removed", "disabled", "expired", "deleted"}


async def open_sessions(web: SlackWeb, user: Mapping[str, Any]) -> list[dict[str, Any]]:
    """All sessions of a user in the organisation, read afresh."""
    user_id = str(user["id"])
    teams = teams_of(user)
    # A deactivated account may be in no workspace any more: then everybody's sessions are looked through.
    asked = [{"user_id": user_id, "team_id": team} for team in teams] or [{}]
    found: dict[str, dict[str, Any]] = {}
    for arguments in asked:
        async for page in web.pages("admin.users.session.list", "active_sessions", **arguments):
            for session in page:
                if isinstance(session, dict) and str(session.get("user_id")) == user_id:
                    found[str(session.get("session_id"))] = session
    return list(found.values())


async def end_sessions(web: SlackWeb, user_id: str) -> Answer:
    """Have all sessions on all devices ended. "ok" means that it was taken up, not that it is done."""
    _, answer = await web.tell("admin.users.session.reset", user_id=user_id)
    return answer


def as_holdings(sessions: list[dict[str, Any]]) -> list[Holding]:
    """Sessions as a person reads them."""
    found = []
    for session in sessions:
        facts = session.get("recent") or session.get("created") or {}
        device = facts if isinstance(facts, Mapping) else {}
        name = " ".join(
            str(device[key]) for key in ("os", "os_version", "device_hardware") if device.get(key)
        )
        found.append(
            Holding(
                HoldingKind.SESSION,
                str(session.get("session_id")),
                name or "session",
                details={"workspace": str(session.get("team_id") or "")},
            )
        )
    return found


async def installed_apps(web: SlackWeb, user_id: str) -> list[Holding]:
    """Apps and integrations that the person added to the workspace, as far as its log goes back.

    Some go on working when the account is deactivated, others stop: both need somebody else.
    """
    latest: dict[str, Mapping[str, Any]] = {}
    page, pages = 1, 1
    while page <= min(pages, MAX_LOG_PAGES):
        content = await web.ask("team.integrationLogs", user=user_id, count="100", page=str(page))
        logs, paging = content.get("logs"), content.get("paging")
        if not isinstance(logs, list) or not isinstance(paging, dict):
            raise ConnectorError(ErrorKind.RETRYABLE, "Slack's team.integrationLogs answered without 'logs'.")
        for entry in (each for each in logs if isinstance(each, dict)):
            thing = str(entry.get("app_id") or entry.get("service_id") or "")
            if thing and str(entry.get("date") or "") >= str(latest.get(thing, {}).get("date") or ""):
                latest[thing] = entry
        pages, page = int(paging.get("pages") or 1), page + 1
    return [
        Holding(
            HoldingKind.OWNED,
            thing,
            str(entry.get("app_type") or entry.get("service_type") or thing),
            details={"scope": str(entry.get("scope") or ""), "change": str(entry.get("change_type") or "")},
        )
        for thing, entry in latest.items()
        if str(entry.get("change_type")) not in _ENDED
    ]
