"""Where everything stands in the drawing of phases: the middle, and what nine in ten stay within.

Only places and words are computed; the template draws. The table beside it says the same in figures.
"""

from __future__ import annotations

from dataclasses import dataclass

from partwell.insights.phases import PhaseTimes

LEFT, WIDTH, ROW, BAR = 190, 470, 30, 14


@dataclass(frozen=True)
class PhaseBar:
    """One phase: a bar to the median, a line on to the ninth tenth."""

    name: str
    words: str
    y: int
    median_width: int
    end_x: int

    @property
    def text_y(self) -> int:
        return self.y + BAR - 2

    @property
    def middle_y(self) -> int:
        return self.y + BAR // 2

    @property
    def words_x(self) -> int:
        return self.end_x + 8


@dataclass(frozen=True)
class PhaseDrawing:
    """All phases that closed journeys went through."""

    bars: tuple[PhaseBar, ...]
    width: int = LEFT + WIDTH + 150

    @property
    def height(self) -> int:
        return ROW * len(self.bars) + 8


def draw_phases(phases: list[PhaseTimes], fewest: int) -> PhaseDrawing:
    """The drawing of these phases, to one scale; those with too few journeys are left out."""
    told = [each for each in phases if each.finished.count >= max(fewest, 1)]
    longest = max((each.finished.p90 or 0 for each in told), default=0) or 1
    bars = []
    for number, each in enumerate(told):
        middle, most = each.finished.median or 0, each.finished.p90 or 0
        median_width = max(2, round(middle * WIDTH / longest))
        bars.append(
            PhaseBar(
                each.title,
                f"{middle:g} days, nine in ten within {most}",
                ROW * number + 8,
                median_width,
                LEFT + max(median_width, round(most * WIDTH / longest)),
            )
        )
    return PhaseDrawing(tuple(bars))
