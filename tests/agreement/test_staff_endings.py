"""What is special to one way in which staff leave: what comes before what, and which steps must not exist."""

from __future__ import annotations

from partwell.journeys.template.check import parse
from partwell.journeys.template.library import library_files
from partwell.journeys.template.model import Anchor, StepKind, Template, Visibility
from partwell.people.roles import Role

TEMPLATES: dict[str, Template] = {path.stem: parse(path.read_text("utf-8")) for path in library_files()}


def _needed_by(template: Template, key: str) -> set[str]:
    """All that must be settled before `key`, however far back."""
    found: set[str] = set()
    left = list(template.step(key).needs)
    while left:
        needed = left.pop()
        if needed not in found:
            found.add(needed)
            left.extend(template.step(needed).needs)
    return found


def test_in_a_redundancy_nobody_outside_the_circle_acts_before_the_person_was_told() -> None:
    template = TEMPLATES["staff-redundancy"]
    assert template.confidentiality == "need_to_know"
    for step in template.steps:
        if step.role is Role.DEPARTING or step.visibility is Visibility.EVERYBODY:
            assert "tell-the-person" in _needed_by(template, step.key), step.key
    for key in ("list-access-and-things", "end-badge-and-cards", "introduce-new-contacts"):
        assert "tell-the-person" in _needed_by(template, key), key


def test_in_a_redundancy_the_rules_come_before_the_names_and_a_second_person_before_the_news() -> None:
    template = TEMPLATES["staff-redundancy"]
    assert "set-selection-rules" in _needed_by(template, "apply-selection-rules")
    assert template.step("approve-selection").kind is StepKind.APPROVAL
    assert {"approve-selection", "set-money-aside"} <= _needed_by(template, "tell-the-person")


def test_in_a_redundancy_everybody_hears_it_on_the_day_on_which_the_person_does() -> None:
    template = TEMPLATES["staff-redundancy"]
    told = template.step("tell-the-person")
    for key in ("tell-everybody", "give-written-summary"):
        assert template.step(key).due == told.due
        assert "tell-the-person" in _needed_by(template, key)


def test_in_a_redundancy_notice_is_given_only_after_consultation_was_answered() -> None:
    template = TEMPLATES["staff-redundancy"]
    assert {"consult-the-person", "answer-proposals"} <= _needed_by(template, "give-notice-letter")


def test_in_a_redundancy_what_is_owed_waits_for_no_signature_and_no_handover() -> None:
    template = TEMPLATES["staff-redundancy"]
    before = _needed_by(template, "pay-final-amount")
    assert "explain-the-offer" not in before
    assert not [key for key in before if template.step(key).role is Role.DEPARTING]
    assert not [key for key in before if template.step(key).phase == 4]


def test_in_a_redundancy_access_lasts_as_long_as_they_work() -> None:
    template = TEMPLATES["staff-redundancy"]
    assert "cut-access" not in _needed_by(template, "tell-the-person")
    closing = [s for s in template.steps if s.phase == 6 or "badge" in s.key]
    assert [s.key for s in closing if s.due_rule.anchor is not Anchor.ACCESS_END] == []
