"""IAM users: how they are found, and read afresh by the identifier that AWS never gives again."""

from __future__ import annotations

import re
from collections.abc import AsyncIterator, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from partwell.connector_kit.contract import ConnectorError, ErrorKind, Identity, Nature
from partwell.connectors.aws.answers import document, moment, rows, text
from partwell.connectors.aws.policies import DENY_ALL, is_deny_all
from partwell.connectors.aws.service import Service

_ID = re.compile(r"[A-Za-z0-9_]{16,128}")
LISTED_AT_ONCE = "1000"
# Each of them takes some eight requests more, and a page has to be read within one call of Partwell.
READ_AT_ONCE = "10"


@dataclass(frozen=True)
class User:
    """One user, as just read. `name` may change, `id` never does."""

    id: str
    name: str
    arn: str
    path: str = "/"
    password_last_used_at: datetime | None = None
    tags: Mapping[str, str] = field(default_factory=dict)
    boundary: str = ""


@dataclass(frozen=True)
class Names:
    """By which tags people are known here, and which users no person signs in with."""

    email_tag: str
    employee_number_tag: str
    service_accounts: frozenset[str]

    @classmethod
    def from_settings(cls, settings: Mapping[str, Any]) -> Names:
        """What the settings say."""
        return cls(
            str(settings.get("email_tag", "email")),
            str(settings.get("employee_number_tag", "employee_number")),
            frozenset(name.casefold() for name in settings.get("service_accounts", [])),
        )

    def emails(self, user: User) -> tuple[str, ...]:
        """The addresses that a user is known by: the tag, and the name where it is an address."""
        known = [user.tags.get(self.email_tag, "").strip(), user.name if "@" in user.name else ""]
        return tuple(dict.fromkeys(mail.lower() for mail in known if mail))

    def employee_number(self, user: User) -> str:
        """What the tag says."""
        return user.tags.get(self.employee_number_tag, "").strip()

    def nature(self, user: User) -> Nature:
        """Whether a person signs in with it; the settings name users or whole paths (`/service/`)."""
        by_path = any(
            each.endswith("/") and user.path.casefold().startswith(each) for each in self.service_accounts
        )
        return Nature.SERVICE if by_path or user.name.casefold() in self.service_accounts else Nature.PERSON

    def matched_by(self, user: User, identity: Identity) -> str:
        """Why this user is that person's, in words; empty when it is not. Exact, but for upper case."""
        mails = {mail.lower(): mail for mail in identity.emails if mail}
        for known in self.emails(user):
            if known in mails:
                return f"e-mail {mails[known]}"
        number = self.employee_number(user)
        if number and number.casefold() == identity.employee_number.casefold():
            return f"employee number {identity.employee_number}"
        names = {name.casefold(): name for name in identity.usernames if name}
        return f"user name {names[user.name.casefold()]}" if user.name.casefold() in names else ""


class Users:
    """The users of one account. Remembers names only to ask less; what it gives was read just now."""

    def __init__(self, service: Service, names: Names) -> None:
        self._service = service
        self._by = names
        self._names: dict[str, str] = {}

    async def get(self, user_id: str) -> User | None:
        """The user with this identifier, or None when the list of all users does not have it."""
        if not _ID.fullmatch(user_id):
            raise ConnectorError(ErrorKind.INVALID, "This is not an identifier that AWS gives a user.")
        if known := self._names.get(user_id):
            user = await self.named(known)
            if user is not None and user.id == user_id:
                return user
        # AWS finds users by name only, and a name may have gone to somebody else.
        name = await self._name_of(user_id)
        if not name:
            return None
        user = await self.named(name)
        if user is None or user.id != user_id:
            raise ConnectorError(
                ErrorKind.RETRYABLE,
                f"AWS lists {name}, and does not show that user when asked: it is changing.",
            )
        return user

    async def named(self, name: str) -> User | None:
        """The user with this name, read afresh."""
        try:
            result = await self._service.ask("GetUser", UserName=name)
        except ConnectorError as error:
            if error.kind is ErrorKind.NOT_FOUND:
                return None
            raise
        user = user_of(result.get("User"))
        self._names[user.id] = user.name
        return user

    async def find(self, identity: Identity) -> dict[str, str]:
        """Ids of all users that match a fact about the person exactly, each with the fact."""
        found: dict[str, str] = {}
        async for page in self.pages(LISTED_AT_ONCE):
            for user, _ in page:
                if reason := self._by.matched_by(user, identity):
                    found[user.id] = reason
        return found

    async def pages(self, size: str = READ_AT_ONCE) -> AsyncIterator[list[tuple[User, bool]]]:
        """Everybody with their tags, and whether Partwell's policy denies them everything."""
        asked = {"Filter": ["User"], "MaxItems": size}
        async for result in self._service.results("GetAccountAuthorizationDetails", **asked):
            page = [(user_of(each), _is_denied(each)) for each in rows(result, "UserDetailList")]
            self._names |= {user.id: user.name for user, _ in page}
            yield page

    async def _name_of(self, user_id: str) -> str:
        async for result in self._service.results("ListUsers", MaxItems=LISTED_AT_ONCE):
            for each in rows(result, "Users"):
                if each.get("UserId") == user_id:
                    return text(each, "UserName")
        return ""


def user_of(given: Any) -> User:
    """A user from what AWS says of it."""
    if not isinstance(given, dict):
        raise ConnectorError(ErrorKind.RETRYABLE, "AWS answered without the user that was asked for.")
    tags = rows(given, "Tags") if "Tags" in given else []
    boundary = given.get("PermissionsBoundary")
    return User(
        id=text(given, "UserId"),
        name=text(given, "UserName"),
        arn=text(given, "Arn"),
        path=str(given.get("Path") or "/"),
        password_last_used_at=moment(given, "PasswordLastUsed"),
        tags={str(tag.get("Key")): str(tag.get("Value") or "") for tag in tags},
        boundary=str(boundary.get("PermissionsBoundaryArn") or "") if isinstance(boundary, dict) else "",
    )


def _is_denied(details: dict[str, Any]) -> bool:
    held = rows(details, "UserPolicyList") if "UserPolicyList" in details else []
    return any(each.get("PolicyName") == DENY_ALL and is_deny_all(document(each)) for each in held)
