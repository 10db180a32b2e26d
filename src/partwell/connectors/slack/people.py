"""Slack's people: how they are found, and how they are shown."""

from __future__ import annotations

import re
from collections.abc import AsyncIterator, Mapping
from typing import Any

from partwell.connector_kit.contract import Account, ConnectorError, Entitlement, ErrorKind, Identity, Nature
from partwell.connectors.slack.provisioning import ENTERPRISE, GUEST, Provisioning, values_of
from partwell.connectors.slack.web import SlackWeb

_ID = re.compile(r"[UW][A-Z0-9]{2,30}")


class People:
    """The people behind one connection. `scim` is None on a plan that has no SCIM."""

    def __init__(self, web: SlackWeb, scim: Provisioning | None) -> None:
        self._web = web
        self._scim = scim

    async def get(self, user_id: str) -> dict[str, Any] | None:
        """One user afresh, as the Web API shows it; None when Slack says that there is none."""
        if not _ID.fullmatch(user_id):
            raise ConnectorError(ErrorKind.INVALID, "This is not an identifier that Slack gives.")
        try:
            content = await self._web.ask("users.info", user=user_id)
        except ConnectorError as error:
            if error.kind is ErrorKind.NOT_FOUND:
                return None
            raise
        user = content.get("user")
        if not isinstance(user, dict) or str(user.get("id")) != user_id:
            raise ConnectorError(ErrorKind.RETRYABLE, "Slack returned another user than the one asked for.")
        return user

    async def find(self, identity: Identity) -> dict[str, str]:
        """Ids of all users that match one fact exactly, each with the fact; deactivated ones among them."""
        found: dict[str, str] = {}
        for mail in identity.emails:
            if user_id := await self._by_email(mail):
                found.setdefault(user_id, f"email {mail}")
        if self._scim is not None:
            wanted = [("emails", mail) for mail in identity.emails]
            wanted += [("userName", name) for name in identity.usernames]
            for attribute, value in wanted:
                for user in await self._scim.find(attribute, value):
                    found.setdefault(str(user["id"]), f"{attribute} {value}")
        elif len(found) < len(identity.emails) or identity.usernames:
            # Only the list of everybody shows deactivated accounts, and names.
            found = await self._walk(identity) | found
        return found

    async def _by_email(self, mail: str) -> str:
        try:
            content = await self._web.ask("users.lookupByEmail", email=mail)
        except ConnectorError as error:
            if error.kind is ErrorKind.NOT_FOUND:
                return ""
            raise
        user = content.get("user")
        matches = isinstance(user, dict) and mail.lower() == email_of(user).lower()
        return str(user["id"]) if matches and isinstance(user, dict) and user.get("id") else ""

    async def _walk(self, identity: Identity) -> dict[str, str]:
        mails = {mail.lower(): mail for mail in identity.emails}
        names = {name.lower(): name for name in identity.usernames}
        found: dict[str, str] = {}
        async for page in self.everybody():
            for user in page:
                if mail := mails.get(email_of(user).lower()):
                    found[str(user["id"])] = f"email {mail}"
                elif name := names.get(str(user.get("name") or "").lower()):
                    found[str(user["id"])] = f"name {name}"
        return found

    async def everybody(self, *, team_id: str = "") -> AsyncIterator[list[dict[str, Any]]]:
        """Everybody in a workspace, page by page; on Enterprise Grid a workspace has to be named."""
        given = {"team_id": team_id} if team_id else {}
        async for page in self._web.pages("users.list", "members", **given):
            yield [user for user in page if isinstance(user, dict) and user.get("id")]


def email_of(user: Mapping[str, Any]) -> str:
    """The address in the profile; bots have none."""
    profile = user.get("profile")
    return str((profile if isinstance(profile, Mapping) else {}).get("email") or "")


def teams_of(user: Mapping[str, Any]) -> list[str]:
    """The workspaces of a user on Enterprise Grid."""
    enterprise = user.get("enterprise_user")
    teams = (enterprise if isinstance(enterprise, Mapping) else {}).get("teams")
    return [str(team) for team in teams] if isinstance(teams, list) else []


def is_guest(user: Mapping[str, Any]) -> bool:
    """A guest of some channels, or of one."""
    return bool(user.get("is_restricted") or user.get("is_ultra_restricted"))


def is_from_elsewhere(user: Mapping[str, Any]) -> bool:
    """Seen by Slack Connect: an account of another organisation."""
    return bool(user.get("is_stranger") or user.get("is_external"))


def nature_of(user: Mapping[str, Any]) -> Nature:
    """A bot runs unattended; a guest, or somebody of another organisation, has the account beside another."""
    if user.get("is_bot") or user.get("id") == "USLACKBOT":
        return Nature.SERVICE
    return Nature.LINKED if is_guest(user) or is_from_elsewhere(user) else Nature.PERSON


def account_of(
    user: Mapping[str, Any],
    *,
    matched_by: str = "",
    entitlements: tuple[Entitlement, ...] = (),
    open_sessions: int | None = None,
    is_protected: bool = False,
    employee_number: str = "",
) -> Account:
    """A user of the Web API as Partwell shows it."""
    mail, deleted = email_of(user), user.get("deleted")
    details = {"type": "guest" if is_guest(user) else "bot" if user.get("is_bot") else "member"}
    if is_from_elsewhere(user):
        details["type"] = "from another organisation (Slack Connect)"
    return Account(
        external_id=str(user["id"]),
        login=str(user.get("name") or user["id"]),
        display_name=str(user.get("real_name") or ""),
        is_active=not deleted if isinstance(deleted, bool) else None,
        matched_by=matched_by,
        entitlements=entitlements,
        open_sessions=open_sessions,
        is_protected=is_protected,
        details=details,
        emails=(mail,) if mail else (),
        employee_number=employee_number,
        nature=nature_of(user),
    )


def employee_number_of(provisioned: Mapping[str, Any] | None) -> str:
    """What the identity provider wrote for the employee number."""
    extension = (provisioned or {}).get(ENTERPRISE)
    return str((extension if isinstance(extension, Mapping) else {}).get("employeeNumber") or "")


def account_of_provisioned(user: dict[str, Any], *, is_protected: bool) -> Account:
    """A user of the SCIM API as Partwell shows it, for lists of everybody."""
    active = user.get("active")
    guest = isinstance(user.get(GUEST), Mapping) and bool(user[GUEST].get("type"))
    return Account(
        external_id=str(user["id"]),
        login=str(user.get("userName") or user["id"]),
        display_name=str(user.get("displayName") or ""),
        is_active=active if isinstance(active, bool) else None,
        is_protected=is_protected,
        details={"type": "guest" if guest else "member"},
        emails=tuple(sorted(values_of(user, "emails"))),
        employee_number=employee_number_of(user),
        nature=Nature.LINKED if guest else Nature.PERSON,
    )
