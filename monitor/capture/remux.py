"""Encoded packets into one video file that is there whole or not at all; nothing is transcoded.

Knows nothing of alerts.
"""

import contextlib
import os
from fractions import Fraction
from pathlib import Path
from uuid import uuid4

import av
from av.container import OutputContainer
from av.packet import Packet
from av.video.stream import VideoStream

from monitor.capture.packets import Kept

TICKS = Fraction(1, 90_000)  # RTP's clock of video


class Remux:
    """Writes beside `path`; the file gets its name at `finish`, its times begin at 0.

    MP4, or Matroska (and `.mkv`) for what MP4 cannot carry, such as VP8.

    Raises:
        OSError: From every method; `discard` then leaves nothing behind.
    """

    def __init__(self, path: Path, template: VideoStream) -> None:
        self._partial = path.with_name(f".{uuid4().hex}.part")
        self.path = path
        self._container, self._stream = self._open(template)
        self._first_s: float | None = None
        self._last_tick = -1

    @property
    def empty(self) -> bool:
        """Whether nothing was written yet."""
        return self._first_s is None

    @property
    def seconds(self) -> float:
        """From the first frame to the last that was written."""
        return float(max(self._last_tick, 0) * TICKS)

    def write(self, kept: Kept) -> None:
        """Add a packet; those before the first keyframe are left out."""
        if self._first_s is None:
            if not kept.key:
                return
            self._first_s = kept.time_s
        tick = max(self._last_tick + 1, round((kept.time_s - self._first_s) / TICKS))
        self._last_tick = tick
        packet: Packet[VideoStream] = kept.packet
        packet.time_base = TICKS
        packet.dts, packet.pts = tick, tick + round(kept.shift_s / TICKS)
        packet.duration = 0
        packet.stream = self._stream
        self._container.mux(packet)

    def finish(self) -> Path:
        """Give the file its name, once it is on the disk."""
        self._container.close()
        with self._partial.open("rb") as file:
            os.fsync(file.fileno())
        self._partial.replace(self.path)
        return self.path

    def discard(self) -> None:
        """Give up; no file remains."""
        with contextlib.suppress(OSError, ValueError):  # FFmpeg's errors are OSError or ValueError
            self._container.close()
        with contextlib.suppress(OSError):
            self._partial.unlink(missing_ok=True)

    def _open(self, template: VideoStream) -> tuple[OutputContainer, VideoStream]:
        try:
            return _output(self._partial, "mp4", {"movflags": "faststart"}, template)
        except ValueError:  # this codec is not for MP4
            self.path = self.path.with_suffix(".mkv")
            return _output(self._partial, "matroska", {}, template)


def _output(
    path: Path, kind: str, options: dict[str, str], template: VideoStream
) -> tuple[OutputContainer, VideoStream]:
    container = av.open(str(path), "w", kind, options)
    try:
        stream = container.add_stream_from_template(template, opaque=True)
    except ValueError:
        container.close()
        path.unlink(missing_ok=True)
        raise
    return container, stream
