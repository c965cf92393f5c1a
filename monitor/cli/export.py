"""`oddwatch export`: a trained model as a file that runs without torch, checked as it is made."""

import json
import shlex
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from monitor.cli.printing import print_json
from monitor.cli.progress import LongWork
from monitor.errors import MonitorError, SourceNotFoundError, UsageError

if TYPE_CHECKING:
    from monitor.datasets import DataSet
    from monitor.exporting import Footage, Recalibrate
    from monitor.model import Model
    from monitor.progress import Progress
    from monitor.runtimes import Exported
    from monitor.runtimes.exported import GraphFormat, Precision
    from monitor.stills.model import StillModel
    from monitor.stills.still import StillSet

FORMATS = ("onnx", "openvino")
SUFFIX = ".oddwatch"


def export(
    model: Annotated[Path, typer.Argument(metavar="MODEL", help="A file of oddwatch train.")],
    *,
    to: Annotated[str, typer.Option("--to", metavar="FORMAT", help="onnx or openvino.")],
    int8: Annotated[
        bool, typer.Option("--int8", help="Quantise; kept only if the scores agree.")
    ] = False,
    bf16: Annotated[
        bool, typer.Option("--bf16", help="On CPUs that have it; kept only if the scores agree.")
    ] = False,
    data: Annotated[
        str | None,
        typer.Option(metavar="NORMAL_DATA", help="Compare at this, not at what it learned from."),
    ] = None,
    out: Annotated[
        Path | None, typer.Option("-o", "--out", help="Write here; MODEL's name in .oddwatch.")
    ] = None,
    layout: Annotated[
        str | None, typer.Option(help="Take the data for this layout instead of recognising it.")
    ] = None,
    as_json: Annotated[
        bool, typer.Option("--json", help="Print the report, for programs.")
    ] = False,
) -> None:
    """Write a model as one file for score, inspect and watch on machines without torch.

    The whole way from clips to scores and maps is in it: one graph, and before it what no graph
    can do, such as flow. Thresholds and origin travel with it. It is compared with MODEL at clips
    of the data that MODEL learned from, by every runtime that is installed, and written only if
    both say the same. A file of onnx runs on OpenVINO and on ONNX Runtime, one of openvino on
    OpenVINO.

    With --int8 the network is quantised by normal clips; with --bf16 OpenVINO computes with 8 bits
    of mantissa, as it would by itself where a CPU has AMX. Either is kept only if it orders clips
    as before and, where the data has labels, finds as much; thresholds are set anew, on the
    footage that they were set on, or on NORMAL_DATA where that is not there any more.

    \b
    Examples:  oddwatch export door.pt --to openvino
               oddwatch export door.pt --to openvino --int8 -o door-int8.oddwatch
               oddwatch watch rtsp://camera/stream --model door.oddwatch --headless
    """  # noqa: D301
    if to not in FORMATS:
        raise UsageError(f"--to {to}: not known; expected {' or '.join(FORMATS)}")
    precision = _precision(int8=int8, bf16=bf16)
    path = _place(model, out, precision)

    from models.export import refuse_export
    from monitor.exporting import export_model
    from monitor.model import check_writable
    from monitor.runtimes import write_export
    from monitor.stills.model import open_model

    trained = open_model(model, "cpu")
    refuse_export(trained.trained().name)
    check_writable(path)
    with LongWork() as work:
        footage = _footage(trained, data, layout, work, needed=precision != "fp32")
        if footage is not None and precision != "fp32" and trained.calibration is not None:
            by = _thresholds_by(trained, work, given=data is not None)
            footage = replace(footage, recalibrate=by or footage.recalibrate)
        form: GraphFormat = "onnx" if to == "onnx" else "openvino"
        found = export_model(trained, form, footage, precision=precision)
    write_export(found, path)
    if as_json:
        print_json({"model": str(path)} | _plain(found))
        return
    for line in _lines(found):
        print(line)
    print(f"written to {path}, {path.stat().st_size / 1e6:.1f} MB")
    word = shlex.quote(str(path))
    print(
        f"next: oddwatch watch SOURCE --model {word} --headless"
        if found.kind == "video"
        else f"next: oddwatch inspect {word} PICTURE"
    )


def _precision(*, int8: bool, bf16: bool) -> "Precision":
    if int8 and bf16:
        raise UsageError("--int8 and --bf16 exclude each other: expected one of them")
    return "int8" if int8 else "bf16" if bf16 else "fp32"


def _place(model: Path, out: Path | None, precision: "Precision") -> Path:
    ending = "" if precision == "fp32" else f"-{precision}"
    path = out or model.with_name(f"{model.stem}{ending}{SUFFIX}")
    if path.exists() and model.exists() and path.samefile(model):
        raise UsageError(f"-o {path}: is MODEL itself; name another file")
    return path


def _footage(
    model: "Model | StillModel",
    data: str | None,
    layout: str | None,
    work: LongWork,
    *,
    needed: bool,
) -> "Footage | None":
    """What to compare at; None: what the model learned from is not to be had, nor needed."""
    from monitor.exporting import footage_of

    place = data or model.provenance.get("data")
    layout = layout or (None if data else model.provenance.get("layout"))
    try:
        if place is None:
            raise SourceNotFoundError("the model does not say what it learned from")
        return footage_of(model, _opened(model, place, layout), _progress(model, work))
    except MonitorError as error:
        if data is not None:
            raise
        if needed:
            raise UsageError(
                f"less precision is compared at what the model learned from, which cannot be had "
                f"({error}): name normal footage with --data"
            ) from error
        return None


def _thresholds_by(
    model: "Model | StillModel", work: LongWork, *, given: bool
) -> "Recalibrate | None":
    """On what they were set on last; None: that is not to be had, and other footage is given."""
    from monitor.exporting import recalibration_on

    facts = model.provenance
    last = facts.get("calibrated_on")
    place = last or facts.get("data")
    layout = facts.get("calibrated_layout") if last else facts.get("layout")
    try:
        if place is None:
            raise SourceNotFoundError("the model does not say")
        return recalibration_on(_opened(model, place, layout), _progress(model, work))
    except MonitorError as error:
        if given:
            return None
        raise UsageError(
            f"thresholds were set on {place}, which cannot be taken again ({error}): name it, or "
            "other normal footage, with --data"
        ) from error


def _progress(model: "Model | StillModel", work: LongWork) -> "Progress":
    return work.frames if model.detector.kind == "video" else work.pictures


def _opened(model: "Model | StillModel", place: str, layout: str | None) -> "DataSet | StillSet":
    from monitor.datasets import open_data
    from monitor.stills.apart import open_again
    from monitor.stills.model import StillModel

    if not isinstance(model, StillModel):
        facts = model.provenance
        again = place == facts.get("calibrated_on")
        rate_hz = facts.get("calibrated_folder_rate_hz") if again else model.folder_rate_hz
        return open_data(place, layout=layout, folder_rate_hz=rate_hz)
    return open_again(model.provenance, place, layout=layout)


def _plain(found: "Exported") -> dict[str, Any]:
    facts = found.facts
    return {
        "detector": facts.detector,
        "to": facts.graph,
        "precision": facts.precision,
        "batch": facts.batch,
        **json.loads(json.dumps(facts.report)),
    }


def _lines(found: "Exported") -> list[str]:
    """The report in words."""
    facts, parity = found.facts, found.facts.report["parity"]
    form = "tables, as it has no network" if facts.graph == "none" else facts.graph
    lines = [f"{facts.detector} ({facts.preset}) as {form}, {facts.precision}"]
    lines += [
        f"{name}: at {parity['clips']} clips of {parity['source']} scores differ by up to "
        f"{parity[name]['score_difference']:.2g} ({parity[name]['score_share']:.1g} of the "
        f"largest), maps by {parity[name]['map_difference']:.2g}"
        for name in ("openvino", "onnxruntime", "opencv")
        if name in parity
    ]
    if parity["source"] == "made pictures":
        lines.append("what the model learned from is not there: name some with --data to be sure")
    smaller = facts.report.get(facts.precision)
    if smaller is not None:
        lines += _precision_lines(facts.precision, smaller)
    return lines


def _precision_lines(name: str, found: dict[str, Any]) -> list[str]:
    speed, lines = found["measured"], []
    for runtime, one in found["agreement"].items():
        finds = ""
        if one["auroc_fp32"] is not None:
            finds = (
                f"; AUROC {one['auroc']:.4f}, fp32 {one['auroc_fp32']:.4f}, over "
                f"{one['labelled']} labelled"
            )
        lines.append(
            f"{name}: by {runtime} rank correlation with fp32 {one['rank_correlation']:.4f} over "
            f"{one['clips']} clips (at least {one['rank_bound']:g} asked){finds}"
        )
    if found["threshold"] is not None:
        before, after = found["threshold"]
        on = found["calibrated_on"] or "what was kept apart when it learned"
        lines.append(f"{name}: threshold {before:.4g} -> {after:.4g}, set anew on {on}")
    lines.append(
        f"{name}: {speed['ms']:.1f} ms a clip here, fp32 {speed['fp32_ms']:.1f} ms "
        f"({speed['runtime']})"
    )
    if name == "int8" and speed["vnni"] is False:
        lines.append("int8: this CPU has no VNNI, which int8 is fast by; measure where it will run")
    elif speed["ms"] >= speed["fp32_ms"]:
        lines.append(f"{name}: no faster than fp32 here; measure where it will run")
    return lines
