"""One large curve of scores with its threshold, its alerts shaded and times along it."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from itertools import groupby
from typing import Any

import numpy as np
from numpy.typing import NDArray
from rich.segment import Segment
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
TEXTURE = "░"  # behind what is shaded where there are no colours
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
    """Shades columns behind what is drawn; every segment has a style.

    Textual's filter for NO_COLOR fails where one has none, and leaves the shade's texture.
    """

    shaded: tuple[tuple[float, float], ...] = ()  # from where to where, the width being 1
    shade = Style()

    def render_line(self, y: int) -> Strip:
        """Of a canvas without size, too, and of one that was resized and is not drawn anew yet."""
        strip = super().render_line(y)
        if 0 < y < self.size.height - 1:  # between the lines of the box
            width = strip.cell_length - 2  # as it was drawn, whatever its size is by now
            for begin, end in self.shaded:
                first, last = 1 + int(begin * width), 1 + min(width, int(end * width) + 1)
                if first < last:
                    before, inside, after = strip.divide([first, last, strip.cell_length])
                    strip = Strip.join([before, Strip(self._behind(inside)), after])
        return strip.apply_style(self.rich_style)

    def _behind(self, strip: Strip) -> Iterator[Segment]:
        ground = Style(bgcolor=self.shade.color)
        for text, style, _ in strip:
            for blank, letters in groupby(text, str.isspace):
                run = "".join(letters)
                if blank:
                    yield Segment(TEXTURE * len(run), self.shade + ground)
                else:
                    yield Segment(run, (style or Style()) + ground)


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
        if key == self._drawn or not self.query(Legend):  # its parts come after it, and go first
            return
        self._drawn = key
        self.clear()
        known = levels[~np.isnan(levels)]
        highest = float(known.max()) if len(known) else 0.0
        top = min(MOST_TOP, max(LEAST_TOP, highest * 1.08))
        self.set_xlimits(begin, end)
        self.set_ylimits(0.0, top)
        self._shade(shades, begin, end, palette)
        times = np.linspace(begin, end, len(levels))  # float32 has no room for seconds of today
        levels = held(levels, int(HELD_S * len(levels) / max(1.0, end - begin)))
        ones = np.ones(2, np.float32)
        self.plot(times[[0, -1]], ones, _colour(palette.dim), HiResMode.BRAILLE)
        self._line(times, np.clip(levels, 0.0, top), palette)

    def _shade(self, shades: Sequence[Shade], begin: float, end: float, palette: Palette) -> None:
        canvas = self.query_one("#plot", _Canvas)
        canvas.shade = palette.shade
        span = max(1.0, end - begin)
        canvas.shaded = tuple(
            ((max(shade.begin, begin) - begin) / span, (min(shade.end, end) - begin) / span)
            for shade in shades
            if shade.end > begin and shade.begin < end
        )

    def _line(self, times: Moments, levels: Levels, palette: Palette) -> None:
        """In pieces, each with a colour of its own: under or over the threshold."""
        kinds = np.where(np.isnan(levels), -1, levels >= 1)
        styles = (palette.tones["learn"], palette.over)
        for first, last, kind in _runs(kinds.tolist()):
            style = _colour(styles[kind])
            self.plot(times[first:last], levels[first:last], style, HiResMode.BRAILLE)


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
