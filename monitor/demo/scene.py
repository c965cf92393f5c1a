"""The demo's footage as files like any user's: two normal ones, and one to watch.

One is learned from, one calibrates; into the one to watch anomalies were put. All of it comes from
the clip beside this file.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path

import av
from av.container import OutputContainer
from av.video.frame import VideoFrame
from av.video.stream import VideoStream

from monitor.demo.planting import PlantedEvent, event_of, plant
from monitor.demo.programme import (
    CALIBRATED,
    LEARNED,
    background_of,
    clock,
    make_plants,
    watched,
)
from monitor.demo.road import RATE_HZ
from monitor.evaluation.metrics import BoolArray, FloatArray
from monitor.records import Frame
from monitor.sources import open_source

CLIP = Path(__file__).with_name("highway.mp4")
TICKS_PER_FRAME = 512  # of the files' clocks; a power of two, as FFmpeg itself takes
CRF = "16"  # all three files alike, and so fine that what is learned is the scene, not the codec


@dataclass(frozen=True, slots=True, eq=False)
class Scene:
    """Where the files are, and the truth of the one that is watched."""

    learn: Path  # normal
    calibrate: Path  # normal
    watch: Path
    events: tuple[PlantedEvent, ...]  # in order of time

    def labels(self, time_s: FloatArray) -> BoolArray:
        """Whether something anomalous is going on at these times of the footage watched, (N,)."""
        inside = time_s < 0
        for event in self.events:
            if event.anomalous:
                inside |= (time_s >= event.start_s) & (time_s <= event.end_s)
        return inside


def demo_scene(folder: Path) -> Scene:
    """Write the three files to `folder`, over those of an earlier demo.

    Raises:
        OSError: If they cannot be written.
    """
    folder.mkdir(parents=True, exist_ok=True)
    clip = open_source(CLIP)
    plants = make_plants(clip, background_of(clip))
    scene = Scene(
        folder / "learn.mp4",
        folder / "calibrate.mp4",
        folder / "watch.mp4",
        tuple(event_of(each, clock(), clip.size) for each in plants),
    )
    _write(scene.learn, clip.frames(0, LEARNED))
    _write(scene.calibrate, clip.frames(LEARNED, CALIBRATED))
    _write(scene.watch, plant(watched(clip), plants))
    return scene


def _write(path: Path, frames: Iterable[Frame]) -> None:
    """An MP4 with the frames' own times from the first on; whole, or the old file stays."""
    partial = path.with_name(f".{path.name}.part")
    clock_unit = Fraction(1, round(RATE_HZ * TICKS_PER_FRAME))
    first_s: float | None = None
    try:
        with av.open(str(partial), "w", "mp4", {"movflags": "faststart"}) as container:
            stream = _stream(container, clock_unit)
            for frame in frames:
                if first_s is None:
                    stream.height, stream.width = frame.image.shape[:2]
                    first_s = frame.time_s
                picture = VideoFrame.from_ndarray(frame.image, format="rgb24")
                picture.pts = round((frame.time_s - first_s) / clock_unit)
                picture.time_base = clock_unit
                container.mux(stream.encode(picture))
            container.mux(stream.encode(None))
        partial.replace(path)
    finally:
        partial.unlink(missing_ok=True)


def _stream(container: OutputContainer, clock_unit: Fraction) -> VideoStream:
    """H.264 where the FFmpeg at hand can encode it, else MPEG-4 part 2."""
    h264 = "libx264" in av.codecs_available
    stream = container.add_stream("libx264" if h264 else "mpeg4", rate=round(RATE_HZ))
    assert isinstance(stream, VideoStream)
    stream.options = {"preset": "superfast", "crf": CRF} if h264 else {"qmin": "2", "qmax": "3"}
    stream.pix_fmt, stream.codec_context.time_base = "yuv420p", clock_unit
    return stream
