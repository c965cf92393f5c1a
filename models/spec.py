"""What clips a detector takes. Imports no torch, so that exported detectors can be used without."""

from dataclasses import dataclass
from typing import Literal


@dataclass(frozen=True)
class ClipSpec:
    """The clips a detector takes: `length` frames, `stride` frames of its camera apart.

    A still-image detector has length 1. `target` is the frame of the clip that the score
    speaks about (-1: the newest; anything else is a delay, see `delay`).
    """

    length: int = 1
    stride: int = 1
    size: tuple[int, int] = (256, 256)  # height, width in pixels
    channels: Literal[1, 3] = 3  # 1: luma, 3: RGB
    target: int = -1

    @property
    def span(self) -> int:
        """Camera frames from the oldest frame of a clip to its newest, both counted."""
        return (self.length - 1) * self.stride + 1

    @property
    def delay(self) -> int:
        """Camera frames that must still come after the target before it can be scored."""
        return (self.length - 1 - self.target % self.length) * self.stride
