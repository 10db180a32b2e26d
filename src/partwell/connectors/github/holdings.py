"""Tokens and keys with which somebody reaches an organisation, and what is theirs in it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from partwell.connector_kit.contract import Holding, HoldingKind
from partwell.connector_kit.pacing import side_by_side
from partwell.connectors.github.entitlements import GithubEntitlements, repository_path
from partwell.connectors.github.people import Person, Tie
from partwell.connectors.github.service import AT_ONCE, GithubService, login_of, number_of

SEES_NO_TOKENS = (
    "This connection can see no tokens: SAML's authorisations need the setting 'saml', fine-grained tokens a "
    "GitHub App. Removing the person ends what their tokens reach in the organisation."
)


@dataclass(frozen=True)
class Tokens:
    """Authorisations of tokens and keys for single sign-on, and fine-grained tokens with access."""

    authorisations: list[dict[str, Any]] = field(default_factory=list)
    fine_grained: list[dict[str, Any]] = field(default_factory=list)

    def __str__(self) -> str:
        counted = (
            (len(self.authorisations), "single sign-on authorisation"),
            (len(self.fine_grained), "fine-grained token"),
        )
        return ", ".join(f"{number} {what}{'s' * (number > 1)}" for number, what in counted if number)


class GithubHoldings:
    """What the people of one organisation hold beside teams and roles."""

    def __init__(
        self, service: GithubService, entitlements: GithubEntitlements, org: str, *, saml: bool
    ) -> None:
        self._service = service
        self._entitlements = entitlements
        self._org = org
        self._has_saml = saml
        self._sees_fine_grained = service.credentials.is_app

    @property
    def sees_tokens(self) -> bool:
        return self._has_saml or self._sees_fine_grained

    @property
    def unseen(self) -> str:
        """In words, which tokens this connection cannot see; empty when it sees all that GitHub shows."""
        hidden = [] if self._has_saml else ["what SAML authorised"]
        hidden += [] if self._sees_fine_grained else ["fine-grained tokens"]
        return f" Not looked at (settings): {' and '.join(hidden)}." if hidden else ""

    async def tokens(self, login: str) -> Tokens:
        """What GitHub shows of it. Classic tokens without SAML are not shown by anything."""
        wanted = login.lower()
        authorisations: list[dict[str, Any]] = []
        fine_grained: list[dict[str, Any]] = []
        if self._has_saml:
            path = f"{self._org}/credential-authorizations"
            listed = await self._service.listed(path, params={"login": login})
            authorisations = [each for each in listed if login_of(each).lower() == wanted]
        if self._sees_fine_grained:
            # The contract writes the filter by owner in two ways, so all are read and compared here.
            listed = await self._service.listed(f"{self._org}/personal-access-tokens")
            fine_grained = [each for each in listed if login_of(each.get("owner")).lower() == wanted]
        return Tokens(authorisations, fine_grained)

    async def revoke(self, tokens: Tokens) -> str:
        """Take all of these back; the id of the last request."""
        request_id = ""
        for each in tokens.authorisations:
            path = f"{self._org}/credential-authorizations/{_credential(each)}"
            request_id = await self._service.delete(path) or request_id
        for each in tokens.fine_grained:
            path = f"{self._org}/personal-access-tokens/{number_of(each)}"
            answer = await self._service.call("POST", path, body={"action": "revoke"})
            request_id = answer.request_id or request_id
        return request_id

    async def all(self, person: Person) -> list[Holding]:
        """Everything that GitHub shows, each with a name that is no secret."""
        if not person.number:
            return []
        tokens = await self.tokens(person.login)
        found = [_authorisation(each) for each in tokens.authorisations]
        found += [_fine_grained(each) for each in tokens.fine_grained]
        if person.tie is not Tie.OUTSIDE:
            found += [
                Holding(
                    HoldingKind.OWNED,
                    f"team:{held.entitlement.external_id}",
                    f"maintainer of the team {held.entitlement.name}",
                )
                for held in await self._entitlements.teams(person.login)
                if held.role == "maintainer"
            ]
        if self._entitlements.looks_at_repositories:
            names = await self._entitlements.names()

            async def of_one(name: str) -> list[Holding]:
                return await self._in_repository(name, person.login)

            for held in await side_by_side(of_one, names, at_once=AT_ONCE):
                found += held
        return found

    async def _in_repository(self, name: str, login: str) -> list[Holding]:
        path = repository_path(name)
        found = [
            Holding(
                HoldingKind.KEY,
                f"deploy-key:{number_of(key)}",
                f"deploy key '{key.get('title', '')}' of {name}",
                last_used_at=_moment(key.get("last_used")),
                details={"may": "read" if key.get("read_only") else "write"},
            )
            for key in await self._service.listed(f"{path}/keys")
            if str(key.get("added_by") or "").lower() == login.lower()
        ]
        direct = await self._service.listed(f"{path}/collaborators", params={"affiliation": "direct"})
        admins = {login_of(user).lower() for user in direct if _is_admin(user)}
        if admins == {login.lower()} and not any(
            team.get("permission") == "admin" for team in await self._service.listed(f"{path}/teams")
        ):
            owned = f"{name}, of which nobody else but the owners is an administrator"
            found.append(Holding(HoldingKind.OWNED, f"repository:{name}", owned))
        return found


def _authorisation(each: Mapping[str, Any]) -> Holding:
    kind = str(each.get("credential_type", "credential"))
    title = each.get("authorized_credential_title") or each.get("authorized_credential_note") or ""
    return Holding(
        HoldingKind.KEY if kind == "SSH key" else HoldingKind.TOKEN,
        f"sso:{_credential(each)}",
        f"{kind} '{title}'" if title else kind,
        last_used_at=_moment(each.get("credential_accessed_at")),
        details=_facts(each, "credential_authorized_at", "authorized_credential_expires_at"),
    )


def _fine_grained(each: Mapping[str, Any]) -> Holding:
    return Holding(
        HoldingKind.TOKEN,
        f"token:{number_of(each)}",
        f"fine-grained token '{each.get('token_name', '')}'",
        last_used_at=_moment(each.get("token_last_used_at")),
        details=_facts(each, "repository_selection", "token_expires_at"),
    )


def _credential(each: Mapping[str, Any]) -> int:
    return number_of({"id": each.get("credential_id")})


def _is_admin(user: Mapping[str, Any]) -> bool:
    permissions = user.get("permissions")
    return user.get("role_name") == "admin" or bool(
        isinstance(permissions, Mapping) and permissions.get("admin")
    )


def _facts(thing: Mapping[str, Any], *names: str) -> dict[str, str]:
    return {name: str(thing[name]) for name in names if thing.get(name)}


def _moment(text: Any) -> datetime | None:
    try:
        found = datetime.fromisoformat(str(text))
    except ValueError:
        return None
    return found if found.tzinfo else None
