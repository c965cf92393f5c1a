"""Cameras on this computer, through OpenCV."""

import os
import re
import time
from collections.abc import Generator

import numpy as np

from monitor.errors import SourceError, SourceNotFoundError
from monitor.records import Frame
from monitor.sources.opencv import load_cv2
from monitor.sources.source import Source


class Device(Source):
    """A local camera by number or /dev/video path; held from construction to `close`.

    Time is this computer's monotonic clock when a frame was handed over: such cameras have none.
    """

    def __init__(self, address: str, *, strict: bool = False) -> None:
        super().__init__(address, live=True, strict=strict)
        self._cv2 = load_cv2()
        self._cv2.utils.logging.setLogLevel(0)  # what fails is said here, in one line
        os.environ.setdefault("OPENCV_FFMPEG_LOGLEVEL", "-8")
        number = re.search(r"(\d+)$", address)
        self._capture = self._cv2.VideoCapture(int(number[1]) if number else address)
        image = self._capture.read()[1] if self._capture.isOpened() else None
        if image is None:
            self._capture.release()
            raise SourceNotFoundError(
                f"camera {address}: none answers there; is it plugged in, free and readable?"
            )
        self._size = int(image.shape[0]), int(image.shape[1])
        self._next = 0
        self._start_s: float | None = None

    @property
    def rate_hz(self) -> float | None:
        """As the driver announces it."""
        rate = float(self._capture.get(self._cv2.CAP_PROP_FPS))
        return rate if rate > 0 else None

    @property
    def size(self) -> tuple[int, int]:
        """Of the first frame."""
        return self._size

    @property
    def n_frames(self) -> int | None:
        """Unknown: a camera does not end."""
        return None

    def frames(self, start: int = 0, stop: int | None = None) -> Generator[Frame]:
        """Frames still to come, counted from the opening; those before `start` pass by."""
        while stop is None or self._next < stop:
            came, image = self._capture.read()
            if not came:
                raise SourceError(f"camera {self.name}: stopped after {self._next} frames")
            now_s = time.monotonic()
            self._start_s = now_s if self._start_s is None else self._start_s
            index, self._next = self._next, self._next + 1
            where = f"camera {self.name}: frame {index}"
            if index >= start and self.fits(image.shape[:2], where):
                rgb = np.ascontiguousarray(image[..., ::-1])
                yield Frame(rgb, index, now_s - self._start_s)

    def close(self) -> None:
        """Free the camera for others."""
        self._capture.release()
