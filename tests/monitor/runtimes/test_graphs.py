"""What is said where a runtime fails."""

from collections.abc import Callable
from dataclasses import replace

import pytest

from models.spec import ClipSpec
from monitor.runtimes import Exported, Facts
from monitor.runtimes.graphs import (
    GraphError,
    Run,
    _first_line,
    onnxruntime_run,
    openvino_run,
)
from tests.monitor.runtimes.conftest import World

FACTS = Facts("any", "video", "lite", ClipSpec(2, 1, (4, 4), 1), "onnx", "fp32", (), 0)
CORE = "Exception from src/inference/src/cpp/core.cpp:105:\n"


@pytest.mark.parametrize(
    ("said", "reason"),
    [
        (f"{CORE}Exception from src/model_reader.cpp:188:\nUnable to read.\n\n", "Unable to read."),
        (f"{CORE}Check 'a(b[0])' failed at src/core/n.cpp:4:\nNo such node\n", "No such node"),
        (
            f"{CORE}[CPU] MatMul node with name 'y' Check 'a == b' failed at src/matmul.cpp:45:\n"
            "Matmul input shapes are incompatible\n",
            "Matmul input shapes are incompatible",
        ),
        (
            f"{CORE}Check 'false' failed at src/frontends/report.cpp:151:\n"
            "FrontEnd API failed with OpConversionFailure:\nModel wasn't fully converted.\n"
            "Summary:\n-- No conversion rule found for operations: Nope-18\n",
            "-- No conversion rule found for operations: Nope-18",
        ),
        (CORE, CORE.strip()),
        ("[ONNXRuntimeError] : 7 : no protobuf\nmore", "[ONNXRuntimeError] : 7 : no protobuf"),
        ("", "RuntimeError('')"),
    ],
)
def test_the_line_shown_is_the_reason(said: str, reason: str) -> None:
    assert _first_line(RuntimeError(said)) == reason


def test_openvino_s_reason_is_shown_and_not_its_source() -> None:
    pytest.importorskip("openvino")
    with pytest.raises(GraphError, match=r"^openvino does not take this export: Unable to read"):
        openvino_run(Exported(FACTS, (b"",)))


def test_onnxruntime_s_reason_is_shown() -> None:
    pytest.importorskip("onnxruntime")
    with pytest.raises(GraphError, match=r"^onnxruntime does not take this export: .*protobuf"):
        onnxruntime_run(Exported(FACTS, (b"junk",)))


@pytest.mark.parametrize("run", [openvino_run, onnxruntime_run])
def test_a_graph_that_is_not_what_its_facts_say_is_refused_before_a_clip(
    world: World, run: Callable[[Exported], Run]
) -> None:
    fewer = replace(world.onnx, facts=replace(world.onnx.facts, terms=()))
    with pytest.raises(GraphError, match=r"1 inputs and 5 outputs .*, expected 1 and 2 by its"):
        run(fewer)
    begun = replace(world.onnx, facts=replace(world.onnx.facts, prelude={"motion": {}}))
    with pytest.raises(GraphError, match=r"expected 2 and 5 .*: export it again"):
        run(begun)
