"""Clips in, findings out, whatever library computes them. Knows nothing of models or files."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from monitor.records import Image

ClipFrames = Sequence[NDArray[np.uint8]]  # of one clip, T of (C, H, W)


@dataclass(frozen=True, eq=False)
class Found:
    """What a detector says of a batch of clips, as arrays; see `models.detector.Findings`."""

    scores: NDArray[np.floating]  # (B,), higher is more anomalous
    maps: NDArray[np.float32]  # (B, H, W)
    terms: dict[str, NDArray[np.floating]]  # each (B,)


class Runtime(Protocol):
    """A detector, ready to compute.

    `examine` may be called from as many threads at once as it was made for, `batch` beside it.
    """

    @property
    def name(self) -> str:
        """Such as `openvino`."""

    @property
    def precision(self) -> str:
        """Such as `int8`: what its networks compute in here."""

    def batch(self, clips: Sequence[ClipFrames]) -> Any:
        """Clips as `examine` takes them; may be called in the thread that decodes."""

    def examine(self, batch: Any) -> Found:
        """Scores, maps and terms of clips: bytes (B, T, C, H, W), or what `batch` made."""

    def expected(self, batch: Any) -> NDArray[np.float32] | None:
        """The target as it was expected, (B, C, H, W) in [0, 1]; None where there is none."""


def picture_of(planes: NDArray[np.float32]) -> Image:
    """(C, H, W) in [0, 1] to (H, W, 3) RGB."""
    pixels = (planes.clip(0, 1) * 255).round().astype(np.uint8).transpose(1, 2, 0)
    return np.asarray(np.repeat(pixels, 3, axis=2) if pixels.shape[2] == 1 else pixels)
