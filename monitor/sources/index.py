"""Which frame is which in a video file: a table of presentation times, so that a seek is exact.

Counting after a seek is wrong wherever frames are reordered, dropped or of uneven length; so a
frame is known by its time stamp, and its index is the rank of that stamp in the whole file.
"""

import re
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from fractions import Fraction
from itertools import pairwise
from pathlib import Path

import av
import av.logging
import numpy as np
from av.container import InputContainer
from av.packet import Packet
from av.video.frame import VideoFrame
from av.video.stream import VideoStream
from numpy.typing import NDArray

from monitor.errors import SourceError

MISSING_END_S = 1.0  # less is a rounded header or a last frame that was not flushed


@dataclass(frozen=True, eq=False)
class FrameIndex:
    """The frames of one file in display order."""

    ticks: NDArray[np.int64]  # presentation times in units of time_base, increasing
    time_base: Fraction
    seekable: bool  # decoded frames carry these very ticks; else only counting from 0 is exact
    keys: NDArray[np.int64]  # ticks of the key frames, increasing
    key_seeks: NDArray[np.int64]  # where to seek for each key frame: its decoding time
    cut_off: int = 0  # frames that the header promises and the file does not hold

    def __len__(self) -> int:
        return len(self.ticks)

    def time_s(self, index: int) -> float:
        """Seconds from the first frame."""
        return float((int(self.ticks[index]) - int(self.ticks[0])) * self.time_base)

    def rank(self, tick: int | None) -> int | None:
        """The index of the frame with this stamp; None if there is none."""
        if tick is None:
            return None
        place = int(np.searchsorted(self.ticks, tick))
        return place if place < len(self.ticks) and self.ticks[place] == tick else None

    def seek_for(self, start: int) -> int | None:
        """Where to seek to decode frame `start`; None: from the beginning."""
        place = int(np.searchsorted(self.keys, self.ticks[start], side="right")) - 1
        return int(self.key_seeks[place]) if self.seekable and place > 0 else None


def build_index(path: Path) -> FrameIndex:
    """Read the packets of a file, decoding only where they do not tell the frames.

    They do not in files whose packets have no or ambiguous presentation times: AVI with B-frames
    (packets packed together and placeholders that never become a frame), VP8 (hidden frames),
    raw streams.
    """
    with opened(path) as (container, stream):
        packets = [_Mark.of(packet) for packet in _packets(container, stream) if packet.size]
        promised, codec = stream.frames, stream.codec_context
        vague = codec.name == "vp8" or (container.format.name == "avi" and codec.has_b_frames)
        time_base, rate = stream.time_base or Fraction(1, 1000), stream.average_rate
        end_s = _promised_end_s(container, stream)
    ticks = [mark.pts for mark in packets if mark.pts is not None and not mark.discard]
    seekable = True
    if vague or len(set(ticks)) != sum(not mark.discard for mark in packets):
        ticks, seekable = _decoded_ticks(path, time_base, rate)
    keys = sorted((m.pts, m.seek) for m in packets if m.key and m.pts is not None)
    return FrameIndex(
        ticks=np.sort(np.asarray(ticks, np.int64)),
        time_base=time_base,
        seekable=seekable,
        keys=np.asarray([pts for pts, _ in keys], np.int64),
        key_seeks=np.asarray([seek for _, seek in keys], np.int64),
        cut_off=max(0, promised - len(packets)) or _missing(ticks, time_base, rate, end_s),
    )


def silence_ffmpeg() -> None:
    """Keep FFmpeg's messages from Python, to which older torchvisions lead them when imported.

    A decoding thread that has one for Python waits for the interpreter, while whoever closes the
    decoder holds it and waits for that thread: for ever.
    """
    av.logging.set_level(None)


@contextmanager
def opened(path: Path) -> Iterator[tuple[InputContainer, VideoStream]]:
    """A file's container and its first video stream, with threads set; closed at the end.

    Raises:
        SourceError: If FFmpeg cannot read the file, or finds no video in it.
    """
    silence_ffmpeg()
    try:
        container = av.open(str(path))
    except (av.FFmpegError, OSError) as error:
        raise SourceError(_unreadable(path, error)) from error
    with container:
        if not container.streams.video:
            raise SourceError(f"{path}: expected a video, got a file without a picture track")
        stream = container.streams.video[0]
        stream.thread_type = "AUTO"
        yield container, stream


def decode(container: InputContainer, stream: VideoStream) -> Iterator[VideoFrame]:
    """All frames from here on; a packet that cannot be decoded yields none."""
    for packet in _packets(container, stream):
        try:
            frames = packet.decode()
        except av.FFmpegError:
            continue
        yield from frames
    with suppress(av.FFmpegError):  # what is still inside after a break; at a clean end, nothing
        yield from stream.decode(None)


@dataclass(frozen=True, slots=True)
class _Mark:
    pts: int | None
    seek: int
    key: bool
    discard: bool  # outside the edit list: decoded, never shown

    @classmethod
    def of(cls, packet: "Packet[VideoStream]") -> "_Mark":
        times = [time for time in (packet.dts, packet.pts) if time is not None]
        return cls(packet.pts, min(times, default=0), packet.is_keyframe, packet.is_discard)


def _packets(container: InputContainer, stream: VideoStream) -> "Iterator[Packet[VideoStream]]":
    """Packets up to where the file ends or breaks off."""
    with suppress(av.FFmpegError):
        yield from container.demux(stream)


def _promised_end_s(container: InputContainer, stream: VideoStream) -> float:
    """When the last frame ends by the header of a Matroska file, which counts none; 0: unsaid."""
    if "matroska" not in container.format.name:  # others estimate it, from what there is
        return 0.0
    tag = re.fullmatch(r"(\d+):(\d+):(\d+(?:\.\d+)?)", stream.metadata.get("DURATION", ""))
    if tag:
        return 3600 * int(tag[1]) + 60 * int(tag[2]) + float(tag[3])
    alone = len(container.streams) == 1  # else sound may last longer
    return (container.duration or 0) / av.time_base if alone else 0.0


def _missing(ticks: list[int], time_base: Fraction, rate: Fraction | None, end_s: float) -> int:
    """Frames between the last one and the promised end; 0 where that is under a second."""
    if not ticks or not rate:
        return 0
    missing_s = end_s - float(max(ticks) * time_base) - 1 / float(rate)
    return round(missing_s * rate) if missing_s > MISSING_END_S else 0


def _decoded_ticks(
    path: Path, time_base: Fraction, rate: Fraction | None
) -> tuple[list[int], bool]:
    with opened(path) as (container, stream):
        stamps = [frame.pts for frame in decode(container, stream)]
    ticks = [stamp for stamp in stamps if stamp is not None]
    if len(ticks) == len(stamps):
        rising = all(a < b for a, b in pairwise(ticks))
        return ticks, rising
    step = 1 / ((rate or 25) * time_base)  # a raw stream has no clock; 25 is FFmpeg's own default
    return [round(place * step) for place in range(len(stamps))], False


def _unreadable(path: Path, error: av.FFmpegError | OSError) -> str:
    size = path.stat().st_size
    if size == 0:
        return f"{path}: expected a video, got an empty file"
    with path.open("rb") as file:
        is_mp4 = file.read(12)[4:8] == b"ftyp"
    if is_mp4:
        return (
            f"{path}: an MP4 without its index (moov): the recording was cut off before its end; "
            "copy it again, or record to .mkv, which survives a cut"
        )
    return f"{path}: expected a video that FFmpeg can read, got {size} bytes it cannot: " + str(
        error.strerror
    )
