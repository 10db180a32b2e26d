"""Grants, tokens, devices and factors of a user, and what Okta's log says of ended sessions."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

from partwell.connector_kit.contract import Connection, Holding, HoldingKind
from partwell.connector_kit.pacing import side_by_side
from partwell.connectors.okta.entitlements import name_of
from partwell.connectors.okta.people import moment
from partwell.connectors.okta.service import PAGE_SIZE, OktaService, identifier, quoted, segment

LOG_IS_KEPT = timedelta(days=90)
AT_ONCE = 5


@dataclass(frozen=True)
class Tokens:
    """What opens doors for a user without a sign-in. Refresh tokens are by the client that holds them."""

    grants: list[dict[str, Any]] = field(default_factory=list)
    refresh: dict[str, list[dict[str, Any]]] = field(default_factory=dict)
    api: list[dict[str, Any]] = field(default_factory=list)

    def __str__(self) -> str:
        counted = (
            (len(self.grants), "consent"),
            (sum(map(len, self.refresh.values())), "refresh token"),
            (len(self.api), "API token"),
        )
        return ", ".join(f"{number} {what}{'s' * (number > 1)}" for number, what in counted if number)


class OktaHoldings:
    """What the users of one Okta organisation hold beside groups and roles."""

    def __init__(self, service: OktaService, connection: Connection) -> None:
        self._service = service
        self._connection = connection
        settings = connection.settings
        self.looks_at_api_tokens = bool(settings.get("api_tokens", True))
        self._looks_at_devices = bool(settings.get("devices", True))
        self._looks_at_owners = bool(settings.get("group_owners", False))

    async def tokens(self, user_id: str) -> Tokens:
        """Consents, refresh tokens, and API tokens unless the settings leave them out."""
        user = f"/api/v1/users/{segment(user_id)}"
        size = {"limit": str(PAGE_SIZE)}
        grants = await self._service.listed(f"{user}/grants", about="users", params=size)
        refresh = {}
        for client in await self._service.listed(f"{user}/clients", about="users"):
            client_id = str(client.get("client_id", ""))
            path = f"{user}/clients/{segment(client_id)}/tokens"
            if held := _active(await self._service.listed(path, about="users", params=size)):
                refresh[client_id] = held
        api: list[dict[str, Any]] = []
        if self.looks_at_api_tokens:
            listed = await self._service.listed("/api/v1/api-tokens", about="apiTokens")
            api = [token for token in listed if token.get("userId") == user_id]
        return Tokens(_active(grants), refresh, api)

    async def revoke(self, user_id: str, tokens: Tokens) -> str:
        """Take all of these back; the id of the last request. What is gone already is no failure."""
        user = f"/api/v1/users/{segment(user_id)}"
        paths = [(f"{user}/grants", "users")] if tokens.grants else []
        paths += [(f"{user}/clients/{segment(client)}/tokens", "users") for client in tokens.refresh]
        paths += [(f"/api/v1/api-tokens/{segment(identifier(token))}", "apiTokens") for token in tokens.api]
        request_id = ""
        for path, about in paths:
            request_id = await self._service.delete(path, about=about) or request_id
        return request_id

    async def sessions_ended_at(self, user: Mapping[str, Any]) -> datetime | None:
        """When all sessions were last ended, if no sign-in came after it; from Okta's log.

        Okta lists no sessions. Raises DENIED where the log may not be read.
        """
        signed_in_at = moment(user.get("lastLogin"))
        earliest = self._connection.now() - LOG_IS_KEPT
        since = max(signed_in_at, earliest) if signed_in_at else earliest
        user_id = identifier(user)
        events = await self._service.listed_once(
            "/api/v1/logs",
            about="logs",
            params={
                "filter": f'eventType eq "user.session.clear" and target.id eq {quoted(user_id)}',
                "since": since.strftime("%Y-%m-%dT%H:%M:%S.%f")[:-3] + "Z",
                "sortOrder": "DESCENDING",
                "limit": "20",
            },
        )
        ended = [at for event in events if (at := _ended_at(event, user_id)) is not None]
        latest = max(ended, default=None)
        if latest is None or (signed_in_at is not None and latest < signed_in_at):
            return None
        return latest

    async def all(self, user_id: str) -> list[Holding]:
        """Everything that Okta shows, each with a name that is no secret."""
        user = f"/api/v1/users/{segment(user_id)}"
        tokens = await self.tokens(user_id)
        found = [
            Holding(
                HoldingKind.TOKEN,
                f"grant:{identifier(grant)}",
                f"consent to {grant.get('scopeId', '')} for {grant.get('clientId', 'an application')}",
            )
            for grant in tokens.grants
        ]
        found += [
            Holding(
                HoldingKind.TOKEN,
                f"refresh:{identifier(token)}",
                f"refresh token of {client}",
                details=_facts(token, "created", "expiresAt"),
            )
            for client, held in tokens.refresh.items()
            for token in held
        ]
        found += [
            Holding(
                HoldingKind.TOKEN,
                f"api:{identifier(token)}",
                f"API token '{token.get('name', '')}'",
                details=_facts(token, "created", "lastUpdated", "expiresAt"),
            )
            for token in tokens.api
        ]
        found += [
            Holding(
                HoldingKind.KEY,
                f"factor:{identifier(factor)}",
                f"{factor.get('factorType', 'factor')} ({factor.get('provider', 'unknown')})",
                details=_facts(factor, "status", "created"),
            )
            for factor in await self._service.listed(f"{user}/factors", about="users")
        ]
        found += [
            Holding(
                HoldingKind.KEY,
                f"app:{link.get('appAssignmentId', '')}:{identifier(link)}",
                f"opens {link.get('label') or link.get('appName', 'an application')}",
                details=_facts(link, "appName"),
            )
            for link in await self._service.listed(f"{user}/appLinks", about="users")
        ]
        return found + await self._devices(user) + await self._owned_groups(user_id)

    async def _devices(self, user: str) -> list[Holding]:
        if not self._looks_at_devices:
            return []
        found = []
        for link in await self._service.listed(f"{user}/devices", about="users", limit="devices"):
            device = link.get("device")
            device = device if isinstance(device, dict) else {}
            profile = device.get("profile")
            profile = profile if isinstance(profile, dict) else {}
            name = str(profile.get("displayName") or profile.get("model") or "a device")
            details = _facts(
                {**profile, "status": device.get("status")}, "platform", "status", "serialNumber"
            )
            found.append(
                Holding(
                    HoldingKind.DEVICE,
                    f"device:{device.get('id') or link.get('deviceUserId')}",
                    name,
                    details=details,
                )
            )
        return found

    async def _owned_groups(self, user_id: str) -> list[Holding]:
        """Groups whose owner this is. Okta lists owners by group only, so every group is asked."""
        if not self._looks_at_owners:
            return []
        groups = await self._service.listed(
            "/api/v1/groups", about="groups", params={"limit": str(PAGE_SIZE)}, limit="groups"
        )

        async def is_owner(group: Mapping[str, Any]) -> bool:
            path = f"/api/v1/groups/{segment(identifier(group))}/owners"
            owners = await self._service.listed(path, about="groups", params={"limit": str(PAGE_SIZE)})
            return any(owner.get("id") == user_id for owner in owners)

        owned = await side_by_side(is_owner, groups, at_once=AT_ONCE)
        return [
            Holding(HoldingKind.OWNED, f"group:{identifier(group)}", f"owner of the group {name_of(group)}")
            for group, is_owned in zip(groups, owned, strict=True)
            if is_owned
        ]


def _active(things: list[dict[str, Any]]) -> list[dict[str, Any]]:
    return [each for each in things if each.get("status", "ACTIVE") == "ACTIVE"]


def _facts(thing: Mapping[str, Any], *names: str) -> dict[str, str]:
    return {name: str(thing[name]) for name in names if thing.get(name)}


def _ended_at(event: Mapping[str, Any], user_id: str) -> datetime | None:
    """When this event ended the user's sessions; compared here, as a filter may be ignored."""
    outcome, targets = event.get("outcome"), event.get("target")
    is_it = (
        event.get("eventType") == "user.session.clear"
        and isinstance(outcome, Mapping)
        and outcome.get("result") == "SUCCESS"
        and isinstance(targets, list)
        and any(isinstance(target, Mapping) and target.get("id") == user_id for target in targets)
    )
    return moment(event.get("published")) if is_it else None
