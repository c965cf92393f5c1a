"""When scores become an alert: the rule, and the one number per reading that it compares.

Calibration sets the threshold on that number and the alert stage compares it, so that what was
promised is what is counted. Knows nothing of readings, alerts, files or the wall clock.
"""

from collections import deque
from dataclasses import dataclass, replace
from itertools import pairwise
from math import exp, inf, isfinite
from typing import Literal

import numpy as np
from numpy.typing import ArrayLike, NDArray

from monitor.errors import UsageError

Series = NDArray[np.float64]

Step = Literal["next", "late", "gap", "clock"]

LATE_S = 1.0  # some files hand out reordered frames late (B-frames in AVI); a clock set back jumps
TIME_SLACK_S = 1e-3  # sums of frame intervals are off by rounding; far under any frame interval


@dataclass(frozen=True, slots=True)
class AlertRule:
    """An alert opens when the smoothed score was over `enter` for `min_s` of the last `window_s`.

    All spans are seconds of the source's clock, so the rule means the same at any frame rate.
    `enter` and `exit` come from calibration.

    Raises:
        UsageError: A span is negative or not finite, or two of them contradict each other.
    """

    enter: float = inf  # on the smoothed score; inf: never, until calibrated
    exit: float = inf  # under it the anomaly is over; lower than `enter`, against flicker
    ema_s: float = (
        0.5  # single frames flicker (compression, flash); half a second still sees a runner
    )
    min_s: float = 0.5  # shortest anomaly worth a person's look
    window_s: float = 1.0  # so half of the last second: one good frame in between does not hide it
    cutoff_s: float = 3.0  # somebody behind a pillar or a van is back within it
    merge_s: float = 10.0  # idle time after which peers, too, start a new event (Viseron: 10 s)
    max_s: float = 300.0  # longer ones are split, so that clips stay small (Viseron: 300 s)
    warmup_s: float = 2.0  # four time constants; automatic exposure settles in about as long
    max_gap_s: float = 5.0  # a longer silence is a new scene, not a hiccup
    update_s: float = 5.0  # how often an open alert says that it goes on

    def __post_init__(self) -> None:
        for name in ("ema_s", "cutoff_s", "warmup_s"):
            if not (isfinite(getattr(self, name)) and getattr(self, name) >= 0):
                raise UsageError(f"alert rule: {name} is {getattr(self, name)}, expected 0 or more")
        for name in ("min_s", "window_s", "merge_s", "max_s", "max_gap_s", "update_s"):
            if not (isfinite(getattr(self, name)) and getattr(self, name) > 0):
                raise UsageError(f"alert rule: {name} is {getattr(self, name)}, expected over 0")
        for small, large in ORDERED:
            if getattr(self, small) > getattr(self, large):
                raise UsageError(
                    f"alert rule: {small} is {getattr(self, small):g},"
                    f" expected at most {large} ({getattr(self, large):g})"
                )


def unbroken(rule: AlertRule, longest_s: float) -> AlertRule:
    """The rule for readings that come so seldom that this much between two of them is no gap.

    Nor is it idle time: two alarms in a row are one alert.
    """
    gap_s, merge_s = max(rule.max_gap_s, longest_s), max(rule.merge_s, longest_s)
    return replace(rule, max_gap_s=gap_s, merge_s=merge_s)


ORDERED = (("min_s", "window_s"), ("cutoff_s", "merge_s"), ("window_s", "max_s"), ("exit", "enter"))


@dataclass(frozen=True, slots=True)
class Level:
    """What the rule knows after one reading."""

    time_s: float
    smoothed: float
    level: float  # exceeds `enter` exactly when min_s of the last window_s did; -inf: too early


class LevelMeter:
    """Smooths the scores of one unbroken stretch and reduces each last `window_s` to its level.

    The level is the highest value that the smoothed score held for `min_s` of the window, each
    reading standing for the time since the one before. N-of-M over a threshold is then a plain
    comparison, for every threshold at once.
    """

    def __init__(self, rule: AlertRule) -> None:
        self._rule = rule
        self._window: deque[Level] = deque()  # newest last; its first item only ends an interval
        self._smoothed = 0.0
        self._since_s = -inf

    def feed(self, score: float, time_s: float) -> Level:
        """Take the next score, not earlier than the last one."""
        self._smoothed = self._smooth(score, time_s)
        self._since_s = time_s - self._rule.window_s
        while len(self._window) > 1 and self._window[1].time_s <= self._since_s:
            self._window.popleft()
        self._window.append(Level(time_s, self._smoothed, -inf))
        return Level(time_s, self._smoothed, self._level())

    def first_over(self, threshold: float) -> float:
        """When, within the window, the smoothed score was over the threshold first."""
        inside = (item for item in self._window if item.time_s > self._since_s)
        return next(item.time_s for item in inside if item.smoothed > threshold)

    def _smooth(self, score: float, time_s: float) -> float:
        if not self._window:
            return score
        keep = _ema_keep(time_s - self._window[-1].time_s, self._rule.ema_s)
        return keep * self._smoothed + (1 - keep) * score

    def _level(self) -> float:
        spans = [
            (item.smoothed, item.time_s - max(before.time_s, self._since_s))
            for before, item in pairwise(self._window)
        ]
        missing_s = self._rule.min_s - TIME_SLACK_S
        for smoothed, span_s in sorted(spans, reverse=True):
            missing_s -= span_s
            if missing_s <= 0:
                return smoothed
        return -inf


def levels_of(scores: ArrayLike, times_s: ArrayLike, rule: AlertRule) -> Series:
    """What the rule compares with `enter` after each reading; -inf where it is too early, or late.

    Args:
        scores: (N,).
        times_s: (N,), of one source.
        rule: A stretch begins anew where it does.
    """
    values, times = np.asarray(scores, float), np.asarray(times_s, float)
    levels = np.full(values.shape, -inf)
    meter, last_s = LevelMeter(rule), inf
    for place, (score, time_s) in enumerate(zip(values.tolist(), times.tolist(), strict=True)):
        step = judge_step(last_s, time_s, rule.max_gap_s)
        if step == "late" or not isfinite(score):
            continue
        meter = meter if step == "next" else LevelMeter(rule)
        levels[place], last_s = meter.feed(score, time_s).level, time_s
    return levels


def smooth(scores: ArrayLike, times_s: ArrayLike, ema_s: float) -> Series:
    """Exponential moving average that looks back only; the same at any rate, even or not.

    Args:
        scores: (N,).
        times_s: (N,), not falling.
        ema_s: Time constant: a step is followed to 63 % after it. 0 leaves the scores as they are.
    """
    values = np.asarray(scores, float)
    smoothed = values.copy()
    for i, step_s in enumerate(np.diff(np.asarray(times_s, float)), start=1):
        keep = _ema_keep(float(step_s), ema_s)
        smoothed[i] = keep * smoothed[i - 1] + (1 - keep) * values[i]
    return smoothed


def _ema_keep(step_s: float, ema_s: float) -> float:
    return exp(-step_s / ema_s) if ema_s > 0 else 0.0


def judge_step(last_s: float, time_s: float, max_gap_s: float) -> Step:
    """Whether a reading goes on from the last one, is to be passed over, or starts anew."""
    step_s = time_s - last_s
    if step_s < 0:
        return "late" if step_s >= -LATE_S else "clock"
    return "gap" if step_s > max_gap_s else "next"
