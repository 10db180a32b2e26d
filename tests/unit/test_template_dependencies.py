"""What waits for what in a template."""

from __future__ import annotations

from hypothesis import given

from partwell.journeys.template.dependencies import dependencies_of
from partwell.journeys.template.model import Template
from tests.unit.made_templates import a_step, a_template, templates


@given(templates)
def test_before_and_after_say_the_same_from_both_ends(template: Template) -> None:
    links = dependencies_of(template).links
    for key, each in links.items():
        assert set(each.needs) <= {*each.before, key}
        assert all(key in links[other].after for other in each.before)
        assert all(key in links[other].before for other in each.after)


@given(templates)
def test_the_longest_chain_is_one_and_none_is_longer(template: Template) -> None:
    found = dependencies_of(template)
    for first, second in zip(found.longest, found.longest[1:], strict=False):
        assert first in found.links[second].needs
    assert _longest_by_hand(template) == len(found.longest)


def _longest_by_hand(template: Template) -> int:
    """How long a chain grows when every step is put behind each that it needs; rings are no chain."""
    keys = {step.key for step in template.steps}
    needs = {step.key: set(step.needs) & keys for step in template.steps}
    level: dict[str, int] = {}
    for _ in keys:
        for key, needed in needs.items():
            if all(other in level for other in needed):
                level[key] = 1 + max((level[other] for other in needed), default=0)
    longest = max(level.values(), default=0)
    return longest if longest > 1 else 0


def test_the_step_with_most_behind_it_holds_up_most() -> None:
    found = dependencies_of(
        a_template(
            a_step("last", needs=["middle"]),
            a_step("first"),
            a_step("middle", needs=["first", "of-nobody"]),
            a_step("beside", needs=["first"]),
            a_step("alone"),
        )
    )
    assert found.longest == ("first", "middle", "last")
    assert [(key, len(found.links[key].after)) for key in found.holding_up] == [("first", 3), ("middle", 1)]
    assert found.links["last"].before == ("first", "middle")
    assert found.links["first"].opens == ("middle", "beside")
    assert found.rings == ()


def test_steps_that_wait_for_each_other_are_named_and_in_no_chain() -> None:
    found = dependencies_of(
        a_template(a_step("a", needs=["b"]), a_step("b", needs=["a"]), a_step("c"), a_step("d", needs=["c"]))
    )
    assert [set(ring) for ring in found.rings] == [{"a", "b"}]
    assert found.longest == ("c", "d")
    assert found.links["a"].before == ("b",)


def test_a_chain_of_400_steps_is_followed_to_its_end() -> None:
    steps = [a_step(f"s{n}", needs=[f"s{n - 1}"] if n else []) for n in range(400)]
    found = dependencies_of(a_template(*steps))
    assert len(found.longest) == 400
    assert len(found.links["s0"].after) == 399
