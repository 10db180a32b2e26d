"""A small Microsoft 365 tenant for the tests: what it has, without the interface (`graph_model.py`)."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable
from datetime import UTC, datetime
from itertools import count
from typing import Any

GLOBAL_ADMINISTRATOR = "62e90394-69f5-4237-9190-012177145e10"
HELPDESK = "729827e3-9c14-49f7-bb1b-9608f156bbb8"
MISSING = "00000000-0000-4000-8000-00000000dead"
E3, E5 = "05e9a617-0261-4cee-bb44-138d3ef5d965", "06ebc4ee-1bb5-47dd-8120-11324bc54e06"
BEGAN = datetime(2024, 3, 1, 8, 0, tzinfo=UTC)


def stamp(at: datetime) -> str:
    """As Graph writes a time: in whole seconds."""
    return at.strftime("%Y-%m-%dT%H:%M:%SZ")


class Tenant:
    """Users, groups, roles, apps, devices, mailboxes and drives, and who has which."""

    def __init__(self, clock: Callable[[], datetime]) -> None:
        self.clock = clock
        self._ids = count(1)
        self.users: dict[str, dict[str, Any]] = {}
        self.activity: dict[str, dict[str, str]] = {}
        self.groups: dict[str, dict[str, Any]] = {}
        self.members: dict[str, list[str]] = defaultdict(list)
        self.owners: dict[str, list[str]] = defaultdict(list)
        self.roles: list[dict[str, Any]] = []
        self.app_roles: list[dict[str, Any]] = []
        self.grants: list[dict[str, Any]] = []
        self.apps: dict[str, dict[str, Any]] = {}
        self.registered: dict[str, list[dict[str, Any]]] = defaultdict(list)
        self.managed: dict[str, dict[str, Any]] = {}
        self.methods: dict[str, list[dict[str, Any]]] = defaultdict(list)
        self.mailboxes: dict[str, dict[str, Any]] = {}
        self.drives: dict[str, list[dict[str, Any]]] = {}
        self.role_names = {GLOBAL_ADMINISTRATOR: "Global Administrator", HELPDESK: "Helpdesk Administrator"}

    def new_id(self) -> str:
        return f"00000000-0000-4000-8000-{next(self._ids):012d}"

    def add_user(self, name: str, **given: Any) -> str:
        """A member `name@firm.test`, in nothing yet."""
        user_id = self.new_id()
        self.users[user_id] = {
            "id": user_id,
            "displayName": name.title(),
            "userPrincipalName": f"{name}@firm.test",
            "mail": f"{name}@firm.test",
            "otherMails": [],
            "proxyAddresses": [f"SMTP:{name}@firm.test", f"smtp:{name}.old@firm.test"],
            "employeeId": f"E-{name}",
            "accountEnabled": True,
            "userType": "Member",
            "onPremisesSyncEnabled": None,
            "signInSessionsValidFromDateTime": stamp(BEGAN),
            "assignedLicenses": [],
            "licenseAssignmentStates": [],
        } | given
        return user_id

    def add_group(self, name: str, members: list[str], **given: Any) -> str:
        """A security group, unless `given` says otherwise."""
        group_id = self.new_id()
        self.groups[group_id] = {
            "id": group_id,
            "displayName": name,
            "groupTypes": [],
            "mailEnabled": False,
            "membershipRule": None,
            "onPremisesSyncEnabled": None,
            "isAssignableToRole": None,
        } | given
        self.members[group_id] = list(members)
        return group_id

    def add_role(self, principal: str, role: str, *, scope: str = "/") -> str:
        assignment = {
            "id": f"role-{next(self._ids)}",
            "principalId": principal,
            "roleDefinitionId": role,
            "directoryScopeId": scope,
        }
        self.roles.append(assignment)
        return str(assignment["id"])

    def add_app(self, name: str, **given: Any) -> str:
        app_id = self.new_id()
        self.apps[app_id] = {
            "id": app_id,
            "displayName": name,
            "appId": self.new_id(),
            "appRoles": [],
        } | given
        return app_id

    def add_app_role(self, principal: str, app: str, role: str, *, kind: str = "User") -> None:
        self.app_roles.append(
            {
                "id": f"app-role-{next(self._ids)}",
                "appRoleId": role,
                "principalId": principal,
                "principalType": kind,
                "resourceId": app,
                "resourceDisplayName": self.apps[app]["displayName"],
            }
        )

    def add_grant(self, user: str | None, client: str, resource: str, scope: str) -> None:
        self.grants.append(
            {
                "id": f"grant-{next(self._ids)}",
                "clientId": client,
                "consentType": "Principal" if user else "AllPrincipals",
                "principalId": user,
                "resourceId": resource,
                "scope": scope,
            }
        )

    def add_licence(self, user: str, sku: str, *, by_group: str | None = None) -> None:
        self.users[user]["assignedLicenses"].append({"skuId": sku, "disabledPlans": []})
        self.users[user]["licenseAssignmentStates"].append(
            {
                "skuId": sku,
                "disabledPlans": [],
                "assignedByGroup": by_group,
                "state": "Active",
                "error": "None",
            }
        )

    def add_managed_device(self, user: str, name: str, **given: Any) -> str:
        device_id = self.new_id()
        self.managed[device_id] = {
            "id": device_id,
            "deviceName": name,
            "userId": user,
            "operatingSystem": "Windows",
            "serialNumber": "S-1",
            "lastSyncDateTime": stamp(BEGAN),
            "managedDeviceOwnerType": "company",
            "managementState": "managed",
            "azureADDeviceId": self.new_id(),
            "deviceActionResults": [],
        } | given
        return device_id

    # -- what follows from it -------------------------------------------------------------------------

    def groups_of(self, principal: str) -> list[str]:
        return [group for group, members in self.members.items() if principal in members]

    def everybody_in(self, group: str) -> set[str]:
        """Users in a group, directly or through others."""
        found: set[str] = set()
        for member in self.members[group]:
            found |= self.everybody_in(member) if member in self.groups else {member}
        return found

    def licences_of(self, user: str) -> set[str]:
        return {each["skuId"] for each in self.users[user]["assignedLicenses"]}

    def take_licences(self, user: str, skus: list[str], *, by_group: bool = False) -> None:
        """Directly assigned ones, or those of groups; a licence goes when nothing gives it any more."""
        states = self.users[user]["licenseAssignmentStates"]
        kept = [s for s in states if s["skuId"] not in skus or bool(s["assignedByGroup"]) is not by_group]
        self.users[user]["licenseAssignmentStates"] = kept
        left = {state["skuId"] for state in kept}
        assigned = self.users[user]["assignedLicenses"]
        self.users[user]["assignedLicenses"] = [each for each in assigned if each["skuId"] in left]
