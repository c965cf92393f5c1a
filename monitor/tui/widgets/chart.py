"""One large curve of scores with its threshold, its alerts shaded and times along it."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

import numpy as np
from numpy.typing import NDArray
from rich.style import Style
from textual.app import ComposeResult
from textual.containers import Grid
from textual.reactive import reactive
from textual.strip import Strip
from textual_hires_canvas import Canvas, HiResMode
from textual_plot import AxisFormatter, PlotWidget
from textual_plot.plot_widget import Legend

from monitor.tui.renderables.palette import Palette
from monitor.tui.state.curve import Levels, held
from monitor.tui.state.words import TIMES

Moments = NDArray[np.float64]
STEPS_S = (1, 2, 5, 10, 15, 30, 60, 120, 300, 600, 900, 1800, 3600, 7200, 21600)
HELD_S = 6.0  # between scores of a picture in which nothing moves, and a little
LEAST_TOP = 1.5  # times the threshold; so that the threshold is always in sight
MOST_TOP = 50.0  # a single reading of a thousand would flatten all others


@dataclass(frozen=True, slots=True)
class Shade:
    """A stretch to be marked, in seconds since 1970."""

    begin: float
    end: float


class ClockFormatter(AxisFormatter):
    """Seconds since 1970 as local time of day."""

    def get_ticks(self, min_: float, max_: float, max_ticks: int = 8) -> list[float]:
        """Whole minutes where there is room for few, whole seconds where for many."""
        most = max(2, min(max_ticks, 7))
        step = next((s for s in STEPS_S if (max_ - min_) / s <= most), STEPS_S[-1])
        first = np.ceil(min_ / step) * step
        return [float(tick) for tick in np.arange(first, max_, step)]

    def get_labels_for_ticks(self, ticks: Sequence[float]) -> list[str]:
        """With seconds only where ticks are closer than minutes."""
        fine = len(ticks) > 1 and ticks[1] - ticks[0] < 60
        form = "%H:%M:%S" if fine else "%H:%M"
        return [datetime.fromtimestamp(tick, UTC).astimezone().strftime(form) for tick in ticks]


class LevelFormatter(AxisFormatter):
    """Times the threshold: whole numbers, and the threshold itself always among them."""

    def get_ticks(self, min_: float, max_: float, max_ticks: int = 8) -> list[float]:  # noqa: ARG002
        """0, 1 and a few more."""
        step = next((s for s in (1, 2, 5, 10, 20) if max_ / s <= 5), 50)
        ticks = {0.0, 1.0, *(float(t) for t in np.arange(0, max_, step))}
        return sorted(tick for tick in ticks if min_ <= tick <= max_)

    def get_labels_for_ticks(self, ticks: Sequence[float]) -> list[str]:
        """As everywhere."""
        return [f"{tick:.0f}{TIMES}" for tick in ticks]


class _Canvas(Canvas):
    """Every segment has a style: Textual's filter for NO_COLOR fails where one has none."""

    def render_line(self, y: int) -> Strip:
        """Of a canvas without size, too."""
        return super().render_line(y).apply_style(self.rich_style)


class Chart(PlotWidget):
    """Drawn anew by `draw`; once a second is enough."""

    can_focus = False
    margin_top = reactive(0)
    margin_bottom = reactive(1)
    margin_left = reactive(5)

    def __init__(self, **options: Any) -> None:
        super().__init__(allow_pan_and_zoom=False, **options)
        self.set_x_formatter(ClockFormatter())
        self.set_y_formatter(LevelFormatter())
        self._drawn: tuple[object, ...] = ()

    def compose(self) -> ComposeResult:
        """The same parts as a PlotWidget's."""
        with Grid():
            for part in ("margin-top", "margin-left", "plot", "margin-bottom"):
                yield _Canvas(1, 1, id=part)
        yield Legend(id="legend")

    def draw(
        self, levels: Levels, begin: float, end: float, shades: Sequence[Shade], palette: Palette
    ) -> None:
        """The highest scores of equal stretches from `begin` to `end`, oldest first."""
        key = (levels.tobytes(), begin, end, tuple(shades), id(palette), self.size)
        if key == self._drawn or not self.is_mounted:
            return
        self._drawn = key
        self.clear()
        known = levels[~np.isnan(levels)]
        highest = float(known.max()) if len(known) else 0.0
        top = min(MOST_TOP, max(LEAST_TOP, highest * 1.08))
        self.set_xlimits(begin, end)
        self.set_ylimits(0.0, top)
        self._shade(shades, begin, end, top, palette)
        times = np.linspace(begin, end, len(levels))  # float32 has no room for seconds of today
        levels = held(levels, int(HELD_S * len(levels) / max(1.0, end - begin)))
        ones = np.ones(len(levels), np.float32)
        marks = _inside(times, shades)
        self._line(times, ones, marks, (palette.dim, palette.dim), palette)
        self._line(
            times, np.clip(levels, 0.0, top), marks, (palette.tones["learn"], palette.over), palette
        )

    def _shade(
        self, shades: Sequence[Shade], begin: float, end: float, top: float, palette: Palette
    ) -> None:
        inside = [
            (max(s.begin, begin), min(s.end, end))
            for s in shades
            if s.end > begin and s.begin < end
        ]
        if not inside:
            return
        self.bar(
            [(left + right) / 2 for left, right in inside],
            [top] * len(inside),
            [max(right - left, (end - begin) / 200) for left, right in inside],
            _colour(palette.shade),
        )

    def _line(
        self,
        times: Moments,
        levels: Levels,
        marks: NDArray[np.bool_],
        styles: tuple[Style, Style],
        palette: Palette,
    ) -> None:
        """In pieces, each with a colour of its own: under or over the threshold, shaded or not."""
        kinds = np.where(np.isnan(levels), -1, (levels >= 1) * 2 + marks)
        for first, last, kind in _runs(kinds.tolist()):
            ground = f" on {_colour(palette.shade)}" if kind % 2 else ""
            style = _colour(styles[kind // 2]) + ground
            self.plot(times[first:last], levels[first:last], style, HiResMode.BRAILLE)


def _inside(times: Moments, shades: Sequence[Shade]) -> NDArray[np.bool_]:
    marks = np.zeros(len(times), bool)
    for shade in shades:
        marks |= (times >= shade.begin) & (times <= shade.end)
    return marks


def _runs(kinds: Sequence[int]) -> list[tuple[int, int, int]]:
    """Stretches of one kind, each with the first point of what follows; -1 is a gap."""
    found: list[tuple[int, int, int]] = []
    start = 0
    for place in range(1, len(kinds) + 1):
        if place == len(kinds) or kinds[place] != kinds[start]:
            joined = place < len(kinds) and kinds[place] >= 0
            if kinds[start] >= 0:
                found.append((start, place + joined, kinds[start]))
            start = place
    return found


def _colour(style: Style) -> str:
    return style.color.name if style.color is not None else "white"
