"""What a camera's scores mean: p-value, display scale and thresholds, from normal footage alone.

A calibration belongs to one camera and one detector and is kept outside the detector. It is
plain values, for JSON and for checkpoints. Knows nothing of frames, alerts or files.
"""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import asdict, dataclass, fields, replace
from math import inf, isfinite
from typing import Any, Self

import numpy as np
from numpy.typing import ArrayLike, NDArray

from monitor.alert_rule import AlertRule, Series
from monitor.errors import CalibrationError, UsageError
from monitor.promise import (
    RULE_OF_THREE,
    Threshold,
    Watched,
    cautious_level,
    find_threshold,
    rate_bound,
    watch_levels,
)
from monitor.sound import check_numbers, rising, sound_tail, texts
from monitor.tail import ENOUGH_FOR_SCALE, ENOUGH_FOR_SHAPE, Tail, fit_tail

DAY_S = 86_400.0
MOST_KEPT = 4096  # quantiles of the calibration scores: 32 kB, p-values exact to 1 in 4096
TAIL_SHARE = 0.05  # of the readings; the tail begins over the 95 % quantile
LEAST_P = 1e-300  # so that a logarithm can be taken
TAIL_GAP_S = 1.0  # high scores closer than this are one event, not two witnesses
RAISED = "the threshold was raised to what all normal footage, learned from or not, suggests"
SPARSE_HZ = 2.0  # a live camera's usual rate of readings
RATES_PER_DAY = (0.1, 0.3, 1.0, 3.0, 10.0, 30.0, 100.0, 300.0)  # that a camera may ask for
LEAST = {  # that a file's numbers can be; -inf: any, but finite
    **dict.fromkeys(("median", "enter_low", "enter_high"), -inf),
    **dict.fromkeys(("footage_s", "promised_per_day", "vouched_per_day", "hours_more"), 0),
    "readings": 1,
    "sparse": 0,
}
EXIT_AT = 0.75  # of the way from the median to `enter`: a quarter of hysteresis


@dataclass(frozen=True, slots=True, eq=False)
class Recording:
    """The scores of one held-out normal recording, in the order of its frames.

    Gaps and clocks that start anew are allowed; they part the recording.
    """

    scores: ArrayLike  # (N,) raw, higher is more anomalous
    times_s: ArrayLike  # (N,)


@dataclass(frozen=True, slots=True, eq=False)
class Calibration:
    """The normal scores of one camera, and the thresholds that keep the promised rate."""

    scores: (
        Series  # at most 4,096 order statistics of the normal scores, rising; the last is the max
    )
    readings: int  # how many scores they stand for
    median: float
    tail: Tail  # of the raw scores; scale 0: too few peaks, p-values end at 1 / (readings + 1)
    rule: AlertRule  # with its thresholds set
    enter_low: float  # 90 % interval of the threshold
    enter_high: float
    footage_s: float  # in which an alert could have opened
    promised_per_day: float
    vouched_per_day: float  # what the footage alone bounds the rate of alerts by, with 95 %
    promise_kept_by_data: bool  # False: extrapolated, `enter` is then the upper end of the interval
    hours_more: float  # of normal footage until the promise can be checked on it
    notes: tuple[str, ...]
    sparse: float = 1.0  # for SPARSE_HZ readings, `enter` lies so many times further off the median
    rates: tuple[tuple[float, float], ...] = ()  # so many alerts per day, rising: the same for them

    def for_sparse_readings(self) -> Self:
        """For a camera that is scored a few times a second only.

        One high reading then stands for half a second, over which many would have been smoothed:
        the same footage comes to higher levels, and the threshold of many would break its promise.
        """
        return replace(self.further(self.sparse), sparse=1.0)

    def at_rate(self, per_day: float) -> Self:
        """With the threshold for another rate of false alarms, between those that were calibrated.

        Beyond them it is that of the nearest; what is promised then says which. A calibration of
        an earlier version knows its own rate only.
        """
        if not self.rates or per_day == self.promised_per_day:
            return self
        known, factors = zip(*self.rates, strict=True)
        per_day = min(max(per_day, known[0]), known[-1])
        moved = self.further(float(np.interp(np.log(per_day), np.log(known), factors)))
        expected = per_day / DAY_S * self.footage_s
        least = rate_bound(int(np.ceil(expected)), self.footage_s) * DAY_S
        return replace(
            moved,
            promised_per_day=per_day,
            vouched_per_day=max(self.vouched_per_day, least),
            promise_kept_by_data=expected >= RULE_OF_THREE,
            hours_more=max(RULE_OF_THREE / per_day * DAY_S - self.footage_s, 0.0) / 3600,
            notes=(f"set for {self.promised_per_day:g} alerts per day, asked for {per_day:g}",),
        )

    def further(self, factor: float) -> Self:
        """With thresholds so many times as far off the median."""
        rule = self.rule
        enter, leave = (self.median + factor * (at - self.median) for at in (rule.enter, rule.exit))
        low, high = (
            self.median + factor * (at - self.median) for at in (self.enter_low, self.enter_high)
        )
        moved = replace(rule, enter=enter, exit=leave)
        return replace(self, rule=moved, enter_low=low, enter_high=high)

    def p_value(self, scores: ArrayLike) -> Series:
        """Share of normal readings at least so high, in (0, 1]; never rises with the score.

        Conformal, (1 + #{normal >= s}) / (n + 1), up to the tail's start and from there along the
        tail. Where scores were dropped in keeping 4,096, the larger p-value is given.
        """
        asked = np.asarray(scores, float)
        body = self._conformal(np.minimum(asked, self.tail.start))
        if self.tail.scale == 0:
            return self._conformal(asked)
        return np.maximum(body * self.tail.beyond(asked), LEAST_P)

    def display(self, scores: ArrayLike) -> Series:
        """0 is typical (the median), 1 the threshold; not clamped."""
        shown: Series = (np.asarray(scores, float) - self.median) / (self.rule.enter - self.median)
        return shown

    def regularity(self, scores: ArrayLike) -> Series:
        """In [0, 1] for people to look at: 1 is typical or better, 0.5 the threshold."""
        return np.clip(1 - self.display(scores) / 2, 0.0, 1.0)

    def raised_over(self, recordings: Iterable["Recording"]) -> Self:
        """With an extrapolated threshold no lower than all normal footage together suggests.

        Part of that footage may be what the detector learned from: its scores are too low rather
        than too high, so what they reach is normal all the more. A threshold that the
        calibration's own footage vouches for stays as it is.
        """
        if self.promise_kept_by_data:
            return self
        series = ((np.asarray(r.scores, float), np.asarray(r.times_s, float)) for r in recordings)
        watched = watch_levels(series, self.rule)
        if len(watched.levels) == 0:
            return self
        rate_per_s = self.promised_per_day / DAY_S
        enter = cautious_level(watched, self.rule, rate_per_s=rate_per_s)
        if enter <= self.rule.enter:
            return self
        leave = max(self.rule.exit, self.median + EXIT_AT * (enter - self.median))
        return replace(
            self,
            rule=replace(self.rule, enter=enter, exit=min(leave, enter)),
            enter_high=max(self.enter_high, enter),
            notes=(*self.notes, RAISED),
        )

    def to_dict(self) -> dict[str, Any]:
        """Numbers, strings, lists and dictionaries only."""
        lists = {"scores": self.scores.tolist(), "notes": list(self.notes)}
        return asdict(self) | lists | {"rates": [list(pair) for pair in self.rates]}

    @classmethod
    def from_dict(cls, plain: Mapping[str, Any]) -> Self:
        """The inverse of `to_dict`.

        Raises:
            CalibrationError: A value is missing, unknown, or none that footage can have.
        """
        try:
            parts = {
                "scores": rising(plain["scores"]),
                "tail": sound_tail(plain["tail"]),
                "rule": AlertRule(**plain["rule"]),
                "notes": texts("notes", plain["notes"]),
                "rates": tuple((float(rate), float(far)) for rate, far in plain.get("rates", ())),
            }
            check_numbers({"sparse": 1.0} | dict(plain), LEAST)
            found = cls(**(dict(plain) | parts))
            found._check_order()
            return found
        except (KeyError, TypeError, ValueError, OverflowError, UsageError) as error:
            known = ", ".join(field.name for field in fields(cls))
            raise CalibrationError(
                f"calibration is damaged ({error}); expected: {known}. Calibrate again"
            ) from error

    def _check_order(self) -> None:
        rates = np.array(self.rates or [(1, 1)])
        known = np.isfinite(rates).all() and (rates > 0).all()
        if not known or (np.diff(rates[:, 0]) <= 0).any():
            raise ValueError("rates: expected pairs of numbers over 0, their first rising")
        if not isfinite(self.rule.enter) or not isfinite(self.rule.exit):
            raise ValueError("rule: expected finite numbers for enter and exit")
        if self.rule.enter <= self.median:
            raise ValueError(f"rule: enter is {self.rule.enter:g}, expected over the median")

    def _conformal(self, asked: Series) -> Series:
        kept = len(self.scores)
        ranks = _spread(self.readings, kept)  # of the kept among all
        at = np.searchsorted(self.scores, asked, side="left")
        below = np.where(at > 0, ranks[np.maximum(at - 1, 0)] + 1, 0)
        p: Series = (1 + self.readings - below) / (self.readings + 1)
        return p


def calibrate(
    recordings: Iterable[Recording], rule: AlertRule, *, false_alarms_per_day: float
) -> Calibration:
    """Learn from normal footage, held out from training, what this camera's scores mean.

    Args:
        recordings: Of one camera. What was trained on scores too low and breaks the promise.
        rule: Its spans are kept, its thresholds set.
        false_alarms_per_day: Alerts per day, not frames, that normal footage may raise.

    Raises:
        CalibrationError: No footage, only warm-up, scores that are constant or not finite.
    """
    if not 0 < false_alarms_per_day < np.inf:
        raise CalibrationError(f"false alarms per day: {false_alarms_per_day}, expected over 0")
    if false_alarms_per_day * rule.merge_s >= DAY_S:
        raise CalibrationError(
            f"{false_alarms_per_day:g} false alarms per day cannot be: alerts closer than "
            f"{rule.merge_s:g} s are one, so ask for fewer than {DAY_S / rule.merge_s:g}"
        )
    stretches = [_check(recording) for recording in recordings]
    scores = np.sort(np.concatenate([pair[0] for pair in stretches] or [np.zeros(0)]))
    _check_scores(scores)
    watched = watch_levels(stretches, rule)
    if watched.seconds <= 0:
        raise CalibrationError(
            f"no footage left after warm-up: recordings must be longer than {rule.warmup_s:g} s"
        )
    rate_per_s = false_alarms_per_day / DAY_S
    threshold = find_threshold(watched, rule, rate_per_s=rate_per_s)
    median = float(np.median(scores))
    if threshold.level <= median and not threshold.founded:
        threshold = _raised_to(threshold, float(scores[-1]))
    if threshold.level <= median:
        raise CalibrationError(
            f"{false_alarms_per_day:g} false alarms per day is more than this footage has peaks:"
            " ask for fewer"
        )
    hours_more = max(RULE_OF_THREE / rate_per_s - watched.seconds, 0.0) / 3600
    return Calibration(
        scores=scores[_spread(len(scores), min(len(scores), MOST_KEPT))],
        readings=len(scores),
        median=median,
        tail=_score_tail(stretches, scores),
        rule=_with_thresholds(rule, threshold.level, median, watched.levels),
        enter_low=threshold.low,
        enter_high=threshold.high,
        footage_s=watched.seconds,
        promised_per_day=float(false_alarms_per_day),
        vouched_per_day=threshold.vouched_per_s * DAY_S,
        promise_kept_by_data=threshold.founded,
        hours_more=hours_more,
        notes=tuple(notes_on(threshold, watched.seconds, hours_more, false_alarms_per_day)),
        sparse=_sparse(stretches, rule, rate_per_s, (threshold.level, median)),
        rates=_rates(watched, rule, false_alarms_per_day, (threshold.level, median)),
    )


def _rates(
    watched: Watched, rule: AlertRule, promised: float, level_and_median: tuple[float, float]
) -> tuple[tuple[float, float], ...]:
    """How many times as far off the median the thresholds of other rates lie.

    A rarer alarm never has the lower one. Rates of more alarms than there are peaks are left out.
    """
    level, median = level_and_median
    levels = {
        per_day: find_threshold(watched, rule, rate_per_s=per_day / DAY_S).level
        for per_day in RATES_PER_DAY
    }
    found, highest = [], -np.inf
    for per_day in sorted({*levels, promised}, reverse=True):
        at = levels.get(per_day, level)
        at = max(at, level) if per_day < promised else min(at, level)
        highest = max(highest, at)
        if highest > median:
            found.append((float(per_day), float((highest - median) / (level - median))))
    return tuple(reversed(found))


def _sparse(
    stretches: list[tuple[Series, Series]],
    rule: AlertRule,
    rate_per_s: float,
    level_and_median: tuple[float, float],
) -> float:
    """How much further off the median the threshold lies for SPARSE_HZ readings; 1 at least.

    The footage is taken twice, each time other readings of it, and the larger answer counts.
    """
    level, median = level_and_median
    steps = [np.median(np.diff(times_s)) for _, times_s in stretches if len(times_s) > 1]
    every = int(1 / (SPARSE_HZ * float(np.median(steps)))) if steps and min(steps) > 0 else 1
    found = [level]
    for first in (0, every // 2) if every > 1 else ():
        thinned = [(scores[first::every], times[first::every]) for scores, times in stretches]
        watched = watch_levels(thinned, rule)
        if len(watched.levels) > 0 and watched.seconds > 0:
            found.append(find_threshold(watched, rule, rate_per_s=rate_per_s).level)
    return (max(found) - median) / (level - median)


def _raised_to(threshold: Threshold, top: float) -> Threshold:
    """For footage quieter after its warm-up than in it: that little says nothing of its peaks."""
    return replace(threshold, level=top, high=max(threshold.high, top), peaks=0)


def _check(recording: Recording) -> tuple[Series, Series]:
    scores = np.asarray(recording.scores, float)
    times_s = np.asarray(recording.times_s, float)
    if scores.shape != times_s.shape or scores.ndim != 1:
        raise CalibrationError(
            f"a recording has scores of shape {scores.shape} and times of shape {times_s.shape},"
            " expected one time per score"
        )
    if not (np.isfinite(scores).all() and np.isfinite(times_s).all()):
        bad = int((~(np.isfinite(scores) & np.isfinite(times_s))).sum())
        raise CalibrationError(f"{bad} of {len(scores)} scores or times are not finite numbers")
    return scores, times_s


def _check_scores(ordered: Series) -> None:
    if len(ordered) == 0:
        raise CalibrationError("no normal footage to calibrate on: no recording has a score")
    if ordered[0] == ordered[-1]:
        raise CalibrationError(
            f"all {len(ordered)} scores are {ordered[0]:g}: the detector tells nothing apart"
        )


def _spread(size: int, kept: int) -> NDArray[np.intp]:
    """Evenly spaced positions from the first to the last."""
    return np.round(np.linspace(0, size - 1, kept)).astype(np.intp)


def _score_tail(stretches: list[tuple[Series, Series]], ordered: Series) -> Tail:
    start = float(np.quantile(ordered, 1 - TAIL_SHARE))
    excesses = ordered[ordered > start] - start
    witnesses = 0
    for scores, times_s in stretches:
        high = times_s[scores > start]
        witnesses += int(len(high) > 0) + int((np.abs(np.diff(high)) > TAIL_GAP_S).sum())
    if witnesses < ENOUGH_FOR_SCALE:
        return Tail(start, 0.0, 0.0)
    if witnesses < ENOUGH_FOR_SHAPE:
        return Tail(start, float(excesses.mean()), 0.0)
    tail = fit_tail(start, excesses)
    # an end to all scores, however high, is not to be learnt from normal ones
    return tail if tail.shape > 0 else Tail(start, float(excesses.mean()), 0.0)


def _with_thresholds(rule: AlertRule, enter: float, median: float, levels: Series) -> AlertRule:
    """`exit` lies over what is mostly there, so that an alert can end."""
    usual = float(np.quantile(levels, 0.95))
    leave = max(median + EXIT_AT * (enter - median), usual)
    return replace(rule, enter=enter, exit=min(leave, enter))


def notes_on(
    threshold: Threshold, footage_s: float, hours_more: float, per_day: float
) -> Iterator[str]:
    """What is to be said of a threshold, a line each."""
    if threshold.peaks == 0:
        yield "nothing after the warm-up stands out: the threshold is the highest score seen"
    elif threshold.peaks < ENOUGH_FOR_SCALE:
        yield f"only {threshold.peaks} separate peaks: the threshold is the highest level seen"
    elif threshold.peaks < ENOUGH_FOR_SHAPE:
        yield f"only {threshold.peaks} separate peaks: an exponential tail is assumed"
    if not threshold.founded:
        yield (
            f"{say_span(footage_s)} of normal footage cannot show {per_day:g} false alarms per day:"
            " the threshold is extrapolated, at the upper end of its interval;"
            f" {say_span(hours_more * 3600)} more are needed to check the promise"
        )
    vouched = threshold.vouched_per_s * DAY_S
    shown = f"{vouched:,.0f}" if vouched >= 10 else f"{vouched:.2g}"
    yield f"the footage itself vouches for at most {shown} false alarms per day (95 %)"


def say_span(seconds: float) -> str:
    """90 s, 12 min, 3.5 h."""
    if seconds < 120:
        return f"{seconds:.0f} s"
    return f"{seconds / 60:.0f} min" if seconds < 7200 else f"{seconds / 3600:.1f} h"
