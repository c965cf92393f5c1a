"""The still-image flow: normal pictures in, a trained and calibrated model out.

Judging pictures is in `monitor.stills.judging`, scoring a set in `monitor.stills.scored`. Torch is
imported by what learns, as in `monitor.pipeline`.
"""

import logging
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from models.errors import OptionError
from models.steps import Budget, Log, silent
from monitor.clips import prepare
from monitor.errors import (
    CalibrationError,
    DataSetError,
    DeviceError,
    MonitorError,
    SourceError,
    UsageError,
)
from monitor.footage import fit_size
from monitor.frame_cache import FrameCache
from monitor.keeping import Keeper, note, say_kept, unfinished
from monitor.model import check_writable, versions
from monitor.names import counted
from monitor.pipeline import HIGHEST_SHARE
from monitor.progress import Progress, quiet
from monitor.scoring import device_of
from monitor.stills.apart import noted_of_stills, part_in, parted_stills
from monitor.stills.judging import judged
from monitor.stills.model import StillModel, save_still_model
from monitor.stills.shapes import header_sizes, say_shapes, shapes_of, usual_size
from monitor.stills.split import StillSplit, say_copies, split_stills
from monitor.stills.still import Still, StillSet, each_once
from monitor.stills.threshold import FALSE_ALARM_SHARE, calibrate_scores

if TYPE_CHECKING:
    from models.augmentation import Augmentation
    from models.detector import Detector

__all__ = ["calibrate_stills", "judged", "new_still_detector", "train_stills"]

log = logging.getLogger(__name__)

TRAINING_BATCH = 16  # pictures, where a detector's config does not say
OTHER_SHAPE = "is of a shape that was not learned"
SIDE_MULTIPLES = (16, 32, 64)  # of the `lite` size, what more halvings may need


def new_still_detector(
    name: str, preset: str, options: Mapping[str, Any], data: StillSet, *, seed: int
) -> "Detector":
    """An untrained still-image detector; a `lite` one takes the shape of the set's pictures.

    Raises:
        UnknownDetectorError: If there is no such detector.
        UsageError: If it is one for video.
        OptionError: If there is no such preset or option, or a value is refused.
        SourceError: If none of the pictures can be read.
    """
    import torch

    from models.registry import build

    check_image_detector(name)
    torch.manual_seed(seed)
    detector = build(name, preset, **options)
    if preset != "lite" or "size" in options or not hasattr(detector.config, "size"):
        return detector
    like = detector.config.size
    for multiple in SIDE_MULTIPLES:
        size = fit_size(usual_size(data), like, multiple)
        try:
            torch.manual_seed(seed)
            return build(name, preset, **options, size=size)
        except OptionError:
            log.info("%s takes no pictures of %s", name, size)
    torch.manual_seed(seed)
    return build(name, preset, **options)


def check_image_detector(name: str) -> None:
    """Refuse the name of a detector for video; raises as `new_still_detector`."""
    from models.registry import kind_of

    if kind_of(name).kind != "image":
        raise UsageError(
            f"{name} watches video; still pictures take a still-image detector "
            "(see: oddwatch detectors)"
        )


def train_stills(  # noqa: PLR0913
    detector: "Detector",
    data: StillSet,
    *,
    budget: Budget,
    seed: int = 0,
    preset: str = "lite",
    augment: "Augmentation | None" = None,
    false_alarm_share: float = FALSE_ALARM_SHARE,
    path: Path | None = None,
    earlier: Mapping[str, Any] | None = None,
    strict: bool = False,
    cache: FrameCache | None = None,
    log: Log = silent,
    progress: Progress = quiet,
) -> StillModel:
    """Learn, then calibrate on normal pictures that were kept apart; saved at `path` if given.

    What is on disk meanwhile, and what Ctrl-C does, is as with `monitor.pipeline.train_model`.

    Args:
        detector: Untrained, or one that goes on learning.
        data: Its training pictures are learned from, all normal.
        budget: For this call; calibration comes on top.
        seed: Of the split, of shuffling and augmentation. With a budget of steps and on a CPU,
            the same seed gives the same model.
        preset: Noted in the file.
        augment: How the pictures that are learned from are varied; None: mildly.
        false_alarm_share: Of normal pictures, what the threshold is set for. Too few pictures to
            promise that is said in the calibration; too few for any leave it None, with a note.
        path: Where to save.
        earlier: Provenance of a detector that goes on learning: each picture stays in the part
            that it was in, so that what was learned from sets no scale and no threshold.
        strict: A picture that cannot be read ends it, in place of being left out and counted.
        cache: Of decoded pictures, for the next training; None: none.
        log: Called after every step.
        progress: Called during calibration.

    Raises:
        DataSetError: If there are fewer than two pictures, or all are the same, or those that the
            scale of errors came from are gone.
        SourceError: If no picture can be read, or one cannot and it is `strict`.
        TrainingError: If learning cannot go on.
        StoreError: If the file cannot be written.
    """
    from models import ranks
    from models.augmentation import MILD

    augment = MILD if augment is None else augment
    path = path if ranks.is_first() else None
    if path is not None:
        check_writable(path)
    parts = split_stills(data.train, seed, part_in(earlier, data))
    _check_varied(parts.fit, detector, strict=strict)
    model = StillModel(detector, preset, None, _provenance(data, parts, seed, augment, detector))
    model.provenance |= noted_of_stills(parts, data, earlier)
    model.provenance["false_alarm_share"] = false_alarm_share  # for one that is left half-way
    keeper = Keeper(model.provenance, path, lambda place: save_still_model(model, place), log)
    _fit(model, parts, budget, (seed, augment), keeper, cache, strict=strict)
    if not ranks.is_first():
        return model
    if path is not None:
        save_still_model(model, path)
        unfinished(path).unlink(missing_ok=True)
    try:
        model = _calibrated(model, parts.calibration, false_alarm_share, progress, strict=strict)
    except CalibrationError as error:
        note(model.provenance, f"not calibrated: {error}")
    except (KeyboardInterrupt, MonitorError):
        if path is not None:
            say_kept(path)
        raise
    if path is not None:
        save_still_model(model, path)
    return model


def _fit(  # noqa: PLR0913
    model: StillModel,
    parts: StillSplit,
    budget: Budget,
    chance: "tuple[int, Augmentation]",
    keeper: Keeper,
    cache: FrameCache | None,
    *,
    strict: bool,
) -> None:
    import torch

    from models import ranks
    from models.augmentation import NONE
    from monitor.runtimes.pytorch import told_of
    from monitor.stills.loader import StillLoader
    from monitor.together import learning_together

    detector = model.trained()
    seed, augment = chance
    seed += int(detector.training_state.get("step", 0))  # resumed: other shuffles than before
    torch.manual_seed(seed)
    batch = getattr(detector.config, "batch", TRAINING_BATCH)
    device = str(device_of(detector))
    clips = StillLoader(
        parts.fit,
        detector.spec,
        batch=batch,
        shuffle_seed=seed,
        augment=None if augment == NONE else augment,
        device=device,
        strict=strict,
        cache=cache,
    )
    scales = parts.held_out if ranks.is_first() else parts.held_out[:batch]
    held_out = StillLoader(
        scales, detector.spec, batch=batch, device=device, strict=strict, cache=cache
    )
    try:
        names = [still.name for still in parts.fit]
        with told_of(device_of(detector)), learning_together(detector, names):
            detector.fit(clips, held_out, budget=budget, log=keeper)
    except DeviceError as error:
        raise keeper.lost(error) from error
    except KeyboardInterrupt:
        if model.provenance["steps"]:
            keeper.save()
        raise
    _note_broken(model, clips.broken | held_out.broken)
    keeper.ended(interrupted=bool(detector.training_state.get("interrupted", False)))


def _note_broken(
    model: StillModel, broken: Mapping[str, str], what: str = "could not be read"
) -> None:
    if broken:
        first = next(iter(broken.values()))
        note(
            model.provenance,
            f"left out what {what}, {counted(len(broken), 'picture')}, such as {first}",
        )


def _check_varied(stills: Sequence[Still], detector: "Detector", *, strict: bool) -> None:
    """Refuse pictures that are all the same; stops at the first that differs."""
    first = None
    for still in stills:
        try:
            picture = prepare(still.picture(), detector.spec)
        except SourceError:
            if strict:
                raise
            continue
        if first is None:
            first = picture
        elif not np.array_equal(first, picture):
            return
    if first is not None and len(stills) > 1:
        raise DataSetError(
            f"all {len(stills)} pictures to learn from are the same picture ({stills[0].name} and "
            "the others): expected pictures that differ as good ones do"
        )


def _provenance(
    data: StillSet, parts: StillSplit, seed: int, augment: "Augmentation", detector: "Detector"
) -> dict[str, Any]:
    """Plain values that say where a model comes from."""
    remarks: Iterable[str] = getattr(detector, "remarks", ())
    said = [*say_copies(data.train, parts.taken), *say_shapes(header_sizes(data.train))]
    return {
        "data": str(data.root),
        "data_name": data.name,
        "layout": data.layout,
        "protocol": data.protocol,
        "asked": data.asked,
        "seed": seed,
        "augment": str(augment),
        "steps": 0,
        "minutes": 0.0,
        "interrupted": False,
        "source_size": list(usual_size(data)),
        "source_shapes": [list(size) for size in shapes_of(data)],
        "pictures": parts.counts(),
        "versions": versions(),
        "when": datetime.now(UTC).isoformat(timespec="seconds"),
        "notes": [*data.notes, *said, *parts.notes(), *remarks],
    }


def calibrate_stills(
    model: StillModel,
    data: StillSet,
    *,
    false_alarm_share: float = FALSE_ALARM_SHARE,
    strict: bool = False,
    progress: Progress = quiet,
) -> StillModel:
    """The same detector with a threshold from these normal pictures; the one given stays as it is.

    Of pictures that the model learned from, only those that were kept apart are taken. One that
    cannot be read, or is of a shape that was not learned, is left out and noted.

    Raises:
        CalibrationError: If none was kept apart, they are too few, or scores say nothing.
        SourceError: If there is a picture that would be left out and it is `strict`.
    """
    model = replace(model, provenance=model.provenance | _set_on(data))
    parts = parted_stills(model.provenance, data)
    if not parts.apart:
        raise CalibrationError(
            f"{data.root}: the model learned from all of it; name the whole of "
            f"{model.provenance['data']}, of which a part was kept apart, or other normal pictures"
        )
    if parts.learned:
        log.warning("the model learned from these pictures: only what was kept apart is taken")
    once = each_once(parts.apart)
    for text in say_copies(parts.apart, once):
        log.warning("%s", text)
    return _calibrated(model, once, false_alarm_share, progress, strict=strict)


def _set_on(data: StillSet) -> dict[str, Any]:
    return {"calibrated_on": str(data.root), "calibrated_layout": data.layout}


def _calibrated(
    model: StillModel, stills: Sequence[Still], share: float, progress: Progress, *, strict: bool
) -> StillModel:
    bare = replace(model, calibration=None)
    scores, highest = [], []
    broken: dict[str, str] = {}
    squeezed: dict[str, str] = {}
    for done, found in enumerate(judged(stills, bare, strict=strict), start=1):
        progress("calibrating", done, len(stills))
        if found.score is None or found.map is None:
            (broken if found.size is None else squeezed)[found.still.name] = found.why
            continue
        scores.append(found.score)
        highest.append(float(found.map.max()))
    _note_broken(model, broken)
    _note_broken(model, squeezed, OTHER_SHAPE)
    for why in list(squeezed.values())[:1]:
        log.warning("left out %s, such as %s", counted(len(squeezed), "picture"), why)
    calibration = calibrate_scores(scores, share=share)
    scale = np.quantile(highest, [0.5, HIGHEST_SHARE]).tolist()
    provenance = model.provenance | {"map_usual": scale[0], "map_high": scale[1]}
    return replace(model, calibration=calibration, provenance=provenance)
