"""`oddwatch check`: what is wrong with data or a camera, before time is spent on it."""

import time
from contextlib import closing
from dataclasses import asdict, dataclass
from difflib import get_close_matches
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from monitor.cli.kinds import FOLDER_FPS
from monitor.cli.printing import print_json, print_line
from monitor.cli.quiet import quiet_sources
from monitor.errors import SourceError, UsageError
from monitor.names import counted

if TYPE_CHECKING:
    from monitor.datasets import DataSet
    from monitor.datasets.doctor import Diagnosis, Room, SplitCounts
    from monitor.sources import Source
    from monitor.stills.doctor import StillCounts, StillDiagnosis

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
        str,
        typer.Argument(
            metavar="PATH|CONFIG|URL",
            help="A data set, a video, pictures, a camera or a configuration.",
        ),
    ],
    *,
    full: Annotated[
        bool,
        typer.Option("--full", help="Decode every frame, not three of each clip or kind."),
    ] = False,
    layout: Annotated[
        str | None, typer.Option(help="Take it for this layout instead of recognising it.")
    ] = None,
    folder_fps: Annotated[float | None, typer.Option(metavar="FPS", help=FOLDER_FPS)] = None,
    protocol: Annotated[
        str | None,
        typer.Option(
            metavar="ROLES", help="Pictures in classes: one-normal:CLASS or one-abnormal:CLASS."
        ),
    ] = None,
    probe: Annotated[
        bool, typer.Option("--probe", help="Of a configuration: connect to its cameras.")
    ] = False,
    as_json: Annotated[bool, typer.Option("--json", help="For programs.")] = False,
) -> None:
    """Examine data, a camera or a configuration.

    Says what a data set, a video or a camera holds, what is wrong with it, and whether training and
    scoring will work. A folder that directly holds pictures is taken for the frames of a video;
    --layout plain takes them for single pictures. The exit status is 0 where training or scoring
    will work, else 1.

    \b
    Examples:  oddwatch check data/ped2 --full
               oddwatch check data/bottle
               oddwatch check data/cifar --protocol one-normal:cat
               oddwatch check rtsp://camera/stream
               oddwatch check watch.toml --probe
    """  # noqa: D301
    from monitor.sources import is_device

    with quiet_sources():
        if data.endswith(".toml"):
            from monitor.cli.check_config import check_config

            works = check_config(Path(data), probe=probe, as_json=as_json)
        elif is_device(data) or ("://" in data and not data.startswith("file://")):
            works = _check_camera(data, as_json=as_json)
        else:
            path = data.removeprefix("file://")
            if _are_stills(path, layout, protocol):
                works = _check_stills(path, full, layout, protocol, as_json=as_json)
            else:
                works = _check_data(path, full, layout, folder_fps, as_json=as_json)
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


def _are_stills(data: str, layout: str | None, protocol: str | None) -> bool:
    """By the layout that is asked for, or else by what is there.

    Raises:
        UsageError: If neither half knows the layout.
    """
    from monitor.datasets import LAYOUTS
    from monitor.stills.opening import LAYOUTS as STILLS
    from monitor.stills.opening import is_stills

    if layout is None:
        return protocol is not None or is_stills(Path(data))
    if layout not in LAYOUTS and layout not in STILLS:
        known = [*LAYOUTS, *STILLS]
        near = get_close_matches(layout, known, n=1)
        hint = f"; did you mean {near[0]}?" if near else ""
        raise UsageError(f"layout {layout}: not known; known are {', '.join(known)}{hint}")
    return layout in STILLS


def _check_stills(
    data: str, full: bool, layout: str | None, protocol: str | None, *, as_json: bool
) -> bool:
    from monitor.stills.doctor import examine_stills

    diagnosis = examine_stills(data, full=full, layout=layout, protocol=protocol)
    if as_json:
        print_json(diagnosis.as_dict())
    else:
        _print_stills(diagnosis, full=full)
    return diagnosis.will_train or diagnosis.will_score


def _print_stills(found: "StillDiagnosis", *, full: bool) -> None:
    _print_head(found)
    if found.protocol:
        print_line(f"  protocol  {found.protocol}")
    _print_pictures("training", found.train)
    _print_pictures("test", found.test)
    looked = "every picture was" if full else "three pictures of each kind were"
    _print_findings(found, f" ({looked} decoded{'' if full else '; --full decodes all'})")


def _print_pictures(name: str, counts: "StillCounts") -> None:
    if not counts.pictures:
        return
    parts = [counted(counts.pictures, "picture")]
    parts += [f"{width}x{height}" for height, width in counts.sizes[:4]]
    if len(counts.kinds) > 1:
        parts.append(", ".join(f"{kind} {number}" for kind, number in counts.kinds.items()))
    if counts.anomalous:
        share = counts.anomalous / counts.labelled
        parts.append(f"{counts.labelled:,} labelled, {share:.1%} of them anomalous")
    if counts.masks:
        parts.append(counted(counts.masks, "mask"))
    print_line(f"  {name:<8}  {', '.join(parts)}")


def _check_data(
    data: str, full: bool, layout: str | None, folder_fps: float | None, *, as_json: bool
) -> bool:
    from monitor.datasets.doctor import examine

    diagnosis = examine(data, full=full, layout=layout, folder_rate_hz=folder_fps, room=_room)
    if as_json:
        print_json(diagnosis.as_dict())
    else:
        _print_diagnosis(diagnosis, full=full)
    return diagnosis.will_train or diagnosis.will_score


def _print_diagnosis(found: "Diagnosis", *, full: bool) -> None:
    _print_head(found)
    _print_split("training", found.train)
    _print_split("test", found.test)
    looked = " (every frame was decoded)" if full else " (a sample was decoded; --full decodes all)"
    _print_findings(found, looked)


def _print_head(found: "Diagnosis | StillDiagnosis") -> None:
    layout = f"layout {found.layout}" if found.layout else "no known layout"
    print_line(f"{found.name}: {layout}")


def _print_findings(found: "Diagnosis | StillDiagnosis", looked: str) -> None:
    if found.label_source:
        print_line(f"  truth     {found.label_source}")
    for finding in found.findings:
        place = "" if finding.path in finding.text or finding.severity == "info" else finding.path
        print_line(f"  {finding.severity:<8}  {finding.text}{f' ({place})' if place else ''}")
    words = [
        f"{what} will {'work' if works else 'not work'}"
        for what, works in (("training", found.will_train), ("scoring", found.will_score))
    ]
    print_line(f"  verdict   {', '.join(words)}{looked if found.layout else ''}")


def _print_split(name: str, counts: "SplitCounts") -> None:
    if not counts.clips:
        return
    parts = [counted(counts.clips, "clip"), counted(counts.frames, "frame")]
    parts += [f"{width}x{height}" for height, width in counts.sizes]
    parts += [f"{rate:g} per second" for rate in counts.rates_hz]
    if counts.labelled_frames:
        share = counts.anomalous_frames / counts.labelled_frames
        parts.append(f"{counts.labelled_frames:,} labelled, {share:.1%} of them anomalous")
    print_line(f"  {name:<8}  {', '.join(parts)}")


def _room(data: "DataSet", span: int) -> "Room":
    """What training has of this footage, parted and at the rate that it takes."""
    from monitor.datasets.doctor import Room
    from monitor.footage import find_footage
    from monitor.training import gives_threshold, longest_taken, split_normal

    footage = find_footage(data, live=True)
    rate_hz = footage.rate_hz
    parts = split_normal(footage.videos, span=span, rate_hz=rate_hz)
    frames = min(longest_taken(part, rate_hz) for part in (parts.fit, parts.held_out))
    return Room(frames, gives_threshold(parts.calibration, span, rate_hz))


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
        with closing(source.frames(0, PROBE_FRAMES)) as frames:
            for frame in frames:
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
    print_line(f"{probe.name}: {'live' if probe.live else 'a file on a server'}")
    print_line(f"  size      {probe.width}x{probe.height}")
    for name, rate in (("says", probe.rate_announced_hz), ("gave", probe.rate_measured_hz)):
        if rate is not None:
            print_line(f"  {name}      {rate:.2f} frames per second")
    print_line(f"  first     frame after {probe.first_frame_s:.2f} s")
    print_line(f"  lost      {probe.lost} of {probe.frames + probe.lost} frames")
    print_line(f"  verdict   {probe.fault or 'it can be watched'}")
