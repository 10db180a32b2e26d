"""Asking every system what somebody has: accounts, groups, sessions, tokens and keys, devices, owned things.

Nothing is changed by it. A system that cannot be asked is named with its reason, and is never "nothing".
"""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from partwell.access.connections import Target, limited, open_connector
from partwell.access.discovery import Found, Known, ask_with
from partwell.access.risks import risk_of
from partwell.access.states import SlaClass
from partwell.connector_kit.contract import Account, ConnectorError, Holding, Identity

# What one page can show of an account; more is counted.
MOST_HOLDINGS = 200


@dataclass(frozen=True)
class SystemAnswer:
    """What one system said. `unknown` says by account why what it holds could not be listed."""

    target: Target
    found: Found
    reason: str = ""
    matched: tuple[Account, ...] = ()
    ambiguous: tuple[Account, ...] = ()
    holdings: Mapping[str, Sequence[Holding]] | None = None
    unknown: Mapping[str, str] | None = None

    def as_dict(self, *, title: str, sla_class: SlaClass | str, now: datetime) -> dict[str, Any]:
        """The shape that a map keeps."""
        return {
            "system": self.target.name,
            "title": title,
            "sla_class": str(sla_class),
            "found": self.found.value,
            "reason": self.reason,
            "lists_holdings": "holdings" in self.target.capabilities,
            "accounts": [self._account(account, sla_class, now) for account in self.matched],
            "ambiguous": [
                {"account": account.external_id, "login": account.login, "name": account.display_name}
                for account in self.ambiguous
            ],
        }

    def _account(self, account: Account, sla_class: SlaClass | str, now: datetime) -> dict[str, Any]:
        holdings = list((self.holdings or {}).get(account.external_id, ()))
        risk = risk_of(account, holdings, sla_class, now=now)
        return {
            "account": account.external_id,
            "login": account.login,
            "name": account.display_name,
            "matched_by": account.matched_by,
            "is_active": account.is_active,
            "is_protected": account.is_protected,
            "nature": account.nature.value,
            "open_sessions": account.open_sessions,
            "last_used_at": account.last_used_at.isoformat() if account.last_used_at else None,
            "entitlements": [
                {"kind": held.kind, "name": held.name, "power": held.power} for held in account.entitlements
            ],
            "holdings": [
                {
                    "kind": held.kind.value,
                    "name": held.name,
                    "last_used_at": held.last_used_at.isoformat() if held.last_used_at else None,
                }
                for held in holdings[:MOST_HOLDINGS]
            ],
            "more_holdings": max(len(holdings) - MOST_HOLDINGS, 0),
            "holdings_unknown": (self.unknown or {}).get(account.external_id, ""),
            "risk": risk.level.name.lower(),
            "reasons": list(risk.reasons),
        }


async def look(target: Target, identities: Sequence[Identity], known: Known) -> SystemAnswer:
    """Ask one system, within its time limit. Never raises."""
    # One that can only take a person's word has nothing to say of its own.
    if not {"discover", "verify"} <= target.capabilities.keys():
        return SystemAnswer(target, Found.MANUAL, "Nobody but a person can look into this system.")
    try:
        connector = open_connector(target, read_only=True)
    except ConnectorError as error:
        return SystemAnswer(target, Found.UNREACHABLE, error.message)
    try:
        answer = await ask_with(connector, target, identities, known)
        holdings, unknown = await _holdings(connector, target, answer.matched)
        return SystemAnswer(
            target, answer.found, answer.reason, answer.matched, answer.ambiguous, holdings, unknown
        )
    finally:
        # What was read stands, whether or not the system lets go of the connection in time.
        await asyncio.gather(limited(connector.close(), target.time_limit_seconds), return_exceptions=True)


async def _holdings(
    connector: Any, target: Target, accounts: Sequence[Account]
) -> tuple[dict[str, Sequence[Holding]], dict[str, str]]:
    holdings: dict[str, Sequence[Holding]] = {}
    unknown: dict[str, str] = {}
    if "holdings" not in target.capabilities:
        return holdings, unknown
    for account in accounts:
        try:
            holdings[account.external_id] = await limited(
                connector.holdings(account.external_id), target.time_limit_seconds
            )
        except ConnectorError as error:
            unknown[account.external_id] = error.message
    return holdings, unknown
