# ruff: noqa: E501 (a table reads better in long lines)
"""What `templates check` finds, on which line, and what it says to do."""

from __future__ import annotations

import pytest

from partwell.journeys.template.check import check
from tests.unit.template_texts import SOUND, line_of, with_change

# (what is wrong, part of the sound text, its replacement, part on whose line it is found, field, message)
BROKEN = [
    ("missing field", "    role: hr\n", "", "confirm-notice", "steps.confirm-notice.role", "“role” is missing"),
    ("unknown field", "    role: hr", "    rolle: hr", "rolle", "steps.confirm-notice.rolle", "Did you mean “role”?"),
    ("unknown role", "role: hr", "role: boss", "boss", "steps.confirm-notice.role", "“boss” is not known here"),
    ("unknown kind", "kind: deprovision", "kind: magic", "magic", "steps.cut-access.kind", "'deprovision'"),
    ("unreadable due", "due: access_end", "due: soon", "soon", "steps.cut-access.due", "“soon” is no due date"),
    ("phase out of range", "phase: 2", "phase: 11", "11", "steps.say-wishes.phase", "from 1 to 10"),
    ("bad key", "key: say-wishes", "key: Say It", "Say It", "steps.Say It.key", "small letters"),
    ("key twice", "key: say-wishes", "key: confirm-notice", "key: confirm-notice\n    phase: 2",
     "steps.confirm-notice.key", "is also the key of step 1"),
    ("unknown need", "needs: [confirm-notice]", "needs: [confirm-notis]", "confirm-notis",
     "steps.say-wishes.needs.0", "Did you mean “confirm-notice”?"),
    ("cycle", "    guide: [M1]", "    needs: [say-wishes]", "needs: [say-wishes]", "steps.confirm-notice.needs",
     "confirm-notice → say-wishes → confirm-notice"),
    ("behind a cycle", "    guide: [M1]", "    needs: [say-wishes]", "needs: [confirm-notice]\n\n",
     "steps.cut-access.needs", "“cut-access” can never open"),
    ("condition that does not compile", "person.tenure_years >= 1", "person.tenure_years >=", "years >=",
     "steps.say-wishes.when", "does not compile"),
    ("condition on a field that is not there", "person.tenure_years >= 1", "person.salary > 1", "salary",
     "steps.say-wishes.when", "no field person.salary"),
    ("condition on the reason", "person.tenure_years >= 1", "departure.reason == 'pay'", "departure.reason",
     "steps.say-wishes.when", "The reason is HR's alone"),
    ("condition on the other audience", "person.tenure_years >= 1", "client.tier == 'gold'", "client.tier",
     "steps.say-wishes.when", "never there in a template for staff"),
    ("condition that is no yes or no", "person.tenure_years >= 1", "person.title", "when: person.title",
     "steps.say-wishes.when", "neither true nor false"),
    ("condition that can never hold", "person.tenure_years >= 1", "person.tenure_years > 3 && person.tenure_years < 2",
     "> 3", "steps.say-wishes.when", "unreachable"),
    ("need that is never there", "    due: access_end", "    when: person.tenure_years < 1\n    due: access_end",
     "needs: [say-wishes]", "steps.cut-access.needs.0", "exclude each other"),
    ("due before the notice", "due: notice +1 working_day", "due: notice -2 days", "-2 days",
     "steps.confirm-notice.due", "before the notice"),
    ("due before what it needs", "due: notice +3 working_days", "due: notice", "due: notice\n",
     "steps.say-wishes.due", "which this step waits for"),
    ("empty phase without a reason", "3: none, ", "", "empty_phases", "empty_phases.3", "Phase 3 (Initiation)"),
    ("filled phase with a reason", "{3: none", "{1: none, 3: none", "{1: none", "empty_phases.1", "needs no reason"),
    ("empty role without a reason", ", legal: none", "", "empty_roles", "empty_roles.legal", "Legal (legal) has no step"),
    ("filled role with a reason", "legal: none", "legal: none, hr: none", "hr: none", "empty_roles.hr", "needs no reason"),
    ("hidden step of the leaver", "    visibility: everybody\n", "", "key: say-wishes", "steps.say-wishes.visibility",
     "visibility: everybody"),
    ("approval by the leaver", "    visibility: everybody", "    visibility: everybody\n    kind: approval",
     "kind: approval", "steps.say-wishes.kind", "cannot do a step of kind approval"),
    ("deprovision by another role", "    role: it_security\n", "    role: hr\n", "role: hr\n    kind", "steps.cut-access.role",
     "belongs to it_security"),
    ("step of an administrator", "role: hr", "role: admin", "role: admin", "steps.confirm-notice.role", "own no steps"),
    ("unknown guide row", "guide: [M1]", "guide: [M99]", "M99", "steps.confirm-notice.guide.0", "no guide row “M99”"),
    ("access approved by a role that may not", "role: hr", "kind: access_approval\n    role: finance", "role: finance",
     "steps.confirm-notice.role", "finance may not approve access plans"),
]  # fmt: skip


def test_a_sound_template_has_no_problems() -> None:
    assert check(SOUND, file="small.yaml") == []


@pytest.mark.parametrize(("old", "new", "found_at", "field", "message"), [b[1:] for b in BROKEN],
                         ids=[b[0] for b in BROKEN])  # fmt: skip
def test_each_kind_of_problem_is_found_on_its_line(
    old: str, new: str, found_at: str, field: str, message: str
) -> None:
    text = with_change(old, new) + "\n"
    if field == "steps.cut-access.needs.0":
        text = text[::-1].replace("[confirm-notice]"[::-1], "[say-wishes]"[::-1], 1)[::-1]
    problems = check(text, file="small.yaml")
    found = [p for p in problems if p.field == field and message in p.message]
    assert found, problems
    assert found[0].file == "small.yaml"
    assert found[0].line == line_of(text, found_at)
    assert str(found[0]).startswith(f"small.yaml:{found[0].line}: {field}: ")


def test_a_problem_names_the_way_out() -> None:
    for name, old, new, *_ in BROKEN:
        for problem in check(with_change(old, new), file="x"):
            assert len(problem.message) > 25, name
            assert problem.message.endswith((".", "?", "”", "]")), (name, problem.message)


def test_all_problems_are_listed_by_line() -> None:
    text = with_change("guide: [M1]", "guide: [M99]").replace("due: access_end", "due: notice -1 day")
    problems = check(text, file="x")
    assert [p.field for p in problems] == ["steps.confirm-notice.guide.0", "steps.cut-access.due",
                                           "steps.cut-access.due"]  # fmt: skip
    assert [p.line for p in problems] == sorted(p.line for p in problems)


def test_a_need_in_a_later_phase_is_fine() -> None:
    text = with_change("    guide: [M1]", "    guide: [M1]\n    needs: [cut-access]")
    text = text[: text.rindex("    needs: [confirm-notice]")]
    assert check(text, file="x") == []
