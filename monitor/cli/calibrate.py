"""`oddwatch calibrate`: set a model's thresholds anew, from normal footage of its camera."""

import shlex
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from monitor.cli.printing import print_json
from monitor.cli.progress import LongWork
from monitor.errors import UsageError

if TYPE_CHECKING:
    from monitor.model import Model


def calibrate(
    model: Annotated[Path, typer.Argument(metavar="MODEL", help="A file of oddwatch train.")],
    data: Annotated[
        str, typer.Argument(metavar="NORMAL_DATA", help="Normal footage that was not learned from.")
    ],
    *,
    false_alarms_per_day: Annotated[
        float, typer.Option(metavar="X", help="Alerts that normal footage may raise in a day.")
    ] = 24.0,
    out: Annotated[
        Path | None, typer.Option("-o", "--out", help="Write here and leave MODEL as it is.")
    ] = None,
    device: Annotated[str, typer.Option(help="auto, cpu or cuda.")] = "auto",
    layout: Annotated[
        str | None, typer.Option(help="Take the data for this layout instead of recognising it.")
    ] = None,
    strict: Annotated[
        bool, typer.Option("--strict", help="Stop at a frame that cannot be read.")
    ] = False,
    as_json: Annotated[bool, typer.Option("--json", help="For programs.")] = False,
) -> None:
    """Set the threshold for a stated rate of false alarms, from normal footage of this camera.

    \b
    Example:  oddwatch calibrate door.pt a-normal-day.mp4 --false-alarms-per-day 2
    """  # noqa: D301
    from monitor.datasets import open_data
    from monitor.model import check_writable, choose_device, load_model, save_model
    from monitor.pipeline import calibrate_model

    if not false_alarms_per_day > 0:
        raise UsageError(f"--false-alarms-per-day {false_alarms_per_day:g}: expected over 0")
    path = model if out is None else out
    loaded = load_model(model, choose_device(device))
    check_writable(path)
    footage = open_data(data, layout=layout, strict=strict)
    with LongWork() as work:
        calibrated = calibrate_model(
            loaded, footage, false_alarms_per_day=false_alarms_per_day, progress=work.frames
        )
    save_model(calibrated, path)
    if as_json:
        print_json({"model": str(path), "calibration": calibration_json(calibrated)})
        return
    for line in calibration_lines(calibrated):
        print(line)
    print(f"saved to {path}")
    print(f"next: oddwatch watch SOURCE --model {shlex.quote(str(path))} --headless")


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
