"""Users of a tenant: how they are found, and how they are shown."""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping
from datetime import datetime
from typing import Any

from partwell.connector_kit.contract import (
    Account,
    ConnectorError,
    Entitlement,
    ErrorKind,
    Identity,
    Nature,
)
from partwell.connectors.microsoft365.graph import Graph, moment, segment, text

READS_USERS = "User.Read.All"
READS_SIGN_INS = "User.Read.All and AuditLog.Read.All (or 'last_sign_in: false' in the settings)"
FIELDS = (
    "id",
    "displayName",
    "userPrincipalName",
    "mail",
    "otherMails",
    "proxyAddresses",
    "employeeId",
    "accountEnabled",
    "userType",
    "onPremisesSyncEnabled",
    "signInSessionsValidFromDateTime",
    "assignedLicenses",
    "licenseAssignmentStates",
)
# With the time of the last sign-in, Graph gives no larger page.
PAGE_SIZE = 500


class People:
    """The users behind one connection. `last_sign_in` asks when they signed in last, where licensed."""

    def __init__(self, graph: Graph, *, last_sign_in: bool) -> None:
        self._graph = graph
        self._last_sign_in = last_sign_in

    async def get(self, external_id: str) -> dict[str, Any] | None:
        """One user afresh; None when Graph says that there is none."""
        user = await self._graph.get(
            f"/users/{segment(external_id)}", needs=READS_USERS, params={"$select": ",".join(FIELDS)}
        )
        if user is not None and str(user.get("id")) != external_id:
            raise ConnectorError(ErrorKind.RETRYABLE, "Graph returned another user than the one asked for.")
        return user

    async def find(self, identity: Identity) -> list[tuple[dict[str, Any], str]]:
        """All users that match one fact exactly, each with the fact. Compared here as well."""
        asked: list[tuple[str, str, tuple[str, ...]]] = [
            (_mail_filter(mail), mail, MAIL_FACTS) for mail in identity.emails
        ]
        asked += [
            (f"userPrincipalName eq {text(name)}", name, ("userPrincipalName",))
            for name in identity.usernames
        ]
        if number := identity.employee_number:
            asked.append((f"employeeId eq {text(number)}", number, ("employeeId",)))
        found: dict[str, tuple[dict[str, Any], str]] = {}
        for condition, value, facts in asked:
            params = {"$select": ",".join(FIELDS), "$filter": condition, "$count": "true"}
            async for page in self._graph.pages("/users", needs=READS_USERS, params=params, eventual=True):
                for user in page:
                    fact = next((name for name in facts if value.lower() in _values(user, name)), "")
                    if fact and user.get("id"):
                        found.setdefault(str(user["id"]), (user, f"{fact} {value}"))
        return list(found.values())

    async def successor(self, name: str) -> dict[str, Any]:
        """The one active user known by this address or login. Raises NOT_FOUND or CONFLICT."""
        found = [user for user, _ in await self.find(Identity(emails=(name,))) if user.get("accountEnabled")]
        if not found:
            raise ConnectorError(ErrorKind.NOT_FOUND, f"{name} has no active account in this tenant.")
        if len(found) > 1:
            raise ConnectorError(
                ErrorKind.CONFLICT, f"{name} has {len(found)} active accounts; name one login."
            )
        return found[0]

    async def everybody(self) -> AsyncIterator[list[dict[str, Any]]]:
        """All users, page by page, with their last sign-in. That is asked for here alone: it is slow."""
        if self._last_sign_in:
            fields, has_begun = ",".join((*FIELDS, "signInActivity")), False
            params = {"$select": fields, "$top": str(PAGE_SIZE)}
            try:
                async for page in self._graph.pages(
                    "/users", needs=READS_SIGN_INS, params=params, limit="reports"
                ):
                    has_begun = True
                    yield page
                return
            except ConnectorError as error:
                # A tenant without Entra ID P1 answers so, to the first page already.
                if error.kind is not ErrorKind.UNSUPPORTED or has_begun:
                    raise
                self._last_sign_in = False
        params = {"$select": ",".join(FIELDS), "$top": str(PAGE_SIZE)}
        async for page in self._graph.pages("/users", needs=READS_USERS, params=params):
            yield page


MAIL_FACTS = ("mail", "userPrincipalName", "proxyAddresses", "otherMails")


def _mail_filter(mail: str) -> str:
    either = [
        f"mail eq {text(mail)}",
        f"userPrincipalName eq {text(mail)}",
        f"proxyAddresses/any(x:x eq {text('smtp:' + mail)})",
        f"otherMails/any(x:x eq {text(mail)})",
    ]
    return " or ".join(either)


def _values(user: Mapping[str, Any], name: str) -> set[str]:
    value = user.get(name)
    given = value if isinstance(value, list) else [value]
    return {str(each).lower().removeprefix("smtp:") for each in given if each}


def account_of(
    user: Mapping[str, Any],
    *,
    matched_by: str = "",
    entitlements: tuple[Entitlement, ...] = (),
    is_protected: bool = False,
) -> Account:
    """The user as Partwell shows it. A guest is somebody's second account here."""
    mails = {mail for name in MAIL_FACTS for mail in _values(user, name) if "@" in mail}
    enabled = user.get("accountEnabled")
    is_guest = user.get("userType") == "Guest"
    details = {"type": "guest" if is_guest else "member"}
    if is_synced(user):
        details["kept_by"] = "on-premises Active Directory"
    if licences := len(user.get("assignedLicenses") or []):
        details["licences"] = str(licences)
    return Account(
        external_id=str(user["id"]),
        login=str(user.get("userPrincipalName") or user["id"]),
        display_name=str(user.get("displayName") or ""),
        is_active=enabled if isinstance(enabled, bool) else None,
        matched_by=matched_by,
        entitlements=entitlements,
        is_protected=is_protected,
        details=details,
        emails=tuple(sorted(mails)),
        employee_number=str(user.get("employeeId") or ""),
        last_used_at=last_sign_in(user),
        nature=Nature.LINKED if is_guest else Nature.PERSON,
    )


def is_synced(user: Mapping[str, Any]) -> bool:
    """Whether Active Directory on premises is the master of this object."""
    return user.get("onPremisesSyncEnabled") is True


def last_sign_in(user: Mapping[str, Any]) -> datetime | None:
    """The last sign-in of either kind, where Graph told."""
    activity = user.get("signInActivity")
    if not isinstance(activity, Mapping):
        return None
    names = ("lastSignInDateTime", "lastNonInteractiveSignInDateTime", "lastSuccessfulSignInDateTime")
    return max((at for at in (moment(activity.get(name)) for name in names) if at), default=None)
