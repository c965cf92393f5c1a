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
    begin_s, slot, last = 0.0, 0, None
    for frame in frames:
        if last is None or frame.epoch != last.epoch or frame.time_s < last.time_s:
            begin_s, slot = frame.time_s, 0
        last = frame
        passed = (frame.time_s - begin_s) * rate_hz + SLACK
        if passed >= slot:
            slot = int(passed) + 1
            yield frame
