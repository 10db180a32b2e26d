"""Which people of an organisation are never touched."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from typing import Any

from partwell.connector_kit.contract import ConnectorError, ErrorKind
from partwell.connectors.github.entitlements import Held
from partwell.connectors.github.people import GithubPeople, Person, Tie
from partwell.connectors.github.service import GithubService, login_of, number_of, segment


class GithubProtection:
    """The owner of Partwell's token, listed people, the last owner, the last in a watched team."""

    def __init__(self, service: GithubService, people: GithubPeople, settings: Mapping[str, Any]) -> None:
        self._service = service
        self._people = people
        self._listed = {name.lower() for name in settings.get("protected", [])}
        self._admin_teams = {name.lower() for name in settings.get("admin_groups", [])}
        self._own_number: str | None = None

    @property
    def watches_teams(self) -> bool:
        return bool(self._admin_teams)

    def is_listed(self, *names: str) -> bool:
        return bool({name.lower() for name in names} & self._listed)

    async def refuse(self, person: Person, held: Sequence[Held]) -> None:
        """Raises CONFLICT for somebody protected."""
        if reason := await self.why(person, held):
            raise ConnectorError(
                ErrorKind.CONFLICT, f"{person.login} is protected: {reason}. Nothing was changed."
            )

    async def why(self, person: Person, held: Sequence[Held]) -> str:
        """Why this person is never touched; empty when they may be."""
        if self.is_listed(person.login, person.external_id):
            return "it is on this connection's list of protected accounts"
        if person.external_id == await self._own():
            return "it is the account whose token Partwell uses"
        if person.tie is Tie.MEMBER and person.role == "owner":
            others = [number for number in await self._people.owners() if number != person.external_id]
            if not others:
                return "it is the last owner of the organisation"
        for each in held:
            if each.entitlement.kind != "team" or each.state == "pending":
                continue
            slug = each.path.rpartition("/memberships/")[0].rpartition("/")[2]
            if {slug, each.entitlement.name.lower()} & self._admin_teams and await self._is_last_in(
                slug, person.login
            ):
                return f"it is the last member of the team {each.entitlement.name}"
        return ""

    async def _own(self) -> str:
        if self._own_number is None:
            is_app = self._service.credentials.is_app
            self._own_number = "" if is_app else str(number_of(await self._service.get("/user")))
        return self._own_number

    async def _is_last_in(self, slug: str, login: str) -> bool:
        path = f"{self._people.path}/teams/{segment(slug)}/members"
        members: Collection[Mapping[str, Any]] = await self._service.listed(path)
        return all(login_of(member).lower() == login.lower() for member in members)
