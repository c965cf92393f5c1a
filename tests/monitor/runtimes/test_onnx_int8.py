"""An ONNX graph in int8 is written otherwise and says the same."""

from typing import Any

import numpy as np
import pytest

from monitor.exporting.onnx_int8 import keep_joins, make_unsigned

onnx = pytest.importorskip("onnx")
onnxruntime = pytest.importorskip("onnxruntime")


ZERO = np.uint8(3)


def quantised_branches(*scales: float, zero: np.integer[Any] = ZERO) -> Any:
    """Branches of (1, 2, 4, 4), each through int8 by its scale, joined, then convolved."""
    helper, numpy = onnx.helper, onnx.numpy_helper
    nodes, tensors, ends = [], [], []
    for i, scale in enumerate(scales):
        tensors += [
            numpy.from_array(np.array(scale, np.float32), f"scale{i}"),
            numpy.from_array(np.array(zero), f"zero{i}"),
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


def test_signed_values_become_unsigned_and_say_the_same() -> None:
    signed, unsigned = (quantised_branches(0.004, 0.004, zero=np.int8(zero)) for zero in (-100, 27))
    for model in (signed, unsigned):
        before = computed(model)
        assert kinds_of_values(model) == {"int8"}
        make_unsigned(model.graph)
        onnx.checker.check_model(model, full_check=True)
        assert kinds_of_values(model) == {"uint8"}
        np.testing.assert_array_equal(computed(model), before)


def test_weights_stay_signed() -> None:
    helper, numpy = onnx.helper, onnx.numpy_helper
    model = quantised_branches(0.01)
    weights = np.random.default_rng(0).integers(-128, 128, (1, 2, 3, 3), np.int8)
    (floats,) = (one for one in model.graph.initializer if one.name == "weights")
    floats.CopyFrom(numpy.from_array(weights, "small"))
    steps = [numpy.from_array(np.float32(0.1), "step"), numpy.from_array(np.int8(0), "none")]
    model.graph.initializer.extend(steps)
    back = helper.make_node("DequantizeLinear", ["small", "step", "none"], ["weights"])
    model.graph.node.insert(0, back)
    before = model.SerializeToString()
    make_unsigned(model.graph)
    assert model.SerializeToString() == before


def kinds_of_values(model: Any) -> set[str]:
    """Of what QuantizeLinear makes."""
    inferred = onnx.shape_inference.infer_shapes(model)
    types = {one.name: one.type.tensor_type.elem_type for one in inferred.graph.value_info}
    made = [node.output[0] for node in model.graph.node if node.op_type == "QuantizeLinear"]
    return {onnx.TensorProto.DataType.Name(types[name]).lower() for name in made}
