"""One camera's frames on their way to its model: out of the ring, masked, cut into clips.

Runs in the scoring process. Knows nothing of scores or of other cameras.
"""

import threading
from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from models.spec import ClipSpec
from monitor.capture.records import Captured
from monitor.capture.ring import Ring
from monitor.clips import LOST_STEPS, ClipCutter, gap_s
from monitor.live.masks import weight_of
from monitor.records import Clip, Frame, Image

Polygons = Sequence[Sequence[tuple[float, float]]]

BACKGROUND_SHARE = 0.02  # of each frame: at 10 per second what is excluded follows in 5 s


@dataclass(frozen=True, slots=True, eq=False)
class Ready:
    """A clip that waits to be scored."""

    clip: Clip
    captured: Captured  # the frame that it speaks about
    newest_s: float  # time.monotonic() of its newest frame


class CameraWindow:
    """Fed by the reading thread, asked by the scoring one."""

    def __init__(
        self,
        ring: Ring,
        spec: ClipSpec,
        rate_hz: float | None,
        include: Polygons = (),
        exclude: Polygons = (),
    ) -> None:
        self._ring = ring
        self._shape = spec.channels, *spec.size
        longest_s = LOST_STEPS / rate_hz if rate_hz else gap_s(rate_hz)
        self._cutter = ClipCutter(spec, lambda step_s: 0 <= step_s <= longest_s)
        self._still = StillPlaces(include, exclude) if include or exclude else None
        self._sequence = ring.written  # what came before it was asked for is not missed
        self._recent: deque[Captured] = deque(maxlen=spec.delay + 1)  # the oldest is the target
        self._ready: Ready | None = None
        self._lock = threading.Lock()
        self.busy = 0  # frames overwritten before they were read

    def read(self) -> int:
        """Take what has come; how many frames that was."""
        captured, missed = self._ring.since(self._sequence)
        self.busy += missed
        for item in captured:
            self._take(item)
        if captured:
            self._ring.release(captured[-1].sequence)
        return len(captured)

    def take(self) -> Ready | None:
        """The newest clip, once."""
        with self._lock:
            ready, self._ready = self._ready, None
        return ready

    def close(self) -> None:
        """Let go of the ring."""
        self._ring.close()

    def _take(self, item: Captured) -> None:
        self._sequence = item.sequence
        image, planes = item.image, item.planes
        if self._still is not None:
            image, planes = self._still.hold(image), None
        elif planes is not None and planes.shape != self._shape:  # as the last model took them
            planes = None
        self._recent.append(item)
        clip = self._cutter.feed(Frame(image, item.index, item.time_s, item.epoch), planes)
        if clip is None:
            return
        with self._lock:
            self._ready = Ready(clip, self._recent[0], item.received_s)


class StillPlaces:
    """Holds places still that are not to be judged: they show what is there on average.

    A model sees nothing unusual in them, whatever its kind, and needs no calibration of its own
    for the mask. Blacking them would be an unusual picture instead.
    """

    def __init__(self, include: Polygons, exclude: Polygons) -> None:
        self._include = include
        self._exclude = exclude
        self._ignored: NDArray[np.bool_] | None = None
        self._background: NDArray[np.float32] | None = None

    def hold(self, image: Image) -> Image:
        """The picture with those places held still."""
        if self._background is None or self._background.shape != image.shape:
            self._background = image.astype(np.float32)
            self._ignored = ~weight_of(
                (image.shape[0], image.shape[1]), include=self._include, exclude=self._exclude
            )
        assert self._ignored is not None
        self._background += BACKGROUND_SHARE * (image - self._background)
        held = image.copy()
        held[self._ignored] = self._background[self._ignored].astype(np.uint8)
        return held
