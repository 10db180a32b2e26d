"""What is special where an order, an internship or a fixed term ends, and what must not be there."""

from __future__ import annotations

import re
from datetime import UTC, date, datetime, time, timedelta

import pytest

from partwell.journeys.due import Calendar
from partwell.journeys.template.conditions import compile_condition, evaluate, facts_for
from partwell.journeys.template.model import (
    Anchor,
    EvidenceKind,
    StepKind,
    Template,
    TemplateStep,
    Visibility,
)
from partwell.people.roles import Role
from tests.agreement.library import TEMPLATES, needed_by

CONTRACTOR = TEMPLATES["contractor-end"]
INTERN = TEMPLATES["intern-end"]
TERM = TEMPLATES["staff-fixed-term-end"]
WORDS_OF_EMPLOYMENT = re.compile(
    r"\b(employ\w*|salar\w+|wages?|payroll|pay ?slips?|leave balance|annual leave|holidays?|resign\w*|"
    r"dismiss\w*|notice period|exit interview|colleagues?|probation|severance|alumni)\b",
    re.IGNORECASE,
)

# What follows from the outcome, and may not open before there is one.
BEFORE_THE_DECISION = {"find-the-end", "check-the-limits", "ask-their-wish", "state-the-need"}


def _texts(step: TemplateStep) -> str:
    return f"{step.title} {step.guidance}"


def test_a_contractor_reads_no_word_of_employment() -> None:
    said = [CONTRACTOR.title, CONTRACTOR.summary, *CONTRACTOR.reasons, *map(_texts, CONTRACTOR.steps)]
    assert [found[0] for text in said if (found := WORDS_OF_EMPLOYMENT.search(text))] == []


def test_a_contractor_is_reviewed_both_ways_and_not_interviewed() -> None:
    assert [s.key for s in CONTRACTOR.steps if "interview" in s.key or "F4" in s.guide] == []
    review = CONTRACTOR.step("hold-review")
    assert not review.required
    assert "both sides" in review.title


def test_a_contractor_hears_it_before_the_team_does() -> None:
    assert "confirm-order-end" in needed_by(CONTRACTOR, "tell-the-team")


def test_the_results_of_a_contractor_are_listed_then_accepted_then_ours_on_paper() -> None:
    assert "list-results" in needed_by(CONTRACTOR, "accept-the-work")
    assert {"list-results", "name-parts-of-others"} <= needed_by(CONTRACTOR, "sign-assignment")
    assert CONTRACTOR.step("sign-assignment").role is Role.DEPARTING
    assert "sign-assignment" in needed_by(CONTRACTOR, "close-journey")


def test_an_order_is_closed_after_its_last_invoice_is_paid() -> None:
    assert {"send-last-invoice", "check-last-invoice", "pay-last-invoice"} <= needed_by(
        CONTRACTOR, "close-purchase-order"
    )
    assert "accept-the-work" in needed_by(CONTRACTOR, "check-last-invoice")


def test_a_contractor_deletes_our_data_after_it_arrived_and_after_the_hold_was_looked_at() -> None:
    assert {"take-over-for-good", "check-legal-hold"} <= needed_by(CONTRACTOR, "clear-own-devices")
    assert {"take-over-for-good", "check-legal-hold"} <= needed_by(CONTRACTOR, "release-own-devices")


def test_what_concerns_an_agency_is_asked_unless_somebody_is_surely_a_freelancer() -> None:
    asked = {s.key for s in CONTRACTOR.steps if s.when == "person.employment_type != 'freelancer'"}
    assert asked == {"tell-the-agency", "close-supplier-side", "check-placement-terms"}


def test_an_intern_holds_certificate_and_school_papers_before_the_last_day() -> None:
    for key in ("issue-certificate", "sign-school-forms", "read-report"):
        due = INTERN.step(key).due_rule
        assert due.anchor is Anchor.LAST_WORKING_DAY and due.offset < 0, key
    assert INTERN.step("issue-certificate").visibility is Visibility.EVERYBODY
    assert {"issue-certificate", "sign-school-forms"} <= needed_by(INTERN, "close-journey")


def test_an_intern_is_told_of_an_offer_only_when_it_was_decided_and_always_told() -> None:
    assert INTERN.step("decide-offer").role is Role.EXECUTIVE
    assert {"decide-offer", "ask-for-a-post"} <= needed_by(INTERN, "tell-about-offer")
    assert INTERN.step("tell-about-offer").required
    assert "tell-about-offer" in needed_by(INTERN, "close-journey")


def test_an_intern_gets_feedback_before_reading_the_certificate() -> None:
    assert "give-feedback" in needed_by(INTERN, "issue-certificate")


def test_a_report_is_read_by_us_before_it_goes_out_and_no_mark_hangs_on_an_interview() -> None:
    assert "hand-in-report" in needed_by(INTERN, "read-report")
    for key in ("issue-certificate", "sign-school-forms", "pay-last-sum"):
        assert not {"hold-exit-interview", "confirm-confidentiality"} & needed_by(INTERN, key), key


def test_a_colleague_on_a_term_hears_on_the_first_day_that_it_is_looked_at() -> None:
    first = TERM.step("ask-their-wish")
    assert (first.due, first.needs, first.role) == ("notice", (), Role.LINE_MANAGER)


def test_renewal_is_decided_by_a_second_person_with_law_need_and_wish_on_the_table() -> None:
    decision = TERM.step("decide-what-follows")
    assert decision.kind is StepKind.APPROVAL
    assert needed_by(TERM, decision.key) == BEFORE_THE_DECISION
    assert not any(TERM.step(key).role is decision.role for key in decision.needs)


def test_nothing_says_that_a_term_ends_before_it_is_decided_and_they_were_told() -> None:
    shown = {s.key for s in TERM.steps if s.visibility is Visibility.EVERYBODY} - {"register-as-looking"}
    for key in {*shown, "tell-the-team", "pass-on-clients", "offer-inside-posts", "hold-farewell"}:
        assert {"decide-what-follows", "tell-the-decision"} <= needed_by(TERM, key), key


def test_somebody_on_a_term_can_go_to_the_employment_office_without_waiting_for_a_decision() -> None:
    assert needed_by(TERM, "register-as-looking") == {"ask-their-wish"}


def test_nobody_works_on_beyond_the_term_and_somebody_looks_afterwards() -> None:
    before, after = TERM.step("stop-work-beyond-the-end"), TERM.step("confirm-nobody-works-on")
    assert before.due_rule.offset < 0 < after.due_rule.offset
    assert before.due_rule.anchor is after.due_rule.anchor is Anchor.LAST_WORKING_DAY
    assert after.evidence is EvidenceKind.SIGN_OFF
    assert after.key in needed_by(TERM, "close-journey")


def test_no_step_of_a_term_asks_anybody_to_give_notice_or_to_resign() -> None:
    asked = re.compile(r"\b(resign\w*|gives? notice|dismiss\w*)\b", re.IGNORECASE)
    assert [step.key for step in TERM.steps if asked.search(step.title)] == []
    assert [step.key for step in TERM.steps if re.search(r"resign|dismiss", step.key)] == []


def test_a_term_counts_leave_before_the_last_pay_and_papers_say_why_it_ended() -> None:
    assert "settle-leave-days" in needed_by(TERM, "reckon-last-pay")
    assert "term was reached" in TERM.step("issue-papers").guidance


@pytest.mark.parametrize("template", [CONTRACTOR, INTERN, TERM], ids=lambda template: template.id)
def test_what_the_leaver_reads_of_others_does_not_speak_of_them_as_absent(template: Template) -> None:
    shown = [
        s for s in template.steps if s.visibility is Visibility.EVERYBODY and s.role is not Role.DEPARTING
    ]
    titles = [s.title for s in shown if re.search(r"\b(them|they|their|theirs)\b", s.title, re.IGNORECASE)]
    assert titles == []


@pytest.mark.parametrize("template", [CONTRACTOR, INTERN, TERM], ids=lambda template: template.id)
def test_what_the_leaver_does_is_said_to_them(template: Template) -> None:
    own = [step for step in template.steps if step.role is Role.DEPARTING]
    assert [s.key for s in own if not re.search(r"\b(you|your)\b", s.guidance, re.IGNORECASE)] == []
    assert [s.key for s in own if s.needs and "approve-access-plan" in needed_by(template, s.key)] == []


@pytest.mark.parametrize(
    ("template", "days"), [(CONTRACTOR, 35), (INTERN, 28), (TERM, 90)], ids=["contractor", "intern", "term"]
)
def test_with_the_usual_time_ahead_no_step_is_due_before_one_that_it_waits_for(
    template: Template, days: int
) -> None:
    notice = date(2026, 9, 1)
    last_day = notice + timedelta(days=days)
    calendar = Calendar(
        notice_date=notice,
        last_working_date=last_day,
        access_end_at=datetime.combine(last_day, time(15, 30), UTC),
        contract_end_date=last_day,
        timezone="Europe/Berlin",
        country="DE",
        planned_on=notice,
    )
    due = {step.key: calendar.due_at(step.due_rule) for step in template.steps}
    late = [(s.key, key) for s in template.steps for key in s.needs if due[s.key] < due[key]]
    assert late == []
    assert min(due.values()).date() >= notice


def test_an_internship_that_breaks_off_has_a_step_of_its_own() -> None:
    assert [s.key for s in INTERN.steps if s.when] == ["settle-early-end"]
    early = compile_condition(INTERN.step("settle-early-end").when)
    days = {n: evaluate(early, facts_for(departure={"notice_days": n})) for n in (0, 13, 14, 28)}
    assert days == {0: True, 13: True, 14: False, 28: False}
