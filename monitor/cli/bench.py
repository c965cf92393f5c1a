"""`oddwatch bench`: what this machine can carry."""

from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from monitor.cli.printing import print_json, print_table

if TYPE_CHECKING:
    from monitor.benching import Bench, Speed

RATES_HZ = (2.0, 5.0)


def bench(
    *,
    model: Annotated[
        Path | None, typer.Option("--model", "-m", help="A file of oddwatch train or export.")
    ] = None,
    video: Annotated[
        Path | None, typer.Option(help="One like your cameras'; the demo's without.")
    ] = None,
    rate_hz: Annotated[
        list[float] | None,
        typer.Option("--rate", metavar="R", min=0.01, help="Scored frames per second; 2 and 5."),
    ] = None,
    exports: Annotated[
        bool, typer.Option(help="Also measure a trained model as it would be exported.")
    ] = True,
    as_json: Annotated[bool, typer.Option("--json", help="For programs.")] = False,
) -> None:
    """Measure decoding, resizing and scoring, and say how many cameras that comes to.

    Each runtime that is installed is measured, at each precision. Cameras are like the video, each
    with every frame decoded and R frames per second scored. Whatever else runs on the machine
    makes it slower while it is measured.

    \b
    Examples:  oddwatch bench
               oddwatch bench --model door.oddwatch --rate 5
               oddwatch bench --model door.pt --video a-minute-of-it.mp4 --json
    """  # noqa: D301
    from monitor.benching import bench as measure
    from monitor.benching import cameras
    from monitor.cli.progress import LongWork
    from monitor.stills.model import open_model

    clip = video or Path(__file__).parents[1] / "demo" / "highway.mp4"
    loaded = None if model is None else open_model(model, "cpu")
    with LongWork():
        found = measure(loaded, clip, exports=exports)
    rates = rate_hz or list(RATES_HZ)
    carried = {
        (speed.runtime, speed.precision): {rate: cameras(found, speed, rate) for rate in rates}
        for speed in found.speeds
    }
    if as_json:
        print_json(_plain(found, carried))
        return
    _tell(found, carried)


Carried = dict[tuple[str, str], dict[float, int]]


def _tell(found: "Bench", carried: Carried) -> None:
    height, width = found.size
    print(
        f"{found.cores} processors; {found.video}, {width}x{height} at {found.rate_hz:.3g} frames "
        "per second"
    )
    rows = [["decode a frame", *_cost(found.decode.wall_s, found.decode.cpu_s)]]
    if found.resize is not None:
        rows.append(["resize a frame", *_cost(found.resize.wall_s, found.resize.cpu_s)])
    rows += [
        [
            f"score a clip, {speed.runtime} {speed.precision}",
            *(("-", "-", "-") if speed.failed else _cost(*_pair(speed))),
        ]
        for speed in found.speeds
    ]
    if found.end_to_end is not None:
        whole = found.end_to_end
        rows.append(["all of it, a frame of the file", *_cost(whole.wall_s, whole.cpu_s)])
    print_table(("", "ms", "CPU ms", "per second"), rows)
    for speed in found.speeds:
        if speed.failed:
            print(f"{speed.runtime} {speed.precision} could not be measured: {speed.failed}")
    failed = {(speed.runtime, speed.precision) for speed in found.speeds if speed.failed}
    for (runtime, precision), rates in carried.items():
        if (runtime, precision) in failed:
            continue
        said = ", ".join(f"{count} at {rate:g} scored a second" for rate, count in rates.items())
        print(f"cameras by {runtime} {precision}: {said}")
    if not found.speeds:
        print("name a model with --model to measure scoring, and what cameras it comes to")


def _pair(speed: "Speed") -> tuple[float, float]:
    return speed.cost.wall_s, speed.cost.cpu_s


def _cost(wall_s: float, cpu_s: float) -> tuple[str, str, str]:
    return f"{1e3 * wall_s:.2f}", f"{1e3 * cpu_s:.2f}", f"{1 / max(wall_s, 1e-9):,.0f}"


def _plain(found: "Bench", carried: Carried) -> dict[str, Any]:
    plain = asdict(found)
    for speed in plain["speeds"]:
        rates = carried[speed["runtime"], speed["precision"]]
        speed["cameras"] = {f"{rate:g}": count for rate, count in rates.items()}
    return plain
