"""What differs between two versions of a template: all of it, only that, and alike from both sides."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from partwell.journeys.template.difference import Difference, FieldChange, Move, StepChange, difference
from partwell.journeys.template.model import Template
from partwell.journeys.template.word_changes import MOST_PAIRS, Fate, words_between
from tests.unit.made_templates import TEXTS, a_step, a_template, templates


def applied(found: Difference, old: Template) -> Template:
    """The other template, from the first one and what is said to differ."""
    whole = _changed(old.model_dump(mode="json"), found.fields)
    steps = {step["key"]: step for step in whole["steps"]}
    for step in found.removed:
        del steps[step.key]
    for each in found.changed:
        steps[each.new.key] = _changed(steps[each.new.key], each.fields)
    steps |= {step.key: step.model_dump(mode="json") for step in found.added}
    return Template.model_validate(whole | {"steps": [steps[key] for key in found.new_order]})


def _changed(values: dict[str, Any], fields: tuple[FieldChange, ...]) -> dict[str, Any]:
    values = {name: dict(value) if isinstance(value, dict) else value for name, value in values.items()}
    for change in fields:
        name, _, part = change.field.partition(".")
        within = values[name] if part else values
        assert within.get(part or name) == change.old
        within[part or name] = change.new
        if part and change.new is None:
            del within[part]
    return values


def mirrored(found: Difference) -> Difference:
    """The same difference as it is seen from the other side."""
    return Difference(
        fields=_mirrored(found.fields),
        added=found.removed,
        removed=found.added,
        changed=tuple(StepChange(each.new, each.old, _mirrored(each.fields)) for each in found.changed),
        moved=tuple(Move(each.step, each.new_place, each.old_place) for each in found.moved),
        old_order=found.new_order,
        new_order=found.old_order,
        is_mixed_anew=found.is_mixed_anew,
    )


def _mirrored(fields: tuple[FieldChange, ...]) -> tuple[FieldChange, ...]:
    return tuple(FieldChange(each.field, each.new, each.old) for each in fields)


def _by_key(found: Difference) -> Difference:
    """Without the order in which changed and moved steps are told, and which side's step tells of a move."""
    moves = [(each.step.key, each.old_place, each.new_place) for each in found.moved]
    changed = tuple(sorted(found.changed, key=lambda each: each.new.key))
    return replace(found, changed=changed, moved=tuple(sorted(moves)))  # type: ignore[arg-type]


@given(templates)
def test_a_template_does_not_differ_from_itself(template: Template) -> None:
    found = difference(template, template)
    assert found.count == 0
    assert not any((found.fields, found.added, found.removed, found.changed, found.moved))


@given(templates, templates)
def test_applying_what_differs_gives_the_other_template(old: Template, new: Template) -> None:
    found = difference(old, new)
    assert applied(found, old) == new
    assert (found.count == 0) is (old == new)


@given(templates, templates)
def test_from_the_other_side_it_is_the_same_the_other_way_round(old: Template, new: Template) -> None:
    assert _by_key(difference(new, old)) == _by_key(mirrored(difference(old, new)))


@given(templates, templates)
def test_what_did_not_move_keeps_its_order_in_its_phase(old: Template, new: Template) -> None:
    moved = {each.step.key for each in difference(old, new).moved}
    for phase in range(1, 11):
        was = [step.key for step in old.steps if step.phase == phase and step.key not in moved]
        now = [step.key for step in new.steps if step.phase == phase and step.key not in moved]
        assert [key for key in was if key in now] == [key for key in now if key in was]


@given(st.permutations(range(6)))
def test_as_few_steps_as_possible_are_said_to_have_moved(order: list[int]) -> None:
    old = a_template(*(a_step(f"s{n}") for n in range(6)))
    new = a_template(*(a_step(f"s{n}") for n in order))
    most = max(len(kept) for kept in _rising(order))
    moved = {each.step.key for each in difference(old, new).moved}
    assert len(moved) == 6 - most
    staying = [step.key for step in new.steps if step.key not in moved]
    assert staying == sorted(staying), "the others keep their order"


def _rising(order: list[int]) -> list[tuple[int, ...]]:
    found: list[tuple[int, ...]] = [()]
    for number in order:
        found += [(*kept, number) for kept in found if not kept or kept[-1] < number]
    return found


def test_each_field_is_told_with_its_old_and_new_value() -> None:
    old = a_template(a_step("a", due="notice"), a_step("b"), empty_phases={2: "no use", 10: "none"})
    new = a_template(
        a_step("a", due="notice +1 day", needs=["b"]), a_step("b"), a_step("c"), empty_phases={2: "none"}
    )
    found = difference(old, new)
    assert found.fields == (
        FieldChange("empty_phases.2", "no use", "none"),
        FieldChange("empty_phases.10", "none", None),
    )
    (changed,) = found.changed
    assert changed.new.key == "a"
    assert changed.fields == (
        FieldChange("due", "notice", "notice +1 day"),
        FieldChange("needs", [], ["b"]),
    )
    assert [step.key for step in found.added] == ["c"]
    assert not found.removed and not found.moved


def test_a_step_that_others_make_room_for_has_not_moved() -> None:
    old = a_template(a_step("a"), a_step("b"), a_step("c"))
    new = a_template(a_step("new"), a_step("a"), a_step("c"), a_step("b"))
    moved = difference(old, new).moved
    assert [(each.step.key, each.old_place, each.new_place) for each in moved] == [("c", 3, 3)]


def test_another_order_of_phases_in_the_file_moves_nothing_on_a_page() -> None:
    first, second = a_step("a"), a_step("b", phase=2)
    found = difference(a_template(first, second), a_template(second, first))
    assert found.is_mixed_anew and not found.moved
    assert found.count == 1


@given(TEXTS, TEXTS)
def test_words_that_were_kept_removed_and_added_make_up_both_texts(old: str, new: str) -> None:
    found = words_between(old, new)
    assert "".join(each.text for each in found if each.fate != Fate.ADDED) == old
    assert "".join(each.text for each in found if each.fate != Fate.REMOVED) == new


def test_words_are_told_one_by_one() -> None:
    found = words_between("Tell them the date twice.", "Tell them the new date.")
    assert [(each.fate, each.text) for each in found] == [
        (Fate.KEPT, "Tell them the"),
        (Fate.REMOVED, " date twice."),
        (Fate.ADDED, " new date."),
    ]


@pytest.mark.parametrize("changed", [True, False])
def test_a_text_of_one_word_over_and_over_is_told_as_a_whole(changed: bool) -> None:
    old = "no " * int(MOST_PAIRS**0.5 + 3)
    new = old + "more" if changed else old
    fates = [each.fate for each in words_between(old, new)]
    assert fates == ([Fate.REMOVED, Fate.ADDED] if changed else [Fate.KEPT])
