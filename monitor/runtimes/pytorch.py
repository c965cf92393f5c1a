"""A trained detector, computed by torch where its parameters lie."""

from collections.abc import Sequence
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from models.detector import Detector
from monitor.clips import to_tensor
from monitor.runtimes.runtime import ClipFrames, Found


def device_of(detector: Detector) -> torch.device:
    """Where its parameters and buffers lie; the CPU where it has none."""
    return next((value.device for value in detector.state_dict().values()), torch.device("cpu"))


class TorchRuntime:
    """A `Runtime` of torch."""

    name = "torch"

    def __init__(self, detector: Detector) -> None:
        self._detector = detector
        self._device = device_of(detector)

    def batch(self, clips: Sequence[ClipFrames]) -> Tensor:
        """As `to_tensor`: clips that share frames share their memory."""
        return to_tensor(clips)

    def examine(self, batch: Any) -> Found:
        """As `Detector.examine`, whose errors it raises."""
        with torch.inference_mode():
            findings = self._detector.examine(self._there(batch))
        return Found(
            findings.scores.float().numpy(force=True),
            findings.maps.float().numpy(force=True),
            {name: values.float().numpy(force=True) for name, values in findings.terms.items()},
        )

    def expected(self, batch: Any) -> NDArray[np.float32] | None:
        """As `Detector.reconstruct`."""
        pictures = self._detector.reconstruct(self._there(batch))
        return None if pictures is None else pictures.float().numpy(force=True)

    def _there(self, batch: Any) -> Tensor:
        clips = torch.from_numpy(batch) / 255 if isinstance(batch, np.ndarray) else batch
        there: Tensor = clips.to(self._device)
        return there
