"""`oddwatch train`: learn from normal footage, calibrate, save."""

import shlex
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from monitor.cli.printing import print_json
from monitor.cli.progress import LongWork
from monitor.errors import UsageError

if TYPE_CHECKING:
    from models.detector import Budget, Detector, Step
    from monitor.datasets import DataSet
    from monitor.evaluation.plots import LossPoint
    from monitor.model import Model

DEFAULT_MINUTES = 10.0
MOST_POINTS = 4000  # of a loss curve: more than a picture has pixels across


def train(
    detector: Annotated[
        str, typer.Argument(metavar="DETECTOR", help="Its name; see: oddwatch detectors.")
    ],
    data: Annotated[
        str,
        typer.Argument(metavar="DATA", help="A data set, a folder of videos, or one normal video."),
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
    strict: Annotated[
        bool, typer.Option("--strict", help="Stop at a frame that cannot be read.")
    ] = False,
    false_alarms_per_day: Annotated[
        float, typer.Option(metavar="X", help="Alerts that normal footage may raise in a day.")
    ] = 24.0,
    as_json: Annotated[bool, typer.Option("--json", help="For programs.")] = False,
) -> None:
    """Learn what is normal from footage in which nothing odd happens; calibrate; save.

    A quarter of the footage is kept apart, for scales and for the threshold. Ctrl-C ends the
    learning early and keeps what was learned; --resume goes on.

    \b
    Examples:  oddwatch train frame_prediction data/ped2 --minutes 10 -o ped2.pt
               oddwatch train fusion NORMAL.mp4 -o door.pt
               oddwatch train frame_prediction data/ped2 -o big.pt --set size=240,360
    """  # noqa: D301
    from monitor.datasets import open_data
    from monitor.model import choose_device
    from monitor.pipeline import train_model

    budget = _budget(minutes, steps)
    if fps is not None and not fps > 0:
        raise UsageError(f"--fps {fps:g}: expected a number over 0")
    if not false_alarms_per_day > 0:
        raise UsageError(f"--false-alarms-per-day {false_alarms_per_day:g}: expected over 0")
    device = choose_device(device)
    options = _options(detector, settings or [])
    footage = open_data(data, layout=layout, strict=strict)
    started, preset = (
        _resumed(out, detector, preset, options, footage, device)
        if resume
        else _new(detector, preset or "lite", options, footage, seed)
    )
    curve = _Curve()
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
            false_alarms_per_day=false_alarms_per_day,
            path=out,
            log=log,
            progress=work.frames,
        )
    picture = curve.write(out)
    again = shlex.join(["oddwatch", "train", detector, data, "-o", str(out), "--resume"])
    if as_json:
        print_json(_as_json(model, out, picture))
    else:
        _print_result(model, footage, out, picture, data, again)


def _budget(minutes: float | None, steps: int | None) -> "Budget":
    from models.detector import Budget

    if minutes is not None and not minutes > 0:
        raise UsageError(f"--minutes {minutes:g}: expected a number over 0")
    if steps is not None and steps < 1:
        raise UsageError(f"--steps {steps}: expected a whole number over 0")
    if minutes is None and steps is None:
        minutes = DEFAULT_MINUTES
    return Budget(None if minutes is None else 60 * minutes, steps)


def _options(detector: str, settings: list[str]) -> dict[str, Any]:
    from models.errors import UnknownDetectorError
    from models.registry import kind_of
    from monitor.cli.settings import parse_settings

    try:
        return parse_settings(kind_of(detector).Config, settings)
    except UnknownDetectorError as error:
        raise UsageError(str(error)) from error


def _new(
    name: str, preset: str, options: dict[str, Any], data: "DataSet", seed: int
) -> "tuple[Detector, str]":
    from models.errors import OptionError
    from monitor.pipeline import new_detector

    try:
        return new_detector(name, preset, options, data, seed=seed), preset
    except OptionError as error:
        raise UsageError(str(error)) from error


def _resumed(
    out: Path,
    name: str,
    preset: str | None,
    options: dict[str, Any],
    data: "DataSet",
    device: str,
) -> "tuple[Detector, str]":
    """The detector to go on with; its file's options stay as they are."""
    from monitor.model import load_model
    from monitor.pipeline import unfinished

    path = unfinished(out) if unfinished(out).exists() else out
    model = load_model(path, device)
    found = model.detector
    if found.name != name:
        raise UsageError(
            f"--resume: {path} holds a {found.name}, not a {name}; name {found.name}, or leave "
            "--resume out to start anew"
        )
    if preset not in (None, model.preset):
        raise UsageError(f"--resume: {path} has preset {model.preset}, not {preset}; leave it out")
    for key, value in options.items():
        there = getattr(found.config, key)
        if there != value:
            raise UsageError(
                f"--resume: {path} has {key}={there}, not {value}; options cannot change on the "
                "way: leave --set out, or --resume to start anew"
            )
    for video in data.train[:1]:
        model.check_picture(video.size, f"--resume: {video.path}")
    return found, model.preset


class _Curve:
    """Losses for the picture; every second one is dropped whenever there are too many."""

    def __init__(self) -> None:
        self._points: list[LossPoint] = []
        self._every = 1

    def add(self, step: "Step") -> None:
        from monitor.evaluation.plots import LossPoint

        if step.index % self._every:
            return
        if not step.losses:  # a density has none
            return
        self._points.append(LossPoint(step.index, step.seconds, step.losses))
        if len(self._points) > MOST_POINTS:
            self._every *= 2
            self._points = [point for point in self._points if point.step % self._every == 0]

    def write(self, model: Path) -> Path | None:
        """The picture beside the model; None where there is nothing to draw."""
        from monitor.evaluation.plots import loss_curves
        from monitor.files import write_atomically

        if len(self._points) < 2:
            return None
        path = model.with_name(f"{model.stem}.losses.png")
        write_atomically(path, loss_curves(self._points))
        return path


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
        print(line)
    beside = "" if picture is None else f", losses in {picture}"
    print(f"saved to {out} ({out.stat().st_size / 2**20:.1f} MB){beside}")
    if facts["interrupted"]:
        print(f"stopped early; to go on: {again}")
    print(f"next: {_next_command(data, out, given)}")


def _next_command(data: "DataSet", out: Path, given: str) -> str:
    if data.test and data.test != data.train:
        folder = out.with_name(f"{out.stem}-scores")
        return shlex.join(["oddwatch", "score", str(out), given, "-o", str(folder)])
    return f"oddwatch watch SOURCE --model {shlex.quote(str(out))} --headless"
