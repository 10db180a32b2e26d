"""What the access table says, from the rows of a plan: never more than was read back."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from partwell.access.states import AccessState
from partwell.access.timing import duration
from partwell.web.access_table import MARKS, mark_of, progress_of, says_of, table_of
from partwell.web.wording import STATES

NOW = datetime(2026, 11, 27, 17, 0, tzinfo=UTC)


def change(verb: str, state: str, **more: Any) -> dict[str, Any]:
    return {
        "system": "crm",
        "title": "CRM",
        "sla": "critical",
        "account": "u1",
        "login": "ada",
        "display_name": "",
        "matched_by": "email",
        "is_protected": False,
        "open_sessions": 2,
        "entitlements": ["Staff"],
        "action": verb,
        "call": "call" if verb else "",
        "state": state,
        "reason": "",
        "reversibility": "reversible",
        "next_attempt_at": None,
        "requested_at": None,
        "accepted_at": None,
        "verified_at": None,
        **more,
    }


def rows_of(*changes: dict[str, Any]) -> list[dict[str, Any]]:
    table = table_of(
        {"changes": list(changes)},
        capabilities={"crm": ["verify"]},
        access_end_at=NOW - timedelta(minutes=5),
        now=NOW,
    )
    rows: list[dict[str, Any]] = table["rows"]
    return rows


@pytest.mark.parametrize("state", list(AccessState))
def test_every_state_has_a_mark_of_the_vocabulary_and_only_verified_is_green(state: AccessState) -> None:
    assert mark_of(state) in STATES or mark_of(state) in MARKS.values()
    assert (mark_of(state) == "verified") == (state is AccessState.VERIFIED)
    assert says_of(state)


@pytest.mark.parametrize("state", [s for s in AccessState if s is not AccessState.VERIFIED])
def test_one_effect_that_is_not_proven_keeps_the_account_from_green(state: AccessState) -> None:
    if state is AccessState.AMBIGUOUS:
        return
    (row,) = rows_of(change("block_sign_in", "verified"), change("suspend", state))
    assert row["mark"] != "verified"
    assert row["pips"]["n"] < 3


def test_a_failed_account_says_where_why_and_what_is_not_repeated() -> None:
    (row,) = rows_of(
        change("block_sign_in", "verified"),
        change(
            "suspend", "failed", reason="refused", requested_at=NOW.isoformat(), accepted_at=NOW.isoformat()
        ),
    )
    assert row["says"] == "Failed: suspend"
    assert row["reason"] == "refused"
    assert row["not_repeated"] == "Proven, and not repeated: block sign-in."
    assert row["pips"] == {"n": 2, "stopped": "3"}
    assert row["can_be_said"]


def test_progress_counts_accounts_and_says_who_is_needed() -> None:
    rows = rows_of(
        change("suspend", "verified"),
        change("suspend", "failed", account="u2"),
        change("suspend", "unreachable", account="u3"),
        change("suspend", "attested", account="u4"),
    )
    progress = progress_of(rows, [{"system": "x"}], restores=False)
    assert progress["said"] == "1 of 5 accounts is proven closed"
    assert progress["more"] == (
        "Two need you. One did not answer; what is there is unknown. One rests on a person’s word."
    )


def test_deleting_has_a_column_only_where_it_was_asked_for() -> None:
    view = {"changes": [change("suspend", "planned")]}
    kwargs: dict[str, Any] = {"capabilities": {}, "access_end_at": NOW, "now": NOW}
    assert "Delete" not in table_of(view, **kwargs)["columns"]
    view["changes"].append(change("delete", "planned"))
    assert table_of(view, **kwargs)["columns"][-1] == "Delete"


def test_time_left_and_time_over_are_said_in_words() -> None:
    def left(minutes: int) -> str:
        end = NOW - timedelta(minutes=minutes)
        view = {"changes": [change("suspend", "failed")]}
        table = table_of(view, capabilities={}, access_end_at=end, now=NOW)
        return str(table["groups"][0]["left"])

    assert left(5) == "10 min left"
    assert left(17) == "2 min late"
    assert left(-30) == ""
    assert duration(timedelta(seconds=221)) == "3 min 41 s"


def test_once_nothing_is_open_a_class_says_whether_its_time_was_kept() -> None:
    def said(**found: Any) -> tuple[str, bool]:
        kept = {"sla": "critical", "late": 0, "late_by_seconds": 0, "revoked": 2, "said": 0, **found}
        view = {"changes": [change("suspend", "verified")], "time_to_revoke": [kept]}
        end = NOW - timedelta(minutes=30)
        (group,) = table_of(view, capabilities={}, access_end_at=end, now=NOW)["groups"]
        return group["left"], group["is_late"]

    assert said(longest_seconds=192) == ("in time, the last after 3 min 12 s", False)
    assert said(revoked=1, longest_seconds=0) == ("in time, before access ended", False)
    assert said(late=1, late_by_seconds=420, longest_seconds=1320) == ("1 late, by 7 min", True)
    assert said(revoked=0, said=1) == ("1 by a person’s word, not counted", False)


def test_a_late_account_says_so_whether_it_is_proven_or_still_open() -> None:
    timed = {"counted_as": "revoked", "seconds_to_revoke": 1320, "is_late": True, "late_by_seconds": 420}
    (row,) = rows_of(change("suspend", "verified", **timed))
    assert (row["time"], row["is_late"]) == ("22 min after access end, 7 min late", True)
    timed |= {"counted_as": "open", "seconds_to_revoke": None}
    (row,) = rows_of(change("suspend", "failed", **timed))
    assert row["time"] == "7 min late"
    (row,) = rows_of(change("suspend", "attested", counted_as="said", is_late=False))
    assert row["time"] == ""
