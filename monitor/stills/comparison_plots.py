"""Plots of several detectors at once, as PNG in memory; each title says what one sees.

Imports matplotlib, so import this module late.
"""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.ticker import PercentFormatter

from monitor.evaluation.drawing import (
    ANOMALOUS,
    FAINT,
    INK,
    NORMAL,
    SERIES,
    name_axes,
    new_figure,
    plain_axes,
    png,
    say,
    write,
)
from monitor.evaluation.metrics import BoolArray, pr, roc
from monitor.evaluation.page import Picture
from monitor.names import shown
from monitor.stills.comparison import Run

DASHES = ("-", (0, (5, 2)), (0, (1.5, 1.5)))  # so that 18 lines are told apart by 6 colours
LOWEST, HIGHEST = -1.0, 5.0  # displayed scores beyond count as these: typical is 0, the threshold 1
BINS = 36
AREAS = {"auroc": (0.8, "AUROC"), "ap": (1.0, "AP")}  # where they stand beside the lines
MOST_KINDS = 12  # box plots of one detector


def comparison_pictures(runs: Sequence[Run], kinds: Mapping[str, str]) -> Iterator[Picture]:
    """What there is to draw of runs, the best first; `kinds` of pictures by their path."""
    ranked = [run for run in runs if run.figures["auroc"] is not None]
    if ranked:
        caption = "ROC and precision over recall of all detectors, their first seed."
        yield Picture("roc_pr_sheet", caption, curves(ranked))
    caption = "Scores of good and defective pictures by detector; 0 is typical, 1 the threshold."
    yield Picture("histograms_sheet", caption, histograms(runs))
    caption = "Scores by kind of picture and detector; 0 is typical, 1 the threshold."
    yield Picture("boxes_sheet", caption, boxes(runs, kinds))


def curves(runs: Sequence[Run]) -> bytes:
    """ROC on the left, precision over recall on the right, names between figures and lines."""
    figure = new_figure(14, 6.1)
    left, right, names = figure.subplots(1, 3, width_ratios=(1, 1, 0.62))
    for axes in (left, right):
        plain_axes(axes, grid="both").set(xlim=(-0.01, 1.01), ylim=(-0.01, 1.01), aspect="equal")
        axes.xaxis.set_major_formatter(PercentFormatter(1.0))
        axes.yaxis.set_major_formatter(PercentFormatter(1.0))
    left.plot([0, 1], [0, 1], color=FAINT, linewidth=0.8, linestyle=(0, (2, 3)))
    names.set_axis_off()
    names.set(xlim=(0, 1), ylim=(0, 1))
    for place, run in enumerate(runs):
        _draw_curves(left, right, run, place)
        _name_line(names, run, place, len(runs))
    labels = [run.labels.mean() for run in runs if run.labels is not None]
    right.axhline(labels[0], color=FAINT, linewidth=0.8, linestyle=(0, (2, 3)))
    say(left, "What is found, against false alarms", "ROC; dotted: chance")
    say(right, "How many alarms are right, by how much is found", "dotted: chance")
    name_axes(left, "good pictures called defective", "defective pictures found")
    name_axes(right, "defective pictures found (recall)", "alarms that are right (precision)")
    return png(figure)


def _draw_curves(left: Axes, right: Axes, run: Run, place: int) -> None:
    assert run.labels is not None
    style = _style(place)
    found, precise = roc(run.labels, run.scores), pr(run.labels, run.scores)
    left.plot(found.fpr, found.tpr, **style)
    start = precise.precision[0]
    right.step(np.r_[0.0, precise.recall], np.r_[start, precise.precision], where="pre", **style)


def _style(place: int) -> dict[str, Any]:
    turn = place // len(SERIES) % len(DASHES)
    return {
        "color": SERIES[place % len(SERIES)],
        "linestyle": DASHES[turn],
        "linewidth": 1.8 if place < 3 else 1.2,
    }


def _name_line(axes: Axes, run: Run, place: int, count: int) -> None:
    """A piece of the line, the name, and both areas."""
    height = 0.93 - place * min(0.055, 0.9 / max(count, 1))
    if not place:
        for x, head in AREAS.values():
            write(axes, head, (x, 0.99), colour=FAINT).set(ha="right")
    axes.plot([0.0, 0.09], [height, height], **_style(place))
    write(axes, run.label, (0.12, height)).set(fontweight="normal")
    for name, (x, _) in AREAS.items():
        value = run.figures[name]
        shown = write(axes, "-" if value is None else f"{value:.3f}", (x, height))
        shown.set(ha="right", fontweight="normal")


def histograms(runs: Sequence[Run]) -> bytes:
    """A panel for each detector: shares of both classes by displayed score."""
    columns = min(3, len(runs))
    rows = -(-len(runs) // columns)
    figure = new_figure(4.2 * columns, 1.9 * rows + 0.7)
    grid = figure.subplots(rows, columns, squeeze=False, sharex=True)
    edges = np.linspace(LOWEST, HIGHEST, BINS + 1)
    for axes, run in zip(grid.flat, runs, strict=False):
        _draw_histogram(plain_axes(axes), run, edges)
    for axes in list(grid.flat)[len(runs) :]:
        axes.set_visible(False)
    title = "How the scores of good (blue) and defective (orange) pictures overlap"
    detail = "share of each class by displayed score: 0 typical, dashed 1 threshold; ends hold more"
    figure.suptitle(f"{title}\n", x=0.01, ha="left", fontsize=11, fontweight="bold", color=INK)
    figure.text(
        0.01, 0.985 - 0.22 / (1.9 * rows + 0.7), detail, fontsize=8.5, color=FAINT, va="top"
    )
    return png(figure)


def _draw_histogram(
    axes: Axes, run: Run, edges: np.ndarray[tuple[int], np.dtype[np.float64]]
) -> None:
    labels = run.labels if run.labels is not None else np.zeros(len(run.scores), np.bool_)
    shown = np.clip(run.displayed, edges[0], edges[-1])
    for own, colour in ((~labels, NORMAL), (labels, ANOMALOUS)):
        if own.any():
            counts = np.histogram(shown[own], edges)[0] / own.sum()
            axes.stairs(counts, edges, color=colour, fill=True, alpha=0.3)
            axes.stairs(counts, edges, color=colour, linewidth=1.2)
    axes.axvline(1.0, color=INK, linewidth=0.9, linestyle=(0, (4, 3)))
    axes.yaxis.set_major_formatter(PercentFormatter(1.0, decimals=0))
    _head(axes, run)


def boxes(runs: Sequence[Run], kinds: Mapping[str, str]) -> bytes:
    """A panel for each detector: the displayed scores of each kind, good ones first."""
    names = _kinds_in_order(runs[0], kinds)
    columns = min(3, len(runs))
    rows = -(-len(runs) // columns)
    figure = new_figure(4.2 * columns, rows * (0.75 + 0.24 * len(names)) + 0.6)
    grid = figure.subplots(rows, columns, squeeze=False, sharex=True, sharey=True)
    for axes, run in zip(grid.flat, runs, strict=False):
        _draw_boxes(plain_axes(axes, grid="x"), run, kinds, names)
    for axes in list(grid.flat)[len(runs) :]:
        axes.set_visible(False)
    grid.flat[0].set_yticks(range(len(names)), [shown(name) for name, _ in names][::-1])
    for axes in grid[:, 0]:
        axes.tick_params(axis="y", labelsize=8.5, labelcolor=INK)
    title = (
        "Scores by kind: box the middle half, line the median, whiskers 5th to 95th percentile; "
        "dashed: threshold"
    )
    figure.suptitle(title, x=0.01, ha="left", fontsize=10, fontweight="bold", color=INK)
    return png(figure)


def _kinds_in_order(run: Run, kinds: Mapping[str, str]) -> list[tuple[str, bool]]:
    """Names of kinds and whether they are anomalous."""
    labels: BoolArray = run.labels if run.labels is not None else np.zeros(len(run.paths), np.bool_)
    found = {
        kinds.get(path, ""): bool(label) for path, label in zip(run.paths, labels, strict=True)
    }
    return sorted(found.items(), key=lambda item: (item[1], item[0]))[:MOST_KINDS]


def _draw_boxes(
    axes: Axes, run: Run, kinds: Mapping[str, str], names: Sequence[tuple[str, bool]]
) -> None:
    own = np.array([kinds.get(path, "") for path in run.paths])
    shown = np.clip(run.displayed, LOWEST, HIGHEST)
    for row, (name, anomalous) in enumerate(reversed(names)):
        values = shown[own == name]
        if not len(values):
            continue
        colour = ANOMALOUS if anomalous else NORMAL
        low, first, middle, third, high = np.quantile(values, [0.05, 0.25, 0.5, 0.75, 0.95])
        axes.plot([low, high], [row, row], color=colour, linewidth=1, zorder=1)
        axes.barh(row, third - first, left=first, height=0.55, color="white", zorder=2)
        axes.barh(
            row, third - first, left=first, height=0.55, zorder=2,
            color=(colour, 0.3), edgecolor=colour,
        )  # fmt: skip
        axes.plot([middle, middle], [row - 0.28, row + 0.28], color=INK, linewidth=1.6, zorder=3)
    axes.axvline(1.0, color=INK, linewidth=0.9, linestyle=(0, (4, 3)))
    axes.set_xlim(LOWEST - 0.1, HIGHEST + 0.1)
    _head(axes, run)


def _head(axes: Axes, run: Run) -> None:
    value = run.figures["auroc"]
    axes.set_title(run.label, loc="left", fontsize=9, color=INK, pad=4)
    area = "" if value is None else f"AUROC {value:.3f}"
    axes.set_title(area, loc="right", fontsize=8, color=FAINT, pad=4)
