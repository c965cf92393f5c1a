"""The look that all plots share: colours, axes without clutter, PNG out; no pyplot, no globals.

Colours are of Okabe and Ito's palette, which people with the common colour blindnesses can tell
apart (Color Universal Design, 2008).
"""

import io
from collections.abc import Sequence
from typing import Literal

from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from matplotlib.layout_engine import ConstrainedLayoutEngine
from matplotlib.text import Annotation, Text
from matplotlib.transforms import Transform

from monitor.drawn import MARK
from monitor.names import shown

BLUE, VERMILION, ORANGE, GREEN, PURPLE, SKY = (
    "#0072b2", "#d55e00", "#e69f00", "#009e73", "#cc79a7", "#56b4e9",
)  # fmt: skip
SERIES = (BLUE, VERMILION, GREEN, PURPLE, ORANGE, SKY)
NORMAL, ANOMALOUS = BLUE, VERMILION
INK, FAINT, RULE = "#22272e", "#6b7480", "#dde1e6"
BROWN = "#8a5a00"  # orange dark enough for words
DPI = 130


def new_figure(width: float, height: float) -> Figure:
    """An empty figure of so many inches, white, that lays itself out."""
    layout = ConstrainedLayoutEngine(w_pad=0.1, h_pad=0.1)
    figure = Figure(figsize=(width, height), dpi=DPI, layout=layout, facecolor="white")
    FigureCanvasAgg(figure)
    return figure


def plain_axes(axes: Axes, *, grid: Literal["x", "y", "both"] = "y") -> Axes:
    """Takes away the box and the ticks; leaves a faint grid."""
    axes.spines[["top", "right", "left"]].set_visible(False)
    axes.spines["bottom"].set_color(RULE)
    axes.tick_params(colors=FAINT, labelsize=8, length=0)
    axes.grid(visible=True, axis=grid, color=RULE, linewidth=0.6)
    axes.set_axisbelow(True)
    return axes


def say(axes: Axes, title: str, detail: str = "") -> None:
    """A bold title on the left and, under it, a faint line of explanation."""
    axes.set_title(title, loc="left", fontsize=11, fontweight="bold", color=INK, pad=24)
    write(axes, detail, (0, 1), coords=axes.transAxes, offset=(0, 14), colour=FAINT).set(
        fontweight="normal"
    )


def name_axes(axes: Axes, x: str, y: str) -> None:
    """What the axes measure."""
    axes.set_xlabel(x, fontsize=8.5, color=FAINT)
    axes.set_ylabel(y, fontsize=8.5, color=FAINT)


def write(
    axes: Axes,
    text: str,
    at: tuple[float, float],
    *,
    coords: Transform | None = None,
    offset: tuple[float, float] = (0, 0),
    colour: str = INK,
) -> Annotation:
    """Words on the plot, moved by `offset` points; `coords` are the data's if not given."""
    return axes.annotate(
        text,
        at,
        xycoords=coords or axes.transData,
        xytext=offset,
        textcoords="offset points",
        color=colour,
        fontsize=8.5,
        fontweight="bold",
        va="center",
        annotation_clip=False,
    )


def list_names(axes: Axes, names: Sequence[tuple[str, str]], at: tuple[float, float]) -> None:
    """Names in the colours of their lines, one under another; (name, colour), axes fractions."""
    for place, (name, colour) in enumerate(names):
        write(axes, name, at, coords=axes.transAxes, offset=(0, -14 * place), colour=colour)


def png(figure: Figure) -> bytes:
    """The figure as a PNG file; names in it are shown as they are, not as formulas."""
    for words in figure.findobj(Text):
        assert isinstance(words, Text)
        words.set_parse_math(False)
        words.set_text("\n".join(map(shown, words.get_text().split("\n"))))
    buffer = io.BytesIO()
    figure.savefig(buffer, format="png", metadata={"Software": MARK})
    return buffer.getvalue()
