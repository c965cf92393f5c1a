"""A drop folder as a camera: every new picture in it is a frame, when it comes.

With `pace = "fast"` or `loop`, instead, a folder of recorded frames at 10 per second.
"""

import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np
from av.video.stream import VideoStream
from numpy.typing import NDArray

from models.spec import ClipSpec
from monitor.capture.faults import CaptureError
from monitor.capture.reader import Step
from monitor.capture.records import CaptureSettings
from monitor.clips import prepare
from monitor.errors import CorruptFrameError
from monitor.records import Image
from monitor.sources import FOLDER_RATE_HZ
from monitor.sources.listing import PICTURES, natural_order
from monitor.sources.pictures import read_picture

LOOK_S = 0.2  # between looks into the folder; a picture is read when it did not grow in between


@dataclass(frozen=True, slots=True, eq=False)
class _Still:
    image: Image
    presented_s: float | None

    @property
    def size(self) -> tuple[int, int]:
        return self.image.shape[0], self.image.shape[1]

    def shrink(self, size: tuple[int, int]) -> Image:
        if self.size == size:
            return self.image
        return np.asarray(cv2.resize(self.image, size[::-1], interpolation=cv2.INTER_AREA))

    def planes(self, spec: ClipSpec) -> NDArray[np.uint8]:
        return prepare(self.image, spec)


class FolderReader:
    """Pictures directly inside a folder; a drop folder passes over those there already."""

    template: VideoStream | None = None
    decoder = "software"
    codec = "stills"

    def __init__(self, settings: CaptureSettings, folder: Path) -> None:
        self._folder = folder
        self._loop = settings.loop
        self.live = settings.pace == "own" and not settings.loop
        self.rate_hz = None if self.live else FOLDER_RATE_HZ
        there = self._list()
        if not self.live and not there:
            raise CaptureError("format", "expected pictures (.jpg, .png, .tif, .bmp), found none")
        self._seen = {path.name for path in there}

    def steps(self) -> Iterator[Step]:
        """A picture each; empty ones while nothing new comes."""
        yield from self._watch() if self.live else self._play()

    def tune(self, *, keyframes_only: bool) -> None:
        """Every picture is whole."""

    def close(self) -> None:
        """Nothing is held."""

    def _play(self) -> Iterator[Step]:
        count = 0
        while True:
            for path in self._list():
                yield self._read(path, count / FOLDER_RATE_HZ)
                count += 1
            if not self._loop:
                return

    def _watch(self) -> Iterator[Step]:
        sizes: dict[str, int] = {}
        while True:
            for path in self._list():
                if path.name not in self._seen and self._is_whole(path, sizes):
                    self._seen.add(path.name)
                    yield self._read(path, None)
            self._seen &= {path.name for path in self._list()}
            yield Step()
            time.sleep(LOOK_S)

    def _is_whole(self, path: Path, sizes: dict[str, int]) -> bool:
        try:
            size = path.stat().st_size
        except OSError:
            return False
        same = size > 0 and sizes.get(path.name) == size
        sizes[path.name] = size
        if same:
            del sizes[path.name]
        return same

    def _list(self) -> list[Path]:
        try:
            entries = list(self._folder.iterdir())
        except OSError as error:
            raise CaptureError("missing", str(error.strerror)) from error
        return natural_order(
            path
            for path in entries
            if path.suffix.casefold() in PICTURES and not path.name.startswith(".")
        )

    @staticmethod
    def _read(path: Path, presented_s: float | None) -> Step:
        try:
            return Step((_Still(read_picture(path), presented_s),), bytes=path.stat().st_size)
        except (CorruptFrameError, OSError):
            return Step(corrupt=1)
