"""Asking systems which accounts the leaver has. Whatever cannot be asked is unknown, never "no account"."""

from __future__ import annotations

import asyncio
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

from partwell.access.connections import Target, limited, open_connector
from partwell.connector_kit.contract import Account, ConnectorError, Entitlement, Identity
from partwell.connector_kit.plan import choose


class Found(StrEnum):
    """What asking a system gave."""

    FOUND = "found"
    NONE = "none"
    AMBIGUOUS = "ambiguous"
    MANUAL = "manual"
    UNREACHABLE = "unreachable"


@dataclass(frozen=True)
class Known:
    """What is on record about a departure's accounts in one system, before asking again."""

    ours: frozenset[str] = frozenset()
    not_ours: frozenset[str] = frozenset()
    matched: frozenset[str] = frozenset()


@dataclass(frozen=True)
class Answer:
    """What one system said. `gone` are accounts that we knew, and that it says do not exist any more."""

    system_id: int
    found: Found
    matched: tuple[Account, ...] = ()
    ambiguous: tuple[Account, ...] = ()
    gone: frozenset[str] = frozenset()
    reason: str = ""

    def as_dict(self) -> dict[str, str]:
        """The shape that a plan keeps."""
        return {"found": self.found.value, "reason": self.reason}


async def ask(target: Target, identities: Sequence[Identity], known: Known = Known()) -> Answer:
    """Ask one system, within its time limit. Never raises; a failure is `UNREACHABLE` with its reason."""
    if "discover" not in target.capabilities:
        return Answer(target.system_id, Found.MANUAL, reason="Nobody but a person can look into this system.")
    try:
        connector = open_connector(target)
        try:
            return await limited(_ask(connector, target, identities, known), target.time_limit_seconds)
        finally:
            await asyncio.wait_for(connector.close(), target.time_limit_seconds)
    except ConnectorError as error:
        return Answer(target.system_id, Found.UNREACHABLE, reason=error.message)
    except Exception as error:
        return Answer(
            target.system_id, Found.UNREACHABLE, reason=f"It could not be left ({type(error).__name__})."
        )


async def ask_with(
    connector: Any, target: Target, identities: Sequence[Identity], known: Known = Known()
) -> Answer:
    """As `ask`, with a connector that is open already."""
    if "discover" not in target.capabilities:
        return Answer(target.system_id, Found.MANUAL, reason="Nobody but a person can look into this system.")
    try:
        return await limited(_ask(connector, target, identities, known), target.time_limit_seconds)
    except ConnectorError as error:
        return Answer(target.system_id, Found.UNREACHABLE, reason=error.message)


async def _ask(connector: Any, target: Target, identities: Sequence[Identity], known: Known) -> Answer:
    matched: dict[str, Account] = {}
    ambiguous: dict[str, Account] = {}
    for identity in identities:
        candidates = await connector.discover(identity)
        ours, unclear = choose(candidates, ours=known.ours, not_ours=known.not_ours)
        matched.update({account.external_id: account for account in ours})
        ambiguous.update({account.external_id: account for account in unclear})
    gone = set()
    # An account keeps its identifier when its address changes: what we knew before is read by that.
    for external_id in sorted((known.matched | known.ours) - set(matched) - set(ambiguous)):
        account = await connector.read(external_id)
        if account is None:
            gone.add(external_id)
        else:
            matched[external_id] = account
    found = Found.AMBIGUOUS if ambiguous else Found.FOUND if matched else Found.NONE
    reason = f"{len(ambiguous)} accounts match; say which is meant." if ambiguous else ""
    return Answer(
        target.system_id,
        found,
        tuple(matched[key] for key in sorted(matched)),
        tuple(ambiguous[key] for key in sorted(ambiguous) if key not in matched),
        frozenset(gone),
        reason,
    )


def account_from(record: Mapping[str, Any]) -> Account:
    """The account as it was last read, from its row's values."""
    return Account(
        external_id=record["external_id"],
        login=record["login"],
        display_name=record["display_name"],
        is_active=record["is_active"],
        matched_by=record["matched_by"],
        entitlements=tuple(Entitlement(**held) for held in record["entitlements"]),
        open_sessions=record["open_sessions"],
        is_protected=record["is_protected"],
    )


def new_accounts(answer: Answer, expected: Collection[str]) -> list[Account]:
    """Accounts that the plan did not know."""
    found = (*answer.matched, *answer.ambiguous)
    return sorted((a for a in found if a.external_id not in expected), key=lambda a: a.external_id)
