"""User groups, groups of an identity provider, and the roles of owners and admins."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from partwell.connector_kit.contract import ConnectorError, Entitlement, ErrorKind
from partwell.connectors.slack.people import teams_of
from partwell.connectors.slack.provisioning import Provisioning
from partwell.connectors.slack.web import SlackWeb

ROLE_BY_HAND = (
    "on this plan only an owner changes roles, in Slack itself ('Manage members'); a deactivated account has "
    "no use of it"
)
ORG_ROLE_BY_HAND = "a role in the organisation is changed in Slack's organisation settings"
LAST_MEMBER = "a user group has to have a member, so put somebody else in or disable it"


@dataclass(frozen=True)
class Right:
    """One thing that an account has. `team` is the workspace it is in, on Enterprise Grid."""

    kind: str
    id: str
    name: str
    team: str = ""
    stays_because: str = ""

    @property
    def entitlement(self) -> Entitlement:
        """As a plan shows it."""
        return Entitlement(self.kind, self.external_id, self.name)

    @property
    def external_id(self) -> str:
        """One text that names it in the whole organisation."""
        return f"{self.team}:{self.id}" if self.team else self.id

    @property
    def saved(self) -> dict[str, str]:
        """What it takes to give it again."""
        return {"kind": self.kind, "id": self.id, "name": self.name, "team": self.team}


class Rights:
    """The rights behind one connection. `is_grid` on Enterprise Grid."""

    def __init__(self, web: SlackWeb, scim: Provisioning | None, *, is_grid: bool) -> None:
        self._web = web
        self._scim = scim
        self._is_grid = is_grid

    async def of(self, user: Mapping[str, Any], provisioned: Mapping[str, Any] | None) -> list[Right]:
        """All rights of a user that was just read, by the Web API and, where there is one, by SCIM."""
        user_id = str(user["id"])
        if not self._is_grid:
            return [*await self._user_groups(user_id, ""), *_workspace_role(user)]
        found = _provider_groups(provisioned)
        for team in teams_of(user):
            found += await self._user_groups(user_id, team)
            found += await self._roles(user_id, team)
        return found + _org_role(user)

    async def take(self, user_id: str, right: Right) -> None:
        """Take one right away. Raises NOT_FOUND when it is gone already."""
        if right.kind == "idp_group" and self._scim is not None:
            await self._scim.leave(right.id, user_id)
        elif right.kind == "role":
            await self._web.tell("admin.users.setRegular", team_id=right.team, user_id=user_id)
        else:
            members = await self._members(right)
            if user_id in members:
                await self._set_members(right, [member for member in members if member != user_id])

    async def give(self, user_id: str, right: Right) -> None:
        """Give a right again."""
        if right.kind == "idp_group" and self._scim is not None:
            await self._scim.join(right.id, user_id)
        elif right.kind == "role":
            method = {"admin": "admin.users.setAdmin", "owner": "admin.users.setOwner"}[right.id]
            await self._web.tell(method, team_id=right.team, user_id=user_id)
        else:
            members = await self._members(right)
            if user_id not in members:
                await self._set_members(right, [*members, user_id])

    async def owners(self, team: str) -> list[str]:
        """Ids of a workspace's owners, on Enterprise Grid."""
        return [
            str(each) for each in await self._web.all("admin.teams.owners.list", "owner_ids", team_id=team)
        ]

    # -- user groups ----------------------------------------------------------------------------------

    async def members_by_group(self, team: str) -> dict[str, tuple[str, list[str]]]:
        """Name and members of each user group that is in use."""
        content = await self._web.ask("usergroups.list", include_users="true", **_in_team(team))
        groups = content.get("usergroups")
        if not isinstance(groups, list):
            raise ConnectorError(
                ErrorKind.RETRYABLE, "Slack's usergroups.list answered without 'usergroups'."
            )
        found = {}
        for group in groups:
            if not isinstance(group, dict) or not group.get("id") or group.get("date_delete"):
                continue
            members = [str(member) for member in group.get("users") or []]
            found[str(group["id"])] = (str(group.get("name") or group["id"]), members)
        return found

    async def _user_groups(self, user_id: str, team: str) -> list[Right]:
        return [
            Right("user_group", group, name, team, LAST_MEMBER if members == [user_id] else "")
            for group, (name, members) in (await self.members_by_group(team)).items()
            if user_id in members
        ]

    async def _members(self, group: Right) -> list[str]:
        # Slack only takes the whole list, so it is read right before it is written: a change that somebody
        # makes between the two is lost.
        content = await self._web.ask("usergroups.users.list", usergroup=group.id, **_in_team(group.team))
        members = content.get("users")
        if not isinstance(members, list):
            raise ConnectorError(
                ErrorKind.RETRYABLE, "Slack's usergroups.users.list answered without 'users'."
            )
        return [str(member) for member in members]

    async def _set_members(self, group: Right, members: list[str]) -> None:
        if not members:
            raise ConnectorError(ErrorKind.CONFLICT, LAST_MEMBER[0].upper() + LAST_MEMBER[1:] + ".")
        given = _in_team(group.team)
        await self._web.tell("usergroups.users.update", usergroup=group.id, users=",".join(members), **given)

    # -- roles ----------------------------------------------------------------------------------------

    async def _roles(self, user_id: str, team: str) -> list[Right]:
        if user_id in await self.owners(team):
            return [Right("role", "owner", f"Workspace Owner of {team}", team)]
        admins = await self._web.all("admin.teams.admins.list", "admin_ids", team_id=team)
        if user_id in [str(admin) for admin in admins]:
            return [Right("role", "admin", f"Workspace Admin of {team}", team)]
        return []


def right_of(saved: Mapping[str, Any]) -> Right:
    """A right by what was saved of it."""
    return Right(str(saved["kind"]), str(saved["id"]), str(saved["name"]), str(saved.get("team") or ""))


def _in_team(team: str) -> dict[str, str]:
    return {"team_id": team} if team else {}


def _workspace_role(user: Mapping[str, Any]) -> list[Right]:
    if user.get("is_owner"):
        return [Right("role", "owner", "Workspace Owner", stays_because=ROLE_BY_HAND)]
    if user.get("is_admin"):
        return [Right("role", "admin", "Workspace Admin", stays_because=ROLE_BY_HAND)]
    return []


def _org_role(user: Mapping[str, Any]) -> list[Right]:
    enterprise = user.get("enterprise_user")
    given = enterprise if isinstance(enterprise, Mapping) else {}
    if given.get("is_owner"):
        return [Right("role", "org_owner", "Organisation Owner", stays_because=ORG_ROLE_BY_HAND)]
    if given.get("is_admin"):
        return [Right("role", "org_admin", "Organisation Admin", stays_because=ORG_ROLE_BY_HAND)]
    return []


def _provider_groups(provisioned: Mapping[str, Any] | None) -> list[Right]:
    groups = (provisioned or {}).get("groups")
    return [
        Right("idp_group", str(group["value"]), str(group.get("display") or group["value"]))
        for group in (groups if isinstance(groups, list) else [])
        if isinstance(group, dict) and group.get("value")
    ]
