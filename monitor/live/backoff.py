"""How long to wait before the next try, and when trying has become a nuisance.

Plain arithmetic on moments; knows nothing of cameras or processes.
"""

from collections import deque
from random import Random

BASE = 2.0  # doubling, as all peers that double
MOST_S = 60.0  # a camera that is back is seen within a minute
FLOOR_S = 1.0  # never a tight loop
LARGEST_EXPONENT = 10  # 2**10 is over any `most_s`; keeps the power small for ever


class BackOff:
    """Jittered exponential waiting: `uniform(0, min(most, 2**n))`, at least the floor.

    Full jitter, so that sixty cameras behind one switch do not return in step.
    """

    def __init__(self, rng: Random, *, most_s: float = MOST_S, floor_s: float = FLOOR_S) -> None:
        self._rng = rng
        self._most_s = most_s
        self._floor_s = floor_s
        self.failures = 0  # since the last `reset`

    def next_s(self) -> float:
        """Count a failure and say how many seconds to wait after it."""
        reach_s = min(self._most_s, BASE ** min(self.failures, LARGEST_EXPONENT))
        self.failures += 1
        return max(self._floor_s, self._rng.uniform(0, reach_s))

    def slow_s(self, every_s: float) -> float:
        """Count a failure that only a person mends: wait `every_s`, a fifth more or less."""
        self.failures += 1
        return every_s * self._rng.uniform(0.8, 1.2)

    def reset(self) -> None:
        """All was well for long enough."""
        self.failures = 0


class Recently:
    """Counts what happened within the last `window_s`."""

    def __init__(self, window_s: float) -> None:
        self._window_s = window_s
        self._moments: deque[float] = deque()

    def add(self, now_s: float) -> int:
        """It happened now; how often within the window, this time included."""
        self._moments.append(now_s)
        return self.count(now_s)

    def count(self, now_s: float) -> int:
        """How often within the window that ends now."""
        while self._moments and self._moments[0] <= now_s - self._window_s:
            self._moments.popleft()
        return len(self._moments)
