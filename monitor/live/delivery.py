"""What a worker's counts say of a stream that flows: too fast, corrupt, or as announced.

Judged on sums over seconds, never on single frames. None of it asks for a new connection.
"""

from collections import deque

from monitor.capture.records import Counted
from monitor.live.health import Closed, HealthNews, Opened

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
        self._counts: deque[tuple[int, int]] = deque(maxlen=SPAN)  # frames, corrupt ones
        self._fast = 0  # seconds in a row; negative: slow ones
        self.corrupt = False
        self.too_fast = False

    @property
    def rate_hz(self) -> float:
        """Frames read per second, over the last seconds; 0 before the first count."""
        return sum(frames for frames, _ in self._counts) / len(self._counts) if self._counts else 0

    @property
    def corrupt_share(self) -> float:
        """Of all frames that came, over the last seconds."""
        bad = sum(corrupt for _, corrupt in self._counts)
        return bad / max(bad + sum(frames for frames, _ in self._counts), FEWEST_FRAMES)

    def restart(self) -> None:
        """A new connection: its counts are not those of the last one."""
        self._counts.clear()
        self._fast = 0

    def count(self, counted: Counted, announced_hz: float | None) -> list[HealthNews]:
        """Take one second's count of a live stream.

        Args:
            counted: As the worker sent it.
            announced_hz: Frames per second by the stream's own account, where it has one.
        """
        self._counts.append((counted.frames, counted.dropped.get("corrupt", 0)))
        return [*self._judge_corrupt(), *self._judge_speed(counted.frames, announced_hz)]

    def _judge_corrupt(self) -> list[HealthNews]:
        share = self.corrupt_share
        if not self.corrupt and share > CORRUPT_OVER:
            self.corrupt = True
            return [Opened("corrupt", "warning", f"{share:.0%} of the frames come corrupt")]
        if self.corrupt and share < CORRUPT_UNDER:
            self.corrupt = False
            return [Closed("corrupt")]
        return []

    def _judge_speed(self, frames: int, announced_hz: float | None) -> list[HealthNews]:
        most_hz = FAST_UNANNOUNCED_HZ
        if announced_hz:
            most_hz = max(announced_hz * FAST_FACTOR, announced_hz + FAST_MORE_HZ)
        fast = frames > most_hz
        self._fast = max(self._fast, 0) + 1 if fast else min(self._fast, 0) - 1
        if not self.too_fast and self._fast >= FAST_TIMES:
            self.too_fast = True
            asked = f"announced are {announced_hz:g}" if announced_hz else "nothing is announced"
            text = f"{frames} frames per second, {asked}: a catch-up burst or broken time stamps"
            return [Opened("too_fast", "warning", text)]
        if self.too_fast and self._fast <= -FAST_TIMES:
            self.too_fast = False
            return [Closed("too_fast")]
        return []
