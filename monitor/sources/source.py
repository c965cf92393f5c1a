"""What every source of frames can do, and the one place where a bad frame is noted or refused."""

import logging
from abc import ABC, abstractmethod
from collections.abc import Generator, Sequence
from pathlib import Path
from typing import Self

from monitor.errors import CorruptFrameError, SourceError
from monitor.records import Frame

log = logging.getLogger(__name__)

SAID = 5  # lost frames that are named on the terminal; the others are counted
LEFT_OUT = "; left out"  # ends what is said of a lost frame; a strict source leaves none out


class Source(ABC):
    """The frames of one file, folder, camera or stream, in display order.

    Attributes:
        name: Short, for screens and reports; never holds a password.
        live: Frames come when they come and cannot be asked for again.
        corrupt: What was lost while reading, one line each; grows as frames are read.
        notes: What a user should know of the source although nothing is lost.
    """

    def __init__(self, name: str, *, live: bool, strict: bool) -> None:
        self.name = name
        self.live = live
        self.strict = strict
        self.corrupt: list[str] = []
        self._said = self._counted = 0  # of these
        self.notes: list[str] = []

    @property
    @abstractmethod
    def rate_hz(self) -> float | None:
        """Frames per second on average; None where there is no clock, as in most folders."""

    @property
    @abstractmethod
    def size(self) -> tuple[int, int]:
        """Height and width of the first frame, upright."""

    @property
    @abstractmethod
    def n_frames(self) -> int | None:
        """How many frames there are; None where nobody can know."""

    def time_s(self, index: int) -> float:
        """When a frame is shown, in seconds from the first, whether or not it can be decoded.

        Raises:
            SourceError: Of a live source: only reading it tells.
        """
        raise SourceError(f"{self.name}: nobody can know when frame {index} comes")

    def files(self, start: int, stop: int) -> Sequence[Path]:  # noqa: ARG002
        """The files that these frames are read from; none where there are no files to tell."""
        return ()

    @abstractmethod
    def frames(self, start: int = 0, stop: int | None = None) -> Generator[Frame]:
        """Frames from index `start` up to, not including, `stop`.

        A frame that cannot be decoded is left out, its index with it, and noted in `corrupt`.
        Whoever does not take all closes it: left to be collected, it may lose a Ctrl-C.

        Raises:
            CorruptFrameError: Instead of leaving a frame out, where the source is strict.
            SourceError: If a live source stops.
        """

    def close(self) -> None:  # noqa: B027  not every source holds something
        """Let go of the camera or connection; files and folders hold nothing between reads."""

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_exception: object) -> None:
        self.close()

    def lose(self, what: str) -> None:
        """Note what cannot be read, or refuse it where the source is strict."""
        if self.strict:
            raise CorruptFrameError(what.removesuffix(LEFT_OUT))
        if what not in self.corrupt:
            self.corrupt.append(what)
            if self._said < SAID:
                self._said += 1
                log.warning("%s", what)

    def count_lost(self) -> None:
        """Say of how many more frames something was noted, at the end of some."""
        more = len(self.corrupt) - max(self._said, self._counted)
        self._counted = len(self.corrupt)
        if more > 0:
            log.warning("%s: and %d more such lines", self.name, more)

    def note(self, what: str) -> None:
        """Say once what a user should know."""
        if what not in self.notes:
            self.notes.append(what)
            log.warning("%s", what)

    def fits(self, size: tuple[int, ...], where: str) -> bool:
        """Whether a picture of this height and width is as large as the first; else it is lost."""
        if size == self.size:
            return True
        (height, width), (h, w) = self.size, size
        self.lose(f"{where}: expected {width}x{height} like the first frame, got {w}x{h}{LEFT_OUT}")
        return False
