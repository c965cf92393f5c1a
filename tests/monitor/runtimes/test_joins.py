"""What is joined in int8 stays int8, and says the same."""

from typing import Any

import numpy as np
import pytest

from monitor.exporting.joins import keep_joins

onnx = pytest.importorskip("onnx")
onnxruntime = pytest.importorskip("onnxruntime")


def quantised_branches(*scales: float) -> Any:
    """Branches of (1, 2, 4, 4), each through int8 by its scale, joined, then convolved."""
    helper, numpy = onnx.helper, onnx.numpy_helper
    nodes, tensors, ends = [], [], []
    for i, scale in enumerate(scales):
        tensors += [
            numpy.from_array(np.array(scale, np.float32), f"scale{i}"),
            numpy.from_array(np.array(3, np.uint8), f"zero{i}"),
        ]
        how = [f"scale{i}", f"zero{i}"]
        nodes.append(helper.make_node("QuantizeLinear", [f"in{i}", *how], [f"q{i}"], name=f"q{i}"))
        nodes.append(helper.make_node("DequantizeLinear", [f"q{i}", *how], [f"d{i}"], name=f"d{i}"))
        ends.append(f"d{i}")
    weights = np.random.default_rng(0).normal(size=(1, 2 * len(scales), 3, 3)).astype(np.float32)
    tensors.append(numpy.from_array(weights, "weights"))
    nodes.append(helper.make_node("Concat", ends, ["joined"], name="join", axis=1))
    nodes.append(helper.make_node("Conv", ["joined", "weights"], ["out"], name="conv"))
    number = onnx.TensorProto.FLOAT
    inputs = [
        helper.make_tensor_value_info(f"in{i}", number, (1, 2, 4, 4)) for i in range(len(scales))
    ]
    output = helper.make_tensor_value_info("out", number, (1, 1, 2, 2))
    graph = helper.make_graph(nodes, "branches", inputs, [output], tensors)
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", 18)], ir_version=10)


def kinds(model: Any) -> list[str]:
    return [node.op_type for node in model.graph.node]


def computed(model: Any) -> Any:
    session = onnxruntime.InferenceSession(model.SerializeToString())
    random = np.random.default_rng(1)
    fed = {one.name: random.random((1, 2, 4, 4), np.float32) for one in session.get_inputs()}
    return session.run(None, fed)[0]


def test_what_is_joined_of_one_scale_is_quantised_by_it_and_says_the_same() -> None:
    model = quantised_branches(0.01, 0.01)
    before = computed(model)
    keep_joins(model.graph)
    assert kinds(model)[-4:] == ["Concat", "QuantizeLinear", "DequantizeLinear", "Conv"]
    onnx.checker.check_model(model)
    np.testing.assert_allclose(computed(model), before, rtol=1e-5, atol=1e-6)


def test_what_is_joined_of_several_scales_stays_as_it_is() -> None:
    model = quantised_branches(0.01, 0.02)
    before = kinds(model)
    keep_joins(model.graph)
    assert kinds(model) == before


def test_so_does_what_is_not_of_int8() -> None:
    model = quantised_branches(0.01, 0.01)
    (join,) = (node for node in model.graph.node if node.op_type == "Concat")
    join.input[1] = "in1"
    before = kinds(model)
    keep_joins(model.graph)
    assert kinds(model) == before
