"""Frames with their times into one MP4 file that is there whole or not at all.

Knows nothing of alerts.
"""

import contextlib
import os
from fractions import Fraction
from pathlib import Path
from uuid import uuid4

import av
import cv2
import numpy as np
from av.video.frame import VideoFrame
from av.video.stream import VideoStream

from monitor.records import Image

TICKS = Fraction(1, 60_000)  # 25, 30, 29.97 and 60 per second fit; MPEG-4 takes up to 65,535
NOMINAL_FPS = 25  # what the encoder's rate control assumes; the frames' own times are kept


class ClipWriter:
    """Encodes into a temporary file beside `path`, which appears at `finish`.

    H.264 where the FFmpeg at hand can encode it (browsers play it), else MPEG-4 part 2. Odd
    sizes lose their last row or column, which 4:2:0 cannot hold.

    Raises:
        OSError: From every method; `discard` then leaves nothing behind.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self._partial = path.with_name(f".{uuid4().hex}.part")
        self._container = av.open(str(self._partial), "w", "mp4", {"movflags": "faststart"})
        self._stream: VideoStream | None = None
        self._first_s = 0.0
        self._last_tick = -1

    def write(self, image: Image, time_s: float) -> None:
        """Add a frame; one that is not later than the last is left out."""
        if self._stream is None:
            self._stream = self._add_stream(image)
            self._first_s = time_s
        tick = round((time_s - self._first_s) / TICKS)
        if tick <= self._last_tick:
            return
        self._last_tick = tick
        frame = VideoFrame.from_ndarray(self._fit(image, self._stream), format="rgb24")
        frame.pts, frame.time_base = tick, TICKS
        self._container.mux(self._stream.encode(frame))

    def finish(self) -> Path | None:
        """Give the file its name, once it is on the disk; None if no frame ever came."""
        if self._stream is None:
            self.discard()
            return None
        self._container.mux(self._stream.encode(None))
        self._container.close()
        with self._partial.open("rb") as file:
            os.fsync(file.fileno())
        self._partial.replace(self.path)
        return self.path

    def discard(self) -> None:
        """Give up; no file remains."""
        with contextlib.suppress(OSError, av.FFmpegError):
            self._container.close()
        with contextlib.suppress(OSError):
            self._partial.unlink(missing_ok=True)

    def _add_stream(self, image: Image) -> VideoStream:
        h264 = "libx264" in av.codecs_available
        quality: dict[str, object] = (
            {"preset": "veryfast", "crf": "26"} if h264 else {"qmin": "3", "qmax": "6"}
        )
        stream = self._container.add_stream("libx264" if h264 else "mpeg4", rate=NOMINAL_FPS)
        assert isinstance(stream, VideoStream)
        stream.options = quality
        stream.height, stream.width = (side // 2 * 2 for side in image.shape[:2])
        stream.pix_fmt = "yuv420p"
        stream.codec_context.time_base = TICKS
        return stream

    @staticmethod
    def _fit(image: Image, stream: VideoStream) -> Image:
        """The size of the first frame: a camera that changes its size mid-clip is scaled."""
        even = image[: image.shape[0] // 2 * 2, : image.shape[1] // 2 * 2]
        if even.shape[:2] == (stream.height, stream.width):
            return even
        return np.asarray(cv2.resize(even, (stream.width, stream.height)), np.uint8)
