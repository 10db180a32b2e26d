"""What the GitHub of the tests knows, how tests put it in, and answers made from the contract's examples."""

from __future__ import annotations

from copy import deepcopy
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from itertools import count
from typing import Any

import httpx

from partwell.connectors.github.tests.wording import NOW, ORG, URL, answer, at
from tests.vendor_openapi import VendorContract

_numbers = count(1000)
Answer = httpx.Response


def next_number() -> int:
    return next(_numbers)


ALL_PERMISSIONS = {
    "members": "write",
    "administration": "write",
    "organization_administration": "write",
    "organization_custom_org_roles": "write",
    "organization_personal_access_tokens": "write",
}


@dataclass
class State:
    """Tests change it directly; the connector, by its API. `eager` people accept invitations at once."""

    contract: VendorContract
    eager: bool = True
    page_size: int = 100
    now: datetime = NOW
    permissions: dict[str, str] = field(default_factory=lambda: dict(ALL_PERMISSIONS))
    users: dict[int, dict[str, Any]] = field(default_factory=dict)
    members: dict[int, str] = field(default_factory=dict)
    indirect: dict[int, list[str]] = field(default_factory=dict)
    former: dict[int, dict[str, Any]] = field(default_factory=dict)
    invitations: dict[int, dict[str, Any]] = field(default_factory=dict)
    teams: dict[int, dict[str, Any]] = field(default_factory=dict)
    team_members: dict[int, dict[int, str]] = field(default_factory=dict)
    synchronised: set[int] = field(default_factory=set)
    roles: dict[int, str] = field(default_factory=dict)
    role_users: dict[int, dict[int, str]] = field(default_factory=dict)
    repos: dict[str, dict[str, Any]] = field(default_factory=dict)
    credentials: dict[int, dict[str, Any]] = field(default_factory=dict)
    fine_grained: dict[int, dict[str, Any]] = field(default_factory=dict)
    licences: list[dict[str, Any]] = field(default_factory=list)
    managed: dict[str, dict[str, Any]] = field(default_factory=dict)
    own: int = 0
    given: list[tuple[str, datetime]] = field(default_factory=list)

    # -- what tests put in ------------------------------------------------------------------------------

    def add_user(self, login: str, **more: Any) -> int:
        number = next_number()
        self.users[number] = {"login": login, "id": number, "type": "User", **more}
        return number

    def add_member(self, login: str, role: str = "member", **more: Any) -> int:
        number = self.add_user(login, **more)
        self.members[number] = role
        return number

    def add_team(self, name: str, members: dict[int, str], *, parent: int = 0, **more: Any) -> int:
        number = next_number()
        slug = name.lower().replace(" ", "-")
        self.teams[number] = {"name": name, "slug": slug, "parent": parent, "type": "organization", **more}
        self.team_members[number] = dict(members)
        return number

    def add_role(self, name: str, users: dict[int, str]) -> int:
        number = next_number()
        self.roles[number], self.role_users[number] = name, dict(users)
        return number

    def add_repo(self, name: str, collaborators: dict[int, str] | None = None, **more: Any) -> str:
        made = {"collaborators": dict(collaborators or {}), "invitations": {}, "keys": [], "teams": []}
        self.repos[f"{ORG}/{name}"] = {**made, **more}
        return f"{ORG}/{name}"

    def add_tokens(self, number: int) -> None:
        login = self.users[number]["login"]
        for kind, title in (("personal access token", "script"), ("SSH key", "laptop")):
            credential = next_number()
            name = "authorized_credential_title" if kind == "SSH key" else "authorized_credential_note"
            self.credentials[credential] = {
                "login": login,
                "credential_id": credential,
                "credential_type": kind,
                "credential_authorized_at": at(NOW - timedelta(days=90)),
                "credential_accessed_at": at(NOW - timedelta(days=1)),
                "authorized_credential_id": credential + 1,
                name: title,
            }
        token = next_number()
        self.fine_grained[token] = {"owner": number, "token_name": "deploy"}

    def add_licence(self, login: str, *addresses: str, name_id: str = "") -> None:
        self.licences.append(
            {
                "github_com_login": login,
                "github_com_verified_domain_emails": list(addresses),
                "github_com_saml_name_id": name_id or None,
                "license_type": "enterprise",
            }
        )

    def invite(
        self, *, login: str = "", email: str = "", role: str = "direct_member", teams: Any = ()
    ) -> int:
        number = next_number()
        self.invitations[number] = {
            "login": login or None,
            "email": email or None,
            "role": role,
            "teams": list(teams),
            "created_at": at(self.now),
        }
        return number

    def add_managed(self, name: str, **more: Any) -> str:
        scim_id = f"7fce0092-{next(_numbers)}"
        self.managed[scim_id] = {
            "schemas": ["urn:ietf:params:scim:schemas:core:2.0:User"],
            "id": scim_id,
            "externalId": f"ext-{name}",
            "userName": name,
            "active": True,
            "emails": [{"value": f"{name}@firm.test", "primary": True, "type": "work"}],
            "groups": [],
            "meta": {"resourceType": "User"},
            **more,
        }
        return scim_id

    def by_login(self, login: str) -> int:
        return next((n for n, user in self.users.items() if user["login"].lower() == login.lower()), 0)

    def accept(self, invitation: int) -> None:
        """The person says yes."""
        given = self.invitations.pop(invitation)
        number = self.by_login(given["login"])
        before = self.former.pop(number, None) if given["role"] == "reinstate" else None
        self.members[number] = "admin" if given["role"] == "admin" else "member"
        for team in given["teams"]:
            self.team_members[team][number] = "member"
        if before:
            self.members[number] = before["role"]
            for kept, where in (("teams", self.team_members), ("roles", self.role_users)):
                for key, value in before[kept].items():
                    where[key][number] = value
            for name, role in before["repos"].items():
                self.repos[name]["collaborators"][number] = role

    # -- what every answer is made of ---------------------------------------------------------------------

    def missing(self, request: httpx.Request) -> Answer:
        """A 404, with the body that the contract gives here, if any."""
        body = {"message": "Not Found", "documentation_url": "https://docs.github.com/rest", "status": "404"}
        return answer(404, body if self.contract.has_body(request, 404) else None)

    def page(self, request: httpx.Request, items: list[Any]) -> Answer:
        size = min(int(request.url.params.get("per_page", "30")), self.page_size)
        number = int(request.url.params.get("page", "1"))
        links = {}
        if number * size < len(items):
            # GitHub's own addresses of pages lead by numbers that the contract does not have.
            links = {"link": f'<{URL}/organizations/1/x?page={number + 1}>; rel="next"'}
        return answer(200, deepcopy(items[(number - 1) * size : number * size]), **links)

    def example(self, method: str, path: str, status: int = 200) -> Any:
        found = self.contract.example(method, path, status)
        return found[0] if isinstance(found, list) else found

    def user(self, number: int) -> dict[str, Any]:
        return {**self.example("get", "/orgs/{org}/members"), **self.users[number]}
