"""What needs no learning and still scores well; a detector that does not beat it learned little.

On UCSD Ped2 the mere position in the clip ranks far above chance, and so does plain motion.
"""

from collections import deque

import cv2
import numpy as np
from numpy.typing import NDArray

from monitor.evaluation.metrics import FloatArray

CELL_PX = 16  # about the width of a person on UCSD Ped2
HEIGHT_PX = 240  # taller frames are shrunk to this, so that flow costs the same everywhere
SMOOTHED_FRAMES = 3


def clock_scores(time_s: FloatArray | NDArray[np.integer]) -> FloatArray:
    """How long the clip has run, as an anomaly score; (N,) frame times or indices from 0."""
    return np.asarray(time_s, np.float64)


class FlowMagnitude:
    """The fastest cell of the picture: dense DIS flow, averaged over cells, maximum, smoothed.

    Frames go in one after another; past frames only. Call `reset` before each video.
    Flow: Kroeger et al., Fast Optical Flow using Dense Inverse Search, ECCV 2016.
    """

    def __init__(self) -> None:
        self._flow = cv2.DISOpticalFlow.create(cv2.DISOPTICAL_FLOW_PRESET_MEDIUM)
        self._recent: deque[float] = deque(maxlen=SMOOTHED_FRAMES)
        self._before: NDArray[np.uint8] | None = None

    def reset(self) -> None:
        """Forgets the frames so far."""
        self._recent.clear()
        self._before = None

    def score(self, frame: NDArray[np.uint8]) -> float:
        """Pixels per frame; (H, W, 3) RGB or (H, W) gray. The first frame of a video scores 0."""
        gray = _small_gray(frame)
        before, self._before = self._before, gray
        if before is None or before.shape != gray.shape:
            self._recent.clear()
            return 0.0
        flow = np.zeros((*gray.shape, 2), np.float32)
        self._recent.append(_fastest_cell(np.asarray(self._flow.calc(before, gray, flow))))
        return float(np.mean(self._recent))


def _small_gray(frame: NDArray[np.uint8]) -> NDArray[np.uint8]:
    gray = cv2.cvtColor(frame, cv2.COLOR_RGB2GRAY) if frame.ndim == 3 else frame
    height, width = gray.shape
    if height > HEIGHT_PX:
        size = (round(width * HEIGHT_PX / height), HEIGHT_PX)
        gray = cv2.resize(gray, size, interpolation=cv2.INTER_AREA)
    return np.ascontiguousarray(gray, np.uint8)


def _fastest_cell(flow: FloatArray) -> float:
    """The largest mean magnitude of the whole CELL_PX squares; flow is (H, W, 2)."""
    speed = np.hypot(flow[..., 0], flow[..., 1])
    rows, columns = speed.shape[0] // CELL_PX, speed.shape[1] // CELL_PX
    if not (rows and columns):
        return float(speed.mean())
    cells = speed[: rows * CELL_PX, : columns * CELL_PX].reshape(rows, CELL_PX, columns, CELL_PX)
    return float(cells.mean(axis=(1, 3)).max())
