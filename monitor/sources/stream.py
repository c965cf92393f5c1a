"""Network streams (RTSP, HTTP, RTMP, UDP ...), read in the caller's own thread, forwards only."""

import time
from collections.abc import Generator, Iterator
from itertools import chain

import av
from av.container import InputContainer
from av.video.frame import VideoFrame

from monitor.addresses import public_address
from monitor.errors import SourceError
from monitor.records import Frame
from monitor.sources.index import silence_ffmpeg
from monitor.sources.late import Converter, LateFrame, upright_size
from monitor.sources.source import Source

SCHEMES = frozenset({"rtsp", "rtsps", "http", "https", "rtmp", "rtmps", "udp", "tcp", "rtp", "srt"})
OPEN_TIMEOUT_S = 10.0  # Frigate's and Viseron's range is 5 to 20 s
READ_TIMEOUT_S = 10.0


class Stream(Source):
    """A connection, open from construction to `close`; several calls of `frames` share it.

    An address that knows its length (a file on a web server) ends quietly; any other end is an
    error, because a camera does not end.
    """

    def __init__(
        self,
        url: str,
        *,
        strict: bool = False,
        open_timeout_s: float = OPEN_TIMEOUT_S,
        read_timeout_s: float = READ_TIMEOUT_S,
    ) -> None:
        super().__init__(without_secrets(url), live=True, strict=strict)
        self._container = self._open(url, open_timeout_s, read_timeout_s)
        self.live = not self._container.duration
        self._video = self._container.streams.video[0]
        self._converter = Converter()
        self._pictures = self._decode()
        self._next = 0
        self._start_s: float | None = None  # of the stream's clock
        self._arrived_s: float | None = None  # when the first frame came
        try:
            first = next(self._pictures)
        except (StopIteration, SourceError) as error:
            self.close()
            raise SourceError(
                f"{self.name}: connected, but no frame came; is it sending?"
            ) from error
        self._pictures = chain([first], self._pictures)
        self._size = upright_size(first)

    @property
    def rate_hz(self) -> float | None:
        """As the stream announces it; cameras are often wrong about themselves."""
        rate = self._video.average_rate
        return float(rate) if rate else None

    @property
    def codec(self) -> str:
        """FFmpeg's name of it, such as h264."""
        return self._video.codec_context.name

    @property
    def size(self) -> tuple[int, int]:
        """Of the first frame."""
        return self._size

    @property
    def n_frames(self) -> int | None:
        """Unknown: a stream is not read ahead."""
        return None

    def frames(self, start: int = 0, stop: int | None = None) -> Generator[Frame]:
        """Frames still to come, counted from the connection; those before `start` pass by."""
        while stop is None or self._next < stop:
            picture = next(self._pictures, None)
            if picture is None:
                return
            index, self._next = self._next, self._next + 1
            time_s = self._time_s(picture)
            where = f"{self.name}: frame {index}"
            if index >= start and self.fits(upright_size(picture), where):
                yield LateFrame(picture, index, time_s, self._converter)

    def close(self) -> None:
        """Hang up."""
        self._container.close()

    def _open(self, url: str, open_timeout_s: float, read_timeout_s: float) -> InputContainer:
        silence_ffmpeg()
        try:
            container = av.open(
                url, options=_options(url, read_timeout_s), timeout=(open_timeout_s, read_timeout_s)
            )
        except (av.FFmpegError, OSError) as error:
            raise SourceError(
                f"{self.name}: expected a stream within {open_timeout_s:g} s, got: "
                f"{_reason(error)}; check address, user, password and network"
            ) from error
        if not container.streams.video:
            container.close()
            raise SourceError(f"{self.name}: expected a video stream, got one without pictures")
        return container

    def _decode(self) -> Iterator[VideoFrame]:
        reason = "the other side ended it"
        packets = self._container.demux(self._video)
        while True:
            try:
                packet = next(packets)
            except StopIteration:
                break
            except av.FFmpegError as error:
                reason = _reason(error)
                break
            try:
                yield from packet.decode()
            except av.FFmpegError as error:
                self.lose(f"{self.name}: a packet after frame {self._next}: {_reason(error)}")
        if self.live:
            raise SourceError(f"{self.name}: stopped after {self._next} frames: {reason}")

    def _time_s(self, picture: VideoFrame) -> float:
        """By the stream's clock; by arrival while it tells none, as before RTCP's first report."""
        now_s = time.monotonic()
        if self._arrived_s is None:
            self._arrived_s = now_s
        since_s = now_s - self._arrived_s
        if picture.pts is None:
            return since_s
        if self._start_s is None:
            self._start_s = float(picture.time) - since_s
        return float(picture.time) - self._start_s


def without_secrets(url: str) -> str:
    """An address without user, password and query, fit for screens and logs."""
    return public_address(url)


def _options(url: str, read_timeout_s: float) -> dict[str, str]:
    """FFmpeg's own options; its names for a time-out differ by protocol.

    One frame is enough to open by: FFmpeg else waits for a second, or twenty.
    """
    timeout_us = str(round(read_timeout_s * 1_000_000))
    if url.startswith("rtsp"):
        return {"fpsprobesize": "0", "rtsp_transport": "tcp", "timeout": timeout_us}
    return {"fpsprobesize": "0", "rw_timeout": timeout_us}


def _reason(error: av.FFmpegError | OSError) -> str:
    if isinstance(error, av.error.ExitError):  # what PyAV's own deadline looks like
        return "no answer in time"
    return str(error.strerror)
