"""Small files to read, and a feed to read them with."""

import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager, suppress
from fractions import Fraction
from pathlib import Path
from typing import TypeVar

import av
import numpy as np
from av.video.frame import VideoFrame
from av.video.stream import VideoStream

from monitor.capture.feed import Feed, open_feed
from monitor.capture.records import CaptureSettings, Command, Connect, Notice
from monitor.capture.ring import Head
from monitor.records import Image

N = TypeVar("N", bound=Notice)
PATIENCE_S = 30.0  # many people on two cores


def film(  # a gray level per frame, so that each can be told
    path: Path,
    frames: int = 20,
    *,
    fps: int = 10,
    size: tuple[int, int] = (48, 64),
    codec: str = "libx264",
    gop: int = 5,
    levels: Callable[[int], int] = lambda index: 20 + 10 * index % 200,
) -> Path:
    pictures = (np.full((*size, 3), levels(index), np.uint8) for index in range(frames))
    return _encoded(path, pictures, fps=fps, size=size, codec=codec, gop=gop)


def textured(path: Path, frames: int) -> Path:
    """Colours and edges, so that it matters how a picture is made small."""
    rng = np.random.default_rng(0)
    pictures = (
        np.kron(rng.integers(0, 255, (6, 8, 3), np.uint8), np.ones((16, 16, 1), np.uint8))
        for _ in range(frames)
    )
    return _encoded(path, pictures, fps=10, size=(96, 128), codec="libx264", gop=5)


def _encoded(
    path: Path,
    pictures: Iterable[Image],
    *,
    fps: int,
    size: tuple[int, int],
    codec: str,
    gop: int,
) -> Path:
    with av.open(str(path), "w") as container:
        stream = container.add_stream(codec, rate=fps)
        assert isinstance(stream, VideoStream)
        stream.height, stream.width = size
        stream.pix_fmt = "yuvj420p" if codec == "mjpeg" else "yuv420p"
        stream.codec_context.gop_size = gop
        stream.options = {"tune": "zerolatency", "sc_threshold": "0"} if codec == "libx264" else {}
        for index, image in enumerate(pictures):
            frame = VideoFrame.from_ndarray(image, format="rgb24")
            frame.pts, frame.time_base = index, Fraction(1, fps)
            container.mux(stream.encode(frame))
        container.mux(stream.encode(None))
    return path


class Watched:
    """A feed, with everything that was heard and seen of it so far."""

    def __init__(self, feed: Feed) -> None:
        self.feed = feed
        self.heard: list[Notice] = []
        self.heads: list[Head] = []
        self.missed = 0

    def look(self) -> None:
        self.heard += self.feed.notices()
        with suppress(IndexError):
            heads, missed = self.feed.heads_since(self.heads[-1].sequence if self.heads else 0)
            self.heads += heads
            self.missed += missed
            if heads:
                self.feed.release(heads[-1].sequence)

    def until(self, done: Callable[[], bool], what: str = "") -> None:
        end_s = time.monotonic() + PATIENCE_S
        while not done():
            assert time.monotonic() < end_s, (what, self.heard, len(self.heads))
            time.sleep(0.002)
            self.look()

    def hear(self, kind: type[N]) -> N:
        """The first notice of a kind, waited for."""
        self.until(lambda: any(isinstance(notice, kind) for notice in self.heard), kind.__name__)
        return next(notice for notice in self.heard if isinstance(notice, kind))

    def see(self, count: int) -> list[Head]:
        self.until(lambda: len(self.heads) >= count, f"{count} frames")
        return self.heads

    def send(self, command: Command) -> None:
        assert self.feed.send(command)


@contextmanager
def watched(url: object, kind: str = "thread", **settings: object) -> Iterator[Watched]:
    """A feed of `url`, told to connect as epoch 1."""
    told = CaptureSettings("door", str(url), **settings)  # type: ignore[arg-type]
    feed = open_feed(told, kind=kind)  # type: ignore[arg-type]
    seen = Watched(feed)
    try:
        feed.start()
        feed.send(Connect(1))
        yield seen
    finally:
        feed.stop(5.0)
