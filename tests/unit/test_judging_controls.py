"""How each control stands for one leaver: never proven without a reading, never late without a reason."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from partwell.access.credentials.states import RotationState
from partwell.access.states import AccessState, SlaClass
from partwell.access.timing import NOTHING, Counted, Timing
from partwell.closure.audits.controls import Control, load_controls
from partwell.closure.audits.judging import (
    JUDGES,
    AccountFact,
    ChangeFact,
    DayFact,
    Facts,
    Finding,
    PlanFact,
    RotationFact,
    Standing,
    StepFact,
    judge,
    worst,
)
from partwell.journeys.states import StepState

NOW = datetime(2026, 11, 2, 9, 0, tzinfo=UTC)
END = datetime(2026, 8, 14, 16, 0, tzinfo=UTC)
DAY = timedelta(days=1)
NO_FACTS = Facts(now=NOW, access_end_at=END)


def control(name: str) -> Control:
    return next(each for each in load_controls()[1] if each.id == name)


def standing(name: str, facts: Facts = NO_FACTS, **changes: Any) -> Standing:
    return judge(control(name), replace(facts, **changes)).standing


def account(
    counted: Counted = Counted.REVOKED, *, late: timedelta = NOTHING, gone_at: datetime | None = END
) -> AccountFact:
    timing = Timing(SlaClass.HIGH, counted, END, gone_at, late_by=late)
    return AccountFact("CRM", AccessState.VERIFIED, timing)


def plan(*answers: str, **changes: Any) -> PlanFact:
    return replace(PlanFact("full", "Priya", "Tom", END - DAY, answers), **changes)


def step(key: str, state: StepState = StepState.DONE, **changes: Any) -> StepFact:
    return replace(StepFact(key, "A title", state, END, END), **changes)


def test_every_control_is_judged_with_a_source_and_a_certainty_and_every_judge_is_used() -> None:
    _, controls = load_controls()
    assert {each.judge for each in controls} == {*JUDGES}
    assert len({each.id for each in controls}) == len(controls)
    for each in controls:
        assert each.certainty in ("A", "B", "C")
        assert each.source
        assert each.limit


def test_no_fact_at_all_proves_nothing() -> None:
    for each in load_controls()[1]:
        assert judge(each, NO_FACTS).standing != Standing.PROOF
        assert judge(each, None).standing == Standing.GAP


def test_the_worst_answer_decides_and_one_that_does_not_apply_only_alone() -> None:
    kinds = [Finding(each, "") for each in Standing]
    assert worst(kinds).standing == Standing.GAP
    assert worst(kinds[-2:]).standing == Standing.PROOF
    assert worst(kinds[-1:]).standing == Standing.NOT_APPLICABLE


@pytest.mark.parametrize(
    ("facts", "expected"),
    [
        ({"accounts": (account(),)}, Standing.PROOF),
        ({"accounts": (account(), account(Counted.SAID))}, Standing.ATTESTED),
        ({"accounts": (account(late=DAY),)}, Standing.GAP),
        ({"accounts": (account(late=DAY),), "alerts": ("The CRM was silent.",)}, Standing.LATE),
        ({"accounts": (account(Counted.OPEN, late=DAY),), "alerts": ("Silent.",)}, Standing.GAP),
        ({"accounts": (account(Counted.OPEN),)}, Standing.UNKNOWN),
        ({"plans": (plan("none", "none"),)}, Standing.PROOF),
        ({"plans": (plan("none", "unreachable"),)}, Standing.UNKNOWN),
        ({}, Standing.GAP),
    ],
)
def test_revocation_by_what_was_read_back(facts: dict[str, Any], expected: Standing) -> None:
    assert standing("iso-a5-18", **facts) == expected


@pytest.mark.parametrize(
    ("state", "changes", "expected"),
    [
        (StepState.DONE, {}, Standing.ATTESTED),
        (StepState.DONE, {"settled_at": END + DAY}, Standing.GAP),
        (StepState.DONE, {"settled_at": END + DAY, "reason": "The courier was late."}, Standing.LATE),
        (StepState.OPEN, {}, Standing.GAP),
        (StepState.OPEN, {"due_at": NOW + DAY}, Standing.UNKNOWN),
        (StepState.BLOCKED, {}, Standing.GAP),
        (StepState.SKIPPED, {"reason": "They had nothing."}, Standing.NOT_APPLICABLE),
        (StepState.NOT_NEEDED, {}, Standing.NOT_APPLICABLE),
        (StepState.WITHDRAWN, {}, Standing.GAP),
    ],
)
def test_a_step_is_a_word_and_never_a_proof(
    state: StepState, changes: dict[str, Any], expected: Standing
) -> None:
    assert standing("iso-a5-11", steps=(step("return-equipment", state, **changes),)) == expected


def test_a_step_that_is_asked_no_longer_is_not_said_to_have_had_a_condition() -> None:
    why = "Version 2 of the template no longer asks for it."
    aside = step("return-equipment", StepState.NOT_NEEDED, reason=why, is_set_aside=True)
    found = judge(control("iso-a5-11"), replace(NO_FACTS, steps=(aside,)))
    assert (found.standing, found.reason) == (Standing.NOT_APPLICABLE, why)
    assert "asked no longer" in found.says
    assert "condition" not in found.says


def test_what_no_step_answers_is_unknown() -> None:
    assert standing("iso-a5-11", steps=(step("something-else"),)) == Standing.UNKNOWN


def test_media_need_a_certificate() -> None:
    assert standing("nist-800-88", steps=(step("wipe-devices"),)) == Standing.GAP
    assert standing("nist-800-88", steps=(step("wipe-devices", files=1),)) == Standing.ATTESTED


def test_what_people_wrote_stays_out_of_what_may_leave_the_house() -> None:
    found = judge(
        control("iso-a5-11"),
        replace(NO_FACTS, steps=(step("return-equipment", StepState.SKIPPED, reason="X"),)),
    )
    assert (found.reason, "X" in found.says) == ("X", False)


@pytest.mark.parametrize(
    ("states", "expected"),
    [
        ((), Standing.NOT_APPLICABLE),
        ((AccessState.VERIFIED,), Standing.PROOF),
        ((AccessState.VERIFIED, AccessState.ACCEPTED), Standing.GAP),
        ((AccessState.VERIFIED, AccessState.ATTESTED), Standing.ATTESTED),
        ((AccessState.UNREACHABLE,), Standing.UNKNOWN),
    ],
)
def test_deletions_by_what_was_read_back(states: tuple[AccessState, ...], expected: Standing) -> None:
    assert standing("iso-a8-10", changes=tuple(ChangeFact("delete", each) for each in states)) == expected


def test_sessions_that_no_plan_ended_are_unknown() -> None:
    suspended = (ChangeFact("suspend", AccessState.VERIFIED),)
    assert standing("tokens", accounts=(account(),), changes=suspended) == Standing.UNKNOWN
    ended = (*suspended, ChangeFact("revoke_sessions", AccessState.VERIFIED))
    assert standing("tokens", accounts=(account(),), changes=ended) == Standing.PROOF


@pytest.mark.parametrize(
    ("plans", "changes", "expected"),
    [
        ((plan(),), (), Standing.PROOF),
        ((plan(approved_by="Priya"),), (), Standing.GAP),
        ((plan(), plan(kind="cut", approved_by="", is_reviewed=False)), (), Standing.GAP),
        ((plan(kind="cut", approved_by="", is_reviewed=True),), (), Standing.PROOF),
        (
            (plan(kind="standing", approved_by=""),),
            (ChangeFact("suspend", AccessState.VERIFIED, "standing rule"),),
            Standing.NOT_APPLICABLE,
        ),
        ((plan(approved_by=""),), (), Standing.UNKNOWN),
    ],
)
def test_who_asked_is_not_who_approved(plans: Any, changes: Any, expected: Standing) -> None:
    assert standing("soc2-cc6-3", plans=plans, changes=changes) == expected


def test_for_cause_access_ends_before_the_meeting() -> None:
    meeting = (step("hold-the-meeting", settled_at=END),)
    assert standing("nist-ps-4-cause", accounts=(account(),)) == Standing.NOT_APPLICABLE
    assert standing("nist-ps-4-cause", accounts=(account(),), steps=meeting) == Standing.ATTESTED
    late = (account(gone_at=END + DAY),)
    assert standing("nist-ps-4-cause", accounts=late, steps=meeting) == Standing.GAP
    assert standing("nist-ps-4-cause", accounts=(account(gone_at=None),), steps=meeting) == Standing.GAP


def test_who_looks_after_accounts_is_told_within_a_day() -> None:
    assert standing("nist-ac-2-h", plans=(plan(),)) == Standing.PROOF
    assert standing("nist-ac-2-h", plans=(plan(made_at=END + 2 * DAY),)) == Standing.GAP


@pytest.mark.parametrize(
    ("state", "settled_at", "reason", "expected"),
    [
        (RotationState.VERIFIED, END, "", Standing.PROOF),
        (RotationState.VERIFIED, END + DAY, "", Standing.GAP),
        (RotationState.VERIFIED, END + DAY, "The portal was down.", Standing.LATE),
        (RotationState.ATTESTED, END, "", Standing.ATTESTED),
        (RotationState.ACCEPTED, None, "", Standing.GAP),
        (RotationState.NOT_NEEDED, END, "It was retired.", Standing.NOT_APPLICABLE),
    ],
)
def test_shared_secrets(
    state: RotationState, settled_at: datetime | None, reason: str, expected: Standing
) -> None:
    assert standing("nist-ac-2-k", rotations=(RotationFact(state, settled_at, reason),)) == expected


def test_a_secret_that_is_not_due_is_unknown_and_none_on_record_does_not_apply() -> None:
    open_one = (RotationFact(RotationState.OPEN),)
    assert standing("nist-ac-2-k", rotations=open_one, access_end_at=NOW) == Standing.UNKNOWN
    assert standing("nist-ac-2-k") == Standing.NOT_APPLICABLE


@pytest.mark.parametrize(
    ("days", "ghosts", "expected"),
    [
        ((DayFact(1, END, True), DayFact(45, END, True)), 0, Standing.PROOF),
        ((DayFact(1, END, True), DayFact(45, END, True)), 1, Standing.GAP),
        ((DayFact(1, END, True, came_back=1),), 0, Standing.GAP),
        ((DayFact(1, END, True, unread=1),), 0, Standing.UNKNOWN),
        ((DayFact(1, END, True), DayFact(45, NOW + DAY, False)), 0, Standing.UNKNOWN),
        ((DayFact(45, NOW - DAY, False),), 0, Standing.GAP),
        ((), 0, Standing.UNKNOWN),
    ],
)
def test_what_is_gone_stays_gone(days: Any, ghosts: int, expected: Standing) -> None:
    assert standing("cis-5-3", days=days, ghosts=ghosts) == expected


@pytest.mark.parametrize(
    ("plans", "expected"),
    [
        ((plan("found", "none"),), Standing.PROOF),
        ((plan("found", "manual"),), Standing.ATTESTED),
        ((plan("found", "ambiguous"),), Standing.UNKNOWN),
        ((plan("found", "manual", "unreachable"),), Standing.UNKNOWN),
        ((plan("found", "unreachable"), plan("found", "none", made_at=NOW)), Standing.PROOF),
        ((plan("found", "unreachable"), plan("none", kind="delta", made_at=NOW)), Standing.UNKNOWN),
        ((), Standing.GAP),
    ],
)
def test_every_access_list_was_asked(plans: Any, expected: Standing) -> None:
    assert standing("pci-8-2-5", plans=plans) == expected


def test_revocation_and_devices_are_judged_together() -> None:
    back = (step("receive-equipment"),)
    assert standing("hipaa-308-a-3", accounts=(account(),), steps=back) == Standing.ATTESTED
    assert standing("hipaa-308-a-3", accounts=(account(late=DAY),), steps=back) == Standing.GAP
