"""`oddwatch calibrate`: set a model's thresholds anew, from normal footage of its camera."""

import shlex
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from monitor.cli.calibrate_labels import FromLabels, calibrate_from_labels
from monitor.cli.kinds import FOLDER_FPS, folder_rate, refuse_footage, refuse_options, refuse_stills
from monitor.cli.printing import print_json, print_line
from monitor.cli.progress import LongWork
from monitor.errors import UsageError

if TYPE_CHECKING:
    from monitor.model import Model
    from monitor.stills.model import StillModel


def calibrate(
    model: Annotated[
        Path, typer.Argument(metavar="MODEL", help="A file of oddwatch train or export.")
    ],
    data: Annotated[
        str | None, typer.Argument(metavar="NORMAL_DATA", help="Normal, and not learned from.")
    ] = None,
    *,
    from_labels: Annotated[
        str | None,
        typer.Option(
            metavar="STORE|FOLDER", help="Instead: alerts there that were called normal_here."
        ),
    ] = None,
    camera: Annotated[
        str | None, typer.Option(metavar="NAME", help="--from-labels: of this camera only.")
    ] = None,
    watched: Annotated[
        str | None,
        typer.Option(
            metavar="SPAN",
            help="--from-labels: time watched, 12 h or 90 d; else as the engine noted.",
        ),
    ] = None,
    false_alarms_per_day: Annotated[
        float | None,
        typer.Option(metavar="X", help="Alerts that normal footage may raise in a day; 24."),
    ] = None,
    false_alarm_share: Annotated[
        float | None,
        typer.Option(metavar="X", help="Stills: share of normal pictures called defective; 0.01."),
    ] = None,
    out: Annotated[
        Path | None, typer.Option("-o", "--out", help="Write here and leave MODEL as it is.")
    ] = None,
    device: Annotated[str, typer.Option(help="auto, cpu or cuda.")] = "auto",
    layout: Annotated[
        str | None, typer.Option(help="Take the data for this layout instead of recognising it.")
    ] = None,
    folder_fps: Annotated[float | None, typer.Option(metavar="FPS", help=FOLDER_FPS)] = None,
    strict: Annotated[
        bool, typer.Option("--strict", help="Stop at a frame that cannot be read.")
    ] = False,
    as_json: Annotated[bool, typer.Option("--json", help="For programs.")] = False,
) -> None:
    """Set the threshold for a stated rate of false alarms, from normal footage of this camera.

    A still-image model takes normal pictures, and the share of them that may be called defective.
    With --from-labels a threshold is raised, so that the rate that was promised would have held
    over the calibration's footage and the time watched since; alerts called true never move it.

    \b
    Examples:  oddwatch calibrate door.pt a-normal-day.mp4 --false-alarms-per-day 2
               oddwatch calibrate door.pt --from-labels oddwatch --camera door
               oddwatch calibrate bottle.pt good-bottles --false-alarm-share 0.005
    """  # noqa: D301
    from monitor.stills.model import StillModel, open_model

    for rate, name in (
        (false_alarms_per_day, "--false-alarms-per-day"),
        (false_alarm_share, "--false-alarm-share"),
    ):
        if rate is not None and not rate > 0:
            raise UsageError(f"{name} {rate:g}: expected over 0")
    labels = None if from_labels is None else FromLabels(from_labels, camera, watched)
    _check_ways(data, labels, (camera, watched), false_alarms_per_day)
    path = model if out is None else out
    loaded = open_model(model, device)
    stills = isinstance(loaded, StillModel)
    other = (
        {"--false-alarms-per-day": false_alarms_per_day, "--folder-fps": folder_fps}
        if stills
        else {"--false-alarm-share": false_alarm_share}
    )
    refuse_options(other, loaded.detector.name, stills=stills)
    wanted = Wanted(data or "", path, layout, folder_fps, strict)
    if labels is not None:
        lines, plain, then = _on_labels(loaded, model, path, labels)
    elif isinstance(loaded, StillModel):
        lines, plain, then = _on_stills(loaded, wanted, false_alarm_share)
    else:
        lines, plain, then = _on_video(loaded, wanted, false_alarms_per_day)
    if as_json:
        print_json({"model": str(path), "calibration": plain})
        return
    for line in lines:
        print_line(line)
    print(f"saved to {path}")
    print(f"next: {then}")


def _check_ways(
    data: str | None,
    labels: FromLabels | None,
    of_labels: tuple[str | None, ...],
    per_day: float | None,
) -> None:
    if (data is None) == (labels is None):
        found = "neither" if data is None else "both"
        raise UsageError(f"expected NORMAL_DATA or --from-labels STORE|FOLDER, got {found}")
    if labels is None and any(of_labels):
        raise UsageError("--camera and --watched go with --from-labels only; leave them out")
    if labels is not None and per_day is not None:
        raise UsageError(
            "--false-alarms-per-day: labels keep the rate that was promised; to promise another, "
            "calibrate on normal footage"
        )


def _on_labels(loaded: "Model | StillModel", file: Path, out: Path, labels: FromLabels) -> "Told":
    from monitor.stills.model import StillModel

    if isinstance(loaded, StillModel):
        raise UsageError(
            f"{file} holds {loaded.detector.name}, which judges still pictures: labels are of "
            "video; calibrate it on normal pictures"
        )
    return calibrate_from_labels(loaded, file, out, labels)


@dataclass(frozen=True)
class Wanted:
    """What is calibrated on, and where the model goes."""

    data: str
    path: Path
    layout: str | None
    folder_fps: float | None  # None: as the model learned, if that was stated
    strict: bool


Told = tuple[list[str], dict[str, Any] | None, str]  # lines, for programs, the next command


def _on_video(model: "Model", wanted: Wanted, per_day: float | None) -> Told:
    from monitor.datasets import open_data
    from monitor.model import check_writable, save_model
    from monitor.pipeline import FALSE_ALARMS_PER_DAY, calibrate_model

    refuse_stills(wanted.data, model.detector.name, wanted.layout)
    check_writable(wanted.path)
    footage = open_data(
        wanted.data,
        layout=wanted.layout,
        folder_rate_hz=folder_rate(wanted.folder_fps, model.folder_rate_hz),
        strict=wanted.strict,
    )
    rate = FALSE_ALARMS_PER_DAY if per_day is None else per_day
    with LongWork() as work:
        found = calibrate_model(model, footage, false_alarms_per_day=rate, progress=work.frames)
    save_model(found, wanted.path)
    then = f"oddwatch watch SOURCE --model {shlex.quote(str(wanted.path))} --headless"
    return calibration_lines(found), calibration_json(found), then


def _on_stills(model: "StillModel", wanted: Wanted, share: float | None) -> Told:
    from monitor.cli.train_stills import (
        check_share,
        still_calibration_json,
        still_calibration_lines,
    )
    from monitor.model import check_writable
    from monitor.stills.apart import open_again
    from monitor.stills.model import save_still_model
    from monitor.stills.pipeline import calibrate_stills

    share = check_share(share)
    refuse_footage(wanted.data, model.detector.name, wanted.layout)
    check_writable(wanted.path)
    data = open_again(model.provenance, wanted.data, layout=wanted.layout, strict=wanted.strict)
    with LongWork() as work:
        found = calibrate_stills(
            model, data, false_alarm_share=share, strict=wanted.strict, progress=work.pictures
        )
    save_still_model(found, wanted.path)
    then = shlex.join(["oddwatch", "inspect", str(wanted.path), "PICTURE"])
    return still_calibration_lines(found), still_calibration_json(found), then


def calibration_lines(model: "Model") -> list[str]:
    """What is promised, and how sure it is, in words."""
    found = model.calibration
    if found is None:
        return ["no threshold yet; run: oddwatch calibrate MODEL NORMAL_DATA"]
    first = (
        f"threshold {found.rule.enter:.4g} for {found.promised_per_day:g} false alarms per day, "
        f"set on {found.footage_s / 60:.1f} minutes of normal footage that was kept apart"
    )
    return [first, *(f"  {text}" for text in found.notes)]


def calibration_json(model: "Model") -> dict[str, Any] | None:
    """The calibration without its thousands of scores; None where there is none."""
    if model.calibration is None:
        return None
    plain = model.calibration.to_dict()
    del plain["scores"]
    return plain
