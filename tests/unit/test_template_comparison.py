"""Two templates side by side: what counts as shared, and that both sides are told alike."""

from __future__ import annotations

from hypothesis import given

from partwell.journeys.template.comparison import Comparison, Counts, Likeness, Pair, compare
from partwell.journeys.template.model import Template
from partwell.people.roles import Role
from tests.unit.made_templates import a_step, a_template, templates

OTHER_SIDE = {
    Likeness.SAME_KEY: Likeness.SAME_KEY,
    Likeness.COUNTERPARTS: Likeness.COUNTERPARTS,
    Likeness.ONLY_LEFT: Likeness.ONLY_RIGHT,
    Likeness.ONLY_RIGHT: Likeness.ONLY_LEFT,
}


def likenesses(found: Comparison) -> list[tuple[Likeness, str, str]]:
    return [
        (pair.likeness, pair.left.key if pair.left else "", pair.right.key if pair.right else "")
        for pair in found.pairs
    ]


@given(templates)
def test_a_template_beside_itself_shares_everything(template: Template) -> None:
    found = compare(template, template)
    assert {pair.likeness for pair in found.pairs} == {Likeness.SAME_KEY}
    assert not any(pair.changes for pair in found.pairs)
    assert not found.practice.only_left and not found.practice.only_right


@given(templates, templates)
def test_with_the_sides_exchanged_it_says_the_same(left: Template, right: Template) -> None:
    here, there = compare(left, right), compare(right, left)
    assert sorted(likenesses(there)) == sorted(
        (OTHER_SIDE[like], r, lft) for like, lft, r in likenesses(here)
    )
    assert (there.practice.both, there.practice.only_left) == (here.practice.both, here.practice.only_right)


@given(templates, templates)
def test_every_step_stands_in_one_place(left: Template, right: Template) -> None:
    found = compare(left, right)
    assert sorted(pair.left.key for pair in found.pairs if pair.left) == sorted(s.key for s in left.steps)
    assert sorted(pair.right.key for pair in found.pairs if pair.right) == sorted(s.key for s in right.steps)
    assert sum(Counts.of(found.of_phase(phase)).total for phase in range(1, 11)) == len(found.pairs)


def test_what_makes_two_steps_counterparts_is_phase_kind_and_good_practice() -> None:
    left = a_template(a_step("ask", guide=["E2", "W1"], title="Ask them"))
    alike = a_step("question", guide=["W1", "E2"], title="Other words")
    assert likenesses(compare(left, a_template(alike))) == [(Likeness.COUNTERPARTS, "ask", "question")]
    for other in ({"phase": 2}, {"kind": "approval"}, {"guide": ["E2"]}, {"guide": []}):
        found = compare(left, a_template({**alike, **other, "title": "Ask them"}))
        assert likenesses(found) == [(Likeness.ONLY_LEFT, "ask", ""), (Likeness.ONLY_RIGHT, "", "question")]


def test_where_a_third_step_serves_the_same_nothing_is_guessed() -> None:
    left = a_template(a_step("one", guide=["W1"]))
    right = a_template(a_step("two", guide=["W1"]), a_step("three", guide=["W1"]))
    assert {pair.likeness for pair in compare(left, right).pairs} == {Likeness.ONLY_LEFT, Likeness.ONLY_RIGHT}


def test_steps_without_good_practice_are_never_counterparts() -> None:
    found = compare(a_template(a_step("one")), a_template(a_step("two")))
    assert [pair.likeness for pair in found.pairs] == [Likeness.ONLY_LEFT, Likeness.ONLY_RIGHT]


def test_a_step_of_both_tells_in_what_it_differs_and_belongs_to_either_owner() -> None:
    left = a_template(a_step("talk", role="hr", phase=4))
    right = a_template(a_step("talk", role="finance", phase=3))
    (pair,) = compare(left, right).pairs
    assert isinstance(pair, Pair)
    assert {change.field for change in pair.changes} == {"role", "phase"}
    assert pair.phase == 3
    assert pair.roles == {Role.HR, Role.FINANCE}


def test_good_practice_is_counted_apart_from_steps() -> None:
    left = a_template(a_step("one", guide=["W1", "M1"]))
    right = a_template(a_step("two", guide=["W1", "C1"], phase=2))
    practice = compare(left, right).practice
    assert (practice.both, practice.only_left, practice.only_right) == (("W1",), ("M1",), ("C1",))
