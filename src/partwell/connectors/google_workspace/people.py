"""Users of a Google Workspace: how they are found, and how they are shown.

The search knows aliases and employee numbers, and may lag by a day; an address read directly does not. Both
are asked, what the search finds is read afresh, and everything is compared here as well.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping, Sequence
from typing import Any

from partwell.connector_kit.contract import (
    Account,
    ConnectorError,
    Entitlement,
    ErrorKind,
    Identity,
    Nature,
)
from partwell.connectors.google_workspace.service import DIRECTORY, Google, identifier, moment, segment

USERS = "admin.directory.user"
PAGE_SIZE = 500
# No more of people than is needed: no phone numbers, addresses or birthdays.
FIELDS = (
    "id,primaryEmail,name/fullName,aliases,nonEditableAliases,emails,externalIds,suspended,suspensionReason,"
    "archived,isAdmin,isDelegatedAdmin,isGuestUser,isMailboxSetup,lastLoginTime,recoveryEmail,recoveryPhone,"
    "sshPublicKeys"
)
LISTED = f"kind,nextPageToken,users({FIELDS})"
# Google suspends so by itself; whoever signs in again is let in.
OPENS_BY_ITSELF = "WEB_LOGIN_REQUIRED"


def login_of(user: Mapping[str, Any]) -> str:
    return str(user.get("primaryEmail") or user.get("id") or "")


def is_suspended(user: Mapping[str, Any]) -> bool:
    """Whether an administrator (or Google for good) suspended it."""
    return user.get("suspended") is True and user.get("suspensionReason") != OPENS_BY_ITSELF


def is_shut(user: Mapping[str, Any]) -> bool:
    """Whether nobody signs in: suspended, or archived."""
    return is_suspended(user) or user.get("archived") is True


def status_of(user: Mapping[str, Any]) -> str:
    words = [
        "suspended" if is_suspended(user) else "",
        "archived" if user.get("archived") is True else "",
    ]
    if user.get("suspended") is True and not is_suspended(user):
        words.append("suspended until it signs in again")
    return " and ".join(filter(None, words)) or "active"


def addresses_of(user: Mapping[str, Any]) -> dict[str, str]:
    """Every address of a user, in lower case, with what it is."""
    found = {str(user.get("primaryEmail") or "").lower(): "primaryEmail"}
    for name in ("aliases", "nonEditableAliases"):
        for alias in user.get(name) or []:
            found.setdefault(str(alias).lower(), "alias")
    for each in _rows(user, "emails"):
        found.setdefault(str(each.get("address") or "").lower(), "address")
    found.pop("", None)
    return found


def employee_numbers_of(user: Mapping[str, Any]) -> list[str]:
    """What the firm numbers the person by; other systems' numbers are none of these."""
    numbers = [each for each in _rows(user, "externalIds") if each.get("type") == "organization"]
    return [str(each["value"]) for each in numbers if each.get("value")]


def account_of(
    user: Mapping[str, Any],
    *,
    matched_by: str = "",
    entitlements: tuple[Entitlement, ...] = (),
    is_protected: bool = False,
) -> Account:
    """The user as Partwell shows it. A guest of the domain is somebody's second account."""
    name = user.get("name")
    suspended = user.get("suspended")
    return Account(
        external_id=identifier(user),
        login=login_of(user),
        display_name=str(name.get("fullName") or "") if isinstance(name, Mapping) else "",
        is_active=not is_shut(user) if isinstance(suspended, bool) else None,
        matched_by=matched_by,
        entitlements=entitlements,
        is_protected=is_protected,
        details={"status": status_of(user)},
        emails=tuple(addresses_of(user)),
        employee_number=next(iter(employee_numbers_of(user)), ""),
        last_used_at=moment(user.get("lastLoginTime")),
        nature=Nature.LINKED if user.get("isGuestUser") is True else Nature.PERSON,
    )


class People:
    """The users of one customer; deleted ones are gone. `domains` are ours beside the administrator's."""

    def __init__(self, google: Google, *, domains: Sequence[str] = ()) -> None:
        self._google = google
        self._own = {google.admin.rpartition("@")[2].lower(), *(domain.lower() for domain in domains)}

    async def get(self, user_id: str) -> dict[str, Any] | None:
        """One user afresh by id. Raises RETRYABLE when Google returns another one."""
        user = await self._google.find(
            f"{DIRECTORY}/users/{segment(user_id)}", scope=USERS, params={"fields": FIELDS}
        )
        if user is not None and str(user.get("id")) != user_id:
            raise ConnectorError(
                ErrorKind.RETRYABLE, "Google returned another user than the one that was asked for."
            )
        return user

    async def find(self, identity: Identity) -> list[tuple[dict[str, Any], str]]:
        """Every user whom one fact about the person matches exactly, and which fact that was."""
        found: dict[str, tuple[dict[str, Any], str]] = {}
        names = dict.fromkeys((*identity.emails, *(each for each in identity.usernames if "@" in each)))
        for address in filter(_can_be_asked, names):
            for user in [*await self._searched("email", address), *await self._at(address)]:
                if fact := addresses_of(user).get(address.lower()):
                    found.setdefault(identifier(user), (user, f"{fact} {address}"))
        if _can_be_asked(number := identity.employee_number):
            for user in await self._searched("externalId", number):
                if number.casefold() in map(str.casefold, employee_numbers_of(user)):
                    found.setdefault(identifier(user), (user, f"employee number {number}"))
        return list(found.values())

    async def _searched(self, field: str, value: str) -> list[dict[str, Any]]:
        """What the search finds, each read afresh: its index may still know what has changed."""
        literal = value.replace("\\", "\\\\").replace("'", "\\'")
        listed = await self._listed(f"{field}='{literal}'")
        fresh = [await self.get(identifier(user)) for user in listed]
        return [user for user in fresh if user is not None]

    async def _listed(self, query: str) -> list[dict[str, Any]]:
        params = {"customer": self._google.customer, "query": query, "fields": LISTED}
        return await self._google.all(f"{DIRECTORY}/users", "users", scope=USERS, params=params)

    async def _at(self, address: str) -> list[dict[str, Any]]:
        """The user who has this address, where Google may be asked about it."""
        if "/" in address or len(address) > 320:
            return []
        try:
            user = await self._google.find(
                f"{DIRECTORY}/users/{segment(address)}", scope=USERS, params={"fields": FIELDS}
            )
        except ConnectorError as error:
            # About addresses in domains of others Google says "domain not found", or that we may not ask.
            # The search that went before has shown that we may ask about our own.
            is_ours = address.rpartition("@")[2].lower() in self._own
            if error.kind in (ErrorKind.DENIED, ErrorKind.INVALID) and not is_ours:
                return []
            raise
        return [user] if user else []

    async def successor(self, name: str) -> dict[str, Any]:
        """The one active user known by this address. Raises NOT_FOUND or CONFLICT."""
        found = [user for user, _ in await self.find(Identity(emails=(name,))) if not is_shut(user)]
        if not found:
            raise ConnectorError(ErrorKind.NOT_FOUND, f"{name} has no active account in this Workspace.")
        if len(found) > 1:
            raise ConnectorError(
                ErrorKind.CONFLICT, f"{name} belongs to {len(found)} active accounts; name one by its own."
            )
        return found[0]

    async def everybody(self) -> AsyncIterator[list[dict[str, Any]]]:
        """All users page by page, each once."""
        seen: set[str] = set()
        params = {
            "customer": self._google.customer,
            "maxResults": str(PAGE_SIZE),
            "orderBy": "email",
            "fields": LISTED,
        }
        async for page in self._google.pages(f"{DIRECTORY}/users", "users", scope=USERS, params=params):
            new = {user_id: user for user in page if (user_id := identifier(user)) not in seen}
            seen |= set(new)
            yield list(new.values())

    async def has_other_super_admin(self, user_id: str) -> bool:
        """Whether another active super administrator is left. The search finds, a fresh reading decides."""
        for listed in await self._listed("isAdmin=true"):
            if identifier(listed) == user_id:
                continue
            user = await self.get(identifier(listed))
            if user is not None and user.get("isAdmin") is True and not is_shut(user):
                return True
        return False


def _rows(user: Mapping[str, Any], name: str) -> list[Mapping[str, Any]]:
    rows = user.get(name)
    return [each for each in rows if isinstance(each, Mapping)] if isinstance(rows, list) else []


def _can_be_asked(value: str) -> bool:
    return bool(value.strip()) and value.isprintable()


def ssh_keys_of(user: Mapping[str, Any]) -> list[tuple[str, str]]:
    """Fingerprints and names of the SSH keys in the record, by which Google Cloud lets people in."""
    found = []
    for each in _rows(user, "sshPublicKeys"):
        key = str(each.get("key") or "")
        fingerprint = str(each.get("fingerprint") or key)
        found.append((fingerprint[:200], key.rpartition(" ")[2][:80] or "SSH key"))
    return found
