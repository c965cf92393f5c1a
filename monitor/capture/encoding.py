"""Analysed frames into encoded packets, for sources that have none or must not show theirs.

A camera with privacy polygons, and what OpenCV or a folder gives. Costs about 3 ms per 640x360
frame, which is why only they do it. Knows nothing of clips.
"""

import os
from fractions import Fraction

import av
from av.container import OutputContainer
from av.packet import Packet
from av.video.frame import VideoFrame
from av.video.stream import VideoStream

from monitor.records import Image

TICKS = Fraction(1, 90_000)
KEY_S = 2.0  # between keyframes: a clip begins at most so much too early
FAST: dict[str, object] = {
    "preset": "ultrafast",
    "tune": "zerolatency",
    "crf": "26",
    "threads": "1",
}


class FrameEncoder:
    """H.264 where the FFmpeg at hand can encode it, else MPEG-4 part 2; one size only."""

    def __init__(self, size: tuple[int, int]) -> None:
        h264 = "libx264" in av.codecs_available
        self._container: OutputContainer = av.open(os.devnull, "w", "mp4")
        stream = self._container.add_stream("libx264" if h264 else "mpeg4", rate=25)
        assert isinstance(stream, VideoStream)
        stream.options = FAST if h264 else {"qmin": "3", "qmax": "6"}
        stream.height, stream.width = (side // 2 * 2 for side in size)
        stream.pix_fmt = "yuv420p"
        stream.codec_context.time_base = TICKS if h264 else Fraction(1, 60_000)
        stream.codec_context.gop_size = 1000  # keyframes come by time, not by number
        stream.codec_context.max_b_frames = 0
        self._container.start_encoding()  # fills in what a clip's header needs
        self.stream = stream
        self._key_s = float("-inf")
        self._last_tick = -1

    def encode(self, image: Image, time_s: float) -> "list[Packet[VideoStream]]":
        """The packets that a frame, (H, W, 3) RGB, becomes; times must rise."""
        stream = self.stream
        base = stream.codec_context.time_base
        assert base is not None
        frame = VideoFrame.from_ndarray(image[: stream.height, : stream.width], format="rgb24")
        self._last_tick = max(self._last_tick + 1, round(time_s / base))
        frame.pts, frame.time_base = self._last_tick, base
        if time_s - self._key_s >= KEY_S:
            self._key_s = time_s
            frame.pict_type = 1  # I
        return stream.encode(frame)

    def close(self) -> None:
        """Free the encoder; its packets live on."""
        self._container.close()
