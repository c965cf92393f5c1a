"""The scores of one camera of the last hour, kept as the highest of each second.

Knows nothing of cameras. A second that was written an hour ago, or in a future that a clock
jumped back from, counts as empty: each slot remembers which second it holds.
"""

from math import isfinite

import numpy as np
from numpy.typing import NDArray

KEPT_S = 3600
Levels = NDArray[np.float32]  # NaN where there is no score


def held(levels: Levels, most: int) -> Levels:
    """With gaps of up to `most` places filled by what stood before them, as the engine holds it."""
    known = ~np.isnan(levels)
    places = np.arange(len(levels))
    last = np.maximum.accumulate(np.where(known, places, -1))
    ahead = np.minimum.accumulate(np.where(known, places, len(levels))[::-1])[::-1]
    short = (last >= 0) & (ahead < len(levels)) & (ahead - last - 1 <= most)
    filled: Levels = np.where(short, levels[last], levels)
    return filled


class Curve:
    """A ring of seconds. `last` is the newest reading as it came, None where it was no number."""

    def __init__(self) -> None:
        self._levels = np.zeros(KEPT_S, np.float32)
        self._seconds = np.full(KEPT_S, -1, np.int64)
        self._newest = 0.0
        self.last: float | None = None

    def add(self, at: float, score: float | None) -> None:
        """A reading at so many seconds since 1970; an infinite one counts as very high."""
        if at >= self._newest:
            self._newest, self.last = at, score
        if score is None or score != score:  # noqa: PLR0124  NaN
            return
        level = score if isfinite(score) else 1e6 if score > 0 else 0.0
        second = int(at)
        slot = second % KEPT_S
        if self._seconds[slot] != second:
            self._seconds[slot] = second
            self._levels[slot] = level
        elif level > self._levels[slot]:
            self._levels[slot] = level

    def rewind(self, now: float) -> None:
        """Forget that there were newer readings; for a replay that is set back."""
        self._newest = min(self._newest, now)

    def levels(self, now: float, span_s: int, columns: int) -> Levels:
        """(columns,) highest score of each stretch of the last `span_s`, oldest first.

        Stretches begin at multiples of their length, so that a picture of them moves in whole
        steps and does not shimmer.
        """
        step = max(1, -(-span_s // columns))
        end = (int(now) // step + 1) * step
        wanted = np.arange(end - step * columns, end)
        slots = wanted % KEPT_S
        held = np.where(self._seconds[slots] == wanted, self._levels[slots], np.float32(-np.inf))
        if step * columns > KEPT_S:
            held[wanted < end - KEPT_S] = -np.inf
        top: Levels = held.reshape(columns, step).max(axis=1)
        top[np.isneginf(top)] = np.nan
        return top
