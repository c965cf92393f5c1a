"""Optical flow that gradients pass through: (B, 1 | 3, H, W) twice -> (B, 2, H, W).

Flow is in pixels per frame, x before y; what is at p in the first picture is at p + flow(p) in
the second. Lucas-Kanade needs no weights; RAFT is torchvision's and does.
"""

import pickle
from collections.abc import Callable
from pathlib import Path
from typing import Literal
from urllib.error import URLError

import torch
import torch.nn.functional as F
from kornia.filters import gaussian_blur2d, spatial_gradient
from kornia.geometry.transform import pyrdown, remap
from torch import Tensor, nn
from torchvision.models.optical_flow import Raft_Small_Weights, raft_small

from models.errors import WeightsError

FlowKind = Literal["lucas_kanade", "raft", "none"]
Flow = Callable[[Tensor, Tensor], Tensor]


def flow_of_kind(kind: FlowKind, weights: str | None = None) -> Flow | None:
    """The flow of that name, or None for "none".

    Raises:
        WeightsError: As `RaftFlow`.
    """
    if kind == "raft":
        return RaftFlow(None if weights is None else Path(weights))
    return lucas_kanade if kind == "lucas_kanade" else None


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
    levels = [(_luma(first), _luma(second))]
    while min(levels[-1][0].shape[-2:]) >= 2 * coarsest:
        levels.append((pyrdown(levels[-1][0]), pyrdown(levels[-1][1])))
    flow = first.new_zeros(len(first), 2, *levels[-1][0].shape[-2:])
    for one, two in reversed(levels):
        flow = _enlarge(flow, one.shape[-2], one.shape[-1])
        flow = _refine(one, two, flow, iterations, window)
    return flow


def _luma(pictures: Tensor) -> Tensor:
    return pictures.mean(dim=1, keepdim=True)


def _refine(first: Tensor, second: Tensor, flow: Tensor, iterations: int, window: int) -> Tensor:
    slope = spatial_gradient(first, mode="sobel")[:, 0]  # (B, 2, H, W)
    dx, dy = slope[:, :1], slope[:, 1:]
    xx, xy, yy = (_around(product, window) for product in (dx * dx, dx * dy, dy * dy))
    calm = 1e-6 + 0.01 * (xx + yy).mean(dim=(1, 2, 3), keepdim=True)  # damps flat places
    xx, yy = xx + calm, yy + calm
    determinant = xx * yy - xy * xy
    for _ in range(iterations):
        change = warp(second, flow) - first
        x, y = _around(dx * change, window), _around(dy * change, window)
        step = torch.cat([xy * y - yy * x, xy * x - xx * y], dim=1) / determinant
        flow = flow + step.clamp(-1, 1)  # a level corrects a pixel a step; more is a wrong match
    return flow


def _around(pictures: Tensor, window: int) -> Tensor:
    blurred: Tensor = gaussian_blur2d(pictures, window, (window / 4, window / 4), "replicate")
    return blurred


def _enlarge(flow: Tensor, height: int, width: int) -> Tensor:
    """Flow at another size of picture, its pixels counted anew."""
    scale = flow.new_tensor([width / flow.shape[-1], height / flow.shape[-2]])
    larger = F.interpolate(flow, (height, width), mode="bilinear", align_corners=False)
    return larger * scale[:, None, None]


def warp(second: Tensor, flow: Tensor) -> Tensor:
    """The second picture (B, C, H, W) brought back along the flow from the first."""
    H, W = second.shape[-2:]
    x = torch.arange(W, dtype=flow.dtype, device=flow.device) + flow[:, 0]
    y = torch.arange(H, dtype=flow.dtype, device=flow.device)[:, None] + flow[:, 1]
    warped: Tensor = remap(second, x, y, padding_mode="border", align_corners=True)
    return warped


class RaftFlow(nn.Module):
    """RAFT, small (Teed and Deng, ECCV 2020, arXiv:2003.12039), frozen; pictures in [0, 1].

    Args:
        weights: A state dict of torchvision's `raft_small`; without one, torchvision downloads
            its own or finds them in its cache.

    Raises:
        WeightsError: If the weights are neither in the file nor to be had.
    """

    def __init__(self, weights: Path | None = None) -> None:
        super().__init__()
        self.network = raft_small(progress=False)
        self.network.load_state_dict(_downloaded() if weights is None else _read(weights))
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
    weights = Raft_Small_Weights.DEFAULT
    try:
        state: dict[str, Tensor] = weights.get_state_dict(progress=False, check_hash=True)
    except (URLError, OSError, RuntimeError) as error:
        raise WeightsError(
            f"RAFT's weights could not be downloaded from {weights.url} "
            f"({str(error).splitlines()[0]}); name a local copy, or choose flow=lucas_kanade"
        ) from error
    return state


def _read(path: Path) -> dict[str, Tensor]:
    try:
        state: dict[str, Tensor] = torch.load(path, map_location="cpu", weights_only=True)
        raft_small(progress=False).load_state_dict(state)
    except FileNotFoundError as error:
        raise WeightsError(f"no RAFT weights at {path}") from error
    except (RuntimeError, TypeError, ValueError, EOFError, pickle.UnpicklingError) as error:
        raise WeightsError(
            f"{path} does not hold the weights of torchvision's raft_small"
        ) from error
    return state
