"""A trained detector, computed by torch where its parameters lie."""

import logging
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from threading import Lock
from typing import Any
from weakref import WeakKeyDictionary

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from models.detector import Detector
from models.halved import cuda_graph, halved
from monitor.clips import to_tensor
from monitor.errors import DeviceError, DeviceFullError
from monitor.runtimes.runtime import ClipFrames, Found

log = logging.getLogger(__name__)

HALF_TOLERANCE = 5e-3  # of the largest score; rounding to 11 bits comes to a tenth of it


def device_of(detector: Detector) -> torch.device:
    """Where its parameters and buffers lie; the CPU where it has none."""
    return next((value.device for value in detector.state_dict().values()), torch.device("cpu"))


class TorchRuntime:
    """A `Runtime` of torch."""

    name = "torch"
    precision = "fp32"

    def __init__(self, detector: Detector) -> None:
        self._detector = detector
        self._device = device_of(detector)

    def batch(self, clips: Sequence[ClipFrames]) -> Tensor:
        """As `to_tensor`: clips that share frames share their memory."""
        with told_of(self._device):
            return to_tensor(clips, self._device)

    def examine(self, batch: Any) -> Found:
        """As `Detector.examine`, whose errors it raises.

        Raises:
            DeviceError: If an accelerator fails.
        """
        with told_of(self._device), torch.inference_mode():
            findings = self._detector.examine(self._there(batch))
            return Found(
                findings.scores.float().numpy(force=True),
                findings.maps.float().numpy(force=True),
                {name: values.float().numpy(force=True) for name, values in findings.terms.items()},
            )

    def expected(self, batch: Any) -> NDArray[np.float32] | None:
        """As `Detector.reconstruct`."""
        with told_of(self._device):
            pictures = self._detector.reconstruct(self._there(batch))
            return None if pictures is None else pictures.float().numpy(force=True)

    def _there(self, batch: Any) -> Tensor:
        if not isinstance(batch, np.ndarray):
            there: Tensor = batch.to(self._device)
            return there
        return torch.from_numpy(batch).to(self._device) / 255


class HalfRuntime(TorchRuntime):
    """A `Runtime` of torch whose networks compute in half precision, recorded as CUDA graphs.

    At the first clips it is held against full precision, and left for it where scores differ.
    """

    name = "torch-half"

    def __init__(self, detector: Detector, dtype: torch.dtype = torch.float16) -> None:
        super().__init__(detector)
        self.precision = "fp16" if dtype == torch.float16 else "bf16"
        self._given = detector
        self._whole: TorchRuntime | None = TorchRuntime(detector)
        self._checking = Lock()
        record = cuda_graph if self._device.type == "cuda" else None
        self._detector = halved(detector, dtype, record)

    def examine(self, batch: Any) -> Found:
        """As `TorchRuntime.examine`."""
        with self._checking:  # other lanes wait for what is found at the first clips
            if self._whole is not None:
                return self._checked(batch, self._whole)
        return super().examine(batch)

    def _checked(self, batch: Any, whole: TorchRuntime) -> Found:
        found, wanted = super().examine(batch), whole.examine(batch)
        self._whole = None
        share = _share(wanted.scores, found.scores)
        if share <= HALF_TOLERANCE:
            return found
        log.warning(
            "in half precision scores of %s differ by %.2g of the largest, expected %g at most: "
            "it is computed in full",
            self._detector.name,
            share,
            HALF_TOLERANCE,
        )
        self._detector, self.name, self.precision = self._given, whole.name, whole.precision
        return wanted


_HALF: "WeakKeyDictionary[Detector, HalfRuntime]" = WeakKeyDictionary()


def torch_runtime(detector: Detector) -> TorchRuntime:
    """What computes it: in full precision, unless `choose_half` was called."""
    return _HALF.get(detector) or TorchRuntime(detector)


def choose_half(detector: Detector) -> None:
    """Have it computed in half precision, on the GPU that it lies on."""
    _HALF[detector] = HalfRuntime(detector)


def _share(wanted: NDArray[np.floating], found: NDArray[np.floating]) -> float:
    """Infinite where a score is no number."""
    share = float(np.abs(wanted - found).max()) / max(float(np.abs(wanted).max()), 1e-9)
    return share if np.isfinite(share) else float("inf")


@contextmanager
def told_of(device: torch.device) -> Iterator[None]:
    """Say in one line that an accelerator failed, where it did.

    Raises:
        DeviceError: In place of torch's own error.
    """
    try:
        yield
    except RuntimeError as error:
        reason = next(iter(str(error).splitlines()), "")
        lost = "CUDA error" in reason  # torch.AcceleratorError from 2.8 on
        full = isinstance(error, torch.OutOfMemoryError)
        if not lost and not full:
            raise
        todo = "free some of it, or take --device cpu" if full else "try again, or --device cpu"
        kind = DeviceFullError if full else DeviceError
        raise kind(f"device {device.type} failed ({reason}): {todo}") from error
