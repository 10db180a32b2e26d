"""Who belongs to an organisation, and how: members, outside collaborators, people with an open invitation.

An account is known by its number, which stays when the name changes; an invitation to an address that no
account has taken up yet is known by that address.
"""

from __future__ import annotations

import re
from collections.abc import AsyncIterator, Callable, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Any

from partwell.connector_kit.contract import Account, ConnectorError, ErrorKind, Identity, Nature
from partwell.connectors.github.licences import Licences
from partwell.connectors.github.service import GithubService, login_of, number_of, segment

BY_ADDRESS = "email:"
INVITATIONS_LIVE = timedelta(days=7)
_LOGIN = re.compile(r"[A-Za-z0-9][A-Za-z0-9_-]{0,99}")


class Tie(StrEnum):
    """How somebody belongs to the organisation."""

    MEMBER = "member"
    INVITED = "invited"
    OUTSIDE = "outside collaborator"


@dataclass(frozen=True)
class Person:
    """Somebody who belongs to the organisation. `number` is 0 for an address without an account."""

    tie: Tie
    login: str
    number: int = 0
    role: str = "member"
    enterprise_teams: tuple[str, ...] = ()
    is_direct: bool = True
    invitation: Mapping[str, Any] = field(default_factory=dict)
    is_bot: bool = False

    @property
    def external_id(self) -> str:
        return str(self.number) if self.number else f"{BY_ADDRESS}{self.login.lower()}"

    @property
    def open_until(self) -> datetime | None:
        """Until when the invitation can be accepted, if it says."""
        try:
            created_at = datetime.fromisoformat(str(self.invitation.get("created_at", "")))
        except ValueError:
            return None
        return created_at + INVITATIONS_LIVE if created_at.tzinfo else None

    def as_account(self, **more: Any) -> Account:
        """The person as the contract's value, as far as the lists themselves tell."""
        address = str(self.invitation.get("email") or "") if self.tie is Tie.INVITED else ""
        nature = Nature.LINKED if self.tie is Tie.OUTSIDE else Nature.PERSON
        known = {"emails": (address,) if address else ()}
        return Account(
            external_id=self.external_id,
            login=self.login,
            is_active=self.tie is not Tie.INVITED,
            nature=Nature.SERVICE if self.is_bot else nature,
            details={"tie": self.tie.value, "role": self.role},
            **{**known, **more},
        )


class GithubPeople:
    """The people of one organisation."""

    def __init__(
        self, service: GithubService, licences: Licences, organisation: str, *, logins_are_known: bool
    ) -> None:
        self._service = service
        self._licences = licences
        self.organisation = organisation
        self.path = f"/orgs/{segment(organisation)}"
        self._logins_are_known = logins_are_known

    # -- one person -------------------------------------------------------------------------------------

    async def by_login(self, login: str) -> Person | None:
        """Whoever has this name, if they belong to the organisation; names are compared here as well."""
        if not _LOGIN.fullmatch(login):
            return None
        membership = await self._service.find(f"{self.path}/memberships/{segment(login)}")
        if membership is not None:
            person = await self._from_membership(membership)
            return person if person.login.lower() == login.lower() else None
        await self._check_that_members_show()
        for user in await self._service.listed(f"{self.path}/outside_collaborators"):
            if login_of(user).lower() == login.lower():
                return Person(Tie.OUTSIDE, login_of(user), number_of(user), is_bot=_is_bot(user))
        return None

    async def by_id(self, external_id: str) -> Person | None:
        """The person afresh. Raises INVALID for what is not an identifier of ours."""
        if external_id.startswith(BY_ADDRESS):
            address = external_id.removeprefix(BY_ADDRESS)
            return next((p for p in await self.invited() if p.external_id == BY_ADDRESS + address), None)
        login = await self.login_behind(external_id)
        if login is None:
            await self._check_that_members_show()
            return None
        person = await self.by_login(login)
        if person is not None and str(person.number) != external_id:
            raise ConnectorError(ErrorKind.RETRYABLE, "GitHub returned somebody else than was asked for.")
        return person

    async def login_behind(self, external_id: str) -> str | None:
        """The name that the account has now; None when GitHub has no such account."""
        if not (external_id.isascii() and external_id.isdecimal() and len(external_id) < 19):
            raise ConnectorError(ErrorKind.INVALID, "This is not an identifier that GitHub gives.")
        user = await self._service.find(f"/user/{external_id}")
        if user is None:
            return None
        if str(number_of(user)) != external_id:
            raise ConnectorError(ErrorKind.RETRYABLE, "GitHub returned somebody else than was asked for.")
        return login_of(user)

    async def _from_membership(self, membership: Mapping[str, Any]) -> Person:
        user = membership.get("user")
        login = login_of(user)
        teams = membership.get("enterprise_teams_providing_indirect_membership")
        is_pending = membership.get("state") != "active"
        invitation: Mapping[str, Any] = {}
        if is_pending:
            open_ones = await self._service.listed(f"{self.path}/invitations")
            invitation = next(
                (i for i in open_ones if str(i.get("login") or "").lower() == login.lower()), {}
            )
        return Person(
            Tie.INVITED if is_pending else Tie.MEMBER,
            login,
            number_of(user),
            role="owner" if membership.get("role") == "admin" else str(membership.get("role", "member")),
            enterprise_teams=tuple(map(str, teams)) if isinstance(teams, list) else (),
            is_direct=membership.get("direct_membership") is not False,
            invitation=invitation,
            is_bot=_is_bot(user),
        )

    async def _check_that_members_show(self) -> None:
        """GitHub answers 404 also where a token may not look. Every organisation has an owner; a token to
        which none shows proves nothing about anybody."""
        if not await self.owners():
            raise ConnectorError(
                ErrorKind.DENIED,
                f"GitHub shows this token no owner of {self.organisation}, so it hides members: nothing is "
                "concluded. It needs the permission to read members.",
            )

    async def owners(self) -> list[str]:
        """Numbers of all owners."""
        listed = await self._service.listed(f"{self.path}/members", params={"role": "admin"})
        return [str(number_of(user)) for user in listed]

    # -- several ----------------------------------------------------------------------------------------

    async def invited(self) -> list[Person]:
        """People with an open invitation."""
        found = []
        for invitation in await self._service.listed(f"{self.path}/invitations"):
            login, address = invitation.get("login"), invitation.get("email")
            number = 0
            if login:
                user = await self._service.find(f"/users/{segment(str(login))}")
                number = number_of(user) if user else 0
            if login or address:
                role = "owner" if invitation.get("role") == "admin" else "member"
                found.append(
                    Person(Tie.INVITED, str(login or address), number, role=role, invitation=invitation)
                )
        return found

    async def matching(self, identity: Identity) -> list[tuple[Person, str]]:
        """Everybody whom one fact matches exactly, and which fact that was.

        Raises UNSUPPORTED where nobody was found and GitHub could not have told: that is not "no account".
        """
        found: dict[str, tuple[Person, str]] = {}
        for name in dict.fromkeys(identity.usernames):
            if person := await self.by_login(name):
                found.setdefault(person.external_id, (person, f"login {name}"))
        wanted = {address.lower() for address in identity.emails if address.strip()}
        if wanted:
            for person in await self.invited():
                address = str(person.invitation.get("email") or "").lower()
                if address in wanted:
                    found.setdefault(person.external_id, (person, f"invitation to {address}"))
            unknown = await self._by_address(wanted, found)
            if not found and not (self._logins_are_known and identity.usernames) and unknown:
                raise unknown
        return list(found.values())

    async def _by_address(
        self, wanted: set[str], found: dict[str, tuple[Person, str]]
    ) -> ConnectorError | None:
        """Add whom the licence report names by one of these addresses. What is returned says why nothing is
        known of the others."""
        if not self._licences.are_known:
            return ConnectorError(
                ErrorKind.UNSUPPORTED,
                "GitHub does not tell this connection whose address it is, so whether there is an account is "
                "not known. Give people's GitHub names as their user names and set 'logins_are_known', or "
                "connect the enterprise's licence report.",
            )
        try:
            report = await self._licences.addresses()
        except ConnectorError as error:
            if error.kind is not ErrorKind.UNSUPPORTED:
                raise
            return error
        for login, addresses in report.items():
            if (shared := sorted(addresses & wanted)) and (person := await self.by_login(login)):
                found.setdefault(person.external_id, (person, f"address {shared[0]}"))
        return None

    async def everybody(self, is_protected: Callable[..., bool]) -> AsyncIterator[list[Account]]:
        """All members, outside collaborators and invited people, page by page, each once."""
        try:
            addresses = await self._licences.addresses()
        except ConnectorError as error:
            if error.kind is not ErrorKind.UNSUPPORTED:
                raise
            addresses = {}  # people are matched by their names
        seen: set[str] = set()

        def new(people: list[Person]) -> list[Account]:
            fresh = [person for person in people if person.external_id not in seen]
            seen.update(person.external_id for person in fresh)
            accounts = []
            for person in fresh:
                known = tuple(sorted(addresses.get(person.login.lower(), ())))
                listed = is_protected(person.login, person.external_id)
                more = {"emails": known} if known else {}
                accounts.append(person.as_account(is_protected=listed, **more))
            return accounts

        for kind, tie in (("members", Tie.MEMBER), ("outside_collaborators", Tie.OUTSIDE)):
            async for page in self._service.pages(f"{self.path}/{kind}"):
                yield new([Person(tie, login_of(u), number_of(u), is_bot=_is_bot(u)) for u in page])
        yield new(await self.invited())


def _is_bot(user: Any) -> bool:
    return isinstance(user, Mapping) and user.get("type") == "Bot"
