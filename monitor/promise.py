"""From normal footage to the threshold that raises alerts at a stated rate, and how sure it is.

Counts alerts as the rule would raise them: levels (see `alert_rule`), excursions less than
`merge_s` apart as one. Knows nothing of p-values, files or people.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from math import ceil, log

import numpy as np
from numpy.typing import NDArray

from monitor.alert_rule import AlertRule, Level, LevelMeter, Series, judge_step
from monitor.intervals import most_expected
from monitor.tail import ENOUGH_FOR_SHAPE, Tail, fit_tail

PEAKS_PER_GAP = 0.1  # rare enough that two peaks seldom merge by chance
RESAMPLES = 300  # the 5 % and 95 % ends of the interval then move by a tenth of its width
FEWEST_GROUPS = 10  # recordings to resample; with fewer, twenty stretches of time are
LUCK = 0.05  # the other end of a 90 % interval
RULE_OF_THREE = 3.0  # no event in T bounds the rate by 3 / T with 95 % (Hanley & Lippman-Hand 1983)


@dataclass(frozen=True, slots=True, eq=False)
class Watched:
    """Footage as the rule sees it; stretches lie further apart than any merging reaches."""

    times_s: Series  # (N,)
    levels: Series  # (N,)
    groups: NDArray[np.intp]  # (N,) which recording
    seconds: float  # in which an alert could have opened

    def alerts(self, threshold: float, gap_s: float) -> int:
        """How many alerts the threshold would have raised."""
        times = self.times_s[self.levels > threshold]
        return int(len(times) > 0) + int((np.diff(times) >= gap_s).sum())


@dataclass(frozen=True, slots=True)
class Threshold:
    """A threshold on the level, and what can be said for it."""

    level: float
    low: float  # of its 90 % interval
    high: float
    tail: Tail  # of the peaks
    peaks: int
    vouched_per_s: float  # upper 95 % bound on the rate of alerts at `level`, by count alone
    founded: bool  # the footage is long enough to have shown three alerts at the promised rate


@dataclass(frozen=True, slots=True, eq=False)
class _Peaks:
    start: float
    heights: Series  # (K,)
    groups: NDArray[np.intp]  # (K,)


def watch_levels(recordings: Iterable[tuple[Series, Series]], rule: AlertRule) -> Watched:
    """Run the rule's smoothing over recordings of (scores, times), warm-ups left out."""
    times: list[float] = []
    levels: list[float] = []
    groups: list[int] = []
    seconds, offset_s = 0.0, 0.0
    for group, (scores, times_s) in enumerate(recordings):
        for part in _unbroken(scores.tolist(), times_s.tolist(), rule):
            ready_s = part[0].time_s + rule.warmup_s
            told = [now for now in part if now.time_s >= ready_s and now.level > -np.inf]
            times += [offset_s + now.time_s - ready_s for now in told]
            levels += [now.level for now in told]
            groups += [group] * len(told)
            length_s = max(part[-1].time_s - ready_s, 0.0)
            seconds += length_s
            offset_s += length_s + 2 * rule.merge_s
    return Watched(np.array(times), np.array(levels), np.array(groups, np.intp), seconds)


def _unbroken(scores: list[float], times_s: list[float], rule: AlertRule) -> list[list[Level]]:
    """The levels of each stretch in which the rule would not start anew."""
    parts: list[list[Level]] = []
    meter = LevelMeter(rule)
    last_s = np.inf  # a first reading starts anew
    for score, time_s in zip(scores, times_s, strict=True):
        step = judge_step(last_s, time_s, rule.max_gap_s)
        if step == "late":
            continue
        if step != "next":
            meter = LevelMeter(rule)
            parts.append([])
        parts[-1].append(meter.feed(score, time_s))
        last_s = time_s
    return parts


def find_threshold(watched: Watched, rule: AlertRule, *, rate_per_s: float) -> Threshold:
    """The level that is topped by so many alerts per second.

    Where the footage is too short for the rate (under three expected alerts) it is the upper
    end of the interval: a threshold that is extrapolated errs towards silence.
    """
    peaks = _find_peaks(watched, rule, rate_per_s)
    tail = fit_tail(peaks.start, peaks.heights - peaks.start)
    expected = rate_per_s * watched.seconds
    founded = expected >= RULE_OF_THREE
    top = float(watched.levels.max())
    point = _level_at(tail, expected / max(len(peaks.heights), 1), top)
    low, high = _interval(peaks, watched, expected, point)
    level = point if founded else high
    vouched = rate_bound(watched.alerts(level, rule.merge_s), watched.seconds)
    return Threshold(level, low, high, tail, len(peaks.heights), vouched, founded)


def raise_threshold(
    start: float, heights: Series, *, earlier: int, seconds: float, rate_per_s: float
) -> Threshold:
    """As `find_threshold`, where only normal peaks over a threshold in force are known.

    It is no lower than that one: of what lies under it nothing is known.

    Args:
        start: The threshold in force.
        heights: Of peaks over it, (K,), at least one.
        earlier: More peaks over it whose heights nobody noted; taken to be as high as the others.
        seconds: In which all of them came, and no others.
        rate_per_s: Promised.
    """
    expected, top = rate_per_s * seconds, float(heights.max())
    founded = expected >= RULE_OF_THREE
    tail = fit_tail(start, heights - start)
    point = _level_at(tail, expected / (len(heights) + earlier), top)
    levels = [point]
    generator = np.random.default_rng(0)  # the same peaks give the same threshold
    for count in generator.poisson(len(heights), RESAMPLES if tail.scale > 0 else 0):
        chosen = generator.choice(heights, count)
        if count > 0:
            again = fit_tail(start, chosen - start)
            levels.append(_level_at(again, expected / (count + earlier), top))
    low, high = (float(end) for end in np.quantile(levels, [0.05, 0.95]))
    level = point if founded else max(high, point)
    left = int((heights > level).sum()) + ceil(earlier * float(tail.beyond(level)))
    return Threshold(
        level, min(low, point), max(high, point), tail, len(heights),
        rate_bound(left, seconds), founded,
    )  # fmt: skip


def rate_bound(events: int, seconds: float) -> float:
    """Upper 95 % bound on the rate per second, so many having come in that time (Garwood 1936)."""
    return most_expected(events) / seconds


def events_of(bound_per_s: float, seconds: float) -> int:
    """The inverse of `rate_bound`."""
    events = 0
    while rate_bound(events, seconds) < bound_per_s * (1 - 1e-9):
        events += 1
    return events


def cautious_level(watched: Watched, rule: AlertRule, *, rate_per_s: float) -> float:
    """As `find_threshold`; of fewer than five peaks, far over all that was seen.

    No lower than the highest level; topped so often, with 95 %, if levels are exponential.

    For footage too short to fit anything to. In it the smoothing forgets everything a few times,
    so its highest level is the largest of so many draws, and by bad luck among the low twentieth
    of what that could have been.
    """
    threshold = find_threshold(watched, rule, rate_per_s=rate_per_s)
    if threshold.tail.scale > 0:
        return max(threshold.level, float(watched.levels.max()))
    moments = max(2.0, watched.seconds / _memory_s(rule))
    median, top = float(np.median(watched.levels)), float(watched.levels.max())
    scale = (top - median) / -log(1 - LUCK ** (1 / moments))
    return max(top, median + scale * log(moments / (rate_per_s * watched.seconds)))


def _memory_s(rule: AlertRule) -> float:
    """After so long the smoothed score knows nothing of what was before."""
    return rule.window_s + 2 * rule.ema_s


def _level_at(tail: Tail, chance: float, top: float) -> float:
    return top if tail.scale == 0 else tail.score_at(min(chance, 1.0))


def _find_peaks(watched: Watched, rule: AlertRule, rate_per_s: float) -> _Peaks:
    """The highest start that leaves enough peaks; the peaks `gap_s` apart.

    The gap is the rule's own where the footage is long. In short footage it shrinks down to
    the memory of the smoothing: more peaks to fit, and alerts rather over- than undercounted.
    """
    roomy_s = watched.seconds * PEAKS_PER_GAP / ENOUGH_FOR_SHAPE
    gap_s = min(rule.merge_s, max(_memory_s(rule), roomy_s))
    wanted = max(
        ENOUGH_FOR_SHAPE,
        PEAKS_PER_GAP * watched.seconds / gap_s,
        1.5 * rate_per_s * watched.seconds,  # or the threshold would lie under the start
    )
    return _cut_peaks(watched, _choose_start(watched, gap_s, wanted), gap_s)


def _choose_start(watched: Watched, gap_s: float, wanted: float) -> float:
    ordered = np.sort(watched.levels)
    shares = np.geomspace(max(3e-5, min(5 / len(ordered), 0.5)), 0.5, 50)
    starts = ordered[((1 - shares) * (len(ordered) - 1)).astype(np.intp)]
    best, most = float(starts[0]), -1
    for start in starts:
        count = watched.alerts(start, gap_s)
        if count > most:
            best, most = float(start), count
        if count >= wanted:
            break
    return best


def _cut_peaks(watched: Watched, start: float, gap_s: float) -> _Peaks:
    over = np.flatnonzero(watched.levels > start)
    if len(over) == 0:
        return _Peaks(start, np.zeros(0), np.zeros(0, np.intp))
    firsts = np.r_[0, np.flatnonzero(np.diff(watched.times_s[over]) >= gap_s) + 1]
    heights = np.maximum.reduceat(watched.levels[over], firsts)
    return _Peaks(start, heights, _group(watched)[over[firsts]])


def _group(watched: Watched) -> NDArray[np.intp]:
    """What is resampled as a whole: recordings, or stretches of time where these are few."""
    if watched.groups[-1] + 1 >= FEWEST_GROUPS:
        return watched.groups
    return np.arange(len(watched.levels)) * 2 * FEWEST_GROUPS // len(watched.levels)


def _interval(
    peaks: _Peaks, watched: Watched, expected: float, point: float
) -> tuple[float, float]:
    """The middle 90 % of the thresholds that resampled footage gives."""
    shares = np.bincount(_group(watched)) / len(watched.levels)  # of the footage, per group
    count = len(shares)
    by_group = [peaks.heights[peaks.groups == group] for group in range(count)]
    generator = np.random.default_rng(0)  # the same footage gives the same threshold
    top = float(watched.levels.max())
    levels = [point]
    for picks in generator.integers(0, count, (RESAMPLES, count)):
        heights = np.concatenate([by_group[pick] for pick in picks])
        if len(heights) > 0:
            tail = fit_tail(peaks.start, heights - peaks.start)
            chance = expected * float(shares[picks].sum()) / len(heights)
            levels.append(_level_at(tail, chance, top))
    low, high = np.quantile(levels, [0.05, 0.95])
    return float(min(low, point)), float(max(high, point))
