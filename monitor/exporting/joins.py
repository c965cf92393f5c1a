"""Where int8 branches of an ONNX graph are joined, they stay int8."""

from typing import Any

QUANTISE, DEQUANTISE = "QuantizeLinear", "DequantizeLinear"


def keep_joins(graph: Any) -> None:
    """Quantise what is joined of branches of one scale, by that scale: no value changes by it.

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
