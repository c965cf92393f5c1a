"""Fewer frames per second, by the frames' own clock."""

from collections.abc import Iterable, Iterator

from monitor.errors import UsageError
from monitor.records import Frame

SLACK = 1e-3  # share of a period: clocks in milliseconds must not lose a frame to rounding


def resample(frames: Iterable[Frame], rate_hz: float) -> Iterator[Frame]:
    """Keep the first frame at or after each due time, at most `rate_hz` per second.

    Due times are multiples of the period from the first frame, so they do not drift. Nothing is
    repeated: a slower source passes through whole, a gap yields nothing. A clock that jumps back,
    or a new epoch, starts anew.

    Raises:
        UsageError: If the rate is not above 0.
    """
    if not rate_hz > 0:
        raise UsageError(f"expected a rate above 0 frames per second, got {rate_hz:g}")
    due = DueTimes(rate_hz)
    yield from filter(due.keeps, frames)


class DueTimes:
    """Says which frames `resample` keeps."""

    def __init__(self, rate_hz: float) -> None:
        self._rate_hz = rate_hz
        self._begin_s, self._slot = 0.0, 0
        self._last: Frame | None = None

    def begin(self, frame: Frame) -> None:
        """This frame is kept, and due times run from it."""
        self._begin_s, self._slot, self._last = frame.time_s, 1, frame

    def keeps(self, frame: Frame) -> bool:
        """Whether this frame, the next in order, is the first of its due time."""
        last, self._last = self._last, frame
        if last is None or frame.epoch != last.epoch or frame.time_s < last.time_s:
            self._begin_s, self._slot = frame.time_s, 0
        passed = (frame.time_s - self._begin_s) * self._rate_hz + SLACK
        if passed < self._slot:
            return False
        self._slot = int(passed) + 1
        return True
