"""Whom a connection never touches, where the target cannot say who its last administrator is."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from partwell.connector_kit.values import Account, ConnectorError, ErrorKind


class Protection:
    """The settings `protected` (logins or ids) and `admin_groups` (names or ids of groups, whose members are
    all kept, as they cannot be counted)."""

    def __init__(self, settings: Mapping[str, Any]) -> None:
        self._protected = {name.casefold() for name in settings.get("protected", [])}
        self._admin_groups = {name.casefold() for name in settings.get("admin_groups", [])}

    def mark(self, account: Account) -> Account:
        """The account, with what is known of its protection."""
        return replace(account, is_protected=True) if self._why(account) else account

    def refuse(self, account: Account) -> None:
        """Raises CONFLICT for an account that is never touched."""
        if reason := self._why(account):
            raise ConnectorError(
                ErrorKind.CONFLICT, f"{account.login} is protected: {reason}. Nothing was changed."
            )

    def _why(self, account: Account) -> str:
        if {account.external_id.casefold(), account.login.casefold()} & self._protected:
            return "it is on this connection's list of protected accounts"
        for group in account.entitlements:
            if {group.name.casefold(), group.external_id.casefold()} & self._admin_groups:
                return f"it is an administrator in {group.name}"
        return ""
