"""Google's sign-in and directory in front of a workspace. `services.py` has what hangs on it."""

from __future__ import annotations

import json
import re
from datetime import UTC, datetime, timedelta
from itertools import count
from typing import Any
from urllib.parse import parse_qs, unquote

import httpx
import jwt

from partwell.connectors.google_workspace.tests.services import Services
from partwell.connectors.google_workspace.tests.wording import (
    ADMIN,
    KEY,
    ROLES,
    SERVICE,
    TOKEN_PATH,
    failure,
    missing,
    pruned,
)
from partwell.connectors.google_workspace.tests.workspace import Workspace
from tests.vendor_discovery import DiscoveryContract, mask_tree

_numbers = count(1)
Answer = httpx.Response
AUTH = "https://www.googleapis.com/auth/"
REFUSED = "Not Authorized to access this resource/api"


class Model(Services):
    """Answers for one workspace."""

    def __init__(self, workspace: Workspace, contract: DiscoveryContract) -> None:
        super().__init__(workspace)
        self.contract = contract

    def answer(self, request: httpx.Request) -> Answer:
        if request.url.path == TOKEN_PATH:
            return self._give_token(request)
        if refusal := self._refuse(request):
            return refusal
        path = unquote(request.url.raw_path.decode().partition("?")[0])
        for method, pattern, name in ROUTES:
            if request.method == method and (found := re.fullmatch(pattern, path)):
                given = getattr(self, name)(request, *found.groups())
                return self._masked(request, given)
        raise AssertionError(f"the model knows no {request.method} {path}")

    def _masked(self, request: httpx.Request, answer: Answer) -> Answer:
        mask = request.url.params.get("fields")
        if mask is None or answer.status_code != 200 or not answer.content:
            return answer
        return Answer(200, json=pruned(answer.json(), mask_tree(mask)))

    def _give_token(self, request: httpx.Request) -> Answer:
        """RFC 7523, as Google takes it for a service account; the discovery documents leave this out."""
        form = {name: values[0] for name, values in parse_qs(request.content.decode()).items()}
        assert str(request.url) == "https://oauth2.googleapis.com/token"
        assert form["grant_type"] == "urn:ietf:params:oauth:grant-type:jwt-bearer"
        assert jwt.get_unverified_header(form["assertion"])["kid"] == "key-1"
        options = {
            "require": ["iss", "sub", "scope", "aud", "exp", "iat"],
            "verify_exp": False,
            "verify_iat": False,
        }
        try:
            claims = jwt.decode(
                form["assertion"],
                KEY.public_key(),
                algorithms=["RS256"],
                audience="https://oauth2.googleapis.com/token",
                issuer=SERVICE,
                options=options,
            )
        except jwt.PyJWTError:
            return Answer(400, json={"error": "invalid_grant", "error_description": "canary"})
        lives = datetime.fromtimestamp(claims["exp"], UTC) - self.workspace.now
        assert timedelta(0) < lives <= timedelta(hours=1)
        scope = claims["scope"].removeprefix(AUTH)
        if not scope or scope not in self.workspace.scopes:
            return Answer(401, json={"error": "unauthorized_client", "error_description": "canary"})
        user = self.user_of(claims["sub"])
        if user is None or (user["suspended"] and not self.workspace.acts_for_suspended):
            return Answer(400, json={"error": "invalid_grant", "error_description": "canary"})
        token = f"access-canary-{next(_numbers)}"
        self.workspace.given[token] = (claims["sub"], scope, self.workspace.now + timedelta(hours=1))
        return Answer(200, json={"access_token": token, "expires_in": 3599, "token_type": "Bearer"})

    def _refuse(self, request: httpx.Request) -> Answer | None:
        token = request.headers.get("authorization", "").removeprefix("Bearer ")
        who, scope, until = self.workspace.given.get(token, ("", "", self.workspace.now))
        if until <= self.workspace.now:
            return failure(401, "authError", "Invalid Credentials")
        if AUTH + scope not in self.contract.scopes(request):
            return failure(403, "insufficientPermissions", "Insufficient Permission")
        if request.headers["host"] == "gmail.googleapis.com":
            assert unquote(request.url.raw_path.decode()).split("/")[4] == who
            user = self.user_of(who)
            assert user is not None
            is_off = user["id"] in self.workspace.without_gmail or not user["isMailboxSetup"]
            if user["suspended"] or user["archived"] or is_off:
                return failure(400, "failedPrecondition", "Mail service not enabled")
        else:
            assert who == ADMIN
        return None

    # -- users ----------------------------------------------------------------------------------------

    def user_of(self, key: str) -> dict[str, Any] | None:
        if key in self.workspace.users:
            return self.workspace.users[key]
        for user in self.workspace.users.values():
            aliases = [*user.get("aliases", []), *user.get("nonEditableAliases", [])]
            if key.lower() in {user["primaryEmail"].lower(), *(alias.lower() for alias in aliases)}:
                return user
        return None

    def read_user(self, request: httpx.Request, key: str) -> Answer:
        if "@" in key and key.rpartition("@")[2].lower() not in self.workspace.domains:
            if self.workspace.says_domain_not_found:
                return failure(404, "notFound", "Domain not found.")
            return failure(403, "forbidden", REFUSED)
        user = self.user_of(key)
        return Answer(200, json=user) if user else missing("userKey")

    def list_users(self, request: httpx.Request) -> Answer:
        params = request.url.params
        assert params["customer"] == "my_customer"
        users = sorted(self.workspace.users.values(), key=lambda user: user["primaryEmail"])
        if query := params.get("query"):
            source = users if self.workspace.stale_index is None else self.workspace.stale_index
            users = [user for user in source if _matches(user, query)]
        return self.page(request, "users", "admin#directory#users", users)

    def change_user(self, request: httpx.Request, key: str) -> Answer:
        user = self.user_of(key)
        if user is None:
            return missing("userKey")
        for name, value in json.loads(request.content).items():
            if name in ("password", "hashFunction", "changePasswordAtNextLogin"):
                continue
            user[name] = value
            if value == "":
                del user[name]
        body = json.loads(request.content)
        if "password" in body:
            assert body["hashFunction"] == "SHA-1"
            assert re.fullmatch("[0-9a-f]{40}", body["password"])
            self.workspace.note("CHANGE_PASSWORD", user)
        if "suspended" in body:
            user.pop("suspensionReason", None)
            if body["suspended"]:
                user["suspensionReason"] = "ADMIN"
        return Answer(200, json=user)

    def delete_user(self, request: httpx.Request, key: str) -> Answer:
        user = self.user_of(key)
        if user is None:
            return missing("userKey")
        del self.workspace.users[user["id"]]
        return Answer(204)

    def sign_out(self, request: httpx.Request, key: str) -> Answer:
        user = self.user_of(key)
        if user is None:
            return missing("userKey")
        self.workspace.note("RESET_SIGNIN_COOKIES", user)
        return Answer(204)

    # -- credentials ----------------------------------------------------------------------------------

    def list_credentials(self, request: httpx.Request, key: str, what: str) -> Answer:
        if key not in self.workspace.users:
            return missing("userKey")
        kinds = {"tokens": "tokenList", "asps": "aspList", "verificationCodes": "verificationCodesList"}
        body: dict[str, Any] = {"kind": f"admin#directory#{kinds[what]}"}
        if what == "verificationCodes":
            held: list[dict[str, Any]] = [
                {"kind": "admin#directory#verificationCode", "verificationCode": code}
                for code in self.workspace.codes.get(key, [])
            ]
        else:
            held = {"tokens": self.workspace.tokens, "asps": self.workspace.asps}[what].get(key, [])
        return Answer(200, json={**body, "items": held} if held else body)

    def drop_credential(self, request: httpx.Request, key: str, what: str, which: str) -> Answer:
        store = {"tokens": self.workspace.tokens, "asps": self.workspace.asps}[what]
        name = {"tokens": "clientId", "asps": "codeId"}[what]
        kept = [each for each in store.get(key, []) if str(each[name]) != which]
        if len(kept) == len(store.get(key, [])):
            return missing(name)
        store[key] = kept
        return Answer(204)

    def drop_codes(self, request: httpx.Request, key: str) -> Answer:
        if self.workspace.users[key]["suspended"]:
            return failure(400, "invalid", "Invalid Input")
        self.workspace.codes.pop(key, None)
        return Answer(204)

    # -- groups and roles -----------------------------------------------------------------------------

    def list_groups(self, request: httpx.Request) -> Answer:
        key = request.url.params["userKey"]
        if key not in self.workspace.users:
            return missing("userKey")
        groups = [group for i, group in self.workspace.groups.items() if key in self.workspace.members[i]]
        return self.page(request, "groups", "admin#directory#groups", groups)

    def _member(self, group_id: str, key: str) -> dict[str, Any]:
        user = self.workspace.users[key]
        return {
            "kind": "admin#directory#member",
            "id": key,
            "email": user["primaryEmail"],
            "type": "USER",
            "status": "SUSPENDED" if user["suspended"] else "ACTIVE",
            **self.workspace.members[group_id][key],
        }

    def list_members(self, request: httpx.Request, group_id: str) -> Answer:
        members = [self._member(group_id, key) for key in self.workspace.members[group_id]]
        return self.page(request, "members", "admin#directory#members", members)

    def member(self, request: httpx.Request, group_id: str, key: str) -> Answer:
        members = self.workspace.members.get(group_id)
        if members is None or key not in members:
            return missing("groupKey" if members is None else "memberKey")
        if request.method == "DELETE":
            del members[key]
            return Answer(204)
        if request.method == "PATCH":
            members[key] |= json.loads(request.content)
        return Answer(200, json=self._member(group_id, key))

    def join(self, request: httpx.Request, group_id: str) -> Answer:
        body = json.loads(request.content)
        members, key = self.workspace.members[group_id], body.pop("id")
        if key in members:
            return failure(409, "duplicate", "Member already exists.")
        members[key] = {"role": "MEMBER", "delivery_settings": "ALL_MAIL", **body}
        return Answer(200, json=self._member(group_id, key))

    def list_assignments(self, request: httpx.Request) -> Answer:
        key = request.url.params["userKey"]
        if key not in self.workspace.users:
            return missing("userKey")
        groups = {i for i, members in self.workspace.members.items() if key in members}
        held = [each for each in self.workspace.assignments.values() if each["assignedTo"] in {key, *groups}]
        return self.page(request, "items", "admin#directory#roleAssignments", held)

    def list_roles(self, request: httpx.Request) -> Answer:
        return self.page(request, "items", "admin#directory#roles", ROLES)

    def assign(self, request: httpx.Request) -> Answer:
        body = json.loads(request.content)
        number = self.workspace.add_role(body.pop("assignedTo"), body.pop("roleId"), **body)
        return Answer(200, json=self.workspace.assignments[number])

    def unassign(self, request: httpx.Request, number: str) -> Answer:
        found = self.workspace.assignments.pop(number, None)
        return Answer(204) if found else missing("roleAssignmentId")


def _matches(user: dict[str, Any], query: str) -> bool:
    """The few queries that the connector asks."""
    if query == "isAdmin=true":
        return bool(user["isAdmin"])
    found = re.fullmatch(r"(email|externalId)='((?:[^'\\]|\\.)*)'", query)
    assert found, query
    wanted = re.sub(r"\\(.)", r"\1", found[2]).lower()
    if found[1] == "externalId":
        return any(each["value"].lower() == wanted for each in user.get("externalIds", []))
    known = [user["primaryEmail"], *user.get("aliases", []), *(each["address"] for each in user["emails"])]
    return wanted in {each.lower() for each in known}


_D, _ID = "/admin/directory/v1", "([^/]+)"
_G, _L = f"/gmail/v1/users/{_ID}/settings", f"/apps/licensing/v1/product/{_ID}/sku/{_ID}/user"
_C = f"{_D}/customer/my_customer"
_T = "/admin/datatransfer/v1/transfers"
ROUTES: tuple[tuple[str, str, str], ...] = (
    ("GET", f"{_D}/users", "list_users"),
    ("GET", f"{_D}/users/{_ID}", "read_user"),
    ("PATCH", f"{_D}/users/{_ID}", "change_user"),
    ("DELETE", f"{_D}/users/{_ID}", "delete_user"),
    ("POST", f"{_D}/users/{_ID}/signOut", "sign_out"),
    ("GET", f"{_D}/users/{_ID}/(tokens|asps|verificationCodes)", "list_credentials"),
    ("DELETE", f"{_D}/users/{_ID}/(tokens|asps)/{_ID}", "drop_credential"),
    ("POST", f"{_D}/users/{_ID}/verificationCodes/invalidate", "drop_codes"),
    ("GET", f"{_D}/groups", "list_groups"),
    ("GET", f"{_D}/groups/{_ID}/members", "list_members"),
    ("POST", f"{_D}/groups/{_ID}/members", "join"),
    *((method, f"{_D}/groups/{_ID}/members/{_ID}", "member") for method in ("GET", "PATCH", "DELETE")),
    ("GET", f"{_C}/roleassignments", "list_assignments"),
    ("POST", f"{_C}/roleassignments", "assign"),
    ("DELETE", f"{_C}/roleassignments/{_ID}", "unassign"),
    ("GET", f"{_C}/roles", "list_roles"),
    ("GET", f"{_C}/devices/(mobile|chromeos)", "list_devices"),
    ("GET", f"{_C}/devices/mobile/{_ID}", "read_device"),
    ("POST", f"{_C}/devices/mobile/{_ID}/action", "act_on_device"),
    ("GET", "/admin/reports/v1/activity/users/all/applications/admin", "read_log"),
    ("GET", _T, "list_transfers"),
    ("POST", _T, "begin_transfer"),
    ("GET", f"{_T}/{_ID}", "read_transfer"),
    *((method, f"{_G}/delegates", "delegates") for method in ("GET", "POST")),
    *((method, f"{_G}/delegates/{_ID}", "delegate") for method in ("GET", "DELETE")),
    *((method, f"{_G}/vacation", "out_of_office") for method in ("GET", "PUT")),
    ("GET", f"{_G}/forwardingAddresses", "forwards"),
    ("DELETE", f"{_G}/forwardingAddresses/{_ID}", "forward"),
    ("POST", _L, "give_licence"),
    *((method, f"{_L}/{_ID}", "licence") for method in ("GET", "DELETE")),
)
