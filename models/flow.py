"""Optical flow that gradients pass through: (B, 1 | 3, H, W) twice -> (B, 2, H, W).

Flow is in pixels per frame, x before y; what is at p in the first picture is at p + flow(p) in
the second. Lucas-Kanade needs no weights; RAFT is torchvision's and does.
"""

import pickle
import warnings
from collections.abc import Callable
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Literal, cast
from urllib.error import URLError

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from models.errors import WeightsError

FlowKind = Literal["lucas_kanade", "raft", "none"]
Flow = Callable[[Tensor, Tensor], Tensor]

MOST_SHAPES = 4  # recorded: of full batches and of the last of an epoch, with gradient and without


def flow_of_kind(kind: FlowKind, weights: str | None = None) -> Flow | None:
    """The flow of that name, or None for "none".

    Raises:
        WeightsError: As `RaftFlow`.
    """
    if kind == "raft":
        return RaftFlow(None if weights is None else Path(weights))
    return Recorded(lucas_kanade) if kind == "lucas_kanade" else None


class Recorded:
    """A flow that a GPU replays, gradient and all, as CUDA graphs.

    Hundreds of kernels on small pictures take longer to launch than to run. What it gives is
    overwritten when it is called again with pictures of the same shape.
    """

    def __init__(self, flow: Flow) -> None:
        self._flow = flow
        self._known: dict[tuple[torch.Size, bool], Flow] = {}

    def __call__(self, first: Tensor, second: Tensor) -> Tensor:
        """As the flow itself."""
        if first.device.type != "cuda":
            return self._flow(first, second)
        key = second.shape, second.requires_grad
        if key not in self._known:
            self._known[key] = self._recorded(first, second)
        return self._known[key](first, second)

    def _recorded(self, first: Tensor, second: Tensor) -> Flow:
        if len(self._known) >= MOST_SHAPES:
            return self._flow
        examples = first.detach().clone(), second.detach().clone()
        examples[1].requires_grad_(second.requires_grad)
        with warnings.catch_warnings():  # of the streams that a recording goes through, as it must
            warnings.filterwarnings("ignore", "The AccumulateGrad node's stream")
            return cast("Flow", torch.cuda.make_graphed_callables(self._flow, examples))


def lucas_kanade(
    first: Tensor, second: Tensor, *, iterations: int = 4, window: int = 9, coarsest: int = 12
) -> Tensor:
    """Pyramidal, iterated Lucas-Kanade (Bouguet, Intel 2000).

    Gradients reach `second` through what is left of its difference to `first`; the structure
    tensor is of `first` alone. Pictures without texture have no flow, and get 0.

    Args:
        first: (B, 1 | 3, H, W) in [0, 1].
        second: The same shape.
        iterations: Gauss-Newton steps at each level of the pyramid.
        window: Side of the neighbourhood, in pixels, over which flow is taken to be one; odd.
        coarsest: The pyramid ends where a side would fall below so many pixels.
    """
    kernels = _kernels(window, first.device, first.dtype)
    levels = [(_luma(first), _luma(second))]
    while min(levels[-1][0].shape[-2:]) >= 2 * coarsest:
        levels.append((kernels.halved(levels[-1][0]), kernels.halved(levels[-1][1])))
    flow = first.new_zeros(len(first), 2, *levels[-1][0].shape[-2:])
    for one, two in reversed(levels):
        flow = _enlarge(flow, one.shape[-2], one.shape[-1])
        flow = _refine(one, two, flow, iterations, kernels)
    return flow


@dataclass(frozen=True)
class _Kernels:
    """Filters of gray pictures (B, 1, H, W), as kornia has them; made once for a device."""

    pyramid: Tensor  # (1, 1, 5, 5), binomial
    sobel: Tensor  # (2, 1, 3, 3): dx, dy
    row: Tensor  # (1, 1, 1, window) of a Gaussian

    def halved(self, pictures: Tensor) -> Tensor:
        size = [side // 2 for side in pictures.shape[-2:]]
        blurred = F.conv2d(F.pad(pictures, (2, 2, 2, 2), "reflect"), self.pyramid)
        return F.interpolate(blurred, size, mode="bilinear", align_corners=False)

    def slope(self, pictures: Tensor) -> Tensor:
        return F.conv2d(F.pad(pictures, (1, 1, 1, 1), "replicate"), self.sobel)

    def around(self, planes: Tensor) -> Tensor:
        """Of each plane of (B, C, H, W), the mean over a neighbourhood."""
        side = self.row.shape[-1] // 2
        x = F.pad(planes.flatten(0, 1)[:, None], (side, side, side, side), "replicate")
        return F.conv2d(F.conv2d(x, self.row), self.row.mT).reshape(planes.shape)


@cache
def _kernels(window: int, device: torch.device, dtype: torch.dtype) -> _Kernels:
    from kornia.filters import get_gaussian_kernel1d, get_spatial_gradient_kernel2d
    from kornia.filters.kernels import normalize_kernel2d

    binomial = torch.tensor([1.0, 4.0, 6.0, 4.0, 1.0]) / 16
    sobel = normalize_kernel2d(get_spatial_gradient_kernel2d("sobel", 1))
    row = get_gaussian_kernel1d(window, window / 4)
    made = [binomial.outer(binomial)[None, None], sobel[:, None], row[None, None]]
    return _Kernels(*(kernel.to(device, dtype) for kernel in made))


def _luma(pictures: Tensor) -> Tensor:
    return pictures.mean(dim=1, keepdim=True)


def _refine(
    first: Tensor, second: Tensor, flow: Tensor, iterations: int, kernels: _Kernels
) -> Tensor:
    slope = kernels.slope(first)  # (B, 2, H, W): dx, dy
    products = torch.cat([slope.square(), slope.prod(dim=1, keepdim=True)], dim=1)
    xx, yy, xy = kernels.around(products).chunk(3, dim=1)
    calm = 1e-6 + 0.01 * (xx + yy).mean(dim=(1, 2, 3), keepdim=True)  # damps flat places
    xx, yy = xx + calm, yy + calm
    determinant = xx * yy - xy * xy
    ahead, aside = torch.cat([-yy, -xx], dim=1) / determinant, xy / determinant
    for _ in range(iterations):
        pull = kernels.around(slope * (warp(second, flow) - first))
        step = ahead * pull + aside * pull.flip(1)
        flow = flow + step.clamp(-1, 1)  # a level corrects a pixel a step; more is a wrong match
    return flow


def _enlarge(flow: Tensor, height: int, width: int) -> Tensor:
    """Flow at another size of picture, its pixels counted anew."""
    larger = F.interpolate(flow, (height, width), mode="bilinear", align_corners=False)
    x, y = larger.chunk(2, dim=1)
    return torch.cat([x * (width / flow.shape[-1]), y * (height / flow.shape[-2])], dim=1)


def warp(second: Tensor, flow: Tensor) -> Tensor:
    """The second picture (B, C, H, W) brought back along the flow from the first."""
    H, W = second.shape[-2:]
    x = torch.linspace(-1, 1, W, dtype=flow.dtype, device=flow.device) + flow[:, 0] * (2 / (W - 1))
    rows = torch.linspace(-1, 1, H, dtype=flow.dtype, device=flow.device)[:, None]
    grid = torch.stack([x, rows + flow[:, 1] * (2 / (H - 1))], dim=-1)  # (B, H, W, 2)
    return F.grid_sample(second, grid, padding_mode="border", align_corners=True)


class RaftFlow(nn.Module):
    """RAFT, small (Teed and Deng, ECCV 2020, arXiv:2003.12039), frozen; pictures in [0, 1].

    Args:
        weights: A state dict of torchvision's `raft_small`; without one, torchvision downloads
            its own or finds them in its cache.

    Raises:
        WeightsError: If the weights are neither in the file nor to be had.
    """

    def __init__(self, weights: Path | None = None) -> None:
        from torchvision.models.optical_flow import raft_small  # seconds; few ask for it

        super().__init__()
        self.network = raft_small(progress=False)
        if weights is None:
            self.network.load_state_dict(_downloaded())
        else:
            _fill(self.network, weights)
        self.requires_grad_(requires_grad=False).eval()

    def forward(self, first: Tensor, second: Tensor) -> Tensor:
        """Flow (B, 2, H, W)."""
        self.network.to(first.device)
        H, W = first.shape[-2:]
        size = tuple(max(128, 8 * round(side / 8)) for side in (H, W))  # the least RAFT can take
        one, two = (_signed(picture, size) for picture in (first, second))
        return _enlarge(self.network(one, two)[-1], H, W)


def _signed(pictures: Tensor, size: tuple[int, ...]) -> Tensor:
    resized = F.interpolate(pictures, size, mode="bilinear", align_corners=False)
    return 2 * resized.expand(-1, 3, -1, -1) - 1


def _downloaded() -> dict[str, Tensor]:
    from torchvision.models.optical_flow import Raft_Small_Weights

    weights = Raft_Small_Weights.DEFAULT
    try:
        state: dict[str, Tensor] = weights.get_state_dict(progress=False, check_hash=True)
    except (URLError, OSError, RuntimeError) as error:
        raise WeightsError(
            f"RAFT's weights could not be downloaded from {weights.url} "
            f"({str(error).splitlines()[0]}); name a local copy, or choose flow=lucas_kanade"
        ) from error
    return state


def _fill(network: nn.Module, path: Path) -> None:
    try:
        network.load_state_dict(torch.load(path, map_location="cpu", weights_only=True))
    except FileNotFoundError as error:
        raise WeightsError(f"no RAFT weights at {path}") from error
    except (RuntimeError, TypeError, ValueError, EOFError, pickle.UnpicklingError) as error:
        raise WeightsError(
            f"{path} does not hold the weights of torchvision's raft_small"
        ) from error
