"""A template while it is being written: what can be changed, what is refused, and what its YAML says."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from partwell.journeys.template.check import check, parse
from partwell.journeys.template.digest import digest_of
from partwell.journeys.template.drafting import (
    AddStep,
    ChangeStep,
    DraftTemplate,
    MoveStep,
    RemoveStep,
    Replace,
    SetFields,
    apply,
    differences,
    draft_of,
    from_text,
    problems_of,
)
from partwell.journeys.template.library import library_files
from partwell.journeys.template.model import Template
from partwell.journeys.template.text import as_yaml
from partwell.refusals import Conflict, Invalid, NotFound
from tests.unit.template_texts import SOUND, with_change

# What people may type and paste: line ends, marks that YAML gives a meaning, words that it reads as values.
TRICKY = st.sampled_from(
    [
        "yes",
        "null",
        "1e3",
        "2026-11-27",
        "- a: b",
        "# no",
        "a: 'b' \"c\"",
        "%x",
        "&a *b",
        "~",
        "=",
        "<<",
        "1:30",
    ]
)
TEXTS = st.one_of(TRICKY, st.text(st.characters(exclude_categories=("Cs", "Cc")), max_size=60))
LINES = st.lists(TEXTS, min_size=1, max_size=4).map("\n".join)


def draft(text: str = SOUND) -> DraftTemplate:
    return from_text(text, file="small.yaml")


def keys(found: DraftTemplate) -> list[str]:
    return [step.key for step in found.steps]


@pytest.mark.parametrize("path", library_files(), ids=lambda path: path.stem)
def test_what_the_library_says_is_written_and_read_back_the_same(path: Any) -> None:
    template = parse(path.read_text(encoding="utf-8"))
    text = as_yaml(template)
    assert check(text, file="written.yaml") == []
    assert digest_of(parse(text)) == digest_of(template)
    assert max(map(len, text.splitlines())) <= 140, "people read it"
    assert text.count("\n  # ") == len({step.phase for step in template.steps}), (
        "steps stand under their phase"
    )


@settings(max_examples=150)
@given(
    title=LINES, guidance=LINES, why=LINES, value=TEXTS, gap=st.sampled_from(["", " ", "\n", "\n\n", "\t"])
)
def test_whatever_is_typed_is_written_and_read_back_the_same(
    title: str, guidance: str, why: str, value: str, gap: str
) -> None:
    values = draft().model_dump(mode="json")
    values["title"] = f"Ttt{title}"[:140]
    values["summary"] = f"{gap}{why} and enough to be a summary{gap}"
    values["empty_phases"]["3"] = f"{why}{gap}"
    values["reasons"] = [value or "other"]
    values["steps"][0]["guidance"] = f"{gap}{guidance}{gap}"
    template = Template.model_validate(draft_of(values).model_dump(mode="json"))
    assert digest_of(parse(as_yaml(template))) == digest_of(template)


def test_a_draft_says_every_problem_of_text_and_meaning_at_once() -> None:
    changed = apply(draft(), SetFields(summary="short", reasons=()))
    changed = apply(changed, ChangeStep(key="say-wishes", fields={"when": "person.tenur >= 1", "title": ""}))
    fields = [field for field, _ in problems_of(changed)]
    assert fields == ["reasons", "summary", "steps.say-wishes.title", "steps.say-wishes.when"]
    assert problems_of(draft()) == []


def test_a_step_gets_a_free_key_from_its_title_and_stands_last_in_its_phase() -> None:
    new = {"title": "Café & Kühlschrank!", "phase": 1, "role": "hr", "due": "notice"}
    once = apply(draft(), AddStep(step=new))
    twice = apply(once, AddStep(step=new))
    assert keys(twice)[:3] == ["confirm-notice", "cafe-kuhlschrank", "cafe-kuhlschrank-2"]
    assert twice.numbers["cafe-kuhlschrank-2"] == "1.3"
    with pytest.raises(Conflict, match="already"):
        apply(once, AddStep(step={**new, "key": "cafe-kuhlschrank"}))


def test_a_step_that_others_need_goes_only_together_with_their_need() -> None:
    with pytest.raises(Conflict) as refused:
        apply(draft(), RemoveStep(key="confirm-notice"))
    assert "“Say what you wish”, “Cut all access” need “Confirm the notice”" in refused.value.message
    left = apply(draft(), RemoveStep(key="confirm-notice", let_go=True))
    assert keys(left) == ["say-wishes", "cut-access"]
    assert [step.needs for step in left.steps] == [(), ()]


@pytest.mark.parametrize(
    ("phase", "place", "order", "number"),
    [
        (1, 1, ["cut-access", "confirm-notice", "say-wishes"], "1.1"),
        (1, 2, ["confirm-notice", "cut-access", "say-wishes"], "1.2"),
        (2, 400, ["confirm-notice", "say-wishes", "cut-access"], "2.2"),
        (1, 400, ["confirm-notice", "cut-access", "say-wishes"], "1.2"),
        (10, 1, ["confirm-notice", "say-wishes", "cut-access"], "10.1"),
    ],
)
def test_a_step_moves_within_and_between_phases(
    phase: int, place: int, order: list[str], number: str
) -> None:
    moved = apply(draft(), MoveStep(key="cut-access", phase=phase, place=place))
    assert keys(moved) == order
    assert moved.numbers["cut-access"] == number


def test_the_differences_name_what_was_changed_and_nothing_else() -> None:
    before = apply(draft(), AddStep(step={"title": "Another", "phase": 1, "role": "hr", "due": "notice"}))
    assert differences(before, before) == []
    moved = apply(before, MoveStep(key="another", phase=1, place=1))
    [place] = differences(before, moved, moved="another")
    assert (place.path, place.before, place.after) == ("steps.another.place", "1.2", "1.1")
    changed = apply(moved, ChangeStep(key="cut-access", fields={"due": "access_end +1 day"}))
    changed = apply(changed, RemoveStep(key="say-wishes"))
    found = {each.path: (each.before, each.after) for each in differences(before, changed)}
    assert set(found) == {"steps.another.place", "steps.cut-access.due", "steps.say-wishes"} or set(
        found
    ) == {
        "steps.confirm-notice.place",
        "steps.cut-access.due",
        "steps.say-wishes",
    }
    assert found["steps.cut-access.due"] == ("access_end", "access_end +1 day")


@pytest.mark.parametrize(
    ("values", "field", "says"),
    [
        ({"role": "chief"}, "steps.cut-access.role", "not known"),
        ({"due": "soon"}, "steps.cut-access.due", "no due date"),
        ({"phase": 11}, "steps.cut-access.phase", "a number from 1 to 10"),
        ({"needs": "confirm-notice"}, "steps.cut-access.needs", "a list of step keys"),
        ({"colour": "red"}, "steps.cut-access.colour", "written for a newer Partwell"),
        ({"guidance": "x" * 6001}, "steps.cut-access.guidance", "6000"),
        ({"title": "a\0b"}, "steps.cut-access.title", "control character"),
        ({"required": "perhaps"}, "steps.cut-access.required", "true or false"),
    ],
)
def test_a_value_that_cannot_be_is_refused_with_its_field(
    values: dict[str, Any], field: str, says: str
) -> None:
    with pytest.raises(Invalid) as refused:
        apply(draft(), ChangeStep(key="cut-access", fields=values))
    assert refused.value.field == field
    assert says in refused.value.message


def test_a_key_stays_and_an_unknown_step_is_not_found() -> None:
    with pytest.raises(Invalid, match="key stays"):
        apply(draft(), ChangeStep(key="cut-access", fields={"key": "other"}))
    for change in (
        ChangeStep(key="none", fields={}),
        RemoveStep(key="none"),
        MoveStep(key="none", phase=1),
    ):
        with pytest.raises(NotFound):
            apply(draft(), change)


STEP = "  - {{key: s{n}, phase: 1, title: A step, role: hr, due: notice}}\n"


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("a: &a [x]\nb: *a\n", "file.yaml:1: Anchors (&) and aliases (*) are not read"),
        ("a: &x 1\n" * 9, "file.yaml:1: Anchors"),
        (SOUND + "".join(STEP.format(n=n) for n in range(10_000)), "The file "),
        (SOUND + "".join(STEP.format(n=n) for n in range(500)), "at most 400 items"),
        (with_change("summary:", "schema: 2\nsummary:"), "file.yaml:3: schema: There is no “schema” here"),
        (with_change("phase: 6", "phase: six"), "file.yaml:25: steps.cut-access.phase: "),
        ("- a\n- b\n", "file.yaml:1: A template is a mapping"),
        ("id: [", "file.yaml:2: This is not YAML"),
        ("[" * 50 + "]" * 50, "file.yaml:1: Nested deeper than 8 levels"),
        ("!!python/object:os.system {}", "The tag "),
        ("id: x\n---\nid: y\n", "One file holds one template"),
    ],
)
def test_a_text_that_is_no_template_is_refused_with_its_line(text: str, says: str) -> None:
    for refuse in (
        lambda: from_text(text, file="file.yaml"),
        lambda: apply(draft(), Replace(source=text, file="file.yaml")),
    ):
        with pytest.raises(Invalid) as refused:
            refuse()
        assert refused.value.code == "template_broken"
        assert says in refused.value.message


def test_a_text_whose_steps_do_not_hang_together_is_a_draft_with_problems() -> None:
    found = from_text(
        with_change("needs: [confirm-notice]", "needs: [confirm-notise]"), template_id="other", file="f"
    )
    assert found.id == "other"
    [(field, message)] = problems_of(found)
    assert field == "steps.say-wishes.needs.0"
    assert "Did you mean “confirm-notice”?" in message
