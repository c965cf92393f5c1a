"""A line of coloured text that is exactly so many cells wide."""

from collections.abc import Iterable

from rich.cells import cell_len
from rich.segment import Segment
from rich.style import Style

from monitor.tui.state.words import fit, pad

Line = list[Segment]


def width_of(line: Iterable[Segment]) -> int:
    """In cells."""
    return sum(cell_len(segment.text) for segment in line)


def words(text: str, style: Style, cells: int, *, right: bool = False) -> Segment:
    """Text in so many cells, cut or filled with blanks."""
    if not right:
        return Segment(pad(text, cells), style)
    shown = fit(text, cells)
    return Segment(" " * (cells - cell_len(shown)) + shown, style)


def ruled(left: Line, right: Line, cells: int, rule: str, style: Style) -> Line:
    """Something at the left, something at the right, and a rule or blanks between them."""
    room = cells - width_of(left) - width_of(right)
    if room < 0:
        left = cut(left, max(0, cells - width_of(right)))
        right = cut(right, cells - width_of(left))
        room = cells - width_of(left) - width_of(right)
    return [*left, Segment(rule * room, style), *right]


def cut(line: Line, cells: int) -> Line:
    """At most so many cells of it."""
    kept: Line = []
    for text, style, _ in line:
        if cells <= 0:
            break
        shown = fit(text, cells)
        kept.append(Segment(shown, style))
        cells -= cell_len(shown)
    return kept
