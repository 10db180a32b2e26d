"""The GitHub of the tests: members, outside collaborators, invitations."""

from __future__ import annotations

import json
from typing import Any

import httpx

from partwell.connectors.github.tests.state import Answer, State
from partwell.connectors.github.tests.wording import answer


class People(State):
    def list_members(self, request: httpx.Request) -> Answer:
        wanted = request.url.params.get("role", "all")
        everyone = {**dict.fromkeys(self.indirect, "member"), **self.members}
        return self.page(request, [self.user(n) for n, role in everyone.items() if wanted in ("all", role)])

    def membership(self, request: httpx.Request, login: str) -> Answer:
        number = self.by_login(login)
        pending = [i for i, g in self.invitations.items() if (g["login"] or "").lower() == login.lower()]
        is_in = number in self.members or number in self.indirect
        if request.method == "DELETE":
            if not is_in and not pending:
                return self.missing(request)
            for invitation in pending:
                del self.invitations[invitation]
            self._remove(number)
            return answer(204)
        if request.method == "PUT":
            assert number in self.members, "the model's owners do not invite by this door"
            self.members[number] = json.loads(request.content)["role"]
        elif not is_in and not pending:
            return self.missing(request)
        path = "/orgs/{org}/memberships/{username}"
        role = self.members.get(number, "member")
        if not is_in and self.invitations[pending[0]]["role"] == "admin":
            role = "admin"
        return answer(
            200,
            {
                **self.example("get", path),
                "state": "active" if is_in else "pending",
                "role": role,
                "direct_membership": number in self.members or not is_in,
                "enterprise_teams_providing_indirect_membership": self.indirect.get(number, []),
                "user": self.user(number),
            },
        )

    def _remove(self, number: int) -> None:
        if number not in self.members:
            return
        self.former[number] = {
            "role": self.members.pop(number),
            "teams": {t: m.pop(number) for t, m in self.team_members.items() if number in m},
            "roles": {r: u.pop(number) for r, u in self.role_users.items() if number in u},
            "repos": {
                name: repo["collaborators"].pop(number)
                for name, repo in self.repos.items()
                if number in repo["collaborators"]
            },
        }

    def outside(self) -> list[int]:
        found = {n for repo in self.repos.values() for n in repo["collaborators"]}
        return sorted(found - set(self.members) - set(self.indirect))

    def list_outside(self, request: httpx.Request) -> Answer:
        return self.page(request, [self.user(number) for number in self.outside()])

    def remove_outside(self, request: httpx.Request, login: str) -> Answer:
        for repo in self.repos.values():
            repo["collaborators"].pop(self.by_login(login), None)
        return answer(204)

    def invitation(self, number: int) -> dict[str, Any]:
        given = self.invitations[number]
        shown = {key: given[key] for key in ("login", "email", "role", "created_at")}
        example = self.example("get", "/orgs/{org}/invitations")
        return {**example, **shown, "id": number, "team_count": len(given["teams"])}

    def list_invitations(self, request: httpx.Request) -> Answer:
        return self.page(request, [self.invitation(number) for number in self.invitations])

    def create_invitation(self, request: httpx.Request) -> Answer:
        body = json.loads(request.content)
        number = body.get("invitee_id", 0)
        if body["role"] == "reinstate" and number not in self.former:
            return answer(
                422, {"message": "Validation Failed", "documentation_url": "https://docs.github.com"}
            )
        login = self.users[number]["login"] if number else ""
        teams = body.get("team_ids", [])
        made = self.invite(login=login, email=body.get("email", ""), role=body["role"], teams=teams)
        shown = self.invitation(made)
        if self.eager and number:
            self.accept(made)
        return answer(201, shown)

    def drop_invitation(self, request: httpx.Request, number: str) -> Answer:
        return answer(204) if self.invitations.pop(int(number), None) else self.missing(request)

    def invitation_teams(self, request: httpx.Request, number: str) -> Answer:
        return self.page(request, [self.team(team) for team in self.invitations[int(number)]["teams"]])
