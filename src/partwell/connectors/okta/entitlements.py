"""Groups and administrator roles: what a user holds, what of it can be taken away, and giving it back."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any
from urllib.parse import parse_qs, urlsplit

from partwell.connector_kit.contract import ConnectorError, Entitlement, ErrorKind
from partwell.connectors.okta.service import PAGE_SIZE, OktaService, as_object, identifier, segment

SUPER_ADMIN = "SUPER_ADMIN"


@dataclass(frozen=True)
class Held:
    """One group or role. `kept_because` is why it cannot be taken away here; empty where it can."""

    entitlement: Entitlement
    raw: Mapping[str, Any]
    kept_because: str = ""

    @property
    def is_group(self) -> bool:
        return self.entitlement.kind == "group"


class OktaEntitlements:
    """What the users of one Okta organisation hold."""

    def __init__(self, service: OktaService) -> None:
        self._service = service

    async def held(self, user_id: str) -> list[Held]:
        """Groups and roles of a user. `Everyone` is left out: nobody can be taken out of it."""
        groups = [
            group
            for group in await self._service.listed(f"/api/v1/users/{segment(user_id)}/groups", about="users")
            if group.get("type") != "BUILT_IN"
        ]
        ruled = await self._ruled(user_id) if any(g.get("type") == "OKTA_GROUP" for g in groups) else {}
        return [_held_group(group, ruled) for group in groups] + [
            _held_role(role) for role in await self.roles(user_id)
        ]

    async def roles(self, user_id: str) -> list[dict[str, Any]]:
        """Role assignments, those that come through a group included."""
        return await self._service.listed(f"/api/v1/users/{segment(user_id)}/roles", about="roles")

    async def _ruled(self, user_id: str) -> dict[str, str]:
        """Groups into which an active rule puts people, this user not excepted, with the rule's name."""
        found: dict[str, str] = {}
        for rule in await self._service.listed(
            "/api/v1/groups/rules", about="groups", params={"limit": str(PAGE_SIZE)}, limit="groups"
        ):
            if rule.get("status") != "ACTIVE" or user_id in _path(
                rule, "conditions", "people", "users", "exclude"
            ):
                continue
            for group_id in _path(rule, "actions", "assignUserToGroups", "groupIds"):
                found.setdefault(str(group_id), str(rule.get("name") or rule.get("id", "")))
        return found

    async def scoped_roles(self, user_id: str) -> set[str]:
        """Assignments that are limited to certain groups or apps."""
        found: set[str] = set()
        for targets in ("targets/groups", "targets/catalog/apps"):
            for role in await self._service.listed(
                f"/api/v1/users/{segment(user_id)}/roles", about="roles", params={"expand": targets}
            ):
                embedded = role.get("_embedded")
                limited_to = embedded.get("targets") if isinstance(embedded, Mapping) else None
                if isinstance(limited_to, Mapping) and (
                    limited_to.get("groups") or _path(limited_to, "catalog", "apps")
                ):
                    found.add(str(role.get("id")))
        return found

    async def take(self, user_id: str, held: Held) -> str:
        """Take one group or role away; the request's id. One that is gone already is no failure."""
        thing = identifier(held.raw)
        path = (
            f"/api/v1/groups/{segment(thing)}/users/{segment(user_id)}"
            if held.is_group
            else f"/api/v1/users/{segment(user_id)}/roles/{segment(thing)}"
        )
        return await self._service.delete(path, about="groups" if held.is_group else "roles")

    async def give_group(self, user_id: str, group: Mapping[str, Any]) -> None:
        """Raises UNSUPPORTED for a group that Okta does not manage."""
        if group["type"] != "OKTA_GROUP":
            raise ConnectorError(
                ErrorKind.UNSUPPORTED, "it is managed by another system; put them back there"
            )
        await self._service.call(
            "PUT", f"/api/v1/groups/{segment(group['id'])}/users/{segment(user_id)}", about="groups"
        )

    async def give_role(self, user_id: str, role: Mapping[str, Any]) -> None:
        """Raises UNSUPPORTED for a role that was limited: for a moment it would reach further than before."""
        if role["scoped"]:
            raise ConnectorError(
                ErrorKind.UNSUPPORTED, "it was limited to certain groups or apps; give it again by hand"
            )
        body = {"type": role["type"]}
        if role["type"] == "CUSTOM":
            body |= {"role": role["role"], "resource-set": role["resource-set"]}
        await self._service.call("POST", f"/api/v1/users/{segment(user_id)}/roles", about="roles", body=body)

    async def is_last_super_admin(self, user_id: str) -> bool:
        """Whether no other user who can sign in is a super administrator."""
        after = ""
        for _ in range(1000):
            params = {"limit": "100", **({"after": after} if after else {})}
            page = as_object(
                await self._service.get("/api/v1/iam/assignees/users", about="roles", params=params)
            )
            for assignee in _path(page, "value"):
                other = str(assignee.get("id", "")) if isinstance(assignee, Mapping) else ""
                if other and other != user_id and await self._is_active_super_admin(other):
                    return False
            following = _after(page)
            if not following:
                return True
            if following == after:
                raise ConnectorError(ErrorKind.RETRYABLE, "Okta's pages of administrators repeat themselves.")
            after = following
        raise ConnectorError(ErrorKind.INVALID, "Okta returned more than 1000 pages of administrators.")

    async def _is_active_super_admin(self, user_id: str) -> bool:
        if not any(is_super_admin(role) for role in await self.roles(user_id)):
            return False
        user = await self._service.find(f"/api/v1/users/{segment(user_id)}", about="users")
        return user is not None and user.get("status") == "ACTIVE"

    async def last_in(self, user_id: str, groups: Sequence[Mapping[str, Any]]) -> str:
        """The name of the first of these groups that has no other active member; empty when all have."""
        for group in groups:
            async for page in self._service.pages(
                f"/api/v1/groups/{segment(identifier(group))}/users",
                about="groups",
                params={"limit": str(PAGE_SIZE)},
                limit="groups",
            ):
                if any(member.get("id") != user_id and member.get("status") == "ACTIVE" for member in page):
                    break
            else:
                return name_of(group)
        return ""


def is_super_admin(role: Mapping[str, Any]) -> bool:
    return role.get("type") == SUPER_ADMIN and role.get("status", "ACTIVE") == "ACTIVE"


def name_of(group: Mapping[str, Any]) -> str:
    profile = group.get("profile")
    return str((profile.get("name") if isinstance(profile, Mapping) else "") or group.get("id", ""))


def named(held: Sequence[Held]) -> str:
    """What is held, in words, with why it stays where that is known."""
    shown = [
        f"{each.entitlement.name} ({each.kept_because})" if each.kept_because else each.entitlement.name
        for each in held[:10]
    ]
    more = f" and {len(held) - 10} more" if len(held) > 10 else ""
    return "; ".join(shown) + more


def _held_group(group: Mapping[str, Any], ruled: Mapping[str, str]) -> Held:
    group_id = identifier(group)
    if group.get("type") != "OKTA_GROUP":
        reason = "it comes from another system (an application or a directory); take the person out there"
    elif group_id in ruled:
        reason = (
            f"the group rule '{ruled[group_id]}' fills it; except the person from the rule or change what it "
            "looks at"
        )
    else:
        reason = ""
    return Held(Entitlement("group", group_id, name_of(group)), group, reason)


def _held_role(role: Mapping[str, Any]) -> Held:
    kind = str(role.get("type", ""))
    # The id of an assignment changes when the role is given again; what it is does not.
    what = f"{role.get('role')}:{role.get('resource-set')}" if kind == "CUSTOM" else kind
    name = str(role.get("label") or kind)
    if role.get("assignmentType") == "GROUP":
        entitlement = Entitlement("administrator role by group", what, name)
        return Held(entitlement, role, "it comes through a group, and goes with that")
    return Held(Entitlement("administrator role", what, name), role)


def _after(page: Mapping[str, Any]) -> str:
    links = page.get("_links")
    following = links.get("next") if isinstance(links, Mapping) else None
    address = str(following.get("href", "")) if isinstance(following, Mapping) else ""
    return (parse_qs(urlsplit(address).query).get("after") or [""])[0]


def _path(node: Any, *names: str) -> list[Any]:
    """The list behind some names; empty where it is not there."""
    for name in names:
        node = node.get(name) if isinstance(node, Mapping) else None
    return node if isinstance(node, list) else []
