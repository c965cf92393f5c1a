"""A few features that stand for many, and how far others are from the nearest of them.

Roth et al., "Towards Total Recall in Industrial Anomaly Detection", CVPR 2022, arXiv:2106.08265,
section 3.2; the greedy cover is Gonzalez's (1985), never over twice the best radius.
"""

from collections.abc import Callable

import torch
from torch import Tensor

QUERIES = 1024  # compared at once: 1024 x 8192 distances are 32 MB


def projected(features: Tensor, width: int, generator: torch.Generator) -> Tensor:
    """Features (N, D) in fewer dimensions, distances about kept (Johnson and Lindenstrauss)."""
    if features.shape[1] <= width:
        return features
    plane = torch.randn(features.shape[1], width, generator=generator) / width**0.5
    return features @ plane.to(features)


def cover(
    features: Tensor, count: int, *, first: int = 0, go_on: Callable[[], bool] = lambda: True
) -> Tensor:
    """Indices of `count` rows (N, D) that no row is far from: always the farthest one next.

    Ends early once every row equals one of those chosen, or when `go_on` says so. (k,) of int64.
    """
    nearest = torch.full((len(features),), float("inf"), device=features.device)
    squares = features.square().sum(dim=1)
    chosen: list[int] = []
    index = first
    while len(chosen) < min(count, len(features)) and (not chosen or go_on()):
        chosen.append(index)
        distance = squares - 2 * (features @ features[index]) + squares[index]
        nearest = torch.minimum(nearest, distance.clamp_min(0))
        nearest[index] = 0
        farthest = nearest.max(dim=0)
        if farthest.values <= 0:
            break
        index = int(farthest.indices)
    return torch.tensor(chosen, device=features.device)


def nearest(features: Tensor, memory: Tensor) -> tuple[Tensor, Tensor]:
    """Distance of each row (N, D) from the nearest of the memory (M, D), and which that is.

    Which is nearest is told by squares that lack the row's own, and the root taken of that one
    alone, which is not rounded by a difference of large squares either.
    """
    squares = memory.square().sum(dim=1)
    found = [
        torch.addmm(squares, part, memory.T, alpha=-2).argmin(dim=1)
        for part in torch.split(features, QUERIES)
    ]
    indices = torch.cat(found)
    return (features - memory[indices]).norm(dim=1), indices
