"""A contact sheet: rows are pictures, columns what there is to see of each.

Images are (H, W, 3) RGB uint8. Imports matplotlib only to draw.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from monitor.records import Image
from monitor.stills.still import Mask

CELL = 2.1  # inches across
TRUTH_COLOUR = np.array([213, 94, 0])  # vermilion, as anomalous everywhere


@dataclass(frozen=True, slots=True, eq=False)
class SheetRow:
    """One picture: what to say above its row, and an image or nothing per column."""

    title: str
    cells: Sequence[Image | None]


def contact_sheet(title: str, columns: Sequence[str], rows: Sequence[SheetRow]) -> bytes:
    """The sheet as PNG; every row has a cell per column."""
    from monitor.evaluation.drawing import FAINT, INK, new_figure, png

    tall = max(_height(row) for row in rows)
    width = max(CELL * len(columns), 6.0)
    figure = new_figure(width, len(rows) * (CELL * tall + 0.3) + 0.6)
    grid = figure.subplots(len(rows), len(columns), squeeze=False)
    for place, (axes_row, row) in enumerate(zip(grid, rows, strict=True)):
        for axes, name, image in zip(axes_row, columns, row.cells, strict=True):
            axes.set_axis_off()
            if image is not None:
                axes.imshow(image)
            if place == 0:
                axes.text(
                    0.5, 1.2, name, ha="center", fontsize=8, color=FAINT, transform=axes.transAxes
                )
        axes_row[0].set_title(row.title, loc="left", fontsize=7.5, color=INK, pad=3)
    figure.suptitle(title, x=0.01, ha="left", fontsize=11, fontweight="bold", color=INK)
    return png(figure)


def truth_picture(mask: Mask, image: Image) -> Image:
    """The picture in gray, faded, with what is anomalous in colour; all gray where nothing is."""
    gray = image.mean(axis=2, keepdims=True)
    faded = 255 - (255 - gray) * 0.5
    shown = np.where(mask[..., None], TRUTH_COLOUR, faded)
    return np.asarray(shown.round(), np.uint8)


def _height(row: SheetRow) -> float:
    """Of a cell, in widths."""
    return max((cell.shape[0] / cell.shape[1] for cell in row.cells if cell is not None), default=1)
