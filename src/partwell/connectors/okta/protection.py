"""Which users of an Okta organisation are never touched."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from partwell.connector_kit.contract import ConnectorError, ErrorKind
from partwell.connectors.okta.entitlements import Held, OktaEntitlements, is_super_admin
from partwell.connectors.okta.people import OktaPeople, login_of
from partwell.connectors.okta.service import identifier


class OktaProtection:
    """Partwell's own user, listed ones, the last super administrator, the last in a watched group."""

    def __init__(
        self, people: OktaPeople, entitlements: OktaEntitlements, settings: Mapping[str, Any]
    ) -> None:
        self._people = people
        self._entitlements = entitlements
        self._listed = {name.lower() for name in settings.get("protected", [])}
        self._admin_groups = {name.lower() for name in settings.get("admin_groups", [])}
        self._own_id: str | None = None

    def is_listed(self, user: Mapping[str, Any]) -> bool:
        return bool({identifier(user).lower(), login_of(user).lower()} & self._listed)

    async def refuse(self, user: Mapping[str, Any]) -> None:
        """Raises CONFLICT for a protected user."""
        if reason := await self.why(user, await self._entitlements.held(identifier(user))):
            raise ConnectorError(
                ErrorKind.CONFLICT, f"{login_of(user)} is protected: {reason}. Nothing was changed."
            )

    async def why(self, user: Mapping[str, Any], held: Sequence[Held]) -> str:
        """Why this user is never touched; empty when it may be."""
        user_id = identifier(user)
        if self.is_listed(user):
            return "it is on this connection's list of protected accounts"
        if self._own_id is None:
            self._own_id = await self._people.own_id()
        if user_id == self._own_id:
            return "it is the user whose API token Partwell signs in with"
        if any(is_super_admin(each.raw) for each in held if not each.is_group) and (
            await self._entitlements.is_last_super_admin(user_id)
        ):
            return "it is the last active super administrator"
        watched = [
            each.raw
            for each in held
            if each.is_group
            and {each.entitlement.external_id.lower(), each.entitlement.name.lower()} & self._admin_groups
        ]
        if name := await self._entitlements.last_in(user_id, watched):
            return f"it is the last active member of {name}"
        return ""
