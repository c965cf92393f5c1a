"""Post-training quantisation by NNCF: the network in int8, what makes scores of it as it was.

Errors, windows, means and distances decide by small differences: they stay in fp32. What costs is
the network's convolutions and products, and those are quantised.

Weights take half of the range (seven bits): a processor without VNNI adds two products of bytes in
16 bits, and clips there what is larger. With the whole range scores differed by a fifth.
"""

import contextlib
import io
import logging
import os
from collections.abc import Iterator
from dataclasses import replace
from typing import Any

from numpy.typing import NDArray

from models.errors import ExportError
from monitor.errors import UsageError
from monitor.exporting.examples import Bytes
from monitor.exporting.formats import serialised
from monitor.exporting.layers import onnx_operations, openvino_operations, parted
from monitor.exporting.onnx_int8 import keep_joins, make_unsigned
from monitor.missing import to_have
from monitor.runtimes import Exported
from monitor.runtimes.silent import load_openvino

# operations of scoring rules; names of OpenVINO, then of ONNX
UNTOUCHED = {
    "openvino": [
        "Add",
        "AvgPool",
        "AdaptiveAvgPool",
        "Divide",
        "Exp",
        "Interpolate",
        "LessEqual",
        "Log",
        "Maximum",
        "Minimum",
        "Multiply",
        "NormalizeL2",
        "Power",
        "ReduceL1",
        "ReduceL2",
        "ReduceMax",
        "ReduceMean",
        "ReduceSum",
        "Softmax",
        "Sqrt",
        "SquaredDifference",
        "Subtract",
        "TopK",
        "Unsqueeze",
    ],
    "onnx": [
        "Add",
        "AveragePool",
        "Div",
        "Exp",
        "GlobalAveragePool",
        "LessOrEqual",
        "Log",
        "Max",
        "Min",
        "Mul",
        "Pow",
        "ReduceL1",
        "ReduceL2",
        "ReduceLogSumExp",
        "ReduceMax",
        "ReduceMean",
        "ReduceSum",
        "Resize",
        "Softmax",
        "Sqrt",
        "Sub",
        "TopK",
        "Unsqueeze",
    ],
}


def quantised(exported: Exported, clips: Bytes) -> Exported:
    """The same detector in int8, its ranges from normal clips (N, T, C, H, W).

    Raises:
        UsageError: If NNCF is not installed.
        ExportError: If it fails at the graph, or there is nothing to quantise.
    """
    nothing = ExportError(f"{exported.name} has no network: there is nothing to quantise")
    form = exported.facts.graph
    if form == "none":
        raise nothing
    os.environ.setdefault("NNCF_CI", "1")  # it then reports its use to nobody
    try:
        load_openvino()  # before it does
        import nncf
    except ImportError as error:
        raise UsageError(f"--int8 needs nncf, not installed here: {to_have('nncf')}") from error
    graph = _graph(exported)
    layers, rules = _parted(graph, form)
    if not layers:
        raise nothing
    feed = list(_fed(exported, graph, clips))
    ignored = nncf.IgnoredScope(types=UNTOUCHED[form], names=rules, validate=False)
    try:
        with _quiet():
            small = nncf.quantize(
                graph,
                nncf.Dataset(feed),
                preset=nncf.QuantizationPreset.MIXED,  # what is no ReLU is not symmetric
                subset_size=len(feed),
                ignored_scope=ignored,
                advanced_parameters=nncf.AdvancedQuantizationParameters(
                    overflow_fix=nncf.OverflowFix.ENABLE
                ),
            )
    except (RuntimeError, ValueError, nncf.ValidationError, nncf.InternalError) as error:
        reason = str(error).strip().splitlines()[0] if str(error).strip() else repr(error)
        other = "; --to openvino may do" if form == "onnx" else ""
        raise ExportError(
            f"{exported.name} as {form} cannot be quantised: NNCF says: {reason}{other}"
        ) from error
    if form == "onnx":
        keep_joins(small.graph)
        make_unsigned(small.graph)
    parts = serialised(small) if form == "openvino" else (small.SerializeToString(),)
    return Exported(replace(exported.facts, precision="int8"), parts, exported.tables)


def _graph(exported: Exported) -> Any:
    if exported.facts.graph == "openvino":
        openvino = load_openvino()
        xml, weights = exported.parts
        return openvino.Core().read_model(xml, weights)
    import onnx

    return onnx.load_from_string(exported.parts[0])


def _fed(exported: Exported, graph: Any, clips: Bytes) -> Iterator[dict[str, NDArray[Any]]]:
    """What the graph takes, by name."""
    if exported.facts.graph == "openvino":
        names = [found.any_name for found in graph.inputs]
    else:
        names = [found.name for found in graph.graph.input]
    most, prelude = exported.facts.batch or 1, exported.prelude()
    for i in range(0, len(clips), most):
        batch = clips[i : i + most]
        inputs = (batch,) if prelude is None else prelude.inputs([list(clip) for clip in batch])
        yield dict(zip(names, inputs, strict=True))


def _parted(graph: Any, form: str) -> tuple[list[str], list[str]]:
    if form == "openvino":
        return parted(list(openvino_operations(graph)))
    return parted(list(onnx_operations(graph.graph)))


@contextlib.contextmanager
def _quiet() -> Iterator[None]:
    """Without its bars and its advice."""
    logger = logging.getLogger("nncf")
    level = logger.level
    logger.setLevel(logging.ERROR)
    try:
        with contextlib.redirect_stdout(io.StringIO()), contextlib.redirect_stderr(io.StringIO()):
            yield
    finally:
        logger.setLevel(level)
