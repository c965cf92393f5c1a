"""Video files of any container FFmpeg reads: exact frame indices, times from the file's clock."""

from collections.abc import Generator, Iterator, Sequence
from functools import cached_property
from pathlib import Path

from av.container import InputContainer
from av.video.frame import VideoFrame
from av.video.stream import VideoStream

from monitor.errors import SourceError
from monitor.records import Frame
from monitor.sources.index import FrameIndex, build_index, decode, opened
from monitor.sources.late import Converter, LateFrame, upright_size
from monitor.sources.source import LEFT_OUT, Source


class VideoFile(Source):
    """Opens the file anew for every call of `frames`, so readers do not disturb each other."""

    def __init__(self, path: Path, *, strict: bool = False) -> None:
        super().__init__(path.name, live=False, strict=strict)
        self.path = path
        with opened(path) as (container, stream):
            first = next(decode(container, stream), None)
            rate = stream.average_rate
        if first is None:
            raise SourceError(f"{path}: expected a video, got one without a frame to decode")
        self._size = upright_size(first)
        self._rate_hz = float(rate) if rate else None

    @property
    def rate_hz(self) -> float | None:
        """On average over the file, as the container counts it."""
        return self._rate_hz

    @property
    def size(self) -> tuple[int, int]:
        """Of the first frame, turned upright."""
        return self._size

    @cached_property
    def index(self) -> FrameIndex:
        """The table of all frames; reads the file's packets once."""
        return build_index(self.path)

    @property
    def n_frames(self) -> int:
        """Frames that the file holds, whether they decode or not."""
        return len(self.index)

    def time_s(self, index: int) -> float:
        """As its time stamp says."""
        return self.index.time_s(index)

    def files(self, start: int, stop: int) -> Sequence[Path]:  # noqa: ARG002
        """The one file."""
        return (self.path,)

    def frames(self, start: int = 0, stop: int | None = None) -> Generator[Frame]:
        """Decoded from the key frame before `start`; indices are exact after a seek, too."""
        start, stop, _ = slice(start, stop).indices(self.n_frames)
        due, converter = start, Converter()
        if start < stop:
            for index, picture in self._numbered(start):
                if index >= stop:
                    break
                self._lose_between(due, index)
                due = index + 1
                if picture.is_corrupt:
                    self.lose(f"{self.path}: frame {index} is damaged; shown as far as it decodes")
                if self.fits(upright_size(picture), f"{self.path}: frame {index}"):
                    yield LateFrame(picture, index, self.time_s(index), converter)
                if due == stop:
                    break
        self._lose_between(due, stop)
        if stop == self.n_frames and self.index.cut_off:
            self.lose(
                f"{self.path}: ends after {stop} frames of the {stop + self.index.cut_off} "
                "that its header promises: the file is cut off"
            )
        self.count_lost()

    def _numbered(self, start: int) -> Iterator[tuple[int, VideoFrame]]:
        """Frames from `start` on with their indices; by a seek where it lands in time."""
        seek = self.index.seek_for(start)
        for place in (seek, None) if seek is not None else (None,):
            with opened(self.path) as (container, stream):
                if place is not None:
                    container.seek(place, stream=stream)
                numbered = self._count(container, stream)
                first = next(numbered, None)
                if first is None or (place is not None and first[0] > start):
                    continue  # the seek went too far: read from the beginning
                if first[0] >= start:
                    yield first
                yield from (pair for pair in numbered if pair[0] >= start)
                return

    def _count(
        self, container: InputContainer, stream: VideoStream
    ) -> Iterator[tuple[int, VideoFrame]]:
        for count, picture in enumerate(decode(container, stream)):
            index = self.index.rank(picture.pts) if self.index.seekable else count
            if index is not None and index < self.n_frames:
                yield index, picture

    def _lose_between(self, due: int, index: int) -> None:
        if due < index:
            which = f"frame {due}" if index == due + 1 else f"frames {due} to {index - 1}"
            self.lose(f"{self.path}: {which} cannot be decoded{LEFT_OUT}")
