"""What every way of reading a source gives: steps, each a packet and what could be seen in it."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Protocol

import numpy as np
from av.packet import Packet
from av.video.stream import VideoStream
from numpy.typing import NDArray

from models.spec import ClipSpec
from monitor.records import Image


class Picture(Protocol):
    """One decoded frame, not yet converted: that costs more than many a decoder."""

    @property
    def presented_s(self) -> float | None:
        """By the source's clock, from any origin; None: it has none that is worth anything."""

    @property
    def size(self) -> tuple[int, int]:
        """Height and width, upright."""

    def shrink(self, size: tuple[int, int]) -> Image:
        """(H, W, 3) RGB at that size; only until the next step."""

    def planes(self, spec: ClipSpec) -> NDArray[np.uint8]:
        """(C, H, W), as a detector takes them: the same as of a file's frame."""


@dataclass(frozen=True, slots=True, eq=False)
class Step:
    """What one read gave; all may be empty, so that a caller can look around between reads."""

    pictures: tuple[Picture, ...] = ()
    packet: "Packet[VideoStream] | None" = None
    bytes: int = 0
    corrupt: int = 0  # packets or pictures that could not be decoded


class Reader(Protocol):
    """One connection to a source, open from construction to `close`."""

    live: bool  # comes when it comes, and does not end
    rate_hz: float | None  # as announced
    codec: str
    decoder: str  # "software", or the device
    template: VideoStream | None  # for clips of its packets; None: it gives none

    def steps(self) -> Iterator[Step]:
        """Read on; ends where a file ends.

        Raises:
            CaptureError: If the connection fails, or a live source ends.
        """

    def tune(self, *, keyframes_only: bool) -> None:
        """Decode all frames or keyframes only, where the source knows the difference."""

    def close(self) -> None:
        """Hang up; twice does no harm."""
