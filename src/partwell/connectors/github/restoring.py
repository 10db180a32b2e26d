"""Giving a membership back, from a snapshot. GitHub asks the person: until they accept, it is not there."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from partwell.connector_kit.contract import ConnectorError, ErrorKind, Outcome, Receipt
from partwell.connector_kit.failures import together
from partwell.connectors.github.entitlements import GithubEntitlements
from partwell.connectors.github.people import BY_ADDRESS, GithubPeople, Person, Tie
from partwell.connectors.github.service import GithubService, number_of

INVITED = "They have to accept within seven days; until then they are not in."


class Restoring:
    """What was taken, as a snapshot keeps it, and giving it back."""

    def __init__(
        self, service: GithubService, people: GithubPeople, entitlements: GithubEntitlements
    ) -> None:
        self._service = service
        self._people = people
        self._entitlements = entitlements

    async def state_of(self, person: Person) -> dict[str, Any]:
        """JSON-serialisable."""
        by_kind: dict[str, list[dict[str, str]]] = {"team": [], "organisation role": [], "repository": []}
        for each in await self._entitlements.held(person):
            if each.entitlement.kind in by_kind and not each.kept_because:
                by_kind[each.entitlement.kind].append(
                    {"id": each.entitlement.external_id, "name": each.entitlement.name, "role": each.role}
                )
        teams = by_kind["team"]
        if not person.number and person.invitation.get("id"):
            path = f"{self._people.path}/invitations/{number_of(person.invitation)}/teams"
            teams = [
                {"id": str(number_of(team)), "name": str(team.get("name", "")), "role": "member"}
                for team in await self._service.listed(path)
            ]
        return {
            "tie": person.tie.value,
            "login": person.login,
            "role": person.role,
            "address": str(person.invitation.get("email") or ""),
            "teams": teams,
            "roles": by_kind["organisation role"],
            "repositories": by_kind["repository"],
            "looked_at_repositories": self._entitlements.looks_at_repositories,
        }

    # -- the membership -------------------------------------------------------------------------------

    async def membership(self, external_id: str, state: Mapping[str, Any]) -> Receipt:
        """Invite again, with the role and the teams; outside collaborators to their repositories."""
        person = await self._people.by_id(external_id)
        if person is not None and person.tie is Tie.INVITED and state["tie"] != Tie.INVITED:
            return Receipt(Outcome.ACCEPTED, f"An invitation is out. {INVITED}")
        if person is not None:
            return Receipt(Outcome.ALREADY_DONE, f"It is in the organisation ({person.tie.value}).")
        if state["tie"] == Tie.OUTSIDE:
            return await self._outside(external_id, state)
        body: dict[str, Any] = {}
        if external_id.startswith(BY_ADDRESS):
            body["email"] = state["address"] or external_id.removeprefix(BY_ADDRESS)
        else:
            body["invitee_id"] = int(external_id)
        afresh = {
            **body,
            "role": "admin" if state["role"] == "owner" else "direct_member",
            "team_ids": await self._teams_that_are_left(state),
        }
        path = f"{self._people.path}/invitations"
        if state["tie"] == Tie.MEMBER:
            try:
                # Within three months GitHub itself gives everything back: role, teams, private forks.
                answer = await self._service.call("POST", path, body={**body, "role": "reinstate"})
            except ConnectorError as error:
                if error.kind is not ErrorKind.INVALID:
                    raise
                answer = await self._service.call("POST", path, body=afresh)
        else:
            answer = await self._service.call("POST", path, body=afresh)
        return Receipt(Outcome.ACCEPTED, f"Asked to invite {state['login']}. {INVITED}", answer.request_id)

    async def _teams_that_are_left(self, state: Mapping[str, Any]) -> list[int]:
        there = await self._entitlements.team_slugs()
        return [int(team["id"]) for team in state["teams"] if team["id"] in there]

    async def _outside(self, external_id: str, state: Mapping[str, Any]) -> Receipt:
        if not state["looked_at_repositories"]:
            raise ConnectorError(
                ErrorKind.UNSUPPORTED,
                "To which repositories the outside collaborator had access was not looked at (settings), so "
                "it cannot be given back from here: invite them in GitHub.",
            )
        login = await self._people.login_behind(external_id)
        if login is None:
            raise ConnectorError(ErrorKind.NOT_FOUND, "GitHub has no such account any more.")
        return await self._give_all(
            Person(Tie.OUTSIDE, login, int(external_id)),
            [("repository", each) for each in state["repositories"]],
            {},
        )

    # -- what people hold -----------------------------------------------------------------------------

    async def entitlements(self, external_id: str, state: Mapping[str, Any]) -> Receipt:
        """Roles, teams and direct access that are missing. Adding somebody to a team would invite them, so
        who is not in the organisation is restored to it first."""
        person = await self._people.by_id(external_id)
        if person is None:
            raise ConnectorError(
                ErrorKind.CONFLICT, "It is not in the organisation: restore the membership first."
            )
        held = {
            (each.entitlement.kind.removesuffix(" invitation"), each.entitlement.external_id)
            for each in await self._entitlements.held(person)
        }
        slugs = await self._entitlements.team_slugs()
        order = {number: place for place, number in enumerate(slugs)}
        teams = sorted(state["teams"], key=lambda team: order.get(team["id"], -1))
        wanted = [("organisation role", each) for each in state["roles"]]
        wanted += [("team", each) for each in teams]
        wanted += [("repository", each) for each in state["repositories"]]
        missing = [(kind, each) for kind, each in wanted if (kind, each["id"]) not in held]
        if not missing:
            return Receipt(Outcome.ALREADY_DONE, "It has all of its teams, roles and repositories.")
        return await self._give_all(person, missing, slugs)

    async def _give_all(
        self, person: Person, missing: list[tuple[str, Mapping[str, Any]]], slugs: Mapping[str, str]
    ) -> Receipt:
        """One that refuses does not stop the others."""
        failures: list[tuple[str, ConnectorError]] = []
        is_there = person.tie is not Tie.INVITED
        for kind, thing in missing:
            try:
                is_there &= await self._give(person, kind, thing, slugs)
            except ConnectorError as error:
                failures.append((str(thing["name"]), error))
        if failures:
            done = len(missing) - len(failures)
            raise together(f"{done} of {len(missing)} are done.", failures)
        summary = f"Asked to give back {len(missing)} teams, roles and repositories."
        if is_there:
            return Receipt(Outcome.DONE, summary)
        return Receipt(Outcome.ACCEPTED, f"{summary} {INVITED}")

    async def _give(
        self, person: Person, kind: str, thing: Mapping[str, Any], slugs: Mapping[str, str]
    ) -> bool:
        """Whether it is there at once; else an invitation is out."""
        if kind == "repository":
            return await self._entitlements.give_repository(thing["id"], person.login, thing["role"])
        if kind == "team":
            if thing["id"] not in slugs:
                raise ConnectorError(ErrorKind.NOT_FOUND, "there is no such team any more")
            await self._entitlements.give_team(slugs[thing["id"]], person.login, thing["role"])
            return True
        if person.tie is not Tie.MEMBER:
            raise ConnectorError(ErrorKind.CONFLICT, "roles can be given once the invitation is accepted")
        await self._entitlements.give_role(person.login, thing["id"])
        return True
