"""Groups and administrator roles: what a user holds, what can be taken away, and giving it back."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from partwell.connector_kit.contract import ConnectorError, Entitlement, ErrorKind
from partwell.connector_kit.pacing import side_by_side
from partwell.connectors.google_workspace.service import DIRECTORY, Google, identifier, segment

GROUPS = "admin.directory.group.readonly"
MEMBERS = "admin.directory.group.member"
ROLES = "admin.directory.rolemanagement"
PAGE_SIZE = "200"
OWNER = "OWNER"
ROLE_FIELDS = ("roleId", "scopeType", "orgUnitId", "condition")
AT_ONCE = 5
_BY_GROUP = "it comes through a group, and goes with that"


@dataclass(frozen=True)
class Right:
    """One group or role. `assignment` is what a role is taken away by; `stays_because` why it cannot be."""

    entitlement: Entitlement
    assignment: Mapping[str, Any] = field(default_factory=dict)
    is_super_admin: bool = False
    stays_because: str = ""

    @property
    def is_group(self) -> bool:
        return self.entitlement.kind == "group"

    @property
    def name(self) -> str:
        return self.entitlement.name


class Rights:
    """What the users of one customer hold. Groups in `kept` (names, addresses or ids) are left out."""

    def __init__(self, google: Google, *, kept: frozenset[str]) -> None:
        self._google = google
        self._kept = kept
        self._roles: dict[str, Mapping[str, Any]] | None = None

    async def of(self, user_id: str) -> list[Right]:
        """Groups that the user is a direct member of, and roles, those by a group included."""
        return [*await self.groups(user_id), *await self._roles_of(user_id)]

    async def groups(self, user_id: str) -> list[Right]:
        """Groups that the user is a direct member of."""
        params = {
            "userKey": user_id,
            "maxResults": PAGE_SIZE,
            "fields": "kind,nextPageToken,groups(id,email,name)",
        }
        listed = await self._google.all(f"{DIRECTORY}/groups", "groups", scope=GROUPS, params=params)
        found = []
        for group in listed:
            address, name = str(group.get("email") or ""), str(group.get("name") or "")
            group_id = identifier(group)
            if not {group_id.lower(), address.lower(), name.lower()} & self._kept:
                found.append(Right(Entitlement("group", group_id, address or name or group_id)))
        return found

    async def membership(self, group_id: str, user_id: str) -> dict[str, Any] | None:
        """How the user belongs to a group; None when it does not."""
        return await self._google.find(_member(group_id, user_id), scope=MEMBERS)

    async def memberships(self, user_id: str, rights: Sequence[Right]) -> list[dict[str, Any] | None]:
        """How the user belongs to each of these groups, in order; one request for each."""

        async def one(right: Right) -> dict[str, Any] | None:
            return await self.membership(right.entitlement.external_id, user_id)

        return await side_by_side(one, rights, at_once=AT_ONCE)

    async def owned(self, user_id: str) -> list[Right]:
        """Groups that the user is an owner of; one request for each group that it is in."""
        groups = await self.groups(user_id)
        members = await self.memberships(user_id, groups)
        return [group for group, member in zip(groups, members, strict=True) if is_owner(member)]

    async def saved(self, user_id: str, rights: Sequence[Right]) -> list[dict[str, str]]:
        """What `give` needs to give these again, for a snapshot."""
        groups = [right for right in rights if right.is_group]
        saved = []
        for right, member in zip(groups, await self.memberships(user_id, groups), strict=True):
            if member is not None:  # else it was left just now
                saved.append(_entry(right, member, ("role", "delivery_settings")))
        roles = [right for right in rights if not right.is_group and not right.stays_because]
        return saved + [_entry(right, right.assignment, ROLE_FIELDS) for right in roles]

    async def take(self, user_id: str, right: Right) -> str:
        """Take one away; the request's id. One that is gone already is no failure."""
        if right.is_group:
            return await self._google.delete(_member(right.entitlement.external_id, user_id), scope=MEMBERS)
        assignment = segment(str(right.assignment["roleAssignmentId"]))
        return await self._google.delete(f"{self._customer}/roleassignments/{assignment}", scope=ROLES)

    async def give(self, user_id: str, saved: Mapping[str, str]) -> None:
        """Give one again, as it was."""
        if saved["kind"] == "group":
            body = {name: saved[name] for name in ("role", "delivery_settings") if name in saved}
            await self.join(saved["id"], {"id": user_id, **body})
            return
        body = {name: saved[name] for name in ROLE_FIELDS if name in saved}
        await self._google.call(
            "POST", f"{self._customer}/roleassignments", scope=ROLES, body={"assignedTo": user_id, **body}
        )

    async def join(self, group_id: str, member: Mapping[str, str]) -> None:
        """Put somebody into a group. Being there already is no failure."""
        url = f"{DIRECTORY}/groups/{segment(group_id)}/members"
        try:
            await self._google.call("POST", url, scope=MEMBERS, body=dict(member))
        except ConnectorError as error:
            # The same kind comes for a group that lets nobody be put in, such as one that fills itself.
            if error.kind is not ErrorKind.CONFLICT or not await self.membership(group_id, member["id"]):
                raise

    async def make_owner(self, group_id: str, user_id: str) -> None:
        """Make somebody an owner of a group, whether or not they are in it."""
        member = await self.membership(group_id, user_id)
        if member is None:
            await self.join(group_id, {"id": user_id, "role": OWNER})
        elif not is_owner(member):
            url = _member(group_id, user_id)
            await self._google.call("PATCH", url, scope=MEMBERS, body={"role": OWNER})

    async def last_in(self, user_id: str, rights: Sequence[Right], watched: frozenset[str]) -> str:
        """The name of the first watched group that has no other active member; empty when all have."""
        for right in rights:
            if (
                not right.is_group
                or not {right.entitlement.external_id.lower(), right.name.lower()} & watched
            ):
                continue
            url = f"{DIRECTORY}/groups/{segment(right.entitlement.external_id)}/members"
            params = {"maxResults": PAGE_SIZE}
            members = await self._google.all(url, "members", scope=MEMBERS, params=params)
            if not any(
                member.get("id") != user_id
                and member.get("type") == "USER"
                and member.get("status") == "ACTIVE"
                for member in members
            ):
                return right.name
        return ""

    # -- roles ----------------------------------------------------------------------------------------

    @property
    def _customer(self) -> str:
        return f"{DIRECTORY}/customer/{segment(self._google.customer)}"

    async def _roles_of(self, user_id: str) -> list[Right]:
        params = {"userKey": user_id, "includeIndirectRoleAssignments": "true", "maxResults": PAGE_SIZE}
        listed = await self._google.all(
            f"{self._customer}/roleassignments", "items", scope=ROLES, params=params
        )
        if not listed:
            return []
        roles = await self._all_roles()
        found = []
        for each in listed:
            role_id = str(each.get("roleId") or "")
            role = roles.get(role_id, {})
            # The number of an assignment changes when it is given again; what it is does not.
            what = ":".join((role_id, str(each.get("scopeType") or ""), str(each.get("orgUnitId") or "")))
            is_direct = str(each.get("assigneeType") or "user").lower() == "user"
            found.append(
                Right(
                    Entitlement("administrator role", what, str(role.get("roleName") or role_id)),
                    each,
                    is_super_admin=role.get("isSuperAdminRole") is True,
                    stays_because="" if is_direct else _BY_GROUP,
                )
            )
        return found

    async def _all_roles(self) -> Mapping[str, Mapping[str, Any]]:
        if self._roles is None:
            listed = await self._google.all(f"{self._customer}/roles", "items", scope=ROLES)
            self._roles = {str(role.get("roleId")): role for role in listed}
        return self._roles


def is_owner(member: Mapping[str, Any] | None) -> bool:
    return member is not None and member.get("role") == OWNER


def _entry(right: Right, given: Mapping[str, Any], names: Sequence[str]) -> dict[str, str]:
    what = {"kind": right.entitlement.kind, "id": right.entitlement.external_id, "name": right.name}
    return what | {name: str(given[name]) for name in names if given.get(name)}


def _member(group_id: str, user_id: str) -> str:
    return f"{DIRECTORY}/groups/{segment(group_id)}/members/{segment(user_id)}"
