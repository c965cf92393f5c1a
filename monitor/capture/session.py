"""One connection of one camera: from decoded pictures to the ring, with what is counted on the way.

Knows nothing of commands and processes.
"""

import time
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from models.spec import ClipSpec
from monitor.capture.clock import EARLY, StreamClock, Thinner
from monitor.capture.faults import CaptureError
from monitor.capture.pictures import analysed_size, blacken
from monitor.capture.reader import Picture, Reader, Step
from monitor.capture.recording import Recording
from monitor.capture.records import CaptureSettings, Connected, Counted, Notice, Tune
from monitor.capture.ring import Head, Ring
from monitor.capture.stats import PictureMeter
from monitor.clips import prepare
from monitor.records import Image

COUNT_S = 1.0  # between notices of what was counted
STATM = Path("/proc/self/statm")
PAGE_BYTES = 4096

Tell = Callable[[Notice], None]
Attend = Callable[[float], None]  # obey commands for so long, without reading


@dataclass(slots=True)
class Tally:
    """What was read since the last notice of it."""

    own_process: bool
    frames: int = 0
    packets: int = 0
    bytes: int = 0
    dropped: Counter[str] = field(default_factory=Counter)
    told_s: float = field(default_factory=time.monotonic)
    cpu_s: float = 0.0

    def __post_init__(self) -> None:
        self.cpu_s = self._cpu_s()

    def due(self, now_s: float) -> Counted | None:
        """Once a second, what to tell; counting then begins anew."""
        if now_s - self.told_s < COUNT_S:
            return None
        cpu_s = self._cpu_s()
        counted = Counted(
            frames=self.frames,
            dropped=dict(+self.dropped),  # without zeros
            packets=self.packets,
            bytes=self.bytes,
            rss_bytes=_rss_bytes() if self.own_process else 0,
            cpu_s=cpu_s - self.cpu_s,
            span_s=now_s - self.told_s,
        )
        self.frames = self.packets = self.bytes = 0
        self.dropped.clear()
        self.told_s, self.cpu_s = now_s, cpu_s
        return counted

    def _cpu_s(self) -> float:
        return time.process_time() if self.own_process else time.thread_time()


class Session:
    """Puts the pictures of one reader into the ring, under one epoch."""

    def __init__(  # noqa: PLR0913  what a connection consists of
        self,
        settings: CaptureSettings,
        epoch: int,
        *,
        reader: Reader,
        recording: Recording,
        ring: Ring,
        meter: PictureMeter,
        tally: Tally,
        tell: Tell,
        attend: Attend,
    ) -> None:
        self._settings = settings
        self._epoch = epoch
        self._reader = reader
        self._recording = recording
        self._ring = ring
        self._meter = meter
        self._tally = tally
        self._tell = tell
        self._attend = attend
        self._clock = StreamClock(live=reader.live)
        self._early = EARLY if reader.live else 0.0  # a file is thinned as it was for training
        self._thinner = Thinner(settings.fps, early=self._early)
        self._takes: ClipSpec | None = None
        self._size: tuple[int, int] | None = None  # of the source
        self._analysed = (0, 0)
        self._began_s = 0.0
        self.frames = 0

    def tune(self, tuned: Tune) -> None:
        """Analyse as many frames per second from now on, and make what a detector takes of them."""
        self._takes = tuned.takes
        rate_hz = tuned.fps or self._settings.fps
        if rate_hz != self._thinner.rate_hz:
            self._thinner = Thinner(rate_hz, early=self._early)

    def take(self, step: Step) -> None:
        """Everything that one read gave.

        Raises:
            CaptureError: If the picture is not the size that it was.
        """
        self._tally.packets += step.packet is not None
        self._tally.bytes += step.bytes
        self._tally.dropped["corrupt"] += step.corrupt
        self._recording.add_step(step, time.monotonic())
        for picture in step.pictures:
            self._take_picture(picture)

    def _take_picture(self, picture: Picture) -> None:
        received_s = time.monotonic()
        if self._size != picture.size:
            self._begin(picture, received_s)
        time_s = self._clock.time_s(picture.presented_s, received_s)
        index, self.frames = self.frames, self.frames + 1
        self._tally.frames += 1
        if not self._thinner.keeps(time_s):
            self._tally.dropped["rate"] += 1
            return
        self._await_turn(time_s)
        self._write(picture, index, time_s)

    def _begin(self, picture: Picture, received_s: float) -> None:
        if self._size is not None:
            (height, width), (h, w) = self._size, picture.size
            raise CaptureError("broken", f"the picture changed from {width}x{height} to {w}x{h}")
        self._size, self._began_s = picture.size, received_s
        self._analysed = analysed_size(picture.size, self._settings.width)
        reader = self._reader
        self._tell(
            Connected(
                epoch=self._epoch,
                size=picture.size,
                analysed=self._analysed,
                rate_hz=reader.rate_hz,
                codec=reader.codec,
                decoder=reader.decoder,
                live=reader.live,
            )
        )

    def _await_turn(self, time_s: float) -> None:
        """A file comes by its own clock, or waits until what came before is taken."""
        if self._reader.live:
            return
        if self._settings.pace == "own":
            while (wait_s := self._began_s + time_s - time.monotonic()) > 0:
                self._attend(min(wait_s, 0.2))
            return
        while self._ring.waiting >= self._ring.slots:
            self._attend(0.002)

    def _write(self, picture: Picture, index: int, time_s: float) -> None:
        image = blacken(picture.shrink(self._analysed), self._settings.privacy)
        received_s = time.monotonic()
        stats = self._meter.measure(image, received_s)
        size = image.shape[0], image.shape[1]
        head = Head(0, index, self._epoch, time_s, received_s, size, stats)
        self._ring.write(image, head, self._planes(picture, image))
        self._recording.add_picture(image, time_s, received_s)

    def _planes(self, picture: Picture, image: Image) -> NDArray[np.uint8] | None:
        """What the detector takes; of what may be seen, where something must not."""
        if self._takes is None:
            return None
        if self._settings.privacy:
            return prepare(image, self._takes)
        return picture.planes(self._takes)


def _rss_bytes() -> int:
    """Resident memory of this process; 0 where it cannot be told."""
    try:
        return int(STATM.read_text().split()[1]) * PAGE_BYTES
    except (OSError, IndexError, ValueError):
        return 0
