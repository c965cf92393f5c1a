"""One clip of a data set: its frames, opened when asked for, and its truth where there is one."""

from collections.abc import Generator
from contextlib import suppress
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from monitor.datasets.masks import Masks
from monitor.errors import MonitorError
from monitor.files import digest_by_samples
from monitor.records import Frame
from monitor.sources import Source, open_source

Labels = NDArray[np.bool_]  # (N,), True: anomalous


@dataclass(frozen=True, eq=False)
class Video:
    """A clip by its place on disk; what is learned of it on opening is kept."""

    name: str  # unique in its split
    path: Path | str  # a str is an address or a camera
    labels: Labels | None = None
    masks: Masks | None = None
    limit: int | None = None  # use only so many frames: labels end there
    folder_rate_hz: float | None = None  # that a folder was taken at; None: not known
    strict: bool = False

    @cached_property
    def source(self) -> Source:
        """The open source; its `corrupt` and `notes` grow as frames are read."""
        return open_source(self.path, strict=self.strict, folder_rate_hz=self.folder_rate_hz)

    @cached_property
    def n_frames(self) -> int | None:
        """Frames to be had, as many as there are labels; None for a stream."""
        count = self.source.n_frames
        return count if count is None or self.limit is None else min(count, self.limit)

    @cached_property
    def digest(self) -> str | None:
        """The same for a copy elsewhere (`digest_by_samples`); None: no file, or it is not read."""
        if isinstance(self.path, str):
            return None
        with suppress(OSError, MonitorError):
            files = self.source.files(0, self.source.n_frames or 0)
            return digest_by_samples(files) if files else None
        return None

    @property
    def rate_hz(self) -> float | None:
        """Frames per second; None for a folder of stills, unless it was stated."""
        return self.source.rate_hz

    @property
    def size(self) -> tuple[int, int]:
        """Height and width."""
        return self.source.size

    def frames(self, start: int = 0, stop: int | None = None) -> Generator[Frame]:
        """As `Source.frames`: exact indices, cheap random access."""
        if self.limit is not None:
            stop = self.limit if stop is None else min(stop, self.limit)
        return self.source.frames(start, stop)
