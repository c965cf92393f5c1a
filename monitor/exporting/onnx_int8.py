"""An ONNX graph in int8, written so that the runtimes compute it fast and right.

No value changes by it.
"""

from typing import Any

import numpy as np

QUANTISE, DEQUANTISE = "QuantizeLinear", "DequantizeLinear"
HALF = 128  # from a signed byte to an unsigned one


def make_unsigned(graph: Any) -> None:
    """Quantise values to 0..255 where NNCF has them in -128..127: the same steps, counted from 0.

    OpenVINO computes a convolution of signed values wrongly on processors without VNNI (2026.4 on
    AVX2: all that came out was noise), and of unsigned ones rightly on all. Weights stay signed.

    Args:
        graph: Of an ONNX model in int8; changed in place.
    """
    from onnx import TensorProto
    from onnx.numpy_helper import from_array, to_array

    held = {one.name: one for one in graph.initializer}
    steps = [node for node in graph.node if node.op_type == QUANTISE and node.input[0] not in held]
    zeros = {node.input[2]: held.get(node.input[2]) for node in steps if len(node.input) == 3}
    signed = {
        name: zero
        for name, zero in zeros.items()
        if zero is not None and zero.data_type == TensorProto.INT8
    }
    for name, zero in signed.items():
        moved = to_array(zero).astype(np.int16) + HALF
        zero.CopyFrom(from_array(moved.astype(np.uint8), name))
    changed = {node.output[0] for node in steps if node.input[2:] and node.input[2] in signed}
    for known in graph.value_info:
        if known.name in changed or known.name in signed:
            known.type.tensor_type.elem_type = TensorProto.UINT8


def keep_joins(graph: Any) -> None:
    """Quantise what is joined of branches of one scale, by that scale: int8 stays so.

    NNCF gives all that is joined one scale, and quantises nothing after it. ONNX Runtime takes a
    layer that comes next for one of float32, and a slow one: the widest of a U-Net's.

    Args:
        graph: Of an ONNX model in int8, in order; changed in place.
    """
    from onnx.helper import make_node
    from onnx.numpy_helper import to_array

    made_by = {name: node for node in graph.node for name in node.output}
    held = {one.name: to_array(one).tobytes() for one in graph.initializer if not one.dims}
    nodes = []
    for node in graph.node:
        nodes.append(node)
        scale = _one_scale(node, made_by, held) if node.op_type == "Concat" else None
        if scale is None:
            continue
        (name,), (joined, small) = node.output, (f"{node.output[0]}_{end}" for end in ("f", "q"))
        node.output[0] = joined
        nodes.append(make_node(QUANTISE, [joined, *scale], [small], name=f"{QUANTISE}_{name}"))
        nodes.append(make_node(DEQUANTISE, [small, *scale], [name], name=f"{DEQUANTISE}_{name}"))
    del graph.node[:]
    graph.node.extend(nodes)


def _one_scale(
    node: Any, made_by: dict[str, Any], held: dict[str, bytes]
) -> tuple[str, str] | None:
    """Names of the scale and the zero point that all its inputs have; None: they have no one."""
    found = [made_by.get(name) for name in node.input]
    if any(one is None or one.op_type != DEQUANTISE or len(one.input) != 3 for one in found):
        return None
    scales = {tuple(held.get(name) for name in one.input[1:]) for one in found if one is not None}
    if len(scales) > 1 or None in next(iter(scales)):
        return None
    first: Any = found[0]
    return first.input[1], first.input[2]
