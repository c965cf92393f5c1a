"""`oddwatch check`: what is wrong with data or a camera, before time is spent on it."""

import time
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Annotated

import typer

from monitor.cli.printing import print_json
from monitor.cli.quiet import quiet_sources
from monitor.errors import SourceError, UsageError

if TYPE_CHECKING:
    from monitor.datasets.doctor import Diagnosis, SplitCounts
    from monitor.sources import Source

PROBE_S = 3.0  # of looking at a camera: its rate to a few per cent
PROBE_FRAMES = 300  # a file on a web server comes as fast as the network


@dataclass(frozen=True, slots=True)
class Probe:
    """What a camera or an address gave when it was looked at."""

    name: str
    live: bool
    width: int
    height: int
    rate_announced_hz: float | None
    rate_measured_hz: float | None  # by the frames' own clock; None: too few came
    first_frame_s: float  # from the asking to the first frame
    frames: int
    lost: int
    fault: str  # why it stopped; empty: it did not


def check(
    data: Annotated[
        str, typer.Argument(metavar="PATH|URL|CAMERA", help="A data set, a video or a camera.")
    ],
    full: Annotated[
        bool, typer.Option("--full", help="Decode every frame, not three of each clip.")
    ] = False,
    layout: Annotated[
        str | None, typer.Option(help="Take it for this layout instead of recognising it.")
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="For programs.")] = False,
) -> None:
    """Examine data or a camera.

    Says what a data set, a video or a camera holds, what is wrong with it, and whether training and
    scoring will work. The exit status is 0 where training or scoring will work, else 1.

    \b
    Examples:  oddwatch check data/ped2 --full
               oddwatch check rtsp://camera/stream
    """  # noqa: D301
    from monitor.sources import is_device

    refuse_config(data)
    with quiet_sources():
        if is_device(data) or ("://" in data and not data.startswith("file://")):
            works = _check_camera(data, as_json=as_json)
        else:
            works = _check_data(data.removeprefix("file://"), full, layout, as_json=as_json)
    if not works:
        raise typer.Exit(1)


def refuse_config(source: str) -> None:
    """A configuration is understood as one, and not taken for a broken video.

    Raises:
        UsageError: If it is one.
    """
    if source.endswith(".toml"):
        raise UsageError(
            f"{source}: configuration files are not read by this version; "
            "name the sources themselves"
        )


def _check_data(data: str, full: bool, layout: str | None, *, as_json: bool) -> bool:
    from monitor.datasets.doctor import examine

    diagnosis = examine(data, full=full, layout=layout)
    if as_json:
        print_json(diagnosis.as_dict())
    else:
        _print_diagnosis(diagnosis, full=full)
    return diagnosis.will_train or diagnosis.will_score


def _print_diagnosis(found: "Diagnosis", *, full: bool) -> None:
    layout = f"layout {found.layout}" if found.layout else "no known layout"
    print(f"{found.name}: {layout}")
    _print_split("training", found.train)
    _print_split("test", found.test)
    if found.label_source:
        print(f"  truth     {found.label_source}")
    for finding in found.findings:
        place = "" if finding.path in finding.text or finding.severity == "info" else finding.path
        print(f"  {finding.severity:<8}  {finding.text}{f' ({place})' if place else ''}")
    looked = " (every frame was decoded)" if full else " (a sample was decoded; --full decodes all)"
    words = [
        f"{what} will {'work' if works else 'not work'}"
        for what, works in (("training", found.will_train), ("scoring", found.will_score))
    ]
    print(f"  verdict   {', '.join(words)}{looked if found.layout else ''}")


def _print_split(name: str, counts: "SplitCounts") -> None:
    if not counts.clips:
        return
    parts = [_count(counts.clips, "clip"), _count(counts.frames, "frame")]
    parts += [f"{width}x{height}" for height, width in counts.sizes]
    parts += [f"{rate:g} per second" for rate in counts.rates_hz]
    if counts.labelled_frames:
        share = counts.anomalous_frames / counts.labelled_frames
        parts.append(f"{counts.labelled_frames:,} labelled, {share:.1%} of them anomalous")
    print(f"  {name:<8}  {', '.join(parts)}")


def _count(number: int, noun: str) -> str:
    return f"{number:,} {noun}{'' if number == 1 else 's'}"


def _check_camera(address: str, *, as_json: bool) -> bool:
    from monitor.sources import open_source

    began = time.monotonic()
    with open_source(address) as source:
        probe = _probe(source, began)
    if as_json:
        print_json(asdict(probe))
    else:
        _print_probe(probe)
    return not probe.fault


def _probe(source: "Source", began: float) -> Probe:
    """Take frames for some seconds, or some hundreds of them."""
    times_s: list[float] = []
    first_s, fault = 0.0, ""
    try:
        for frame in source.frames(0, PROBE_FRAMES):
            now = time.monotonic()
            first_s = first_s or now - began
            times_s.append(frame.time_s)
            if now - began - first_s > PROBE_S:
                break
    except SourceError as error:
        fault = str(error)
    span_s = times_s[-1] - times_s[0] if times_s else 0.0
    return Probe(
        name=source.name,
        live=source.live,
        width=source.size[1],
        height=source.size[0],
        rate_announced_hz=source.rate_hz,
        rate_measured_hz=(len(times_s) - 1) / span_s if span_s > 0 else None,
        first_frame_s=first_s,
        frames=len(times_s),
        lost=len(source.corrupt),
        fault=fault,
    )


def _print_probe(probe: Probe) -> None:
    print(f"{probe.name}: {'live' if probe.live else 'a file on a server'}")
    print(f"  size      {probe.width}x{probe.height}")
    for name, rate in (("says", probe.rate_announced_hz), ("gave", probe.rate_measured_hz)):
        if rate is not None:
            print(f"  {name}      {rate:.2f} frames per second")
    print(f"  first     frame after {probe.first_frame_s:.2f} s")
    print(f"  lost      {probe.lost} of {probe.frames + probe.lost} frames")
    print(f"  verdict   {probe.fault or 'it can be watched'}")
