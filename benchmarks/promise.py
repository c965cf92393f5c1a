"""False alarms promised, against false alarms counted on normal footage that was never seen.

    ODDWATCH_DATA=path/to/data python -m benchmarks.promise
    python -m benchmarks.promise path/to/ped2 --model ped2.pt
    python -m benchmarks.promise --simulate

On UCSD Ped2 there are minutes of normal footage, which shows only very high rates; simulated
scores show the ordinary ones. A row is within a factor of two, or the product itself says that
the footage was too little to tell.
"""

import argparse
import os
import sys
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
from scipy.signal import lfilter

from models.detector import Budget
from monitor.alert_rule import AlertRule, Series
from monitor.alerts import raise_alerts
from monitor.calibration import DAY_S, Calibration, Recording, calibrate
from monitor.datasets import DataSet, Video, open_data
from monitor.errors import CalibrationError
from monitor.model import Model, load_model
from monitor.pipeline import new_detector, readings_of, train_model
from monitor.promise import watch_levels
from monitor.records import Frame, Reading
from monitor.training import split_normal

RATES = (24.0, 500.0, 2000.0, 5000.0)  # per day, of Ped2
SIMULATED_HZ = 2
UNSEEN_HOURS = 200
CALIBRATED_HOURS = (0.25, 1, 4, 24)
SIMULATED_RATES = (6.0, 24.0, 96.0)
HEAD = f"{'promised/day':>13}{'expected':>9}{'counted':>8}{'counted/day':>12}{'ratio':>7}  verdict"


@dataclass(frozen=True)
class Watched:
    """What came of footage that was never seen."""

    alerts: int
    seconds: float  # in which an alert could have opened


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("data", nargs="?", type=Path, help="UCSD Ped2; else $ODDWATCH_DATA/ped2")
    parser.add_argument("--model", type=Path, help="trained on it; else motion learns from half")
    parser.add_argument("--simulate", action="store_true", help="only the simulation")
    options = parser.parse_args()
    root = os.environ.get("ODDWATCH_DATA")
    folder = options.data or (Path(root) / "ped2" if root else None)
    if folder is not None and not options.simulate:
        real(open_data(folder), options.model)
    for heavy in (False, True):
        simulated(heavy=heavy)


def real(data: DataSet, model_path: Path | None) -> None:
    model, normal, unseen = given(data, model_path) if model_path else learned(data)
    calm = replace(model, calibration=None)
    known, new = ([scored(video, calm) for video in videos] for videos in (normal, unseen))
    seconds = [watch_levels(pairs(part), AlertRule()).seconds for part in (known, new)]
    print(
        f"\n{data.name}, {model.detector.name}: calibrated on {len(known)} normal clips "
        f"({seconds[0]:.0f} s), counted on {len(new)} others ({seconds[1]:.0f} s)\n{HEAD}"
    )
    for per_day in RATES:
        try:
            calibration = calibrate(known, AlertRule(), false_alarms_per_day=per_day)
        except CalibrationError as error:
            print(f"{per_day:13g}  refused: {error}")
            continue
        print(row(calibration, Watched(raised(new, calibration), seconds[1])))


def learned(data: DataSet) -> tuple[Model, Sequence[Video], Sequence[Video]]:
    """Motion that learned from every other clip; the others, in turn, calibrate and judge."""
    part = replace(data, train=data.train[::2])
    detector = new_detector("motion", "lite", {}, part, seed=0)
    return train_model(detector, part, budget=Budget()), data.train[1::4], data.train[3::4]


def given(data: DataSet, path: Path) -> tuple[Model, Sequence[Video], Sequence[Video]]:
    """Clips that training kept apart. Scales of the scores come from those that judge."""
    model = load_model(path)
    span, rate_hz = model.detector.spec.span, model.rate_hz
    parts = split_normal(data.train, span=span, rate_hz=rate_hz)
    kept = [[segment.video for segment in part] for part in (parts.calibration, parts.held_out)]
    if {video.path for video in kept[0]} & {segment.video.path for segment in parts.fit}:
        sys.exit("of these videos parts were learned from: give a set of eight or more")
    return model, kept[0], kept[1]


def scored(video: Video, model: Model) -> Recording:
    readings = [(r.score, r.frame.time_s) for r in readings_of(video.frames(), model)]
    scores, times_s = np.array(readings).T
    return Recording(scores, times_s)


def pairs(recordings: Iterable[Recording]) -> list[tuple[Series, Series]]:
    return [(np.asarray(r.scores), np.asarray(r.times_s)) for r in recordings]


def raised(recordings: Iterable[Recording], calibration: Calibration) -> int:
    """Alerts of the product's own stage, each recording a source of its own."""
    return sum(
        alert.phase == "new"
        for recording in recordings
        for alert in raise_alerts(again(recording), calibration.rule, source="unseen")
    )


def again(recording: Recording) -> Iterator[Reading]:
    black = np.zeros((1, 1, 3), np.uint8)
    for i, (score, time_s) in enumerate(zip(*pairs([recording])[0], strict=True)):
        yield Reading(Frame(black, i, float(time_s)), float(score))


def row(calibration: Calibration, watched: Watched) -> str:
    promised = calibration.promised_per_day
    expected = promised * watched.seconds / DAY_S
    counted = watched.alerts / watched.seconds * DAY_S
    ratio = counted / promised
    verdict = "within a factor of two" if 0.5 <= ratio <= 2 else "off"
    if not calibration.promise_kept_by_data:
        verdict = f"too little footage, it says: {calibration.hours_more:.1f} h more"
    figures = f"{promised:13,.0f}{expected:9.1f}{watched.alerts:8,}{counted:12,.0f}{ratio:7.2f}"
    return f"{figures}  {verdict}"


def simulated(*, heavy: bool) -> None:
    """Scores with a memory of a second, from Gauss or from Student's t of 4 degrees."""
    kind = "heavy tails (Student's t, 4)" if heavy else "Gauss"
    unseen = series(UNSEEN_HOURS, seed=1000, heavy=heavy)
    watched = watch_levels(pairs([unseen]), AlertRule())
    print(f"\nsimulated, {kind}: counted on {UNSEEN_HOURS} h that were never seen")
    for hours in CALIBRATED_HOURS:
        known = series(hours, seed=round(60 * hours), heavy=heavy)
        print(f"calibrated on {hours:g} h\n{HEAD}")
        for per_day in SIMULATED_RATES:
            calibration = calibrate([known], AlertRule(), false_alarms_per_day=per_day)
            rule = calibration.rule
            alerts = watched.alerts(rule.enter, rule.merge_s)
            print(row(calibration, Watched(alerts, watched.seconds)))


def series(hours: float, *, seed: int, heavy: bool) -> Recording:
    size = round(hours * 3600 * SIMULATED_HZ)
    generator = np.random.default_rng(seed)
    kicks = generator.standard_t(4, size) if heavy else generator.standard_normal(size)
    keep = np.exp(-1 / SIMULATED_HZ)
    return Recording(lfilter([1 - keep], [1, -keep], kicks), np.arange(size) / SIMULATED_HZ)


if __name__ == "__main__":
    main()
