"""A threshold raised by alerts that people called normal, over the time a camera was watched.

The calibration's footage did not know those peaks. Only what was called normal moves a threshold,
and only upwards: of what lies under the one in force nothing was noted. Knows no files.
"""

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, replace

import numpy as np

from monitor.alert_rule import Series
from monitor.calibration import DAY_S, EXIT_AT, Calibration, notes_on, say_span
from monitor.errors import CalibrationError
from monitor.promise import RULE_OF_THREE, Threshold, events_of, raise_threshold, rate_bound
from monitor.store import Labelled


@dataclass(frozen=True, slots=True)
class Labels:
    """What people said of alerts, sorted by what it means for one model."""

    normal: tuple[Labelled, ...]  # these count
    true: tuple[Labelled, ...]  # these never do; but they may be lost
    left_out: dict[str, int]  # why -> how many


def sort_labels(labels: Iterable[Labelled], digest: str, camera: str | None = None) -> Labels:
    """Take those of this model file and, if one is named, this camera."""
    found: dict[str, list[Labelled]] = {"normal_here": [], "true": []}
    left_out: Counter[str] = Counter()
    for label in labels:
        why = _why_not(label, digest, camera)
        if why:
            left_out[why] += 1
        elif label.label in found:
            found[label.label].append(label)
    return Labels(tuple(found["normal_here"]), tuple(found["true"]), dict(left_out))


def _why_not(label: Labelled, digest: str, camera: str | None) -> str:
    if label.model_digest != digest:
        return "of another model, or of this one before it was calibrated anew"
    if camera is not None and label.source != camera:
        return "of another camera"
    if label.label == "unsure":
        return "called unsure"
    return "recorded without a level" if label.peak_level is None else ""


def raise_by_labels(
    calibration: Calibration, normal: Iterable[Labelled], watched_s: float
) -> Calibration:
    """With a threshold at which the promise holds over the footage and the watched time.

    Where it holds already the threshold stays; what vouches for it grows in either case.

    Raises:
        CalibrationError: Nothing was called normal, or nothing was watched.
    """
    levels = np.array([label.peak_level for label in normal], float)
    if len(levels) == 0:
        raise CalibrationError("no alert of this model was called normal_here: nothing to learn")
    if not 0 < watched_s < np.inf:
        raise CalibrationError(f"watched for {watched_s:g} s: expected over 0")
    heights: Series = levels[levels > calibration.rule.enter]
    earlier = events_of(calibration.vouched_per_day / DAY_S, calibration.footage_s)
    seconds = calibration.footage_s + watched_s
    rate_per_s = calibration.promised_per_day / DAY_S
    if len(heights) + earlier <= rate_per_s * seconds:
        return _kept(calibration, len(heights) + earlier, seconds, len(levels))
    threshold = raise_threshold(
        calibration.rule.enter, heights, earlier=earlier, seconds=seconds, rate_per_s=rate_per_s
    )
    return _raised(calibration, threshold, seconds, len(levels))


def lost(labels: Labels, enter: float) -> list[Labelled]:
    """True alerts that would not be raised at this threshold, oldest first."""
    return [one for one in labels.true if one.peak_level is not None and one.peak_level <= enter]


def _kept(calibration: Calibration, alerts: int, seconds: float, labels: int) -> Calibration:
    per_day, enter = calibration.promised_per_day, calibration.rule.enter
    note = (
        f"the threshold stays: {alerts} normal alerts in {say_span(seconds)} keep the promise of "
        f"{per_day:g} per day ({labels} called normal by people)"
    )
    vouched = rate_bound(alerts, seconds) * DAY_S
    return replace(
        calibration,
        footage_s=seconds,
        vouched_per_day=vouched,
        promise_kept_by_data=_founded(calibration, seconds),
        hours_more=_hours_more(calibration, seconds),
        enter_high=max(calibration.enter_high, enter),
        notes=(note, f"footage and watching vouch for at most {vouched:.2g} per day (95 %)"),
    )


def _raised(
    calibration: Calibration, threshold: Threshold, seconds: float, labels: int
) -> Calibration:
    old, enter = calibration.rule, threshold.level
    usual = calibration.median + EXIT_AT * (enter - calibration.median)
    hours_more = _hours_more(calibration, seconds)
    note = (
        f"raised from {old.enter:.4g} to {enter:.4g}: people called {labels} alerts normal, in "
        f"{say_span(seconds)} of footage and watching"
    )
    return replace(
        calibration,
        rule=replace(old, enter=enter, exit=min(max(old.exit, usual), enter)),
        enter_low=threshold.low,
        enter_high=threshold.high,
        footage_s=seconds,
        vouched_per_day=threshold.vouched_per_s * DAY_S,
        promise_kept_by_data=threshold.founded,
        hours_more=hours_more,
        notes=(note, *notes_on(threshold, seconds, hours_more, calibration.promised_per_day)),
    )


def _founded(calibration: Calibration, seconds: float) -> bool:
    return calibration.promised_per_day / DAY_S * seconds >= RULE_OF_THREE


def _hours_more(calibration: Calibration, seconds: float) -> float:
    needed_s = RULE_OF_THREE / (calibration.promised_per_day / DAY_S)
    return max(needed_s - seconds, 0.0) / 3600
