"""Networks in half precision on an accelerator; what judges stays in float32.

Scoring takes float16: predictions lie in [-1, 1], and three more bits of mantissa are worth more
there than range. Learning takes bfloat16: gradients need the range. Errors, windows and PSNR are
differences of what is nearly equal, and would be lost in either.
"""

import copy
import threading
from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor, nn

from models.detector import Detector

Replay = Callable[[Tensor], Tensor]  # a recorded pass: the same shape in, a tensor of its own out
Record = Callable[[Replay, Tensor], Replay]  # of a pass, at an example of its input

CONVOLUTIONS = (nn.Conv2d, nn.Conv3d, nn.ConvTranspose2d, nn.ConvTranspose3d)
MOST_SHAPES = 4  # recorded of each network: full batches and the last one of a source


def halved(
    detector: Detector, dtype: torch.dtype = torch.float16, record: Record | None = None
) -> Detector:
    """A copy whose convolutional networks compute in `dtype`; recorded, where `record` is given."""
    copied = copy.deepcopy(detector)
    for one in [module for module in copied.modules() if isinstance(module, Detector)]:
        for name, child in list(one.named_children()):
            if not isinstance(child, Detector) and _convolves(child):
                setattr(one, name, Halved(child, dtype, record))
    return copied


def half_to_learn(network: nn.Module) -> Callable[[Tensor], Tensor]:
    """The network, in bfloat16 on an accelerator; on a CPU itself, where that is slower."""

    def computed(x: Tensor) -> Tensor:
        if x.device.type != "cuda":
            whole: Tensor = network(x)
            return whole
        with torch.autocast("cuda", torch.bfloat16):
            half: Tensor = network(x)
        return half.float()

    return computed


def _convolves(module: nn.Module) -> bool:
    parts = list(module.modules())
    inner = any(isinstance(part, Detector) for part in parts)
    return not inner and any(isinstance(part, CONVOLUTIONS) for part in parts)


class Halved(nn.Module):
    """A network that takes and gives float32 and computes in half precision."""

    def __init__(self, network: nn.Module, dtype: torch.dtype, record: Record | None) -> None:
        super().__init__()
        self.network, self._dtype, self._record = network, dtype, record
        self._recorded: dict[torch.Size, Replay] = {}
        self._lock = threading.Lock()  # a recording has one input and one output

    def forward(self, *inputs: Tensor) -> Any:
        """What the network gives; a single tensor for a single one may come from a recording."""
        if self._record is None or len(inputs) != 1:
            return self._computed(*inputs)
        with self._lock:
            replay = self._replay(self._record, inputs[0])
            return replay(inputs[0])

    def _replay(self, record: Record, x: Tensor) -> Replay:
        known = self._recorded.get(x.shape)
        if known is None and len(self._recorded) < MOST_SHAPES:
            single = isinstance(self._computed(x), Tensor)
            known = record(self._computed, x) if single else self._computed
            self._recorded[x.shape] = known
        return known or self._computed

    def _computed(self, *inputs: Tensor) -> Any:
        kind = inputs[0].device.type
        with torch.autocast(kind, self._dtype, cache_enabled=False):
            return _whole(self.network(*inputs))

    def __getattr__(self, name: str) -> Any:
        """The network's own, where it is asked for more than a pass."""
        try:
            return super().__getattr__(name)
        except AttributeError:
            return getattr(super().__getattr__("network"), name)


def _whole(found: Any) -> Any:
    if isinstance(found, Tensor):
        return found.float() if found.is_floating_point() else found
    return type(found)(map(_whole, found)) if type(found) in (tuple, list) else found


def cuda_graph(run: Replay, example: Tensor) -> Replay:
    """A pass recorded as a CUDA graph: a small network is done before its kernels are launched."""
    taken = example.clone()
    beside: torch.cuda.Stream = torch.cuda.Stream()  # type: ignore[no-untyped-call]
    beside.wait_stream(torch.cuda.current_stream())
    with torch.cuda.stream(beside):  # what is made once, such as workspaces, before the recording
        for _ in range(3):
            run(taken)
    torch.cuda.current_stream().wait_stream(beside)
    graph = torch.cuda.CUDAGraph()
    with torch.cuda.graph(graph, capture_error_mode="thread_local"):  # others copy meanwhile
        given = run(taken)

    def replay(x: Tensor) -> Tensor:
        taken.copy_(x)
        graph.replay()
        return given.clone()

    return replay
