"""What is special about each ending of a client: what comes before what, and what must not be there."""

from __future__ import annotations

from collections import Counter

import pytest

from partwell.journeys.template.model import Anchor, Due, StepKind, Unit, Visibility
from partwell.people.roles import Role
from tests.agreement.library import TEMPLATES, needed_by

ENDINGS = sorted(
    name for name in TEMPLATES if name.startswith("client-") and not name.endswith("-urgent-cut")
)


@pytest.mark.parametrize("name", ENDINGS)
def test_data_ownership_and_help_never_wait_for_money(name: str) -> None:
    template = TEMPLATES[name]
    for step in template.steps:
        if step.phase in (4, 5, 6):
            money = {key for key in needed_by(template, step.key) if template.step(key).phase == 7}
            assert money == set(), step.key


@pytest.mark.parametrize("name", ENDINGS)
def test_with_three_months_of_notice_nothing_is_due_before_what_it_waits_for(name: str) -> None:
    template = TEMPLATES[name]
    for step in template.steps:
        for key in step.needs:
            assert _day_of(template.step(key).due_rule) <= _day_of(step.due_rule), f"{step.key}: {key}"


def _day_of(due: Due) -> float:
    """The day after the notice, where five working days are a week and all ends are ninety days away."""
    days = {Unit.WORKING_DAYS: 7 / 5, Unit.DAYS: 1, Unit.HOURS: 1 / 24}
    return (0 if due.anchor is Anchor.NOTICE else 90) + due.offset * days[due.unit]


def test_before_the_client_is_told_only_the_decision_is_worked_on_and_nobody_else_hears_of_it() -> None:
    template = TEMPLATES["client-terminated-by-us"]
    before = {s.key for s in template.steps if "deliver-notice" not in needed_by(template, s.key)}
    assert before == needed_by(template, "deliver-notice") | {
        "deliver-notice",
        "list-what-we-owe",
        "size-help-to-move",
    }
    shown = {s.key for s in template.steps if s.visibility is Visibility.EVERYBODY}
    assert shown & before == {"deliver-notice"}
    assert "call-before-letter" in before, "they hear it from a person first, and then read it"


def test_we_end_a_contract_only_with_a_right_to_no_revenge_and_a_valid_signature() -> None:
    template = TEMPLATES["client-terminated-by-us"]
    decision = template.step("decide-to-end")
    assert decision.kind is StepKind.APPROVAL
    assert decision.role is not template.step("record-grounds").role
    assert {"read-right-to-end", "rule-out-retaliation", "try-what-is-left"} <= needed_by(
        template, decision.key
    )
    assert {"decide-to-end", "sign-notice"} <= needed_by(template, "deliver-notice")


def test_who_was_given_notice_by_us_is_paid_back_before_we_ask_for_money() -> None:
    template = TEMPLATES["client-terminated-by-us"]
    assert "pay-back" in needed_by(template, "follow-last-payment")
    owed = [s for s in template.steps if s.role is Role.DEPARTING and s.phase in (7, 8) and s.required]
    assert owed == [], "we asked them to leave, so nothing is asked of them in return"


def test_a_finished_project_is_paid_after_it_was_accepted_and_rights_pass_after_it_was_paid() -> None:
    template = TEMPLATES["client-project-completion"]
    assert template.step("accept-the-work").role is Role.DEPARTING, "only the client can accept the work"
    assert {"test-the-result", "mend-defects"} <= needed_by(template, "accept-the-work")
    assert {"accept-the-work", "file-acceptance"} <= needed_by(template, "send-final-invoice")
    assert {"send-final-invoice", "return-guarantees"} <= needed_by(template, "confirm-rights")
    # The source itself is no hostage: it is given before anybody is paid.
    assert "send-final-invoice" not in needed_by(template, "hand-over-work-results")


def test_what_a_project_leaves_running_has_a_payer_and_a_fault_has_somebody_who_mends_it() -> None:
    template = TEMPLATES["client-project-completion"]
    assert "decide-who-pays" in needed_by(template, "transfer-ownership")
    assert "decide-who-pays" in needed_by(template, "move-payment-cards")
    assert "run-it-alone" in needed_by(template, "give-up-our-access")
    assert {"set-up-warranty-desk", "file-acceptance"} <= needed_by(template, "close-journey")


def test_a_reference_is_asked_for_only_after_the_client_could_say_what_was_wrong() -> None:
    template = TEMPLATES["client-project-completion"]
    assert {"hold-closing-review", "thank-for-review"} <= needed_by(template, "ask-for-reference")


@pytest.mark.parametrize(
    "gives",
    [
        "settle-data-controller",
        "choose-data-return",
        "export-client-data",
        "transfer-ownership",
        "hand-over-to-successor",
        "exchange-things",
        "pay-only-the-entitled",
        "say-what-goes-on",
        "close-accounts-of-gone-people",
    ],
)
def test_nothing_leaves_us_before_we_know_who_speaks_for_a_closed_client(gives: str) -> None:
    template = TEMPLATES["client-acquired-or-closed"]
    assert {"verify-the-news", "show-who-speaks", "check-authority"} <= needed_by(template, gives)


def test_at_the_news_of_an_insolvency_deletion_and_reminders_stop_within_days() -> None:
    template = TEMPLATES["client-acquired-or-closed"]
    for key in ("stop-automatic-reactions", "preserve-records"):
        due = template.step(key).due_rule
        assert due.anchor == "notice" and due.offset <= 3, key
    for key in ("delete-client-data", "wipe-returned-devices"):
        assert "review-holds" in needed_by(template, key), key


def test_nobody_acts_on_a_rumour_that_a_client_is_closing() -> None:
    template = TEMPLATES["client-acquired-or-closed"]
    before = {s.key for s in template.steps if "verify-the-news" not in needed_by(template, s.key)}
    assert before == {"record-how-we-heard", "stop-automatic-reactions", "verify-the-news"}


def test_closing_waits_for_the_claim_to_be_filed_and_not_for_what_a_court_pays_out_years_later() -> None:
    template = TEMPLATES["client-acquired-or-closed"]
    before = needed_by(template, "close-journey")
    assert "file-claim" in before
    assert "follow-claim" not in before and not template.step("follow-claim").required


def test_whoever_only_tried_us_has_to_do_nothing_and_nothing_waits_for_them() -> None:
    template = TEMPLATES["client-trial-ended"]
    theirs = {s.key for s in template.steps if s.role is Role.DEPARTING}
    for step in template.steps:
        assert step.key not in theirs or not step.required, step.key
        assert not theirs & needed_by(template, step.key), step.key


def test_whoever_only_tried_us_is_asked_once_and_their_data_goes_whatever_they_answer() -> None:
    template = TEMPLATES["client-trial-ended"]
    assert [s.key for s in template.steps if s.phase == 8 and s.role is Role.DEPARTING] == [
        "say-why-if-you-like"
    ]
    assert "delete-trial-data" in needed_by(template, "confirm-deletion")
    assert {"confirm-deletion", "stop-all-selling", "see-that-nothing-is-charged"} <= needed_by(
        template, "close-journey"
    )
    assert not [s.key for s in template.steps if "offer" in s.key or "win-back" in s.key]


def test_no_step_of_an_ended_trial_is_padding() -> None:
    """Each serves a row that no other does, or is a choice of theirs, or about their access or their data."""
    template = TEMPLATES["client-trial-ended"]
    served = Counter(row for step in template.steps for row in step.guide)
    for step in template.steps:
        last_of_a_row = any(served[row] == 1 for row in step.guide)
        assert last_of_a_row or step.role is Role.DEPARTING or step.phase == 6, step.key
