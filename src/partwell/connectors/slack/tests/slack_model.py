"""Slack's Web API and SCIM 2.0 API over a `Workspace`, for `ScriptedHttp`.

The Web API lets nothing past that Slack's published contract does not know (`web_contract.py`); SCIM nothing
that the models of RFC 7643 and RFC 7644 in scim2-models do not.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any
from urllib.parse import parse_qsl

import httpx
from scim2_models import EnterpriseUser, Group, ListResponse, PatchOp, ScimFilter, User

from partwell.connectors.slack.tests.web_contract import WebContract
from partwell.connectors.slack.tests.workspace import ENTERPRISE, OWN, TEAM, Workspace

TOKEN, SCIM_TOKEN = "xoxp-token-canary", "xoxp-scim-canary"
GUEST = "urn:ietf:params:scim:schemas:extension:slack:guest:2.0:User"
ENTERPRISE_USER = "urn:ietf:params:scim:schemas:extension:enterprise:2.0:User"
LIST = "urn:ietf:params:scim:api:messages:2.0:ListResponse"
SCOPES = {
    "users.info": "users:read",
    "users.list": "users:read",
    "users.lookupByEmail": "users:read.email",
    "usergroups.list": "usergroups:read",
    "usergroups.users.list": "usergroups:read",
    "usergroups.users.update": "usergroups:write",
    "team.integrationLogs": "admin",
    "admin.users.session.list": "admin.users:read",
    "admin.users.session.reset": "admin.users:write",
    "admin.users.setRegular": "admin.users:write",
    "admin.users.setAdmin": "admin.users:write",
    "admin.users.setOwner": "admin.users:write",
    "admin.teams.admins.list": "admin.teams:read",
    "admin.teams.owners.list": "admin.teams:read",
}
ALL_SCOPES = frozenset(SCOPES.values())
Given = dict[str, str]


class Refused(Exception):
    """Slack answers `ok: false` with this reason."""


class SlackModel:
    """Callable as a script of answers. What it does late, or not at all, is set from outside."""

    def __init__(self, workspace: Workspace, contract: WebContract) -> None:
        self.workspace = workspace
        self.scopes = ALL_SCOPES
        self.page_size = 100
        self.resets_at_once = True
        self.ignores_filters = False
        self.deactivates: Callable[[str, bool], None] = workspace.switch
        self.written: list[str] = []
        self.instead: Callable[[httpx.Request], httpx.Response | None] = lambda request: None
        self._contract = contract

    def __call__(self, request: httpx.Request) -> httpx.Response:
        given = self.instead(request)
        if given is not None:
            return given
        return self._scim(request) if request.url.path.startswith("/scim/v2/") else self._web(request)

    # -- Web API --------------------------------------------------------------------------------------

    def _web(self, request: httpx.Request) -> httpx.Response:
        assert request.headers["host"] == "slack.com"
        method = request.url.path.removeprefix("/api/")
        if request.method == "POST":
            assert request.headers["content-type"] == "application/x-www-form-urlencoded"
            arguments = dict(parse_qsl(request.content.decode(), keep_blank_values=True))
        else:
            arguments = dict(parse_qsl(request.url.query.decode(), keep_blank_values=True))
        self._contract.check_request(request.method, method, arguments)
        try:
            content = {"ok": True} | self._answer(request, method, arguments)
        except Refused as refusal:
            content = {"ok": False, "error": str(refusal)}
            if str(refusal) == "missing_scope":
                content |= {"needed": SCOPES[method], "provided": ",".join(sorted(self.scopes))}
        self._contract.check_answer(method, content)
        if request.method == "POST" and content["ok"]:
            self.written.append(method)
        headers = {"x-oauth-scopes": ",".join(sorted(self.scopes)), "x-slack-req-id": "req-1"}
        return httpx.Response(200, json=content, headers=headers)

    def _answer(self, request: httpx.Request, method: str, given: Given) -> dict[str, Any]:
        if request.headers.get("authorization") != f"Bearer {TOKEN}":
            raise Refused("invalid_auth")
        if method != "auth.test" and SCOPES[method] not in self.scopes:
            raise Refused("missing_scope")
        if method.startswith("admin.") and not self.workspace.is_grid:
            raise Refused("feature_not_enabled")
        is_grid_list = method in ("users.list", "usergroups.list", "usergroups.users.list")
        assert not is_grid_list or ("team_id" in given) is self.workspace.is_grid
        answers: dict[str, Any] = getattr(self, "_" + method.replace(".", "_"))(given)
        return answers

    def _auth_test(self, given: Given) -> dict[str, Any]:
        return {
            "url": "https://firm.slack.com/",
            "team": "The Firm",
            "user": "partwell",
            "team_id": TEAM,
            "user_id": OWN,
            "is_enterprise_install": self.workspace.is_grid,
        }

    def _users_info(self, given: Given) -> dict[str, Any]:
        return {"user": self._user(given["user"])}

    def _users_lookupByEmail(self, given: Given) -> dict[str, Any]:
        for user_id, user in self.workspace.users.items():
            if str(user["email"]).lower() == given["email"].lower() and not user["deleted"]:
                return {"user": self._user(user_id)}
        raise Refused("users_not_found")

    def _users_list(self, given: Given) -> dict[str, Any]:
        team = given.get("team_id", TEAM)
        ids = [user_id for user_id, user in self.workspace.users.items() if team in user["teams"]]
        page, following = self._page(ids, given)
        return {"members": [self._user(each) for each in page], "cache_ts": 1, **following}

    def _user(self, user_id: str) -> dict[str, Any]:
        user = self.workspace.users.get(user_id)
        if user is None:
            raise Refused("user_not_found")
        flags = ("is_primary_owner", "is_restricted", "is_ultra_restricted", "is_stranger", "is_bot")
        names = ("real_name", "display_name", "real_name_normalized", "display_name_normalized")
        blank = ("avatar_hash", "title", "phone", "skype", "status_text", "status_emoji")
        shown = {
            "id": user_id,
            "team_id": TEAM,
            "name": user["name"],
            "real_name": user["name"].title(),
            "deleted": user["deleted"],
            "updated": 1,
            "is_app_user": False,
            "is_admin": user["is_admin"] or user["is_owner"],
            "is_owner": user["is_owner"],
            "profile": {name: user["name"].title() for name in names}
            | dict.fromkeys(blank, "")
            | {"fields": None, "email": None if user["is_bot"] else user["email"]},
        }
        if self.workspace.is_grid:
            shown["enterprise_user"] = {
                "id": user_id,
                "enterprise_id": ENTERPRISE,
                "enterprise_name": "The Firm",
                "is_admin": user["org_owner"],
                "is_owner": user["org_owner"],
                "teams": user["teams"],
            }
        return shown | {name: user[name] for name in flags}

    def _usergroups_list(self, given: Given) -> dict[str, Any]:
        team = given.get("team_id", TEAM)
        return {
            "usergroups": [
                self._group(g) for g, group in self.workspace.user_groups.items() if group["team"] == team
            ]
        }

    def _group(self, group_id: str) -> dict[str, Any]:
        group = self.workspace.user_groups[group_id]
        return {
            "id": group_id,
            "team_id": group["team"],
            "is_usergroup": True,
            "is_subteam": True,
            "name": group["name"],
            "description": "",
            "handle": group["name"].lower(),
            "is_external": False,
            "date_create": 1,
            "date_update": 1,
            "date_delete": group["date_delete"],
            "auto_type": None,
            "auto_provision": False,
            "enterprise_subteam_id": "",
            "created_by": OWN,
            "updated_by": OWN,
            "deleted_by": None,
            "prefs": {"channels": [], "groups": []},
            "users": list(group["members"]),
        }

    def _usergroups_users_list(self, given: Given) -> dict[str, Any]:
        if given["usergroup"] not in self.workspace.user_groups:
            raise Refused("no_such_subteam")
        return {"users": list(self.workspace.user_groups[given["usergroup"]]["members"])}

    def _usergroups_users_update(self, given: Given) -> dict[str, Any]:
        if given["usergroup"] not in self.workspace.user_groups:
            raise Refused("no_such_subteam")
        self.workspace.user_groups[given["usergroup"]]["members"] = given["users"].split(",")
        return {"usergroup": self._group(given["usergroup"])}

    def _team_integrationLogs(self, given: Given) -> dict[str, Any]:
        logs = [each for each in self.workspace.logs if each["user_id"] == given["user"]]
        size, page = min(int(given["count"]), self.page_size), int(given["page"])
        paging = {"page": page, "pages": -(-len(logs) // size), "total": len(logs), "count": size}
        return {"logs": logs[(page - 1) * size : page * size], "paging": paging}

    def _admin_users_session_list(self, given: Given) -> dict[str, Any]:
        names = [name for name in ("user_id", "team_id") if name in given]
        shown = [s for s in self.workspace.sessions if all(s[name] == given[name] for name in names)]
        page, following = self._page(shown, given)
        return {"active_sessions": page, **following}

    def _admin_users_session_reset(self, given: Given) -> dict[str, Any]:
        if self.resets_at_once:
            kept = [s for s in self.workspace.sessions if s["user_id"] != given["user_id"]]
            self.workspace.sessions = kept
        return {}

    def _admin_teams_owners_list(self, given: Given) -> dict[str, Any]:
        page, following = self._page(self.workspace.owners[given["team_id"]], given)
        return {"owner_ids": page, **following}

    def _admin_teams_admins_list(self, given: Given) -> dict[str, Any]:
        page, following = self._page(self.workspace.admins[given["team_id"]], given)
        return {"admin_ids": page, **following}

    def _admin_users_setRegular(self, given: Given) -> dict[str, Any]:
        for roles in (self.workspace.owners, self.workspace.admins):
            roles[given["team_id"]] = [each for each in roles[given["team_id"]] if each != given["user_id"]]
        return {}

    def _admin_users_setAdmin(self, given: Given) -> dict[str, Any]:
        self.workspace.admins[given["team_id"]].append(given["user_id"])
        return {}

    def _admin_users_setOwner(self, given: Given) -> dict[str, Any]:
        self.workspace.owners[given["team_id"]].append(given["user_id"])
        return {}

    def _page(self, things: list[Any], given: Given) -> tuple[list[Any], dict[str, Any]]:
        start, size = int(given.get("cursor") or 0), min(int(given["limit"]), self.page_size)
        following = str(start + size) if start + size < len(things) else ""
        return things[start : start + size], {"response_metadata": {"next_cursor": following}}

    # -- SCIM -----------------------------------------------------------------------------------------

    def _scim(self, request: httpx.Request) -> httpx.Response:
        assert request.headers["host"] == "api.slack.com"
        if request.headers.get("authorization") not in (f"Bearer {TOKEN}", f"Bearer {SCIM_TOKEN}"):
            return _scim_error(401)
        if "admin" not in self.scopes:
            return _scim_error(403)
        kind, _, resource = request.url.path.removeprefix("/scim/v2/").partition("/")
        if request.method == "PATCH":
            return self._patch(kind, resource, json.loads(request.content))
        assert (request.method, kind) == ("GET", "Users")
        ids = [
            user_id
            for user_id, user in self.workspace.users.items()
            if user["has_scim"] and not user["is_bot"]
        ]
        if resource:
            return (
                httpx.Response(200, json=self._provisioned(resource)) if resource in ids else _scim_error(404)
            )
        options = dict(parse_qsl(request.url.query.decode()))
        assert set(options) <= {"filter", "startIndex", "count"}
        if "filter" in options and not self.ignores_filters:
            condition = ScimFilter[User](options["filter"])
            ids = [each for each in ids if condition.match(_as_user(self._provisioned(each)))]
        start, size = int(options.get("startIndex", "1")), min(int(options["count"]), self.page_size)
        found = [self._provisioned(each) for each in ids[start - 1 : start - 1 + size]]
        listed = {
            "schemas": [LIST],
            "totalResults": len(ids),
            "startIndex": start,
            "itemsPerPage": len(found),
        }
        ListResponse[User[EnterpriseUser]].model_validate(
            {**listed, "Resources": [_standard(f) for f in found]}
        )
        return httpx.Response(200, json={**listed, "Resources": found})

    def _patch(self, kind: str, resource: str, body: dict[str, Any]) -> httpx.Response:
        PatchOp[{"Users": User, "Groups": Group}[kind]].model_validate(body)  # type: ignore[misc]
        (operation,) = body["Operations"]
        known = self.workspace.users if kind == "Users" else self.workspace.provider_groups
        if resource not in known:
            return _scim_error(404)
        if kind == "Users":
            assert (operation["op"], operation["path"]) == ("replace", "active")
            self.deactivates(resource, operation["value"])
        elif operation["op"] == "add":
            self.workspace.provider_groups[resource]["members"] += [m["value"] for m in operation["value"]]
        else:
            member = operation["path"].removeprefix('members[value eq "').removesuffix('"]')
            self.workspace.provider_groups[resource]["members"].remove(member)
        self.written.append(f"PATCH {kind}")
        return (
            httpx.Response(200, json=self._provisioned(resource)) if kind == "Users" else httpx.Response(204)
        )

    def _provisioned(self, user_id: str) -> dict[str, Any]:
        user = self.workspace.users[user_id]
        groups = self.workspace.provider_groups.items()
        shown: dict[str, Any] = {
            "schemas": ["urn:ietf:params:scim:schemas:core:2.0:User", ENTERPRISE_USER],
            "id": user_id,
            "userName": user["name"],
            "displayName": user["name"].title(),
            "active": user["active"],
            "emails": [{"value": user["email"], "primary": True}],
            "groups": [{"value": g, "display": f["name"]} for g, f in groups if user_id in f["members"]],
            ENTERPRISE_USER: {"employeeNumber": user["employee_number"]},
        }
        if user["is_restricted"] or user["is_ultra_restricted"]:
            shown["schemas"].append(GUEST)
            shown[GUEST] = {"type": "single" if user["is_ultra_restricted"] else "multi"}
        _as_user(shown)
        return shown


def _standard(shown: dict[str, Any]) -> dict[str, Any]:
    """Without Slack's own extension, which scim2-models does not know."""
    kept = {key: value for key, value in shown.items() if key != GUEST}
    return kept | {"schemas": [schema for schema in shown["schemas"] if schema != GUEST]}


def _as_user(shown: dict[str, Any]) -> Any:
    return User[EnterpriseUser].model_validate(_standard(shown))


def _scim_error(status: int) -> httpx.Response:
    schema = "urn:ietf:params:scim:api:messages:2.0:Error"
    return httpx.Response(status, json={"schemas": [schema], "status": str(status), "detail": "no"})
