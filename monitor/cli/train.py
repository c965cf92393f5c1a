"""`oddwatch train`: learn from normal footage, calibrate, save."""

import shlex
from math import isclose
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from monitor.cli.kinds import FOLDER_FPS, folder_rate, refuse_options, refuse_stills, takes_stills
from monitor.cli.learning import (
    CACHE_GB,
    DEFAULT_MINUTES,
    Curve,
    budget_of,
    cache_of,
    check_same,
    options_of,
)
from monitor.cli.printing import print_json, print_line
from monitor.cli.progress import LongWork
from monitor.errors import UsageError

if TYPE_CHECKING:
    from models.detector import Detector, Step
    from monitor.datasets import DataSet
    from monitor.model import Model

FALSE_ALARMS_PER_DAY = 24.0  # as monitor.pipeline has it, which takes its time to import
PER_DAY = "false_alarms_per_day"  # in a model's provenance
SAME_RATE = 1e-3  # 29.97 is asked for where there are 30000/1001


def train(
    detector: Annotated[
        str, typer.Argument(metavar="DETECTOR", help="Its name; see: oddwatch detectors.")
    ],
    data: Annotated[
        str,
        typer.Argument(metavar="DATA", help="A data set, videos or pictures; all normal."),
    ],
    *,
    out: Annotated[Path, typer.Option("-o", "--out", metavar="MODEL", help="File to write.")],
    preset: Annotated[
        str | None, typer.Option(help="lite (the default) for live use, paper as published.")
    ] = None,
    minutes: Annotated[
        float | None,
        typer.Option(help=f"Learn so long; {DEFAULT_MINUTES:g} unless --steps is given."),
    ] = None,
    steps: Annotated[int | None, typer.Option(help="Learn so many steps.")] = None,
    settings: Annotated[
        list[str] | None,
        typer.Option("--set", metavar="KEY=VALUE", help="Change an option of the detector."),
    ] = None,
    device: Annotated[str, typer.Option(help="auto, cpu or cuda.")] = "auto",
    resume: Annotated[
        bool, typer.Option("--resume", help="Go on with MODEL, or its unfinished training.")
    ] = False,
    seed: Annotated[int, typer.Option(help="The same seed and steps: the same model (CPU).")] = 0,
    fps: Annotated[
        float | None, typer.Option(help="Learn at so many frames per second, not all there are.")
    ] = None,
    layout: Annotated[
        str | None, typer.Option(help="Take DATA for this layout instead of recognising it.")
    ] = None,
    folder_fps: Annotated[float | None, typer.Option(metavar="FPS", help=FOLDER_FPS)] = None,
    strict: Annotated[
        bool, typer.Option("--strict", help="Stop at a frame that cannot be read.")
    ] = False,
    false_alarms_per_day: Annotated[
        float | None,
        typer.Option(
            metavar="X",
            help=f"Alerts that normal footage may raise in a day; {FALSE_ALARMS_PER_DAY:g}.",
        ),
    ] = None,
    false_alarm_share: Annotated[
        float | None,
        typer.Option(metavar="X", help="Stills: share of normal pictures called defective; 0.01."),
    ] = None,
    augment: Annotated[
        str | None,
        typer.Option(
            metavar="HOW",
            help="Stills: vary what is learned from, flip=h,turn=5,shift=0.02,light=0.05, or none.",
        ),
    ] = None,
    protocol: Annotated[
        str | None,
        typer.Option(help="Stills: one-normal:CLASS or one-abnormal:CLASS, of class folders."),
    ] = None,
    normal: Annotated[
        str | None, typer.Option(metavar="CLASS", help="Stills: short for one-normal:CLASS.")
    ] = None,
    cache_gb: Annotated[
        float, typer.Option(metavar="GB", help="Of decoded frames kept for later; 0: none.")
    ] = CACHE_GB,
    as_json: Annotated[bool, typer.Option("--json", help="For programs.")] = False,
) -> None:
    """Learn what is normal from footage or pictures in which nothing is odd; calibrate; save.

    A part, about a quarter, is kept apart, for scales and for the threshold. Ctrl-C ends the
    learning early and keeps what was learned; --resume goes on. Frames are kept as the detector
    takes them in the user's cache folder; later epochs, and what later trainings learn from, are
    not decoded again.

    By several processes, one for each GPU: torchrun --nproc-per-node N -m monitor train ...

    \b
    Examples:  oddwatch train frame_prediction data/ped2 --minutes 10 -o ped2.pt
               oddwatch train fusion NORMAL.mp4 -o door.pt
               oddwatch train frame_prediction data/ped2 -o big.pt --set size=240,360
               oddwatch train nsa data/bottle -o bottle.pt
    """  # noqa: D301
    of_stills = {
        "--false-alarm-share": false_alarm_share,
        "--augment": augment,
        "--protocol": protocol,
        "--normal": normal,
    }
    if takes_stills(detector):
        from monitor.cli.train_stills import Asked, train_on_stills

        of_video = {
            "--fps": fps,
            "--folder-fps": folder_fps,
            "--false-alarms-per-day": false_alarms_per_day,
        }
        refuse_options(of_video, detector, stills=True)
        train_on_stills(
            Asked(
                detector, data, out, preset, minutes, steps, settings or [], device, resume, seed,
                layout, strict, false_alarm_share, augment, protocol, normal, cache_gb, as_json,
            )
        )  # fmt: skip
        return
    refuse_options(of_stills, detector, stills=False)
    refuse_stills(data, detector, layout)
    from models.ranks import is_first
    from monitor.datasets import open_data
    from monitor.model import choose_device
    from monitor.pipeline import train_model

    budget = budget_of(minutes, steps)
    if fps is not None and not fps > 0:
        raise UsageError(f"--fps {fps:g}: expected a number over 0")
    if false_alarms_per_day is not None and not false_alarms_per_day > 0:
        raise UsageError(f"--false-alarms-per-day {false_alarms_per_day:g}: expected over 0")
    cache = cache_of(cache_gb)
    device = choose_device(device)
    options = options_of(detector, settings or [])
    there = _resumed(out, detector, preset, options, device) if resume else None
    folder_fps = folder_rate(folder_fps, there.folder_rate_hz if there else None)
    footage = open_data(data, layout=layout, folder_rate_hz=folder_fps, strict=strict)
    started, preset, earlier = (
        _new(detector, preset or "lite", options, footage, seed)
        if there is None
        else _going_on(there, footage, fps, out)
    )
    per_day = false_alarms_per_day or (earlier or {}).get(PER_DAY, FALSE_ALARMS_PER_DAY)
    curve = Curve()
    with LongWork() as work:

        def log(step: "Step") -> None:
            curve.add(step)
            work.step(step)

        model = train_model(
            started.to(device),
            footage,
            budget=budget,
            seed=seed,
            preset=preset,
            rate_hz=fps,
            false_alarms_per_day=per_day,
            path=out,
            earlier=earlier,
            cache=cache,
            log=log,
            progress=work.frames,
        )
    if not is_first():
        return
    picture = curve.write(out)
    again = shlex.join(["oddwatch", "train", detector, data, "-o", str(out), "--resume"])
    if as_json:
        print_json(_as_json(model, out, picture))
    else:
        _print_result(model, footage, out, picture, data, again)


def _new(
    name: str, preset: str, options: dict[str, Any], data: "DataSet", seed: int
) -> "tuple[Detector, str, None]":
    from models.errors import OptionError
    from monitor.pipeline import new_detector

    try:
        return new_detector(name, preset, options, data, seed=seed), preset, None
    except OptionError as error:
        raise UsageError(str(error)) from error


def _resumed(
    out: Path,
    name: str,
    preset: str | None,
    options: dict[str, Any],
    device: str,
) -> "Model":
    """The model to go on with; its options stay as they are."""
    from monitor.keeping import unfinished
    from monitor.model import load_model

    path = unfinished(out) if unfinished(out).exists() else out
    model = load_model(path, device)
    check_same(model.trained(), (model.preset, preset), name, options, path)
    return model


def _going_on(
    model: "Model", data: "DataSet", fps: float | None, out: Path
) -> "tuple[Detector, str, dict[str, Any]]":
    """Its detector, preset and origin.

    Its rate stays as it is, and its promise where no other is asked for.
    """
    for video in data.train[:1]:
        model.check_picture(video.size, f"--resume: {video.path}")
    if fps is not None:
        _check_rate(fps, model.rate_hz, data, out)
    earlier = model.provenance
    if model.calibration is not None:
        earlier = earlier | {PER_DAY: model.calibration.promised_per_day}
    return model.trained(), model.preset, earlier


def _check_rate(fps: float, there_hz: float | None, data: "DataSet", path: Path) -> None:
    """Refuse to go on at another rate: nothing would tell what was fast at which."""
    from monitor.footage import find_footage

    asked_hz = find_footage(data, fps).rate_hz or fps
    if there_hz is None or not isclose(asked_hz, there_hz, rel_tol=SAME_RATE):
        there = "at the pictures' own rate" if there_hz is None else f"{there_hz:g} per second"
        raise UsageError(
            f"--resume: {path} learned {there}, not {asked_hz:g}; the rate cannot change on the "
            "way: leave --fps out, or --resume to start anew"
        )


def _as_json(model: "Model", out: Path, picture: Path | None) -> dict[str, Any]:
    from monitor.cli.calibrate import calibration_json

    return {
        "model": str(out),
        "detector": model.detector.name,
        "preset": model.preset,
        "losses": None if picture is None else str(picture),
        "provenance": model.provenance,
        "calibration": calibration_json(model),
    }


def _print_result(
    model: "Model", data: "DataSet", out: Path, picture: Path | None, given: str, again: str
) -> None:
    from monitor.cli.calibrate import calibration_lines

    facts = model.provenance
    learned_s, frames = facts["seconds"]["fit"], facts["frames"]["fit"]
    print(
        f"{model.detector.name} ({model.preset}) learned {facts['steps']:,} steps in "
        f"{facts['minutes']:.1f} minutes, from {frames:,} frames ({learned_s / 60:.1f} minutes) "
        f"of {facts['videos']} video{'s' * (facts['videos'] != 1)}"
    )
    for line in [*calibration_lines(model), *(f"note: {text}" for text in facts["notes"])]:
        print_line(line)
    beside = "" if picture is None else f", losses in {picture}"
    print(f"saved to {out} ({out.stat().st_size / 2**20:.1f} MB){beside}")
    if facts["interrupted"]:
        print(f"stopped early; to go on: {again}")
    print(f"next: {_next_command(model, data, out, given)}")


def _next_command(model: "Model", data: "DataSet", out: Path, given: str) -> str:
    if data.test and data.test != data.train:
        folder = out.with_name(f"{out.stem}-scores")
        return shlex.join(["oddwatch", "score", str(out), given, "-o", str(folder)])
    if model.calibration is None:
        return f"oddwatch calibrate {shlex.quote(str(out))} NORMAL_DATA"
    return f"oddwatch watch SOURCE --model {shlex.quote(str(out))} --headless"
