"""Network streams and files through PyAV: packets for clips, pictures for the analysis."""

import re
import time
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass

import av
import numpy as np
from av.codec.hwaccel import HWAccel
from av.container import InputContainer
from av.packet import Packet
from av.stream import Discard
from av.video.frame import VideoFrame
from av.video.stream import VideoStream
from numpy.typing import NDArray

from models.spec import ClipSpec
from monitor.capture.faults import CaptureError, fault_of
from monitor.capture.reader import Step
from monitor.capture.records import CaptureSettings
from monitor.clips import prepared
from monitor.records import Image
from monitor.sources.late import Converter, LateFrame, upright_size

LOOP_GAP_S = 2.0  # of a looped file's time at the seam, so that no clip spans the leap in it
LIVE = ("rtsp", "rtmp", "udp", "tcp", "rtp", "srt")  # beginnings of schemes of what never ends
CLOCKLESS = {"mjpeg", "mpjpeg", "h264", "hevc", "image2", "jpeg_pipe", "png_pipe"}
NO_VIDEO = {"tty", "bin", "txt"}  # FFmpeg paints any text as a terminal would show it
# else 20 frames pass before the first; with 1 two, which is minutes where one comes a minute
PROBE = {"fpsprobesize": "0", "analyzeduration": "3000000"}


@dataclass(frozen=True, slots=True, eq=False)
class _Decoded:
    frame: VideoFrame
    presented_s: float | None
    converter: Converter

    @property
    def size(self) -> tuple[int, int]:
        return upright_size(self.frame)

    def shrink(self, size: tuple[int, int]) -> Image:
        return self.converter.rgb(self.frame, size)

    def planes(self, spec: ClipSpec) -> NDArray[np.uint8]:
        return prepared(LateFrame(self.frame, 0, 0.0, self.converter), spec)


class PyavReader:
    """A connection; one that is not `decoding` gives packets alone."""

    decoder: str
    codec: str
    template: VideoStream | None

    def __init__(self, settings: CaptureSettings, url: str, *, decoding: bool = True) -> None:
        self._settings = settings
        self._url = url
        self._decoding = decoding
        self._keyframes_only = False
        self._converter = Converter()
        self._offset_s = 0.0  # of a looped file's time
        self._end_s = 0.0
        self._container: InputContainer | None = None
        self._open()
        container, stream = self._parts()
        self.live = _is_live(url, container)
        self.rate_hz = float(stream.average_rate) if stream.average_rate else None
        self._has_clock = not (self.live and container.format.name in CLOCKLESS)

    def steps(self) -> Iterator[Step]:
        """Packets with the pictures that they complete."""
        yield from self._read_through()
        while self._settings.loop and not self.live:
            self._offset_s = self._end_s + LOOP_GAP_S
            self.close()
            self._open()
            yield from self._read_through()

    def tune(self, *, keyframes_only: bool) -> None:
        """From the next packet on."""
        self._keyframes_only = keyframes_only
        _, stream = self._parts()
        stream.codec_context.skip_frame = "NONKEY" if keyframes_only else "DEFAULT"

    def close(self) -> None:
        """Hang up, with RTSP's TEARDOWN: some cameras run out of sessions without it."""
        container, self._container = self._container, None
        self.template = None
        if container:
            with suppress(av.FFmpegError, OSError):
                container.close()

    def _open(self) -> None:
        self._container = _connect(self._settings, self._url)
        try:
            self._check(self._container)
        except CaptureError:
            self.close()
            raise
        container, stream = self._parts()
        for other in container.streams:
            other.discard = Discard.all if other is not stream else Discard.default
        context = stream.codec_context
        context.thread_count = 1  # a camera is a core's business at most
        context.thread_type = "SLICE"  # frame threads hold frames back
        self.tune(keyframes_only=self._keyframes_only)
        self.codec = context.name
        self.decoder = self._settings.hardware if context.is_hwaccel else "software"
        self.template = stream

    def _check(self, container: InputContainer) -> None:
        if container.format.name in NO_VIDEO:
            raise CaptureError("format", "expected video, got text")
        if not container.streams.video:
            kinds = " and ".join(sorted({stream.type for stream in container.streams}))
            raise CaptureError("format", f"expected video, got {kinds or 'nothing'} only")

    def _parts(self) -> tuple[InputContainer, VideoStream]:
        assert self._container is not None
        return self._container, self._container.streams.video[0]

    def _read_through(self) -> Iterator[Step]:
        container, stream = self._parts()
        packets = container.demux(stream)
        while True:
            try:
                packet = next(packets)
            except StopIteration:
                break
            except (av.FFmpegError, OSError) as error:
                raise fault_of(error, self._url, opening=False) from None
            yield self._step(packet)
        if self.live:
            raise CaptureError("ended", "the other side ended it")

    def _step(self, packet: "Packet[VideoStream]") -> Step:
        kept = packet if packet.size else None  # the last one, without content, empties the decoder
        if not self._decoding:
            return Step(packet=kept, bytes=packet.size)
        try:
            frames = packet.decode()
        except (av.FFmpegError, OSError):
            return Step(packet=kept, bytes=packet.size, corrupt=1)
        sound = tuple(self._decoded(frame) for frame in frames if not frame.is_corrupt)
        return Step(sound, kept, packet.size, len(frames) - len(sound))

    def _decoded(self, frame: VideoFrame) -> _Decoded:
        presented_s = None
        if self._has_clock and frame.pts is not None and frame.time_base:
            presented_s = float(frame.pts * frame.time_base) + self._offset_s
            self._end_s = max(self._end_s, presented_s)
        return _Decoded(frame, presented_s, self._converter)


def _connect(settings: CaptureSettings, url: str) -> InputContainer:
    """Open with the hardware decoder that is asked for, else without."""
    if settings.hardware:
        with suppress(av.FFmpegError, OSError, ValueError, RuntimeError, NotImplementedError):
            accel = HWAccel(settings.hardware, allow_software_fallback=True)
            return _opened(settings, url, accel)
    return _opened(settings, url, None)


def _opened(settings: CaptureSettings, url: str, accel: HWAccel | None) -> InputContainer:
    began_s = time.monotonic()
    try:
        return av.open(
            url.removeprefix("file://"),
            options=_options(settings, url),
            timeout=(settings.open_timeout_s or None, settings.read_timeout_s or None),
            hwaccel=accel,
        )
    except (av.FFmpegError, OSError) as error:
        fault = fault_of(error, url, opening=True)
        waited_s = time.monotonic() - began_s
        vague = fault.fault in ("broken", "format")  # a probe that was cut short found no video
        late = vague and waited_s >= 0.9 * settings.open_timeout_s > 0
        raise (CaptureError("timeout", "no answer in time") if late else fault) from None


def _options(settings: CaptureSettings, url: str) -> dict[str, str]:
    """FFmpeg's own; its names for a time-out differ by protocol, and 0 means none."""
    read_us = str(round(settings.read_timeout_s * 1_000_000))
    if url.startswith("rtsp"):
        media = {"rtsp_transport": settings.transport, "allowed_media_types": "video"}
        return {**PROBE, **media, "timeout": read_us}
    return {**PROBE, "rw_timeout": read_us} if "://" in url else {}


def _is_live(url: str, container: InputContainer) -> bool:
    """A server may announce a length for a live RTSP stream; a file on a web server has one."""
    scheme = re.match(r"(\w+)://", url)
    if not scheme or scheme[1].lower() == "file":
        return False
    return scheme[1].lower().startswith(LIVE) or not container.duration
