"""`oddwatch score`: a model judged on a data set, or let loose on any video."""

import shlex
import sys
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from monitor.cli.far import Far
from monitor.cli.kinds import FOLDER_FPS, folder_rate, refuse_footage, refuse_options, refuse_stills
from monitor.cli.printing import print_json, print_line, say_clock
from monitor.cli.progress import LongWork
from monitor.cli.stopping import cleared_on_term
from monitor.errors import LabelError, MonitorError
from monitor.missing import is_there, to_have

if TYPE_CHECKING:
    from monitor.evaluation.report import Report
    from monitor.model import Model
    from monitor.stills.model import StillModel

ALERTS_TOLD = 5  # lines; the report and alerts.csv have all


def score(
    model: Annotated[
        Path, typer.Argument(metavar="MODEL", help="A file of oddwatch train or export.")
    ],
    data: Annotated[str, typer.Argument(metavar="DATA", help="A data set, videos or pictures.")],
    *,
    out: Annotated[Path, typer.Option("-o", "--out", metavar="DIR", help="Folder to write to.")],
    device: Annotated[str, typer.Option(help="auto, cpu or cuda.")] = "auto",
    runtime: Annotated[
        str,
        typer.Option(
            help="Exported models: openvino or onnxruntime, auto: the faster. Others on a GPU: "
            "torch-half."
        ),
    ] = "auto",
    layout: Annotated[
        str | None, typer.Option(help="Take DATA for this layout instead of recognising it.")
    ] = None,
    labels: Annotated[
        str | None, typer.Option(help="Which truth to take, where DATA has several.")
    ] = None,
    protocol: Annotated[
        str | None,
        typer.Option(help="Stills: one-normal:CLASS or one-abnormal:CLASS, of class folders."),
    ] = None,
    normal: Annotated[
        str | None, typer.Option(metavar="CLASS", help="Stills: short for one-normal:CLASS.")
    ] = None,
    folder_fps: Annotated[float | None, typer.Option(metavar="FPS", help=FOLDER_FPS)] = None,
    strict: Annotated[bool, typer.Option("--strict", help="Stop at what cannot be read.")] = False,
    cluster: Annotated[
        str | None,
        typer.Option(
            metavar="[ADDRESS]", help="Footage: on a Ray cluster; local: workers on this machine."
        ),
    ] = None,
    workers: Annotated[
        int, typer.Option(min=0, help="With --cluster; 0: as many as its processors carry.")
    ] = 0,
    as_json: Annotated[
        bool, typer.Option("--json", help="Print report.json, for programs.")
    ] = False,
) -> None:
    """Score every frame or picture; write scores, figures, plots and a report page.

    Figures of accuracy need labels; without them the scores, curves and alerts are written.
    Alerts of footage, in alerts.csv too, are those that a calibrated model would have raised live.

    \b
    Examples:  oddwatch score ped2.pt data/ped2 -o ped2-scores
               oddwatch score door.pt yesterday.mp4 -o yesterday
               oddwatch score bottle.pt data/bottle -o bottle-scores
    """  # noqa: D301
    from monitor.runtimes import choose_runtime
    from monitor.stills.model import StillModel, open_model

    loaded = open_model(model, device)
    choose_runtime(loaded.detector, runtime)
    how = {
        "--layout": layout,
        "--labels": labels,
        "--protocol": protocol,
        "--normal": normal,
        "--folder-fps": None if folder_fps is None else f"{folder_fps:g}",
    }
    given = [word for name, value in how.items() if value is not None for word in (name, value)]
    command = shlex.join(["oddwatch", "score", str(model), data, *given, "-o", str(out)])
    if isinstance(loaded, StillModel):
        of_video = {"--labels": labels, "--cluster": cluster, "--folder-fps": folder_fps}
        refuse_options(of_video, loaded.detector.name, stills=True)
        wanted = StillsWanted(data, layout, protocol, normal, strict)
        report, lines = _on_stills(loaded, wanted, out, command)
    else:
        of_stills = {"--protocol": protocol, "--normal": normal}
        refuse_options(of_stills, loaded.detector.name, stills=False)
        far = None if cluster is None else Far(cluster, workers, model, device, runtime)
        footage = VideoWanted(data, layout, labels, folder_fps, strict)
        report, lines = _on_video(loaded, footage, out, command, far)
    if as_json:
        print_json(dict(report.figures))
        return
    for line in lines:
        print_line(line)
    print(f"written to {out}: open {out / 'report.html'}")


@dataclass(frozen=True)
class VideoWanted:
    """What footage is scored."""

    data: str
    layout: str | None
    labels: str | None
    folder_fps: float | None  # None: as the model learned, if that was stated
    strict: bool


@dataclass(frozen=True)
class StillsWanted:
    """Which pictures are scored."""

    data: str
    layout: str | None
    protocol: str | None
    normal: str | None
    strict: bool


Told = tuple["Report", list[str]]


def _on_video(
    model: "Model", wanted: VideoWanted, out: Path, command: str, far: "Far | None"
) -> Told:
    from monitor import scored
    from monitor.datasets import open_data
    from monitor.evaluation.report import summary_lines

    def fault(problem: MonitorError) -> None:
        """A clip that cannot be opened is noted when its turn comes; wrong labels are fatal."""
        if wanted.strict or isinstance(problem, LabelError):
            raise problem

    refuse_stills(wanted.data, model.detector.name, wanted.layout)
    found = open_data(
        wanted.data,
        layout=wanted.layout,
        labels=wanted.labels,
        folder_rate_hz=folder_rate(wanted.folder_fps, model.folder_rate_hz),
        strict=wanted.strict,
        fault=fault,
    )
    with ExitStack() as held:
        held.enter_context(cleared_on_term())
        look = scored.look if far is None else held.enter_context(far.looking(model, found, out))
        work = held.enter_context(LongWork())
        report = scored.score_data(
            model,
            found,
            out,
            command=command,
            pictures=_can_draw(),
            progress=work.frames,
            look=look,
        )
    head, *rest = summary_lines(report)
    return report, [head, *_alert_lines(report), *rest]


def _alert_lines(report: "Report") -> Iterator[str]:
    """How many alerts there were, and the first of them."""
    from monitor.evaluation.report import said_alerts

    if said := said_alerts(report):
        yield said
    rows = report.rows("alerts")
    for row in rows[:ALERTS_TOLD]:
        start_s, end_s, peak_s = (float(str(row[key])) for key in ("start_s", "end_s", "peak_s"))
        cells = [f"{say_clock(start_s)} to {say_clock(end_s)}", str(row["video"])]
        cells.append(f"highest {row['peak_score']:.3g} at {say_clock(peak_s)}")
        cells += [f"p {row['peak_p_value']:.2g}"] if row["peak_p_value"] is not None else []
        cells += [str(row["reason"])] if row["reason"] else []
        if row["ended_by"]:
            cells.append(f"cut short by {str(row['ended_by']).replace('_', ' ')}")
        yield "  " + "  ".join(cells)
    if len(rows) > ALERTS_TOLD:
        yield f"  and {len(rows) - ALERTS_TOLD:,} more, see alerts.csv"


def _on_stills(model: "StillModel", wanted: StillsWanted, out: Path, command: str) -> Told:
    from monitor.stills.opening import open_stills
    from monitor.stills.report import still_summary_lines
    from monitor.stills.scored import score_stills

    refuse_footage(wanted.data, model.detector.name, wanted.layout)
    data = open_stills(
        wanted.data,
        layout=wanted.layout,
        protocol=wanted.protocol,
        normal=wanted.normal,
        strict=wanted.strict,
    )
    with cleared_on_term(), LongWork() as work:
        report = score_stills(
            model,
            data,
            out,
            command=command,
            pictures=_can_draw(),
            strict=wanted.strict,
            progress=work.pictures,
        )
    return report, still_summary_lines(report)


def _can_draw() -> bool:
    """Whether there is what draws; a small install for exported models may do without."""
    there = is_there("matplotlib")
    if not there:
        print(
            f"no plots: drawing needs matplotlib, not installed here: {to_have('matplotlib')}",
            file=sys.stderr,
        )
    return there
