"""`oddwatch train` of a still-image detector, once `monitor.cli.train` has seen that it is one."""

import shlex
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from monitor.cli.kinds import refuse_footage
from monitor.cli.learning import Curve, budget_of, cache_of, check_same, options_of
from monitor.cli.printing import print_json, print_line
from monitor.cli.progress import LongWork
from monitor.errors import UsageError
from monitor.files import same_place

if TYPE_CHECKING:
    from models.augmentation import Augmentation
    from models.detector import Detector, Step
    from monitor.stills.model import StillModel
    from monitor.stills.still import StillSet

SHARE = "false_alarm_share"  # in a model's provenance


@dataclass(frozen=True)
class Asked:
    """The words of the command; None: not given."""

    detector: str
    data: str
    out: Path
    preset: str | None
    minutes: float | None
    steps: int | None
    settings: list[str]
    device: str
    resume: bool
    seed: int
    layout: str | None
    strict: bool
    false_alarm_share: float | None
    augment: str | None
    protocol: str | None
    normal: str | None
    cache_gb: float
    as_json: bool


@dataclass(frozen=True)
class _Start:
    """What learning begins or goes on with."""

    detector: "Detector"
    preset: str
    seed: int  # of the split too, so a resumed training has that of its file
    augment: "Augmentation"
    earlier: dict[str, Any] | None = None  # the file's provenance, where it goes on


def train_on_stills(asked: Asked) -> None:
    """Learn, calibrate, save, and say what came of it."""
    from models.ranks import is_first
    from monitor.model import choose_device
    from monitor.stills.opening import open_stills
    from monitor.stills.pipeline import train_stills

    budget = budget_of(asked.minutes, asked.steps)
    check_share(asked.false_alarm_share)
    cache = cache_of(asked.cache_gb)
    device = choose_device(asked.device)
    options = options_of(asked.detector, asked.settings)
    refuse_footage(asked.data, asked.detector, asked.layout)
    data = open_stills(
        asked.data,
        layout=asked.layout,
        protocol=asked.protocol,
        normal=asked.normal,
        strict=asked.strict,
    )
    start = (_resumed if asked.resume else _new)(asked, options, data, device)
    share = check_share(asked.false_alarm_share or (start.earlier or {}).get(SHARE))
    curve = Curve()
    with LongWork() as work:

        def log(step: "Step") -> None:
            curve.add(step)
            work.step(step)

        model = train_stills(
            start.detector.to(device),
            data,
            budget=budget,
            seed=start.seed,
            preset=start.preset,
            augment=start.augment,
            false_alarm_share=share,
            path=asked.out,
            earlier=start.earlier,
            strict=asked.strict,
            cache=cache,
            log=log,
            progress=work.pictures,
        )
    if not is_first():
        return
    picture = curve.write(asked.out)
    if asked.as_json:
        print_json(_as_json(model, asked.out, picture))
    else:
        _print_result(model, data, asked, picture)


def check_share(share: float | None) -> float:
    """The share of false alarms that was asked for, or the usual one.

    Raises:
        UsageError: It is not between 0 and 1.
    """
    from monitor.stills.threshold import FALSE_ALARM_SHARE

    if share is None:
        return FALSE_ALARM_SHARE
    if not 0 < share < 1:
        raise UsageError(
            f"--false-alarm-share {share:g}: expected a share between 0 and 1, such as 0.01"
        )
    return share


def _new(asked: Asked, options: dict[str, Any], data: "StillSet", device: str) -> _Start:  # noqa: ARG001
    from models.augmentation import MILD, Augmentation
    from models.errors import OptionError
    from monitor.stills.pipeline import new_still_detector

    preset = asked.preset or "lite"
    try:
        augment = MILD if asked.augment is None else Augmentation.parse(asked.augment)
        detector = new_still_detector(asked.detector, preset, options, data, seed=asked.seed)
    except OptionError as error:
        raise UsageError(str(error)) from error
    return _Start(detector, preset, asked.seed, augment)


def _resumed(asked: Asked, options: dict[str, Any], data: "StillSet", device: str) -> _Start:
    """The detector to go on with; its file's options, split and augmentation stay as they are.

    So does its promise, where no other is asked for.
    """
    from models.augmentation import Augmentation
    from monitor.keeping import unfinished
    from monitor.stills.apart import part_in
    from monitor.stills.model import load_still_model

    path = unfinished(asked.out) if unfinished(asked.out).exists() else asked.out
    model = load_still_model(path, device)
    check_same(model.trained(), (model.preset, asked.preset), asked.detector, options, path)
    facts = model.provenance
    if not same_place(facts["data"], data.root) and not any(map(part_in(facts, data), data.train)):
        raise UsageError(
            f"--resume: {path} learned from {facts['data']}, of which there is no picture in "
            f"{data.root}: leave --resume out to start anew"
        )
    augment = Augmentation.parse(facts["augment"] if asked.augment is None else asked.augment)
    if model.calibration is not None:
        facts = facts | {SHARE: model.calibration.share}
    return _Start(model.trained(), model.preset, int(facts["seed"]), augment, facts)


def still_calibration_lines(model: "StillModel") -> list[str]:
    """What is promised, and how sure it is, in words."""
    found = model.calibration
    if found is None:
        return ["no threshold yet; run: oddwatch calibrate MODEL NORMAL_PICTURES"]
    first = (
        f"threshold {found.threshold:.4g} for a share of {found.share:g} false alarms, set on "
        f"{len(found.scores)} normal pictures that were kept apart"
    )
    return [first, *(f"  {text}" for text in found.notes)]


def still_calibration_json(model: "StillModel") -> dict[str, Any] | None:
    """The calibration without its scores; None where there is none."""
    if model.calibration is None:
        return None
    plain = model.calibration.to_dict()
    return {**plain, "scores": len(plain["scores"])}


def _as_json(model: "StillModel", out: Path, picture: Path | None) -> dict[str, Any]:
    return {
        "model": str(out),
        "detector": model.detector.name,
        "preset": model.preset,
        "losses": None if picture is None else str(picture),
        "provenance": model.provenance,
        "calibration": still_calibration_json(model),
    }


def _print_result(
    model: "StillModel", data: "StillSet", asked: Asked, picture: Path | None
) -> None:
    facts, counts = model.provenance, model.provenance["pictures"]
    apart = counts["calibration"] if model.calibration is None else len(model.calibration.scores)
    print(
        f"{model.detector.name} ({model.preset}) learned {facts['steps']:,} steps in "
        f"{facts['minutes']:.1f} minutes, from {counts['fit']:,} pictures ({counts['held_out']} "
        f"more for the scale of errors, {apart} for the threshold), "
        f"augmentation {facts['augment']}"
    )
    print_line(f"protocol: {facts['protocol']}")
    for line in [*still_calibration_lines(model), *(f"note: {text}" for text in facts["notes"])]:
        print_line(line)
    beside = "" if picture is None else f", losses in {picture}"
    print(f"saved to {asked.out} ({asked.out.stat().st_size / 2**20:.1f} MB){beside}")
    if facts["interrupted"]:
        print(f"stopped early; to go on: {_again(asked)}")
    print(f"next: {_next_command(data, asked)}")


def _again(asked: Asked) -> str:
    words = ["oddwatch", "train", asked.detector, asked.data, *_how(asked), "-o", str(asked.out)]
    return shlex.join([*words, "--resume"])


def _how(asked: Asked) -> list[str]:
    """How the data were asked to be taken."""
    named = {"--layout": asked.layout, "--protocol": asked.protocol, "--normal": asked.normal}
    return [word for name, value in named.items() if value is not None for word in (name, value)]


def _next_command(data: "StillSet", asked: Asked) -> str:
    model = str(asked.out)
    if data.test and data.test != data.train:
        folder = asked.out.with_name(f"{asked.out.stem}-scores")
        return shlex.join(["oddwatch", "score", model, asked.data, *_how(asked), "-o", str(folder)])
    return shlex.join(["oddwatch", "inspect", model, "PICTURE"])
