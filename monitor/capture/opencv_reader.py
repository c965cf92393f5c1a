"""Cameras on this computer, and what FFmpeg in OpenCV can read where PyAV cannot."""

import os
import re
from collections.abc import Iterator
from dataclasses import dataclass

import cv2
import numpy as np
from av.video.stream import VideoStream
from numpy.typing import NDArray

from models.spec import ClipSpec
from monitor.capture.faults import CaptureError
from monitor.capture.reader import Step
from monitor.capture.records import CaptureSettings
from monitor.clips import prepare
from monitor.records import Image


@dataclass(frozen=True, slots=True, eq=False)
class _Grabbed:
    capture: cv2.VideoCapture
    size: tuple[int, int]
    presented_s: float | None

    def shrink(self, size: tuple[int, int]) -> Image:
        _, image = self.capture.retrieve()
        if image.shape[:2] != size:
            image = cv2.resize(image, size[::-1], interpolation=cv2.INTER_AREA)
        return np.asarray(cv2.cvtColor(image, cv2.COLOR_BGR2RGB), np.uint8)

    def planes(self, spec: ClipSpec) -> NDArray[np.uint8]:
        return prepare(self.shrink(self.size), spec)


class OpencvReader:
    """A device by number or path, held until `close`; frames that are thinned are only grabbed."""

    template: VideoStream | None = None
    decoder = "software"

    def __init__(self, settings: CaptureSettings, url: str) -> None:
        cv2.utils.logging.setLogLevel(0)  # what fails is said here, in one line
        os.environ.setdefault("OPENCV_FFMPEG_LOGLEVEL", "-8")
        self._device = re.fullmatch(r"(?:/dev/video)?(\d+)", url)
        self._loop = settings.loop
        self._capture = _capture(settings, url, self._device)
        if not self._capture.isOpened():
            self._capture.release()
            raise CaptureError("missing", "OpenCV cannot open it; is it there, free and readable?")
        frames = self._capture.get(cv2.CAP_PROP_FRAME_COUNT)
        self.live = bool(self._device) or not frames > 0
        rate = float(self._capture.get(cv2.CAP_PROP_FPS))
        self.rate_hz = rate if rate > 0 else None
        self.codec = _four_letters(int(self._capture.get(cv2.CAP_PROP_FOURCC)))

    def steps(self) -> Iterator[Step]:
        """One frame each."""
        count = 0
        while True:
            while self._capture.grab():
                yield Step((self._grabbed(count),))
                count += 1
            if self.live or not count:
                text = f"no frame any more after {count}"
                raise CaptureError("ended" if count else "format", text)
            if not self._loop:
                return
            self._capture.set(cv2.CAP_PROP_POS_FRAMES, 0)

    def tune(self, *, keyframes_only: bool) -> None:
        """OpenCV cannot skip frames before decoding them."""

    def close(self) -> None:
        """Free the device for others."""
        self._capture.release()

    def _grabbed(self, count: int) -> _Grabbed:
        height = int(self._capture.get(cv2.CAP_PROP_FRAME_HEIGHT))
        width = int(self._capture.get(cv2.CAP_PROP_FRAME_WIDTH))
        presented_s = None if self.live or not self.rate_hz else count / self.rate_hz
        return _Grabbed(self._capture, (height, width), presented_s)


def _capture(settings: CaptureSettings, url: str, device: re.Match[str] | None) -> cv2.VideoCapture:
    if device:
        return cv2.VideoCapture(int(device[1]))
    limits = [
        *(cv2.CAP_PROP_OPEN_TIMEOUT_MSEC, round(settings.open_timeout_s * 1000)),
        *(cv2.CAP_PROP_READ_TIMEOUT_MSEC, round(settings.read_timeout_s * 1000)),
    ]
    return cv2.VideoCapture(url, cv2.CAP_FFMPEG, limits)


def _four_letters(code: int) -> str:
    letters = bytes(code >> shift & 0xFF for shift in (0, 8, 16, 24)) if code > 0 else b""
    return letters.decode("ascii", "replace").strip("\0 ").lower() or "raw"
