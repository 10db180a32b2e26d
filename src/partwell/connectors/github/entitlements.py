"""Teams, roles and direct access to repositories: what somebody holds, and giving and taking it.

GitHub's REST API lists none of these by person, so each team, and where the settings say so each repository,
is asked.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from partwell.connector_kit.contract import ConnectorError, Entitlement, ErrorKind
from partwell.connector_kit.pacing import side_by_side
from partwell.connectors.github.people import GithubPeople, Person, Tie
from partwell.connectors.github.service import AT_ONCE, GithubService, as_list, login_of, number_of, segment

OWNER = Entitlement("organisation role", "owner", "Owner")
OUTSIDE = Entitlement("outside collaborator", "organisation", "repositories of the organisation")


@dataclass(frozen=True)
class Held:
    """One team, role or repository. `kept_because` says why it cannot be taken away here, if it cannot."""

    entitlement: Entitlement
    path: str
    role: str = ""
    kept_because: str = ""
    state: str = ""  # "pending" until an invitation is accepted


class GithubEntitlements:
    """What the people of one organisation hold."""

    def __init__(
        self, service: GithubService, people: GithubPeople, *, roles: bool, repositories: bool
    ) -> None:
        self._service = service
        self._people = people
        self._org = people.path
        self._looks_at_roles = roles
        self.looks_at_repositories = repositories

    async def held(self, person: Person) -> list[Held]:
        """What the person holds beside the membership itself."""
        found: list[Held] = []
        if person.role == "owner":
            found.append(Held(OWNER, f"{self._org}/memberships/{segment(person.login)}"))
        if person.tie is not Tie.OUTSIDE and person.number:
            found += await self.teams(person.login)
        if person.tie is Tie.MEMBER and self._looks_at_roles:
            found += await self._roles(person.login)
        if person.number and self.looks_at_repositories:
            found += await self.repositories(person.login)
        elif person.tie is Tie.OUTSIDE:
            found.append(Held(OUTSIDE, f"{self._org}/outside_collaborators/{segment(person.login)}"))
        return found

    # -- teams ------------------------------------------------------------------------------------------

    async def teams(self, login: str) -> list[Held]:
        """Teams, the innermost first: being in one is being in those above it, and goes with it."""
        teams = await self._service.listed(f"{self._org}/teams")
        depths = _depths(teams)

        async def membership(team: Mapping[str, Any]) -> Held | None:
            slug = str(team.get("slug", ""))
            path = self._team_path(slug, login)
            found = await self._service.find(path)
            if found is None:
                return None
            return Held(
                Entitlement("team", str(number_of(team)), str(team.get("name") or slug)),
                path,
                role=str(found.get("role", "member")),
                kept_because="the enterprise manages this team" if team.get("type") == "enterprise" else "",
                state=str(found.get("state", "active")),
            )

        innermost_first = sorted(teams, key=lambda team: -depths[number_of(team)])
        asked = await side_by_side(membership, innermost_first, at_once=AT_ONCE)
        return [held for held in asked if held is not None]

    async def team_slugs(self) -> dict[str, str]:
        """Of every team that there is now, by its number; the innermost first."""
        teams = await self._service.listed(f"{self._org}/teams")
        depths = _depths(teams)
        innermost_first = sorted(teams, key=lambda team: -depths[number_of(team)])
        return {str(number_of(team)): str(team.get("slug", "")) for team in innermost_first}

    async def give_team(self, slug: str, login: str, role: str) -> None:
        """Read first: who is in an inner team is in this one already, and is not added twice."""
        path = self._team_path(slug, login)
        if await self._service.find(path) is None:
            await self._service.call("PUT", path, body={"role": role})

    def _team_path(self, slug: str, login: str) -> str:
        return f"{self._org}/teams/{segment(slug)}/memberships/{segment(login)}"

    # -- roles ------------------------------------------------------------------------------------------

    async def _roles(self, login: str) -> list[Held]:
        listed = await self._service.get(f"{self._org}/organization-roles")
        roles = as_list(listed.get("roles") if isinstance(listed, Mapping) else None)

        async def assignment(role: Mapping[str, Any]) -> Held | None:
            number = number_of(role)
            for user in await self._service.listed(f"{self._org}/organization-roles/{number}/users"):
                if login_of(user).lower() == login.lower():
                    by_team = user.get("assignment") == "indirect"
                    return Held(
                        Entitlement("organisation role", str(number), str(role.get("name") or number)),
                        self._role_path(login, str(number)),
                        kept_because="it comes through a team, and goes with that" if by_team else "",
                    )
            return None

        asked = await side_by_side(assignment, roles, at_once=AT_ONCE)
        return [held for held in asked if held is not None]

    async def give_role(self, login: str, role: str) -> None:
        """Only for members: whom the path names is made one otherwise."""
        if role == OWNER.external_id:
            path, body = f"{self._org}/memberships/{segment(login)}", {"role": "admin"}
            await self._service.call("PUT", path, body=body)
        else:
            await self._service.call("PUT", self._role_path(login, role))

    def _role_path(self, login: str, role: str) -> str:
        return f"{self._org}/organization-roles/users/{segment(login)}/{segment(role)}"

    # -- repositories -----------------------------------------------------------------------------------

    async def names(self) -> list[str]:
        """`owner/name` of each repository."""
        return [_full_name(each) for each in await self._service.listed(f"{self._org}/repos")]

    async def repositories(self, login: str) -> list[Held]:
        """Direct access to single repositories, and open invitations to them."""

        async def access(name: str) -> list[Held]:
            path = repository_path(name)
            found = [
                Held(
                    Entitlement("repository", name, f"{name} ({user.get('role_name', 'access')})"),
                    f"{path}/collaborators/{segment(login)}",
                    role=str(user.get("role_name", "")),
                )
                for user in await self._service.listed(
                    f"{path}/collaborators", params={"affiliation": "direct"}
                )
                if login_of(user).lower() == login.lower()
            ]
            for invitation in await self._service.listed(f"{path}/invitations"):
                invitee = invitation.get("invitee")
                if isinstance(invitee, Mapping) and login_of(invitee).lower() == login.lower():
                    what = f"{name} (invited, {invitation.get('permissions', 'access')})"
                    found.append(
                        Held(
                            Entitlement("repository invitation", name, what),
                            f"{path}/invitations/{number_of(invitation)}",
                            role=str(invitation.get("permissions", "")),
                            state="pending",
                        )
                    )
            return found

        asked = await side_by_side(access, await self.names(), at_once=AT_ONCE)
        return [held for each in asked for held in each]

    async def give_repository(self, name: str, login: str, role: str) -> bool:
        """Whether it was given at once; else an invitation is out."""
        answer = await self._service.call(
            "PUT",
            f"{repository_path(name)}/collaborators/{segment(login)}",
            body={"permission": {"read": "pull", "write": "push"}.get(role, role)},
        )
        return answer.status == 204

    # -- taking away ------------------------------------------------------------------------------------

    async def take(self, person: Person, held: Held) -> str:
        """Take one thing away; the request's id. What is gone already is no failure."""
        if held.entitlement == OWNER:
            answer = await self._service.call("PUT", held.path, body={"role": "member"})
            return answer.request_id
        if held.entitlement.kind == "team" and await self._service.find(held.path) is None:
            return ""  # it went with an inner team
        return await self._service.delete(held.path)


def repository_path(name: str) -> str:
    owner, _, repository = name.partition("/")
    return f"/repos/{segment(owner)}/{segment(repository)}"


def named(held: Sequence[Held]) -> str:
    """What is held, in words, with why it stays where that is known."""
    shown = [
        f"{each.entitlement.name} ({each.kept_because})" if each.kept_because else each.entitlement.name
        for each in held[:10]
    ]
    more = f" and {len(held) - 10} more" if len(held) > 10 else ""
    return "; ".join(shown) + more


def _full_name(repository: Mapping[str, Any]) -> str:
    name = str(repository.get("full_name", ""))
    if name.count("/") != 1:
        raise ConnectorError(ErrorKind.RETRYABLE, "GitHub listed a repository without its name.")
    return name


def _depths(teams: Sequence[Mapping[str, Any]]) -> dict[int, int]:
    """How many teams stand above each."""
    above = {number_of(team): team.get("parent") for team in teams}
    found: dict[int, int] = {}
    for number in above:
        depth, parent = 0, above[number]
        while isinstance(parent, Mapping) and depth < len(above):
            depth, parent = depth + 1, above.get(number_of(parent))
        found[number] = depth
    return found
