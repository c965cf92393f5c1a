"""What clips are cut from: the packets of the analysed stream, of another one, or made for it.

Knows nothing of the analysis.
"""

import random
import threading
from collections.abc import Callable
from typing import Protocol

from monitor.capture.cutting import Cutter, Tell
from monitor.capture.encoding import FrameEncoder
from monitor.capture.faults import CaptureError
from monitor.capture.packets import PacketRing
from monitor.capture.pyav_reader import PyavReader
from monitor.capture.reader import Reader, Step
from monitor.capture.records import CaptureSettings, ClipFailed, EndClip, StartClip
from monitor.records import Image

AGAIN_S = (1.0, 60.0)  # between attempts to reach a stream that is only recorded


class Recording(Protocol):
    """The clips of one connection."""

    def add_step(self, step: Step, received_s: float) -> None:
        """What was just read of the analysed stream."""

    def add_picture(self, image: Image, time_s: float, received_s: float) -> None:
        """An analysed picture, as it may be shown."""

    def start(self, command: StartClip) -> None:
        """Begin a clip."""

    def end(self, command: EndClip) -> None:
        """Set its end."""

    def tick(self, now_s: float) -> None:
        """Finish what is over."""

    def close(self) -> None:
        """Finish everything; the connection is over."""


class OwnPackets:
    """Clips are cut from the very stream that is analysed."""

    def __init__(self, settings: CaptureSettings, reader: Reader, tell: Tell) -> None:
        self._ring = PacketRing(settings.ring_s, settings.ring_bytes, live=reader.live)
        self._cutter = Cutter(lambda: reader.template, self._ring, tell)
        self.start, self.end = self._cutter.start, self._cutter.end
        self.tick, self.close = self._cutter.tick, self._cutter.finish

    def add_step(self, step: Step, received_s: float) -> None:
        """Its packet."""
        if step.packet is not None:
            self._cutter.add(self._ring.add(step.packet, received_s))

    def add_picture(self, image: Image, time_s: float, received_s: float) -> None:
        """Nothing: its packets are kept."""


class EncodedPictures:
    """Clips are encoded from the analysed pictures: there are no packets, or they show too much."""

    def __init__(self, settings: CaptureSettings, reader: Reader, tell: Tell) -> None:
        self._ring = PacketRing(settings.ring_s, settings.ring_bytes, live=reader.live)
        self._encoder: FrameEncoder | None = None
        self._cutter = Cutter(
            lambda: self._encoder.stream if self._encoder else None, self._ring, tell
        )
        self.start, self.end, self.tick = self._cutter.start, self._cutter.end, self._cutter.tick

    def add_step(self, step: Step, received_s: float) -> None:
        """Nothing: what the camera sent is not kept."""

    def add_picture(self, image: Image, time_s: float, received_s: float) -> None:
        """Encode it."""
        if self._encoder is None:
            self._encoder = FrameEncoder((image.shape[0], image.shape[1]))
        for packet in self._encoder.encode(image, time_s):
            self._cutter.add(self._ring.add(packet, received_s))

    def close(self) -> None:
        """Finish the clips, and free the encoder."""
        self._cutter.finish()
        if self._encoder:
            self._encoder.close()


class OtherStream:
    """Clips are cut from a main stream, which a thread of its own reads and connects to again."""

    def __init__(self, settings: CaptureSettings, tell: Tell, now_s: Callable[[], float]) -> None:
        self._settings = settings
        self._tell = tell
        self._now_s = now_s
        self._lock = threading.Lock()
        self._cutter: Cutter | None = None
        self._reason = "is not connected yet"
        self._over = threading.Event()
        threading.Thread(target=self._read_on, name="main stream", daemon=True).start()

    def add_step(self, step: Step, received_s: float) -> None:
        """Nothing: another stream is recorded."""

    def add_picture(self, image: Image, time_s: float, received_s: float) -> None:
        """Nothing: another stream is recorded."""

    def start(self, command: StartClip) -> None:
        """Begin a clip of the main stream, if that stands."""
        with self._lock:
            if self._cutter:
                self._cutter.start(command)
                return
        self._tell(ClipFailed(command.alert_id, f"the recorded stream {self._reason}"))

    def end(self, command: EndClip) -> None:
        """Set its end."""
        with self._lock:
            if self._cutter:
                self._cutter.end(command)

    def tick(self, now_s: float) -> None:
        """Finish what is over."""
        with self._lock:
            if self._cutter:
                self._cutter.tick(now_s)

    def close(self) -> None:
        """Finish the clips; the thread hangs up after its next packet."""
        self._over.set()
        self._hang_up()

    def _read_on(self) -> None:
        wait_s = AGAIN_S[0]
        while not self._over.is_set():
            try:
                reader = PyavReader(self._settings, self._settings.url, decoding=False)
                wait_s = AGAIN_S[0]
                self._record(reader)
            except CaptureError as fault:
                self._reason = f"failed: {fault.text}"
            self._over.wait(wait_s * random.uniform(0.5, 1.0))  # noqa: S311  no secret
            wait_s = min(2 * wait_s, AGAIN_S[1])

    def _record(self, reader: PyavReader) -> None:
        ring = PacketRing(self._settings.ring_s, self._settings.ring_bytes, live=reader.live)
        with self._lock:
            self._cutter = Cutter(lambda: reader.template, ring, self._tell)
        try:
            for step in reader.steps():
                if self._over.is_set():
                    return
                with self._lock:
                    if step.packet is not None and self._cutter is not None:
                        self._cutter.add(ring.add(step.packet, self._now_s()))
        finally:
            self._hang_up()
            reader.close()

    def _hang_up(self) -> None:
        with self._lock:
            cutter, self._cutter = self._cutter, None
            if cutter:
                cutter.finish()


def recording_of(
    settings: CaptureSettings, reader: Reader, tell: Tell, now_s: Callable[[], float]
) -> Recording:
    """What clips of this source are cut from."""
    if settings.privacy or (reader.template is None and not settings.analysis_url):
        return EncodedPictures(settings, reader, tell)
    if settings.analysis_url:
        return OtherStream(settings, tell, now_s)
    return OwnPackets(settings, reader, tell)
