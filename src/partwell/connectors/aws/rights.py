"""Groups, attached policies and inline policies of a user."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from partwell.connector_kit.contract import Entitlement
from partwell.connectors.aws.answers import names, text
from partwell.connectors.aws.policies import OURS, Policies
from partwell.connectors.aws.service import Service

GROUP, POLICY, INLINE = "group", "policy", "inline_policy"
_BY_KIND = {
    GROUP: ("AddUserToGroup", "RemoveUserFromGroup", "GroupName"),
    POLICY: ("AttachUserPolicy", "DetachUserPolicy", "PolicyArn"),
}

# AWS's own policies that let somebody rule others, in every partition; nobody else can change or rename them.
_OF_AWS = re.compile(r"arn:aws[a-z-]*:iam::aws:policy/(.+)")
_RULING = {
    "AdministratorAccess": "allows everything",
    "IAMFullAccess": "gives anybody any right",
    "PowerUserAccess": "allows everything but to manage users",
}


@dataclass(frozen=True)
class Right:
    """One thing that lets a user do something. `document` is that of an inline policy, where it was read."""

    kind: str
    id: str
    name: str
    document: str = ""

    @property
    def label(self) -> str:
        """For people."""
        return f"{self.kind.replace('_', ' ')} {self.name}"

    @property
    def entitlement(self) -> Entitlement:
        """As a plan shows it."""
        found = _OF_AWS.fullmatch(self.id) if self.kind == POLICY else None
        return Entitlement(self.kind, self.id, self.name, _RULING.get(found[1], "") if found else "")

    @property
    def saved(self) -> dict[str, str]:
        """What it takes to give it again."""
        return {"kind": self.kind, "id": self.id, "name": self.name, "document": self.document}


class Rights:
    """The rights of users of one account. Partwell's own two policies are none."""

    def __init__(self, service: Service, policies: Policies) -> None:
        self._service = service
        self._policies = policies

    async def of(self, user_name: str) -> list[Right]:
        """All rights of a user, read afresh."""
        groups = await self._service.all("ListGroupsForUser", "Groups", UserName=user_name)
        attached = await self._service.all("ListAttachedUserPolicies", "AttachedPolicies", UserName=user_name)
        inline = [
            name
            async for page in self._service.results("ListUserPolicies", UserName=user_name)
            for name in names(page, "PolicyNames")
        ]
        return [
            *(Right(GROUP, text(each, "GroupName"), text(each, "GroupName")) for each in groups),
            *(Right(POLICY, text(each, "PolicyArn"), text(each, "PolicyName")) for each in attached),
            *(Right(INLINE, name, name) for name in inline if name not in OURS),
        ]

    async def saved(self, user_name: str) -> list[dict[str, str]]:
        """All rights with the content of inline policies, for a snapshot."""
        found = []
        for right in await self.of(user_name):
            content = await self._policies.get(user_name, right.id) if right.kind == INLINE else ""
            found.append(Right(right.kind, right.id, right.name, content).saved)
        return found

    async def take(self, user_name: str, right: Right) -> str:
        """Take one away; AWS's id for the request. Raises NOT_FOUND when it is gone."""
        if right.kind == INLINE:
            return await self._policies.remove(user_name, right.id)
        action, named = _BY_KIND[right.kind][1:]
        return (await self._service.tell(action, **{"UserName": user_name, named: right.id})).request_id

    async def give(self, user_name: str, right: Right) -> str:
        """Give one again; AWS's id for the request."""
        if right.kind == INLINE:
            return await self._policies.put(user_name, right.id, right.document)
        action, _, named = _BY_KIND[right.kind]
        return (await self._service.tell(action, **{"UserName": user_name, named: right.id})).request_id

    async def members(self, group_name: str) -> list[str]:
        """The names of a group's users."""
        users = await self._service.all("GetGroup", "Users", GroupName=group_name)
        return [text(each, "UserName") for each in users]

    async def holders(self, right: Right) -> set[str]:
        """The names of all users who have this right, through groups or by themselves."""
        if right.kind == GROUP:
            return set(await self.members(right.id))
        if right.kind == INLINE:
            return set()
        held: set[str] = set()
        groups: set[str] = set()
        async for page in self._service.results("ListEntitiesForPolicy", PolicyArn=right.id):
            held |= {text(each, "UserName") for each in _listed(page, "PolicyUsers")}
            groups |= {text(each, "GroupName") for each in _listed(page, "PolicyGroups")}
        for group in sorted(groups):
            held |= set(await self.members(group))
        return held


def right_of(given: Mapping[str, Any]) -> Right:
    """A right by what was saved of it."""
    return Right(str(given["kind"]), str(given["id"]), str(given["name"]), str(given.get("document") or ""))


def _listed(page: dict[str, Any], name: str) -> list[dict[str, Any]]:
    found = page.get(name)
    return [each for each in found if isinstance(each, dict)] if isinstance(found, list) else []
