"""The drawing of what waits for what: every step once, under its phase, with nothing on top of it."""

from __future__ import annotations

import re
from itertools import pairwise

import pytest

from benchmarks.firm import template_text
from partwell.journeys.template.check import parse
from partwell.journeys.template.dependencies import dependencies_of
from partwell.journeys.template.library import library_files
from partwell.journeys.template.model import Template
from partwell.web.template_drawing import BOX_H, BOX_W, LETTERS, LINES, Drawing, draw_template
from tests.unit.made_templates import a_step, a_template

TEMPLATES = {path.stem: path.read_text("utf-8") for path in library_files()} | {
    "of 150 steps": template_text("long", 150)
}


def drawn(template: Template) -> Drawing:
    return draw_template(template, dependencies_of(template))


@pytest.mark.parametrize("name", TEMPLATES)
def test_every_step_has_its_box_and_no_box_lies_on_another(name: str) -> None:
    template = parse(TEMPLATES[name])
    found = drawn(template)
    assert [box.key for box in found.boxes] == [step.key for step in template.steps]
    columns = {heading.number: heading.x for heading in found.headings}
    for box, step in zip(found.boxes, template.steps, strict=True):
        assert box.x == columns[step.phase]
        assert box.x > 0 and box.x + BOX_W < found.width
        assert box.y + BOX_H < found.height
        assert box.number == template.numbers[step.key]
    corners = sorted((box.x, box.y) for box in found.boxes)
    for (x, y), (next_x, next_y) in pairwise(corners):
        assert next_x >= x + BOX_W or (next_x == x and next_y >= y + BOX_H)


@pytest.mark.parametrize("name", TEMPLATES)
def test_every_need_has_its_line_from_box_to_box(name: str) -> None:
    template = parse(TEMPLATES[name])
    found = drawn(template)
    keys = [step.key for step in template.steps]
    lines = {(keys[line.start], keys[line.end]) for line in found.lines}
    assert lines == {(needed, step.key) for step in template.steps for needed in step.needs}
    edges = {(x, box.middle) for box in found.boxes for x in (box.x, box.x + BOX_W)}
    for line in found.lines:
        numbers = [int(each) for each in re.findall(r"-?\d+", line.path)]
        assert {tuple(numbers[:2]), tuple(numbers[-2:])} <= edges
        start, end = found.boxes[line.start], found.boxes[line.end]
        if start.x == end.x:
            assert max(numbers[::2]) == start.x, "a line within a column runs beside its boxes"


def test_a_long_title_is_cut_in_the_box_and_whole_for_those_who_hear_it() -> None:
    title = "Ask everybody who ever worked with them whether anything at all was left open"
    (box,) = drawn(a_template(a_step("ask", title=title))).boxes
    assert len(box.lines) == LINES
    assert box.lines[-1].endswith("…")
    assert all(len(line) <= LETTERS for line in box.lines)
    assert box.label == f"1.1 {title}"


def test_a_box_says_what_it_waits_for_and_how_much_waits_for_it() -> None:
    steps = (a_step("a"), a_step("b"), a_step("c", needs=["a", "b"]), a_step("d", needs=["c"]))
    labels = [box.label for box in drawn(a_template(*steps)).boxes]
    assert labels == [
        "1.1 Do a, holds up 2",
        "1.2 Do b, holds up 2",
        "1.3 Do c, waits for 1.1 and 1.2, holds up 1",
        "1.4 Do d, waits for 1.3",
    ]
