"""The contact sheet: rows are pictures, columns what each detector expected there and its map.

Imports matplotlib to draw, so import this module late.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from itertools import groupby

import cv2
import numpy as np
from numpy.typing import NDArray

from monitor.errors import MonitorError
from monitor.overlay import overlay
from monitor.records import Image
from monitor.stills.judging import Judged, heat_of, judged
from monitor.stills.model import StillModel
from monitor.stills.still import Still

CELL = 144  # pixels a side
GAP = 4
LETTER, LINE = 7, 13  # pixels across and down, of the words at the edges
ROWS = 10  # at most
EACH = 2  # pictures of a kind, where there are few kinds
MOST_COLUMNS = 12  # detectors; more would be too small to see


@dataclass(eq=False)
class Sheet:
    """Some pictures, and what detectors make of them; filled column by column."""

    stills: list[Still]
    columns: list[tuple[str, list[Image | None]]] = field(default_factory=list)
    verdicts: dict[tuple[str, str], Judged] = field(default_factory=dict)  # by label and picture

    def add(self, label: str, model: StillModel) -> None:
        """What a detector expected, where it has such a thing, and its map over the picture."""
        found = list(judged(self.stills, model, expected=True))
        if any(one.expected is not None for one in found):
            self.columns.append((f"{label}\nexpected", [one.expected for one in found]))
        self.columns.append((f"{label}\nmap", [_heat(one, model) for one in found]))
        self.verdicts |= {(label, one.still.name): one for one in found}


def some_of_each_kind(stills: Sequence[Still]) -> list[Still]:
    """A few pictures of each kind, good ones first, from the middle of each kind's list."""
    ordered = sorted(stills, key=lambda still: (still.label is True, still.kind))
    groups = [list(group) for _, group in groupby(ordered, key=lambda still: still.kind)]
    each = max(1, min(EACH, ROWS // max(1, len(groups))))
    return [still for group in groups for still in _spread(group, each)][:ROWS]


def _spread(group: list[Still], count: int) -> Iterator[Still]:
    places = np.linspace(0, len(group) - 1, count + 2)[1:-1].round().astype(int)
    yield from (group[place] for place in dict.fromkeys(places.tolist()))


def _heat(one: Judged, model: StillModel) -> Image | None:
    """The map over the picture, with its box where the picture is called defective."""
    if one.map is None:
        return None
    image = _cell(one.still.picture())
    height, width = image.shape[:2]
    heat = cv2.resize(np.asarray(heat_of(one.map, model), np.float32), (width, height))
    return overlay(image, np.asarray(heat, np.float32))


def draw(sheet: Sheet) -> bytes:
    """The sheet as a PNG; a cell is empty where there is nothing to show."""
    from monitor.evaluation.drawing import ANOMALOUS, INK, NORMAL, new_figure, png

    originals = [_readable(still) for still in sheet.stills]
    truths = [_truth(still) for still in sheet.stills]
    columns = [("picture", originals), *sheet.columns]
    if any(truth is not None for truth in truths):
        columns.insert(1, ("truth", truths))
    names = [_under_one_another(name) for name, _ in columns]
    rows = [still.kind.replace("_", " ") or still.name for still in sheet.stills]
    left = 14 + LETTER * max(map(len, rows))
    top = 10 + LINE * (1 + max(name.count("\n") for name in names))
    pixels = _mosaic([cells for _, cells in columns], left, top)
    height, width = pixels.shape[:2]
    figure = new_figure(width / 100, height / 100)
    figure.set_layout_engine("none")
    axes = figure.add_axes((0.0, 0.0, 1.0, 1.0))
    axes.imshow(pixels, interpolation="none", aspect="auto")
    axes.set_axis_off()
    for place, name in enumerate(names):
        x = left + place * (CELL + GAP)
        axes.text(x, 4, name, fontsize=7, color=INK, va="top", linespacing=1.2)
    for place, (still, row) in enumerate(zip(sheet.stills, rows, strict=True)):
        y = top + place * (CELL + GAP) + CELL / 2
        colour = ANOMALOUS if still.label else NORMAL
        axes.text(
            left - 6, y, row, fontsize=7, color=colour, ha="right", va="center", fontweight="bold",
        )  # fmt: skip
    figure.set_dpi(100)
    return png(figure)


def _under_one_another(name: str) -> str:
    """A detector's name, its options and what is shown of it, each in a line of its own."""
    label, _, what = name.partition("\n")
    return "\n".join([*label.split(), *([what] if what else [])])


def _mosaic(columns: Sequence[Sequence[Image | None]], left: int, top: int) -> Image:
    rows = len(columns[0])
    size = (top + rows * (CELL + GAP), left + len(columns) * (CELL + GAP), 3)
    pixels = np.full(size, 255, np.uint8)
    for across, cells in enumerate(columns):
        for down, image in enumerate(cells):
            if image is None:
                continue
            cell = _cell(image)
            height, width = cell.shape[:2]
            y = top + down * (CELL + GAP) + (CELL - height) // 2
            x = left + across * (CELL + GAP) + (CELL - width) // 2
            pixels[y : y + height, x : x + width] = cell
    return pixels


def _cell(image: Image) -> Image:
    """As large as fits into a cell, its shape kept."""
    scale = CELL / max(image.shape[:2])
    size = (max(1, round(image.shape[1] * scale)), max(1, round(image.shape[0] * scale)))
    method = cv2.INTER_AREA if scale < 1 else cv2.INTER_LINEAR
    return np.asarray(cv2.resize(image, size, interpolation=method), np.uint8)


def _readable(still: Still) -> Image | None:
    try:
        return still.picture()
    except MonitorError:
        return None


def _truth(still: Still) -> Image | None:
    """White where it is anomalous; nothing for normal pictures and where it is not known."""
    if not still.label:
        return None
    try:
        mask: NDArray[np.bool_] | None = still.truth()
    except MonitorError:
        return None
    return None if mask is None else np.repeat(mask[..., None] * np.uint8(255), 3, axis=2)
