"""A trained model as a file that runs without torch, checked against the model it was made from.

Nothing comes out that does not say what the model says: the exported graph is compared with the
detector at real clips, one of less precision also by its order of them and by its AUROC.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from importlib.metadata import PackageNotFoundError, version
from typing import Any

import numpy as np

from models.errors import ExportError
from models.export import to_onnx
from monitor.cpu import cpu, has_bf16, has_vnni
from monitor.datasets import DataSet
from monitor.errors import CalibrationError, UsageError
from monitor.exporting.agreement import Agreement, agree, parity
from monitor.exporting.examples import Examples, made_examples
from monitor.exporting.formats import as_openvino
from monitor.missing import lacking
from monitor.model import Model
from monitor.progress import Progress, quiet
from monitor.runtimes import Exported, Facts, runtime_of
from monitor.runtimes.answers import answers_of
from monitor.runtimes.choosing import installed, measured
from monitor.runtimes.exported import GraphFormat, Precision
from monitor.runtimes.runtime import ClipFrames
from monitor.stills.model import StillModel
from monitor.stills.still import StillSet

AnyModel = Model | StillModel
AnyData = DataSet | StillSet
Recalibrate = Callable[[AnyModel], AnyModel]  # thresholds anew, on the same footage as before


@dataclass(frozen=True)
class Footage:
    """What a model is compared at, and how its thresholds are set anew."""

    examples: Examples
    recalibrate: Recalibrate


def footage_of(model: AnyModel, data: AnyData, progress: Progress = quiet) -> Footage:
    """Of a model's kind of data; raises what reading it raises."""
    from monitor.exporting.examples import still_examples, video_examples

    if isinstance(data, StillSet):
        assert isinstance(model, StillModel)
        return Footage(still_examples(model, data), recalibration_on(data, progress))
    assert isinstance(model, Model)
    return Footage(video_examples(model, data), recalibration_on(data, progress))


def recalibration_on(data: AnyData, progress: Progress = quiet) -> Recalibrate:
    """Thresholds from this data, for what was promised before."""
    from monitor.pipeline import recalibrate
    from monitor.stills.pipeline import calibrate_stills

    def anew(found: AnyModel) -> AnyModel:
        if isinstance(found, Model):
            assert isinstance(data, DataSet)
            return recalibrate(found, data, progress=progress)
        assert isinstance(data, StillSet)
        share = found.calibrated().share
        return calibrate_stills(found, data, false_alarm_share=share, progress=progress)

    return anew


def export_model(
    model: AnyModel,
    to: GraphFormat,
    footage: Footage | None = None,
    *,
    precision: Precision = "fp32",
) -> Exported:
    """A trained model as an exported one, with the report of its check in its facts.

    Args:
        model: Fitted; calibrated or not.
        to: The graph's format.
        footage: Real clips to compare at; None: made pictures, which the report says.
        precision: int8: quantised; bf16: computed so by OpenVINO, where the processor can. For
            both, thresholds are set anew by the scores that come of it.

    Raises:
        ExportError: If the detector cannot be exported, or what came of it does not agree with it.
        UsageError: If less precision is asked for without footage, where this processor does
            not have it, or what does it is not installed.
    """
    detector = model.trained()
    if precision != "fp32":
        _check_precision(precision, to, footage)
    examples = footage.examples if footage else made_examples(detector.spec)
    whole = unquantised(model, to)
    report: dict[str, Any] = {"versions": _versions(), "parity": parity(detector, whole, examples)}
    whole = replace(whole, facts=replace(whole.facts, report=report))
    return _answering(whole if footage is None else _smaller(model, whole, footage, precision))


def _answering(exported: Exported) -> Exported:
    """With what it says of made pictures, by which it is known to be computed rightly elsewhere."""
    runtime = runtime_of(exported)  # by which thresholds were set
    told = answers_of(runtime, exported.spec)
    return replace(exported, facts=replace(exported.facts, answers=told))


def unquantised(model: AnyModel, to: GraphFormat) -> Exported:
    """A trained model as exported, not compared with anything yet; raises as `export_model`."""
    detector = model.trained()
    try:
        graph = to_onnx(detector)
    except ImportError as error:
        said = lacking(f"--to {to}", ("onnx", "onnxscript"))
        raise UsageError(said or f"--to {to}: {error}") from error
    calibration = None if model.calibration is None else model.calibration.to_dict()
    prelude = graph.prelude
    facts = Facts(
        detector=detector.name,
        kind=detector.kind,
        preset=model.preset,
        spec=detector.spec,
        graph=to if graph.content else "none",
        precision="fp32",
        terms=graph.terms,
        batch=graph.batch,
        parameters=sum(parameter.numel() for parameter in detector.parameters()),
        calibration=calibration,
        provenance=dict(model.provenance),
        prelude=None if prelude is None else prelude.plain(),
    )
    tables = b"" if prelude is None else prelude.packed()
    if not graph.content:
        return Exported(facts, (), tables)
    whole = as_openvino(graph.content) if to == "openvino" else (graph.content,)
    return Exported(facts, whole, tables)


def quantised_for_speed(whole: Exported, clips: Sequence[ClipFrames]) -> Exported:
    """In int8, with ranges from any clips and no check: its scores may be wrong, its pace is not.

    Raises:
        ExportError: If it cannot be quantised.
        UsageError: If what quantises is not installed.
    """
    from monitor.exporting.quantising import quantised

    return quantised(whole, np.stack([np.stack(list(clip)) for clip in clips]))


def in_bf16(whole: Exported) -> Exported:
    """The same graph, to be computed by OpenVINO in bf16; not compared with anything.

    Raises:
        ExportError: If there is none.
    """
    if whole.facts.graph == "none":
        raise ExportError(f"{whole.name} has no network: there is nothing to compute in bf16")
    parts = as_openvino(whole.parts[0]) if whole.facts.graph == "onnx" else whole.parts
    facts = replace(whole.facts, graph="openvino", precision="bf16")
    return replace(whole, facts=facts, parts=parts)


def _check_precision(precision: Precision, to: GraphFormat, footage: Footage | None) -> None:
    if footage is None:
        raise UsageError(
            f"--{precision} needs normal footage to compare at and to set thresholds on: the "
            "model's own is not there any more; name it with --data"
        )
    if precision == "bf16" and to != "openvino":
        raise UsageError(f"--bf16 is computed by OpenVINO alone: expected --to openvino, got {to}")
    if precision == "bf16" and has_bf16() is False:
        raise UsageError(
            f"--bf16: this CPU ({cpu()}) does not compute in bf16 (AVX512-BF16 or AMX): export on "
            "one that does, or without it"
        )


def _smaller(model: AnyModel, whole: Exported, footage: Footage, precision: Precision) -> Exported:
    if precision == "fp32":
        return whole
    examples = footage.examples
    if precision == "bf16":
        small = in_bf16(whole)
    else:
        from monitor.exporting.quantising import quantised

        small = quantised(whole, examples.learned)
    found = agree(whole, small, examples)
    report = whole.facts.report | {precision: _told(found, whole, small)}
    small = replace(small, facts=replace(small.facts, report=report))
    if model.calibration is None:
        return small
    try:
        anew = footage.recalibrate(replace(model, detector=small))
    except CalibrationError as error:
        raise CalibrationError(f"the {precision} scores give no threshold: {error}") from error
    assert anew.calibration is not None
    report[precision] |= {
        "threshold": [_threshold(model), _threshold(anew)],
        "calibrated_on": anew.provenance.get("calibrated_on"),
    }
    calibration = anew.calibration.to_dict()
    facts = replace(
        small.facts, calibration=calibration, provenance=dict(anew.provenance), report=report
    )
    return replace(small, facts=facts)


def _threshold(model: AnyModel) -> float:
    if isinstance(model, StillModel):
        return model.calibrated().threshold
    return model.calibrated().rule.enter


def _told(found: dict[str, Agreement], whole: Exported, small: Exported) -> dict[str, Any]:
    """The agreement in plain values, and what less precision was worth on this machine."""
    name = installed(small.facts)[0]
    before, after = (measured(e, [name])[name] for e in (whole, small))
    speed = {"runtime": name, "fp32_ms": 1e3 * before, "ms": 1e3 * after, "vnni": has_vnni()}
    by = {runtime: vars(agreement) for runtime, agreement in found.items()}
    return {"agreement": by, "measured": speed, "threshold": None, "calibrated_on": None}


def _versions() -> dict[str, str]:
    found = {}
    for name in ("oddwatch", "torch", "onnx", "openvino", "onnxruntime", "nncf"):
        try:
            found[name] = version(name)
        except PackageNotFoundError:
            continue
    return found
