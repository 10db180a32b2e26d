"""Whose user is never touched: Partwell's own, listed ones, and the last administrator."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from partwell.connector_kit.contract import ConnectorError, ErrorKind
from partwell.connectors.aws.credentials import Credentials
from partwell.connectors.aws.policies import Policies
from partwell.connectors.aws.rights import INLINE, Right, Rights
from partwell.connectors.aws.service import Service
from partwell.connectors.aws.users import User


class Protection:
    """The protected users of one connection."""

    def __init__(
        self,
        settings: Mapping[str, Any],
        service: Service,
        credentials: Credentials,
        policies: Policies,
        rights: Rights,
    ) -> None:
        self._service = service
        self._credentials = credentials
        self._policies = policies
        self._rights = rights
        self._protected = {name.casefold() for name in settings.get("protected", [])}
        self._admin_groups = {name.casefold() for name in settings.get("admin_groups", [])}
        self._own_id = ""

    async def refuse(self, user: User) -> None:
        """Raise CONFLICT for a protected user, before anything is written."""
        if reason := await self.why(user):
            raise ConnectorError(
                ErrorKind.CONFLICT, f"{user.name} is protected: {reason}. Nothing was changed."
            )

    async def why(self, user: User, rights: Sequence[Right] | None = None) -> str:
        """The reason why this user is never touched; empty when it may be."""
        if reason := await self.why_listed(user):
            return reason
        if not self._admin_groups:
            return ""
        for right in await self._rights.of(user.name) if rights is None else rights:
            if right.kind == INLINE or not {right.id.casefold(), right.name.casefold()} & self._admin_groups:
                continue
            others = await self._rights.holders(right) - {user.name}
            if not await self._any_active(others):
                return f"it is the last active user with {right.name}"
        return ""

    async def why_listed(self, user: User) -> str:
        """What can be said without asking for rights: listed in the settings, or Partwell's own."""
        if {user.id.casefold(), user.name.casefold(), user.arn.casefold()} & self._protected:
            return "it is on this connection's list of protected users"
        return "Partwell's own access key is this user's" if user.id == await self.own_id() else ""

    async def own_id(self) -> str:
        """The identifier of whoever Partwell's access key belongs to."""
        if not self._own_id:
            self._own_id = str((await self._service.caller()).get("UserId") or "")
        return self._own_id

    async def _any_active(self, user_names: set[str]) -> bool:
        for name in sorted(user_names):
            if (await self._credentials.of(name)).any and not await self._policies.is_denied(name):
                return True
        return False
