"""The users of one homeserver: finding, listing and reading them, and which are never touched."""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

from partwell.connector_kit.contract import (
    Account,
    ConnectorError,
    Entitlement,
    ErrorKind,
    Identity,
    Nature,
)
from partwell.connector_kit.pacing import side_by_side
from partwell.connector_kit.protection import Protection
from partwell.connectors.matrix.service import ADMIN, CLIENT, MatrixService, segment, shapes

User = Mapping[str, Any]
PAGE_SIZE = 100
MAX_PAGES = 10_000
AT_ONCE = 5
UNATTENDED = ("bot", "support")


class People:
    """Users, by the admin API."""

    def __init__(self, service: MatrixService, settings: Mapping[str, Any]) -> None:
        self._service = service
        self._protection = Protection(settings)
        self._own_id = ""

    async def own_id(self) -> str:
        """The user whose token this is; its server is the one that is meant."""
        if not self._own_id:
            found = (await self._service.get(f"{CLIENT}/account/whoami")).get("user_id")
            if not isinstance(found, str) or not found.startswith("@") or ":" not in found:
                raise ConnectorError(ErrorKind.RETRYABLE, "Synapse did not say whose the token is.")
            self._own_id = found
        return self._own_id

    async def read(self, user_id: str) -> User | None:
        """One user afresh. Raises RETRYABLE when Synapse returns another one."""
        user = await self._service.find(f"{ADMIN}/v2/users/{segment(user_id)}")
        if user is not None and user.get("name") != user_id:
            raise ConnectorError(
                ErrorKind.RETRYABLE, "Synapse returned another user than the one that was asked for."
            )
        return user

    async def must_read(self, user_id: str) -> User:
        """Raises NOT_FOUND."""
        user = await self.read(user_id)
        if user is None:
            raise ConnectorError(ErrorKind.NOT_FOUND, "There is no such user on the homeserver.")
        return user

    async def matching(self, identity: Identity) -> list[tuple[User, str]]:
        """Every user whom one fact matches exactly: a user name, with or without the server, or an e-mail
        address that was added to the account."""
        found: dict[str, tuple[User, str]] = {}
        for name in _sensible(identity.usernames):
            for user_id in await self._as_ids(name):
                user = await self.read(user_id)
                if user is not None:
                    found.setdefault(user_id, (user, f"user name {name}"))
        for address in _sensible(identity.emails):
            # Synapse keeps addresses in lower case.
            path = f"{ADMIN}/v1/threepid/email/users/{segment(address.lower())}"
            holder = await self._service.find(path)
            if holder is None:
                continue
            if not isinstance(holder.get("user_id"), str):
                raise ConnectorError(ErrorKind.RETRYABLE, "Synapse found an address, but not whose it is.")
            user = await self.must_read(holder["user_id"])
            if address.lower() not in emails(user):
                raise ConnectorError(
                    ErrorKind.RETRYABLE, "Synapse found an address that the user does not show."
                )
            found.setdefault(str(user["name"]), (user, f"e-mail {address}"))
        return list(found.values())

    async def successor(self, named: str) -> str:
        """The id of the one active user whom an e-mail address or a user name means. Raises INVALID."""
        found = await self.matching(Identity(emails=(named,), usernames=(named,)))
        usable = [user for user, _ in found if not is_shut(user) and user.get("suspended") is not True]
        if len(usable) != 1:
            many = "several active users" if usable else "no active user"
            raise ConnectorError(ErrorKind.INVALID, f"{named} means {many} on the homeserver.")
        return str(usable[0]["name"])

    async def pages(self) -> AsyncIterator[list[Account]]:
        """Everybody, locked and deactivated ones too, each read whole: the list has no addresses in it."""
        start, seen, expected = 0, set[str](), 0
        for _ in range(MAX_PAGES):
            page = await self._page(start)
            users, total = shapes.as_list(page.get("users")), page.get("total")
            names = [_name(user) for user in users]
            if not isinstance(total, int) or total < expected or seen & set(names):
                raise ConnectorError(ErrorKind.RETRYABLE, "The list of users changed while it was read.")
            start, expected, seen = start + len(users), total, seen | set(names)
            if start < total and (not users or page.get("next_token") != str(start)):
                raise ConnectorError(
                    ErrorKind.RETRYABLE, f"Synapse counts {total} users, but its pages end at {start}."
                )
            whole = await side_by_side(self.read, names, at_once=AT_ONCE)
            yield [await self.account(user) for user in whole if user is not None]
            if start >= total:
                return
        raise ConnectorError(ErrorKind.INVALID, f"Synapse returned more than {MAX_PAGES} pages.")

    async def _page(self, start: int, **more: str) -> dict[str, Any]:
        params = {"from": str(start), "limit": str(PAGE_SIZE), "order_by": "creation_ts", **more}
        params = {"deactivated": "true", "locked": "true", "guests": "true", **params}
        return await self._service.get(f"{ADMIN}/v2/users", params)

    # -- what is known of one ---------------------------------------------------------------------------

    async def account(self, user: User, rooms: tuple[Entitlement, ...] = ()) -> Account:
        """The user as an account. Whoever is protected by list, as Partwell's own, or by a room is marked."""
        account = Account(
            external_id=str(user["name"]),
            login=str(user["name"]),
            display_name=str(user.get("displayname") or ""),
            is_active=None if user.get("locked") is None else not is_shut(user),
            entitlements=rooms,
            details={"server administrator": "yes"} if user.get("admin") is True else {},
            emails=tuple(sorted(emails(user))),
            last_used_at=moment(user.get("last_seen_ts")),
            nature=_nature(user),
        )
        if account.external_id == await self.own_id():
            return replace(account, is_protected=True)
        protected = self._protection.mark(self._told_apart(account)).is_protected
        return replace(account, is_protected=protected)

    async def protect(self, account: Account, user: User) -> Account:
        """The account, marked also where it is the last server administrator besides Partwell's own."""
        if account.is_protected or not await self._is_last_administrator(user):
            return account
        return replace(account, is_protected=True)

    async def refuse(self, account: Account, user: User) -> None:
        """Raises CONFLICT for a user who is never touched."""
        self._protection.refuse(self._told_apart(account))
        reason = ""
        if account.external_id == await self.own_id():
            reason = "it is the one that Partwell acts as"
        elif await self._is_last_administrator(user):
            reason = "it is the last active server administrator besides Partwell's own"
        if reason:
            raise ConnectorError(
                ErrorKind.CONFLICT, f"{account.login} is protected: {reason}. Nothing was changed."
            )

    def _told_apart(self, account: Account) -> Account:
        # Anybody may call a room as they like; only its id says which it is.
        rooms = tuple(replace(room, name=room.external_id) for room in account.entitlements)
        short = account.login[1:].partition(":")[0]
        listed = self._protection.mark(replace(account, login=short)).is_protected
        return replace(account, login=short if listed else account.login, entitlements=rooms)

    async def _is_last_administrator(self, user: User) -> bool:
        if user.get("admin") is not True or is_shut(user):
            return False
        start, mine = 0, {str(user["name"]), await self.own_id()}
        for _ in range(MAX_PAGES):
            page = await self._page(start, admins="true", deactivated="false")
            users, total = shapes.as_list(page.get("users")), page.get("total")
            if any(_name(each) not in mine and each.get("locked") is not True for each in users):
                return False
            start += len(users)
            if not isinstance(total, int) or start >= total:
                return True
            if not users:
                break
        raise ConnectorError(ErrorKind.RETRYABLE, "Synapse did not list all of its administrators.")

    async def _as_ids(self, name: str) -> list[str]:
        """`ana` or `@ana:server` as ids of this server: in lower case, and as written, since old users may
        have capitals. None for another server's user, or no user at all."""
        server = (await self.own_id()).partition(":")[2]
        localpart, _, of = name.removeprefix("@").partition(":")
        if "@" in localpart or "/" in localpart or (of and of != server) or not localpart:
            return []
        user_ids = [f"@{each}:{server}" for each in dict.fromkeys((localpart.lower(), localpart))]
        return [user_id for user_id in user_ids if len(user_id.encode()) <= 255]


def is_shut(user: User) -> bool:
    """Whether nobody gets in with this user: locked, or deactivated for good."""
    return user.get("locked") is True or is_deactivated(user)


def is_deactivated(user: User) -> bool:
    return user.get("deactivated") in (True, 1)


def emails(user: User) -> set[str]:
    """The addresses that were added to the account."""
    return {
        str(each.get("address", "")).lower()
        for each in user.get("threepids") or []
        if isinstance(each, Mapping) and each.get("medium") == "email"
    } - {""}


def moment(milliseconds: Any) -> datetime | None:
    """Milliseconds since 1970 as a moment; None where Synapse does not know."""
    if not isinstance(milliseconds, int) or isinstance(milliseconds, bool) or milliseconds <= 0:
        return None
    try:
        return datetime.fromtimestamp(milliseconds / 1000, UTC)
    except (OverflowError, ValueError, OSError):
        return None


def _nature(user: User) -> Nature:
    if user.get("appservice_id") or user.get("user_type") in UNATTENDED:
        return Nature.SERVICE
    return Nature.LINKED if user.get("is_guest") in (True, 1) else Nature.PERSON


def _name(user: User) -> str:
    name = user.get("name")
    if not isinstance(name, str) or not name:
        raise ConnectorError(ErrorKind.RETRYABLE, "Synapse listed a user without an identifier.")
    return name


def _sensible(values: tuple[str, ...]) -> list[str]:
    """Each value once, without those that no server could hold."""
    return [v for v in dict.fromkeys(values) if v.strip() and v.isprintable() and len(v) <= 200]
