"""A small GitHub in memory: one organisation, one enterprise. Its answers are held to GitHub's contract."""

from __future__ import annotations

import re
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from urllib.parse import unquote

import httpx
import jwt

from partwell.connectors.github.tests.holdings_model import Holdings
from partwell.connectors.github.tests.people_model import People
from partwell.connectors.github.tests.state import Answer, next_number
from partwell.connectors.github.tests.wording import (
    APP_ID,
    ENTERPRISE,
    ENTERPRISE_TOKEN,
    INSTALLATION,
    KEY,
    ORG,
    OWNERS_TOKEN,
    answer,
    at,
    refusal,
)


class Github(People, Holdings):
    """Who may ask, and what is asked."""

    def answer(self, request: httpx.Request) -> Answer:
        for name, value in (
            ("accept", "application/vnd.github+json"),
            ("x-github-api-version", "2022-11-28"),
        ):
            assert request.headers[name] == value
        assert (
            request.headers["user-agent"] == "partwell"
        )  # GitHub refuses requests that do not name themselves
        path = unquote(request.url.raw_path.decode().partition("?")[0])
        if refused := self._refuse(request, path):
            return refused
        for method, pattern, route in ROUTES:
            if request.method == method and (found := re.fullmatch(pattern, path)):
                return route(self, request, *found.groups())
        raise AssertionError(f"the model knows no {request.method} {path}")

    def _refuse(self, request: httpx.Request, path: str) -> Answer | None:
        value = request.headers.get("authorization", "").removeprefix("Bearer ")
        if path.endswith(("/installation", "/access_tokens")):
            return None if self._is_app(value) else refusal(401, "A JSON web token could not be decoded")
        is_app = value in {token for token, until in self.given if self.now < until}
        if not is_app and value not in (OWNERS_TOKEN, ENTERPRISE_TOKEN):
            return refusal(401, "Bad credentials")
        if path.startswith(("/enterprises/", "/scim/")):
            if value != ENTERPRISE_TOKEN or f"/{ENTERPRISE}/" not in path:
                return refusal(404, "Not Found")
        elif value == ENTERPRISE_TOKEN:
            return refusal(403, "Resource not accessible by this token")
        elif is_app and path == "/user":
            return refusal(403, "Resource not accessible by integration")
        elif not is_app and "personal-access-tokens" in path:
            return refusal(403, "Only GitHub Apps can use this endpoint")
        if path.startswith("/orgs/") and not path.startswith(f"/orgs/{ORG}"):
            return refusal(404, "Not Found")
        return None

    def _is_app(self, assertion: str) -> bool:
        options = {"require": ["iss", "iat", "exp"], "verify_exp": False, "verify_iat": False}
        try:
            claims = jwt.decode(assertion, KEY.public_key(), algorithms=["RS256"], options=options)
        except jwt.PyJWTError:
            return False
        begins, ends = (datetime.fromtimestamp(claims[name], UTC) for name in ("iat", "exp"))
        return (
            claims["iss"] == APP_ID and begins <= self.now < ends and ends - begins <= timedelta(minutes=10)
        )

    def public_user(self, request: httpx.Request, which: str) -> Answer:
        number = int(which) if which.isdecimal() and "/user/" in str(request.url) else self.by_login(which)
        number = self.own if request.url.path == "/user" else number
        if number not in self.users:
            return self.missing(request)
        example = {**self.example("get", "/users/{username}"), "user_view_type": "public"}
        return answer(200, {**example, **self.users[number]})

    def give_token(self, request: httpx.Request, installation: str) -> Answer:
        assert int(installation) == INSTALLATION
        token, until = f"ghs_canary_{next_number()}", self.now + timedelta(hours=1)
        self.given.append((token, until))
        return answer(201, {"token": token, "expires_at": at(until), "permissions": self.permissions})

    def installation(self, request: httpx.Request) -> Answer:
        return answer(200, {**self.example("get", "/orgs/{org}/installation"), "id": INSTALLATION})


def _of(name: str) -> Callable[..., Answer]:
    return lambda github, request, *found: getattr(github, name)(request, *found)


_O, _N, _R = "/orgs/[^/]+", "([^/]+)", "/repos/([^/]+/[^/]+)"
_S = "/scim/v2/enterprises/[^/]+/Users"
ROUTES: tuple[tuple[str, str, Callable[..., Answer]], ...] = (
    ("GET", "/user()", _of("public_user")),
    ("GET", f"/users?/{_N}", _of("public_user")),
    ("POST", f"/app/installations/{_N}/access_tokens", _of("give_token")),
    ("GET", f"{_O}/installation", _of("installation")),
    ("GET", f"{_O}/members", _of("list_members")),
    *((method, f"{_O}/memberships/{_N}", _of("membership")) for method in ("GET", "PUT", "DELETE")),
    ("GET", f"{_O}/outside_collaborators", _of("list_outside")),
    ("DELETE", f"{_O}/outside_collaborators/{_N}", _of("remove_outside")),
    ("GET", f"{_O}/invitations", _of("list_invitations")),
    ("POST", f"{_O}/invitations", _of("create_invitation")),
    ("DELETE", f"{_O}/invitations/{_N}", _of("drop_invitation")),
    ("GET", f"{_O}/invitations/{_N}/teams", _of("invitation_teams")),
    ("GET", f"{_O}/teams", _of("list_teams")),
    ("GET", f"{_O}/teams/{_N}/members", _of("team_people")),
    *(
        (method, f"{_O}/teams/{_N}/memberships/{_N}", _of("team_membership"))
        for method in ("GET", "PUT", "DELETE")
    ),
    ("GET", f"{_O}/organization-roles", _of("list_roles")),
    ("GET", f"{_O}/organization-roles/{_N}/users", _of("role_people")),
    *(
        (method, f"{_O}/organization-roles/users/{_N}/{_N}", _of("role_assignment"))
        for method in ("PUT", "DELETE")
    ),
    ("GET", f"{_O}/repos", _of("list_repos")),
    ("GET", f"{_R}/collaborators", _of("list_collaborators")),
    *((method, f"{_R}/collaborators/{_N}", _of("collaborator")) for method in ("PUT", "DELETE")),
    ("GET", f"{_R}/invitations", _of("list_repo_invitations")),
    ("DELETE", f"{_R}/invitations/{_N}", _of("drop_repo_invitation")),
    ("GET", f"{_R}/keys", _of("list_keys")),
    ("GET", f"{_R}/teams", _of("repo_teams")),
    ("GET", f"{_O}/credential-authorizations", _of("list_credentials")),
    ("DELETE", f"{_O}/credential-authorizations/{_N}", _of("drop_credential")),
    ("GET", f"{_O}/personal-access-tokens", _of("list_fine_grained")),
    ("POST", f"{_O}/personal-access-tokens/{_N}", _of("revoke_fine_grained")),
    ("GET", "/enterprises/[^/]+/consumed-licenses", _of("list_licences")),
    ("GET", _S, _of("list_managed")),
    *((method, f"{_S}/{_N}", _of("managed_user")) for method in ("GET", "PATCH")),
)
