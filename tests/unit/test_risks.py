"""What of an account is dangerous, in words."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from partwell.access.risks import FORGOTTEN_AFTER, Level, risk_of
from partwell.connector_kit.contract import Account, Entitlement, Holding, HoldingKind, Nature

NOW = datetime(2026, 11, 25, tzinfo=UTC)
PLAIN = Account("1", "ada", is_active=True)


def group(name: str) -> Account:
    return replace(PLAIN, entitlements=(Entitlement("group", "g", name),))


@pytest.mark.parametrize(
    "name", ["Domain Admins", "admin", "super-user admins", "wheel", "Owners", "db_owner", "BreakGlass"]
)
def test_a_group_that_rules_others_is_high(name: str) -> None:
    risk = risk_of(group(name), [], "normal", now=NOW)
    assert risk.level is Level.HIGH and name in risk.reasons[0]


def test_a_group_is_judged_by_what_it_may_do_and_the_reason_says_why() -> None:
    helpdesk = Entitlement("group", "g", "it-helpdesk", power="is in Domain Admins")
    admins = Entitlement("nested_group", "a", "Domain Admins", power="administers the domain")
    risk = risk_of(replace(PLAIN, entitlements=(helpdesk, admins)), [], "normal", now=NOW)
    assert risk.level is Level.HIGH
    # What it may do is told, so that its name adds nothing.
    assert risk.reasons == (
        "Powerful: it-helpdesk, because it is in Domain Admins; "
        "Domain Admins, because it administers the domain",
    )
    many = tuple(replace(helpdesk, name=f"g{number}") for number in range(5))
    assert risk_of(replace(PLAIN, entitlements=many), [], "normal", now=NOW).reasons[0].endswith("and 2 more")


def test_what_the_account_may_do_by_itself_counts_too() -> None:
    risk = risk_of(replace(PLAIN, powers=("has CREATEROLE",)), [], "normal", now=NOW)
    assert (risk.level, risk.reasons) == (Level.HIGH, ("The account itself has CREATEROLE",))


@pytest.mark.parametrize("name", ["Administration building", "Rootstock", "Badminton", "Homeowners", "Staff"])
def test_a_group_whose_name_only_sounds_like_it_is_not(name: str) -> None:
    assert risk_of(group(name), [], "normal", now=NOW).level is Level.ORDINARY


@pytest.mark.parametrize(
    ("account", "holdings", "sla", "level", "says"),
    [
        (PLAIN, [], "normal", Level.ORDINARY, ""),
        (PLAIN, [], "critical", Level.RAISED, "critical system"),
        (PLAIN, [Holding(HoldingKind.KEY, "k", "a key")], "normal", Level.HIGH, "1 token or key"),
        (PLAIN, [Holding(HoldingKind.OWNED, "r", "repo")], "normal", Level.RAISED, "new owner"),
        (PLAIN, [Holding(HoldingKind.DEVICE, "d", "laptop")], "normal", Level.RAISED, "1 device"),
        (replace(PLAIN, open_sessions=2), [], "normal", Level.RAISED, "2 open sessions"),
        (replace(PLAIN, is_protected=True), [], "normal", Level.HIGH, "Protected"),
        (replace(PLAIN, nature=Nature.SERVICE), [], "normal", Level.HIGH, "unattended"),
        (replace(PLAIN, nature=Nature.LINKED), [], "normal", Level.RAISED, "second account"),
        (replace(PLAIN, is_active=False), [], "critical", Level.CLOSED, "Inactive"),
        # A key may work although its account is closed: that is the one forgotten most often.
        (
            replace(PLAIN, is_active=False),
            [Holding(HoldingKind.KEY, "k", "a key")],
            "normal",
            Level.HIGH,
            "opens the door",
        ),
    ],
)
def test_each_danger_is_named(
    account: Account, holdings: list[Holding], sla: str, level: Level, says: str
) -> None:
    risk = risk_of(account, holdings, sla, now=NOW)
    assert risk.level is level
    assert says in " ".join(risk.reasons)


def test_what_nobody_used_for_long_is_said() -> None:
    used = replace(PLAIN, last_used_at=NOW - FORGOTTEN_AFTER)
    assert risk_of(used, [], "normal", now=NOW).level is Level.ORDINARY
    assert "three months" in risk_of(used, [], "normal", now=NOW + timedelta(seconds=1)).reasons[0]
