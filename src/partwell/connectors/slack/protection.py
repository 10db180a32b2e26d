"""Whose account is never touched: Partwell's own, listed ones, the primary owner, and the last owner."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from partwell.connector_kit.contract import ConnectorError, ErrorKind
from partwell.connectors.slack.people import People, email_of, teams_of
from partwell.connectors.slack.rights import Rights
from partwell.connectors.slack.web import SlackWeb


class Protection:
    """The protected accounts of one connection."""

    def __init__(
        self,
        settings: Mapping[str, Any],
        web: SlackWeb,
        people: People,
        rights: Rights,
        *,
        is_grid: bool,
    ) -> None:
        self._web = web
        self._people = people
        self._rights = rights
        self._is_grid = is_grid
        self._protected = {name.lower() for name in settings.get("protected", [])}
        self._admin_groups = {name.lower() for name in settings.get("admin_groups", [])}
        self._own_id = ""

    async def refuse(self, user: Mapping[str, Any]) -> None:
        """Raise CONFLICT for a protected account, before anything is written."""
        if reason := await self.why(user):
            raise ConnectorError(
                ErrorKind.CONFLICT,
                f"{user.get('name') or 'This account'} is protected: {reason}. Nothing was changed.",
            )

    async def why(self, user: Mapping[str, Any]) -> str:
        """The reason why this account is never touched; empty when it may be."""
        user_id = str(user["id"])
        if self.is_listed_user(user):
            return "it is on this connection's list of protected accounts"
        if not self._own_id:
            self._own_id = str((await self._web.ask("auth.test")).get("user_id") or "")
        if user_id == self._own_id:
            return "Partwell's own token is this person's, and would end with it"
        if user.get("is_primary_owner"):
            return "it is the primary owner, who hands ownership over first"
        if user.get("deleted") is True:
            return ""
        return await self._why_last(user)

    async def _why_last(self, user: Mapping[str, Any]) -> str:
        user_id, teams = str(user["id"]), teams_of(user) if self._is_grid else [""]
        enterprise = user.get("enterprise_user")
        is_org_owner = isinstance(enterprise, Mapping) and enterprise.get("is_owner") is True
        for team in teams:
            if team and await self._rights.owners(team) == [user_id]:
                return f"it is the last owner of the workspace {team}"
        is_owner = bool(user.get("is_owner")) or is_org_owner
        if is_owner and not await self._another_owner(user_id, teams, of_organisation=is_org_owner):
            return "it is the last active owner"
        for team in teams if self._admin_groups else []:
            for name, members in (await self._rights.members_by_group(team)).values():
                is_admin = name.lower() in self._admin_groups and user_id in members
                if is_admin and not await self._any_active(set(members) - {user_id}):
                    return f"it is the last active administrator in {name}"
        return ""

    async def _another_owner(self, user_id: str, teams: list[str], *, of_organisation: bool) -> bool:
        for team in teams:
            async for page in self._people.everybody(team_id=team):
                for other in page:
                    enterprise = other.get("enterprise_user")
                    role = enterprise if of_organisation and isinstance(enterprise, Mapping) else other
                    if role.get("is_owner") and not other.get("deleted") and str(other["id"]) != user_id:
                        return True
        return False

    async def _any_active(self, user_ids: set[str]) -> bool:
        for user_id in sorted(user_ids):
            other = await self._people.get(user_id)
            if other is not None and other.get("deleted") is False:
                return True
        return False

    def is_listed_user(self, user: Mapping[str, Any]) -> bool:
        """Whether the settings list a user of the Web API."""
        return self.is_listed(str(user["id"]), user.get("name"), email_of(user))

    def is_listed(self, *known: Any) -> bool:
        """Whether the settings list any of these names."""
        return bool({str(name).lower() for name in known if name} & self._protected)
