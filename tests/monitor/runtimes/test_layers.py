from typing import Any

import pytest
import torch
from torch import Tensor, nn

from monitor.exporting.formats import as_openvino
from monitor.exporting.layers import (
    Operation,
    onnx_operations,
    openvino_operations,
    parted,
)

onnx = pytest.importorskip("onnx")


class Judged(nn.Module):
    """A network with a product in its midst; its error blurred, its features whitened."""

    kernel: Tensor
    whitening: Tensor

    def __init__(self) -> None:
        super().__init__()
        self.encode = nn.Conv2d(3, 4, 3, padding=1)
        self.squeeze = nn.Linear(4 * 64, 8)
        self.widen = nn.Linear(8, 4 * 64)
        self.decode = nn.ConvTranspose2d(4, 3, 3, padding=1)
        self.register_buffer("kernel", torch.rand(1, 1, 3, 3))
        self.register_buffer("whitening", torch.rand(8, 8))

    def forward(self, pictures: Tensor) -> tuple[Tensor, Tensor]:
        """Distances of features, and the blurred error of pictures (B, 3, 8, 8)."""
        features = self.squeeze(self.encode(pictures).relu().flatten(1))
        rebuilt = self.decode(self.widen(features).relu().unflatten(1, (4, 8, 8)))
        error = (rebuilt - pictures).square().mean(dim=1, keepdim=True)
        blurred = nn.functional.conv2d(error, self.kernel)
        return (features @ self.whitening).square().sum(dim=1), blurred


@pytest.fixture(scope="module")
def content() -> bytes:
    program = torch.onnx.export(
        Judged().eval(), (torch.rand(2, 3, 8, 8),), dynamo=True, verbose=False
    )
    assert program is not None
    serialised: bytes = program.model_proto.SerializeToString()
    return serialised


def operations(content: bytes, form: str) -> list[Operation]:
    if form == "onnx":
        return list(onnx_operations(onnx.load_from_string(content).graph))
    openvino: Any = pytest.importorskip("openvino")
    return list(openvino_operations(openvino.Core().read_model(*as_openvino(content))))


@pytest.mark.parametrize("form", ["onnx", "openvino"])
def test_what_a_network_has_learned_is_told_from_what_judges_it(content: bytes, form: str) -> None:
    found = operations(content, form)
    kinds = {one.name: one.kind for one in found}
    layers, rules = parted(found)
    assert [kinds[name] for name in layers] == ["layer", "product", "product", "layer"]
    assert sorted(kinds[name] for name in rules) == ["filter", "product"]


def test_a_rule_alone_has_no_layers() -> None:
    blur = Operation("blur", "filter", ("product",))
    assert parted([blur, Operation("product", "product", ())]) == ([], ["blur", "product"])
    assert parted([]) == ([], [])
