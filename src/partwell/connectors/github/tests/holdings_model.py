"""The GitHub of the tests: teams, roles, repositories, tokens, and the enterprise."""

from __future__ import annotations

import json
from typing import Any

import httpx

from partwell.connectors.github.tests.state import Answer, State, next_number
from partwell.connectors.github.tests.wording import URL, answer


class Holdings(State):
    # -- teams and roles --------------------------------------------------------------------------------

    def team(self, number: int) -> dict[str, Any]:
        team = self.teams[number]
        example = self.example("get", "/orgs/{org}/teams")
        above = self.team(team["parent"]) if team["parent"] else {}
        parent = {k: v for k, v in above.items() if k not in ("parent", "permissions")} or None
        return {**example, **team, "id": number, "parent": parent}

    def list_teams(self, request: httpx.Request) -> Answer:
        return self.page(request, [self.team(number) for number in self.teams])

    def inside(self, team: int, number: int) -> str:
        """The role in a team, directly or by one below it."""
        if number in self.team_members[team]:
            return self.team_members[team][number]
        below = [child for child, given in self.teams.items() if given["parent"] == team]
        return next((role for child in below if (role := self.inside(child, number))), "")

    def team_membership(self, request: httpx.Request, slug: str, login: str) -> Answer:
        team = next((number for number, given in self.teams.items() if given["slug"] == slug), 0)
        number = self.by_login(login)
        if request.method != "GET" and team in self.synchronised:
            return answer(403)
        if request.method == "DELETE":
            self.team_members[team].pop(number, None)
            return answer(204)
        if request.method == "PUT":
            assert number in self.members, "adding somebody from outside to a team would invite them"
            self.team_members[team][number] = json.loads(request.content)["role"]
        role, state = self.inside(team, number) if team else "", "active"
        invited = [g for g in self.invitations.values() if (g["login"] or "").lower() == login.lower()]
        if not role and any(team in given["teams"] for given in invited):
            role, state = "member", "pending"
        if not role:
            return self.missing(request)
        role = "maintainer" if self.members.get(number) == "admin" else role
        return answer(200, {"url": f"{URL}/teams/{team}/memberships/{login}", "role": role, "state": state})

    def team_people(self, request: httpx.Request, slug: str) -> Answer:
        team = next(number for number, given in self.teams.items() if given["slug"] == slug)
        return self.page(request, [self.user(n) for n in self.members if self.inside(team, n)])

    def list_roles(self, request: httpx.Request) -> Answer:
        example = self.contract.example("get", "/orgs/{org}/organization-roles")["roles"][0]
        roles = [{**example, "id": n, "name": name, "organization": None} for n, name in self.roles.items()]
        return answer(200, {"total_count": len(roles), "roles": roles})

    def role_people(self, request: httpx.Request, role: str) -> Answer:
        users = self.role_users[int(role)]
        return self.page(request, [{**self.user(n), "assignment": how} for n, how in users.items()])

    def role_assignment(self, request: httpx.Request, login: str, role: str) -> Answer:
        number = self.by_login(login)
        if request.method == "PUT":
            if number not in self.members:
                return answer(422)
            self.role_users[int(role)][number] = "direct"
        else:
            self.role_users[int(role)].pop(number, None)
        return answer(204)

    # -- repositories -----------------------------------------------------------------------------------

    def repository(self, name: str) -> dict[str, Any]:
        example = self.example("get", "/orgs/{org}/repos")
        return {**example, "full_name": name, "name": name.partition("/")[2]}

    def list_repos(self, request: httpx.Request) -> Answer:
        return self.page(request, [self.repository(name) for name in self.repos])

    def list_collaborators(self, request: httpx.Request, name: str) -> Answer:
        assert request.url.params["affiliation"] == "direct"
        found = []
        for number, role in self.repos[name]["collaborators"].items():
            rights = {"pull": True, "push": role != "pull", "admin": role == "admin"}
            shown = {k: v for k, v in self.user(number).items() if k not in ("starred_at",)}
            found.append({**shown, "role_name": role, "permissions": rights})
        return self.page(request, found)

    def collaborator(self, request: httpx.Request, name: str, login: str) -> Answer:
        repo, number = self.repos[name], self.by_login(login)
        if request.method == "DELETE":
            repo["collaborators"].pop(number, None)
            return answer(204)
        role = json.loads(request.content)["permission"]
        if number in self.members or self.eager:
            repo["collaborators"][number] = role
            return answer(204)
        made = next_number()
        repo["invitations"][made] = {"invitee": number, "permissions": {"pull": "read"}.get(role, "write")}
        return answer(201, self.repo_invitation(name, made))

    def repo_invitation(self, name: str, number: int) -> dict[str, Any]:
        given = self.repos[name]["invitations"][number]
        example = self.example("get", "/repos/{owner}/{repo}/invitations")
        shown = {"id": number, "invitee": self.user(given["invitee"]), "permissions": given["permissions"]}
        return {**example, **shown, "repository": self.repository(name)}

    def list_repo_invitations(self, request: httpx.Request, name: str) -> Answer:
        return self.page(request, [self.repo_invitation(name, n) for n in self.repos[name]["invitations"]])

    def drop_repo_invitation(self, request: httpx.Request, name: str, number: str) -> Answer:
        self.repos[name]["invitations"].pop(int(number), None)
        return answer(204)

    def list_keys(self, request: httpx.Request, name: str) -> Answer:
        example = self.example("get", "/repos/{owner}/{repo}/keys")
        return self.page(request, [{**example, **key} for key in self.repos[name]["keys"]])

    def repo_teams(self, request: httpx.Request, name: str) -> Answer:
        teams = [{**self.team(t), "permission": "admin"} for t in self.repos[name]["teams"]]
        return self.page(request, teams)

    # -- tokens and the enterprise ----------------------------------------------------------------------

    def list_credentials(self, request: httpx.Request) -> Answer:
        login = request.url.params.get("login", "").lower()
        found = [c for c in self.credentials.values() if login in ("", c["login"].lower())]
        return self.page(request, found)

    def drop_credential(self, request: httpx.Request, number: str) -> Answer:
        return answer(204) if self.credentials.pop(int(number), None) else self.missing(request)

    def list_fine_grained(self, request: httpx.Request) -> Answer:
        example = self.example("get", "/orgs/{org}/personal-access-tokens")
        found = [
            {**example, "id": n, "owner": self.user(given["owner"]), "token_name": given["token_name"]}
            for n, given in self.fine_grained.items()
        ]
        return self.page(request, found)

    def revoke_fine_grained(self, request: httpx.Request, number: str) -> Answer:
        assert json.loads(request.content) == {"action": "revoke"}
        return answer(204) if self.fine_grained.pop(int(number), None) else self.missing(request)

    def list_licences(self, request: httpx.Request) -> Answer:
        page = self.page(request, self.licences)
        body = {
            "total_seats_consumed": len(self.licences),
            "total_seats_purchased": 500,
            "users": page.json(),
        }
        return answer(200, body, **({"link": page.headers["link"]} if "link" in page.headers else {}))

    def list_managed(self, request: httpx.Request) -> Answer:
        start, size = (int(request.url.params.get(name, "1")) for name in ("startIndex", "count"))
        users = list(self.managed.values())
        body = {
            "schemas": ["urn:ietf:params:scim:api:messages:2.0:ListResponse"],
            "totalResults": len(users),
            "startIndex": start,
            "itemsPerPage": min(size, self.page_size),
            "Resources": users[start - 1 : start - 1 + min(size, self.page_size)],
        }
        return answer(200, body, **{"content-type": "application/scim+json"})

    def managed_user(self, request: httpx.Request, scim_id: str) -> Answer:
        user = self.managed.get(scim_id)
        if user is None:
            return self.missing(request)
        if request.method == "PATCH":
            for operation in json.loads(request.content)["Operations"]:
                assert (operation["op"], operation["path"]) == ("replace", "active")
                assert isinstance(operation["value"], bool)
                user["active"] = operation["value"]
        shown = {**user, "groups": user["groups"] if user["active"] else []}
        return answer(200, shown, **{"content-type": "application/scim+json"})
