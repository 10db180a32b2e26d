"""A small Okta organisation in memory. What it answers is held to Okta's contract by `ValidatedHttp`."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from copy import deepcopy
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from itertools import count
from typing import Any
from urllib.parse import parse_qs, unquote, urlencode

import httpx
import jwt

from partwell.connectors.okta.tests.wording import (
    ALL_SCOPES,
    API_TOKEN,
    CLIENT_ID,
    KEY,
    NOW,
    TOKEN_PATH,
    URL,
    at,
    failure,
    matches,
    missing,
)
from tests.vendor_openapi import VendorContract

_numbers = count(1)
Answer = httpx.Response


@dataclass
class OktaOrg:
    """The organisation. Tests change it directly; the connector, by its API."""

    contract: VendorContract
    scopes: frozenset[str] = ALL_SCOPES
    page_size: int = 200
    now: datetime = NOW
    users: dict[str, dict[str, Any]] = field(default_factory=dict)
    groups: dict[str, dict[str, Any]] = field(default_factory=dict)
    members: dict[str, list[str]] = field(default_factory=dict)
    owners: dict[str, list[str]] = field(default_factory=dict)
    rules: list[dict[str, Any]] = field(default_factory=list)
    roles: dict[str, list[dict[str, Any]]] = field(default_factory=dict)
    targets: dict[str, list[str]] = field(default_factory=dict)
    grants: dict[str, list[dict[str, Any]]] = field(default_factory=dict)
    refresh: dict[str, dict[str, list[dict[str, Any]]]] = field(default_factory=dict)
    api_tokens: list[dict[str, Any]] = field(default_factory=list)
    factors: dict[str, list[dict[str, Any]]] = field(default_factory=dict)
    apps: dict[str, list[dict[str, Any]]] = field(default_factory=dict)
    devices: dict[str, list[dict[str, Any]]] = field(default_factory=dict)
    log: list[dict[str, Any]] = field(default_factory=list)
    log_lags: bool = False
    stale_index: list[dict[str, Any]] | None = None
    own_user: str = ""
    tokens_given: list[tuple[str, datetime]] = field(default_factory=list)

    # -- what tests put in ------------------------------------------------------------------------------

    def add_user(self, login: str = "", **given: Any) -> str:
        number = next(_numbers)
        user_id = f"00u{number:017d}"
        login = login or f"person{number}@firm.test"
        profile = {
            "login": login,
            "email": login if "@" in login else f"{login}@firm.test",
            "firstName": "Ana",
            "lastName": f"Silva {number}",
            **given.pop("profile", {}),
        }
        self.users[user_id] = {
            "id": user_id,
            "status": "ACTIVE",
            "created": at(NOW - timedelta(days=900)),
            "statusChanged": at(NOW - timedelta(days=900)),
            "lastLogin": at(NOW - timedelta(hours=2)),
            "lastUpdated": at(NOW - timedelta(days=2)),
            "profile": profile,
            "type": {"id": "otyDefault"},
            **given,
        }
        return user_id

    def add_group(self, name: str, members: list[str], kind: str = "OKTA_GROUP") -> str:
        group_id = f"00g{next(_numbers):017d}"
        profile = {"name": name, "description": ""}
        self.groups[group_id] = {"id": group_id, "type": kind, "profile": profile}
        self.members[group_id] = list(members)
        return group_id

    def add_role(self, user_id: str, kind: str, **given: Any) -> str:
        role_id = f"ra1{next(_numbers):017d}"
        role = {
            "id": role_id,
            "type": kind,
            "label": kind.title(),
            "status": "ACTIVE",
            "assignmentType": "USER",
        }
        self.roles.setdefault(user_id, []).append({**role, **given})
        return role_id

    def add_tokens(self, user_id: str) -> None:
        number, client = next(_numbers), "0oaMailApp"
        self.grants[user_id] = [
            {
                "id": f"oag{number}",
                "issuer": URL,
                "scopeId": "okta.users.read.self",
                "clientId": client,
                "userId": user_id,
                "status": "ACTIVE",
                "source": "END_USER",
            }
        ]
        self.refresh[user_id] = {
            client: [{"id": f"oar{number}", "clientId": client, "userId": user_id, "status": "ACTIVE"}]
        }
        self.api_tokens.append({"id": f"00T{number}", "name": "script", "userId": user_id})

    # -- answering --------------------------------------------------------------------------------------

    def answer(self, request: httpx.Request) -> Answer:
        if request.url.path == TOKEN_PATH:
            return self._give_token(request)
        if refusal := self._refuse(request):
            return refusal
        path = unquote(request.url.raw_path.decode().partition("?")[0])
        for method, pattern, route in ROUTES:
            if request.method == method and (found := re.fullmatch(pattern, path)):
                return route(self, request, *found.groups())
        raise AssertionError(f"the model knows no {request.method} {path}")

    def _give_token(self, request: httpx.Request) -> Answer:
        """RFC 6749 § 4.4 with RFC 7523, as Okta does it; the management contract leaves this out."""
        form = {name: values[0] for name, values in parse_qs(request.content.decode()).items()}
        assert request.headers["content-type"] == "application/x-www-form-urlencoded"
        assert form["grant_type"] == "client_credentials"
        assert form["client_assertion_type"] == "urn:ietf:params:oauth:client-assertion-type:jwt-bearer"
        try:
            claims = jwt.decode(
                form["client_assertion"],
                KEY.public_key(),
                algorithms=["RS256"],
                audience=URL + TOKEN_PATH,
                options={
                    "require": ["iss", "sub", "aud", "exp", "jti"],
                    "verify_exp": False,
                    "verify_iat": False,
                },
            )
        except jwt.PyJWTError:
            return httpx.Response(401, json={"error": "invalid_client", "error_description": "canary"})
        lives = datetime.fromtimestamp(claims["exp"], UTC) - self.now
        assert claims["iss"] == claims["sub"] == CLIENT_ID and timedelta(0) < lives <= timedelta(hours=1)
        asked = frozenset(form["scope"].split())
        if not asked <= self.scopes:
            return httpx.Response(400, json={"error": "invalid_scope", "error_description": "canary"})
        token = f"access-canary-{next(_numbers)}"
        self.tokens_given.append((token, self.now + timedelta(hours=1)))
        body = {"token_type": "Bearer", "expires_in": 3600, "access_token": token, "scope": form["scope"]}
        return httpx.Response(200, json=body)

    def _refuse(self, request: httpx.Request) -> Answer | None:
        kind, _, value = request.headers.get("authorization", "").partition(" ")
        living = {token for token, until in self.tokens_given if self.now < until}
        if not ((kind == "SSWS" and value == API_TOKEN) or (kind == "Bearer" and value in living)):
            return failure(401, "E0000011", "Invalid token provided")
        if kind == "Bearer" and not self.contract.scopes(request) <= self.scopes:
            return failure(403, "E0000006", "You do not have permission to perform the requested action")
        return None

    def page(self, request: httpx.Request, items: list[Any]) -> Answer:
        params = request.url.params
        if "after" not in self.contract.query_names(request):
            return httpx.Response(200, json=deepcopy(items))
        size = min(int(params.get("limit", self.page_size)), self.page_size)
        start = int(params.get("after", "0"))
        links = [f'<{URL}{request.url.raw_path.decode()}>; rel="self"']
        if start + size < len(items):
            query = {**params, "after": str(start + size)}
            links.append(f'<{URL}{request.url.path}?{urlencode(query)}>; rel="next"')
        return httpx.Response(
            200, json=deepcopy(items[start : start + size]), headers=[("link", link) for link in links]
        )

    def user_of(self, name: str) -> dict[str, Any] | None:
        """By id, login, or what stands before its @ where one user alone has it; `me` is whoever asks."""
        if name == "me":
            return self.users.get(self.own_user)
        if name in self.users:
            return self.users[name]
        logins = {user["profile"]["login"].lower(): user for user in self.users.values()}
        short = [user for login, user in logins.items() if login.partition("@")[0] == name.lower()]
        return logins.get(name.lower()) or (short[0] if len(short) == 1 else None)

    def find_users(self, request: httpx.Request) -> Answer:
        params = request.url.params
        users = list(self.users.values())
        if "search" in params:
            source = users if self.stale_index is None else self.stale_index
            users = [u for u in source if matches(u, params["search"], minds_case=False)]
        elif "filter" in params:
            users = [u for u in users if matches(u, params["filter"], minds_case=True)]
        else:
            users = [u for u in users if u["status"] != "DEPROVISIONED"]
        return self.page(request, users)

    def read_user(self, request: httpx.Request, name: str) -> Answer:
        user = self.user_of(name)
        return httpx.Response(200, json=deepcopy(user)) if user else missing(name)

    def lifecycle(self, request: httpx.Request, name: str, word: str) -> Answer:
        user = self.user_of(name)
        if user is None:
            return missing(name)
        before, after = {
            "suspend": ("ACTIVE", "SUSPENDED"),
            "unsuspend": ("SUSPENDED", "ACTIVE"),
            "unlock": ("LOCKED_OUT", "ACTIVE"),
        }[word]
        if user["status"] != before:
            return failure(400, "E0000001", f"Api validation failed: {word}")
        user["status"], user["statusChanged"] = after, at(self.now)
        return httpx.Response(200)

    def clear_sessions(self, request: httpx.Request, name: str) -> Answer:
        user = self.users.get(name)
        if user is None:
            return missing(name)
        if request.url.params.get("oauthTokens") == "true":
            self.refresh.pop(name, None)
        event = {
            "uuid": f"event-{next(_numbers)}",
            "eventType": "user.session.clear",
            "published": at(self.now),
            "outcome": {"result": "SUCCESS"},
            "target": [{"id": name, "type": "User", "alternateId": user["profile"]["login"]}],
        }
        if not self.log_lags:
            self.log.append(event)
        return httpx.Response(204)

    def read_log(self, request: httpx.Request) -> Answer:
        params = request.url.params
        found = re.fullmatch(r'eventType eq "(.*)" and target.id eq "(.*)"', params.get("filter", ""))
        since = datetime.fromisoformat(params.get("since", "1970-01-01T00:00:00Z"))
        events = [
            event
            for event in self.log
            if found is None
            or (
                event["eventType"] == found.group(1)
                and event["target"][0]["id"] == found.group(2)
                and datetime.fromisoformat(event["published"]) >= since
            )
        ]
        return self.page(request, sorted(events, key=lambda e: e["published"], reverse=True))

    def of_user(self, request: httpx.Request, name: str, what: str) -> Answer:
        if name not in self.users:
            return missing(name)
        if what == "groups":
            return self.page(request, [g for key, g in self.groups.items() if name in self.members[key]])
        if what == "clients":
            clients = [{"client_id": c, "client_name": c} for c in self.refresh.get(name, {})]
            return self.page(request, clients)
        kinds = {
            "grants": self.grants,
            "appLinks": self.apps,
            "devices": self.devices,
            "factors": self.factors,
        }
        return self.page(request, kinds[what].get(name, []))

    def user_roles(self, request: httpx.Request, name: str) -> Answer:
        if name not in self.users:
            return missing(name)
        roles = deepcopy(self.roles.get(name, []))
        for role in roles:
            if request.url.params.get("expand") == "targets/groups" and role["id"] in self.targets:
                groups = [self.groups[g] for g in self.targets[role["id"]]]
                role["_embedded"] = {"targets": {"groups": groups}}
        return self.page(request, roles)

    def assign_role(self, request: httpx.Request, name: str) -> Answer:
        body = json.loads(request.content)
        given = {key: body[key] for key in ("role", "resource-set") if key in body}
        self.add_role(name, body["type"], **given)
        return httpx.Response(201, json=self.roles[name][-1])

    def drop_role(self, request: httpx.Request, name: str, role_id: str) -> Answer:
        kept = [role for role in self.roles.get(name, []) if role["id"] != role_id]
        if len(kept) == len(self.roles.get(name, [])):
            return missing(role_id)
        self.roles[name] = kept
        return httpx.Response(204)

    def membership(self, request: httpx.Request, group_id: str, name: str) -> Answer:
        group = self.groups.get(group_id)
        if group is None or name not in self.users:
            return missing(group_id)
        if group["type"] != "OKTA_GROUP":
            return failure(403, "E0000006", "You do not have permission to perform the requested action")
        held = self.members[group_id]
        if request.method == "PUT" and name not in held:
            held.append(name)
        if request.method == "DELETE" and name in held:
            held.remove(name)
        return httpx.Response(204)

    def group_members(self, request: httpx.Request, group_id: str) -> Answer:
        return self.page(request, [self.users[u] for u in self.members[group_id] if u in self.users])

    def group_owners(self, request: httpx.Request, group_id: str) -> Answer:
        owners = [{"id": u, "type": "USER", "displayName": "x"} for u in self.owners.get(group_id, [])]
        return self.page(request, owners)

    def assignees(self, request: httpx.Request) -> Answer:
        start = int(request.url.params.get("after", "0"))
        size = min(int(request.url.params.get("limit", "100")), self.page_size)
        everyone = [{"id": u} for u, roles in self.roles.items() if roles]
        body: dict[str, Any] = {"value": everyone[start : start + size], "_links": {}}
        if start + size < len(everyone):
            body["_links"]["next"] = {"href": f"{URL}/api/v1/iam/assignees/users?after={start + size}"}
        return httpx.Response(200, json=body)

    def revoke_refresh(self, request: httpx.Request, name: str, client: str) -> Answer:
        left = {key: held for key, held in self.refresh.pop(name, {}).items() if key != client}
        self.refresh |= {name: left} if left else {}
        return httpx.Response(204)

    def revoke_api_token(self, request: httpx.Request, token_id: str) -> Answer:
        kept = [token for token in self.api_tokens if token["id"] != token_id]
        if len(kept) == len(self.api_tokens):
            return missing(token_id)
        self.api_tokens = kept
        return httpx.Response(204)

    def revoke_grants(self, request: httpx.Request, name: str) -> Answer:
        self.grants.pop(name, None)
        return httpx.Response(204)


def _of(name: str) -> Callable[..., Answer]:
    return lambda org, request, *found: getattr(org, name)(request, *found)


def _list(name: str) -> Callable[..., Answer]:
    return lambda org, request: org.page(
        request, list(value.values()) if isinstance(value := getattr(org, name), dict) else value
    )


_U, _ID = "/api/v1/users/([^/]+)", "([^/]+)"
ROUTES: tuple[tuple[str, str, Callable[..., Answer]], ...] = (
    ("GET", "/api/v1/users", _of("find_users")),
    ("GET", "/api/v1/users/(.+@.+|[^/]+)", _of("read_user")),
    ("POST", rf"{_U}/lifecycle/(\w+)", _of("lifecycle")),
    ("DELETE", rf"{_U}/sessions", _of("clear_sessions")),
    ("DELETE", rf"{_U}/grants", _of("revoke_grants")),
    ("GET", rf"{_U}/(groups|clients|grants|appLinks|devices|factors)", _of("of_user")),
    (
        "GET",
        rf"{_U}/clients/{_ID}/tokens",
        lambda org, request, u, c: org.page(request, org.refresh.get(u, {}).get(c, [])),
    ),
    ("DELETE", rf"{_U}/clients/{_ID}/tokens", _of("revoke_refresh")),
    ("GET", rf"{_U}/roles", _of("user_roles")),
    ("POST", rf"{_U}/roles", _of("assign_role")),
    ("DELETE", rf"{_U}/roles/{_ID}", _of("drop_role")),
    ("GET", "/api/v1/groups", _list("groups")),
    ("GET", "/api/v1/groups/rules", _list("rules")),
    ("GET", f"/api/v1/groups/{_ID}/users", _of("group_members")),
    ("GET", f"/api/v1/groups/{_ID}/owners", _of("group_owners")),
    ("PUT", f"/api/v1/groups/{_ID}/users/{_ID}", _of("membership")),
    ("DELETE", f"/api/v1/groups/{_ID}/users/{_ID}", _of("membership")),
    ("GET", "/api/v1/iam/assignees/users", _of("assignees")),
    ("GET", "/api/v1/api-tokens", _list("api_tokens")),
    ("DELETE", f"/api/v1/api-tokens/{_ID}", _of("revoke_api_token")),
    ("GET", "/api/v1/logs", _of("read_log")),
)
