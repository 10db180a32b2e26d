"""What of an account is dangerous when somebody leaves, and in which words. Pure."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import IntEnum

from partwell.access.states import SlaClass
from partwell.connector_kit.contract import Account, Holding, HoldingKind, Nature

# Words in the names of groups and roles that let their members change other people's access or read all: what
# there is to go by where a system does not tell what a group may do.
POWERFUL = re.compile(
    r"(?<![a-z])(admins?|administrators?|owners?|root|sudo|wheel|super ?users?|superuser|privileged|"
    r"break.?glass|poweruser|operators?)(?![a-z])",
    re.IGNORECASE,
)
FORGOTTEN_AFTER = timedelta(days=90)


class Level(IntEnum):
    """How much harm an account can do unattended; the highest first on a page."""

    CLOSED = 0
    ORDINARY = 1
    RAISED = 2
    HIGH = 3


@dataclass(frozen=True)
class Risk:
    """A level, and why."""

    level: Level
    reasons: tuple[str, ...]


def risk_of(
    account: Account, holdings: Sequence[Holding], sla_class: SlaClass | str, *, now: datetime
) -> Risk:
    """The risk of one account in a system of this class, given what it holds."""
    opens = [held for held in holdings if held.kind in (HoldingKind.TOKEN, HoldingKind.KEY)]
    owned = [held for held in holdings if held.kind is HoldingKind.OWNED]
    devices = [held for held in holdings if held.kind is HoldingKind.DEVICE]
    told = [f"{held.name}, because it {held.power}" for held in account.entitlements if held.power]
    named = {h.name for h in account.entitlements if not h.power and POWERFUL.search(h.name)}
    high, raised = [f"The account itself {power}" for power in account.powers], []
    if told:
        high.append(f"Powerful: {_first(told, '; ')}")
    if named:
        high.append(f"Powerful by name: {_first(sorted(named), ', ')}")
    if account.is_protected:
        high.append("Protected: Partwell never cuts it, somebody has to hand it over")
    if opens:
        high.append(_count(len(opens), "token or key opens", "tokens or keys open") + " the door unattended")
    if account.nature is Nature.SERVICE:
        high.append("Runs unattended; something may depend on it")
    if sla_class == SlaClass.CRITICAL:
        raised.append("A critical system")
    if account.open_sessions:
        raised.append(f"{_count(account.open_sessions, 'open session', 'open sessions')}")
    if owned:
        raised.append(f"{_count(len(owned), 'thing needs', 'things need')} a new owner")
    if devices:
        raised.append(_count(len(devices), "device", "devices"))
    if account.nature is Nature.LINKED:
        raised.append("A second account of the same person")
    if _is_forgotten(account, now):
        raised.append("Not used for three months")
    if account.is_active is False and not opens:
        return Risk(Level.CLOSED, ("Inactive", *high, *raised))
    level = Level.HIGH if high else Level.RAISED if raised else Level.ORDINARY
    return Risk(level, (*high, *raised))


def _is_forgotten(account: Account, now: datetime) -> bool:
    return (
        account.is_active is not False
        and account.last_used_at is not None
        and now - account.last_used_at > FORGOTTEN_AFTER
    )


def _first(words: Sequence[str], between: str) -> str:
    return between.join(words[:3]) + (f" and {len(words) - 3} more" if len(words) > 3 else "")


def _count(number: int, one: str, many: str) -> str:
    return f"{number} {one if number == 1 else many}"
