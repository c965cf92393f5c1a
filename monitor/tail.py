"""How often scores higher than a high one occur: a distribution for the far end of a sample.

Peaks over a threshold follow a generalised Pareto distribution (Pickands 1975). Knows nothing
of time, cameras or alerts.
"""

from dataclasses import dataclass
from math import exp, log

import numpy as np
from numpy.typing import ArrayLike, NDArray

Series = NDArray[np.float64]

ENOUGH_FOR_SHAPE = 30  # excesses; with fewer the shape is noise (Hosking & Wallis 1987, table 3)
ENOUGH_FOR_SCALE = 5  # excesses; their mean is then known to about 45 %
# Few peaks say little of the shape: lean on the exponential as if 60 more peaks spoke for it. On
# simulated scores (Gaussian, log-normal, Student-t; an hour or less) that halves the spread of
# thresholds extrapolated past the footage and leaves well-founded ones where they were.
PRIOR_PEAKS = 60
STRAIGHT = 1e-9  # shapes under it are the exponential
MIN_SHAPE, MAX_SHAPE = -0.3, 0.5  # under: an end to all scores; over: no variance, nothing to fit


@dataclass(frozen=True, slots=True)
class Tail:
    """P(score > s | score > start), for s from `start` on; shape 0 is the exponential."""

    start: float
    scale: float  # 0: nothing beyond the start is known
    shape: float

    def beyond(self, scores: ArrayLike) -> Series:
        """Probability, in [0, 1], that an excess is larger; 1 at the start and under it."""
        excess = np.maximum(np.asarray(scores, float) - self.start, 0.0)
        if self.scale == 0:
            return np.ones_like(excess)
        relative = excess / self.scale
        if abs(self.shape) < STRAIGHT:
            return np.exp(-relative)
        with np.errstate(divide="ignore"):  # where a negative shape ends
            return np.exp(-np.log1p(np.maximum(self.shape * relative, -1.0)) / self.shape)

    def score_at(self, chance: float) -> float:
        """The score that an excess tops with this probability, in (0, 1]."""
        if abs(self.shape) < STRAIGHT:
            return self.start - self.scale * log(chance)
        return self.start + self.scale * (exp(-self.shape * log(chance)) - 1) / self.shape


def fit_tail(start: float, excesses: Series) -> Tail:
    """Fit by probability-weighted moments (Hosking & Wallis 1987): closed form, steady when few.

    Under 30 excesses the shape is taken as 0, under 5 the scale as unknown.
    """
    if len(excesses) < ENOUGH_FOR_SCALE:
        return Tail(start, 0.0, 0.0)
    mean = float(excesses.mean())
    if len(excesses) < ENOUGH_FOR_SHAPE:
        return Tail(start, mean, 0.0)
    ranks = (np.arange(len(excesses)) + 0.65) / len(excesses)  # their plotting position
    low = float((np.sort(excesses) * (1 - ranks)).mean())
    free = 2 - mean / (mean - 2 * low) if mean > 2 * low else MAX_SHAPE
    leaning = free * len(excesses) / (len(excesses) + PRIOR_PEAKS)
    shape = min(max(leaning, MIN_SHAPE), MAX_SHAPE)
    return Tail(start, mean * (1 - shape), shape)
