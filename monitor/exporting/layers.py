"""Which operations of a graph are its network's layers, and which its scoring rule's."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any, Literal

Kind = Literal["layer", "filter", "product", "other"]

CONVOLUTIONS = {  # of OpenVINO, then of ONNX
    "Convolution",
    "ConvolutionBackpropData",
    "GroupConvolution",
    "GroupConvolutionBackpropData",
    "Conv",
    "ConvTranspose",
}
PRODUCTS = {"MatMul", "Gemm"}


@dataclass(frozen=True)
class Operation:
    """One of a graph."""

    name: str
    kind: Kind
    followers: tuple[str, ...]  # names of those that take what it gives


def parted(operations: Sequence[Operation]) -> tuple[list[str], list[str]]:
    """Names of the network's layers and of those that are none, among convolutions and products.

    The latter blur and find edges: convolutions of one channel. Or they measure, as whitening and
    kernels do: products that no convolution of the network comes after. A network's last products
    are among those; they are small.

    Args:
        operations: Of one graph, in the order in which they are computed.
    """
    before_layer = {one.name for one in operations if one.kind == "layer"}
    for one in reversed(operations):
        if not before_layer.isdisjoint(one.followers):
            before_layer.add(one.name)
    weighty = [one for one in operations if one.kind != "other"]
    layers = [one.name for one in weighty if one.kind != "filter" and one.name in before_layer]
    return layers, [one.name for one in weighty if one.name not in set(layers)]


def openvino_operations(graph: Any) -> Iterator[Operation]:
    """Of an OpenVINO model, in order."""
    for node in graph.get_ordered_ops():
        kind, filters = node.get_type_name(), False
        if kind in CONVOLUTIONS:
            filters = node.input(0).get_partial_shape()[1] == 1
        followers = (
            target.get_node().get_friendly_name()
            for output in node.outputs()
            for target in output.get_target_inputs()
        )
        yield Operation(node.get_friendly_name(), _kind(kind, filters=filters), tuple(followers))


def onnx_operations(graph: Any) -> Iterator[Operation]:
    """Of an ONNX graph, in order, as the format asks for."""
    shapes = {tensor.name: tuple(tensor.dims) for tensor in graph.initializer}
    takers: dict[str, list[str]] = {}
    for node in graph.node:
        for value in node.input:
            takers.setdefault(value, []).append(node.name)
    for node in graph.node:
        filters = node.op_type in CONVOLUTIONS and shapes.get(node.input[1], ())[:2] == (1, 1)
        followers = (name for value in node.output for name in takers.get(value, ()))
        yield Operation(node.name, _kind(node.op_type, filters=filters), tuple(followers))


def _kind(name: str, *, filters: bool) -> Kind:
    if name in CONVOLUTIONS:
        return "filter" if filters else "layer"
    return "product" if name in PRODUCTS else "other"
