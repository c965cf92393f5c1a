"""Figures of anomaly maps against masks, over any number of frames in constant memory.

Map values are counted in 2**22 bins by the leading bits of their float32 form, an
order-preserving key with 13 bits of mantissa: values closer than 1.2e-4 of themselves may share
a bin and then count as ties, half each. `tie_error` says how much that can matter at most.
"""

from collections.abc import Iterable

import cv2
import numpy as np
from numpy.typing import NDArray

from monitor.evaluation.metrics import BoolArray, EvaluationError, FloatArray, area_from_counts

KEY_BITS = 22  # three histograms of 2**22 eight-byte counts: 96 MiB, however many frames


class PixelFigures:
    """Takes maps and masks one frame at a time; gives pixel AUROC and AUPRO at any moment."""

    def __init__(self) -> None:
        self.frames = 0
        self.regions = 0
        self.normal = np.zeros(1 << KEY_BITS, np.int64)  # pixels by key
        self.anomalous = np.zeros(1 << KEY_BITS, np.int64)
        self.overlap = np.zeros(1 << KEY_BITS, np.float64)  # each region weighs 1 in all

    def add(self, anomaly_map: FloatArray, mask: BoolArray) -> None:
        """Counts one frame: (H, W) map, higher is more anomalous, and (H, W) bool mask.

        Raises:
            EvaluationError: Shapes differ, the mask is not bool, or the map is not finite.
        """
        _check(anomaly_map, mask)
        keys = ordered_keys(anomaly_map)
        np.add.at(self.normal, keys[~mask], 1)
        self.frames += 1
        if not mask.any():
            return
        weights = _region_weights(mask)
        np.add.at(self.anomalous, keys[mask], 1)
        np.add.at(self.overlap, keys[mask], weights[mask])
        self.regions += round(weights.sum())

    def merge(self, other: "PixelFigures") -> None:
        """Counts all that another has counted."""
        self.frames += other.frames
        self.regions += other.regions
        self.normal += other.normal
        self.anomalous += other.anomalous
        self.overlap += other.overlap

    def pixel_auroc(self) -> float:
        """The chance that an anomalous pixel outscores a normal one.

        Raises:
            EvaluationError: There are no anomalous or no normal pixels.
        """
        return area_from_counts(self.normal, self.anomalous)

    def tie_error(self) -> float:
        """How far `pixel_auroc` can be, at most, from that of the unbinned values."""
        pairs = float(self.normal.sum()) * float(self.anomalous.sum())
        return 0.5 * float(self.normal.astype(float) @ self.anomalous) / max(pairs, 1.0)

    def aupro(self, max_fpr: float = 0.3) -> float:
        """Area under the mean per-region overlap against FPR, up to `max_fpr`, in [0, 1].

        Regions are 8-connected; FPR is over the normal pixels of all frames (Bergmann et al.,
        The MVTec Anomaly Detection Dataset, IJCV 2021). The last step is interpolated.

        Raises:
            EvaluationError: There are no regions or no normal pixels.
        """
        used = np.flatnonzero(self.normal + self.anomalous)[::-1]
        if not self.regions or not self.normal.any():
            raise EvaluationError("AUPRO needs masks with anomalous regions and normal pixels")
        fpr = np.r_[0.0, np.cumsum(self.normal[used]) / self.normal.sum()]
        overlap = np.r_[0.0, np.cumsum(self.overlap[used]) / self.regions].clip(max=1.0)
        return area_up_to(fpr, overlap, max_fpr)


def pixel_auroc(maps: Iterable[FloatArray], masks: Iterable[BoolArray]) -> float:
    """`PixelFigures.pixel_auroc` of maps and masks, (H, W) each, drawn one at a time.

    Raises:
        EvaluationError: As in `PixelFigures`.
    """
    return _accumulated(maps, masks).pixel_auroc()


def aupro(maps: Iterable[FloatArray], masks: Iterable[BoolArray], *, max_fpr: float = 0.3) -> float:
    """`PixelFigures.aupro` of maps and masks, (H, W) each, drawn one at a time.

    Raises:
        EvaluationError: As in `PixelFigures`.
    """
    return _accumulated(maps, masks).aupro(max_fpr)


def area_up_to(fpr: FloatArray, height: FloatArray, max_fpr: float) -> float:
    """Trapezoid area of a curve over 0..max_fpr, divided by max_fpr; fpr ascends from 0."""
    inside = int(np.searchsorted(fpr, max_fpr, side="right"))
    end = np.interp(max_fpr, fpr[inside - 1 : inside + 1], height[inside - 1 : inside + 1])
    x, y = np.r_[fpr[:inside], max_fpr], np.r_[height[:inside], end]
    return float(np.diff(x) @ (y[1:] + y[:-1])) / 2 / max_fpr


def ordered_keys(values: FloatArray) -> NDArray[np.uint32]:
    """Integers below 2**KEY_BITS that ascend with the values, of the same shape."""
    bits = (np.asarray(values, np.float32) + np.float32(0)).view(np.uint32)  # + 0: -0.0 equals 0.0
    flip = np.where(bits >> 31, np.uint32(0xFFFFFFFF), np.uint32(0x80000000))
    return (bits ^ flip) >> np.uint32(32 - KEY_BITS)


def _region_weights(mask: BoolArray) -> FloatArray:
    """One over the size of the 8-connected region that each anomalous pixel lies in, else 0."""
    labels = cv2.connectedComponents(mask.astype(np.uint8), connectivity=8)[1]
    sizes = np.bincount(labels.ravel()).astype(np.float64)
    weights = np.r_[0.0, 1.0 / sizes[1:]]
    return np.asarray(weights[labels], np.float64)


def _accumulated(maps: Iterable[FloatArray], masks: Iterable[BoolArray]) -> PixelFigures:
    figures = PixelFigures()
    for anomaly_map, mask in zip(maps, masks, strict=True):
        figures.add(anomaly_map, mask)
    return figures


def _check(anomaly_map: FloatArray, mask: BoolArray) -> None:
    if anomaly_map.shape != mask.shape or mask.ndim != 2:
        raise EvaluationError(f"map {anomaly_map.shape} and mask {mask.shape} do not match")
    if mask.dtype != np.bool_:
        raise EvaluationError(f"a mask must be bool (True = anomalous), got {mask.dtype}")
    if not np.isfinite(anomaly_map).all():
        raise EvaluationError("the anomaly map holds NaN or infinite values")
