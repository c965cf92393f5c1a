"""A curve as filled braille: eight dots to a cell, its threshold dotted across the middle.

The height is s / (1 + s): 0 at the bottom, the threshold always half-way up, what is many times
over it near the top. So all curves are compared at a glance, and none ever rescales.
"""

from dataclasses import dataclass
from itertools import groupby

import numpy as np
from numpy.typing import NDArray
from rich.segment import Segment
from rich.style import Style

from monitor.tui.renderables.line import Line
from monitor.tui.state.curve import Levels

LEFT = np.array([0, 0x40, 0x44, 0x46, 0x47])  # dots filled from the bottom, Unicode's numbering
RIGHT = np.array([0, 0x80, 0xA0, 0xB0, 0xB8])
ONE_LEFT = (0x40, 0x04, 0x02, 0x01)  # one dot, from the bottom
BLANK = 0x2800
CALM, OVER, MARK = 0, 1, 2
Dots = NDArray[np.int64]


def heights(levels: Levels, dots: int) -> Dots:
    """Dots to fill of `dots`; 0 where there is no score, at least 1 where there is one."""
    known = ~np.isnan(levels)
    level = np.maximum(np.where(known, levels, 0.0), 0.0)
    share = level / (1.0 + level)
    filled = np.maximum(1, np.rint(share * dots)).astype(np.int64)
    return np.where(known, filled, 0)


@dataclass(frozen=True, slots=True)
class _Columns:
    left: Dots
    right: Dots
    kinds: Dots
    rows: int
    styles: tuple[Style, Style, Style]

    def row(self, storey: int) -> Line:
        """One line of cells; storey 0 is the lowest."""
        base = storey * 4
        codes = LEFT[np.clip(self.left - base, 0, 4)] | RIGHT[np.clip(self.right - base, 0, 4)]
        looks = np.where(codes == 0, MARK, self.kinds)
        threshold = self.rows * 2
        if threshold // 4 == storey:
            codes = codes | ONE_LEFT[threshold % 4]
        text = "".join(chr(BLANK + code) if code else " " for code in codes.tolist())
        line: Line = []
        start = 0
        for look, run in groupby(looks.tolist()):
            end = start + sum(1 for _ in run)
            line.append(Segment(text[start:end], self.styles[look]))
            start = end
        return line


def area(levels: Levels, rows: int, styles: tuple[Style, Style, Style]) -> list[Line]:
    """`rows` lines, half as many cells wide as there are levels.

    `styles` are those of columns under the threshold, of columns over it, and of the threshold.
    """
    filled = heights(levels, rows * 4)
    kinds = np.where(np.fmax(levels[0::2], levels[1::2]) >= 1.0, OVER, CALM)
    columns = _Columns(filled[0::2], filled[1::2], kinds, rows, styles)
    return [columns.row(rows - 1 - row) for row in range(rows)]


def bar(share: float, cells: int) -> str:
    """How far something is, as a bar of so many cells."""
    share = min(1.0, max(0.0, share)) if share == share else 0.0  # noqa: PLR0124  NaN
    done = round(share * cells)
    return "━" * done + "╌" * (cells - done)
