"""Where every step stands in the drawing of a template: phases as columns, and lines from step to step.

The list under it says the same in words. It is written out here and not in the page's template, for there are
hundreds of lines and boxes.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from textwrap import wrap

from django.utils.html import format_html, format_html_join
from django.utils.safestring import SafeString

from partwell.journeys.template.dependencies import Dependencies
from partwell.journeys.template.model import PHASES, Template
from partwell.people.roles import Role

LEFT, HEAD = 26, 34
BOX_W, BOX_H = 164, 42
COLUMN_W, ROW_H = BOX_W + 46, BOX_H + 12
INDENT, LETTERS, LINES = 9, 24, 2
LEAVERS = format_html(' data-role="{}"', "leaver")


@dataclass(frozen=True)
class Heading:
    """A column's phase."""

    x: int
    number: int
    title: str


@dataclass(frozen=True)
class Box:
    """A step. `place` counts from 0 in the template; `before` and `after` are places of what hangs on it."""

    place: int
    key: str
    x: int
    y: int
    number: str
    lines: tuple[str, ...]
    label: str
    is_leaver: bool
    before: tuple[int, ...]
    after: tuple[int, ...]

    @property
    def middle(self) -> int:
        return self.y + BOX_H // 2

    @property
    def rows(self) -> list[tuple[int, str]]:
        """Each line of words, and where it stands."""
        first = self.y + (25 if len(self.lines) == 1 else 17)
        return [(first + 16 * line, words) for line, words in enumerate(self.lines)]


@dataclass(frozen=True)
class Line:
    """From a step that is waited for to the one that waits, by their places."""

    path: str
    start: int
    end: int


@dataclass(frozen=True)
class Drawing:
    """The whole picture; sizes in pixels at full size."""

    headings: tuple[Heading, ...]
    boxes: tuple[Box, ...]
    lines: tuple[Line, ...]
    width: int
    height: int


def draw_template(template: Template, found: Dependencies) -> Drawing:
    """The drawing of a template. Phases without a step have no column."""
    shown = [phase for phase in PHASES if any(step.phase == phase for step in template.steps)]
    columns = {phase: LEFT + column * COLUMN_W for column, phase in enumerate(shown)}
    boxes = {box.key: box for box in _boxes(template, found, columns)}
    lines = [_line(boxes[needed], boxes[key]) for key, links in found.links.items() for needed in links.needs]
    return Drawing(
        headings=tuple(Heading(columns[phase], phase, PHASES[phase]) for phase in shown),
        boxes=tuple(boxes.values()),
        lines=tuple(lines),
        width=LEFT + len(shown) * COLUMN_W,
        height=max((box.y for box in boxes.values()), default=HEAD) + ROW_H,
    )


def _boxes(template: Template, found: Dependencies, columns: dict[int, int]) -> Iterator[Box]:
    places = {step.key: place for place, step in enumerate(template.steps)}
    numbers = template.numbers
    rows = dict.fromkeys(PHASES, 0)
    for step in template.steps:
        links = found.links[step.key]
        name = step.title or step.key
        yield Box(
            place=places[step.key],
            key=step.key,
            x=columns[step.phase],
            y=HEAD + rows[step.phase] * ROW_H,
            number=numbers[step.key],
            lines=_in_lines(name),
            label=f"{numbers[step.key]} {name}{_waiting(links.needs, len(links.after), numbers)}",
            is_leaver=step.role == Role.DEPARTING,
            before=tuple(places[key] for key in links.before),
            after=tuple(places[key] for key in links.after),
        )
        rows[step.phase] += 1


def _in_lines(title: str) -> tuple[str, ...]:
    # The number stands before the first line and takes its place.
    lines = wrap(title, LETTERS, initial_indent=" " * 5)
    if len(lines) > LINES:
        lines = [*lines[: LINES - 1], f"{lines[LINES - 1][: LETTERS - 1].rstrip()}…"]
    return tuple(line.strip() for line in lines)


def _waiting(needs: tuple[str, ...], behind: int, numbers: dict[str, str]) -> str:
    words = f", waits for {' and '.join(numbers[key] for key in needs)}" if needs else ""
    return words + (f", holds up {behind}" if behind else "")


def _line(start: Box, end: Box) -> Line:
    if start.x == end.x:
        # Within a column lines run beside the boxes.
        x, bend = start.x, start.x - 18
        path = f"M{x} {start.middle}C{bend} {start.middle} {bend} {end.middle} {x} {end.middle}"
    else:
        x1, x2 = (start.x + BOX_W, end.x) if start.x < end.x else (start.x, end.x + BOX_W)
        bend = (x2 - x1) // 2
        path = f"M{x1} {start.middle}C{x1 + bend} {start.middle} {x2 - bend} {end.middle} {x2} {end.middle}"
    return Line(path, start.place, end.place)


def svg_of(drawing: Drawing, address_of: Callable[[str], str]) -> SafeString:
    """What stands within the picture's frame: headings, then lines, and boxes above them.

    `address_of` says where a step's box leads.
    """
    return format_html(
        "{}{}{}",
        format_html_join(
            "",
            '<text class="pw-tmap__h" x="{}" y="18">{} {}</text>',
            ((each.x, each.number, each.title) for each in drawing.headings),
        ),
        format_html_join(
            "",
            '<path d="{}" data-s="{}" data-e="{}"/>',
            ((line.path, line.start, line.end) for line in drawing.lines),
        ),
        format_html_join("", "{}", ((_svg_box(box, address_of(box.key)),) for box in drawing.boxes)),
    )


def _svg_box(box: Box, address: str) -> SafeString:
    (first_y, first), *more = box.rows
    return format_html(
        '<a href="{}" aria-label="{}" data-n="{}" data-before="{}" data-after="{}"{}>'
        '<rect x="{}" y="{}" width="{}" height="{}" rx="6"/>'
        '<text x="{}" y="{}"><tspan class="pw-tmap__n">{}</tspan> {}</text>{}</a>',
        address,
        box.label,
        box.place,
        " ".join(map(str, box.before)),
        " ".join(map(str, box.after)),
        LEAVERS if box.is_leaver else "",
        box.x,
        box.y,
        BOX_W,
        BOX_H,
        box.x + INDENT,
        first_y,
        box.number,
        first,
        format_html_join(
            "", '<text x="{}" y="{}">{}</text>', ((box.x + INDENT, y, words) for y, words in more)
        ),
    )
