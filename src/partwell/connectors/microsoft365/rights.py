"""What a user may do by groups, directory roles and app roles; and taking it away, piece by piece."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from partwell.connector_kit.contract import Entitlement
from partwell.connector_kit.transport import Answer
from partwell.connectors.microsoft365.graph import Graph, segment, text

READS_GROUPS = "Directory.Read.All"
CHANGES_GROUPS = "GroupMember.ReadWrite.All"
READS_ROLES = "RoleManagement.Read.Directory"
CHANGES_ROLES = "RoleManagement.ReadWrite.Directory"
READS_APP_ROLES = "Directory.Read.All"
CHANGES_APP_ROLES = "AppRoleAssignment.ReadWrite.All"
# The same in every tenant: the template of the role is its definition.
GLOBAL_ADMINISTRATOR = "62e90394-69f5-4237-9190-012177145e10"
_GROUP_FIELDS = (
    "id,displayName,groupTypes,mailEnabled,membershipRule,onPremisesSyncEnabled,isAssignableToRole"
)


@dataclass(frozen=True)
class Right:
    """One thing that a user may do. `stays_because` is set where it cannot be taken away from here.

    `path` is what is deleted to take it away; `saved` is what it takes to give it again.
    """

    kind: str
    external_id: str
    name: str
    path: str
    needs: str
    saved: Mapping[str, Any]
    stays_because: str = ""
    gives_roles: bool = field(default=False, compare=False)

    @property
    def entitlement(self) -> Entitlement:
        """As a plan shows it."""
        return Entitlement(self.kind, self.external_id, self.name)


class Rights:
    """The rights behind one connection. `kept` are names or ids of groups that a leaver may stay in."""

    def __init__(self, graph: Graph, *, kept: frozenset[str]) -> None:
        self._graph = graph
        self._kept = kept

    async def of(self, user_id: str) -> list[Right]:
        """All rights that the user holds directly. What comes through a group goes with the group."""
        return [
            *await self._groups(user_id),
            *await self._roles(user_id),
            *await self._app_roles(user_id),
        ]

    async def take(self, right: Right) -> Answer:
        """Take one right away. Raises NOT_FOUND when it is gone already."""
        return await self._graph.call("DELETE", right.path, needs=right.needs, limit="write")

    async def give(self, user_id: str, saved: Mapping[str, Any]) -> Answer:
        """Give a right again that `Right.saved` describes."""
        kind, wanted = saved["kind"], saved["given"]
        if kind == "group":
            path, needs = f"/groups/{segment(wanted['group'])}/members/$ref", CHANGES_GROUPS
            body: Mapping[str, Any] = {"@odata.id": f"{self._graph.root}/directoryObjects/{segment(user_id)}"}
        elif kind == "role":
            path, needs = "/roleManagement/directory/roleAssignments", CHANGES_ROLES
            body = {"principalId": user_id, **wanted}
        else:
            path, needs = f"/users/{segment(user_id)}/appRoleAssignments", CHANGES_APP_ROLES
            body = {"principalId": user_id, **wanted}
        return await self._graph.call("POST", path, needs=needs, body=body, limit="write")

    # -- the last of them -----------------------------------------------------------------------------

    async def is_last_global_administrator(self, user_id: str, held: list[Right]) -> bool:
        """Whether the user is a Global Administrator, and no other active user is."""
        if not any(r.external_id.startswith(GLOBAL_ADMINISTRATOR) or r.gives_roles for r in held):
            return False
        assignments = await self._graph.all(
            "/roleManagement/directory/roleAssignments",
            needs=READS_ROLES,
            params={"$filter": f"roleDefinitionId eq {text(GLOBAL_ADMINISTRATOR)}", "$expand": "principal"},
        )
        holders = {
            str(each["principalId"]): str((each.get("principal") or {}).get("@odata.type", ""))
            for each in assignments
            if each.get("directoryScopeId") == "/" and each.get("principalId")
        }
        ours = {user_id, *(right.external_id for right in held if right.kind == "group")}
        if not ours & holders.keys():
            return False
        for holder, kind in holders.items():
            if kind.endswith(".group"):
                if await self.has_other_active_member(holder, user_id):
                    return False
            elif holder != user_id and await self._is_active_user(holder):
                return False
        return True

    async def has_other_active_member(self, group_id: str, user_id: str) -> bool:
        """Whether anybody active but the user is in the group, directly or through another group."""
        pages = self._graph.pages(
            f"/groups/{segment(group_id)}/transitiveMembers/microsoft.graph.user",
            needs=READS_GROUPS,
            params={"$select": "id,accountEnabled", "$count": "true"},
            eventual=True,
        )
        async for page in pages:
            if any(each.get("accountEnabled") and str(each.get("id")) != user_id for each in page):
                return True
        return False

    async def _is_active_user(self, user_id: str) -> bool:
        user = await self._graph.get(
            f"/users/{segment(user_id)}", needs="User.Read.All", params={"$select": "id,accountEnabled"}
        )
        return user is not None and user.get("accountEnabled") is True

    # -- reading --------------------------------------------------------------------------------------

    async def _groups(self, user_id: str) -> list[Right]:
        listed = await self._graph.all(
            f"/users/{segment(user_id)}/memberOf",
            needs=READS_GROUPS,
            params={"$select": _GROUP_FIELDS},
        )
        rights = []
        for group in listed:
            if group.get("@odata.type") != "#microsoft.graph.group":
                continue
            group_id, name = str(group["id"]), str(group.get("displayName") or group["id"])
            if {group_id.lower(), name.lower()} & self._kept:
                continue
            rights.append(
                Right(
                    kind="group",
                    external_id=group_id,
                    name=name,
                    path=f"/groups/{segment(group_id)}/members/{segment(user_id)}/$ref",
                    needs=CHANGES_ROLES if group.get("isAssignableToRole") else CHANGES_GROUPS,
                    saved={"kind": "group", "name": name, "given": {"group": group_id}},
                    stays_because=_why_it_stays(group),
                    gives_roles=bool(group.get("isAssignableToRole")),
                )
            )
        return rights

    async def _roles(self, user_id: str) -> list[Right]:
        listed = await self._graph.all(
            "/roleManagement/directory/roleAssignments",
            needs=READS_ROLES,
            params={"$filter": f"principalId eq {text(user_id)}", "$expand": "roleDefinition"},
        )
        rights = []
        for each in listed:
            role, scope = str(each["roleDefinitionId"]), str(each.get("directoryScopeId") or "/")
            definition = each.get("roleDefinition") or {}
            name = str(definition.get("displayName") or role) + ("" if scope == "/" else f" in {scope}")
            rights.append(
                Right(
                    kind="role",
                    external_id=f"{role}@{scope}",
                    name=name,
                    path=f"/roleManagement/directory/roleAssignments/{segment(str(each['id']))}",
                    needs=CHANGES_ROLES,
                    saved={
                        "kind": "role",
                        "name": name,
                        "given": {"roleDefinitionId": role, "directoryScopeId": scope},
                    },
                )
            )
        return rights

    async def _app_roles(self, user_id: str) -> list[Right]:
        listed = await self._graph.all(f"/users/{segment(user_id)}/appRoleAssignments", needs=READS_APP_ROLES)
        rights = []
        for each in listed:
            if str(each.get("principalId")) != user_id:
                continue  # comes through a group, and goes with it
            app, role = str(each["resourceId"]), str(each["appRoleId"])
            name = str(each.get("resourceDisplayName") or app)
            rights.append(
                Right(
                    kind="app_role",
                    external_id=f"{app}@{role}",
                    name=name,
                    path=f"/users/{segment(user_id)}/appRoleAssignments/{segment(str(each['id']))}",
                    needs=CHANGES_APP_ROLES,
                    saved={
                        "kind": "app_role",
                        "name": name,
                        "given": {"resourceId": app, "appRoleId": role},
                    },
                )
            )
        return rights


def _why_it_stays(group: Mapping[str, Any]) -> str:
    kinds = group.get("groupTypes") or []
    if group.get("onPremisesSyncEnabled") is True:
        return "it is kept by on-premises Active Directory, so take the person out there"
    if "DynamicMembership" in kinds:
        rule = " ".join(str(group.get("membershipRule") or "").split())[:120]
        return f"its members follow from a rule ({rule}), so change the rule or what it looks at"
    if group.get("mailEnabled") and "Unified" not in kinds:
        return "it is a distribution list or mail-enabled group, so use the Exchange admin centre"
    return ""


def identifier_of(saved: Mapping[str, Any]) -> str:
    """The external id of a right by what was saved of it."""
    given = saved["given"]
    if saved["kind"] == "group":
        return str(given["group"])
    if saved["kind"] == "role":
        return f"{given['roleDefinitionId']}@{given['directoryScopeId']}"
    return f"{given['resourceId']}@{given['appRoleId']}"
