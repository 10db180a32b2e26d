"""Which application permissions the app registration needs, what for, and which of them it has.

A permission that is not `needed` may be left out: what it is for is then done by a person.
"""

from __future__ import annotations

from dataclasses import dataclass

from partwell.connector_kit.contract import ConnectorError
from partwell.connectors.microsoft365.graph import Graph, segment, text

GRAPH_APP_ID = "00000003-0000-0000-c000-000000000000"


@dataclass(frozen=True)
class Permission:
    """`also` names wider permissions that contain this one; `setting` switches off what it is for."""

    name: str
    what_for: str
    needed: bool = True
    also: frozenset[str] = frozenset()
    setting: str = ""


_ALL = frozenset({"Directory.ReadWrite.All"})
PERMISSIONS = (
    Permission("User.Read.All", "to find people", also=_ALL | {"User.ReadWrite.All", "Directory.Read.All"}),
    Permission("Directory.Read.All", "to read groups, devices, apps and what people own", also=_ALL),
    Permission(
        "RoleManagement.Read.Directory",
        "to read administrators' roles",
        also=frozenset({"RoleManagement.ReadWrite.Directory"}),
    ),
    Permission("User.EnableDisableAccount.All", "to suspend and restore", also=_ALL | {"User.ReadWrite.All"}),
    Permission("User.RevokeSessions.All", "to end sessions"),
    Permission(
        "GroupMember.ReadWrite.All", "to take people out of groups", also=_ALL | {"Group.ReadWrite.All"}
    ),
    Permission("DelegatedPermissionGrant.ReadWrite.All", "to withdraw what apps may do for a person"),
    Permission(
        "LicenseAssignment.ReadWrite.All",
        "to release licences",
        needed=False,
        also=_ALL | {"User.ReadWrite.All"},
    ),
    Permission("AppRoleAssignment.ReadWrite.All", "to take away access to apps", needed=False),
    Permission("RoleManagement.ReadWrite.Directory", "to take away administrators' roles", needed=False),
    Permission("Group.ReadWrite.All", "to give groups a new owner", needed=False, also=_ALL),
    Permission("MailboxSettings.ReadWrite", "to set automatic replies", needed=False),
    Permission("Files.ReadWrite.All", "to open a OneDrive to a successor", needed=False),
    Permission("AuditLog.Read.All", "to know when people signed in last", setting="last_sign_in"),
    Permission(
        "UserAuthenticationMethod.Read.All", "to list security keys and phones", setting="sign_in_methods"
    ),
    Permission("DeviceManagementManagedDevices.Read.All", "to list managed devices", setting="intune"),
    Permission(
        "DeviceManagementManagedDevices.PrivilegedOperations.All",
        "to wipe and lock devices",
        needed=False,
        setting="intune",
    ),
)


async def granted(graph: Graph, client_id: str) -> set[str] | None:
    """What the tenant granted to our app registration; None when it may not be read."""
    try:
        ours = await graph.all(
            "/servicePrincipals",
            needs="Directory.Read.All",
            params={"$filter": f"appId eq {text(client_id)}", "$select": "id"},
        )
        theirs = await graph.all(
            "/servicePrincipals",
            needs="Directory.Read.All",
            params={"$filter": f"appId eq {text(GRAPH_APP_ID)}", "$select": "id,appRoles"},
        )
        if len(ours) != 1 or len(theirs) != 1:
            return None
        names = {str(role["id"]): str(role.get("value") or "") for role in theirs[0].get("appRoles") or []}
        held = await graph.all(
            f"/servicePrincipals/{segment(str(ours[0]['id']))}/appRoleAssignments", needs="Directory.Read.All"
        )
    except ConnectorError as error:
        if not error.is_permanent:
            raise
        return None
    return {names.get(str(each.get("appRoleId")), "") for each in held} - {""}


def missing(held: set[str], switched_off: set[str]) -> tuple[list[Permission], list[Permission]]:
    """Of what is used here: (needed, optional) permissions that are not held."""
    used = [p for p in PERMISSIONS if p.setting not in switched_off or not p.setting]
    lacking = [p for p in used if not ({p.name} | p.also) & held]
    return [p for p in lacking if p.needed], [p for p in lacking if not p.needed]
