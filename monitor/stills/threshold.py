"""What a still-image detector's scores mean: p-value, threshold and display scale.

From held-out normal pictures alone. Plain values, for JSON and for checkpoints. Knows nothing of
pictures, detectors or files.
"""

from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass, fields, replace
from math import ceil, floor, inf
from typing import Any, Self

import numpy as np
from numpy.typing import ArrayLike, NDArray

from monitor.errors import CalibrationError
from monitor.sound import check_numbers, rising, sound_tail, texts
from monitor.tail import ENOUGH_FOR_SCALE, Tail, fit_tail

Series = NDArray[np.float64]

KIND = "stills"  # beside the values in a checkpoint, as video has other ones
FALSE_ALARM_SHARE = 0.01  # of normal pictures
FEW = 10  # normal pictures; with fewer, nothing can be said beyond the highest of them
TAIL_SHARE = 0.1  # of the scores; the tail begins over the 90 % quantile,
TAIL_SCORES = 10  # or lower, to have so many, if half of the scores are as many
LEAST_P = 1e-300  # so that a logarithm can be taken
LEAST = {"median": -inf, "threshold": -inf, "share": 0, "vouched": 0, "more": 0}  # in a file


@dataclass(frozen=True, slots=True, eq=False)
class StillCalibration:
    """The scores of normal pictures, and the threshold that keeps the promised share."""

    scores: Series  # (n,) of held-out normal pictures, rising
    median: float
    threshold: float  # a picture is defective above it
    share: float  # of normal pictures that may lie above, as promised
    vouched: float  # the smallest share that so many pictures can vouch for, 1 / (n + 1)
    more: int  # normal pictures needed until they vouch for the promise; 0: they do
    tail: Tail  # of the scores; scale 0: too few of them, p-values end at 1 / (n + 1)
    notes: tuple[str, ...]

    def p_value(self, scores: ArrayLike) -> Series:
        """Share of normal pictures at least so high, in (0, 1]; never rises with the score.

        Conformal, (1 + #{normal >= s}) / (n + 1), which holds whatever the distribution; beyond
        the highest normal score along the tail, where that says less.
        """
        asked = np.asarray(scores, float)
        p = _conformal(self.scores, asked)
        beyond = asked > self.scores[-1]
        if self.tail.scale == 0 or not beyond.any():
            return p
        start = _conformal(self.scores, np.array(self.tail.start))
        extrapolated = np.maximum(start * self.tail.beyond(asked), LEAST_P)
        return np.where(beyond, np.minimum(p, extrapolated), p)

    def display(self, scores: ArrayLike) -> Series:
        """0 is typical (the median), 1 the threshold; not clamped."""
        shown: Series = (np.asarray(scores, float) - self.median) / (self.threshold - self.median)
        return shown

    def to_dict(self) -> dict[str, Any]:
        """Numbers, strings, lists and dictionaries only; key "kind" is "stills"."""
        lists = {"scores": self.scores.tolist(), "notes": list(self.notes)}
        return {"kind": KIND} | asdict(self) | lists

    @classmethod
    def from_dict(cls, plain: Mapping[str, Any]) -> Self:
        """The inverse of `to_dict`.

        Raises:
            CalibrationError: A value is missing, unknown, or none that pictures can have; or it
                is one for video.
        """
        try:
            if plain["kind"] != KIND:
                raise ValueError(f"of kind {plain['kind']!r}, not {KIND!r}")
            parts = {
                "scores": rising(plain["scores"]),
                "tail": sound_tail(plain["tail"]),
                "notes": texts("notes", plain["notes"]),
            }
            check_numbers(plain, LEAST)
            return cls(**({k: v for k, v in plain.items() if k != "kind"} | parts))
        except (KeyError, TypeError, ValueError, OverflowError) as error:
            known = ", ".join(field.name for field in fields(cls))
            raise CalibrationError(
                f"calibration is damaged ({error}); expected: {known}. Calibrate again"
            ) from error


def calibrate_scores(scores: ArrayLike, *, share: float = FALSE_ALARM_SHARE) -> StillCalibration:
    """Learn from the scores of normal pictures, held out from training, what scores mean.

    Where the pictures vouch for `share`, the threshold is the score that no larger share of
    normal pictures exceeds, whatever the distribution (split conformal prediction, Vovk et al.,
    Algorithmic Learning in a Random World, 2005). Where they are too few, it is extrapolated.

    Raises:
        CalibrationError: Too few scores, or they are constant or not finite; a share not in (0, 1),
            or so large that the threshold would be typical.
    """
    if not 0 < share < 1:
        raise CalibrationError(f"share of false alarms: {share:g}, expected between 0 and 1")
    ordered = _checked(scores)
    count = len(ordered)
    tail = _tail(ordered)
    threshold, median = _threshold(ordered, tail, share), float(np.median(ordered))
    if threshold <= median:
        raise CalibrationError(
            f"a share of {share:g} false alarms would call typical pictures defective: ask for less"
        )
    more = max(ceil(1 / share - 1e-9) - 1 - count, 0)
    return StillCalibration(
        scores=ordered,
        median=median,
        threshold=threshold,
        share=float(share),
        vouched=1 / (count + 1),
        more=more,
        tail=tail,
        notes=tuple(_notes(count, share, more, tail)),
    )


def _checked(scores: ArrayLike) -> Series:
    ordered = np.sort(np.asarray(scores, float).ravel())
    bad = int((~np.isfinite(ordered)).sum())
    if bad:
        raise CalibrationError(f"{bad} of {len(ordered)} scores are not finite numbers")
    if len(ordered) < 2:
        raise CalibrationError(
            f"a threshold needs the scores of two normal pictures or more, got {len(ordered)}; "
            f"take {FEW} at least, and 100 for one false alarm in a hundred"
        )
    if ordered[0] == ordered[-1]:
        raise CalibrationError(
            f"all {len(ordered)} scores are {ordered[0]:g}: the detector tells nothing apart"
        )
    return ordered


def _conformal(ordered: Series, asked: Series) -> Series:
    at_least = len(ordered) - np.searchsorted(ordered, asked, side="left")
    p: Series = (1 + at_least) / (len(ordered) + 1)
    return p


def _tail(ordered: Series) -> Tail:
    """Of the highest tenth of the scores, at least ten of them where half are as many.

    The mean of k excesses is itself uncertain. The next excess of an exponential tail then
    follows a generalised Pareto distribution of the same scale and shape 1/k (the predictive
    distribution), so that a threshold for a share is exceeded by that share, not by more.
    """
    count = len(ordered)
    wanted = max(round(TAIL_SHARE * count), TAIL_SCORES)
    taken = min(wanted, count // 2)
    start = float(ordered[count - taken - 1])
    excesses = ordered[ordered > start] - start
    if count < FEW or len(excesses) < ENOUGH_FOR_SCALE:
        return Tail(start, 0.0, 0.0)
    tail = fit_tail(start, excesses)
    # an end to all scores, however high, is not to be learnt from normal ones
    shape, mean = max(tail.shape, 0.0), float(excesses.mean())
    scale = mean * (1 - shape)
    return replace(tail, scale=scale, shape=shape + 1 / len(excesses))


def _threshold(ordered: Series, tail: Tail, share: float) -> float:
    """The lowest t for which every s > t has p(s) <= share; see `StillCalibration.p_value`."""
    count = len(ordered)
    above = floor(share * (count + 1) + 1e-9) - 1  # normal scores that may lie above it
    highest = float(ordered[-1])
    if above >= 0:
        return float(ordered[count - 1 - above])
    if tail.scale == 0:
        return highest
    start = float(_conformal(ordered, np.array(tail.start)))
    return max(highest, tail.score_at(share / start))


def _notes(count: int, share: float, more: int, tail: Tail) -> Iterator[str]:
    if more:
        yield (
            f"{count} normal pictures cannot vouch for a share of {share:g} false alarms: the "
            f"threshold is {'the highest of their scores' if tail.scale == 0 else 'extrapolated'}; "
            f"{more} more are needed"
        )
    if count < FEW:
        yield f"under {FEW} normal pictures nothing can be said of higher scores than theirs"
