"""What the model of Graph answers at each path, and which permissions let it."""

from __future__ import annotations

from typing import Any

from partwell.connectors.microsoft365.tests import graph_model as m
from partwell.connectors.microsoft365.tests.graph_model import NOTHING_THERE, Answer, GraphModel, error, typed

Options = dict[str, str]
U = r"users/([^/]+)"
DIRECTORY = frozenset({"Directory.Read.All"})
USERS = frozenset({"User.Read.All"})


def get_user(model: GraphModel, user_id: str, *, options: Options, body: Any) -> Answer:
    user = model.user(user_id)
    return NOTHING_THERE if user is None else (200, m.selected(user, options["$select"].split(",")))


def patch_user(model: GraphModel, user_id: str, *, options: Options, body: Any) -> Answer:
    user = model.tenant.users.get(user_id)
    if user is None:
        return NOTHING_THERE
    if user["onPremisesSyncEnabled"]:
        return error(400, "Request_BadRequest", "on-premises mastered Directory Sync objects")
    user.update(body)
    return 204, None


def end_sessions(model: GraphModel, user_id: str, *, options: Options, body: Any) -> Answer:
    model.tenant.users[user_id]["signInSessionsValidFromDateTime"] = m.now_of(model)
    return 200, {"value": True}


def member_of(model: GraphModel, user_id: str, *, options: Options, body: Any) -> Answer:
    tenant = model.tenant
    if user_id not in tenant.users:
        return NOTHING_THERE
    groups = [typed("group", tenant.groups[group]) for group in tenant.groups_of(user_id)]
    roles = [
        typed("directoryRole", {"id": each["id"], "displayName": "a role"})
        for each in tenant.roles
        if each["principalId"] == user_id
    ]
    return model.listed(f"users/{user_id}/memberOf", [*groups, *roles], options)


def transitive_members(model: GraphModel, group: str, *, options: Options, body: Any) -> Answer:
    users = [model.tenant.users[each] for each in sorted(model.tenant.everybody_in(group))]
    return model.listed(f"groups/{group}/transitiveMembers/microsoft.graph.user", users, options)


def add_member(model: GraphModel, group: str, *, options: Options, body: Any) -> Answer:
    if group not in model.tenant.groups:
        return NOTHING_THERE
    member = body["@odata.id"].rpartition("/")[2]
    if member in model.tenant.members[group]:
        return error(400, "Request_BadRequest", "One or more added object references already exist.")
    model.tenant.members[group].append(member)
    return 204, None


def remove_member(model: GraphModel, group: str, member: str, *, options: Options, body: Any) -> Answer:
    facts = model.tenant.groups[group]
    if facts["onPremisesSyncEnabled"] or facts["groupTypes"] == ["DynamicMembership"]:
        return error(400, "Request_BadRequest", "This group's members cannot be changed.")
    if facts["mailEnabled"] and "Unified" not in facts["groupTypes"]:
        return error(400, "Request_BadRequest", "Cannot Update a mail-enabled security groups.")
    if member not in model.tenant.members[group]:
        return NOTHING_THERE
    model.tenant.members[group].remove(member)
    return 204, None


def role_assignments(model: GraphModel, *, options: Options, body: Any) -> Answer:
    tenant, shown = model.tenant, []
    for each in tenant.roles:
        if not m.holds(each, options["$filter"]):
            continue
        role = {"id": each["roleDefinitionId"], "displayName": tenant.role_names[each["roleDefinitionId"]]}
        holder, kind = each["principalId"], "group" if each["principalId"] in tenant.groups else "user"
        extra = {
            "roleDefinition": role,
            "principal": typed(kind, {"id": holder}),
        }
        shown.append(each | {name: extra[name] for name in options["$expand"].split(",")})
    return model.listed("roleManagement/directory/roleAssignments", shown, options)


def assign_role(model: GraphModel, *, options: Options, body: Any) -> Answer:
    model.tenant.add_role(body["principalId"], body["roleDefinitionId"], scope=body["directoryScopeId"])
    return 201, None


def remove_role(model: GraphModel, assignment: str, *, options: Options, body: Any) -> Answer:
    return _drop(model.tenant.roles, assignment)


def app_roles(model: GraphModel, user_id: str, *, options: Options, body: Any) -> Answer:
    principals = {user_id, *model.tenant.groups_of(user_id)}
    held = [each for each in model.tenant.app_roles if each["principalId"] in principals]
    return model.listed(f"users/{user_id}/appRoleAssignments", held, options)


def assign_app_role(model: GraphModel, user_id: str, *, options: Options, body: Any) -> Answer:
    model.tenant.add_app_role(body["principalId"], body["resourceId"], body["appRoleId"])
    return 201, None


def remove_app_role(model: GraphModel, user_id: str, held: str, *, options: Options, body: Any) -> Answer:
    return _drop(model.tenant.app_roles, held)


def grants(model: GraphModel, user_id: str, *, options: Options, body: Any) -> Answer:
    # Those for everybody are shown too: deleting one would take an app from the whole tenant.
    held = [each for each in model.tenant.grants if each["principalId"] in (user_id, None)]
    return model.listed(f"users/{user_id}/oauth2PermissionGrants", held, options)


def make_grant(model: GraphModel, *, options: Options, body: Any) -> Answer:
    model.tenant.add_grant(body["principalId"], body["clientId"], body["resourceId"], body["scope"])
    return 201, None


def delete_grant(model: GraphModel, grant: str, *, options: Options, body: Any) -> Answer:
    return _drop(model.tenant.grants, grant)


def _drop(things: list[dict[str, Any]], thing_id: str) -> Answer:
    for thing in things:
        if thing["id"] == thing_id:
            things.remove(thing)
            return 204, None
    return NOTHING_THERE


def licence_details(model: GraphModel, user_id: str, *, options: Options, body: Any) -> Answer:
    skus = sorted(model.tenant.licences_of(user_id))
    named = [{"skuId": sku, "skuPartNumber": f"SKU_{sku[:4]}"} for sku in skus]
    return model.listed(f"users/{user_id}/licenseDetails", named, options)


def assign_licences(model: GraphModel, user_id: str, *, options: Options, body: Any) -> Answer:
    model.tenant.take_licences(user_id, body["removeLicenses"])
    for each in body["addLicenses"]:
        model.tenant.add_licence(user_id, each["skuId"])
    return 200, {"id": user_id}


def registered_devices(model: GraphModel, user_id: str, *, options: Options, body: Any) -> Answer:
    devices = [typed("device", each) for each in model.tenant.registered[user_id]]
    return model.listed(f"users/{user_id}/registeredDevices", devices, options)


def managed_devices(model: GraphModel, user_id: str, *, options: Options, body: Any) -> Answer:
    devices = [each for each in model.tenant.managed.values() if each["userId"] == user_id]
    return model.listed(f"users/{user_id}/managedDevices", devices, options)


def managed_device(model: GraphModel, device: str, *, options: Options, body: Any) -> Answer:
    found = model.tenant.managed.get(device)
    return error(404, "ResourceNotFound") if found is None else (200, dict(found))


def order(model: GraphModel, device: str, action: str, *, options: Options, body: Any) -> Answer:
    found = model.tenant.managed[device]
    result = {
        "actionName": action,
        "actionState": "pending",
        "startDateTime": m.now_of(model),
        "lastUpdatedDateTime": m.now_of(model),
    }
    found["deviceActionResults"] = [*found["deviceActionResults"], result]
    return 204, None


def methods(model: GraphModel, user_id: str, *, options: Options, body: Any) -> Answer:
    return model.listed(f"users/{user_id}/authentication/methods", model.tenant.methods[user_id], options)


def owned(model: GraphModel, user_id: str, *, options: Options, body: Any) -> Answer:
    groups = [
        typed("group", model.tenant.groups[group])
        for group, owners in model.tenant.owners.items()
        if user_id in owners and group in model.tenant.groups
    ]
    apps = [
        typed("servicePrincipal", {"id": app, "displayName": model.tenant.apps[app]["displayName"]})
        for app, owners in model.tenant.owners.items()
        if user_id in owners and app in model.tenant.apps
    ]
    return model.listed(f"users/{user_id}/ownedObjects", [*groups, *apps], options)


def owners(model: GraphModel, group: str, *, options: Options, body: Any) -> Answer:
    held = [typed("user", {"id": each}) for each in model.tenant.owners[group]]
    return model.listed(f"groups/{group}/owners", held, options)


def add_owner(model: GraphModel, group: str, *, options: Options, body: Any) -> Answer:
    model.tenant.owners[group].append(body["@odata.id"].rpartition("/")[2])
    return 204, None


def remove_owner(model: GraphModel, group: str, owner: str, *, options: Options, body: Any) -> Answer:
    if len(model.tenant.owners[group]) == 1:
        return error(400, "Request_BadRequest", "The group must have at least one owner.")
    model.tenant.owners[group].remove(owner)
    return 204, None


def mailbox(model: GraphModel, user_id: str, *, options: Options, body: Any) -> Answer:
    found = model.tenant.mailboxes.get(user_id)
    return error(404, "ErrorItemNotFound") if found is None else (200, {"automaticRepliesSetting": found})


def set_mailbox(model: GraphModel, user_id: str, *, options: Options, body: Any) -> Answer:
    setting = dict(body["automaticRepliesSetting"])
    # What a request does not name stays as it was.
    for name in {"internalReplyMessage", "externalReplyMessage"} & setting.keys():
        setting[name] = f"<html><body>\r\n{setting[name]}\r\n</body></html>"
    model.tenant.mailboxes[user_id].update(setting)
    return 200, {"automaticRepliesSetting": setting}


def drive_root(model: GraphModel, user_id: str, *, options: Options, body: Any) -> Answer:
    return error(404, "itemNotFound") if user_id not in model.tenant.drives else (200, {"id": "root"})


def permissions(model: GraphModel, user_id: str, *, options: Options, body: Any) -> Answer:
    return model.listed(f"users/{user_id}/drive/root/permissions", model.tenant.drives[user_id], options)


def invite(model: GraphModel, user_id: str, *, options: Options, body: Any) -> Answer:
    guest = body["recipients"][0]["objectId"]
    granted = {"id": f"p-{guest}", "roles": body["roles"], "grantedToV2": {"user": {"id": guest}}}
    model.tenant.drives[user_id].append(granted)
    return 200, {"value": [granted]}


def principals(model: GraphModel, *, options: Options, body: Any) -> Answer:
    found = [app for app in model.tenant.apps.values() if m.holds(app, options["$filter"])]
    return model.listed("servicePrincipals", found, options)


def principal(model: GraphModel, app: str, *, options: Options, body: Any) -> Answer:
    found = model.tenant.apps.get(app)
    return NOTHING_THERE if found is None else (200, m.selected(found, options["$select"].split(",")))


def principal_roles(model: GraphModel, app: str, *, options: Options, body: Any) -> Answer:
    held = [each for each in model.tenant.app_roles if each["principalId"] == app]
    return model.listed(f"servicePrincipals/{app}/appRoleAssignments", held, options)


def organization(model: GraphModel, *, options: Options, body: Any) -> Answer:
    return model.listed("organization", [{"id": "t-1", "displayName": "The Firm"}], options)


def _needing(*names: str) -> frozenset[str]:
    return frozenset(names)


INTUNE = _needing("DeviceManagementManagedDevices.Read.All")
ROLES_PATH = "roleManagement/directory/roleAssignments"
READS_ROLES = _needing("RoleManagement.Read.Directory")
ROLES = _needing("RoleManagement.ReadWrite.Directory")
APP_ROLES = _needing("AppRoleAssignment.ReadWrite.All")
GRANTS = _needing("DelegatedPermissionGrant.ReadWrite.All")
MEMBERS = _needing("GroupMember.ReadWrite.All")
OWNERS = _needing("Group.ReadWrite.All")
MAILBOX = _needing("MailboxSettings.ReadWrite")
FILES = _needing("Files.ReadWrite.All")

ROUTES: list[m.Route] = [
    ("GET", "organization", USERS, organization),
    ("GET", "users", USERS, m.find_users),
    ("GET", U, USERS, get_user),
    ("PATCH", U, _needing("User.EnableDisableAccount.All"), patch_user),
    ("POST", U + "/revokeSignInSessions", _needing("User.RevokeSessions.All"), end_sessions),
    ("GET", U + "/memberOf", DIRECTORY, member_of),
    ("GET", r"groups/([^/]+)/transitiveMembers/microsoft.graph.user", DIRECTORY, transitive_members),
    ("POST", r"groups/([^/]+)/members/\$ref", MEMBERS, add_member),
    ("DELETE", r"groups/([^/]+)/members/([^/]+)/\$ref", MEMBERS, remove_member),
    ("GET", ROLES_PATH, READS_ROLES, role_assignments),
    ("POST", ROLES_PATH, ROLES, assign_role),
    ("DELETE", ROLES_PATH + "/([^/]+)", ROLES, remove_role),
    ("GET", U + "/appRoleAssignments", DIRECTORY, app_roles),
    ("POST", U + "/appRoleAssignments", APP_ROLES, assign_app_role),
    ("DELETE", U + "/appRoleAssignments/([^/]+)", APP_ROLES, remove_app_role),
    ("GET", U + "/oauth2PermissionGrants", DIRECTORY, grants),
    ("POST", "oauth2PermissionGrants", GRANTS, make_grant),
    ("DELETE", "oauth2PermissionGrants/([^/]+)", GRANTS, delete_grant),
    ("GET", U + "/licenseDetails", USERS, licence_details),
    ("POST", U + "/assignLicense", _needing("LicenseAssignment.ReadWrite.All"), assign_licences),
    ("GET", U + "/registeredDevices", DIRECTORY, registered_devices),
    ("GET", U + "/managedDevices", INTUNE, managed_devices),
    ("GET", "deviceManagement/managedDevices/([^/]+)", INTUNE, managed_device),
    (
        "POST",
        "deviceManagement/managedDevices/([^/]+)/(wipe|retire|remoteLock)",
        _needing("DeviceManagementManagedDevices.PrivilegedOperations.All"),
        order,
    ),
    ("GET", U + "/authentication/methods", _needing("UserAuthenticationMethod.Read.All"), methods),
    ("GET", U + "/ownedObjects", DIRECTORY, owned),
    ("GET", r"groups/([^/]+)/owners", DIRECTORY, owners),
    ("POST", r"groups/([^/]+)/owners/\$ref", OWNERS, add_owner),
    ("DELETE", r"groups/([^/]+)/owners/([^/]+)/\$ref", OWNERS, remove_owner),
    ("GET", U + "/mailboxSettings", MAILBOX, mailbox),
    ("PATCH", U + "/mailboxSettings", MAILBOX, set_mailbox),
    ("GET", U + "/drive/root", FILES, drive_root),
    ("GET", U + "/drive/root/permissions", FILES, permissions),
    ("POST", U + "/drive/root/invite", FILES, invite),
    ("GET", "servicePrincipals", DIRECTORY, principals),
    ("GET", "servicePrincipals/([^/]+)", DIRECTORY, principal),
    ("GET", "servicePrincipals/([^/]+)/appRoleAssignments", DIRECTORY, principal_roles),
]
