"""What is special to one way in which staff leave: what comes before what, and which steps must not exist."""

from __future__ import annotations

from datetime import date, timedelta

import pytest

from partwell import clock
from partwell.journeys.due import Calendar
from partwell.journeys.template.model import Anchor, StepKind, Visibility
from partwell.people.roles import Role
from tests.agreement.library import TEMPLATES, needed_by


def test_in_a_redundancy_nobody_outside_the_circle_acts_before_the_person_was_told() -> None:
    template = TEMPLATES["staff-redundancy"]
    assert template.confidentiality == "need_to_know"
    for step in template.steps:
        if step.role is Role.DEPARTING or step.visibility is Visibility.EVERYBODY:
            assert "tell-the-person" in needed_by(template, step.key), step.key
    for key in ("list-access-and-things", "end-badge-and-cards", "introduce-new-contacts"):
        assert "tell-the-person" in needed_by(template, key), key


def test_in_a_redundancy_the_rules_come_before_the_names_and_a_second_person_before_the_news() -> None:
    template = TEMPLATES["staff-redundancy"]
    assert "set-selection-rules" in needed_by(template, "apply-selection-rules")
    assert template.step("approve-selection").kind is StepKind.APPROVAL
    assert {"approve-selection", "set-money-aside"} <= needed_by(template, "tell-the-person")


def test_in_a_redundancy_everybody_hears_it_on_the_day_on_which_the_person_does() -> None:
    template = TEMPLATES["staff-redundancy"]
    told = template.step("tell-the-person")
    for key in ("tell-everybody", "give-written-summary"):
        assert template.step(key).due == told.due
        assert "tell-the-person" in needed_by(template, key)


def test_in_a_redundancy_notice_is_given_only_after_consultation_was_answered() -> None:
    template = TEMPLATES["staff-redundancy"]
    assert {"consult-the-person", "answer-proposals"} <= needed_by(template, "give-notice-letter")


def test_in_a_redundancy_what_is_owed_waits_for_no_signature_and_no_handover() -> None:
    template = TEMPLATES["staff-redundancy"]
    before = needed_by(template, "pay-final-amount")
    assert "explain-the-offer" not in before
    assert not [key for key in before if template.step(key).role is Role.DEPARTING]
    assert not [key for key in before if template.step(key).phase == 4]


def test_in_a_redundancy_access_lasts_as_long_as_they_work() -> None:
    template = TEMPLATES["staff-redundancy"]
    assert "cut-access" not in needed_by(template, "tell-the-person")
    closing = [s for s in template.steps if s.phase == 6 or "badge" in s.key]
    assert [s.key for s in closing if s.due_rule.anchor is not Anchor.ACCESS_END] == []


def test_after_a_death_nothing_is_asked_of_the_one_who_died_or_shown_in_their_name() -> None:
    template = TEMPLATES["staff-death-in-service"]
    assert Role.DEPARTING in template.empty_roles
    assert 8 in template.empty_phases
    assert [s.key for s in template.steps if s.visibility is not Visibility.INSIDE] == []
    assert [s.key for s in template.steps if {"E1", "E2", "E3", "E4", "F4", "M4", "S3"} & set(s.guide)] == []


def test_after_a_death_whoever_has_a_task_was_told_before() -> None:
    template = TEMPLATES["staff-death-in-service"]
    assert template.confidentiality == "need_to_know"
    first = {"make-sure-of-the-news", "tell-those-with-tasks"}
    spared = {*first, "name-family-contact", "speak-with-the-family", "report-the-death", "send-condolence"}
    for step in template.steps:
        assert "make-sure-of-the-news" in needed_by(template, step.key) or step.key in first, step.key
        if step.kind is StepKind.TASK and step.key not in spared:
            before = needed_by(template, step.key)
            assert {"tell-those-with-tasks", "speak-with-the-family"} & before, step.key


def test_after_a_death_the_closest_hear_it_first_and_clients_say_only_what_the_family_allows() -> None:
    template = TEMPLATES["staff-death-in-service"]
    for key in ("tell-the-firm", "tell-clients-in-person", "find-open-work"):
        assert "tell-closest-colleagues" in needed_by(template, key), key
    for key in (
        "tell-clients-in-person",
        "attend-the-funeral",
        "bring-belongings-home",
        "fetch-our-equipment",
    ):
        assert "speak-with-the-family" in needed_by(template, key), key


def test_after_a_death_access_ends_on_the_day_and_waits_for_no_conversation() -> None:
    template = TEMPLATES["staff-death-in-service"]
    for key in ("check-access-plan", "approve-access-plan", "cut-access"):
        assert str(template.step(key).due_rule) == "access_end"
        assert "speak-with-the-family" not in needed_by(template, key)


def test_after_a_death_nothing_is_wiped_before_the_family_had_what_is_private() -> None:
    template = TEMPLATES["staff-death-in-service"]
    assert "save-private-things" in needed_by(template, "wipe-devices")
    assert not template.step("wipe-devices").required
    assert not template.step("fetch-our-equipment").required


def test_after_a_death_money_goes_to_who_may_receive_it() -> None:
    template = TEMPLATES["staff-death-in-service"]
    assert "learn-who-may-receive" in needed_by(template, "pay-the-estate")
    assert {"pay-the-estate", "claim-benefits", "keep-anniversaries"} <= needed_by(template, "close-journey")


def test_in_a_retirement_learning_takes_months_where_there_are_months() -> None:
    template = TEMPLATES["staff-retirement"]
    handover = [s for s in template.steps if s.phase == 4 and s.due_rule.anchor is Anchor.LAST_WORKING_DAY]
    assert min(s.due_rule.offset for s in handover) <= -80
    for key in ("work-side-by-side", "change-places"):
        assert template.step(key).when.startswith("departure.notice_days >="), key
        before_acceptance = needed_by(template, "accept-handover")
        assert key not in before_acceptance, "a step that a short notice leaves out must hold up nothing"


def test_in_a_retirement_pensions_are_begun_months_ahead_and_the_record_is_checked_first() -> None:
    template = TEMPLATES["staff-retirement"]
    assert str(template.step("apply-for-pensions").due_rule) == "last_working_day -90 days"
    assert template.step("check-service-record").due_rule.anchor is Anchor.NOTICE
    assert "check-service-record" in needed_by(template, "explain-benefits")
    assert "apply-for-pensions" in needed_by(template, "close-journey")


def test_in_a_retirement_it_is_told_when_the_colleague_has_agreed() -> None:
    template = TEMPLATES["staff-retirement"]
    assert template.initiated_by == "leaver"
    assert "agree-when-it-is-known" in needed_by(template, "tell-the-team")
    assert "say-how-to-celebrate" in needed_by(template, "hold-celebration")


def test_in_a_retirement_somebody_calls_after_the_first_months() -> None:
    template = TEMPLATES["staff-retirement"]
    call = template.step("call-after-three-months")
    assert str(call.due_rule) == "last_working_day +90 days"
    assert "choose-contact" in call.needs and not call.required


@pytest.mark.parametrize(
    ("name", "days"),
    [
        ("staff-redundancy", 150),
        ("staff-death-in-service", 0),
        ("staff-retirement", 400),
        ("staff-retirement", 105),
    ],
)
def test_nothing_is_due_before_the_notice_or_before_what_it_waits_for(name: str, days: int) -> None:
    template, notice = TEMPLATES[name], date(2026, 3, 2)
    last = notice + timedelta(days=days)
    calendar = Calendar(
        notice_date=notice,
        last_working_date=last,
        access_end_at=clock.at_local(last, clock.DEFAULT_WORKDAY_END, "Europe/Berlin"),
        contract_end_date=last,
        timezone="Europe/Berlin",
        country="DE",
        planned_on=notice,
    )
    due = {step.key: calendar.due_at(step.due_rule) for step in template.steps}
    assert min(due.values()).date() >= notice
    late = [(s.key, need) for s in template.steps for need in s.needs if due[need] > due[s.key]]
    assert late == []
