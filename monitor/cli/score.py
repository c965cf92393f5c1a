"""`oddwatch score`: a model judged on a data set, or let loose on any video."""

import shlex
from pathlib import Path
from typing import Annotated

import typer

from monitor.cli.printing import print_json
from monitor.cli.progress import LongWork
from monitor.errors import LabelError, MonitorError


def score(
    model: Annotated[Path, typer.Argument(metavar="MODEL", help="A file of oddwatch train.")],
    data: Annotated[
        str, typer.Argument(metavar="DATA", help="A data set, a folder of videos, or one video.")
    ],
    *,
    out: Annotated[Path, typer.Option("-o", "--out", metavar="DIR", help="Folder to write to.")],
    device: Annotated[str, typer.Option(help="auto, cpu or cuda.")] = "auto",
    layout: Annotated[
        str | None, typer.Option(help="Take DATA for this layout instead of recognising it.")
    ] = None,
    labels: Annotated[
        str | None, typer.Option(help="Which truth to take, where DATA has several.")
    ] = None,
    strict: Annotated[
        bool, typer.Option("--strict", help="Stop at a frame or video that cannot be read.")
    ] = False,
    as_json: Annotated[
        bool, typer.Option("--json", help="Print report.json, for programs.")
    ] = False,
) -> None:
    """Score every frame; write scores, figures, plots and a report page.

    Figures of accuracy need labels; without them the scores, curves and alerts are written.

    \b
    Examples:  oddwatch score ped2.pt data/ped2 -o ped2-scores
               oddwatch score door.pt yesterday.mp4 -o yesterday
    """  # noqa: D301
    from monitor.datasets import open_data
    from monitor.evaluation.report import summary_lines
    from monitor.model import choose_device, load_model
    from monitor.scored import score_data

    def fault(problem: MonitorError) -> None:
        """A clip that cannot be opened is noted when its turn comes; wrong labels are fatal."""
        if strict or isinstance(problem, LabelError):
            raise problem

    loaded = load_model(model, choose_device(device))
    found = open_data(data, layout=layout, labels=labels, strict=strict, fault=fault)
    command = shlex.join(["oddwatch", "score", str(model), data, "-o", str(out)])
    with LongWork() as work:
        report = score_data(loaded, found, out, command=command, progress=work.frames)
    if as_json:
        print_json(dict(report.figures))
        return
    for line in summary_lines(report):
        print(line)
    print(f"written to {out}: open {out / 'report.html'}")
