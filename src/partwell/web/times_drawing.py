"""Where everything stands in the drawing of times to revoke: a row of bars for each class of systems.

Only places and words are computed; the template draws. The table beside it says the same in figures.
"""

from __future__ import annotations

from dataclasses import dataclass, field

from partwell.closure.audits.times import EDGES, ClassTimes, bucket_words

LEFT, STEP, BAR, ROW, HIGH = 96, 84, 58, 118, 76


@dataclass(frozen=True)
class Bar:
    """One class of time of one class of systems; `kind` is `late` past what the class allows."""

    x: int
    y: int
    height: int
    count: int
    kind: str
    width: int = BAR

    @property
    def middle(self) -> int:
        return self.x + self.width // 2

    @property
    def text_y(self) -> int:
        return self.y - 5


@dataclass(frozen=True)
class Row:
    """One class of systems: its name, its ground line, and where its time ends."""

    name: str
    figures: str
    ground: int
    limit_x: int
    bars: tuple[Bar, ...]

    @property
    def name_y(self) -> int:
        return self.ground - 18

    @property
    def figures_y(self) -> int:
        return self.ground - 2

    @property
    def top(self) -> int:
        return self.ground - HIGH - 18


@dataclass
class Drawing:
    """All rows, and under them what the columns mean, each with its place."""

    rows: list[Row] = field(default_factory=list)
    columns: list[tuple[int, str]] = field(default_factory=list)
    width: int = LEFT + STEP * (len(EDGES) + 1)
    height: int = 0

    @property
    def words_y(self) -> int:
        return self.height - 6


def drawing(times: list[ClassTimes]) -> Drawing:
    """The drawing of these classes. Bars are to one scale within a class, so that a small one can be read."""
    made = Drawing(height=ROW * len(times) + 26)
    made.columns = [(LEFT + STEP * n + BAR // 2, words) for n, words in enumerate(bucket_words())]
    for number, each in enumerate(times):
        ground, most = ROW * (number + 1), max(*each.counts, 1)
        limit = EDGES.index(each.minutes) + 1
        bars = tuple(
            Bar(
                LEFT + STEP * place,
                ground - max(2, count * HIGH // most),
                max(2, count * HIGH // most),
                count,
                "late" if place >= limit else "in-time",
            )
            for place, count in enumerate(each.counts)
            if count
        )
        figures = f"{each.in_time} of {each.total}"
        limit_x = LEFT + STEP * limit - (STEP - BAR) // 2
        made.rows.append(Row(each.sla.value.capitalize(), figures, ground, limit_x, bars))
    return made
