"""The offline flow: footage in, a trained and calibrated model out.

What scores, calibrates and watches takes its readings from `monitor.readings`, so that a threshold
is compared with what it was set on. Scoring a data set is in `monitor.scored`. Torch is imported by
what learns: exported models are calibrated where there is none.
"""

import logging
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from models.steps import Budget, Log, silent
from monitor.alert_rule import AlertRule, unbroken
from monitor.apart import apart_of, noted_of, parted, split_again
from monitor.calibration import Recording, calibrate
from monitor.clips import gap_s
from monitor.datasets import DataSet
from monitor.errors import CalibrationError, DataSetError, DeviceError, MonitorError
from monitor.files import same_place
from monitor.footage import Footage, at_learned_rate, find_footage, fit_size
from monitor.frame_cache import FrameCache
from monitor.keeping import Keeper, note, say_kept, unfinished
from monitor.model import Model, check_writable, save_model, versions
from monitor.paces import too_slow
from monitor.progress import Progress, quiet
from monitor.readings import readings_of
from monitor.records import Reading
from monitor.scoring import device_of
from monitor.training import (
    ClipLoader,
    Segment,
    Split,
    count_frames,
    longest_taken,
    thinned,
)

if TYPE_CHECKING:
    from models.detector import Detector

__all__ = [
    "Progress",
    "calibrate_model",
    "new_detector",
    "quiet",
    "readings_of",
    "readings_of_segment",
    "recalibrate",
    "train_model",
]

log = logging.getLogger(__name__)

TRAINING_BATCH = 4  # clips; as published for frame prediction, and small networks learn well by it
FALSE_ALARMS_PER_DAY = 24.0  # one an hour: what a person at a desk will still look at
HELD_OUT_BYTES = 128 * 2**20
HIGHEST_SHARE = 0.995  # of normal frames lie under the top of the map scale


def new_detector(
    name: str, preset: str, options: Mapping[str, Any], data: DataSet, *, seed: int
) -> "Detector":
    """An untrained detector for a data set; a `lite` one takes the shape of its pictures.

    Raises:
        UnknownDetectorError: If there is no such detector.
        OptionError: If there is no such preset or option, or a value is refused.
    """
    import torch

    from models.registry import build, kind_of

    kind_of(name)
    torch.manual_seed(seed)
    detector = build(name, preset, **options)
    if preset != "lite" or "size" in options or not hasattr(detector.config, "size"):
        return detector
    source = next(iter(data.train or data.test)).size
    torch.manual_seed(seed)
    return build(name, preset, **options, size=fit_size(source, detector.config.size))


def train_model(  # noqa: PLR0913
    detector: "Detector",
    data: DataSet,
    *,
    budget: Budget,
    seed: int = 0,
    preset: str = "lite",
    rate_hz: float | None = None,
    false_alarms_per_day: float = FALSE_ALARMS_PER_DAY,
    path: Path | None = None,
    earlier: Mapping[str, Any] | None = None,
    cache: FrameCache | None = None,
    log: Log = silent,
    progress: Progress = quiet,
) -> Model:
    """Learn, then calibrate on normal footage that was kept apart; saved at `path` if given.

    While it learns, `unfinished(path)` is written once a minute, from which `--resume` goes on; the
    old file at `path` is replaced only by a model that can score. Ctrl-C ends the learning and
    keeps what was learned; a second one aborts. Of several processes (`models.ranks`) only the
    first writes and calibrates; the others return a model without scales and thresholds.

    Args:
        detector: Untrained, or one that goes on learning.
        data: Its training videos are learned from, all normal.
        budget: For this call; calibration comes on top.
        seed: With a budget of steps and on a CPU, the same seed gives the same model.
        preset: Noted in the file.
        rate_hz: Learn at so many frames per second, no more than the footage has; None: all of
            them, or for preset `lite` an even share of about ten a second (`live_rate`). A
            detector that goes on learning keeps the rate that `earlier` tells.
        false_alarms_per_day: What the threshold is set for. Too little footage to promise that
            is said in the calibration; too little for any threshold leaves it None, with a note.
        path: Where to save.
        earlier: Provenance of a detector that goes on learning: what it learned from before sets
            no threshold either.
        cache: Of decoded frames, from epoch to epoch and for the next training; None: none.
        log: Called after every step.
        progress: Called during calibration.

    Raises:
        DataSetError: If the footage is too short to learn from.
        TrainingError: If learning cannot go on.
        StoreError: If the file cannot be written.
    """
    from models import ranks

    path = path if ranks.is_first() else None
    if path is not None:
        check_writable(path)
    footage = at_learned_rate(find_footage(data, rate_hz, live=preset == "lite"), earlier)
    parts = split_again(
        footage.videos, earlier or {}, span=detector.spec.span, rate_hz=footage.rate_hz
    )
    _check_length(parts, detector, footage.rate_hz)
    model = Model(detector, preset, None, _provenance(data, footage, parts, seed))
    model.provenance |= (noted := noted_of(parts, earlier))
    model.provenance["false_alarms_per_day"] = false_alarms_per_day  # for one that is left half-way
    keeper = Keeper(model.provenance, path, lambda place: save_model(model, place), log)
    _fit(model, parts, budget, seed, keeper, cache)
    if not ranks.is_first():
        return model
    if path is not None:
        save_model(model, path)
        unfinished(path).unlink(missing_ok=True)
    try:
        apart = apart_of(parts.calibration, noted["learned"], noted["contents"])
        model, recordings = _calibrated(model, apart, false_alarms_per_day, progress)
        model = _raised(model, recordings, (*parts.fit, *parts.held_out), progress)
    except CalibrationError as error:
        note(model.provenance, f"not calibrated: {error}")
    except (KeyboardInterrupt, MonitorError):
        if path is not None:
            say_kept(path)
        raise
    _count_lost(model, footage)
    if path is not None:
        save_model(model, path)
    return model


def _count_lost(model: Model, footage: Footage) -> None:
    lost = [line for video in footage.videos for line in video.source.corrupt]
    if lost:
        note(
            model.provenance,
            f"left out what could not be read, {len(lost)} in all, such as {lost[0]}",
        )


def _fit(
    model: Model,
    parts: Split,
    budget: Budget,
    seed: int,
    keeper: Keeper,
    cache: FrameCache | None,
) -> None:
    import torch

    from models import ranks
    from monitor.runtimes.pytorch import told_of
    from monitor.together import learning_together

    detector = model.trained()
    device = str(device_of(detector))
    seed += int(detector.training_state.get("step", 0))  # resumed: other shuffles than before
    torch.manual_seed(seed)
    spec, rate_hz = detector.spec, model.rate_hz
    batch = getattr(detector.config, "batch", TRAINING_BATCH)
    clips = ClipLoader(
        parts.fit,
        spec,
        batch=batch,
        shuffle_seed=seed,
        rate_hz=rate_hz,
        device=device,
        cache=cache,
    )
    held_out = ClipLoader(
        thinned(parts.held_out, spec) if ranks.is_first() else thinned(parts.held_out, spec, 1),
        spec,
        batch=batch,
        rate_hz=rate_hz,
        device=device,
        pool_bytes=HELD_OUT_BYTES,
        cache=cache,
    )
    try:
        with told_of(device_of(detector)), learning_together(detector, segment_names(parts.fit)):
            detector.fit(clips, held_out, budget=budget, log=keeper)
    except DeviceError as error:
        raise keeper.lost(error) from error
    except KeyboardInterrupt:
        if model.provenance["steps"]:
            keeper.save()
        raise
    keeper.ended(interrupted=bool(detector.training_state.get("interrupted", False)))


def segment_names(segments: Sequence[Segment]) -> list[str]:
    """What is learned from, for comparing."""
    return [f"{s.video.name} {s.start}-{s.stop}" for s in segments]


def _check_length(parts: Split, detector: "Detector", rate_hz: float | None) -> None:
    """Refuse footage of which a part, taken at that rate, has no clip."""
    span = detector.spec.span
    for part in (parts.fit, parts.held_out):
        longest = longest_taken(part, rate_hz)
        if longest >= span:
            continue
        names = ", ".join(dict.fromkeys(segment.video.name for segment in parts.fit[:3]))
        pace = f" at {rate_hz:.3g} per second" if rate_hz else ""
        share = "all but a quarter" if part is parts.fit else "an eighth"
        raise DataSetError(
            f"too little normal footage ({names}): {detector.name} looks at {span} frames at once, "
            f"and {share} of the footage comes to {longest} frames{pace}; record more, or take a "
            "detector with shorter clips"
        )


def _provenance(data: DataSet, footage: Footage, parts: Split, seed: int) -> dict[str, Any]:
    """Plain values that say where a model comes from."""
    return {
        "data": str(data.root),
        "data_name": data.name,
        "layout": data.layout,
        "seed": seed,
        "steps": 0,
        "minutes": 0.0,
        "interrupted": False,
        "source_size": list(footage.size),
        "rate_hz": footage.rate_hz,
        "folder_rate_hz": data.folder_rate_hz,
        "videos": len(footage.videos),
        "frames": {name: count_frames(part) for name, part in vars(parts).items()},
        "seconds": {name: sum(s.seconds for s in part) for name, part in vars(parts).items()},
        "versions": versions(),
        "when": datetime.now(UTC).isoformat(timespec="seconds"),
        "notes": list(footage.notes),
    }


def calibrate_model(
    model: Model,
    data: DataSet,
    *,
    false_alarms_per_day: float = FALSE_ALARMS_PER_DAY,
    progress: Progress = quiet,
) -> Model:
    """The same detector with thresholds from this normal footage; the model given stays as it is.

    Of footage that the model learned from, only what was kept apart is taken.

    Raises:
        CalibrationError: If nothing was kept apart of the footage, it is too short, or scores say
            nothing.
        UsageError: If its pictures are of another shape than those learned from.
    """
    provenance = model.provenance | {
        "calibrated_on": str(data.root),
        "calibrated_layout": data.layout,
        "calibrated_folder_rate_hz": data.folder_rate_hz,
    }
    provenance.pop("raised_by", None)  # labels, on what it was calibrated before
    model = replace(model, provenance=provenance)
    parts = parted(model.provenance, data)
    for segment in (*parts.learned, *parts.apart):
        model.check_picture(segment.video.size, str(segment.video.path))
    if not parts.apart:
        raise CalibrationError(
            f"{data.root}: the model learned from all of it; name the whole of "
            f"{model.provenance['data']}, of which a part was kept apart, or other normal footage"
        )
    if parts.learned:
        log.warning("the model learned from this footage: only what was kept apart is taken")
    return _calibrated(model, parts.apart, false_alarms_per_day, progress)[0]


def recalibrate(model: Model, data: DataSet, *, progress: Progress = quiet) -> Model:
    """Thresholds anew, for the same promise and by the steps that they were set with.

    What people's labels had raised is as far raised again.

    Raises:
        CalibrationError: If the model has no calibration, or as `calibrate_model`.
    """
    per_day, raised_by = model.calibrated().promised_per_day, model.provenance.get("raised_by", 1.0)
    trained_so = "calibrated_on" not in model.provenance
    if trained_so and same_place(model.provenance.get("data"), data.root):
        parts = parted(model.provenance, data)
        found, recordings = _calibrated(model, parts.apart, per_day, progress)
        found = _raised(found, recordings, parts.learned, progress)
    else:
        found = calibrate_model(model, data, false_alarms_per_day=per_day, progress=progress)
    if raised_by == 1:
        return found
    calibration = found.calibrated().further(raised_by)
    note = f"labels had raised the threshold {raised_by:.3g} times as far off the median: so here"
    calibration = replace(calibration, notes=(*calibration.notes, note))
    provenance = found.provenance | {"raised_by": raised_by}
    return replace(found, calibration=calibration, provenance=provenance)


def _calibrated(
    model: Model, segments: Sequence[Segment], per_day: float, progress: Progress
) -> tuple[Model, list[Recording]]:
    rule = AlertRule() if model.calibration is None else model.calibration.rule
    recordings, highest = _recorded(model, segments, progress)
    slow = next(filter(None, (too_slow(segment.video, model) for segment in segments)), "")
    if slow and not highest:
        raise CalibrationError(slow)
    rule = unbroken(rule, gap_s(model.rate_hz))
    calibration = calibrate(recordings, rule, false_alarms_per_day=per_day)
    scale = np.quantile(highest, [0.5, HIGHEST_SHARE]).tolist()
    provenance = model.provenance | {"map_usual": scale[0], "map_high": scale[1]}
    return replace(model, calibration=calibration, provenance=provenance), recordings


def _raised(
    model: Model, recordings: list[Recording], learned: Sequence[Segment], progress: Progress
) -> Model:
    """An extrapolated threshold, raised to what all the footage suggests."""
    calibration = model.calibrated()
    if calibration.promise_kept_by_data:
        return model
    segments = thinned(learned, model.detector.spec)
    others, _ = _recorded(model, segments, progress)
    return replace(model, calibration=calibration.raised_over([*recordings, *others]))


def _recorded(
    model: Model, segments: Sequence[Segment], progress: Progress
) -> tuple[list[Recording], list[float]]:
    """The scores of some footage, and the highest place of each frame's map."""
    uncalibrated = replace(model, calibration=None)
    recordings: list[Recording] = []
    highest: list[float] = []
    total = count_frames(segments)
    for segment in segments:
        scores, times_s = [], []
        done = sum(s.n_frames for s in segments[: len(recordings)])
        for reading in readings_of_segment(segment, uncalibrated):
            assert reading.map is not None
            scores.append(reading.score)
            times_s.append(reading.frame.time_s)
            highest.append(float(reading.map.max()))
            progress("calibrating", done + reading.frame.index - segment.start + 1, total)
        recordings.append(Recording(scores, times_s))
    return recordings, highest


def readings_of_segment(segment: Segment, model: Model) -> Iterator[Reading]:
    """The readings of a stretch of a video, with maps."""
    frames = segment.video.frames(segment.start, segment.stop)
    return readings_of(frames, model, maps=True)
