"""`oddwatch bench`: what this machine can carry."""

from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from monitor.addresses import public_address
from monitor.cli.one_camera import is_camera
from monitor.cli.printing import print_json, print_table
from monitor.errors import UsageError

if TYPE_CHECKING:
    from monitor.benching import Bench, Speed

RATES_HZ = (2.0, 5.0)
UNDER_MS = 1000.0


def bench(
    *,
    model: Annotated[
        Path | None, typer.Option("--model", "-m", help="A file of oddwatch train or export.")
    ] = None,
    video: Annotated[
        str | None,
        typer.Option(metavar="FILE", help="One like your cameras'; the demo's without."),
    ] = None,
    rate_hz: Annotated[
        list[float] | None,
        typer.Option("--rate", metavar="R", min=0.01, help="Scored frames per second; 2 and 5."),
    ] = None,
    under_ms: Annotated[
        float,
        typer.Option("--under", metavar="L", min=1, help="Milliseconds from frame to score."),
    ] = UNDER_MS,
    exports: Annotated[
        bool | None,
        typer.Option(
            help="Also measure as it would be exported; without --model, every detector (minutes)."
        ),
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="For programs.")] = False,
) -> None:
    """Measure decoding, resizing and scoring, and say how many cameras that comes to.

    Each runtime that is installed is measured, at each precision; without --model, every video
    detector on torch. Cameras are like the video, each with every frame decoded, as many looked at
    for motion and faults as the model learned of a second, and R scored, none later than L
    milliseconds after it came. Whatever else runs on the machine
    makes it slower while it is measured.

    \b
    Examples:  oddwatch bench
               oddwatch bench --model door.oddwatch --rate 5 --under 500
               oddwatch bench --model door.pt --video a-minute-of-it.mp4 --json
    """  # noqa: D301
    from monitor.benching import bench as measure
    from monitor.benching import cameras
    from monitor.cli.progress import LongWork
    from monitor.stills.model import open_model

    clip = Path(__file__).parents[1] / "demo" / "highway.mp4" if video is None else _file(video)
    loaded = None if model is None else open_model(model, "cpu")
    with LongWork():
        found = measure(loaded, clip, exports=model is not None if exports is None else exports)
    rates = rate_hz or list(RATES_HZ)
    carried = [
        {rate: cameras(found, speed, rate, under_ms) for rate in rates} for speed in found.speeds
    ]
    if as_json:
        print_json(_plain(found, carried, under_ms))
        return
    _tell(found, carried, under_ms)


def _file(video: str) -> Path:
    """What is measured is decoding at full speed, which no camera allows."""
    if is_camera(video):
        raise UsageError(
            f"--video {public_address(video)}: expected a file, got a camera, whose frames come no "
            "faster than it takes them: record a minute of it, and give that"
        )
    return Path(video.removeprefix("file://"))


Carried = list[dict[float, int]]  # for each speed, at each rate


def _tell(found: "Bench", carried: Carried, under_ms: float) -> None:
    height, width = found.size
    print(
        f"{found.cores} processors; {found.video}, {width}x{height} at {found.rate_hz:.3g} frames "
        "per second"
    )
    rows = [
        ["decode a frame", *_cost(found.decode.wall_s, found.decode.cpu_s)],
        ["watch it", *_cost(found.watch.wall_s, found.watch.cpu_s)],
    ]
    resized = {speed.detector: speed.resize for speed in found.speeds}
    rows += [
        [f"resize it for {name}", *_cost(cost.wall_s, cost.cpu_s)] for name, cost in resized.items()
    ]
    rows += [
        [f"score a clip, {_named(speed)}", *_cost(speed.cost.wall_s, speed.cost.cpu_s)]
        for speed in found.speeds
        if not speed.failed
    ]
    if found.end_to_end is not None:
        whole = found.end_to_end
        rows.append(["all of it, a frame of the file", *_cost(whole.wall_s, whole.cpu_s)])
    print_table(("", "ms", "CPU ms", "per second"), rows)
    for speed in found.speeds:
        if speed.failed:
            print(f"{_named(speed)} could not be measured: {speed.failed}")
    counted = [
        [_named(speed), *map(str, rates.values())]
        for speed, rates in zip(found.speeds, carried, strict=True)
        if not speed.failed
    ]
    heads = [f"{rate:g} a second" for rate in carried[0]]
    print(f"cameras that it carries, scored within {under_ms:g} ms:")
    print_table(("", *heads), counted)


def _named(speed: "Speed") -> str:
    return f"{speed.detector}, {speed.runtime} {speed.precision}"


def _cost(wall_s: float, cpu_s: float) -> tuple[str, str, str]:
    return f"{1e3 * wall_s:.2f}", f"{1e3 * cpu_s:.2f}", f"{1 / max(wall_s, 1e-9):,.0f}"


def _plain(found: "Bench", carried: Carried, under_ms: float) -> dict[str, Any]:
    plain = asdict(found) | {"under_ms": under_ms}
    for speed, rates in zip(plain["speeds"], carried, strict=True):
        speed["cameras"] = {f"{rate:g}": count for rate, count in rates.items()}
    return plain
