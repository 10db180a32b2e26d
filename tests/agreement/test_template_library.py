"""The library's templates: sound, long-form, in the order that practice asks for, and well worded."""

from __future__ import annotations

import re
from collections import Counter
from pathlib import Path

import pytest

from partwell.journeys.template.check import check
from partwell.journeys.template.conditions import FIELDS
from partwell.journeys.template.guide import GUIDE_ROWS
from partwell.journeys.template.model import PHASES, StepKind, TemplateStep, Visibility
from partwell.journeys.template.schema import SCHEMA_FILE, schema_text
from partwell.people.roles import Role
from tests.agreement.library import FILES, TEMPLATES, needed_by

ROOT = Path(__file__).resolve().parents[2]
names = pytest.mark.parametrize("name", sorted(TEMPLATES))
# A departure from notice to future contact. What the kill switch starts is short: nobody leaves in it.
DEPARTURES = sorted(n for n in TEMPLATES if not n.endswith("-urgent-cut"))
departures = pytest.mark.parametrize("name", DEPARTURES)
# The departing side has no steps here, and sees nothing; `test_staff_endings` says what holds instead.
NOBODY_TO_ASK = {"staff-death-in-service"}

# Somebody who only tried us was not served, taught or billed: no team moves on, no work is handed over, no
# account is settled, nobody is interviewed. What is left is access, their data, one question and courtesy.
# Forty steps would be padding, and each padded step one more message to somebody who was promised quiet. That
# none of those there can go is a test of its own, in test_endings_of_clients.py.
LENGTHS = {"client-trial-ended": (26, 30)}

# Nobody to interview, and no work to hand over.
EMPTY_PHASES = {"staff-death-in-service": {8}, "client-trial-ended": {4}}

FORBIDDEN = re.compile(
    r"\b(simply|just|oops|terminat\w+|basically|leverage|seamless\w*|robust|ensure|utili[sz]e|please note|"
    r"in order to|going forward|stakeholders? alignment|synerg\w+|best-in-class|obviously|easy|easily)\b",
    re.IGNORECASE,
)


@names
def test_it_has_no_problems(name: str) -> None:
    assert check(FILES[name].read_text("utf-8"), file=name) == []


@departures
def test_it_is_long_form_with_every_phase_and_role(name: str) -> None:
    template = TEMPLATES[name]
    fewest, most = LENGTHS.get(name, (40, 60))
    assert fewest <= len(template.steps) <= most
    assert {step.phase for step in template.steps} | set(template.empty_phases) == set(PHASES)
    assert set(template.empty_phases) <= EMPTY_PHASES.get(name, set())
    roles = {step.role for step in template.steps}
    assert roles | set(template.empty_roles) == set(Role) - {Role.ADMIN}


@departures
def test_access_ends_once_approved_and_is_verified_four_times(name: str) -> None:
    template = TEMPLATES[name]
    cuts = [step for step in template.steps if step.kind is StepKind.DEPROVISION]
    assert [(s.key, s.role, s.due) for s in cuts] == [("cut-access", Role.IT_SECURITY, "access_end")]
    approval = template.step("approve-access-plan")
    assert approval.kind is StepKind.ACCESS_APPROVAL
    assert approval.role is not template.step("check-access-plan").role
    # Only a signature may hold up the cut: a late handover must never keep access open.
    assert cuts[0].needs == ("approve-access-plan",)
    for day in (1, 7, 30, 45):
        step = template.step(f"verify-day-{day}")
        assert step.due == f"access_end +{day} day{'s' if day > 1 else ''}"
        assert "cut-access" in needed_by(template, step.key)


@departures
def test_closing_comes_last(name: str) -> None:
    template = TEMPLATES[name]
    closing = template.steps[-1]
    assert closing.key == "close-journey"
    assert {"verify-day-45", "cut-access", "approve-access-plan"} <= needed_by(template, closing.key)
    assert not any("close-journey" in step.needs for step in template.steps)


@departures
def test_nothing_is_wiped_or_deleted_before_the_hold_was_looked_at(name: str) -> None:
    hold = {
        "staff-dismissal-for-cause": "preserve-evidence",
        "client-early-cancellation": "settle-holds",
        "client-terminated-by-us": "settle-holds",
        "client-acquired-or-closed": "preserve-records",
    }.get(name, "check-legal-hold")
    template = TEMPLATES[name]
    destructive = [s.key for s in template.steps if re.match(r"(wipe|delete|release)-", s.key)]
    assert destructive
    for key in destructive:
        assert hold in needed_by(template, key), key


def test_for_cause_access_ends_before_the_person_is_told() -> None:
    template = TEMPLATES["staff-dismissal-for-cause"]
    assert template.confidentiality == "need_to_know"
    assert "cut-access" in needed_by(template, "hold-the-meeting")
    for step in template.steps:
        if step.role is Role.DEPARTING:
            assert "hold-the-meeting" in needed_by(template, step.key), step.key


@pytest.mark.parametrize(
    "name",
    [
        "client-acquired-or-closed",
        "client-contract-expiry",
        "client-early-cancellation",
        "client-project-completion",
        "client-terminated-by-us",
    ],
)
def test_ownership_moves_before_we_give_up_our_own_access(name: str) -> None:
    assert "transfer-ownership" in needed_by(TEMPLATES[name], "give-up-our-access")


@names
def test_pay_never_waits_for_equipment(name: str) -> None:
    template = TEMPLATES[name]
    for step in template.steps:
        if step.phase == 7:
            before = {template.step(key).phase for key in needed_by(template, step.key)}
            assert 5 not in before, step.key


@pytest.mark.parametrize("name", sorted(set(DEPARTURES) - NOBODY_TO_ASK))
def test_the_departing_side_sees_a_path_of_its_own(name: str) -> None:
    seen = [s for s in TEMPLATES[name].steps if s.visibility is Visibility.EVERYBODY]
    assert len([s for s in seen if s.role is Role.DEPARTING]) >= 3
    assert [s for s in seen if s.role is not Role.DEPARTING], "they see only chores, not what happens next"


@names
def test_titles_begin_with_a_verb_in_sentence_case(name: str) -> None:
    for step in TEMPLATES[name].steps:
        words = step.title.split()
        assert len(step.title) <= 80, step.key
        assert step.title[0].isupper() and step.title[-1] not in ".!?", step.key
        assert words[0].lower() not in {"the", "a", "an", "your", "their", "our"}, step.key
        assert not [w for w in words[1:] if w.istitle()], step.title


@names
def test_guidance_is_long_enough_readable_and_free_of_filler(name: str) -> None:
    for step in TEMPLATES[name].steps:
        sentences = _sentences(step)
        words = step.guidance.split()
        assert 2 <= len(sentences) <= 8, f"{step.key}: {len(sentences)} sentences"
        assert len(words) >= 25, f"{step.key}: {len(words)} words"
        assert len(words) / len(sentences) <= 20, f"{step.key}: long sentences"
        assert max(len(s.split()) for s in sentences) <= 40, f"{step.key}: one sentence is too long"
        found = FORBIDDEN.search(f"{step.title} {step.guidance}")
        assert found is None, f"{step.key}: “{found[0] if found else ''}”"


def test_no_text_is_used_twice() -> None:
    guidance = Counter(s.guidance for t in TEMPLATES.values() for s in t.steps)
    assert [text for text, times in guidance.items() if times > 1] == []
    sentences = Counter(x for t in TEMPLATES.values() for s in t.steps for x in set(_sentences(s)))
    assert [text for text, times in sentences.items() if times > 1 and len(text.split()) > 6] == []


def _sentences(step: TemplateStep) -> list[str]:
    return [s.strip() for s in re.split(r"(?<=[.?!])\s+", step.guidance.strip()) if s.strip()]


def test_the_schema_file_is_the_one_that_the_model_gives() -> None:
    assert SCHEMA_FILE.read_text("utf-8") == schema_text(), (
        "run: .venv/bin/python -m partwell.journeys.template.schema"
    )


def test_the_reference_lists_every_template_condition_field_and_guide_row() -> None:
    text = (ROOT / "docs/reference/templates.md").read_text("utf-8")
    for field in FIELDS.values():
        where = field.audience.value if field.audience else "both"
        choices = ", ".join(f"`{c}`" for c in field.choices)
        assert f"| `{field.name}` | {field.type} | {where} | {field.about} | {choices} |" in text
    documented = set(re.findall(r"^\| `((?:departure|person|client)\.\w+)` \|", text, re.MULTILINE))
    assert documented == set(FIELDS)
    for row, about in GUIDE_ROWS.items():
        assert f"| {row} | {about} |" in text
    for name, template in TEMPLATES.items():
        assert f"| `{name}` | {template.title} |" in text
