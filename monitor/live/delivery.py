"""What a worker's counts say of a stream that flows: too fast, corrupt, or as announced.

Judged on sums over seconds, never on single frames. None of it asks for a new connection.
"""

from collections import deque

from monitor.capture.records import Counted
from monitor.live.health import Closed, HealthNews, Opened

SILENT_S = 3.0  # a read that took longer was held up, and what was missed may come at once
SPAN = 10  # counts, so about seconds, that the share of corrupt frames is taken over
CORRUPT_OVER = 0.10  # of the frames: the picture is visibly torn
CORRUPT_UNDER = 0.02
FEWEST_FRAMES = 10  # two lost frames of five are no share
FAST_FACTOR = 1.5
FAST_MORE_HZ = 10.0  # as Frigate's guard: over the expected rate by 10
FAST_UNANNOUNCED_HZ = 240.0  # faster than any camera that is sold for watching
FAST_TIMES = 3  # in a row, as Frigate


class Delivery:
    """Follows the counts of one connection after another."""

    def __init__(self) -> None:
        self._counts: deque[Counted] = deque(maxlen=SPAN)
        self._owed = 0.0  # frames that a silence held up and that may still come
        self._fast = 0  # seconds in a row; negative: slow ones
        self.corrupt = False
        self.too_fast = False

    @property
    def rate_hz(self) -> float:
        """Frames read per second, over the last seconds; 0 before the first count."""
        span_s = sum(it.span_s for it in self._counts)
        return sum(it.frames for it in self._counts) / span_s if span_s else 0.0

    @property
    def corrupt_share(self) -> float:
        """Of all frames that came, over the last seconds."""
        bad = sum(it.dropped.get("corrupt", 0) for it in self._counts)
        return bad / max(bad + sum(it.frames for it in self._counts), FEWEST_FRAMES)

    def restart(self) -> None:
        """A new connection: its counts are not those of the last one."""
        self._counts.clear()
        self._owed = 0.0
        self._fast = 0

    def count(self, counted: Counted, announced_hz: float | None) -> list[HealthNews]:
        """Take one second's count of a live stream.

        Args:
            counted: As the worker sent it.
            announced_hz: Frames per second by the stream's own account, where it has one.
        """
        self._owe(counted, announced_hz or self.rate_hz)
        self._counts.append(counted)
        rate_hz = counted.frames / max(counted.span_s, 1.0)
        return [*self._judge_corrupt(), *self._judge_speed(rate_hz, announced_hz)]

    def _owe(self, counted: Counted, usual_hz: float) -> None:
        missed = usual_hz * counted.span_s - counted.frames
        if counted.span_s > SILENT_S or missed < 0:
            self._owed = max(0.0, self._owed + missed)

    def _judge_corrupt(self) -> list[HealthNews]:
        share = self.corrupt_share
        if not self.corrupt and share > CORRUPT_OVER:
            self.corrupt = True
            return [Opened("corrupt", "warning", f"{share:.0%} of the frames come corrupt")]
        if self.corrupt and share < CORRUPT_UNDER:
            self.corrupt = False
            return [Closed("corrupt")]
        return []

    def _judge_speed(self, rate_hz: float, announced_hz: float | None) -> list[HealthNews]:
        most_hz = FAST_UNANNOUNCED_HZ
        if announced_hz:
            most_hz = max(announced_hz * FAST_FACTOR, announced_hz + FAST_MORE_HZ)
        fast = rate_hz > most_hz and not self._owed
        self._fast = max(self._fast, 0) + 1 if fast else min(self._fast, 0) - 1
        if not self.too_fast and self._fast >= FAST_TIMES:
            self.too_fast = True
            asked = f"announced are {announced_hz:g}" if announced_hz else "nothing is announced"
            text = f"{rate_hz:.0f} frames per second, {asked}; those that are too many are dropped"
            return [Opened("too_fast", "warning", text)]
        if self.too_fast and self._fast <= -FAST_TIMES:
            self.too_fast = False
            return [Closed("too_fast")]
        return []
