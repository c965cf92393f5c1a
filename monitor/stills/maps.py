"""Anomaly maps against masks: brought to the mask's size and blurred, then counted."""

from collections.abc import Iterable

import cv2
import numpy as np
from numpy.typing import NDArray

from monitor.errors import LabelError, SourceError
from monitor.evaluation.pixels import PixelFigures
from monitor.stills.judging import Judged
from monitor.stills.still import Mask, Still

SIGMA = 4.0  # pixels of the mask: what PatchCore, PaDiM and those after them blur with
LISTED = 3  # masks that do not fit, named in a note


class StillMaps:
    """Feeds maps to pixel figures as pictures are judged, and counts what has no mask."""

    def __init__(self, stills: Iterable[Still]) -> None:
        masks = any(still.mask is not None for still in stills)
        self._pixels = PixelFigures() if masks else None
        self._with, self._without = 0, 0  # defective pictures
        self._faults: list[str] = []

    def add(self, one: Judged) -> None:
        """Count a judged picture that has its map; others and unlabelled ones are passed by."""
        if self._pixels is None or one.map is None or one.still.label is None:
            return
        mask = self._mask(one)
        if mask is not None:
            self._pixels.add(at_mask_size(one.map, mask.shape), mask)

    def notes(self) -> list[str]:
        """What of it must be said beside the figures, with both counts."""
        total = self._with + self._without + len(self._faults)
        said = []
        if self._with and self._without:
            said.append(
                f"pixel figures: masks of {self._with} of {total} defective pictures; "
                f"{self._without} have none and are left out of them"
            )
        if self._faults:
            named = "; ".join(self._faults[:LISTED])
            said.append(
                f"pixel figures: {len(self._faults)} of {total} masks cannot be used and their "
                f"pictures are left out of them: {named}"
            )
        return said

    def figures(self) -> PixelFigures | None:
        """The figures, if any mask of a defective picture was among what came."""
        return self._pixels if self._with else None

    def _mask(self, one: Judged) -> Mask | None:
        assert one.size is not None
        if one.still.mask is None and one.still.label is False:
            return np.zeros(one.size, np.bool_)
        try:
            mask = one.still.truth()
        except (LabelError, SourceError) as error:
            self._faults.append(str(error))
            return None
        if one.still.label:
            self._with += mask is not None
            self._without += mask is None
        return mask


def at_mask_size(anomaly_map: NDArray[np.float32], size: tuple[int, ...]) -> NDArray[np.float32]:
    """The map (h, w) bilinear at `size` (H, W), then blurred by `SIGMA`."""
    large = cv2.resize(
        np.asarray(anomaly_map, np.float32), (size[1], size[0]), interpolation=cv2.INTER_LINEAR
    )
    return np.asarray(cv2.GaussianBlur(large, (0, 0), SIGMA, borderType=cv2.BORDER_REFLECT))
