"""Pictures of how the demo went: the score with what was planted, and a sheet of the alerts.

Imports matplotlib, so import this module late.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np

from monitor.demo.verdict import Verdict, touches
from monitor.evaluation.drawing import BROWN, new_figure, png
from monitor.records import Alert, Image

COLUMNS = 3


@dataclass(frozen=True, slots=True)
class Shot:
    """An alert and its snapshot."""

    alert: Alert
    snapshot: Path


def contact_sheet(shots: Sequence[Shot], verdict: Verdict) -> bytes:
    """The alerts' snapshots in order of time, each with what it was about, as PNG."""
    rows = -(-len(shots) // COLUMNS)
    pictures = [_read(shot.snapshot) for shot in shots]
    height, width = pictures[0].shape[:2]
    cell = 3.4
    figure = new_figure(COLUMNS * cell, rows * (cell * height / width + 0.3) + 0.5)
    grid = figure.subplots(rows, COLUMNS, squeeze=False)
    for axes in grid.flat:
        axes.set_axis_off()
    for axes, shot, picture in zip(grid.flat, shots, pictures, strict=False):
        name = about(shot.alert, verdict)
        axes.imshow(picture)
        axes.set_title(
            f"{shot.alert.peak_s:.1f} s: {name or 'false alert'}",
            loc="left",
            fontsize=9,
            color="black" if name else BROWN,
        )
    figure.suptitle("Alerts of the demo", x=0.01, ha="left", fontsize=11, fontweight="bold")
    return png(figure)


def about(alert: Alert, verdict: Verdict) -> str:
    """Kinds of the planted events that the alert touches; empty for a false one."""
    events = [found.event for found in verdict.found]
    return ", ".join(event.kind for event in events if touches(event, alert))


def _read(path: Path) -> Image:
    content = np.frombuffer(path.read_bytes(), np.uint8)  # OpenCV dies of a path that is no UTF-8
    picture = cv2.imdecode(content, cv2.IMREAD_COLOR)
    if picture is None:
        raise OSError(f"{path}: the snapshot cannot be read")
    return np.ascontiguousarray(picture[..., ::-1], np.uint8)
