"""A small Keycloak realm in memory. What it answers is held to `admin_api.yaml`."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from itertools import count
from typing import Any
from urllib.parse import parse_qs, unquote

import httpx
import jwt

from tests.vendor_openapi import UNDOCUMENTED

URL, REALM = "https://id.firm.test", "firm"
CLIENT_ID, SECRET = "partwell", "secret-of-the-client"
TOKEN_PATH = f"/realms/{REALM}/protocol/openid-connect/token"
# The clients that hold the administration of a realm, and of "master".
MANAGEMENT, MASTER = "client-realm-management", "client-master-realm"
_numbers = count(1)


@dataclass
class KeycloakRealm:
    """The realm. Tests change it directly; the connector, by its API."""

    users: dict[str, dict[str, Any]] = field(default_factory=dict)
    groups: dict[str, str] = field(default_factory=dict)
    in_group: dict[str, list[str]] = field(default_factory=dict)
    # (client, or "" for the realm) and name, by user
    roles: dict[str, list[tuple[str, str]]] = field(default_factory=dict)
    # what a role is made of, and what a group gives; roles as above
    composites: dict[tuple[str, str], list[tuple[str, str]]] = field(default_factory=dict)
    group_roles: dict[str, list[tuple[str, str]]] = field(default_factory=dict)
    hidden_clients: set[str] = field(default_factory=set)
    sessions: dict[str, list[dict[str, Any]]] = field(default_factory=dict)
    consents: dict[str, list[str]] = field(default_factory=dict)
    offline: dict[str, list[str]] = field(default_factory=dict)
    tokens: set[str] = field(default_factory=set)
    tokens_given: int = 0
    largest_page: int = 1000
    rights: frozenset[str] = frozenset(
        {"view-users", "query-users", "manage-users", "view-realm", "view-clients"}
    )
    hidden_groups: set[str] = field(default_factory=set)

    # -- what tests put in --------------------------------------------------------------------------------

    def add_user(self, username: str = "", **given: Any) -> str:
        number = next(_numbers)
        user_id = f"00000000-0000-4000-8000-{number:012d}"
        username = username or f"person{number}"
        self.users[user_id] = {
            "id": user_id,
            "username": username,
            "firstName": "Ana",
            "lastName": "Lima",
            "email": f"{username}@firm.test",
            "enabled": True,
            "createdTimestamp": 1700000000000,
            "access": {"manage": True},
            **given,
        }
        self.roles[user_id] = [("", f"default-roles-{REALM}")]
        return user_id

    def add_group(self, path: str, *members: str) -> str:
        group_id = f"group-{next(_numbers)}"
        self.groups[group_id] = path
        for member in members:
            self.in_group.setdefault(member, []).append(group_id)
        return group_id

    def sign_in(self, user_id: str) -> None:
        number = next(_numbers)
        self.sessions.setdefault(user_id, []).append(
            {
                "id": f"session-{number}",
                "userId": user_id,
                "username": self.users[user_id]["username"],
                "ipAddress": "192.0.2.7",
                "start": 1764260000000,
                "lastAccess": 1764260100000,
                "rememberMe": False,
                "clients": {"client-1": "intranet"},
            }
        )

    def consent(self, user_id: str, client: str, *, is_offline: bool) -> None:
        (self.offline if is_offline else self.consents).setdefault(user_id, []).append(client)

    # -- the API ------------------------------------------------------------------------------------------

    def answer(self, request: httpx.Request) -> httpx.Response:
        path = request.url.raw_path.decode().partition("?")[0]
        if path == TOKEN_PATH:
            return self._token(request)
        if request.headers.get("authorization", "").removeprefix("Bearer ") not in self.tokens:
            return httpx.Response(401, json={"error": "HTTP 401 Unauthorized"}, extensions=UNDOCUMENTED)
        parts = [unquote(part) for part in path.split("/")[4:]]
        query = {name: values[0] for name, values in parse_qs(request.url.query.decode()).items()}
        body = json.loads(request.content) if request.content else None
        match [request.method, *parts]:
            case ["GET", "users"]:
                return self._page(self._matching(query), query)
            case ["GET", "clients", client, "roles", role, "users"]:
                return self._page(
                    [u for u in self.users.values() if (client, role) in self.roles[u["id"]]], query
                )
            case ["GET", "roles", role, "users"]:
                return self._page(
                    [u for u in self.users.values() if ("", role) in self.roles[u["id"]]], query
                )
            case ["GET", "clients"]:
                shown = {MANAGEMENT, MASTER} - self.hidden_clients
                named = [{"id": each, "clientId": each.removeprefix("client-")} for each in sorted(shown)]
                return httpx.Response(
                    200, json=[each for each in named if each["clientId"] == query["clientId"]]
                )
            case ["GET", "roles-by-id", role_id, "composites"]:
                known = {_role_id(role): role for role in self.composites}
                return httpx.Response(200, json=[self._role(r) for r in self.composites[known[role_id]]])
            case ["GET", "groups", group, "role-mappings", *where, "composite"]:
                return self._effective(self._given_by(group), where)
            case ["GET", "groups", group, "members"]:
                members = [u for u in self.users.values() if group in self.in_group.get(u["id"], [])]
                return self._page(members, query)
            case ["GET", "users", user_id, "role-mappings", *where, "composite"]:
                roles = list(self.roles[user_id])
                for group in self.in_group.get(user_id, []):
                    roles += self._given_by(group)
                return self._effective(roles, where)
            case [method, "users", user_id, *rest]:
                if user_id not in self.users:
                    return _missing("User not found")
                return self._user(method, user_id, rest, query, body)
        raise AssertionError(f"the model has no {request.method} {path}")

    def _token(self, request: httpx.Request) -> httpx.Response:
        form = parse_qs(request.content.decode())
        assert form["grant_type"] == ["client_credentials"]
        if (form["client_id"], form["client_secret"]) != ([CLIENT_ID], [SECRET]):
            return httpx.Response(401, json={"error": "invalid_client"})
        self.tokens_given += 1
        roles = {
            each.removeprefix("client-"): {"roles": sorted(self.rights)} for each in (MANAGEMENT, MASTER)
        }
        claims = {"resource_access": roles, "jti": str(self.tokens_given)}
        token = jwt.encode(claims, "a key of the tests that nobody else has")
        self.tokens = {token}
        return httpx.Response(200, json={"access_token": token, "expires_in": 60, "token_type": "Bearer"})

    def _matching(self, query: dict[str, str]) -> list[dict[str, Any]]:
        found = [user for user in self.users.values() if "serviceAccountClientId" not in user]
        for name in ("username", "email"):
            if name in query:
                assert query["exact"] == "true"
                found = [user for user in found if str(user.get(name, "")).lower() == query[name].lower()]
        if "q" in query:
            name, _, value = query["q"].partition(":")
            wanted = value.strip('"')
            found = [user for user in found if wanted in user.get("attributes", {}).get(name, [])]
        return found

    def _page(self, things: list[dict[str, Any]], query: dict[str, str]) -> httpx.Response:
        first, size = int(query.get("first", 0)), min(int(query.get("max", 100)), self.largest_page)
        return httpx.Response(200, json=things[first : first + size])

    def _user(
        self, method: str, user_id: str, rest: list[str], query: dict[str, str], body: Any
    ) -> httpx.Response:
        match [method, *rest]:
            case ["GET"]:
                return httpx.Response(200, json=self.users[user_id])
            case ["PUT"]:
                self.users[user_id] |= body
            case ["GET", "sessions"]:
                return httpx.Response(200, json=self.sessions.get(user_id, []))
            case ["POST", "logout"]:
                self.sessions.pop(user_id, None)  # and no offline session: that is how Keycloak is
            case ["GET", "consents"]:
                return httpx.Response(200, json=self._grants(user_id))
            case ["DELETE", "consents", client]:
                if not any(each["clientId"] == client for each in self._grants(user_id)):
                    return _missing("Consent nor offline token not found")
                for kept in (self.consents, self.offline):
                    kept[user_id] = [each for each in kept.get(user_id, []) if each != client]
            case ["GET", "credentials"]:
                return httpx.Response(
                    200, json=[{"id": f"otp-{user_id}", "type": "otp", "userLabel": "phone"}]
                )
            case ["GET", "groups"]:
                groups = [
                    {"id": each, "name": self.groups[each].rpartition("/")[2], "path": self.groups[each]}
                    for each in self.in_group.get(user_id, [])
                    if each not in self.hidden_groups
                ]
                return self._page(groups, query)
            case ["GET", "groups", "count"]:
                return httpx.Response(200, json={"count": len(self.in_group.get(user_id, []))})
            case ["PUT", "groups", group]:
                self.in_group.setdefault(user_id, []).append(group)
            case ["DELETE", "groups", group]:
                self.in_group[user_id].remove(group)
            case ["GET", "role-mappings"]:
                return httpx.Response(200, json=self._mappings(user_id))
            case ["POST" | "DELETE", "role-mappings", *where]:
                client = "" if where == ["realm"] else where[1]
                for role in body:
                    assert role["id"] == _role_id((client, role["name"]))
                    change = self.roles[user_id].append if method == "POST" else self.roles[user_id].remove
                    change((client, role["name"]))
            case _:
                raise AssertionError(f"the model has no {method} of a user's {rest}")
        return httpx.Response(204)

    def _grants(self, user_id: str) -> list[dict[str, Any]]:
        offline = self.offline.get(user_id, [])
        return [
            {
                "clientId": client,
                "grantedClientScopes": ["email"] if client in self.consents.get(user_id, []) else [],
                "createdDate": None,
                "lastUpdatedDate": None,
                "additionalGrants": [{"client": client, "key": "Offline Token"}] if client in offline else [],
            }
            for client in dict.fromkeys((*self.consents.get(user_id, []), *offline))
        ]

    def _given_by(self, group: str) -> list[tuple[str, str]]:
        """What a group gives, with what its parents do."""
        path = self.groups[group] + "/"
        parents = [each for each, other in self.groups.items() if path.startswith(other + "/")]
        return [role for each in parents for role in self.group_roles.get(each, [])]

    def _effective(self, roles: list[tuple[str, str]], where: list[str]) -> httpx.Response:
        """All roles of a client, or of the realm, that these come to."""
        found: list[tuple[str, str]] = []
        left = list(roles)
        while left:
            role = left.pop()
            if role not in found:
                found.append(role)
                left += self.composites.get(role, [])
        client = "" if where == ["realm"] else where[1]
        return httpx.Response(200, json=[self._role(each) for each in sorted(found) if each[0] == client])

    def _role(self, role: tuple[str, str]) -> dict[str, Any]:
        client, name = role
        return {
            "id": _role_id(role),
            "name": name,
            "composite": role in self.composites,
            "clientRole": bool(client),
            "containerId": client or REALM,
        }

    def _mappings(self, user_id: str) -> dict[str, Any]:
        found: dict[str, Any] = {"realmMappings": [], "clientMappings": {}}
        for client, name in self.roles[user_id]:
            role = self._role((client, name))
            if not client:
                found["realmMappings"].append(role)
                continue
            empty = {"id": client, "client": client.removeprefix("client-"), "mappings": []}
            found["clientMappings"].setdefault(empty["client"], empty)["mappings"].append(role)
        return {name: value for name, value in found.items() if value}


def _role_id(role: tuple[str, str]) -> str:
    return f"role-{role[0]}-{role[1]}"


def _missing(said: str) -> httpx.Response:
    return httpx.Response(404, json={"error": said})
