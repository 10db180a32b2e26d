"""Finding people in Okta, and what a user's record says.

`filter` reads the records themselves, but knows few properties and minds case; `search` knows all and does
not, but lags behind. So both are asked, what they find is read afresh by its id, and compared here as well.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping
from datetime import datetime
from typing import Any

from partwell.connector_kit.contract import Account, ConnectorError, ErrorKind, Identity
from partwell.connectors.okta.service import PAGE_SIZE, OktaService, identifier, quoted, segment

# Nobody signs in from these, until somebody changes the status.
BLOCKED = {"SUSPENDED": "suspended", "DEPROVISIONED": "deactivated", "STAGED": "never activated"}
OPENING = ("ACTIVE", "PROVISIONED")
# The only filter by which Okta lists deactivated users as well.
EVERYBODY = 'lastUpdated gt "1970-01-01T00:00:00.000Z"'


def status_of(user: Mapping[str, Any]) -> str:
    return str(user.get("status", ""))


def is_blocked(user: Mapping[str, Any]) -> bool:
    """Whether the record says that nobody signs in, and no change to the contrary is under way."""
    return status_of(user) in BLOCKED and user.get("transitioningToStatus") not in OPENING


def login_of(user: Mapping[str, Any]) -> str:
    return str(_profile(user).get("login") or user.get("id", ""))


def moment(text: Any) -> datetime | None:
    """A timestamp as Okta writes it; None for none, or for one that cannot be read."""
    try:
        found = datetime.fromisoformat(str(text))
    except ValueError:
        return None
    return found if found.tzinfo else None


def account_of(user: Mapping[str, Any], matched_by: str = "", **more: Any) -> Account:
    """The user as the contract's value, as far as the record itself tells."""
    profile, status = _profile(user), status_of(user)
    names = (profile.get("firstName"), profile.get("lastName"))
    return Account(
        external_id=identifier(user),
        login=login_of(user),
        display_name=str(profile.get("displayName") or " ".join(str(n) for n in names if n)),
        is_active=None if not status else not is_blocked(user),
        matched_by=matched_by,
        details={"status": status} if status else {},
        emails=tuple(str(profile[key]) for key in ("email", "secondEmail") if profile.get(key)),
        employee_number=str(profile.get("employeeNumber") or ""),
        last_used_at=moment(user.get("lastLogin")),
        **more,
    )


class OktaPeople:
    """Users of one Okta organisation."""

    def __init__(self, service: OktaService) -> None:
        self._service = service

    async def read(self, user_id: str) -> dict[str, Any] | None:
        """One user afresh by id. Raises RETRYABLE when Okta returns another one."""
        user = await self._service.find(f"/api/v1/users/{segment(user_id)}", about="users")
        if user is not None and str(user.get("id")) != user_id:
            raise ConnectorError(
                ErrorKind.RETRYABLE, "Okta returned another user than the one that was asked for."
            )
        return user

    async def must_read(self, user_id: str) -> dict[str, Any]:
        """Raises NOT_FOUND."""
        user = await self.read(user_id)
        if user is None:
            raise ConnectorError(ErrorKind.NOT_FOUND, "There is no such user in Okta.")
        return user

    async def own_id(self) -> str:
        """The user whose API token this is; empty for a service app, which is nobody's account."""
        if self._service.credentials.is_service_app:
            return ""
        return str((await self._service.find("/api/v1/users/me", about="users") or {}).get("id", ""))

    async def matching(self, identity: Identity) -> list[tuple[dict[str, Any], str]]:
        """Every user whom one fact about the person matches exactly, and which fact that was."""
        found: dict[str, tuple[dict[str, Any], str]] = {}
        for value in dict.fromkeys((*identity.usernames, *identity.emails)):
            for user in await self._known_as(value, is_name=value in identity.usernames):
                if reason := _why(user, value, is_name=value in identity.usernames):
                    found.setdefault(identifier(user), (user, reason))
        if number := identity.employee_number:
            for user in await self._searched(f"profile.employeeNumber eq {quoted(number)}", number):
                if str(_profile(user).get("employeeNumber", "")).casefold() == number.casefold():
                    found.setdefault(identifier(user), (user, f"employeeNumber {number}"))
        return list(found.values())

    async def _known_as(self, value: str, *, is_name: bool) -> list[dict[str, Any]]:
        if not value.isprintable() or not value.strip():
            return []
        users = []
        # 'me' names whoever asks, and a slash cannot be escaped in Okta's paths: both are left to the filter.
        if "/" not in value and value.casefold() != "me" and value not in (".", "..") and len(value) <= 100:
            user = await self._service.find(f"/api/v1/users/{segment(value)}", about="users")
            users += [user] if user else []
        for spelt in dict.fromkeys((value, value.lower())):
            either = f"profile.login eq {quoted(spelt)} or profile.email eq {quoted(spelt)}"
            users += await self._service.listed(
                "/api/v1/users",
                about="users",
                params={"filter": either, "limit": str(PAGE_SIZE)},
                limit="users",
            )
        if is_name:
            users += await self._searched(f"profile.login eq {quoted(value)}", value)
        else:
            either = f"profile.email eq {quoted(value)} or profile.secondEmail eq {quoted(value)}"
            users += await self._searched(either, value)
        return users

    async def _searched(self, expression: str, value: str) -> list[dict[str, Any]]:
        """What the search finds, each read afresh: its index may still know what has changed."""
        if not value.isprintable():
            return []
        params = {"search": expression, "limit": str(PAGE_SIZE)}
        listed = await self._service.listed("/api/v1/users", about="users", params=params, limit="users")
        fresh = [await self.read(identifier(user)) for user in listed]
        return [user for user in fresh if user is not None]

    async def everybody(self) -> AsyncIterator[list[dict[str, Any]]]:
        """All users page by page, each once, deactivated ones included."""
        seen: set[str] = set()
        params = {"filter": EVERYBODY, "limit": str(PAGE_SIZE)}
        async for page in self._service.pages("/api/v1/users", about="users", params=params, limit="users"):
            new = {user_id: user for user in page if (user_id := identifier(user)) not in seen}
            seen |= set(new)
            yield list(new.values())


def _profile(user: Mapping[str, Any]) -> Mapping[str, Any]:
    profile = user.get("profile")
    return profile if isinstance(profile, Mapping) else {}


def _why(user: Mapping[str, Any], value: str, *, is_name: bool) -> str:
    """By which property `value` is the user's; empty when by none, whatever Okta returned."""
    wanted, profile = value.casefold(), _profile(user)
    login = str(profile.get("login", "")).casefold()
    for name in ("login", "email", "secondEmail"):
        if str(profile.get(name) or "").casefold() == wanted:
            return f"{name} {value}"
    # Okta finds a login by what stands before its @, and only where one user alone has it.
    if is_name and login.partition("@")[0] == wanted:
        return f"login {login_of(user)}"
    return ""
