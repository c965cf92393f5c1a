"""The geometry of the demo's road: perspective, lanes and how fast its traffic goes.

All figures are measured on the clip itself, by background subtraction and tracking. Pixels of the
320x240 picture, y downwards; a place on the road is named by the y at which it is seen.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

RATE_HZ = 25.0  # of the clip
HORIZON_Y = -47.0  # where the cars' widths and the gaps between the lane's dashes vanish
NEAREST_Y = 400.0  # a car whose foot is here has left the picture with its roof, too


@dataclass(frozen=True, slots=True)
class Path:
    """A line along the ground, by the middle of what moves on it."""

    y: tuple[float, ...]  # rising
    x: tuple[float, ...]
    usual: float  # depth per second of the traffic at its side (median), see `depth`

    def x_at(self, y: float) -> float:
        """Straight on beyond its ends."""
        if y < self.y[0]:
            return self._beyond(y, 0, 1)
        return self._beyond(y, -1, -2) if y > self.y[-1] else float(np.interp(y, self.y, self.x))

    def _beyond(self, y: float, end: int, inner: int) -> float:
        slope = (self.x[end] - self.x[inner]) / (self.y[end] - self.y[inner])
        return self.x[end] + slope * (y - self.y[end])


# medians over all cars of the clip, of the middle of what moves (car and shadow), by its foot;
# 18 cars in the left lane and 11 in the right one gave the speeds (spread: a tenth)
LEFT_LANE = Path(
    (20, 40, 60, 80, 100, 130, 160, 190, 220),
    (221.5, 206, 192, 175.5, 161, 140.5, 120, 99.5, 79),
    usual=1.59e-3,
)
RIGHT_LANE = Path(
    (20, 40, 60, 80, 100, 130, 160, 190, 220),
    (254, 247.5, 241.5, 234, 227.5, 217.5, 207, 197, 188),
    usual=1.74e-3,
)
# along the strip between fence and kerb, where nothing of the clip ever drives
VERGE = Path((25, 60, 83, 115, 142, 173, 193), (184, 147, 121, 85, 54, 19, -6), usual=1.59e-3)
# out of the hedge, over the kerb and across both lanes
FROM_HEDGE = Path((52, 62, 72, 82, 92, 105), (132, 156, 184, 212, 238, 266), usual=1.59e-3)


def depth(y: float) -> float:
    """How far away the ground at y is, in a unit of its own: equal steps are equal metres."""
    return 1 / (y - HORIZON_Y)


def y_at(depth_: float) -> float:
    """The inverse of `depth`; what has passed the camera stays below the picture."""
    return min(1 / depth_ + HORIZON_Y, NEAREST_Y) if depth_ > 0 else NEAREST_Y


def travelled(speeds: Sequence[tuple[float, float]], seconds: float) -> float:
    """Integral of a speed, straight between its knots (second, speed) and constant beyond."""
    knots: NDArray[np.float64] = np.asarray(speeds, float)
    last_s = max(seconds, float(knots[-1, 0]))
    times = [float(t) for t in knots[:, 0] if t < seconds] + [seconds]
    held = [(t, float(np.interp(t, knots[:, 0], knots[:, 1]))) for t in times if t <= last_s]
    return sum((b[0] - a[0]) * (a[1] + b[1]) / 2 for a, b in pairwise(held))
