"""A small Google Workspace in memory: what there is. Tests change it directly; the connector, by the APIs."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime, timedelta
from itertools import count
from typing import Any

from partwell.connectors.google_workspace.tests.wording import ADMIN, ALL_SCOPES, HELP, NOW, SUPER, at

_numbers = count(1)


@dataclass
class Workspace:
    """The customer's data. The log lags, or gives more than was asked for, where a test says so."""

    now: datetime = NOW
    scopes: frozenset[str] = ALL_SCOPES
    page_size: int = 100
    domains: frozenset[str] = frozenset({"firm.test"})
    says_domain_not_found: bool = False
    acts_for_suspended: bool = True
    without_gmail: set[str] = field(default_factory=set)
    users: dict[str, dict[str, Any]] = field(default_factory=dict)
    stale_index: list[dict[str, Any]] | None = None
    groups: dict[str, dict[str, Any]] = field(default_factory=dict)
    members: dict[str, dict[str, dict[str, str]]] = field(default_factory=dict)
    assignments: dict[str, dict[str, Any]] = field(default_factory=dict)
    tokens: dict[str, list[dict[str, Any]]] = field(default_factory=dict)
    asps: dict[str, list[dict[str, Any]]] = field(default_factory=dict)
    codes: dict[str, list[str]] = field(default_factory=dict)
    log: list[dict[str, Any]] = field(default_factory=list)
    log_lags: bool = False
    log_ignores_filters: bool = False
    mobile: dict[str, dict[str, Any]] = field(default_factory=dict)
    chrome: list[dict[str, Any]] = field(default_factory=list)
    delegates: dict[str, dict[str, str]] = field(default_factory=dict)
    vacation: dict[str, dict[str, Any]] = field(default_factory=dict)
    forwarding: dict[str, list[str]] = field(default_factory=dict)
    transfers: dict[str, dict[str, Any]] = field(default_factory=dict)
    licences: set[tuple[str, str]] = field(default_factory=set)
    given: dict[str, tuple[str, str, datetime]] = field(default_factory=dict)

    @property
    def admin(self) -> str:
        return next(key for key, user in self.users.items() if user["primaryEmail"] == ADMIN)

    def add_user(self, login: str = "", **given: Any) -> str:
        number = next(_numbers)
        user_id = f"{117000000000000000000 + number}"
        address = login or f"person{number}@firm.test"
        user = {
            "kind": "admin#directory#user",
            "id": user_id,
            "primaryEmail": address,
            "name": {"fullName": f"Ana Silva {number}", "givenName": "Ana", "familyName": f"Silva {number}"},
            "emails": [{"address": address, "primary": True}],
            "suspended": False,
            "archived": False,
            "isAdmin": False,
            "isDelegatedAdmin": False,
            "isMailboxSetup": True,
            "lastLoginTime": at(self.now - timedelta(hours=2)),
            "creationTime": at(self.now - timedelta(days=900)),
            "phones": [{"value": "private-canary"}],
        }
        if "aliases" in given:
            user["emails"] += [{"address": alias} for alias in given["aliases"]]
        self.users[user_id] = {**user, **given}
        return user_id

    def add_super_admin(self, login: str = "", **given: Any) -> str:
        user_id = self.add_user(login, isAdmin=True, **given)
        self.add_role(user_id, SUPER)
        return user_id

    def add_role(self, user_id: str, role: str = HELP, **given: Any) -> str:
        number = str(next(_numbers))
        self.assignments[number] = {
            "kind": "admin#directory#roleAssignment",
            "roleAssignmentId": number,
            "roleId": role,
            "assignedTo": user_id,
            "assigneeType": "user",
            "scopeType": "CUSTOMER",
            **given,
        }
        return number

    def add_group(self, name: str, members: list[str], **given: str) -> str:
        group_id = f"0{next(_numbers):014d}"
        group = {
            "kind": "admin#directory#group",
            "id": group_id,
            "name": name,
            "email": f"{name.lower()}@firm.test",
        }
        self.groups[group_id] = group
        how = {"role": "MEMBER", "delivery_settings": "ALL_MAIL", **given}
        self.members[group_id] = {user_id: dict(how) for user_id in members}
        return group_id

    def add_credentials(self, user_id: str) -> None:
        self.tokens[user_id] = [
            {
                "kind": "admin#directory#token",
                "clientId": f"app{n}.apps.test",
                "displayText": f"App {n}",
                "scopes": ["https://mail.google.com/"],
                "userKey": user_id,
            }
            for n in (1, 2)
        ]
        self.asps[user_id] = [
            {
                "kind": "admin#directory#asp",
                "codeId": 3,
                "name": "Mail on my phone",
                "creationTime": "1700000000000",
                "lastTimeUsed": "1795000000000",
                "userKey": user_id,
            }
        ]
        self.codes[user_id] = ["code-canary-1", "code-canary-2"]

    def add_phone(self, user_id: str, **given: Any) -> str:
        number = f"AFi{next(_numbers)}"
        self.mobile[number] = {
            "kind": "admin#directory#mobiledevice",
            "resourceId": number,
            "email": [self.users[user_id]["primaryEmail"]],
            "model": "Pixel 9",
            "os": "Android 16",
            "status": "APPROVED",
            "lastSync": at(self.now - timedelta(hours=1)),
            **given,
        }
        return number

    def note(self, event: str, user: dict[str, Any], actor: str = ADMIN) -> None:
        """Write into the administrators' log, unless it lags."""
        if self.log_lags:
            return
        self.log.append(
            {
                "kind": "admin#reports#activity",
                "id": {"time": at(self.now), "applicationName": "admin"},
                "actor": {"email": actor},
                "events": [
                    {
                        "type": "USER_SETTINGS",
                        "name": event,
                        "parameters": [{"name": "USER_EMAIL", "value": user["primaryEmail"]}],
                    }
                ],
            }
        )
